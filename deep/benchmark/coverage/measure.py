r"""What the critics say of a policy, averaged over three sets of states, and how far its states are from the data.

    estimate = (1 - gamma) L mean over states s of Q_c(s, pi(s))

for the data's states, as in Eq. (25) of the DRCORL preprint, for the data's start states, and for the states that the
policy *visits* in the simulator, where the right value is known: the same of its discounted cost to go. Critics that
are right at the visited states and wrong at the data's have a wrong set of states; critics that are wrong at the
visited states do not know the policy.

A state is *far* where its distance to the nearest state of the data exceeds `QUANTILE` of the distances of the data's
own states to the nearest one of another trajectory (Euclidean, normalised observations).

Then the cause is removed: the policy's own episodes are added to the data, and the critics go on with these. Where the
estimate at the visited states becomes right, those states were what the data lacked. The simulator is used for this
diagnosis alone, and in no training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.benchmark.coverage.recording import Trajectory, extended, played
from deep.core.phase import BLOCK
from deep.core.randomness import RandomInput, draw_block, generator
from deep.data.replay import Replay
from deep.methods.drcorl.drcorl import DRCORL
from deep.runs.experiment import Experiment

QUANTILE = 0.95
MOST_STATES = 100_000
"""States of the data, evenly spaced, among which the nearest is sought."""
REFERENCE = 400
"""States of the data whose distances to other trajectories are measured."""
VISITED = 1000
"""Visited states of each policy, evenly spaced over its episodes, over which means are taken."""


def nearest(states: Float[Tensor, "n obs"], others: Float[Tensor, "m obs"]) -> Float[Tensor, " n"]:
    """The distance of each state to the nearest of the others."""
    return torch.cat([torch.cdist(some, others).amin(1) for some in states.split(200)])


def far_from(experiment: Experiment) -> tuple[Float[Tensor, "m obs"], float]:
    """The data's states, and the distance to them from which on a state is far."""
    data, replay = experiment.data, experiment.replay
    rows = np.linspace(0, len(data) - 1, min(len(data), MOST_STATES)).astype(int)
    trajectory = np.repeat(np.arange(len(data.starts)), data.lengths)
    drawn = generator(0, "coverage").choice(len(data), min(REFERENCE, len(data)), replace=False)
    distances = []
    for own in np.unique(trajectory[drawn]):
        others = replay.observations[torch.from_numpy(rows[trajectory[rows] != own])]
        if len(others):
            distances.append(nearest(replay.observations[torch.from_numpy(drawn[trajectory[drawn] == own])], others))
    limit = torch.cat(distances).quantile(QUANTILE).item() if distances else 0.0
    return replay.observations[torch.from_numpy(rows)], limit


@dataclass(frozen=True)
class Study:
    """The policies of a finished run of DRCORL, and what is measured of them."""

    experiment: Experiment
    episodes: int
    steps: int
    """TD steps of the critics at each policy, and again with its own episodes."""

    @property
    def method(self) -> DRCORL:
        method = self.experiment.method
        assert isinstance(method, DRCORL)
        return method

    def rows(self) -> list[dict[str, Any]]:
        """One row for each replica's policy: the clone from which adaptation started, and the one that was kept."""
        method = self.method
        policies = {"clone": method.clone.ema[method.cloning.index], "kept": method.selection.kept}
        critics = {name: tensor.clone() for name, tensor in method.values.tensors().items()}
        states, limit = far_from(self.experiment)
        found = []
        for name, theta in {name: theta.clone() for name, theta in policies.items()}.items():
            with torch.no_grad():
                for tensor in (method.actor.theta, method.actor.ema):
                    tensor.copy_(theta)
                for key, tensor in method.values.tensors().items():
                    tensor.copy_(critics[key])
            found += self._measured(name, states, limit)
        return found

    def _measured(self, name: str, states: Float[Tensor, "m obs"], limit: float) -> list[dict[str, Any]]:
        experiment, replay, problem = self.experiment, self.experiment.replay, self.experiment.problem
        episodes = played(experiment, self.method.act_current, self.episodes)
        visited = [Visited.of(own, experiment) for own in episodes]
        self.learn(replay, "coverage")
        before = self.estimates(visited)
        own = [trajectory for some in episodes for trajectory in some]
        self.learn(
            extended(replay, own, experiment.task.episode_length, problem.reward_scale), "coverage, own episodes"
        )
        after = self.estimates(visited)
        rows = []
        for i, replica in enumerate(problem.replicas):
            far = (nearest(visited[i].states, states) > limit).cpu().numpy()
            rates = {
                place: float(visited[i].costs[where].mean()) if where.any() else None
                for place, where in (("near", ~far), ("far", far))
            }
            rows.append(
                {
                    "policy": name,
                    "seed": replica.seed,
                    "limit": replica.cost_limit,
                    "cost": float(np.mean([trajectory.costs.sum() for trajectory in episodes[i]])),
                    "return": float(np.mean([trajectory.rewards.sum() for trajectory in episodes[i]])),
                    "share_far": float(far.mean()),
                    "cost_rate_near": rates["near"],
                    "cost_rate_far": rates["far"],
                    "visited_true": visited[i].cost_to_go * self._to_episode,
                    **{place: values[i] for place, values in before.items()},
                    **{f"{place}_with_own_episodes": values[i] for place, values in after.items()},
                }
            )
        return rows

    @property
    def _to_episode(self) -> float:
        return (1 - self.experiment.problem.gamma) * self.experiment.task.episode_length

    def learn(self, replay: Replay, name: str) -> None:
        """The critics' steps at the present policy, on these data."""
        method, problem = self.method, self.experiment.problem
        batch = method.config.batch_size
        normal = RandomInput("normal", (batch, method.policy.action_size))
        draws = {"row": RandomInput("uniform", (batch,)), "z": normal, "next_z": normal}
        bootstrapping = torch.tensor(float(method.config.critics.regression_steps), device=problem.device)
        for block in range(self.steps // BLOCK):
            drawn = draw_block(draws, problem.replica_seeds, name, block, BLOCK, problem.device)
            for k in range(BLOCK):
                here: Mapping[str, Tensor] = {key: values[k] for key, values in drawn.items()}
                rows = replay.batch(replay.rows(here["row"]))
                method.values.learn(method.values.of_policy, method.actor, bootstrapping, rows, here)

    @torch.no_grad()
    def estimates(self, visited: list["Visited"]) -> dict[str, list[float]]:
        """Every replica's estimate over each set of states."""
        replay = self.experiment.replay
        places = torch.linspace(0, len(replay) - 1, VISITED, device=replay.observations.device).long()
        common = {"data": replay.observations[places], "starts": replay.observations[replay.starts]}
        count = len(visited)
        sets = {name: states.expand(count, -1, -1) for name, states in common.items()}
        # Visited states may be fewer for one replica than for another: each has its own mean.
        found = {name: self._means(states) for name, states in sets.items()}
        found["visited"] = [self._means(own.states.expand(count, -1, -1))[i] for i, own in enumerate(visited)]
        return found

    def _means(self, states: Float[Tensor, "replicas n obs"]) -> list[float]:
        critic = self.method.values.cost[-1]
        values = critic.member_values(states, self.method.act_current(states)).mean((1, 2))
        return (values.double() * self._to_episode).tolist()


@dataclass(frozen=True)
class Visited:
    """States of a policy's episodes, their costs, and the mean discounted cost to go."""

    states: Float[Tensor, "n obs"]
    costs: Float[np.ndarray, " n"]
    cost_to_go: float

    @classmethod
    def of(cls, episodes: list[Trajectory], experiment: Experiment) -> "Visited":
        gamma, length = experiment.problem.gamma, experiment.task.episode_length
        observations = np.concatenate([episode.observations for episode in episodes])
        costs = np.concatenate([episode.costs for episode in episodes])
        to_go = np.concatenate([episode.cost_to_go(gamma, len(episode.costs) < length) for episode in episodes])
        rows = np.linspace(0, len(costs) - 1, min(len(costs), VISITED)).astype(int)
        like = experiment.replay.observations
        states = experiment.replay.normalise(torch.from_numpy(observations[rows]).to(like))
        return cls(states, costs[rows], float(to_go[rows].mean()))

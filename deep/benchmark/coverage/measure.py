r"""What the critics say of a policy, averaged over three sets of states, and how far its states are from the data.

    estimate = (1 - gamma) L mean over states s of Q_c(s, pi(s))        (`deep.methods.drcorl.critic_values`)

for the data's states, as in Eq. (25) of the DRCORL preprint, for the data's start states, and for the states that the
policy *visits* in the simulator, where the right value is known: the same of its discounted cost to go. Critics that
are right at the visited states and wrong at the data's have a wrong set of states; critics that are wrong at the
visited states do not know the policy.

Which states are *far* from the data says `deep.benchmark.coverage.distance`.

Then the cause is removed: the policy's own episodes are added to the data, and the critics go on with these. Where the
estimate at the visited states becomes right, those states were what the data lacked. The simulator is used for this
diagnosis alone, and in no training.

Beside the critics stands what learned dynamics say of the same policies, trained with more or less noise on their
states (`deep.benchmark.coverage.models`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.benchmark.coverage.distance import Near, spaced
from deep.benchmark.coverage.models import Models, drawn
from deep.benchmark.coverage.recording import extended, played
from deep.core.problem import Problem
from deep.data.dataset import OfflineDataset
from deep.data.replay import Replay, discounted_to_go
from deep.methods.drcorl.critic_values import CriticValues
from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.parts.critics import episodic_to_discounted
from deep.runs.experiment import Experiment


@dataclass(frozen=True)
class Study:
    """The policies of a finished run of DRCORL, and what is measured of them."""

    experiment: Experiment
    episodes: int
    steps: int
    """TD steps of the critics at each policy, and again with its own episodes."""
    models: tuple[Models, ...] = ()
    """Learned dynamics that are asked too."""

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
        near = Near.to(self.experiment)
        found = []
        for name, theta in {name: theta.clone() for name, theta in policies.items()}.items():
            with torch.no_grad():
                for tensor in (method.actor.theta, method.actor.ema):
                    tensor.copy_(theta)
                for key, tensor in method.values.tensors().items():
                    tensor.copy_(critics[key])
            print(f"measuring the policies: {name}", flush=True)
            found += self._measured(name, near)
        return found

    def _measured(self, name: str, near: Near) -> list[dict[str, Any]]:
        problem = self.experiment.problem
        episodes, data = played(self.experiment, self.method.act_current, self.episodes)
        visited = Visited.of(data, problem)
        self.learn(problem.replay, "coverage")
        before = self.estimates(visited)
        self.learn(extended(problem, data), "coverage, own episodes")
        after = self.estimates(visited)
        said = [models.say(self.method.act_current, near) for models in self.models]
        rows = []
        for i, replica in enumerate(problem.replicas):
            far = near.far(visited.states[i]).cpu().numpy()
            rates = {
                place: float(visited.costs[i, where].mean()) if where.any() else None
                for place, where in (("near", ~far), ("far", far))
            }
            rows.append(
                {
                    "policy": name,
                    "seed": replica.seed,
                    "limit": replica.cost_limit,
                    "cost": float(episodes.costs[i].mean()),
                    "return": float(episodes.returns[i].mean()),
                    "steps": float(episodes.lengths[i].mean()),
                    "share_far": float(far.mean()),
                    "cost_rate_near": rates["near"],
                    "cost_rate_far": rates["far"],
                    "visited_true": float(visited.cost[i]),
                    **{place: values[i] for place, values in before.items()},
                    **{f"{place}_with_own_episodes": values[i] for place, values in after.items()},
                    "dynamics": [each[i] for each in said],
                }
            )
        return rows

    def learn(self, replay: Replay, name: str) -> None:
        """The critics' steps at the present policy, on these data."""
        method, problem = self.method, self.experiment.problem
        bootstrapping = torch.tensor(float(method.config.critics.regression_steps), device=problem.device)
        for here in drawn(method.rests.draws, problem.replica_seeds, name, self.steps, problem.device):
            batch = replay.batch(replay.rows(here["row"]))
            method.values.learn(method.values.of_policy, method.actor, bootstrapping, batch, here)

    def estimates(self, visited: "Visited") -> dict[str, list[float]]:
        """Every replica's estimate over each set of states, by `CriticValues`, as the gate has it."""
        critic, problem = self.method.values.cost[-1], self.experiment.problem
        data, starts, own = (CriticValues(problem, critic, None, which) for which in ("data", "start", "start"))
        own.states = visited.states
        sets = {"data": data, "starts": starts, "visited": own}
        return {name: values.estimate(self.method.act_current).cost.tolist() for name, values in sets.items()}


@dataclass(frozen=True)
class Visited:
    """States of every replica's episodes, evenly spaced, and what follows from them."""

    states: Float[Tensor, "replicas n obs"]
    costs: Float[np.ndarray, "replicas n"]
    """The cost of each step."""
    cost: Float[np.ndarray, " replicas"]
    """The mean of the discounted cost to go (`deep.data.replay.discounted_to_go`), as the cost of an episode."""

    @classmethod
    def of(cls, episodes: list[OfflineDataset], problem: Problem) -> "Visited":
        task = problem.task
        unit = episodic_to_discounted(1.0, problem.gamma, task.episode_length, "data", task.expected_length)
        rows = [spaced(len(data)) for data in episodes]
        states = [torch.from_numpy(data.observations[own]) for data, own in zip(episodes, rows, strict=True)]
        to_go = [discounted_to_go(data, data.costs, problem.gamma).mean() for data in episodes]
        return cls(
            problem.replay.normalise(torch.stack(states).to(problem.replay.mean)),
            np.stack([data.costs[own] for data, own in zip(episodes, rows, strict=True)]),
            np.array(to_go) / unit,
        )

"""Policies with an explicit state: stepped through the simulator and the learned dynamics, split, and rejected."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from deep.core.method import Memoryless, act_in_parts, as_policy, at_states, state_rows
from deep.envs import rollout as rollouts
from deep.envs.rollout import rollout
from deep.evaluate.scores import UNDEFINED, offline_costs, table
from deep.ope.baselines import baseline_estimators
from deep.ope.short_rollouts import ShortConfig, ShortRollouts
from deep.runs.player import PolicyPlayer
from deep.tasks import find_task
from theory.support.errors import InputError


class Memory(NamedTuple):
    episode: Tensor
    steps: Tensor
    rewards: Tensor
    costs: Tensor
    done: Tensor


class Remembering:
    """Acts by the previous reward, the number of the step and the number of the episode; keeps what it observed."""

    markov = False
    max_batch: int | None = None

    def __init__(self, replicas: int, actions: int) -> None:
        self.replicas, self.actions = replicas, actions

    def start(self, batch: int) -> Memory:
        zeros = torch.zeros(self.replicas, batch)
        return Memory(torch.arange(batch).expand(self.replicas, -1), zeros.long(), zeros, zeros, zeros.bool())

    def act(self, state: Memory, observations: Tensor) -> tuple[Tensor, Memory]:
        assert state.steps.shape == observations.shape[:2]
        signal = torch.tanh(state.rewards) / 2 + 0.01 * state.steps + 0.001 * state.episode
        actions = signal.unsqueeze(-1).expand(-1, -1, self.actions)
        return actions, state._replace(steps=state.steps + 1)

    def observe(self, state: Memory, rewards: Tensor, costs: Tensor, done: Tensor) -> Memory:
        return state._replace(rewards=rewards, costs=state.costs + costs, done=done)


class Recorded(PolicyPlayer):
    """Keeps the states that the simulator hands back."""

    def observe(self, state, rewards, costs, done):
        self.last = super().observe(state, rewards, costs, done)
        return self.last


def test_the_simulator_carries_the_state_of_every_episode(build):
    experiment = build("--cost-limits", "4", "9")
    task, policy = find_task("HopperVel"), Remembering(2, 3)
    player, seen = Recorded(policy, experiment.replay), []
    played = rollout(
        task, player, range(3), replicas=2, threads=1, on_step=lambda r, o, a, s: seen.append((r, a, s.rewards))
    )
    assert player.last.done.all()
    assert player.last.costs.numpy() == pytest.approx(played.costs, rel=1e-5)
    # The action of every step follows from the reward before it, as the simulator gave it.
    previous, number = np.zeros((2, 3)), np.broadcast_to(np.arange(3), (2, 3))
    running = np.ones((2, 3), dtype=bool)
    for step, (replica, actions, rewards) in enumerate(seen):
        assert replica.tolist() == np.nonzero(running)[0].tolist()
        expected = np.tanh(previous) / 2 + 0.01 * step + 0.001 * number
        np.testing.assert_allclose(actions[:, 0], expected[running], atol=1e-5)
        previous[running] = rewards
        running &= played.lengths > step + 1
    assert not running.any()


def test_episodes_keep_their_number_where_they_are_played_in_parts(build, monkeypatch):
    """On the tasks of single environments, only some episodes are in flight at once."""
    experiment = build("--cost-limits", "4")
    policy, task = Remembering(1, 3), find_task("HopperVel")
    whole = rollout(task, PolicyPlayer(policy, experiment.replay), range(5), threads=1)
    parts = []
    for first, count in ((0, 2), (2, 2), (4, 1)):
        with rollouts.simulators(task, count, 1) as envs:
            player = PolicyPlayer(policy, experiment.replay)
            parts.append(rollouts._play(envs, player, range(5), first, 2, 1, None))
    assert np.concatenate([part.returns for part in parts], 1).tolist() == whole.returns.tolist()


def test_the_learned_dynamics_carry_the_state(build):
    experiment = build("--seeds", "1", "--cost-limits", "4", "9")
    dynamics, seen = experiment.dynamics, []

    class Watched(Remembering):
        def observe(self, state, rewards, costs, done):
            new = super().observe(state, rewards, costs, done)
            seen.append(new)
            return new

    found = dynamics.rollout(Watched(2, 3), steps=4)
    rows = dynamics.config.members * dynamics.config.episodes
    assert [tuple(state.rewards.shape) for state in seen] == [(2, rows)] * 4
    assert [state.steps.unique().tolist() for state in seen] == [[1], [2], [3], [4]]
    assert not seen[-1].done.any()
    # Until an episode may have ended, its reward and cost are what the policy observed.
    if float(found.not_terminal.min()) > 0.999999:
        torch.testing.assert_close(found.cost, seen[-1].costs.unflatten(1, (dynamics.config.members, -1)).mean(2))
    other = dynamics.rollout(Remembering(2, 3), steps=4)
    assert torch.equal(other.reward, found.reward), "a fresh rollout is a fresh start"
    still = dynamics.rollout(lambda o: torch.zeros(*o.shape[:2], 3), steps=4)
    assert not torch.equal(still.reward, found.reward)


def test_estimators_of_isolated_states_reject_a_memory_and_the_table_says_so(build):
    experiment = build("--seeds", "1", "--cost-limits", "4")
    policy = Remembering(1, 3)
    isolated = baseline_estimators(experiment.problem)
    isolated["short"] = ShortRollouts(ShortConfig(2, 4), experiment.dynamics)
    for name, estimator in isolated.items():
        with pytest.raises(InputError, match="not defined for a policy with a memory"):
            estimator.estimate(policy)
        assert estimator.estimate(Memoryless(lambda o: torch.zeros(*o.shape[:2], 3))).cost.isfinite().all(), name
    with pytest.raises(InputError, match="not defined for a policy with a memory"):
        experiment.act(experiment.data.observations[None, :2], policy)
    experiment.method.policies = lambda: {"": policy}
    experiment.method.evaluation.estimator = experiment.dynamics  # it plays whole episodes
    (found,) = offline_costs(experiment, policy)
    assert found["offline_baselines"] == {"fitted_q": None, "nearest": None, "dice": None}
    assert found["offline_cost_estimate"] is not None
    line = table([{"seed": 1, "cost_limit": 4.0, **found}]).splitlines()[1]
    assert line.count(UNDEFINED) == 3


def test_a_batch_is_split_with_its_state_and_joined_again():
    policy = Remembering(2, 1)
    state = policy.start(7)._replace(rewards=torch.randn(2, 7))
    whole, after = act_in_parts(policy, state, torch.zeros(2, 7, 4))
    policy.max_batch = 3
    parts, joined = act_in_parts(policy, state, torch.zeros(2, 7, 4))
    assert torch.equal(whole, parts)
    assert all(map(torch.equal, after, joined))
    nested = (state, ())
    assert torch.equal(state_rows(nested, slice(2, 4))[0].rewards, state.rewards[:, 2:4])
    assert state_rows((), slice(2, 4)) == ()


def test_a_function_is_a_policy_without_a_memory():
    def act(observations: Tensor) -> Tensor:
        return observations[..., :1]

    policy = as_policy(act)
    assert policy.markov
    assert as_policy(policy) is policy
    observations = torch.randn(2, 3, 4)
    actions, state = policy.act(policy.start(3), observations)
    assert torch.equal(actions, observations[..., :1])
    assert policy.observe(state, actions, actions, actions > 0) == ()
    assert torch.equal(at_states(act)(observations), actions)

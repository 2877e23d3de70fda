"""Scores and conversions of the learners: against DSRL's own code, and against exact values on finite CMDPs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deep.methods.parts.critics import episodic_to_discounted
from deep.ope.dynamics import DynamicsConfig, Prediction
from deep.tasks import TASKS, Task
from tests.support.dsrl import dsrl_module
from theory.cmdp.dense import FiniteCMDP
from theory.evaluation import evaluate
from verification.lattice.methods import build
from verification.lattice.tasks import CUT, GAMMA, LATTICES
from verification.lattice.trials import TRIALS, Trial

ALL_TASKS = [*TASKS.values(), *(lattice.task for lattice in LATTICES.values())]


@pytest.mark.parametrize("task", ALL_TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("limit", [0.0, 0.5, 20.0])
def test_normalised_scores_are_those_of_dsrls_own_code(task: Task, limit: float, monkeypatch, tmp_path):
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path))  # created by dsrl while it is imported
    dsrl = dsrl_module("offline_env").OfflineEnv
    low, high = task.reward_range
    env = SimpleNamespace(min_episode_reward=low, max_episode_reward=high)
    dsrl.set_target_cost(env, limit)
    rng = np.random.default_rng(0)
    returns, costs = rng.normal(size=40) * high, rng.integers(0, 100, size=40)
    expected = dsrl.get_normalized_score(env, returns, costs)
    np.testing.assert_allclose(task.normalised_reward(returns), expected[0], rtol=1e-12)
    np.testing.assert_allclose(task.normalised_cost(costs, limit), expected[1], rtol=1e-12)
    # The preprint's score (cost - C_min) / (limit + .1), Eq. (26), is another one.
    assert np.abs((costs - costs.min()) / (limit + 0.1) - expected[1]).max() > 0.005


def line(costs: list[float], gamma: float) -> FiniteCMDP:
    """States passed one after the other, with these costs; the last one for ever."""
    P = np.eye(len(costs), k=1)
    P[-1, -1] = 1
    cost = np.array(costs)[:, None]
    return FiniteCMDP(P[:, None], np.zeros_like(cost), cost, np.eye(len(costs))[0], gamma, 1.0)


def test_a_constant_cost_rate_converts_exactly_and_claim_e1s_counterexample_does_not():
    """L costs-per-step of .3 are the discounted value of that rate, for start states of episodes cut at L."""
    gamma, length = 0.9, 12
    constant = evaluate(line([0.3] * length + [0.0], gamma), torch.ones(1, length + 1, 1, dtype=torch.float64)).J_c
    assert episodic_to_discounted(0.3 * length, gamma, length, "start") == pytest.approx(constant.item())
    endless = evaluate(line([0.3], gamma), torch.ones(1, 1, 1, dtype=torch.float64)).J_c.item()
    assert episodic_to_discounted(0.3 * length, gamma, length, "data") == pytest.approx(endless)
    # E1: one cost at step 0, gamma = 1/2, L = 4; an episodic cost of 1 is read as a discounted 1/2, the truth is 1.
    true = evaluate(line([1.0, 0.0], 0.5), torch.ones(1, 2, 1, dtype=torch.float64)).J_c.item()
    assert (true, episodic_to_discounted(1.0, 0.5, 4, "data")) == (1.0, 0.5)


@pytest.mark.parametrize("lattice", LATTICES.values(), ids=LATTICES)
def test_on_lattice_tasks_an_episodes_limit_is_the_discounted_budget(lattice):
    """Whatever the policy: the expected sum over the steps that an episode is cut at is the discounted value."""
    task, cmdp = lattice.task, lattice.cmdp
    assert task.expected_length == pytest.approx(sum(GAMMA**t for t in range(CUT)))
    for states in ("data", "start"):
        kappa = episodic_to_discounted(3.0, GAMMA, task.episode_length, states, task.expected_length)
        assert kappa == pytest.approx(3.0, rel=1.1e-4)
    policy = torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(cmdp.actions), size=(1, cmdp.states)))
    P_pi = (policy.unsqueeze(-1) * cmdp.P).sum(2)[0]
    state, episodic = cmdp.rho[0], 0.0
    for t in range(CUT):  # gamma^t is the probability that step t is played
        episodic += GAMMA**t * float((state[:, None] * policy[0] * cmdp.c[0]).sum())
        state = P_pi.mT @ state
    assert episodic == pytest.approx(evaluate(cmdp, policy).J_c.item(), rel=2e-4)
    assert kappa != pytest.approx(episodic_to_discounted(3.0, GAMMA, task.episode_length, "data"), rel=0.1)


def test_roll_outs_in_learned_dynamics_end_as_often_as_the_task_says(monkeypatch):
    """With a model that says "cost 1, reward 1, no end" at every step the sums are the expected length."""
    lattice = LATTICES["LatticeHeat"]
    tiny = DynamicsConfig(steps=1, members=2, hidden=(8,), episodes=3)
    _, experiment = build(lattice, Trial("bc_all", TRIALS["BC-All"].config, tiny, seeds=(0,)))
    dynamics = experiment.dynamics

    def predict(observations: torch.Tensor, actions: torch.Tensor) -> Prediction:
        one = torch.ones(observations.shape[:2])
        return Prediction(torch.zeros_like(observations), one, one, 0 * one)

    monkeypatch.setattr(dynamics.models, "predict", predict)
    estimate = dynamics.estimate(experiment.policy())
    assert estimate.length.tolist() == pytest.approx([lattice.task.expected_length] * 2, rel=1e-4)
    assert estimate.cost.tolist() == pytest.approx([lattice.task.expected_length] * 2, rel=1e-4)
    assert estimate.reward.tolist() == pytest.approx([lattice.task.expected_length] * 2, rel=1e-4)
    assert lattice.task.expected_length < 0.2 * CUT

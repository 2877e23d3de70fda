"""deep.methods.drcorl.least_squares: features of the critics, exact solutions, their deviations, the estimate."""

from pathlib import Path

import numpy as np
import pytest
import torch

from deep.data.load import save
from deep.data.replay import RowTable
from deep.methods.drcorl import least_squares
from deep.methods.drcorl.critic_values import MEAN_STATES
from deep.methods.drcorl.least_squares import LeastSquares, last_hidden, solve_values
from deep.methods.parts.critics import CostCritic, CriticConfig, PolicyCritic
from deep.nn.mlp import unpack
from tests.support.builders import TINY
from tests.support.chain import always, chain_data, tabular_system
from theory.evaluation import evaluate
from theory.support.errors import InputError


@pytest.fixture
def problem(build, tmp_path: Path):
    save(tmp_path / "chain.hdf5", chain_data())
    return build("--dataset", str(tmp_path / "chain.hdf5"), "--seeds", "0", "--cost-limits", "4", "9").problem


def critics(problem, layer_norm=False):
    config = CriticConfig(hidden=(24, 16), ensemble=2, layer_norm=layer_norm)
    seeds = problem.replica_seeds
    return CostCritic(config, problem, "cost_critic", seeds), PolicyCritic(config, problem, "reward_critic", seeds)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_last_layer_on_the_features_is_the_critic(problem, layer_norm):
    critic, _ = critics(problem, layer_norm)
    observations, actions = torch.randn(2, 7, 11), torch.rand(2, 7, 3) * 3 - 1.5  # clipped like the critic's own
    features = last_hidden(critic, observations, actions)
    assert features.shape == (2, 7, 33)
    members = critic.q.ema.unflatten(1, (2, -1)).flatten(0, 1)
    weight, bias = (tensor.unflatten(0, (2, 2)) for tensor in unpack(members, critic.ensemble.member.shapes)[-2:])
    value = features[..., 1:] @ weight.flatten(1, 2).double() / 2 + bias.mean(1, keepdim=True).double()
    expected = critic.upper_confidence(observations, actions, 0.0)
    torch.testing.assert_close(value.squeeze(-1).float() * critic.unit, expected, rtol=1e-5, atol=1e-5)


def test_the_solution_is_the_exact_value_whatever_the_datas_distribution(monkeypatch):
    monkeypatch.setattr(least_squares, "RIDGE", 0.0)
    cmdp, policy, data, onward, payoffs, _ = tabular_system()
    weights = torch.arange(1.0, len(data) + 1).double().sqrt().unsqueeze(1)  # as if rows came that often
    mean = (cmdp.rho[0].unsqueeze(1) * policy[0]).flatten()
    trajectory = torch.arange(len(data))
    value, std = solve_values(data * weights, onward[0] * weights, mean, payoffs * weights, trajectory, 0.97)
    exact = evaluate(cmdp, policy)
    torch.testing.assert_close(value, torch.stack([exact.J_c[0], exact.J_r[0]]), rtol=1e-8, atol=1e-8)
    assert std.abs().max() < 1e-8  # one row per pair with its expectation: nothing is uncertain


def test_the_deviation_is_that_of_resampled_trajectories():
    rng = np.random.default_rng(1)
    trajectory = torch.from_numpy(np.repeat(np.arange(80), 6))
    data, onward = (torch.from_numpy(rng.normal(size=(480, 4))) for _ in range(2))
    common = torch.from_numpy(rng.normal(size=80))[trajectory]  # rows of a trajectory are not independent
    payoffs = (data.sum(1) + common).unsqueeze(1)
    mean = torch.tensor([1.0, -0.5, 0.3, 0.0]).double()
    _, std = solve_values(data, onward, mean, payoffs, trajectory, 0.5)
    values = []
    for _ in range(400):
        drawn = np.concatenate([np.arange(6) + 6 * i for i in rng.integers(80, size=80)])
        values.append(solve_values(data[drawn], onward[drawn], mean, payoffs[drawn], trajectory, 0.5)[0].item())
    assert std.item() == pytest.approx(np.std(values), rel=0.15)


@pytest.mark.parametrize("states", ["start", "data", "cloned"])
def test_the_estimate_is_exact_where_the_features_can_be_whatever_the_critics_say(problem, monkeypatch, states):
    """Four pairs and 32 random features; untrained TD critics, whose values are moved out of the way."""
    monkeypatch.setattr(least_squares, "RIDGE", 1e-9)
    cost, reward = critics(problem)
    for critic, shift in ((cost, -50.0), (reward, 50.0)):
        with torch.no_grad():
            critic.q.ema.unflatten(1, (2, -1))[..., -1] += shift
    first = problem.data.observations[:, 0] == 0
    of_each = RowTable.of([first.nonzero()[0], (~first).nonzero()[0]], problem.device)  # one state for each replica
    estimate = LeastSquares(problem, cost, reward, 2000, states, of_each).estimate(always(0.5, -0.5))
    gamma = problem.gamma
    here, there = {"start": (1.0, 1.0), "data": (first.mean(),) * 2, "cloned": (1.0, 0.0)}[states]
    go = 1 / (1 - gamma**2)  # Q_c(0, +); Q_c(1, +) is gamma times that; - ends: 0 and 3
    expected = torch.tensor([here * go + (1 - here) * gamma * go, (1 - there) * 3]) * (1 - gamma) * 1000
    torch.testing.assert_close(estimate.cost, expected.float(), rtol=1e-3, atol=1e-2)
    assert estimate.reward[0].item() == pytest.approx(2 * expected[0].item(), rel=1e-3)
    assert (estimate.cost_std < 0.5).all()


def test_the_estimate_is_the_worse_one_of_the_critics_and_their_solution(problem):
    cost, reward = critics(problem)
    solver = LeastSquares(problem, cost, reward, 500, "start")
    before = solver.estimate(always(0.5, -0.5))
    for shift, changes in ((10.0, "cost"), (-10.0, "reward")):
        moved = {}
        for name, critic in (("cost", cost), ("reward", reward)):
            kept = critic.q.ema.clone()
            with torch.no_grad():
                critic.q.ema.unflatten(1, (2, -1))[..., -1] += shift  # the last bias: no feature moves
            moved[name] = solver.estimate(always(0.5, -0.5))
            critic.q.ema.copy_(kept)
        assert (moved["cost"].cost > before.cost + 1).all() == (changes == "cost")
        assert (moved["reward"].reward < before.reward - 1).all() == (changes == "reward")
    assert (before.cost_low <= before.cost).all()
    assert (before.cost <= before.cost_high).all()


def test_the_gate_averages_over_cloned_states_where_it_is_told_to(build):
    options = ("--gate.kind", "least_squares", "--gate.states", "cloned", "--dynamics.steps", "0")
    method = build(*TINY, *options, "--cost-limits", "1", "9").method
    solver, rows = method.evaluation.by_critics, method.cloning.rows
    for states, table, count in zip(solver.states, rows.table, rows.counts, strict=True):
        cloned = method.problem.replay.observations[table[:count]]
        assert len(states) == MEAN_STATES
        # Every cloned state, and no other.
        assert set(map(tuple, states.tolist())) == set(map(tuple, cloned.tolist()))
    with pytest.raises(InputError, match=r"--gate\.states cloned with --gate\.kind ucb"):
        build(*TINY, "--gate.kind", "ucb", "--gate.states", "cloned")

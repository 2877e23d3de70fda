"""deep.methods.parts.iql: several heads, the worse twin of each, weights, and where values end."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deep.methods.parts.iql import (
    IQL,
    Head,
    Inputs,
    IQLConfig,
    advantage_weights,
    bootstraps,
    cost_unit,
    iql_value_loss,
    reward_units,
)


@pytest.fixture
def problem(build):
    return build("--algorithm", "bc_all", "--seeds", "1", "2", "--cost-limits", "4").problem


TWO = (Head("min", 0.9), Head("max", 0.2))


def iql(problem, heads: tuple[Head, ...] = TWO, regression_steps: int = 0, extra: int = 0) -> IQL:
    return IQL(IQLConfig((16,), 1e-2, 0.2, regression_steps=regression_steps), problem, "iql", heads, extra=extra)


def test_each_head_takes_its_worse_twin(problem):
    critics = iql(problem)
    pairs = torch.randn(2, 5, 14)
    twins = critics.twin.apply(critics.q.theta, pairs).squeeze(-1).detach()
    worse = critics.worse_q(critics.q.theta, pairs).detach()
    assert torch.equal(worse[:, 0], twins[:, :2].amin(1))
    assert torch.equal(worse[:, 1], twins[:, 2:].amax(1))
    assert not torch.equal(worse[:, 1], twins[:, 2:].amin(1))


def test_every_head_has_its_own_expectile():
    q = torch.tensor([[[1.0, -1.0], [1.0, -1.0]]])
    loss = iql_value_loss(q, torch.zeros(1, 2, 2), torch.tensor([[0.9], [0.2]]))
    assert loss.item() == pytest.approx((0.9 + 0.1) / 2 + (0.2 + 0.8) / 2)
    slope = {}
    for tau in (0.9, 0.2):
        value = torch.zeros(1, 1, 2, requires_grad=True)
        iql_value_loss(q[:, :1], value, tau).sum().backward()
        assert value.grad is not None
        slope[tau] = float(value.grad.sum())
    assert slope[0.9] < 0 < slope[0.2], "descent raises a high expectile above the mean and lowers a low one"


def test_targets_are_the_datas_first_and_the_backup_after(problem):
    critics = iql(problem, regression_steps=60)
    batch = problem.replay.batch(torch.arange(8).expand(2, -1))
    own, bootstrapped = torch.full((2, 2, 8), 2.0), torch.full((2, 2, 8), -1.0)
    q = {}
    for step in range(200):
        critics.fit(torch.tensor(float(step)), Inputs.of(batch), lambda v: bootstrapped, own)
        q[step] = critics.worse_q(critics.q.theta, Inputs.of(batch).pairs).detach().mean().item()
    assert q[59] == pytest.approx(2, abs=0.3)
    assert q[199] == pytest.approx(-1, abs=0.3)


def test_a_head_without_sums_of_the_data_bootstraps_from_the_first_step(problem):
    """FISOR's danger: the data's own would be that of the behaviour, and TD lowers it by 1 - gamma a sweep at most."""
    critics = iql(problem, regression_steps=60)
    batch = problem.replay.batch(torch.arange(16)[None].expand(2, -1))
    own, bootstrapped = torch.full((2, 1, 16), 3.0), torch.full((2, 2, 16), -1.0)
    for step in range(60):
        critics.fit(torch.tensor(float(step)), Inputs.of(batch), lambda v: bootstrapped, own)
    q = critics.worse_q(critics.q.theta, Inputs.of(batch).pairs).mean(2)
    assert (q[:, 0] > 2).all()
    assert (q[:, 1] < -0.8).all()


def test_further_inputs_are_columns(problem):
    critics = iql(problem, (Head("min", 0.5),), extra=2)
    assert critics.values(torch.zeros(2, 3, 13)).shape == (2, 1, 3)
    assert critics.worse_q(critics.q.ema, torch.zeros(2, 3, 16)).shape == (2, 1, 3)


def test_weights_are_exponential_and_capped():
    weights = advantage_weights(torch.tensor([0.0, 1.0, -1.0, 50.0]), 3.0, 100.0)
    assert weights.tolist() == pytest.approx([1.0, np.e**3, np.e**-3, 100.0])


def test_values_end_at_terminals_and_in_the_public_codes_at_timeouts_too(problem):
    corrected, public = bootstraps(problem, False).numpy(), bootstraps(problem, True).numpy()
    assert np.array_equal(corrected == 0, problem.data.terminals)
    assert np.array_equal(public == 0, problem.data.terminals | problem.data.timeouts)
    assert problem.data.timeouts.any()
    assert problem.data.terminals.any()


def test_units(problem):
    mean = problem.data.costs.mean()
    assert cost_unit(problem) == pytest.approx(mean / (1 - problem.gamma))
    problem.replay.costs = torch.zeros(4)
    assert cost_unit(problem) == pytest.approx(1 / (1 - problem.gamma))
    doubled = replace(problem, reward_scale=2 * problem.reward_scale)
    assert reward_units(problem, "raw") == pytest.approx(0.1 / problem.reward_scale)
    assert reward_units(doubled, "raw") == pytest.approx(reward_units(problem, "raw") / 2)
    assert reward_units(problem, "episode") == 1

"""Exact evaluation against the Bellman equation, the flow equation, value iteration, rollouts and a closed form."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float64, Int64
from torch import Tensor

from tests.theory.strategies import SETTINGS, Recipe, policy_for, recipes
from theory import FiniteCMDP, InputError
from theory.cmdp.families import make
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction
from theory.evaluation import bellman_residual, evaluate, occupancy


def scale(cmdp: FiniteCMDP) -> torch.Tensor:
    return cmdp.bound / (1 - cmdp.gamma) + 1


def flow_residual(cmdp: FiniteCMDP, policy: PerStateAction, d: PerState) -> PerCMDP:
    """max_s |d - (1 - gamma) rho - gamma P_pi^T d|: zero exactly at the policy's own occupancy."""
    inflow = cmdp.arrival(policy * d.unsqueeze(-1))
    gamma = cmdp.gamma[:, None]
    return (d - (1 - gamma) * cmdp.rho - gamma * inflow).abs().amax(-1)


def rollout(
    cmdp: FiniteCMDP, policy: PerStateAction, episodes: int, horizon: int, generator: torch.Generator
) -> tuple[Int64[Tensor, "batch episode time"], Int64[Tensor, "batch episode time"]]:
    """Sample `episodes` trajectories of `horizon` steps from every CMDP: states and actions, as indices."""
    rows = torch.arange(cmdp.batch)[:, None].expand(-1, episodes)
    state = draw(cmdp.rho.unsqueeze(1).expand(-1, episodes, -1), generator)
    states, actions = [], []
    for _ in range(horizon):
        action = draw(policy[rows, state], generator)
        states.append(state)
        actions.append(action)
        state = draw(cmdp.P[rows, state, action], generator)
    return torch.stack(states, -1), torch.stack(actions, -1)


def rollout_value(
    cmdp: FiniteCMDP, payoff: PerStateAction, trajectories: tuple[Tensor, Tensor]
) -> tuple[PerCMDP, PerCMDP]:
    """Mean and standard error of sum_t gamma^t payoff(s_t, a_t) over sampled trajectories."""
    states, actions = trajectories
    rows = torch.arange(cmdp.batch)[:, None, None]
    discount = cmdp.gamma[:, None, None] ** torch.arange(states.shape[-1])
    returns = (discount * payoff[rows, states, actions]).sum(-1)
    return returns.mean(-1), returns.std(-1) / returns.shape[-1] ** 0.5


def draw(probabilities: Float64[Tensor, "*shape outcome"], generator: torch.Generator) -> Int64[Tensor, "*shape"]:
    """Inverse-CDF sampling; the last outcome with positive probability absorbs the rounding of the sum."""
    cdf = probabilities.cumsum(-1)
    uniform = torch.rand(probabilities.shape[:-1], dtype=torch.float64, generator=generator)
    return torch.searchsorted(cdf, (uniform * cdf[..., -1]).unsqueeze(-1), right=True).squeeze(-1)


@SETTINGS
@given(recipes(), st.integers(0, 1000))
def test_values_and_occupancy_satisfy_their_equations(recipe: Recipe, seed: int) -> None:
    cmdp = recipe.make()
    policy = policy_for(cmdp, seed)
    values = evaluate(cmdp, policy)
    for Q, payoff in ((values.Q_r, cmdp.r), (values.Q_c, cmdp.c)):
        residual = bellman_residual(cmdp, policy, Q, payoff) / scale(cmdp)
        assert float(residual.max()) < 1e-12
        assert float(bellman_residual(cmdp, policy, Q + 1e-3, payoff).max()) > 1e-7, "negative control"
    assert float(flow_residual(cmdp, policy, values.d).max()) < 1e-13
    assert float((values.d.sum(-1) - 1).abs().max()) < 1e-12
    skewed = torch.roll(values.d, 1, -1) + 1e-3
    assert float(flow_residual(cmdp, policy, skewed).max()) > 1e-7, "negative control"
    torch.testing.assert_close(values.d, occupancy(cmdp, policy), rtol=1e-10, atol=1e-13)
    through_occupancy = (values.d[..., None] * policy * cmdp.r).sum((1, 2)) / (1 - cmdp.gamma)
    assert float(((through_occupancy - values.J_r) / scale(cmdp)).abs().max()) < 1e-12
    assert float((policy * values.A_c).sum(-1).abs().max() / scale(cmdp).max()) < 1e-12


@SETTINGS
@given(recipes(), st.integers(0, 1000))
def test_performance_difference_lemma(recipe: Recipe, seed: int) -> None:
    """V^pi' - V^pi = E_{d', pi'} A^pi / (1 - gamma): the lemma behind every bound (Eq. (29) of the DRCORL preprint)."""
    cmdp = recipe.make()
    old, new = policy_for(cmdp, seed), policy_for(cmdp, seed + 1)
    before, after = evaluate(cmdp, old), evaluate(cmdp, new)
    lemma = (after.d[..., None] * new * before.A_r).sum((1, 2)) / (1 - cmdp.gamma)
    assert float(((after.J_r - before.J_r - lemma) / scale(cmdp)).abs().max()) < 1e-11


def test_batch_equals_single_and_value_iteration() -> None:
    cmdp = make("garnet", 6, 3, 0.8, 0.5, range(4))
    policy = policy_for(cmdp, 1)
    together = evaluate(cmdp, policy)
    for i in range(4):
        alone = evaluate(cmdp.select(i), policy[i : i + 1])
        torch.testing.assert_close(alone.Q_c, together.Q_c[i : i + 1], rtol=1e-13, atol=1e-13)
    V = torch.zeros(4, 6, dtype=torch.float64)
    for _ in range(200):
        V = (policy * (cmdp.c + cmdp.gamma[:, None, None] * cmdp.next_value(V))).sum(-1)
    torch.testing.assert_close(V, together.V_c, rtol=1e-12, atol=1e-12)


def test_closed_form_of_one_state() -> None:
    """S = 1: V = r_pi / (1 - gamma)."""
    cmdp = FiniteCMDP([[[1.0], [1.0]]], [[1.0, 0.0]], [[0.0, 3.0]], [1.0], 0.75, 1.0)
    values = evaluate(cmdp, torch.tensor([[[0.25, 0.75]]], dtype=torch.float64))
    assert values.J_r.item() == pytest.approx(1.0, abs=1e-14)
    assert values.J_c.item() == pytest.approx(9.0, abs=1e-13)


def test_rollouts_agree_within_their_error_and_disagree_with_another_policy() -> None:
    cmdp = make("dirichlet", 4, 3, 0.9, 0.5, range(3))
    policy = policy_for(cmdp, 2)
    trajectories = rollout(cmdp, policy, 4000, 200, torch.Generator().manual_seed(5))
    values = evaluate(cmdp, policy)
    for payoff, exact in ((cmdp.r, values.J_r), (cmdp.c, values.J_c)):
        mean, error = rollout_value(cmdp, payoff, trajectories)
        assert float(((mean - exact) / error).abs().max()) < 4
    mean, error = rollout_value(cmdp, cmdp.r, trajectories)
    other = evaluate(cmdp, cmdp.uniform_policy()).J_r
    assert float(((mean - other) / error).abs().max()) > 6, "negative control"


def test_policy_of_the_wrong_shape_is_rejected() -> None:
    cmdp = make("garnet", 3, 2, 0.5, 0.5, [0])
    with pytest.raises(InputError, match="policy must have shape"):
        evaluate(cmdp, torch.full((1, 3, 3), 1 / 3, dtype=torch.float64))

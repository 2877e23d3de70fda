"""Exact evaluation against the Bellman equation, the flow equation, value iteration, roll-outs and a closed form."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.theory.strategies import SETTINGS, Recipe, policy_for, recipes
from theory import FiniteCMDP, InputError
from theory.evaluation import bellman_residual, evaluate, flow_residual, occupancy, rollout, rollout_value
from theory.families import make


def scale(cmdp: FiniteCMDP) -> torch.Tensor:
    return cmdp.bound / (1 - cmdp.gamma) + 1


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


def test_policy_of_the_wrong_shape_is_refused() -> None:
    cmdp = make("garnet", 3, 2, 0.5, 0.5, [0])
    with pytest.raises(InputError, match="policy must have shape"):
        evaluate(cmdp, torch.full((1, 3, 3), 1 / 3, dtype=torch.float64))

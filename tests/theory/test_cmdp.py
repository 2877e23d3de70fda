"""Construction: what is accepted, what is rejected and with which sentence, and what seeds reproduce."""

import numpy as np
import pytest
import torch

from theory import FiniteCMDP, InputError
from theory.cmdp.dense import concatenate
from theory.cmdp.families import FAMILIES, make, sparse_garnet
from theory.cmdp.sparse import SparseCMDP, to_sparse


def parts() -> dict:
    rng = np.random.default_rng(0)
    return {
        "P": rng.dirichlet(np.ones(3), (2, 3, 2)),
        "r": rng.random((2, 3, 2)),
        "c": rng.random((2, 3, 2)),
        "rho": np.full(3, 1 / 3),
        "gamma": 0.9,
        "budget": [1.0, 2.0],
    }


def test_accepts_numpy_torch_lists_and_a_missing_batch_axis() -> None:
    given = parts()
    from_numpy = FiniteCMDP(**given)
    from_torch = FiniteCMDP(**{name: torch.as_tensor(x) for name, x in given.items()})
    from_lists = FiniteCMDP(**{name: np.asarray(x).tolist() for name, x in given.items()})
    single = FiniteCMDP(given["P"][1], given["r"][1], given["c"][1], given["rho"], 0.9, 2.0)
    for other in (from_torch, from_lists):
        assert torch.equal(from_numpy.P, other.P)
        assert torch.equal(from_numpy.budget, other.budget)
    assert torch.equal(from_numpy.select(1).P, single.P)
    assert from_numpy.r.dtype == torch.float64
    assert (from_numpy.batch, from_numpy.states, from_numpy.actions) == (2, 3, 2)


def spoiled(name: str, change) -> dict:
    given = parts()
    given[name] = change(given[name])
    return given


WRONG = {
    "rows that do not sum to 1": ("P", lambda P: P * 1.001, "rows of P must sum to 1"),
    "negative probability": ("P", lambda P: P - 0.5, "negative probability"),
    "NaN": ("r", lambda r: np.where(r > 0.5, np.nan, r), "r contains a NaN"),
    "infinite budget": ("budget", lambda _: np.inf, "budget contains"),
    "gamma = 1": ("gamma", lambda _: 1.0, r"gamma must lie in \[0, 1\)"),
    "one gamma outside": ("gamma", lambda _: [-0.5, 0.5], r"gamma must lie in \[0, 1\), not -0\.5"),
    "negative gamma": ("gamma", lambda _: -0.1, r"gamma must lie in \[0, 1\)"),
    "negative cost": ("c", lambda c: -c, "c must be non-negative"),
    "budget of the wrong shape": ("budget", lambda _: [1.0, 2.0, 3.0], "budget must have shape"),
    "reward of the wrong shape": ("r", lambda r: r[..., 0], "r must have shape"),
    "rho of the wrong length": ("rho", lambda _: [0.5, 0.5], "rho must have shape"),
    "P that is not square": ("P", lambda P: P[..., :2], "P must have shape"),
    "a number of 400 digits": ("r", lambda r: [[10**400, 0], [0, 0]], "r contains a whole number beyond float64"),
    "words": ("r", lambda _: "many", "r must be an array of real numbers"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_rejected_in_one_sentence(case: str) -> None:
    name, change, words = WRONG[case]
    with pytest.raises(InputError, match=words) as caught:
        FiniteCMDP(**spoiled(name, change))
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message


SPARSE = {
    "rho that sums to 3": ("rho", lambda rho: 3 * rho, "the rows of rho must sum to 1; one is off by 2"),
    "negative rho": ("rho", lambda _: [2.0, -1.0, 0.0], "rho contains the negative probability -1"),
    "NaN in rho": ("rho", lambda rho: rho * np.nan, "rho contains a NaN"),
    "NaN budget": ("budget", lambda _: np.nan, "budget contains a NaN"),
    "infinite cost": ("c", lambda c: c / 0, "c contains a NaN or an infinity"),
    "infinite P": ("P", lambda P: P * np.inf, "P contains a NaN or an infinity"),
    "negative cost": ("c", lambda c: c - 5, "c must be non-negative; its smallest entry is -4"),
    "gamma = 1.5": ("gamma", lambda _: 1.5, r"gamma must lie in \[0, 1\), not 1\.5"),
    "cost of the wrong shape": ("c", lambda c: c[:, :2], r"c must have shape \(1, 3, 2\) or \(3, 2\), not \(1, 2, 2\)"),
    "rho of the wrong shape": ("rho", lambda _: np.full(5, 0.2), r"rho must have shape .* not \(5,\)"),
    "dense P": ("P", lambda P: P.toarray(), "P must be a scipy sparse matrix, not ndarray"),
    "P that is not square": ("P", lambda P: P[:4], r"P must have shape \(S A, S\), not \(4, 3\)"),
}


@pytest.mark.parametrize("case", SPARSE)
def test_the_sparse_class_rejects_what_the_dense_one_does(case: str) -> None:
    name, change, words = SPARSE[case]
    given = vars(to_sparse(make("dirichlet", 3, 2, 0.9, 0.5, [0]))).copy()
    given[name] = change(given[name])
    with pytest.raises(InputError, match=words):
        SparseCMDP(**given)


def test_families_reject_what_they_cannot_make() -> None:
    for arguments in (("nowhere", 3, 2, 0.9), ("gridworld", 8, 4, 0.9), ("gridworld", 9, 3, 0.9), ("chain", 0, 2, 0.9)):
        with pytest.raises(InputError):
            make(*arguments, tightness=0.5, seeds=[0])
    with pytest.raises(InputError):
        make("garnet", 3, 2, 1.0, 0.5, [0])
    with pytest.raises(InputError, match="seeds must be non-negative integers, not -1"):
        make("garnet", 3, 2, 0.5, 0.5, [0, -1])
    with pytest.raises(InputError, match="same numbers"):
        concatenate([make("garnet", 3, 2, 0.5, 0.5, [0]), make("garnet", 4, 2, 0.5, 0.5, [0])])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_a_cmdp_bit_for_bit_whatever_its_company(family: str) -> None:
    states, actions = (9, 4) if family == "gridworld" else (5, 3)
    several = make(family, states, actions, 0.9, 0.4, [3, 5, 8])
    alone = make(family, states, actions, 0.9, 0.4, [5])
    for name in ("P", "r", "c", "rho"):
        assert torch.equal(getattr(several.select(1), name), getattr(alone, name)), name
    torch.testing.assert_close(several.budget[1:2], alone.budget, rtol=1e-13, atol=1e-13)
    other = make(family, states, actions, 0.9, 0.4, [6])
    assert not (torch.equal(other.P, alone.P) and torch.equal(other.c, alone.c))


def test_unreachable_states_are_unreachable_and_deterministic_rows_deterministic() -> None:
    away = make("unreachable", 5, 3, 0.9, 0.5, range(5))
    assert float(away.P[..., -1].max()) == 0
    sure = make("deterministic", 5, 3, 0.9, 0.5, range(5))
    assert torch.equal(sure.P.amax(-1), torch.ones(5, 5, 3, dtype=torch.float64))


def test_sparse_agrees_with_dense_and_rejects_bad_rows() -> None:
    dense = make("garnet", 40, 3, 0.97, 0.5, [4])
    sparse = to_sparse(dense)
    policy = torch.softmax(dense.r * 5, -1)
    before = policy.clone()
    b = torch.stack([dense.r[..., 0], dense.c[..., 0]], -1)
    torch.testing.assert_close(sparse.solve(policy, b), dense.solve(policy, b), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        sparse.solve_adjoint(policy, dense.rho), dense.solve_adjoint(policy, dense.rho), rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(sparse.next_value(dense.rho), dense.next_value(dense.rho))
    torch.testing.assert_close(sparse.arrival(dense.r), dense.arrival(dense.r))
    assert torch.equal(policy, before), "an operation must not write into the policy it is given"
    with pytest.raises(InputError, match="sum to 1"):
        SparseCMDP(sparse.P * 1.1, sparse.r, sparse.c, sparse.rho, sparse.gamma, sparse.budget)
    with pytest.raises(InputError, match="gamma"):
        SparseCMDP(sparse.P, sparse.r, sparse.c, sparse.rho, sparse.gamma + 1, sparse.budget)


def test_sparse_garnet_is_reproducible() -> None:
    first, second = sparse_garnet(50, seed=3), sparse_garnet(50, seed=3)
    assert (first.P != second.P).nnz == 0
    assert torch.equal(first.budget, second.budget)


def test_every_cmdp_of_a_batch_can_be_made_sparse() -> None:
    dense = make("garnet", 5, 3, 0.9, 0.5, [4, 5, 6])
    for index in range(3):
        sparse, alone = to_sparse(dense, index), dense.select(index)
        assert torch.equal(torch.from_numpy(sparse.P.toarray()).reshape(5, 3, 5), alone.P[0])
        for name in ("r", "c", "rho", "gamma", "budget"):
            assert torch.equal(getattr(sparse, name), getattr(alone, name)), name


@pytest.mark.parametrize("states", [4, 9, 25])
def test_a_third_of_the_gridworlds_inner_nodes_are_hazards_and_neither_start_nor_goal_is(states: int) -> None:
    cmdp = make("gridworld", states, 4, 0.9, 0.5, range(40))
    hazards = cmdp.c.amax(-1)
    assert torch.equal(cmdp.c, hazards[..., None].expand_as(cmdp.c))
    assert (hazards.sum(-1) == max(1, (states - 2) // 3)).all()
    assert not hazards[:, [0, -1]].any()
    assert hazards[:, 1:-1].any(0).all(), "every other node is one for some seed"
    assert torch.equal(cmdp.r.amax(-1), torch.eye(states, dtype=torch.float64)[-1].expand_as(hazards))


def test_a_system_is_factorised_where_krylov_iterations_stagnate(monkeypatch):
    dense = make("dirichlet", 5, 2, 0.9, 0.5, [0])
    policy = torch.full((1, 5, 2), 0.5, dtype=torch.float64)
    rhs = torch.randn(1, 5, 2, dtype=torch.float64)
    monkeypatch.setattr("theory.cmdp.sparse.bicgstab", lambda operator, b, **options: (0 * b, 1))
    sparse = to_sparse(dense)
    torch.testing.assert_close(sparse.solve(policy, rhs), dense.solve(policy, rhs), rtol=1e-12, atol=1e-12)
    adjoint = sparse.solve_adjoint(policy, rhs[..., 0])
    torch.testing.assert_close(adjoint, dense.solve_adjoint(policy, rhs[..., 0]), rtol=1e-12, atol=1e-12)

"""Theorem 9 on trained networks: every link of its chain, its terms by construction, and links that must break."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from deep.core.randomness import draw_block
from deep.methods.safe_dql.safe_dql import SafeDQL
from deep.runs.experiment import Experiment
from tests.support.lighter import unchecked
from theory.cmdp.shapes import PerStateAction
from verification.lattice import theorem9
from verification.lattice.data import Behaviour
from verification.lattice.exact import deterministic, exact_values, on_nodes, state_frequencies
from verification.lattice.methods import build, stepping
from verification.lattice.study import RESULTS, rows_of
from verification.lattice.tasks import LATTICES
from verification.lattice.theorem9 import FINE, Terms, _on_fine_actions, theorem_9
from verification.lattice.trials import TRIALS

LATTICE = LATTICES["LatticeHeat"]
ROUNDING = 1e-3
"""Of single precision, on values of up to 20."""


Learner = tuple[Behaviour, Experiment, SafeDQL, PerStateAction]


@pytest.fixture(scope="module")
def trained() -> Learner:
    """A Safe-DQL learner after a few steps of both phases, and what its diffusion policy induces (200 draws)."""
    trial = TRIALS["Safe-DQL"]
    config = replace(trial.config, behaviour_steps=60, improvement_steps=40)
    behaviour, experiment = build(LATTICE, replace(trial, config=config, seeds=(0,)))
    method = experiment.method
    assert isinstance(method, SafeDQL)
    for phase in method.phases():
        phase.on_start()
        for step in range(phase.steps):
            block = draw_block(phase.draws, phase.seeds, phase.name, step, 1, experiment.device)
            phase.update(torch.tensor(float(step)), {name: draw[0] for name, draw in block.items()})
    with unchecked():
        return behaviour, experiment, method, induced(experiment, method)


@pytest.fixture
def learner(trained: Learner) -> Iterator[Learner]:
    """The same one; what a test changes in its tensors is put back."""
    tensors = trained[2].tensors()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    yield trained
    for name, tensor in tensors.items():
        tensor.copy_(before[name])


def induced(experiment: Experiment, method: SafeDQL) -> PerStateAction:
    act = stepping(experiment, method.policies()["sample"])
    return torch.stack([deterministic(LATTICE, act(on_nodes(LATTICE, 2))) for _ in range(200)]).mean(0)


def links(terms: Terms) -> dict[str, torch.Tensor]:
    """What is left over in every inequality of the chain, (replica,).

    Lemma 8 compares averages over different draws, so it may be negative by sampling error; the others are exact.
    """
    budget = terms.reference_cloning + 2 * terms.eta * terms.B_r
    return {
        "start states": terms.data_cost + terms.shift - terms.J_c,
        "lemma 8": terms.predicted_cost + terms.eps_c - terms.data_cost,
        "lemma 7": terms.kappa + terms.hinge - terms.predicted_cost,
        "hinge": terms.reference_hinge + (budget + terms.suboptimality) / terms.penalty - terms.hinge,
        "whole": terms.slack,
    }


def test_every_link_holds_on_trained_networks(learner):
    terms = theorem_9(*learner)
    for name, left in links(terms).items():
        assert (left > -(0.3 if name == "lemma 8" else ROUNDING)).all(), name
    assert terms.penalty.tolist() == pytest.approx([3 / 2, 3 / 5], rel=1e-3)  # the option over max(kappa, 1)
    assert terms.kappa.tolist() == pytest.approx([2, 5], rel=1e-3)
    parts = terms.kappa + terms.eps_c + terms.shift + terms.reference_hinge
    parts = parts + (terms.reference_cloning + 2 * terms.eta * terms.B_r + terms.suboptimality) / terms.penalty
    torch.testing.assert_close(terms.bound, parts)


def test_a_policy_far_from_the_minimum_needs_the_suboptimality_term(learner):
    """With a large lambda the other terms are small, and a careless policy's hinge is explained by L(pi) - L(pi_0)."""
    behaviour, experiment, method, _ = learner
    method.multiplier.fill_(1e6)
    last = method.actor.ema[:, -1:]
    last.add_(-20.0)  # the predicted noise shifts, and with it every action, to full thrust
    terms = theorem_9(behaviour, experiment, method, induced(experiment, method))
    assert (terms.suboptimality > 0).all()
    assert (links(terms)["hinge"] > -1e-3).all()
    without = replace(terms, suboptimality=torch.zeros_like(terms.suboptimality))
    assert (links(without)["hinge"] < -0.1).all()


def test_a_policy_better_than_the_reference_has_no_suboptimality(learner):
    behaviour, experiment, method, policy = learner
    method.multiplier.fill_(1e6)
    method.behaviour.ema[:, -1:].add_(-20.0)  # the reference goes to full thrust
    terms = theorem_9(behaviour, experiment, method, policy)
    assert (terms.loss < terms.reference_loss).all()
    assert (terms.suboptimality == 0).all()


def test_every_replica_is_compared_with_the_behaviour_policy_of_its_own_seed(monkeypatch: pytest.MonkeyPatch):
    behaviour, experiment = build(LATTICE, replace(TRIALS["Safe-DQL"], seeds=(0, 1)))
    method, objective, seen = experiment.method, theorem9._objective, []
    assert isinstance(method, SafeDQL)
    monkeypatch.setattr(theorem9, "LOTS", 2)
    monkeypatch.setattr(theorem9, "_objective", lambda *given: seen.append(given[2]) or objective(*given))
    limits = len(experiment.problem.cost_limits)
    uniform = LATTICE.cmdp.uniform_policy().expand(2 * limits, -1, -1)
    theorem_9(behaviour, experiment, method, uniform)
    own, reference = seen
    assert own is method.actor.ema
    assert torch.equal(reference, method.behaviour.ema[[0] * limits + [1] * limits])
    assert not torch.equal(reference[0], reference[-1])


def test_critics_that_know_nothing_are_charged_in_full(learner):
    """With Q_c = 0 everywhere: eps_c is the largest true value, and what Lemma 8 needs is the whole expected cost."""
    behaviour, experiment, method, policy = learner
    with torch.no_grad():
        method.critics.q.theta.zero_()
    terms = theorem_9(behaviour, experiment, method, policy)
    values = exact_values(LATTICE, policy)
    D = state_frequencies(LATTICE, experiment.data.observations)
    torch.testing.assert_close(terms.eps_c, torch.where(D[..., None] > 0, values.Q_c, 0.0).amax((1, 2)))
    torch.testing.assert_close(terms.conservatism, (D * values.V_c).sum(-1))
    assert (terms.hinge == 0).all()
    assert (links(replace(terms, eps_c=0.0 * terms.eps_c))["lemma 8"] < -0.1).all()
    assert terms.B_c.tolist() == pytest.approx([20, 20])


@pytest.mark.parametrize("conservative", [0, 1])
def test_eps_c_is_that_of_the_best_critic(learner, conservative: int, monkeypatch: pytest.MonkeyPatch):
    """Assumption 4 is about one critic. The largest error over critics would charge for the other one."""
    behaviour, experiment, method, policy = learner
    fine = _on_fine_actions(behaviour, exact_values(LATTICE, policy).Q_c)
    both = torch.zeros(len(fine), 2, *fine.shape[1:], dtype=torch.float64)
    shortfall = torch.tensor([0.25, 0.5], dtype=torch.float64)  # of each replica
    both[:, conservative] = fine - shortfall[:, None, None]
    monkeypatch.setattr(theorem9, "_critics", lambda *_: (torch.zeros_like(both), both))
    torch.testing.assert_close(theorem_9(behaviour, experiment, method, policy).eps_c, shortfall)


def test_start_states_are_those_of_the_task_and_not_of_the_data(learner):
    """Delta_occ is 2 B_c times their total variation, which here is most of the bound."""
    behaviour, experiment, method, policy = learner
    terms = theorem_9(behaviour, experiment, method, policy)
    D = state_frequencies(LATTICE, experiment.data.observations)
    tv = 0.5 * (LATTICE.cmdp.rho - D).abs().sum().item()
    assert 0.3 < tv < 1
    assert (terms.shift / (2 * terms.B_c)).tolist() == pytest.approx([tv, tv])


def test_values_between_grid_actions_interpolate(learner):
    behaviour, _, _, policy = learner
    Q = exact_values(LATTICE, policy).Q_c
    fine = _on_fine_actions(behaviour, Q)
    every = (FINE - 1) // (len(LATTICE.actions.nodes) - 1)
    torch.testing.assert_close(fine[..., ::every], Q)
    middle = fine[..., every // 2 :: every][..., : Q.shape[-1] - 1]
    assert (middle <= torch.maximum(Q[..., 1:], Q[..., :-1]) + 1e-12).all()


@pytest.mark.parametrize("task", LATTICES)
def test_every_link_holds_in_the_committed_results(task: str):
    rows = rows_of(json.loads(RESULTS.read_text()), "Safe-DQL", task)
    assert rows
    for row in rows:
        named = {name.removeprefix("theorem9_"): value for name, value in row.items() if name.startswith("theorem9_")}
        terms = Terms(**{name: torch.tensor([value], dtype=torch.float64) for name, value in named.items()})
        for name, left in links(terms).items():
            sampling = 0.3 + 4 * row["sampling_cost_error"] if name == "lemma 8" else 0.0
            assert left.item() > -ROUNDING - sampling, name

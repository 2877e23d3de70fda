"""Paired roll-outs: what is known of the clone, and what the members say of the difference."""

import numpy as np
import pytest
import torch

from deep.estimates import PairedRollOuts, ShortConfig
from deep.estimates.dynamics import Prediction
from deep.estimates.rollouts import Outcomes
from deep.trajectories import Selection, known


@pytest.fixture
def lab(build, monkeypatch):
    """Two limits; member m takes a step's cost for b_m + a_1 / 10 and its reward for 3 + a_1, and is off by b_m."""
    experiment = build("--seeds", "1", "--cost-limits", "4", "60")
    problem, ensemble, off = experiment.problem, experiment.dynamics, torch.tensor([0.2, 0.5])

    def predict(observations, actions):
        there = actions[..., 0]
        cost = off.unsqueeze(1) + there / 10
        return Prediction(torch.zeros_like(observations), 3 + there, cost, torch.zeros_like(there))

    monkeypatch.setattr(ensemble.models, "predict", predict)
    told = known(problem, Selection("best").per_replica(problem), 2)
    return experiment, PairedRollOuts(ShortConfig(steps=7, states=5), ensemble, told)


def constant(value: float):
    return lambda observations: torch.full((*observations.shape[:2], 3), value)


def test_an_error_that_a_member_makes_of_both_policies_cancels(lab):
    """The members are off by 200 and 500 of 1000 steps, and agree on the difference: 1000 (.3 - .1) / 10 = 20."""
    experiment, paired = lab
    alone = paired.begin(constant(0.1))
    assert alone.cost[0].tolist() == pytest.approx([210, 510], rel=1e-4)
    estimate = paired.estimate(constant(0.3))
    chosen = [Selection("best").choose(experiment.data, limit) for limit in (4.0, 60.0)]
    for i, trajectories in enumerate(chosen):
        costs, returns = (
            x[trajectories] for x in (experiment.data.trajectory_costs, experiment.data.trajectory_returns)
        )
        assert estimate.cost[i].item() == pytest.approx(costs.mean() + 20, rel=1e-4)
        assert estimate.cost_std[i].item() == pytest.approx(costs.std(), abs=2e-3)
        assert estimate.reward[i].item() == pytest.approx(returns.mean() + 200, rel=1e-3)
        assert estimate.length[i].item() == pytest.approx(experiment.data.lengths[trajectories].mean())
    assert not torch.allclose(estimate.cost[0], estimate.cost[1])


def test_of_the_clone_itself_it_says_what_the_data_say(lab):
    _, paired = lab
    paired.begin(constant(0.1))
    for voices in ("steering", "judging", "all"):
        estimate = paired.read(paired.roll_out(constant(0.1)), voices)
        torch.testing.assert_close(estimate.cost, paired.known.costs)
        torch.testing.assert_close(estimate.reward, paired.known.returns)
        torch.testing.assert_close(estimate.cost_std, paired.known.spread)
    everyone = paired.read(paired.roll_out(constant(0.1)), "all")
    assert (everyone.cost_high - everyone.cost)[1].item() == pytest.approx(1.959964 * paired.known.spread[1].item())


def test_members_that_differ_about_the_difference_widen_the_interval(lab, monkeypatch):
    """Member 1 thinks the actions twice as dear as member 0."""
    _, paired = lab
    slope = torch.tensor([0.1, 0.2]).unsqueeze(1)
    monkeypatch.setattr(
        paired.ensemble.models,
        "predict",
        lambda o, a: Prediction(torch.zeros_like(o), a[..., 0], slope * a[..., 0], torch.zeros_like(a[..., 0])),
    )
    paired.begin(constant(0.1))
    outcomes = paired.roll_out(constant(0.3))
    found = (outcomes.cost - paired.known.costs.unsqueeze(1))[0]
    assert found.tolist() == pytest.approx([20, 40], rel=1e-4)
    steering, judging, everyone = (paired.read(outcomes, v) for v in ("steering", "judging", "all"))
    assert (judging.cost - steering.cost)[0].item() == pytest.approx(20, rel=1e-3)
    assert everyone.cost_std[0].item() == pytest.approx(np.hypot(10, paired.known.spread[0].item()), rel=1e-3)


def test_a_checkpoint_holds_what_was_foretold_of_the_clone(build):
    """Without it a resumed run, or an evaluation, would compare with nothing."""
    experiment = build("--seeds", "1", "--cost-limits", "4")
    method = experiment.method
    assert not experiment.tensors()["foretold_of_clone"].any()
    method.gate.look(0)
    assert experiment.tensors()["foretold_of_clone"].all()
    again = build("--seeds", "1", "--cost-limits", "4")
    with torch.no_grad():
        for name, tensor in again.tensors().items():
            tensor.copy_(experiment.tensors()[name])
    act = constant(0.2)
    for ours, theirs in zip(method.estimator.estimate(act), again.method.estimator.estimate(act), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("words", [("--cloned.which", "all"), ("--gate.forecast", "whole")])
def test_where_the_data_say_nothing_of_the_clone_or_pairing_is_off_whole_episodes_foretell(build, words):
    method = build("--seeds", "1", "--cost-limits", "4", *words).method
    assert method.estimator is method.gate.dynamics
    assert "foretold_of_clone" not in method.tensors()


def outcomes(cost: tuple[float, ...], reward: tuple[float, ...]) -> Outcomes:
    """What two members foretell of one replica's policy, by itself."""
    return Outcomes(torch.tensor([cost]), torch.tensor([reward]), torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))


def test_the_gate_follows_the_steering_member_and_keeps_what_both_take_for_better_than_the_clone(build, monkeypatch):
    """Costs and returns beyond the clone's, of which the members by themselves say 300 and 100, 500 and 700."""
    words = ("--gate.trust", "1e9", "--gate.k", "0", "--gate.required-length", "0")
    experiment = build("--cost-limits", "60", *words)
    gate = experiment.method.gate
    known = gate.known
    room = 60 - known.costs.item()
    beyond = [
        ((0, 0), (0, 0)),  # the clone
        ((room + 1, 0), (50, 50)),  # breaks the limit to one of them
        ((room - 1, -3), (20, 30)),  # better
        ((-3, room - 1), (40, 10)),  # one thinks less of it than at the last look
        ((room - 1, room - 1), (31, 21)),  # better still
        ((-9, -9), (-1, 90)),  # one thinks less of it than of the clone
    ]
    seen = iter([beyond[0], *beyond])  # the clone is asked first, by itself

    def roll_out(act):
        (first, second), (here, there) = next(seen)
        return outcomes((300.0 + first, 500.0 + second), (100.0 + here, 700.0 + there))

    monkeypatch.setattr(gate.paired.short, "roll_out", roll_out)
    kept = []
    for step, ((steering, judging), _) in enumerate(beyond):
        gate.actor.average.fill_(float(step))
        metrics = gate.look(step)
        assert gate.cost.item() == pytest.approx(max(known.costs.item() + steering, 0), rel=1e-5)
        assert metrics["predicted_cost"].item() == pytest.approx(max(known.costs.item() + judging, 0), rel=1e-5)
        kept.append(gate.chosen[0, 0].item())
    assert kept == [0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(
    ("off_return", "off_cost", "trusted"), [(0.19, 0.19, True), (-0.21, 0, False), (0, 0.21, False)]
)
def test_what_the_members_say_of_the_clone_by_themselves_is_held_against_the_data(
    build, monkeypatch, half, off_return, off_cost, trusted
):
    """Paired, it would agree by construction."""
    experiment = build("--cost-limits", "60", "--gate.trust", "0.2", "--gate.required-length", "0")
    gate, data = experiment.method.gate, experiment.data
    cost, reward = [[float(told)] * 2 for told in (gate.known.costs, gate.known.returns)]
    cost[half] += off_cost * 1000 * float(data.costs.max())
    reward[half] += off_return * float(np.ptp(data.trajectory_returns))
    monkeypatch.setattr(gate.paired.short, "roll_out", lambda act: outcomes(tuple(cost), tuple(reward)))
    gate.look(0)
    assert gate.trusted.tolist() == [trusted]

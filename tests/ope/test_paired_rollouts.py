"""Paired roll-outs: what is known of the clone, and what the members say of the difference."""

import numpy as np
import pytest
import torch

from deep.data.selection import Selection, known
from deep.ope.dynamics import Prediction
from deep.ope.model_rollouts import Outcomes
from deep.ope.paired_rollouts import PairedRollouts
from deep.ope.short_rollouts import ShortConfig
from theory.support.errors import InputError

OFF = torch.tensor([0.2, 0.5]).unsqueeze(1)
"""What the two members are off by in the cost of a step."""

CLONED = Selection("safe")
"""Of the small data, whose best consistent trajectories cost the same, so that their costs have no spread."""

PAIRED = ("--gate.estimator", "paired")


@pytest.fixture
def lab(build, monkeypatch):
    """Two limits. A step of action a costs a_1 / 10, earns 3 + a_1 and ends the episode with probability a_2 / 100."""
    experiment = build("--seeds", "1", "--cost-limits", "4", "60")
    problem, ensemble = experiment.problem, experiment.dynamics

    def predict(observations, actions):
        first, second = actions[..., 0], actions[..., 1]
        return Prediction(torch.zeros_like(observations), 3 + first, OFF + first / 10, second / 100)

    monkeypatch.setattr(ensemble.models, "predict", predict)
    told = known(problem.data, problem.replay, CLONED.per_replica(problem.data, problem.replica_limits), 2)
    return experiment, PairedRollouts(ShortConfig(steps=7, states=5), ensemble, told)


def always(first: float, second: float = 0.0):
    action = torch.tensor([first, second, 0.0])
    return lambda observations: action.expand(*observations.shape[:2], 3)


def told_of(experiment):
    """Costs, returns and lengths of what is cloned for either limit, by hand."""
    data = experiment.data
    signals = data.trajectory_costs, data.trajectory_returns, data.lengths
    return [[signal[CLONED.choose(data, limit)] for signal in signals] for limit in (4.0, 60.0)]


def test_an_error_that_a_member_makes_of_both_policies_cancels(lab):
    """The members are off by a fifth and a half of a step's cost, and agree on the difference, .02 a step."""
    experiment, paired = lab
    alone = paired.begin(always(0.1))
    estimate = paired.estimate(always(0.3))
    for i, (costs, returns, lengths) in enumerate(told_of(experiment)):
        length = lengths.mean()
        assert alone.cost[i].tolist() == pytest.approx([0.21 * length, 0.51 * length], rel=1e-4)
        assert estimate.cost[i].item() == pytest.approx(costs.mean() + 0.02 * length, rel=1e-4)
        assert estimate.cost_std[i].item() == pytest.approx(costs.std(), abs=1e-3)
        assert estimate.reward[i].item() == pytest.approx(returns.mean() + 0.2 * length, rel=1e-3)
        assert estimate.length[i].item() == pytest.approx(length)
    assert told_of(experiment)[1][0].std() > 1
    assert not torch.allclose(estimate.cost[0], estimate.cost[1])


def test_falls_that_short_roll_outs_hardly_see_end_the_return(lab):
    """Whole episodes of 1000 steps last (1 - q^1000) / (1 - q) with q = .999, in the place of 1000."""
    experiment, paired = lab
    paired.begin(always(0.1))
    estimate = paired.estimate(always(0.3, 0.1))
    share = (1 - 0.999**1000) / 0.001 / 1000
    for i, (costs, returns, lengths) in enumerate(told_of(experiment)):
        assert estimate.length[i].item() == pytest.approx(share * lengths.mean(), rel=1e-3)
        assert estimate.reward[i].item() == pytest.approx(share * (returns.mean() + 0.2 * lengths.mean()), rel=1e-3)
        assert estimate.cost[i].item() == pytest.approx(costs.mean() + 0.02 * lengths.mean(), rel=1e-3)
    # A clone that falls as often is no reason to expect less.
    paired.begin(always(0.1, 0.1))
    again = paired.estimate(always(0.3, 0.1))
    assert again.length.tolist() == pytest.approx([lengths.mean() for *_, lengths in told_of(experiment)])
    # One that does not fall, where the clone does within 100 steps, lasts as long as an episode can, and no longer.
    paired.known = paired.known._replace(lengths=torch.full((2,), 900.0))
    paired.begin(always(0.1, 1))
    assert paired.estimate(always(0.3)).length.tolist() == [1000, 1000]


def test_of_the_clone_itself_it_says_what_the_data_say(lab):
    _, paired = lab
    paired.begin(always(0.1, 0.05))
    for members in ("training", "held_out", "all"):
        estimate = paired.read(paired.rollout(always(0.1, 0.05)), members)
        torch.testing.assert_close(estimate.cost, paired.known.costs)
        torch.testing.assert_close(estimate.reward, paired.known.returns)
        torch.testing.assert_close(estimate.length, paired.known.lengths)
        torch.testing.assert_close(estimate.cost_std, paired.known.spread)
    everyone = paired.read(paired.rollout(always(0.1, 0.05)), "all")
    assert (everyone.cost_high - everyone.cost)[1].item() == pytest.approx(1.959964 * paired.known.spread[1].item())


def test_members_that_differ_about_the_difference_widen_the_interval(lab, monkeypatch):
    """Member 1 thinks the actions twice as dear as member 0."""
    experiment, paired = lab

    def predict(observations, actions):
        first = actions[..., 0]
        return Prediction(torch.zeros_like(observations), first, OFF * first, torch.zeros_like(first))

    monkeypatch.setattr(paired.ensemble.models, "predict", predict)
    paired.begin(always(0.1))
    outcomes = paired.rollout(always(0.3))
    found = (outcomes.cost - paired.known.costs.unsqueeze(1))[0]
    length = told_of(experiment)[0][2].mean()
    assert found.tolist() == pytest.approx([0.04 * length, 0.1 * length], rel=1e-3)
    steering, judging, everyone = (paired.read(outcomes, v) for v in ("training", "held_out", "all"))
    assert (judging.cost - steering.cost)[0].item() == pytest.approx(0.06 * length, rel=1e-3)
    assert torch.equal(paired.estimate(always(0.3)).cost, judging.cost)
    assert everyone.cost_std[0].item() == pytest.approx(
        np.hypot(0.03 * length, paired.known.spread[0].item()), rel=1e-3
    )


def test_a_checkpoint_holds_what_was_foretold_of_the_clone(build):
    """Without it a resumed run, or an evaluation, would compare with nothing."""
    experiment = build("--seeds", "1", "--cost-limits", "4", *PAIRED)
    method = experiment.method
    assert not experiment.tensors()["clone_prediction"].any()
    method.gate.begin()
    assert experiment.tensors()["clone_prediction"].all()
    again = build("--seeds", "1", "--cost-limits", "4", *PAIRED)
    with torch.no_grad():
        for name, tensor in again.tensors().items():
            tensor.copy_(experiment.tensors()[name])
    act = always(0.2)
    for ours, theirs in zip(method.estimator.estimate(act), again.method.estimator.estimate(act), strict=True):
        assert torch.equal(ours, theirs)


def test_pairs_are_asked_wherever_the_data_say_what_the_clone_costs(build):
    method = build("--seeds", "1", "--cost-limits", "4").method
    assert method.estimator is method.gate.paired is not None


@pytest.mark.parametrize(
    "words",
    [
        ("--gate.estimator", "episode"),
        ("--clone.trajectories", "all"),
        ("--clone.trajectories", "safe"),
        ("--gate.kind", "ucb", "--gate.select", "last"),
    ],
)
def test_whole_episodes_foretell_elsewhere(build, words):
    method = build("--seeds", "1", "--cost-limits", "4", *words).method
    assert method.estimator is method.gate.dynamics
    assert "clone_prediction" not in method.tensors()


@pytest.mark.parametrize("words", [("--clone.trajectories", "all"), ("--gate.kind", "ucb", "--gate.select", "last")])
def test_pairs_are_refused_where_nothing_is_known_of_the_clone_or_nothing_asks(build, words):
    with pytest.raises(InputError, match=r"--gate\.estimator paired: accepted with --clone\.trajectories best"):
        build("--seeds", "1", "--cost-limits", "4", *PAIRED, *words)


def outcomes(cost: tuple[float, ...], reward: tuple[float, ...]) -> Outcomes:
    """What two members foretell of one replica's policy, by itself."""
    return Outcomes(torch.tensor([cost]), torch.tensor([reward]), torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))


def test_the_gate_follows_the_steering_member_and_keeps_what_both_take_for_better_than_the_clone(build, monkeypatch):
    """Costs and returns beyond the clone's, of which the members by themselves say 300 and 100, 500 and 700."""
    words = ("--gate.max-model-error", "1e9", "--gate.k", "0", "--gate.min-length-ratio", "0", *PAIRED)
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

    def alone(act):
        (first, second), (here, there) = next(seen)
        return outcomes((300.0 + first, 500.0 + second), (100.0 + here, 700.0 + there))

    monkeypatch.setattr(gate.paired, "_alone", alone)
    gate.begin()
    kept = []
    for step, ((steering, judging), _) in enumerate(beyond):
        gate.actor.ema.fill_(float(step))
        metrics = gate.evaluate_policy(step)
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
    experiment = build("--cost-limits", "60", "--gate.max-model-error", "0.2", "--gate.min-length-ratio", "0", *PAIRED)
    gate, data = experiment.method.gate, experiment.data
    cost, reward = [[float(told)] * 2 for told in (gate.known.costs, gate.known.returns)]
    cost[half] += off_cost * 1000 * float(data.costs.max())
    reward[half] += off_return * float(np.ptp(data.trajectory_returns))
    monkeypatch.setattr(gate.paired, "_alone", lambda act: outcomes(tuple(cost), tuple(reward)))
    gate.begin()
    assert gate.trusted.tolist() == [trusted]

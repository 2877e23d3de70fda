"""deep.ope.paired_rollouts: the data's cost of the clone, plus the members' predictions of the difference."""

import numpy as np
import pytest
import torch

from deep.data.selection import Selection, trajectory_stats
from deep.ope.dynamics import Prediction
from deep.ope.model_rollouts import Outcomes
from deep.ope.paired_rollouts import PairedRollouts
from deep.ope.short_rollouts import ShortConfig
from tests.support.lighter import unchecked
from theory.support.errors import InputError

OFF = torch.tensor([0.2, 0.5]).unsqueeze(1)
"""The errors of the two members in the cost of a step."""

CLONED = Selection("safe")
"""In the small data the best consistent trajectories cost the same, so that their costs have no spread."""

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
    cloned = trajectory_stats(problem.data, problem.replay, CLONED.per_replica(problem.data, problem.replica_limits), 2)
    return experiment, PairedRollouts(ShortConfig(steps=7, states=5), ensemble, cloned)


def always(first: float, second: float = 0.0):
    action = torch.tensor([first, second, 0.0])
    return lambda observations: action.expand(*observations.shape[:2], 3)


def clone_signals(experiment):
    """Costs, returns and lengths of the cloned trajectories for either limit, by hand."""
    data = experiment.data
    signals = data.trajectory_costs, data.trajectory_returns, data.lengths
    return [[signal[CLONED.choose(data, limit)] for signal in signals] for limit in (4.0, 60.0)]


def test_an_error_that_a_member_makes_of_both_policies_cancels(lab):
    """The members are off by a fifth and a half of a step's cost, and agree on the difference, .02 a step."""
    experiment, paired = lab
    absolute = paired.set_clone(always(0.1))
    estimate = paired.estimate(always(0.3))
    for i, (costs, returns, lengths) in enumerate(clone_signals(experiment)):
        length = lengths.mean()
        assert absolute.cost[i].tolist() == pytest.approx([0.21 * length, 0.51 * length], rel=1e-4)
        assert estimate.cost[i].item() == pytest.approx(costs.mean() + 0.02 * length, rel=1e-4)
        assert estimate.cost_std[i].item() == pytest.approx(costs.std(), abs=1e-3)
        assert estimate.reward[i].item() == pytest.approx(returns.mean() + 0.2 * length, rel=1e-3)
        assert estimate.length[i].item() == pytest.approx(length)
    assert clone_signals(experiment)[1][0].std() > 1
    assert not torch.allclose(estimate.cost[0], estimate.cost[1])


@unchecked()
def test_terminals_that_short_rollouts_hardly_reach_shorten_the_return(lab):
    """Whole episodes of 1000 steps last (1 - q^1000) / (1 - q) with q = .999, in the place of 1000."""
    experiment, paired = lab
    paired.set_clone(always(0.1))
    estimate = paired.estimate(always(0.3, 0.1))
    share = (1 - 0.999**1000) / 0.001 / 1000
    for i, (costs, returns, lengths) in enumerate(clone_signals(experiment)):
        assert estimate.length[i].item() == pytest.approx(share * lengths.mean(), rel=1e-3)
        assert estimate.reward[i].item() == pytest.approx(share * (returns.mean() + 0.2 * lengths.mean()), rel=1e-3)
        assert estimate.cost[i].item() == pytest.approx(costs.mean() + 0.02 * lengths.mean(), rel=1e-3)
    # A clone with the same rate of terminals has the same predicted length.
    paired.set_clone(always(0.1, 0.1))
    again = paired.estimate(always(0.3, 0.1))
    assert again.length.tolist() == pytest.approx([lengths.mean() for *_, lengths in clone_signals(experiment)])
    # No terminals, where the clone has them within 100 steps: the longest episode, and no longer.
    paired.cloned = paired.cloned._replace(lengths=torch.full((2,), 900.0))
    paired.set_clone(always(0.1, 1))
    assert paired.estimate(always(0.3)).length.tolist() == [1000, 1000]


@pytest.mark.slow
@unchecked()
def test_the_estimate_for_the_clone_is_the_datas(lab):
    _, paired = lab
    paired.set_clone(always(0.1, 0.05))
    for members in ("training", "held_out", "all"):
        estimate = paired.read(paired.rollout(always(0.1, 0.05)), members)
        torch.testing.assert_close(estimate.cost, paired.cloned.costs)
        torch.testing.assert_close(estimate.reward, paired.cloned.returns)
        torch.testing.assert_close(estimate.length, paired.cloned.lengths)
        torch.testing.assert_close(estimate.cost_std, paired.cloned.spread)
    everyone = paired.read(paired.rollout(always(0.1, 0.05)), "all")
    assert (everyone.cost_high - everyone.cost)[1].item() == pytest.approx(1.959964 * paired.cloned.spread[1].item())


def test_members_that_differ_about_the_difference_widen_the_interval(lab, monkeypatch):
    """Member 1 predicts costs 2.5 times those of member 0."""
    experiment, paired = lab

    def predict(observations, actions):
        first = actions[..., 0]
        return Prediction(torch.zeros_like(observations), first, OFF * first, torch.zeros_like(first))

    monkeypatch.setattr(paired.ensemble.models, "predict", predict)
    paired.set_clone(always(0.1))
    outcomes = paired.rollout(always(0.3))
    found = (outcomes.cost - paired.cloned.costs.unsqueeze(1))[0]
    length = clone_signals(experiment)[0][2].mean()
    assert found.tolist() == pytest.approx([0.04 * length, 0.1 * length], rel=1e-3)
    training, held_out, everyone = (paired.read(outcomes, v) for v in ("training", "held_out", "all"))
    assert (held_out.cost - training.cost)[0].item() == pytest.approx(0.06 * length, rel=1e-3)
    assert torch.equal(paired.estimate(always(0.3)).cost, held_out.cost)
    assert everyone.cost_std[0].item() == pytest.approx(
        np.hypot(0.03 * length, paired.cloned.spread[0].item()), rel=1e-3
    )


@pytest.mark.slow
@unchecked()
def test_a_checkpoint_holds_the_predictions_for_the_clone(build):
    """Without it a resumed run, or an evaluation, would compare with nothing."""
    experiment = build("--seeds", "1", "--cost-limits", "4", *PAIRED)
    method = experiment.method
    assert not experiment.tensors()["clone_prediction"].any()
    method.evaluation.start()
    assert experiment.tensors()["clone_prediction"].all()
    again = build("--seeds", "1", "--cost-limits", "4", *PAIRED)
    with torch.no_grad():
        for name, tensor in again.tensors().items():
            tensor.copy_(experiment.tensors()[name])
    act = always(0.2)
    for ours, theirs in zip(method.estimator.estimate(act), again.method.estimator.estimate(act), strict=True):
        assert torch.equal(ours, theirs)


def test_paired_rollouts_are_the_estimator_for_a_clone_of_the_best_trajectories(build):
    method = build("--seeds", "1", "--cost-limits", "4").method
    assert method.estimator is method.evaluation.paired is not None


@pytest.mark.parametrize(
    "words",
    [
        ("--gate.estimator", "episode"),
        ("--clone.trajectories", "all"),
        ("--clone.trajectories", "safe"),
        ("--gate.kind", "ucb", "--gate.select", "last"),
    ],
)
def test_whole_episodes_are_the_estimator_elsewhere(build, words):
    method = build("--seeds", "1", "--cost-limits", "4", *words).method
    assert method.estimator is method.evaluation.dynamics
    assert "clone_prediction" not in method.tensors()


@pytest.mark.parametrize("words", [("--clone.trajectories", "all"), ("--gate.kind", "ucb", "--gate.select", "last")])
def test_paired_rollouts_are_rejected_without_statistics_of_the_clone_or_without_a_use(build, words):
    with pytest.raises(InputError, match=r"--gate\.estimator paired: accepted with --clone\.trajectories best"):
        build("--seeds", "1", "--cost-limits", "4", *PAIRED, *words)


def outcomes(cost: tuple[float, ...], reward: tuple[float, ...]) -> Outcomes:
    """Two members' absolute predictions for one replica's policy."""
    return Outcomes(torch.tensor([cost]), torch.tensor([reward]), torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))


def test_the_training_member_sets_the_gate_and_both_must_predict_a_better_policy_than_the_clone(build, monkeypatch):
    """Costs and returns relative to the clone's, for which the members predict 300 and 500, 100 and 700."""
    words = ("--gate.max-model-error", "1e9", "--gate.k", "0", "--gate.min-length-ratio", "0", *PAIRED)
    experiment = build("--cost-limits", "60", *words)
    method = experiment.method
    cloned = method.selection.cloned
    room = 60 - cloned.costs.item()
    beyond = [
        ((0, 0), (0, 0)),  # the clone
        ((room + 1, 0), (50, 50)),  # one of them predicts a violation of the limit
        ((room - 1, -3), (20, 30)),  # better
        ((-3, room - 1), (40, 10)),  # one predicts less return than at the last evaluation
        ((room - 1, room - 1), (31, 21)),  # better still
        ((-9, -9), (-1, 90)),  # one predicts less return than for the clone
    ]
    remaining = iter(beyond)  # the clone's rollouts serve for the model error and for step 0

    def absolute(act):
        (first, second), (here, there) = next(remaining)
        return outcomes((300.0 + first, 500.0 + second), (100.0 + here, 700.0 + there))

    monkeypatch.setattr(method.evaluation.paired, "absolute", absolute)
    method.evaluation.start()
    kept = []
    for step, ((training, held_out), _) in enumerate(beyond):
        method.actor.ema.fill_(float(step))
        metrics = method.evaluation.evaluate_policy(step)
        assert method.gate.cost.item() == pytest.approx(max(cloned.costs.item() + training, 0), rel=1e-5)
        assert metrics["predicted_cost"].item() == pytest.approx(max(cloned.costs.item() + held_out, 0), rel=1e-5)
        kept.append(method.selection.chosen[0, 0].item())
    assert kept == [0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(
    ("off_return", "off_cost", "trusted"), [(0.19, 0.19, True), (-0.21, 0, False), (0, 0.21, False)]
)
def test_absolute_predictions_for_the_clone_are_compared_with_the_data(
    build, monkeypatch, half, off_return, off_cost, trusted
):
    """Paired estimates agree by construction."""
    experiment = build("--cost-limits", "60", "--gate.max-model-error", "0.2", "--gate.min-length-ratio", "0", *PAIRED)
    method, data = experiment.method, experiment.data
    cloned = method.selection.cloned
    cost, reward = [[float(value)] * 2 for value in (cloned.costs, cloned.returns)]
    cost[half] += off_cost * 1000 * float(data.costs.max())
    reward[half] += off_return * float(np.ptp(data.trajectory_returns))
    monkeypatch.setattr(method.evaluation.paired, "absolute", lambda act: outcomes(tuple(cost), tuple(reward)))
    method.evaluation.start()
    assert method.selection.trusted.tolist() == [trusted]

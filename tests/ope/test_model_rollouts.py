"""deep.ope on a system with known costs, returns and lengths: the learned dynamics and their rollouts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.data.dataset import OfflineDataset
from deep.data.load import save
from deep.data.selection import Selection, rows_of
from deep.evaluate.scores import offline_costs
from deep.ope.baselines import baseline_estimators
from deep.ope.dice import Dice
from deep.ope.dynamics import DynamicsConfig, Prediction
from deep.ope.fitted_q import FittedQ
from deep.ope.interface import prediction_interval
from deep.ope.model_rollouts import DynamicsEnsemble, Outcomes
from deep.ope.nearest_trajectories import NearestBehaviour
from deep.ope.paired_rollouts import PairedRollouts
from deep.ope.short_rollouts import ShortConfig, ShortRollouts
from deep.runs.experiment import Experiment
from tests.support.lighter import short_episodes, unchecked


def trained(experiment: Experiment, members: int = 4, **options) -> DynamicsEnsemble:
    ensemble = DynamicsEnsemble(DynamicsConfig(members=members, hidden=(64,), **options), experiment.problem)
    (phase,) = ensemble.phases()
    for block in range(phase.steps // 50):
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, experiment.device)
        for k in range(50):
            phase.update(torch.tensor(float(50 * block + k)), {name: values[k] for name, values in draws.items()})
    return ensemble


def test_noise_moves_the_states_and_not_what_follows_them(build):
    """A step with noise is the plain step on states that lie beside the data's; what they lead to is the data's."""
    problem = build("--seeds", "1", "2", "--cost-limits", "4").problem
    noisy, plain = (DynamicsEnsemble(DynamicsConfig(members=2, steps=50, noise=x), problem).models for x in (0.3, 0.0))
    (phase,) = noisy.phases()
    assert "noise" not in plain.phases()[0].draws
    draws = {name: x[0] for name, x in draw_block(phase.draws, phase.seeds, phase.name, 0, 50, problem.device).items()}
    before = noisy.parameters.theta.detach().clone()
    with pytest.MonkeyPatch.context() as patch:
        batch = problem.replay.batch(problem.replay.rows(draws["row"].flatten(0, 1)))
        change = problem.replay.next_observations - problem.replay.observations
        moved = batch.observations + 0.3 * change.std(0) * draws["noise"].flatten(0, 1)
        patch.setattr(problem.replay, "batch", lambda rows: batch._replace(observations=moved))
        plain._update(torch.tensor(0.0), draws)
    noisy._update(torch.tensor(0.0), draws)
    assert not torch.equal(noisy.parameters.theta, before)
    torch.testing.assert_close(noisy.parameters.theta, plain.parameters.theta)


def constant(value: float):
    return lambda observations: torch.full((*observations.shape[:2], 3), value)


@pytest.mark.slow
@short_episodes(300)
@unchecked()
def test_estimates_tell_costly_policies_from_free_ones_and_in_episode_units(build, dataset: OfflineDataset):
    """In the small data state' = .9 state + action . push, reward = state'_1, cost = 1[state'_0 > 0] on many rows.

    Under a constant action the state settles at 10 action . push, so the true return of an episode of 300 steps is
    about 300 times its second entry.
    """
    experiment = build("--seeds", "1", "--cost-limits", "4", "9")
    data = experiment.data
    # The system's own push, by least squares: an independent route to the truth.
    rest = data.next_observations - 0.9 * data.observations
    push = torch.linalg.lstsq(torch.from_numpy(data.actions), torch.from_numpy(rest)).solution
    ensemble = trained(experiment, steps=1500, batch_size=128, learning_rate=3e-3)
    with torch.no_grad():
        ensemble.models.parameters.theta[:, -1] = -50  # the last bias: no terminal is predicted, so the state settles
    returns = {}
    for value in (-0.3, 0.3):
        estimate = ensemble.estimate(constant(value))
        returns[value] = (estimate.reward / estimate.length)[0].item()
        truth = 10 * value * push.sum(0)[1].item()
        assert returns[value] == pytest.approx(truth, abs=0.25 * abs(truth) + 0.1)
        assert estimate.cost[0] == estimate.cost[1]  # both limits have the same policy here
        assert (estimate.cost_std >= 0).all()
        assert (estimate.cost <= estimate.length + 1e-3).all()
    dearer = 0.3 if push.sum(0)[0] > 0 else -0.3
    shares = {v: (e := ensemble.estimate(constant(v))).cost[0] / e.length[0] for v in (dearer, -dearer)}
    assert shares[dearer] > shares[-dearer] + 0.3


def test_rollouts_sum_the_predictions_until_the_terminal(build, monkeypatch):
    """Models that predict no change, reward 3, a cost with probability 1/4 (member 1: 3/4), an end with 1/100."""
    experiment = build("--seeds", "1", "--cost-limits", "4")
    ensemble = experiment.dynamics

    def predict(observations, actions):
        count, batch, _ = observations.shape
        cost = torch.tensor([0.25, 0.75]).unsqueeze(1).expand(count, batch)
        full = torch.full((count, batch), 1.0)
        return Prediction(torch.zeros_like(observations), 3 * full, cost, 0.01 * full)

    monkeypatch.setattr(ensemble.models, "predict", predict)
    outcomes = ensemble.rollout(constant(0.0))
    length = (1 - 0.99**1000) / 0.01
    assert outcomes.length[0].tolist() == pytest.approx([length] * 2, rel=1e-4)
    assert outcomes.reward[0].tolist() == pytest.approx([3 * length] * 2, rel=1e-4)
    assert outcomes.cost[0].tolist() == pytest.approx([0.25 * length, 0.75 * length], rel=1e-4)
    task = experiment.task
    monkeypatch.setitem(task.__dict__, "timeout_rate", 0.02)
    length = (1 - (0.99 * 0.98) ** 1000) / (1 - 0.99 * 0.98)
    assert ensemble.rollout(constant(0.0)).length[0].tolist() == pytest.approx([length] * 2, rel=1e-4)


def test_short_rollouts_are_extrapolated_to_an_episode_at_constant_rates(build, monkeypatch):
    """The same models; and models without ends, where an episode has its whole length."""
    experiment = build("--seeds", "1", "--cost-limits", "4")
    ensemble, ends, states = experiment.dynamics, [0.01], []

    def predict(observations, actions):
        states.append(observations)
        count, batch, _ = observations.shape
        cost = torch.tensor([0.25, 0.75]).unsqueeze(1).expand(count, batch)
        full = torch.full((count, batch), 1.0)
        return Prediction(torch.zeros_like(observations), 3 * full, cost, ends[0] * full)

    monkeypatch.setattr(ensemble.models, "predict", predict)
    short = ShortRollouts(ShortConfig(steps=7, states=5), ensemble)
    estimate = short.estimate(constant(0.0))
    assert len(states) == 7
    assert states[0].shape[:2] == (2, 5)
    length = (1 - 0.99**1000) / 0.01
    assert estimate.length.item() == pytest.approx(length, rel=1e-4)
    assert estimate.reward.item() == pytest.approx(3 * length, rel=1e-4)
    assert estimate.cost.item() == pytest.approx(0.5 * length, rel=1e-4)
    assert estimate.cost_std.item() == pytest.approx(0.25 * length, rel=1e-4)
    ends[0] = 0.0
    assert short.estimate(constant(0.0)).length.item() == 1000
    monkeypatch.setitem(experiment.task.__dict__, "timeout_rate", 0.02)
    assert short.estimate(constant(0.0)).length.item() == pytest.approx((1 - 0.98**1000) / 0.02, rel=1e-4)


def test_short_rollouts_start_at_states_of_the_best_trajectories(build):
    experiment = build("--seeds", "1", "--cost-limits", "4", "60")
    starts = ShortRollouts(ShortConfig(steps=1, states=9), experiment.dynamics).starts
    chosen = Selection("best").per_replica(experiment.data, experiment.problem.replica_limits)
    for states, trajectories in zip(starts, chosen, strict=True):
        allowed = experiment.replay.observations[rows_of(experiment.data, trajectories)]
        assert all((allowed == state).all(1).any() for state in states)


@pytest.mark.parametrize(("members", "training", "held_out"), [(5, [0, 1], [2, 3, 4]), (2, [0], [1]), (1, [0], [0])])
def test_the_first_half_is_the_training_ensemble_and_the_rest_is_held_out(build, members, training, held_out):
    problem = build("--seeds", "1", "--cost-limits", "4").problem
    ensemble = DynamicsEnsemble(DynamicsConfig(members=members, hidden=(8,)), problem)
    numbers = torch.arange(1.0, members + 1).unsqueeze(0)
    outcomes = Outcomes(numbers, 10 * numbers, 100 * numbers, numbers / 10, numbers)
    estimates = (ensemble.read(outcomes, "training"), ensemble.read(outcomes, "held_out"))
    for estimate, chosen in zip(estimates, (training, held_out), strict=True):
        values = numbers[0, chosen]
        assert estimate.cost.item() == pytest.approx(values.mean().item())
        assert estimate.cost_std.item() == pytest.approx(values.std(correction=0).item())
        assert estimate.reward.item() == pytest.approx(10 * values.mean().item())
        assert estimate.length.item() == pytest.approx(100 * values.mean().item())
        assert estimate.ood_score.item() == pytest.approx(values.mean().item() / 10)


def test_the_estimate_is_by_the_held_out_ensemble(build, monkeypatch):
    ensemble = build("--seeds", "1", "--cost-limits", "4").dynamics
    outcomes = Outcomes(*torch.tensor([[[1.0, 7.0]], [[2.0, 8.0]], [[3.0, 9.0]], [[0.5, 0.7]], [[1.0, 1.0]]]))
    monkeypatch.setattr(ensemble, "rollout", lambda act: outcomes)
    estimate = ensemble.estimate(constant(0.0))
    assert [x.item() for x in (estimate.cost, estimate.reward, estimate.length)] == [7, 8, 9]


def test_the_ood_score_is_the_disagreement_within_a_half_relative_to_the_datas(build, monkeypatch):
    """Members 0, 1 (training) and 2, 3: on the data they differ by +-1 and +-2, on the rollout by +-3 and +-2."""
    experiment = build("--seeds", "1", "2", "--cost-limits", "4", "9")
    ensemble = DynamicsEnsemble(DynamicsConfig(members=4, hidden=(8,), episodes=2), experiment.problem)
    data, away = torch.tensor([-1.0, 1.0, -2.0, 2.0]), torch.tensor([-3.0, 3.0, -2.0, 2.0])

    def changes(observations, actions):
        # Between the halves lies a gap that must not count.
        by_member = data if (actions.abs() < 5).all() and actions.std() > 0 else away
        gap = torch.tensor([0.0, 0.0, 50.0, 50.0])
        return (by_member + gap).view(1, 4, 1, 1).expand(len(observations), 4, observations.shape[1], 11)

    monkeypatch.setattr(ensemble.models, "changes", changes)
    ood_score = ensemble.rollout(constant(0.5)).ood_score
    torch.testing.assert_close(ood_score, torch.tensor([3.0, 3.0, 1.0, 1.0]).expand(4, 4))


@pytest.mark.slow
@unchecked()
def test_a_policy_that_leaves_the_data_has_a_larger_ood_score(build):
    experiment = build("--seeds", "1", "--cost-limits", "4", "9")
    ensemble = trained(experiment, steps=300, batch_size=64, learning_rate=3e-3)
    near, far = (ensemble.estimate(constant(value)).ood_score[0].item() for value in (0.0, 1.0))
    assert far > 1.5 * near


def test_the_interval_has_its_nominal_coverage_of_a_further_model():
    members = 100 + 15 * torch.randn(40_000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean, std, low, high = prediction_interval(members[:, :3], 1e9)
    covered = (low <= members[:, 3]) & (members[:, 3] <= high)
    assert covered.double().mean().item() == pytest.approx(0.95, abs=0.005)
    torch.testing.assert_close(mean, members[:, :3].mean(1))
    torch.testing.assert_close(std, members[:, :3].std(1, correction=0))
    low, high = prediction_interval(torch.tensor([[0.0, 10.0]]), 20.0)[2:]
    assert (low.item(), high.item()) == (0, 20)
    assert [x.item() for x in prediction_interval(torch.tensor([[3.0]]), 20.0)] == [3, 0, 0, 20]


@pytest.mark.parametrize(("members", "mean"), [([-5.0, 50.0], 10), ([30.0, 60.0], 20), ([-40.0, -10.0], 0)])
def test_impossible_values_are_clamped_in_the_mean_and_not_in_the_spread(members, mean):
    found = [x.item() for x in prediction_interval(torch.tensor([members]), 20.0)]
    assert found == [mean, abs(members[1] - members[0]) / 2, 0, 20]


def test_a_shared_deviation_widens_the_interval_in_quadrature():
    members = torch.tensor([[90.0, 110.0, 100.0]])
    mean, std, low, high = prediction_interval(members, 1e9)
    wider = prediction_interval(members, 1e9, torch.tensor([7.0]))
    assert wider[0] == mean
    assert wider[1].item() == pytest.approx((std.item() ** 2 + 49) ** 0.5)
    half = ((high - low).item() / 2) ** 2 + (1.959964 * 7) ** 2
    assert wider[3].item() - 100 == pytest.approx(half**0.5)
    assert 100 - wider[2].item() == pytest.approx(half**0.5)


@pytest.mark.slow
@unchecked()
def test_replicas_are_rolled_out_in_their_own_seeds_models(build):
    batch = build("--seeds", "1", "2", "--cost-limits", "4", "9")
    alone = build("--seeds", "2", "--cost-limits", "9")
    together = trained(batch, steps=50, batch_size=32).estimate(constant(0.1))
    single = trained(alone, steps=50, batch_size=32).estimate(constant(0.1))
    for ours, theirs in zip(together, single, strict=True):
        torch.testing.assert_close(ours[3:4], theirs, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(together.reward[0], together.reward[3], rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["paired", "episode"])
@unchecked()
def test_results_report_the_held_out_estimate_of_the_kept_policy_and_the_baselines(build, estimator):
    experiment = build("--seeds", "1", "--cost-limits", "4", "9", "--gate.estimator", estimator)
    method = experiment.method
    assert isinstance(method.estimator, PairedRollouts if estimator == "paired" else DynamicsEnsemble)
    method.selection.chosen.add_(torch.tensor([[0.1], [-0.1]]))
    reported = offline_costs(experiment, experiment.method.act)
    estimate = method.estimator.estimate(method.act)
    baselines = {
        name: baseline.estimate(method.act).cost for name, baseline in baseline_estimators(experiment.problem).items()
    }
    kinds = {name: type(baseline) for name, baseline in baseline_estimators(experiment.problem).items()}
    assert kinds == {"fitted_q": FittedQ, "nearest": NearestBehaviour, "dice": Dice}
    for i, found in enumerate(reported):
        assert found["offline_cost_estimate"] == estimate.cost[i]
        assert found["offline_cost_std"] == estimate.cost_std[i]
        assert found["offline_cost_interval"] == (estimate.cost_low[i], estimate.cost_high[i])
        assert found["offline_return_estimate"] == estimate.reward[i]
        assert found["offline_length_estimate"] == estimate.length[i]
        assert found["offline_ood_score"] == estimate.ood_score[i]
        assert found["offline_baselines"] == pytest.approx({name: c[i].item() for name, c in baselines.items()})
    assert reported[0]["offline_return_estimate"] != reported[1]["offline_return_estimate"]
    without = build("--algorithm", "bc_all", "--cost-limits", "9")
    (found,) = offline_costs(without, without.method.act)
    assert found["offline_cost_estimate"] is None
    assert found["offline_baselines"].keys() == baselines.keys()


@short_episodes()
@unchecked()
def test_predicted_rewards_are_clamped_to_the_datas_range(build):
    """A prediction of a thousand standard deviations is clamped to the best step of the data, or the worst."""
    experiment = build("--seeds", "0", "--cost-limits", "4")
    dynamics, rewards = experiment.dynamics, experiment.data.rewards
    output = dynamics.models.parameters.theta.view(experiment.settings.dynamics.members, -1)
    reward_bias = -3  # the last layer's biases end the vector: ..., reward, cost, terminal
    for push, bound in ((1e3, rewards.max()), (-1e3, rewards.min())):
        with torch.no_grad():
            output[:, reward_bias] = push
        estimate = dynamics.estimate(experiment.method.act)
        assert estimate.reward / estimate.length == pytest.approx(bound, rel=1e-4)


def test_a_predicted_cost_has_the_size_of_the_datas(build, dataset: OfflineDataset, tmp_path):
    """Where the models predict a cost in every step, its size is that of the data's costs."""
    save(tmp_path / "dear.hdf5", replace(dataset, costs=dataset.costs * np.float32(5)))
    experiment = build("--dataset", str(tmp_path / "dear.hdf5"), "--cost-limits", "500")
    dynamics = experiment.dynamics
    with torch.no_grad():
        dynamics.models.parameters.theta[:, -2] = 1e3  # the last layer's biases end the vector: ..., cost, terminal
    outcomes = dynamics.rollout(experiment.method.act, steps=9)
    torch.testing.assert_close(outcomes.cost / outcomes.length, torch.full_like(outcomes.cost, 5.0))


@pytest.mark.slow
@unchecked()
def test_costs_of_different_size_are_predicted(build, dataset: OfflineDataset, tmp_path):
    """Every step costs .05 + (first entry of the action)^2, so policies differ in the size of their costs alone."""
    costs = np.float32(0.05) + dataset.actions[:, 0] ** 2
    save(tmp_path / "dense.hdf5", replace(dataset, costs=costs))
    experiment = build("--dataset", str(tmp_path / "dense.hdf5"), "--seeds", "1", "--cost-limits", "9")
    ensemble = trained(experiment, steps=1500, batch_size=128, learning_rate=3e-3)
    for value in (0.2, 0.5, 0.8):
        outcomes = ensemble.rollout(constant(value), steps=20)
        assert (outcomes.cost / outcomes.length).mean().item() == pytest.approx(0.05 + value**2, abs=0.08)
    with torch.no_grad():
        ensemble.models.parameters.theta[:, -1] = 1e3  # the last bias: the size of a cost
    outcomes = ensemble.rollout(constant(0.1), steps=20)
    assert (outcomes.cost / outcomes.length).max().item() == pytest.approx(float(costs.max()), rel=1e-2)


def test_no_two_models_begin_alike(build):
    theta = build("--seeds", "1", "2", "--cost-limits", "4").dynamics.models.parameters.theta
    assert len(theta.unique(dim=0)) == len(theta) == 4


def test_actions_are_clipped_as_in_the_simulator(build):
    dynamics = build("--seeds", "1", "--cost-limits", "4").dynamics
    clipped, outside = (dynamics.rollout(constant(value), steps=3) for value in (1.0, 3.0))
    assert all(map(torch.equal, clipped, outside))


def test_rollouts_start_at_start_states_of_the_data(build):
    experiment = build("--seeds", "1", "2", "--cost-limits", "4", "--dynamics.episodes", "8")
    starts, allowed = experiment.dynamics.starts, experiment.replay.observations[experiment.replay.starts]
    for states in starts:
        assert all((allowed == state).all(1).any() for state in states)
        assert len(states.unique(dim=0)) > 4
    assert not torch.equal(*starts)


def test_the_ood_score_is_the_mean_along_a_rollout(build, monkeypatch):
    """Compared in steps 0, 25 and 50: once, twice and six times the disagreement on the data."""
    experiment = build("--seeds", "1", "--cost-limits", "4")
    ensemble = DynamicsEnsemble(DynamicsConfig(members=4, hidden=(8,), episodes=2), experiment.problem)
    sizes = iter([1.0, 1.0, 2.0, 6.0])

    def changes(observations, actions):
        by_member = next(sizes) * torch.tensor([-1.0, 1.0, -1.0, 1.0])
        return by_member.view(1, 4, 1, 1).expand(len(observations), 4, observations.shape[1], 11)

    monkeypatch.setattr(ensemble.models, "changes", changes)
    with torch.no_grad():
        ensemble.models.parameters.theta[:, -1] = -1e3  # no terminal is predicted
    ood_score = ensemble.rollout(constant(0.5), steps=51).ood_score
    torch.testing.assert_close(ood_score, torch.full((1, 4), 3.0))

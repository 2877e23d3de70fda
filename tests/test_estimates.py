"""deep.estimates: the learned dynamics on a system whose costs, returns and lengths are known."""

import pytest
import torch

from deep.datasets import OfflineDataset
from deep.estimates import DynamicsConfig, DynamicsEnsemble
from deep.experiment import Experiment
from deep.randomness import draw_block


def trained(experiment: Experiment, **options) -> DynamicsEnsemble:
    ensemble = DynamicsEnsemble(DynamicsConfig(members=2, hidden=(64,), **options), experiment.problem)
    (phase,) = ensemble.phases()
    for block in range(phase.steps // 50):
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, experiment.device)
        for k in range(50):
            phase.update(torch.tensor(float(50 * block + k)), {name: values[k] for name, values in draws.items()})
    return ensemble


def constant(value: float):
    return lambda observations: torch.full((*observations.shape[:2], 3), value)


def test_estimates_tell_costly_policies_from_free_ones_and_in_episode_units(build, dataset: OfflineDataset):
    """In the small data state' = .9 state + action . push, reward = state'_1, cost = 1[state'_0 > 0] on many rows.

    Under a constant action the state settles at 10 action . push, so the true return of an episode of 1000 steps is
    about 1000 times its second entry.
    """
    experiment = build("--seeds", "1", "--cost-limits", "4", "9")
    data = experiment.data
    # The system's own push, by least squares: an independent route to the truth.
    rest = data.next_observations - 0.9 * data.observations
    push = torch.linalg.lstsq(torch.from_numpy(data.actions), torch.from_numpy(rest)).solution
    ensemble = trained(experiment, steps=1500, batch_size=128, learning_rate=3e-3)
    returns = {}
    for value in (-0.3, 0.3):
        estimate = ensemble.estimate(constant(value))
        # Data episodes end after 40 steps at the latest, so ends are foretold; divide them out.
        returns[value] = (estimate.reward / estimate.length)[0].item()
        truth = 10 * value * push.sum(0)[1].item()
        assert returns[value] == pytest.approx(truth, abs=0.25 * abs(truth) + 0.1)
        assert estimate.cost[0] == estimate.cost[1]  # both limits have the same policy here
        assert (estimate.cost_std >= 0).all()
        assert (estimate.cost <= estimate.length + 1e-3).all()
    dearer = 0.3 if push.sum(0)[0] > 0 else -0.3
    shares = {v: (e := ensemble.estimate(constant(v))).cost[0] / e.length[0] for v in (dearer, -dearer)}
    assert shares[dearer] > shares[-dearer] + 0.3


def test_rollouts_sum_what_the_models_predict_while_alive(build, monkeypatch):
    """Models that predict no change, reward 3, a cost with probability 1/4 (member 1: 3/4), an end with 1/100."""
    experiment = build("--seeds", "1", "--cost-limits", "4")
    ensemble = experiment.dynamics

    def predict(observations, actions):
        count, batch, size = observations.shape
        change = (-ensemble.change_mean / ensemble.change_std).expand(count, batch, size)
        scale = experiment.problem.reward_scale
        reward = torch.full((count, batch), 3.0) * scale
        cost = torch.tensor([0.25, 0.75]).unsqueeze(1).expand(count, batch)
        end = torch.full((count, batch), 0.01)
        return change, (reward - ensemble.reward_mean) / ensemble.reward_std, cost.logit(), end.logit()

    monkeypatch.setattr(ensemble, "_predict", predict)
    estimate = ensemble.estimate(constant(0.0))
    length = (1 - 0.99**1000) / 0.01
    assert estimate.length.item() == pytest.approx(length, rel=1e-4)
    assert estimate.reward.item() == pytest.approx(3 * length, rel=1e-4)
    assert estimate.cost.item() == pytest.approx(0.5 * length, rel=1e-4)
    assert estimate.cost_std.item() == pytest.approx(0.25 * length, rel=1e-4)


def test_replicas_are_rolled_out_in_their_own_seeds_models(build):
    company = build("--seeds", "1", "2", "--cost-limits", "4", "9")
    alone = build("--seeds", "2", "--cost-limits", "9")
    together = trained(company, steps=50, batch_size=32).estimate(constant(0.1))
    single = trained(alone, steps=50, batch_size=32).estimate(constant(0.1))
    for ours, theirs in zip(together, single, strict=True):
        torch.testing.assert_close(ours[3:4], theirs, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(together.reward[0], together.reward[3], rtol=1e-3)

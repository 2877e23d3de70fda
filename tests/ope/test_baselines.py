"""The baseline estimators of deep.ope: fitted-Q, DICE, nearest behaviour, against exact values by theory/."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from deep.data.dataset import OfflineDataset
from deep.data.load import save
from deep.ope import fitted_q
from deep.ope.baselines import baseline_estimators
from deep.ope.dice import Dice, DiceConfig, occupancy_ratio
from deep.ope.features import fourier_features
from deep.ope.fitted_q import FittedQ, FittedQConfig, fixed_point
from deep.ope.nearest_trajectories import NearestBehaviour, NearestConfig, sharpened
from tests.support.chain import ACTIONS, STATES, always, chain_data, tabular_system
from theory.cmdp.dense import FiniteCMDP
from theory.evaluation import evaluate
from theory.support.errors import InputError


@pytest.fixture(scope="module")
def tabular():
    return tabular_system()


def test_the_fixed_point_is_the_exact_q_whatever_the_datas_distribution(tabular):
    cmdp, policy, data, onward, payoffs, weights = tabular
    theta = fixed_point(data, onward, payoffs, weights.unsqueeze(0), 0.97, 0.0)[0, 0]
    exact = evaluate(cmdp, policy)
    torch.testing.assert_close(theta[:, 0], exact.Q_c[0].flatten(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(theta[:, 1], exact.Q_r[0].flatten(), rtol=1e-9, atol=1e-9)


def test_the_ratio_is_the_policys_occupancy_in_the_datas(tabular):
    cmdp, policy, data, onward, payoffs, _ = tabular
    flow = data - 0.97 * onward
    start = (1 - 0.97) * (cmdp.rho[0].unsqueeze(1) * policy[0]).reshape(1, -1)
    w = occupancy_ratio(flow, start, 1e-10, iterations=100)
    exact = evaluate(cmdp, policy)
    occupancy = (exact.d.unsqueeze(-1) * policy).flatten(1)
    torch.testing.assert_close(w / (STATES * ACTIONS), occupancy, rtol=1e-5, atol=1e-7)
    cost = (w @ payoffs[:, 0]) / len(data) / (1 - 0.97)
    torch.testing.assert_close(cost, exact.J_c, rtol=1e-5, atol=0)


def test_the_ratio_meets_the_conditions_of_optimality_where_weights_are_cut_at_zero():
    """Gradient 0 where w > 0 and >= 0 where w = 0; unknown by unknown, for problems side by side."""
    generator = torch.Generator().manual_seed(0)
    flow = torch.randn(3, 40, 6, generator=generator, dtype=torch.float64)
    start = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    strength = 0.05
    w = occupancy_ratio(flow, start, strength)
    residual = torch.einsum("rn,rnd->rd", w, flow) / 40 - start
    gradient = torch.einsum("rnd,rd->rn", flow, residual) + strength * (w - 1)
    assert (w >= 0).all()
    assert ((w == 0).sum(1) > 3).all()
    assert gradient[w > 0].abs().max() < 1e-9
    assert gradient[w == 0].min() > 0
    alone = occupancy_ratio(flow[1:2], start[1:2], strength)
    torch.testing.assert_close(alone, w[1:2], rtol=1e-10, atol=1e-10)
    heavy = occupancy_ratio(flow, start, 1e6)
    torch.testing.assert_close(heavy, torch.ones_like(heavy), atol=1e-4, rtol=0)


GAMMA = 0.999
"""1 - 1/L of HopperVel, the estimators' default."""


@pytest.fixture
def chain(build, tmp_path: Path):
    """(problem, one-hot features, policies by sign) of the chain."""

    def made(noisy_costs: bool = False):
        save(tmp_path / "chain.hdf5", chain_data(noisy_costs))
        experiment = build("--dataset", str(tmp_path / "chain.hdf5"), "--seeds", "0", "--cost-limits", "4", "9")
        replay = experiment.replay

        def features(observations, actions):
            state = (observations[..., 0] * replay.std[0] + replay.mean[0]).round().long()
            return torch.nn.functional.one_hot(2 * state + (actions[..., 0] > 0), 4).double()

        return experiment.problem, features

    return made


def exact_chain(sign: float) -> tuple[float, float, float]:
    """Discounted cost, return and length from state 0 by theory/; the third state is the end."""
    P = np.zeros((3, 2, 3))
    P[:, 0, 2] = P[2, 1, 2] = P[0, 1, 1] = P[1, 1, 0] = 1
    r, c, not_terminal = [[5, 2], [0, 0], [0, 0]], [[0, 1], [3, 0], [0, 0]], [[1, 1], [1, 1], [0, 0]]
    policy = torch.zeros(1, 3, 2, dtype=torch.float64)
    policy[..., int(sign > 0)] = 1
    found = evaluate(FiniteCMDP(P, r, c, [1, 0, 0], GAMMA, 1.0), policy)
    steps = evaluate(FiniteCMDP(P, not_terminal, c, [1, 0, 0], GAMMA, 1.0), policy)
    return found.J_c.item(), found.J_r.item(), steps.J_r.item()


ESTIMATORS = {
    "fitted_q": lambda problem, features: FittedQ(FittedQConfig(None, "start", ridge=1e-12), problem, features),
    "dice": lambda problem, features: Dice(DiceConfig(regularisation=1e-10, iterations=200), problem, features),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_episodes_of_the_chain_are_estimated_exactly(chain, name):
    problem, features = chain()
    estimate = ESTIMATORS[name](problem, features).estimate(always(0.5, -0.5))
    for i, sign in enumerate((0.5, -0.5)):
        found = [getattr(estimate, field)[i].item() for field in ("cost", "reward", "length")]
        assert found == pytest.approx(exact_chain(sign), rel=1e-3, abs=1e-3)
    # With deterministic costs nothing is uncertain.
    assert estimate.cost_std.tolist() == pytest.approx([0, 0], abs=0.5)


def test_noisy_costs_widen_the_interval_and_it_covers_the_truth(chain):
    problem, features = chain(noisy_costs=True)
    truth = exact_chain(0.5)[0] / 2
    for make_estimator in ESTIMATORS.values():
        estimate = make_estimator(problem, features).estimate(always(0.5, -0.5))
        assert estimate.cost_std[0] > 5
        assert estimate.cost_low[0] < truth < estimate.cost_high[0]
        assert estimate.cost_high[0] < 2 * truth


@pytest.mark.parametrize(("states", "expected"), [("start", 1 / (1 - 0.9**2)), ("data", None)])
def test_fitted_q_averages_over_the_configured_states_in_an_episodes_unit(chain, states, expected):
    """gamma = .9: Q_c(0, +) = 1 / (1 - .81), Q_c(1, +) = .9 Q_c(0, +), and an episode is .1 * 1000 of that."""
    problem, features = chain()
    config = FittedQConfig(gamma=0.9, states=states, ridge=1e-12)
    if expected is None:
        share = (problem.data.observations[:, 0] == 0).mean()
        expected = (share + (1 - share) * 0.9) / (1 - 0.9**2)
    estimate = FittedQ(config, problem, features).estimate(always(0.5, -0.5))
    assert estimate.cost[0].item() == pytest.approx(100 * expected, rel=1e-4)


def test_costs_stay_within_the_possible_costs_of_an_episode(chain):
    problem, features = chain()

    def one_feature(observations, actions):
        return features(observations, actions)[..., :1]  # a useless feature with finite values

    estimate = FittedQ(FittedQConfig(0.9999, "start", ridge=1e-6), problem, one_feature).estimate(always(0.5, -0.5))
    assert ((estimate.cost >= 0) & (estimate.cost_high <= 3000)).all()


def test_returns_and_lengths_stay_within_what_an_episode_can_have(chain, monkeypatch):
    """Rewards are 0 to 5: whatever the fixed point, a return of 1000 steps is 0 to 5000."""
    problem, features = chain()
    estimator = FittedQ(FittedQConfig(None, "start"), problem, features)
    for wild in (1e6, -1e6):
        monkeypatch.setattr(
            fitted_q, "fixed_point", lambda data, onward, *rest, w=wild: torch.full((2, 6, 4, 3), w).double()
        )
        estimate = estimator.estimate(always(0.5, -0.5))
        assert estimate.reward.tolist() == [5000.0 if wild > 0 else 0.0] * 2
        assert estimate.length.tolist() == [1000.0 if wild > 0 else 0.0] * 2


def test_the_ood_score_is_one_on_the_data_and_more_where_the_data_are_rare(chain):
    """DICE: E_D[w^2] / (E_D w)^2, which is 1 for equal weights; + spends half of its time in either state."""
    problem, features = chain()
    dice = Dice(DiceConfig(regularisation=1e6), problem, features)
    assert dice.estimate(always(0.5, -0.5)).ood_score.tolist() == pytest.approx([1, 1], abs=1e-3)
    free = ESTIMATORS["dice"](problem, features).estimate(always(0.5, -0.5)).ood_score
    first, going = problem.data.observations[:, 0] == 0, problem.data.actions[:, 0] > 0
    shares = [(going & (first == here)).mean() for here in (True, False)]
    assert free[0].item() == pytest.approx(sum(0.25 / share for share in shares), rel=0.02)
    assert free[1] > 10


def test_the_nearest_behaviour_is_the_cost_of_the_nearest_trajectories(chain):
    problem, _ = chain()
    data = problem.data
    going = ~data.terminals[data.ends]
    effective = 5.0
    estimate = NearestBehaviour(NearestConfig(effective, states=30), problem).estimate(always(0.5, -0.5))
    # All trajectories that never stop act like the first policy; they cost 15 each, and there are more than 5.
    assert going.sum() > effective
    assert estimate.cost[0].item() == pytest.approx(data.trajectory_costs[going].mean(), rel=1e-2)
    assert estimate.length[0].item() == pytest.approx(30, rel=1e-2)
    assert estimate.ood_score[0].item() < 0.05
    # The second policy is like those that stop at once.
    assert estimate.length[1] < 10


def test_the_nearest_behaviour_by_loops_over_trajectories(build, dataset: OfflineDataset):
    """The same from raw arrays, with a root finder for the width of the weights."""
    problem = build("--seeds", "0", "--cost-limits", "4").problem
    estimate = NearestBehaviour(NearestConfig(effective=4.0, states=7), problem).estimate(always(0.3))
    distance = []
    for start, length in zip(dataset.starts, dataset.lengths, strict=True):
        rows = [start + k * length // 7 for k in range(7)]
        distance.append(np.mean((dataset.actions[rows] - 0.3) ** 2))

    def weights(log_width: float) -> np.ndarray:
        raw = np.exp(-(np.array(distance) - min(distance)) / np.exp(log_width))
        return raw / raw.sum()

    w = weights(float(brentq(lambda x: 1 / (weights(x) ** 2).sum() - 4, -20, 5)))  # pyright: ignore[reportArgumentType]
    cost = w @ dataset.trajectory_costs
    error = np.sqrt((w**2 @ (dataset.trajectory_costs - cost) ** 2) / (1 - (w**2).sum()))
    assert estimate.cost.item() == pytest.approx(cost, rel=1e-4)
    assert estimate.reward.item() == pytest.approx(w @ dataset.trajectory_returns, rel=1e-4)
    assert estimate.cost_std.item() == pytest.approx(error, rel=1e-3)
    assert estimate.cost_high.item() == pytest.approx(cost + 2 * error, rel=1e-3)
    assert estimate.ood_score.item() == pytest.approx(w @ distance / np.mean(distance), rel=1e-4)


def test_sharpened_weights_have_the_effective_number_and_fall_with_the_distance():
    distance = torch.rand(3, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = sharpened(distance, 7.0)
    torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(
        1 / weights.square().sum(1), torch.full((3,), 7.0, dtype=torch.float64), rtol=1e-6, atol=0
    )
    order = distance.argsort(dim=1)
    assert (weights.gather(1, order).diff(dim=1) <= 0).all()


def test_fourier_features_are_a_gaussian_kernel():
    """Their inner products are 1 + the kernel exp(-|x - y|^2 / (2 scale^2 inputs)), up to the number of features."""
    features = fourier_features(5, 20_001, scale=0.8)
    x, y = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    found = (features(x[:, :3], x[:, 3:]) * features(y[:, :3], y[:, 3:]))[:, 1:].mean(1)
    kernel = torch.exp(-(x - y).square().sum(1).double() / (2 * 0.8**2 * 5))
    torch.testing.assert_close(found, kernel, atol=0.03, rtol=0)


def test_an_estimate_does_not_depend_on_the_other_replicas(chain):
    problem, features = chain(noisy_costs=True)
    estimators = [make(problem, features) for make in ESTIMATORS.values()]
    estimators.append(NearestBehaviour(NearestConfig(), problem))
    for estimator in estimators:
        one, other = estimator.estimate(always(0.5, -0.5)), estimator.estimate(always(-0.5, -0.5))
        for ours, theirs in zip(one, other, strict=True):
            torch.testing.assert_close(ours[1], theirs[1], rtol=1e-6, atol=1e-6)
        assert one.cost[0] != other.cost[0]


@pytest.mark.parametrize(
    ("kind", "config"),
    [(FittedQ, FittedQConfig(gamma=1.0)), (Dice, DiceConfig(gamma=-0.1)), (Dice, DiceConfig(regularisation=0.0))],
)
def test_impossible_settings_are_rejected(chain, kind, config):
    problem, features = chain()
    with pytest.raises(InputError, match="accepted"):
        kind(config, problem, features)


def test_an_episode_that_times_out_at_random_has_its_expected_length(chain, monkeypatch):
    """50 steps instead of 1000, and half of them cost 1: (0, +) comes first, so 1 / (1 - gamma^2) in all."""
    problem, features = chain()
    monkeypatch.setitem(problem.task.__dict__, "timeout_rate", 0.02)
    for make_estimator in ESTIMATORS.values():
        estimate = make_estimator(problem, features).estimate(always(0.5, -0.5))
        assert estimate.length[0].item() == pytest.approx(50, rel=1e-3)
        assert estimate.cost[0].item() == pytest.approx(1 / (1 - 0.98**2), rel=1e-3)
    assert FittedQ(FittedQConfig(0.9), problem, features).to_episode == pytest.approx(5)


def test_the_ood_score_of_fitted_q_is_the_members_spread_relative_to_that_at_the_datas_actions(chain):
    """Members differ in the cost of (0, +) alone: + pays it again and again, - never, the data on most rows."""
    problem, features = chain(noisy_costs=True)
    ood_score = FittedQ(FittedQConfig(ridge=1e-12), problem, features).estimate(always(0.5, -0.5)).ood_score
    assert ood_score[0].item() == pytest.approx(1 / (problem.data.actions[:, 0] > 0).mean(), rel=1e-3)
    assert ood_score[1].item() == pytest.approx(0, abs=1e-6)


def test_the_first_member_of_fitted_q_weighs_all_trajectories_equally(chain):
    problem, features = chain()
    assert (FittedQ(FittedQConfig(), problem, features).weights[0] == 1).all()


def test_a_member_of_fitted_q_draws_whole_trajectories_and_as_many_as_there_are(chain):
    """All rows of a trajectory have one weight, and the weights of the trajectories sum to their number."""
    problem, features = chain()
    estimator = FittedQ(FittedQConfig(), problem, features)
    number, count = torch.from_numpy(estimator.sample.trajectory), len(problem.data.starts)
    by_trajectory = torch.stack([estimator.weights[:, number == k].amax(1) for k in range(count)], dim=1)
    torch.testing.assert_close(estimator.weights, by_trajectory[:, number])
    assert (by_trajectory.sum(1) == count).all()
    assert (by_trajectory[1:] != 1).any(), "a negative control: resamples differ from the data"


def test_actions_are_clipped_as_in_the_simulator(build):
    """Clipped to [-1, 1]."""
    problem = build("--seeds", "0", "--cost-limits", "4", "9").problem
    for estimator in baseline_estimators(problem).values():
        estimate = estimator.estimate(always(1.0, 3.0))
        assert estimate.cost[0] == estimate.cost[1]


def test_the_ridge_draws_values_to_zero_where_data_are_rare(tabular):
    _, _, data, onward, payoffs, weights = tabular
    theta = fixed_point(data, onward, payoffs, weights.unsqueeze(0), 0.0, 0.1)[0, 0]
    torch.testing.assert_close(theta, payoffs * (weights / (weights + 0.1)).unsqueeze(1))


def test_whole_trajectories_are_divided_among_the_members_of_dice(chain):
    problem, features = chain()
    dice = Dice(DiceConfig(members=4), problem, features)
    assert torch.equal(torch.cat(dice.shares).sort().values, torch.arange(len(dice.sample.rows)))
    owners = [set(dice.sample.trajectory[share.numpy()].tolist()) for share in dice.shares]
    assert [len(owned) for owned in owners] == [15] * 4
    assert len(set.union(*owners)) == 60


def test_the_nearest_behaviour_needs_some_trajectories_to_be_left_out(build):
    """Of 12 trajectories at most 10.8 are in effect, however many are asked for."""
    problem = build("--seeds", "0", "--cost-limits", "4").problem
    most, more = (NearestBehaviour(NearestConfig(effective), problem).estimate(always(0.3)) for effective in (10.8, 99))
    assert more == most
    assert most.cost.item() != pytest.approx(problem.data.trajectory_costs.mean(), rel=1e-3)


def test_the_ridge_weighs_alike_whatever_the_number_of_members(tabular):
    _, _, data, onward, payoffs, weights = tabular
    several = torch.stack([weights, weights.flip(0), 3 * weights])
    together = fixed_point(data, onward, payoffs, several, 0.9, 0.1)
    for member, own in enumerate(several):
        alone = fixed_point(data, onward, payoffs, own.unsqueeze(0), 0.9, 0.1)
        torch.testing.assert_close(together[:, member], alone[:, 0])
    torch.testing.assert_close(together[:, 0], together[:, 2])
    assert not torch.allclose(together[:, 0], together[:, 1])

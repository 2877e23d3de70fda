"""Every replica is judged by its own cost limit and seed, on a grid of seeds x limits that no swapped axis fits."""

from itertools import product

import numpy as np
import pytest
import torch

from deep.data.selection import Selection
from deep.evaluate import scores
from deep.methods.drcorl.gate import EstimatedCost, GateConfig
from deep.methods.drcorl.policy_selection import PolicySelection
from deep.methods.drcorl.safe_adaptation import SafeAdaptation, SafeAdaptationConfig
from deep.methods.parts.critics import CriticConfig
from deep.methods.parts.iql import RewardCritic
from deep.methods.parts.twin_critics import TwinValues
from deep.nn.parameters import Adam, Parameters
from deep.ope.interface import Estimate
from theory.adaptation import Region, Slack

SEEDS, LIMITS = (3, 5, 8), (4.0, 60.0)
GRID = ("--seeds", *map(str, SEEDS), "--cost-limits", *(f"{limit:g}" for limit in LIMITS))
SAFE_DQL = "--algorithm safe_dql --hidden 8 --critics.hidden 8 --candidates 3 --batch-size 4".split()


@pytest.fixture
def problem(build):
    return build(*GRID).problem


def own_limits() -> torch.Tensor:
    return torch.tensor([limit for _, limit in product(SEEDS, LIMITS)], dtype=torch.float64)


def test_replicas_are_seed_major(problem):
    assert [tuple(replica) for replica in problem.replicas] == list(product(SEEDS, LIMITS))
    assert problem.limits.tolist() == own_limits().tolist()
    assert [SEEDS[i] for i in problem.seed_index.tolist()] == [seed for seed, _ in product(SEEDS, LIMITS)]


def test_every_replica_ascends_its_own_seeds_reward_critic(problem):
    """One critic per seed, all different: replica r has the gradient of its seed's critic alone."""
    critic = RewardCritic(CriticConfig(hidden=(8,)), problem)
    observations = torch.randn(1, 5, 11, generator=torch.Generator().manual_seed(0)).expand(6, -1, -1)
    actions = torch.zeros(6, 5, 3)
    found = critic.action_gradient(observations, actions)
    for number, (seed, _) in enumerate(problem.replicas):
        theta = critic.q.ema[SEEDS.index(seed)].unsqueeze(0)
        a = actions[:1].clone().requires_grad_(True)
        q = critic.twin.apply(theta, torch.cat([observations[:1], a], -1)).min(dim=1).values
        expected = torch.autograd.grad(q.sum(), a)[0] * critic.unit
        torch.testing.assert_close(found[number : number + 1], expected)
    assert not torch.allclose(found[0], found[2]), "negative control: seeds have different critics"


@pytest.mark.parametrize("rule", ["manipulation", "crpo", "pid"])
@pytest.mark.parametrize("turn", range(3))
def test_every_region_is_that_of_the_replicas_own_limit(problem, rule, turn):
    """Costs far below, at and far above each limit, in every order over the replicas."""
    share = torch.tensor([0.5, 1.0, 1.5, 0.5, 1.0, 1.5]).roll(turn).double()
    cost = share * own_limits()
    config = SafeAdaptationConfig(rule=rule, slack=Slack(initial=0.2, decay="constant"))
    g = torch.ones(6, 2)
    _, metrics = SafeAdaptation(config, problem, 100).direction(torch.tensor(0.0), cost, g, g, 0 * g)
    regions = torch.stack([metrics[f"share_{region.name.lower()}"] for region in Region]).argmax(0)
    middle = Region.ALIGN if rule == "manipulation" else Region.SAFE
    expected = [{0.5: Region.SAFE, 1.0: middle, 1.5: Region.UNSAFE}[x] for x in share.tolist()]
    assert regions.tolist() == [int(region) for region in expected]


def estimate(cost, ood_score=0.0, reward=1.0) -> Estimate:
    def per_replica(value) -> torch.Tensor:
        return torch.as_tensor(value, dtype=torch.float32).expand(6).clone()

    values = (cost, 0.0, 0.0, 0.0, reward, 1000.0, ood_score)
    return Estimate(*map(per_replica, values))


def test_the_gate_raises_every_cost_above_the_replicas_own_limit(problem):
    config = GateConfig(max_disagreement=1.5)
    found = EstimatedCost(config, problem).measure(estimate(0.0, ood_score=3.0))
    torch.testing.assert_close(found, own_limits() * 2, check_dtype=False)


def test_a_policy_is_selected_where_its_cost_satisfies_the_replicas_own_limit(problem):
    actor = Parameters(torch.zeros(6, 2), Adam(), ema=True)
    selection = PolicySelection(GateConfig(max_disagreement=10.0), problem, actor, None)
    selection.start()
    costs = torch.tensor([3.0, 3.0, 30.0, 30.0, 70.0, 70.0])  # within both limits, within one alone, within none
    selection.update(0, (estimate(costs), estimate(costs)))
    assert (selection.score[:, 0] >= 0).tolist() == [True, True, False, True, False, False]


def test_trajectories_are_those_within_the_replicas_own_limit(problem):
    data = problem.data
    assert len({tuple(Selection("safe").choose(data, limit)) for limit in LIMITS}) == 2, "a negative control"
    chosen = Selection("safe").per_replica(data, problem.replica_limits)
    rows = Selection("safe").rows(data, problem.replica_limits, torch.device("cpu"))
    for number, (_, limit) in enumerate(problem.replicas):
        expected = np.flatnonzero(data.trajectory_costs <= limit)
        np.testing.assert_array_equal(chosen[number], expected)
        assert int(rows.counts[number]) == int(data.lengths[expected].sum())


def test_safe_dql_compares_with_the_replicas_own_threshold(build, monkeypatch):
    method = build(*SAFE_DQL, *GRID).method
    kappa = method.kappa
    level = (kappa[0] + kappa[1]) / 2  # within the larger threshold alone
    assert kappa[1] > max(level, 1)

    def values(theta, observations, actions):
        return TwinValues(actions.sum(-1).unsqueeze(1).expand(-1, 2, -1), level.expand(6, 2, actions.shape[1]))

    monkeypatch.setattr(method.critics, "values", values)
    draws = {name: torch.zeros(6, *draw.shape) for name, draw in method.objective_draws(4).items()}
    terms = method.objective(method.actor.theta, torch.zeros(6, 4, 11), torch.zeros(6, 4, 3), draws)
    torch.testing.assert_close(terms.hinge, (level - kappa).clamp(min=0))
    torch.testing.assert_close(terms.penalty, method.multiplier / kappa.clamp(min=1))
    seen = {}
    monkeypatch.setattr(
        "deep.methods.safe_dql.safe_dql.best_of_n",
        lambda candidates, score, count: seen.update(reward=candidates.sum(-1), score=score) or candidates[:, ::count],
    )
    method.best(torch.zeros(6, 4, 11), torch.randn(6, method.chain.steps, 12, 3))
    within = (level <= kappa).unsqueeze(1)
    worse = seen["reward"].amin(1, keepdim=True) - 1 - (level - kappa).unsqueeze(1)
    torch.testing.assert_close(seen["score"], torch.where(within, seen["reward"], worse.expand(-1, 12)))


def test_scores_divide_by_the_replicas_own_limit(build, monkeypatch):
    """A skewed cost: its mean is beyond the smaller limit, its median within both."""
    experiment = build("--algorithm", "bc_all", *GRID)
    limits = experiment.problem.replica_limits
    costs = np.tile(np.array([[0.0, 0.0, 0.0, 40.0]]), (6, 1))
    played = scores.Episodes(np.zeros((6, 4)), costs, np.full((6, 4), 40))
    monkeypatch.setattr(scores, "rollout", lambda *args, **options: played)
    rows = scores.evaluate(experiment, 4)[1]
    assert [row["cost"] for row in rows] == pytest.approx([10 / limit for limit in limits])
    assert [row["safe"] for row in rows] == [limit >= 10 for limit in limits]
    assert [row["episodes_over_limit"] for row in rows] == [int(limit < 40) for limit in limits]
    assert len({row["safe"] for row in rows}) == 2, "a negative control"


@pytest.mark.parametrize(
    ("costs", "safe", "over"),
    [
        ([9, 9, 9, 9], True, 0),  # at the limit
        ([0, 0, 0, 36.1], False, 1),  # safe by the median alone
        ([12, 12, 12, 0], True, 3),  # unsafe by the median alone
        ([9 * (1 + 1e-7)] * 4, True, 0),  # a sum of float32 costs
    ],
)
def test_safe_is_the_mean_cost_within_the_limit_up_to_rounding(build, monkeypatch, costs, safe, over):
    experiment = build("--algorithm", "bc_all", "--cost-limits", "9")
    played = scores.Episodes(np.zeros((1, 4)), np.array([costs], dtype=np.float64), np.full((1, 4), 40))
    monkeypatch.setattr(scores, "rollout", lambda *args, **options: played)
    (row,) = scores.evaluate(experiment, 4)[1]
    assert (row["safe"], row["episodes_over_limit"]) == (safe, over)

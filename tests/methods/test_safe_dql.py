"""deep.methods.safe_dql.safe_dql: the terms of Eq. (1) and their signs, the twin critics, acting."""

from typing import Any

import numpy as np
import pytest
import torch

from deep.core.method import act_in_parts, at_states
from deep.core.randomness import draw_block
from deep.methods.parts.acting import SamplingPolicy, acting_noise
from deep.methods.parts.best_of_n import selection_score
from deep.methods.parts.critics import episodic_to_discounted
from deep.methods.parts.twin_critics import TwinConfig, TwinCritics, TwinValues
from deep.methods.safe_dql import safe_dql as safe_dql_module
from deep.nn.parameters import gradient
from tests.support.builders import TINY_SAFE_DQL as TINY
from theory.support.errors import InputError


def made(build, *options):
    return build(*TINY, "--cost-limits", "10", *options).method


def constant(method, *values):
    """Make the four critics constant: these discounted sums for Q_1^r, Q_2^r, Q_1^c, Q_2^c."""
    with torch.no_grad():
        for theta in (method.critics.q.theta, method.critics.q.ema):
            theta.zero_()
            theta.unflatten(1, (4, -1))[:, :, -1] = torch.tensor(values) / method.critics.unit


def drawn(method, steps=1):
    draws = draw_block(method.objective_draws(16), method.problem.replica_seeds, "test", 0, steps, torch.device("cpu"))
    return [{name: block[k] for name, block in draws.items()} for k in range(steps)]


def transitions(method):
    return method.problem.replay.batch(torch.arange(16).expand(len(method.problem.replicas), -1))


def terms(method, draws=None):
    batch = transitions(method)
    return method.objective(method.actor.theta, batch.observations, batch.actions, draws or drawn(method)[0])


def test_the_reward_bootstraps_from_the_smaller_twin_and_the_cost_from_the_larger(build):
    method = made(build)
    constant(method, 3.0, 5.0, 7.0, 2.0)
    batch = transitions(method)
    batch = batch._replace(not_terminal=torch.cat([torch.zeros(1, 8), torch.ones(1, 8)], 1))
    targets = method.critics.bellman_targets(batch, batch.actions) * method.critics.unit
    low, high = (bound * method.critics.unit for bound in method.critics.reward_bounds)
    reward = (batch.rewards + 0.99 * batch.not_terminal * 3).clamp(low, high)
    cost = batch.costs + 0.99 * batch.not_terminal * 7
    for member, expected in enumerate((reward, reward, cost, cost)):
        torch.testing.assert_close(targets[:, member], expected, rtol=1e-4, atol=1e-4)


def test_targets_stay_within_what_is_possible(build):
    method = made(build)
    constant(method, -1e6, -1e6, 1e6, 1e6)
    batch = transitions(method)
    targets = method.critics.bellman_targets(batch, batch.actions)
    low, high = method.problem.replay.rewards.min().item(), method.problem.replay.costs.max().item()
    assert targets[:, :2].min().item() == pytest.approx(low)
    assert targets[:, 2:].max().item() == pytest.approx(high)


@pytest.mark.parametrize(("rewards", "bounds"), [((-3, -1), (-3, 0)), ((1, 3), (0, 3)), ((-2, 5), (-2, 5))])
def test_a_value_may_be_zero_whatever_the_rewards(build, rewards, bounds):
    """An episode that ends has no further rewards: all negative ones do not make every value negative."""
    problem = made(build).problem
    problem.replay.rewards.copy_(torch.linspace(rewards[0], rewards[1], len(problem.replay)))
    critics = TwinCritics(TwinConfig(hidden=(4,)), problem, "critics", (0,))
    assert critics.reward_bounds == pytest.approx(bounds)


def test_critics_learn_towards_their_targets_and_the_targets_follow_slowly(build):
    method = made(build, "--critics.learning-rate", "0.02")
    batch, goal = transitions(method), torch.full((1, 4, 16), 0.5)
    before = method.critics.q.ema.clone()
    for _ in range(200):
        method.critics.learn(batch, goal)
    previous = method.critics.q.ema.clone()
    assert method.critics.learn(batch, goal)["critic_loss"].item() < 1e-3
    expected = 0.995 * previous + 0.005 * method.critics.q.theta.detach()
    torch.testing.assert_close(method.critics.q.ema, expected)
    assert not torch.equal(before, method.critics.q.ema)


@pytest.mark.parametrize(("twins", "hinge"), [((0.2, 0.9), 0.0), ((0.2, 1.5), 0.5), ((1.7, 1.2), 0.7)])
def test_the_hinge_is_the_larger_cost_beyond_kappa(build, twins, hinge):
    method = made(build)  # a limit of 10 in 1000 steps: kappa = 1
    constant(method, 4.0, 4.0, *twins)
    found = terms(method)
    assert method.kappa.tolist() == pytest.approx([1.0])
    assert found.hinge.item() == pytest.approx(hinge, abs=1e-5)
    assert found.predicted_cost.item() == pytest.approx(max(twins))


def test_the_hinge_pushes_costs_down_above_kappa_and_not_at_all_below(build):
    method = made(build)
    slopes = {}
    for kappa in (1e6, -1e6):
        method.kappa.fill_(kappa)
        found = terms(method)
        slopes[kappa] = gradient(found.hinge, method.actor, retain_graph=True)
        costs = gradient(found.predicted_cost, method.actor)
    assert not slopes[1e6].any()
    assert costs.any()
    torch.testing.assert_close(slopes[-1e6], costs)


def test_the_loss_descends_cloning_and_hinge_and_ascends_reward(build):
    method = made(build, "--penalty", "2", "--eta", "3")
    method.kappa.fill_(-4.0)
    with torch.no_grad():  # no action is clipped: a clipped one lets gradients through by their direction
        method.actor.theta.mul_(0.05)
    draws = drawn(method)[0]
    found = terms(method, draws | {"z": 0.02 * draws["z"]})
    weights = torch.autograd.grad(found.loss.sum(), [found.cloning, found.reward, found.hinge], retain_graph=True)
    assert [w.item() for w in weights] == pytest.approx([1.0, -found.eta.item(), 2.0])
    parts = [gradient(part, method.actor, retain_graph=True) for part in (found.cloning, found.reward, found.hinge)]
    total = parts[0] - found.eta * parts[1] + 2.0 * parts[2]
    torch.testing.assert_close(gradient(found.loss, method.actor), total)
    assert all(part.any() for part in parts)


@pytest.mark.parametrize(("limit", "divisor"), [(4.0, 1.0), (10.0, 1.0), (50.0, 5.0)])
def test_the_penalty_is_per_kappa_where_kappa_is_above_one(build, limit, divisor):
    method = made(build, "--cost-limits", str(limit), "--penalty", "3")
    assert terms(method).penalty.item() == pytest.approx(3 / divisor)


def test_eta_is_normalised_by_the_size_of_the_reward_values(build):
    method = made(build, "--eta", "2")
    constant(method, -4.0, -8.0, 0.0, 0.0)
    first, second = ({**drawn(method)[0], "twin": torch.tensor([u])} for u in (0.2, 0.8))
    assert (terms(method, first).reward.item(), terms(method, first).eta.item()) == pytest.approx((-4, 2 / 8))
    assert (terms(method, second).reward.item(), terms(method, second).eta.item()) == pytest.approx((-8, 2 / 4))
    method = made(build, "--eta", "2", "--twin", "min")
    constant(method, -4.0, -8.0, 0.0, 0.0)
    assert (terms(method).reward.item(), terms(method).eta.item()) == pytest.approx((-8, 2 / 8))
    assert not terms(method).eta.requires_grad


def test_eta_is_normalised_by_the_mean_size_where_signs_differ(build, monkeypatch):
    """Each replica by its own: values of +-4 and of +-2 whose means are 0."""
    method = made(build, "--eta", "2", "--cost-limits", "10", "30", "--twin", "min")

    def values(theta, observations, actions) -> TwinValues:
        signs = 1 - 2 * (torch.arange(actions.shape[1]) % 2)
        reward = signs * torch.tensor([4.0, 2.0]).view(2, 1, 1).expand(-1, 2, actions.shape[1])
        return TwinValues(reward + 0 * actions.sum(2).unsqueeze(1), torch.zeros_like(reward))

    monkeypatch.setattr(method.critics, "values", values)
    torch.testing.assert_close(terms(method).eta, torch.tensor([2 / 4, 2 / 2]))


def test_dual_ascent_raises_the_penalty_while_the_cost_is_too_high(build):
    method = made(build, "--cost-limits", "10", "30", "--dual-rate", "0.5", "--penalty", "3", "--penalty-cap", "5")
    method._ascend(torch.tensor([2.0, 2.0]))  # kappa is 1 and 3
    assert method.multiplier.tolist() == pytest.approx([3 + 0.5 * 1, 3 - 0.5 / 3])
    method._ascend(torch.tensor([1e3, -1e3]))
    assert method.multiplier.tolist() == [5, 0]


def test_dual_ascent_is_part_of_an_update_and_only_where_asked_for(build):
    for rate, moved in (("0.5", True), ("0", False)):
        method = made(build, "--dual-rate", rate)
        constant(method, 0.0, 0.0, 9.0, 9.0)
        run_update(method)
        assert (method.multiplier.item() > 1) == moved


def run_update(method):
    phase = method.phases()[-1]
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, torch.device("cpu"))
    phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})


def test_the_policys_average_follows_it(build):
    method = made(build, "--ema-rate", "0.25")
    before = method.actor.ema.clone()
    run_update(method)
    expected = 0.75 * before + 0.25 * method.actor.theta.detach()
    torch.testing.assert_close(method.actor.ema, expected)
    assert not torch.equal(before, method.actor.ema)


def test_the_policys_gradient_is_clipped_and_the_averaged_policy_bootstraps(build, monkeypatch):
    method = made(build, "--clip", "0.5")
    assert method.actor.config.clip == 0.5
    used = []
    sample = method.policy.sample
    monkeypatch.setattr(method.policy, "sample", lambda theta, *rest: used.append(theta) or sample(theta, *rest))
    run_update(method)
    assert used[0] is method.actor.ema
    assert used[1] is method.actor.theta


def test_improvement_starts_from_the_seeds_behaviour(build):
    method = build(*TINY, "--seeds", "1", "2", "--cost-limits", "4", "9").method
    for parameters in (method.behaviour, method.behaviour_critics.q):
        with torch.no_grad():
            parameters.theta.add_(torch.randn(parameters.theta.shape, generator=torch.Generator().manual_seed(3)))
    method.phases()[-1].on_start()
    assert torch.equal(method.actor.theta, method.behaviour.theta[[0, 0, 1, 1]])
    assert torch.equal(method.critics.q.theta, method.behaviour_critics.q.theta[[0, 0, 1, 1]])


def test_the_best_candidate_is_the_safe_one_of_most_reward_or_the_cheapest():
    reward = torch.tensor([[1.0, 5.0, 3.0], [1.0, 5.0, 3.0], [-9.0, 5.0, 3.0]])
    cost = torch.tensor([[0.0, 9.0, 2.0], [3.0, 9.0, 4.0], [2.0, 9.0, 4.0]])
    assert selection_score(reward, cost, torch.full((3,), 2.0)).argmax(1).tolist() == [2, 0, 0]


def test_acting_chooses_among_its_own_samples_and_can_be_repeated(build):
    experiment = build(*TINY, "--seeds", "1", "2", "--cost-limits", "4", "9", "--candidates", "6")
    method: Any = experiment.method
    assert tuple(method.policies()) == ("best-of-n", "sample")
    observations = experiment.replay.observations[:5].expand(4, -1, -1)
    policy = method.policies()["best-of-n"]
    start = policy.start(5)
    first, state = policy.act(start, observations)
    second, _ = policy.act(state, observations)
    assert torch.equal(first, policy.act(start, observations)[0]), "acting changes nothing but what it returns"
    assert torch.equal(second, policy.act(state, observations)[0])
    assert not torch.equal(first, second)
    # Every chosen action is one of that observation's candidates, and none of them has a better score.
    z = draw_block(method.objective_draws(30), method.problem.replica_seeds, "t", 0, 1, torch.device("cpu"))["z"][0]
    candidates = method.sample(observations.repeat_interleave(6, 1), z).unflatten(1, (5, 6))
    chosen = method.best(observations, z)
    assert ((candidates - chosen.unsqueeze(2)).abs().amax(-1) < 1e-6).any(2).all()
    for k in range(6):
        other, best = (method.predict(observations, a) for a in (candidates[:, :, k], chosen))
        scores = [
            (v.greatest_cost <= method.kappa.unsqueeze(1), v.least_reward, v.greatest_cost) for v in (other, best)
        ]
        (safe, reward, cost), (safe_best, reward_best, cost_best) = scores
        assert (safe_best | ~safe).all()
        assert (~safe | (reward_best >= reward - 1e-4)).all()
        assert (safe_best | (cost_best <= cost + 1e-4)).all()
    assert tuple(build(*TINY, "--action-selection", "sample").method.policies()) == ("sample", "best-of-n")


@pytest.mark.parametrize("choice", ["best-of-n", "sample"])
def test_a_split_of_the_batch_changes_no_bit_of_the_noise(build, monkeypatch, choice):
    """Estimators query 25 000 states; 50 samples at each of them for 9 replicas took 24 GB."""
    method: Any = build(*TINY, "--seeds", "1", "2", "--cost-limits", "4").method
    observations = method.problem.replay.observations[:7].expand(2, -1, -1)
    policy = method.policies()[choice]
    whole, state = act_in_parts(policy, policy.start(7), observations)
    inner, sizes, noise = policy.choose, [], []
    count = 3 if choice == "best-of-n" else 1

    def seen(states, z):
        sizes.append(states.shape[1])
        noise.append(z)
        return inner(states, z)

    monkeypatch.setattr(policy, "choose", seen)
    policy.act(policy.start(7), observations)
    monkeypatch.setattr(SamplingPolicy, "max_batch", 3)
    parts, state_of_parts = act_in_parts(policy, policy.start(7), observations)
    assert sizes == [7, 3, 3, 1]
    assert torch.equal(torch.cat(noise[1:], 2), noise[0])
    assert noise[0].shape[2] == 7 * count
    torch.testing.assert_close(parts, whole)
    assert all(map(torch.equal, state, state_of_parts))
    torch.testing.assert_close(at_states(policy)(observations), whole)


def test_acting_noise_follows_from_seed_episode_and_step_alone(build):
    method: Any = build(*TINY, "--seeds", "1", "2", "--cost-limits", "4", "9").method
    policy, shape, cpu = method.policies()["sample"], (2, 5, 3), torch.device("cpu")
    start = policy.start(600)

    def noise(seeds, state):  # (replicas, episodes, samples, steps, entries)
        return acting_noise(seeds, state, shape, cpu).transpose(1, 2).unflatten(1, (-1, 2))

    whole = noise((1, 1, 2, 2), start)
    assert torch.equal(whole[0], whole[1])
    assert not torch.equal(whole[0], whole[2])
    alone = noise((2,), type(start)(*(x[2:3] for x in start)))
    assert torch.equal(alone[0], whole[2]), "the other replicas do not matter"
    picked = torch.tensor([599, 3, 511, 512])
    some = noise((1, 1, 2, 2), type(start)(*(x[:, picked] for x in start)))
    assert torch.equal(some, whole[:, picked]), "the other episodes in flight do not matter"
    ahead = start._replace(step=(torch.arange(600) % 2).expand(4, -1))  # rows may be at different steps
    mixed = noise((1, 1, 2, 2), ahead)
    assert torch.equal(mixed[:, ::2], whole[:, ::2])
    assert not torch.equal(mixed[:, 1::2], whole[:, 1::2])
    assert len(whole[0].flatten(1).unique(dim=0)) == 600, "every episode has noise of its own"


# Thresholds -----------------------------------------------------------------------------------------------------------


def test_the_cut_conversion_is_the_mean_over_an_episodes_steps():
    gamma, length, rate = 0.9, 30, 0.2
    values = [rate * sum(gamma**j for j in range(left)) for left in range(1, length + 1)]
    assert episodic_to_discounted(rate * length, gamma, length, "cut") == pytest.approx(np.mean(values))


def test_kappa_is_the_limit_converted(build):
    for how, factor in (("data", 1), ("start", 1 - 0.99**1000), ("cut", 1 - 0.99 * (1 - 0.99**1000) / 10)):
        method = build(*TINY, "--cost-limits", "10", "30", "--kappa", how).method
        assert method.kappa.tolist() == pytest.approx([factor, 3 * factor])


# A bandit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--eta", "-1"], ["--penalty", "200"], ["--candidates", "0"], ["--chain", "0"]])
def test_numbers_that_make_no_sense_are_refused(build, words):
    with pytest.raises(InputError, match="accepted"):
        build(*TINY, *words)


def test_a_replica_is_exported_with_its_own_threshold_policy_and_critics(build, monkeypatch):
    method = made(build, "--seeds", "1", "2", "--cost-limits", "10", "30")
    for tensor in (method.actor.ema, method.critics.q.ema):
        tensor.add_(torch.arange(4.0).unsqueeze(1))
    seen, best_of = [], safe_dql_module.best_of
    monkeypatch.setattr(safe_dql_module, "best_of", lambda *given: seen.append(given) or best_of(*given))
    for replica in range(4):
        method.exportable(replica)
    for replica, (count, policy, theta, critics, q, kappa) in enumerate(seen):
        assert (count, policy, critics) == (method.config.candidates, method.policy, method.critics)
        assert torch.equal(theta, method.actor.ema[replica])
        assert torch.equal(q, method.critics.q.ema[replica])
        assert kappa == pytest.approx((1.0, 3.0)[replica % 2])

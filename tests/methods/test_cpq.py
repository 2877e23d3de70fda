"""deep.methods.actor_critic.cpq: the masked backup, the push of unseen actions, the policy's loss, a known optimum."""

import numpy as np
import pytest
import torch

from deep.methods.actor_critic.cpq import quantile
from deep.methods.parts.twin_critics import TwinValues
from deep.nn.parameters import gradient
from tests.support.constant_critics import constant, draws_of, update
from tests.support.lighter import unchecked
from tests.support.ramp import first_entries, trained
from theory.support.errors import InputError

TINY = """--algorithm cpq --vae.hidden 16 --critics.hidden 16 --hidden 16 --batch-size 16 --samples 3
--cost-limits 10""".split()


def unseen_share(method) -> float:
    """The share of states with unseen actions in the first update."""
    draws = draws_of(method)
    batch = method.problem.replay.batch(method.problem.replay.rows(draws["row"]))
    share = method.unseen_cost(batch.observations, batch.actions, draws["ood_z"], draws["ood_choice"])[1].item()
    assert 0 < share < 1
    return share


def values(reward, cost):
    return TwinValues(*(torch.tensor([[x, y]]) for x, y in (reward, cost)))


@pytest.mark.parametrize(
    ("variant", "costs", "kept"),
    [("corrected", (0.5, 0.9), 1), ("corrected", (0.5, 1.1), 0), ("public", (0.5, 1.1), 1), ("public", (1.2, 1.1), 0)],
)
def test_the_backup_of_an_unsafe_next_action_is_the_reward_alone(build, monkeypatch, variant, costs, kept):
    method = build(*TINY, "--variant", variant).method  # kappa = 1
    constant(method.critics, 3.0, 5.0, *costs)
    method.critics.reward_bounds = method.critics.cost_bounds = (-1e9, 1e9)
    seen = []
    monkeypatch.setattr(method.critics, "learn", lambda batch, targets, push: seen.append(targets) or {})
    draws = draws_of(method)
    rows = method.problem.replay.rows(draws["row"])
    batch = method.problem.replay.batch(rows)
    update(method)
    (targets,) = (x * method.critics.unit for x in seen)
    inside = method.targets.not_ended[rows] > 0
    expected = batch.rewards + 0.99 * 3 * kept
    torch.testing.assert_close(targets[:, 0][inside], expected[inside])
    judged = max(costs) if variant == "corrected" else min(costs)
    torch.testing.assert_close(targets[:, 2][inside], (batch.costs + 0.99 * judged)[inside])
    if not kept:
        assert not torch.allclose(targets[:, 0], (batch.rewards + 0.99 * 3), atol=1e-3)


@pytest.mark.parametrize(("variant", "pushed"), [("corrected", True), ("public", False)])
def test_the_push_raises_the_cost_critics_and_in_public_has_no_gradient(build, monkeypatch, variant, pushed):
    method = build(*TINY, "--variant", variant, "--quantile", "0.3").method
    seen = []

    def learn(batch, targets, push):
        seen.append(torch.autograd.grad(push.sum(), method.critics.q.theta)[0] if push.requires_grad else None)
        return {}

    monkeypatch.setattr(method.critics, "learn", learn)
    share = unseen_share(method) if pushed else 1.0
    update(method)
    (slope,) = seen
    if not pushed:
        assert slope is None
        return
    last_biases = slope.unflatten(1, (4, -1))[0, :, -1]
    # d/db of -alpha share mean_ood Q / unit^2 with Q = unit (... + b): alpha = 1 at the start.
    assert last_biases.tolist() == pytest.approx([0, 0, *[-share / method.critics.unit] * 2])


def test_unseen_actions_are_those_beyond_the_datas_quantile_and_one_of_each_state_counts(build, monkeypatch):
    method = build(*TINY).method
    states, actions = method.problem.replay.observations[None, :16], method.problem.replay.actions[None, :16]
    z, choice = draws_of(method)["ood_z"], torch.arange(48.0)[None] / 48  # the last one of a state
    monkeypatch.setattr(method.vae, "kl_shared", lambda s, a: torch.arange(16.0)[None])  # the .99 quantile is 15
    monkeypatch.setattr(method.vae, "kl", lambda s, a: torch.arange(48.0)[None])
    costs = torch.stack([torch.arange(48.0), 2 * torch.arange(48.0)])[None]
    numbers = torch.arange(48.0)[None, :, None].expand(-1, -1, 3)
    monkeypatch.setattr(method.policy.__class__, "sample", lambda policy, theta, s, z: numbers)
    monkeypatch.setattr(method.critics, "costs", lambda theta, s, a: torch.stack([a[..., 0], 2 * a[..., 0]], 1))
    found, share = method.unseen_cost(states, actions, z, choice)
    assert found.tolist() == [[32.0, 64.0]]  # the mean of 17, 20 ... 47
    assert share.item() == 11 / 16
    monkeypatch.setattr(method.vae, "kl", lambda s, a: torch.full((1, 48), -1.0))
    assert method.unseen_cost(states, actions, z, choice)[1].item() == 0, "none"
    method = build(*TINY, "--variant", "public").method
    monkeypatch.setattr(method.vae, "kl", lambda s, a: torch.arange(48.0)[None])
    monkeypatch.setattr(method.critics, "costs", lambda theta, s, a: costs)
    expected = sum(range(36, 48)) / 48
    found, share = method.unseen_cost(states, actions, z, choice)
    assert found.tolist() == [[expected, 2 * expected]]
    assert share.item() == 1


def test_public_code_looks_at_actions_before_tanh(build, monkeypatch):
    for variant, bounded in (("corrected", True), ("public", False)):
        method = build(*TINY, "--variant", variant).method
        with torch.no_grad():
            method.actor.theta.mul_(30)
        seen = []
        monkeypatch.setattr(method.vae, "kl", lambda s, a, seen=seen: seen.append(a) or torch.zeros(a.shape[:2]))
        monkeypatch.setattr(method.vae, "kl_shared", lambda s, a: torch.zeros(a.shape[:2]))
        batch = method.problem.replay.batch(torch.arange(16)[None])
        draws = draws_of(method)
        method.unseen_cost(batch.observations, batch.actions, draws["ood_z"], draws["ood_choice"])
        assert (seen[0].abs().max().item() <= 1) == bounded


def test_alpha_rises_while_unseen_actions_look_cheap_and_falls_above(build):
    for cost, sign in ((0.5, 1), (9.0, -1)):
        method = build(*TINY, "--quantile", "0.3", "--alpha-rate", "0.1").method
        constant(method.critics, 0.0, 0.0, cost, cost)
        share = unseen_share(method)
        update(method)
        assert method.alpha.log.item() == pytest.approx(0.1 * share * (1.5 - cost), rel=1e-4)
        assert method.alpha.log.item() * sign > 0


def test_the_policy_ascends_the_reward_where_it_is_safe_and_descends_the_cost_elsewhere(build):
    for variant, hinge in (("corrected", 1.0), ("public", 0.0)):
        method = build(*TINY, "--variant", variant).method
        reward = torch.tensor([[[3.0, 2.0], [4.0, 9.0]]], requires_grad=True)
        cost = torch.tensor([[[0.5, 4.0], [0.2, 5.0]]], requires_grad=True)  # the first action is safe
        loss, found = method.actor_loss(TwinValues(reward, cost))
        judged = 5.0 if variant == "corrected" else 4.0
        assert loss.item() == pytest.approx((-3.0 + hinge * (judged - 1)) / 2)
        assert found["unsafe_share"].item() == 0.5
        slope_r, slope_c = torch.autograd.grad(loss.sum(), [reward, cost])
        assert slope_r.tolist() == [[[-0.5, 0], [0, 0]]], "the smaller reward critic, of the safe action alone"
        assert slope_c[0, :, 0].tolist() == [0, 0], "the mask has no gradient"
        assert slope_c[0, :, 1].sum().item() == hinge / 2


def test_the_critics_learn_the_pushed_loss(build):
    """Squared errors and push as one loss: the gradient that the optimiser gets is the sum of both."""
    method = build(*TINY).method
    batch = method.problem.replay.batch(torch.arange(16)[None])
    q = method.critics.q
    targets, seen = torch.zeros(1, 4, 16), []
    q.adam_step = lambda slope, *_: seen.append(slope)
    push = q.theta.square().sum(1)
    expected = gradient(push, q, retain_graph=True)
    method.critics.learn(batch, targets)
    method.critics.learn(batch, targets, push)
    torch.testing.assert_close(seen[1] - seen[0], expected, rtol=1e-3, atol=1e-5)


def test_the_quantile_has_this_share_of_the_row_below_it():
    rows = torch.stack([torch.arange(100.0).flip(0), torch.zeros(100)])
    assert quantile(rows, 0.99).tolist() == [[99.0], [0.0]]
    assert quantile(rows, 0.3).tolist() == [[30.0], [0.0]]


def test_samples_stay_near_the_mean_that_acts_and_in_public_code_need_not(build):
    for variant, largest in (("corrected", 0.2), ("public", np.exp(2))):
        method = build(*TINY, "--variant", variant).method
        with torch.no_grad():
            method.actor.theta.mul_(100)
        _, log_std = method.policy.distribution(method.actor.theta, method.problem.replay.observations[None, :256])
        assert log_std.exp().max().item() == pytest.approx(largest, rel=1e-4)


def test_the_policys_average_acts_and_in_public_code_the_policy(build):
    for variant, follows in (("corrected", False), ("public", True)):
        method = build(*TINY, "--variant", variant).method
        method.kappa.fill_(1e6)  # every action is safe: public code has no gradient elsewhere
        before, observations = method.actor.theta.detach().clone(), method.problem.replay.observations[None, :4]
        update(method)
        now = method.policy.mean_action(method.actor.theta, observations)
        assert not torch.equal(before, method.actor.theta)
        assert torch.equal(method.act(observations), now) == follows


def test_wrong_options_are_one_sentence(build):
    for options in (("--quantile", "1"), ("--sample-quantile", "0"), ("--samples", "0"), ("--hinge", "-1")):
        with pytest.raises(InputError, match=options[0]):
            build(*TINY, *options)


@pytest.mark.slow
@unchecked()
def test_it_finds_the_known_optimum_of_a_bandit_within_the_limit(build, tmp_path):
    options = ("--algorithm", "cpq", "--vae.kl-weight", "0.01", "--vae.latent-bound", "2", "--samples", "3")
    method = trained(build, tmp_path, *options)
    strict, loose = (x.mean() for x in first_entries(method))
    assert 0.1 < strict <= 0.45
    assert loose > 0.8

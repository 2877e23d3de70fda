"""FISOR: feasible values on chains, the three weights, the sampler, and a bandit whose optimum is known."""

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.methods.fisor import FISOR, published_chain
from deep.methods.parts.diffusion_policy import Chain
from tests.support.lighter import unchecked
from tests.support.small_cmdps import bandit, build, learner, play_bandit, train, transitions

CRITICS = {"critics__learning_rate": 1e-2, "critics__target_rate": 0.2, "critics__regression_steps": 0}


def two_chains():
    """From state 0 every action leads over 1 to a violation in 2. From 3 one leads to 4, and there the action + to a
    violation in 5, the action - to safety in 6."""
    rows = [(0, 1, +1), (0, 1, -1), (1, 2, +1), (1, 2, -1), (2, 2, +1), (2, 2, -1)]
    rows += [(3, 4, +1), (3, 4, -1), (4, 5, +1), (4, 6, -1), (5, 5, +1), (5, 5, -1), (6, 6, +1), (6, 6, -1)]
    states, following, signs = (np.array(column) for column in zip(*rows, strict=True))
    costs = np.isin(states, (2, 5)).astype(float)
    ends = np.isin(states, (2, 5, 6))
    return transitions(states, following, signs, np.ones(len(rows)), costs, ends, ~ends)


@unchecked()
def test_a_state_is_feasible_where_a_violation_can_be_avoided():
    """At an expectile near 0. At the published .1 state 4 counts as infeasible: half of its actions are violations of
    Q_h = 22.4, and .1 (22.4 - v) = .9 (v + 1) at v = 1.3."""
    options = {"critic_steps": 400, "policy_steps": 0, "critic_batch_size": 32, "feasibility_expectile": 0.01}
    experiment = build("fisor", two_chains(), (4.0,), **options, **CRITICS)
    train(experiment)
    critics, states = learner(experiment, FISOR).critics, torch.eye(11)[None]
    feasible = critics.values(states)[0, 1]
    assert (feasible[[0, 1, 2, 5]] > 0).all(), "the violation cannot be avoided"
    assert (feasible[[3, 4, 6]] < 0).all(), "it can"
    action = torch.full((1, 11, 3), 0.5)
    risky, safe = (critics.worse_q(critics.q.ema, torch.cat([states, a], -1))[0, 1, 4] for a in (action, -action))
    assert risky > 0 > safe


def test_the_backup_by_hand():
    method = learner(build("fisor", two_chains(), (4.0,)), FISOR)
    batch = method.problem.replay.batch(torch.tensor([[0, 0, 4, 6]]))  # 4 ends
    h = torch.tensor([[-1.0, -1.0, 25.0, -1.0]])
    found = method.backup(batch, h, torch.tensor([[[0.0] * 4, [-0.5, 7.0, 9.0, -2.0]]]))[0, 1]
    assert found.tolist() == pytest.approx([-0.1 - 0.9 * 0.5, -0.1 + 0.9 * 7, 25.0, -0.1 - 0.9], rel=1e-5)


def test_the_three_weights():
    method = learner(build("fisor", two_chains(), (4.0,), reward_cap=10.0, feasibility_cap=20.0), FISOR)
    method.unit = 1.0
    q = torch.tensor([[[9.0, 0.1, 0.1, 9.0, 9.0], [-0.5, -0.5, 0.5, 1.0, 3.0]]])
    v = torch.tensor([[[0.0, 0.0, 0.0, 0.0, 0.0], [-1.0, -1.0, -1.0, 1.2, 1.0]]])
    safe_capped, safe, leaving, escaping, sinking = method.weights_of(q, v)[0].tolist()
    assert safe_capped == pytest.approx(10)
    assert safe == pytest.approx(np.exp(0.3))
    assert leaving == 0, "an unsafe action of a feasible state is never cloned"
    assert escaping == pytest.approx(np.exp(5 * 0.2), rel=1e-5), "out of danger: no reward counts"
    assert sinking == pytest.approx(np.exp(-10), rel=1e-4)
    q[0, 1, 3] = -1.0
    assert method.weights_of(q, v)[0, 3].item() == pytest.approx(20)


def test_the_feasible_value_leans_to_the_safer_actions():
    """Its expectile is below 1/2: between Q_h = -1 and 1 it lies below 0. The reward's is above 1/2."""
    critics = learner(build("fisor", two_chains(), (4.0,)), FISOR).critics
    tau = critics.expectile[:, 0].tolist()
    assert tau == pytest.approx([0.9, 0.1])
    assert critics.sign[:, 0].tolist() == [1, -1], "the lesser reward, the greater danger"


def test_the_weights_multiply_the_squared_errors():
    method = learner(build("fisor", two_chains(), (4.0,)), FISOR)
    draws = draw_block(method.phases()[1].draws, (0,), "policy", 0, 1, torch.device("cpu"))
    batch = method.problem.replay.batch(torch.arange(14)[None])
    given = (method.actor.theta, batch.observations, batch.actions, draws["t"][0, :, :14], draws["noise"][0, :, :14])
    zeros, one = torch.zeros(1, 14), torch.zeros(1, 14)
    one[0, 3] = 14.0
    assert method.policy.denoising_loss(*given, zeros).item() == 0
    plain = method.policy.denoising_loss(*(x[:, 3:4] if i else x for i, x in enumerate(given)))
    torch.testing.assert_close(method.policy.denoising_loss(*given, one), plain)
    torch.testing.assert_close(method.policy.denoising_loss(*given, zeros + 1), method.policy.denoising_loss(*given))


def test_the_weights_of_the_data_are_computed_once_for_fixed_critics(monkeypatch):
    monkeypatch.setattr("deep.methods.fisor.CHUNK", 64)
    method = learner(build("fisor", bandit(), (4.0,)), FISOR)
    replay, (_, phase) = method.problem.replay, method.phases()
    phase.on_start()
    found = method.data_weights()
    assert found.shape == (1, len(replay))
    batch = replay.batch(torch.arange(len(replay))[None])
    torch.testing.assert_close(found, method.weights(batch.observations, batch.actions))
    with torch.no_grad():
        method.critics.q.ema.add_(1)
    assert method.data_weights() is found
    phase.on_start()
    assert not torch.allclose(method.data_weights(), found), "another phase has other critics"


@pytest.mark.slow
@unchecked()
def test_a_bandit_is_played_without_any_cost():
    options = {"critic_steps": 200, "policy_steps": 300, "critic_batch_size": 64, "batch_size": 64, "candidates": 8}
    experiment = build("fisor", bandit(), (0.0, 5.0), learning_rate=1e-2, ema_rate=0.05, **options, **CRITICS)
    train(experiment)
    returns, costs = play_bandit(experiment)
    assert costs.tolist() == [0, 0]
    assert returns.tolist() == pytest.approx([2, 2])


def test_the_safest_sample_acts_and_every_limit_has_the_same_policy():
    method = learner(build("fisor", bandit(), (0.0, 5.0)), FISOR)
    observations, z = torch.eye(11)[:2].expand(2, -1, -1), torch.randn(1, 5, 2 * 4, 3).expand(2, -1, -1, -1)
    found = method.safest(observations, z)
    assert torch.equal(found[0], found[1])
    states = observations[:1].repeat_interleave(4, 1)
    candidates = method.policy.sample(method.actor.ema, states, z[:1])
    danger = method.critics.worse_q(method.critics.q.ema, torch.cat([states, candidates], -1))[0, 1].view(2, 4)
    torch.testing.assert_close(found[0], candidates[0].view(2, 4, 3)[torch.arange(2), danger.argmin(1)])


@pytest.mark.parametrize("network", ["mlp", "residual"])
@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_the_exported_policy_is_the_policy(network, variant):
    method = learner(build("fisor", bandit(), (0.0, 5.0), network=network, width=16, variant=variant), FISOR)
    method.actor.ema.add_(0.3 * torch.randn(method.actor.ema.shape, generator=torch.Generator().manual_seed(0)))
    graph = method.exportable(1)
    assert graph.act is not None
    z = torch.randn(2, *graph.noise)  # (row, candidate, step, entry)
    normals = z.flatten(0, 1).transpose(0, 1)[None].expand(2, -1, -1, -1)
    expected = method.safest(torch.eye(11)[:2].expand(2, -1, -1), normals)
    torch.testing.assert_close(graph.act(torch.eye(11)[:2], z), expected[1])


@unchecked()
def test_the_published_network_trains_with_dropout():
    method = learner(build("fisor", bandit(), (4.0,), network="residual", width=16, dropout=0.5), FISOR)
    phase = method.phases()[1]
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 2, torch.device("cpu"))
    before = method.actor.theta.detach().clone()
    first = {name: values[0] for name, values in draws.items()}
    loss = phase.update(torch.tensor(0.0), first)["policy_loss"]
    assert loss.isfinite().all()
    assert not torch.equal(before, method.actor.theta)
    dropped = phase.update(torch.tensor(0.0), first | {"dropout": draws["dropout"][1]})["policy_loss"]
    assert not torch.equal(dropped, phase.update(torch.tensor(0.0), first)["policy_loss"])


def test_the_published_sampler_adds_more_noise_and_clips_every_step():
    """By hand from one predicted noise: a chain of two steps, whose first leaves [-1, 1]."""
    chain = Chain(2)
    z = torch.tensor([[[[0.5]], [[2.0]]]])  # a_2 = .5, then a normal of 2
    predicted = 0.3
    found = published_chain(lambda noisy, t: torch.full_like(noisy, predicted), chain, z).item()
    first = chain.posterior_mean(chain.clean(0.5, predicted, 2), 0.5, 2) + chain.betas[1] ** 0.5 * 2
    assert first > 1, "clipped to 1"
    expected = chain.posterior_mean(chain.clean(1.0, predicted, 1), 1.0, 1)
    assert found == pytest.approx(min(max(expected, -1), 1), rel=1e-5)
    observations = torch.eye(11)[None].repeat(1, 8, 1)
    normals = torch.randn(1, 5, 88, 3, generator=torch.Generator().manual_seed(0))
    ours, public = (
        learner(build("fisor", bandit(), (5.0,), variant=variant), FISOR).sample(observations, normals)
        for variant in ("corrected", "public")
    )
    assert not torch.allclose(ours, public)

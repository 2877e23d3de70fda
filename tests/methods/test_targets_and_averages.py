"""Which copy of a network is read where: targets from the moving averages, policies from the averages, fresh noise."""

import pytest
import torch

from deep.core.method import at_states
from deep.core.randomness import draw_block
from deep.methods.parts import critics as critics_module
from deep.methods.parts import iql
from deep.methods.parts.critics import CostCritic, CriticConfig
from deep.methods.parts.diffusion_policy import Chain, denoise
from deep.methods.parts.iql import RewardCritic

SAFE_DQL = "--algorithm safe_dql --hidden 8 --critics.hidden 8 --candidates 3 --batch-size 4".split()
METHODS = {
    "bc_all": ["--algorithm", "bc_all"],
    "drcorl": ["--gate.select", "last", "--gate.kind", "ucb"],
    "safe_dql, best of N": SAFE_DQL,
    "safe_dql, sample": [*SAFE_DQL, "--action-selection", "sample"],
}


@pytest.fixture
def problem(build):
    return build("--seeds", "0", "1", "--cost-limits", "4").problem


def batch_of(problem):
    return problem.replay.batch(torch.arange(8).expand(2, -1))


def shake(tensor: torch.Tensor) -> None:
    with torch.no_grad():
        tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1)))


def targets(monkeypatch, module, learn) -> list[torch.Tensor]:
    """The next values in all Bellman targets, and the Q in the regression of V, of one step of learning.

    `module` is where the critic looks its losses up.
    """
    seen: list[torch.Tensor] = []
    with monkeypatch.context() as patch:
        bellman, regression = module.bellman_target, iql.iql_value_loss

        def noted(immediate, not_terminal, next_value, *rest):
            seen.append(next_value.detach().clone())
            return bellman(immediate, not_terminal, next_value, *rest)

        def noted_regression(q, values, tau):
            seen.append(q.detach().clone())
            return regression(q, values, tau)

        patch.setattr(module, "bellman_target", noted)
        patch.setattr(iql, "iql_value_loss", noted_regression)
        learn()
    return seen


@pytest.mark.parametrize("kind", ["cost", "reward"])
def test_critics_learn_from_their_averaged_copies(problem, monkeypatch, kind):
    batch = batch_of(problem)
    actions = {"here": batch.actions, "there": batch.actions}

    def learned(change: str) -> list[torch.Tensor]:
        config = CriticConfig(hidden=(8,), regression_steps=0)
        reward, cost = RewardCritic(config, problem), CostCritic(config, problem, "c", problem.seeds)
        if change:
            q = reward.q if kind == "reward" else cost.q
            shake(q.ema if change == "ema" else q.theta)
        if kind == "reward":
            return targets(monkeypatch, iql, lambda: reward.learn(torch.tensor(5.0), batch))
        return targets(monkeypatch, critics_module, lambda: cost.learn(torch.tensor(5.0), batch, actions))

    before, online, averaged = learned(""), learned("theta"), learned("ema")
    assert len(before) == (2 if kind == "reward" else 1)
    position = -1  # the regression of V on Q; the cost's only target
    torch.testing.assert_close(online[position], before[position], rtol=0, atol=0)
    assert not torch.allclose(averaged[position], before[position])


READERS = {
    "slope of the cost": ("cost", lambda cost, reward, s, a: cost.action_gradient(s, a)),
    "bound of the cost": ("cost", lambda cost, reward, s, a: cost.upper_confidence(s, a, 1.0)),
    "slope of the reward": ("reward", lambda cost, reward, s, a: reward.action_gradient(s, a)),
}


@pytest.mark.parametrize("name", READERS)
def test_policies_and_gates_read_the_averaged_critics(problem, name):
    config, batch = CriticConfig(hidden=(8,)), batch_of(problem)
    reward, cost = RewardCritic(config, problem), CostCritic(config, problem, "c", problem.seeds)
    which, read = READERS[name]
    q = {"cost": cost.q, "reward": reward.q}[which]

    def found() -> torch.Tensor:
        return read(cost, reward, batch.observations, batch.actions).clone()

    before = found()
    shake(q.theta)
    assert torch.equal(found(), before)
    shake(q.ema)
    assert not torch.allclose(found(), before)


@pytest.mark.parametrize(("step", "regresses"), [(0, True), (6, True), (7, False), (8, False)])
def test_the_first_regression_steps_and_no_others_regress_on_the_datas_sums(problem, monkeypatch, step, regresses):
    config, batch = CriticConfig(hidden=(8,), regression_steps=7), batch_of(problem)
    reward, cost = RewardCritic(config, problem), CostCritic(config, problem, "c", problem.seeds)
    actions = {"here": batch.actions, "there": batch.actions}
    for module, learn, to_go in (
        (iql, lambda s: reward.learn(s, batch), batch.reward_to_go),
        (critics_module, lambda s: cost.learn(s, batch, actions), batch.cost_to_go),
    ):
        seen: list[torch.Tensor] = []
        with monkeypatch.context() as patch:
            loss = module.td_loss
            patch.setattr(module, "td_loss", lambda q, y, loss=loss, seen=seen: seen.append(y.clone()) or loss(q, y))
            learn(torch.tensor(float(step)))
        expected = (to_go.unsqueeze(1) / reward.unit).expand_as(seen[0])
        assert torch.allclose(seen[0], expected) == regresses


def test_safe_dqls_targets_are_those_of_the_averaged_critics(build):
    method = build(*SAFE_DQL, "--cost-limits", "4").method
    batch = method.problem.replay.batch(torch.arange(8).expand(1, -1))
    before = method.critics.bellman_targets(batch, batch.actions)
    shake(method.critics.q.theta)
    assert torch.equal(method.critics.bellman_targets(batch, batch.actions), before)
    shake(method.critics.q.ema)
    assert not torch.allclose(method.critics.bellman_targets(batch, batch.actions), before)


@pytest.mark.parametrize("name", METHODS)
def test_the_evaluated_policy_is_the_average(build, name):
    method = build(*METHODS[name], "--cost-limits", "30").method
    observations = torch.randn(1, 6, 11, generator=torch.Generator().manual_seed(0))
    policy = next(iter(method.policies().values()))
    before = at_states(policy)(observations)
    shake(method.actor.theta)
    assert torch.equal(at_states(policy)(observations), before)
    shake(method.actor.ema)
    assert not torch.allclose(at_states(policy)(observations), before)


def test_every_step_of_the_chain_has_noise_of_its_own():
    """The action depends on every slice of z, each with the weight that the later steps leave of it."""
    for steps in (2, 5):
        chain = Chain(steps)
        z = torch.randn(1, steps, 3, 2, dtype=torch.float64, requires_grad=True)
        slopes = torch.autograd.grad(denoise(lambda noisy, t: 0 * noisy, chain, z).sum(), z)[0][0, :, 0, 0]
        carried = [(1 - b) ** 0.5 * (1 - (chain.alpha_bars[t - 2] if t > 1 else 1.0)) / (1 - chain.alpha_bars[t - 1])
                   + (chain.alpha_bars[t - 2] if t > 1 else 1.0) ** 0.5 * b / (1 - chain.alpha_bars[t - 1])
                   / chain.alpha_bars[t - 1] ** 0.5
                   for t, b in zip(range(1, steps + 1), chain.betas, strict=True)]  # fmt: skip
        expected = [torch.tensor(carried).prod().item()]
        for k in range(1, steps):
            ended = steps - k  # z[:, k] is added to the state of this time, the later steps carry it on
            variance = chain.posterior_variances[ended]
            expected.append(variance**0.5 * torch.tensor([1.0, *carried[:ended]]).prod().item())
        torch.testing.assert_close(slopes, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-8)


def test_the_next_action_has_noise_of_its_own(build):
    """The critics' update depends on "next_z", not on the noise of the present action."""

    def updated(changed: str) -> torch.Tensor:
        method = build(*SAFE_DQL, "--cost-limits", "4").method
        phase = method.phases()[1]
        phase.on_start()
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, torch.device("cpu"))
        draws = {name: value[0] for name, value in draws.items()}
        assert not torch.equal(draws["z"], draws["next_z"])
        if changed:
            draws[changed] = -draws[changed]
        phase.update(torch.tensor(0.0), draws)
        return method.critics.q.theta.detach()

    before = updated("")
    assert torch.equal(updated("z"), before)
    assert not torch.equal(updated("next_z"), before)


def test_steps_episodes_and_seeds_have_noise_of_their_own(build):
    method = build(*SAFE_DQL, "--seeds", "0", "1", "--cost-limits", "4").method
    seen: list[torch.Tensor] = []

    def choose(observations: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        seen.append(z)
        return observations[..., :3]

    for policy in method.policies().values():
        policy.choose = choose
        state = policy.start(3)
        for _ in range(4):
            _, state = policy.act(state, torch.zeros(2, 3, 11))
    for several in (seen[:4], seen[4:]):
        vectors = torch.stack(several).flatten(0, -2)
        assert len(torch.unique(vectors, dim=0)) == len(vectors)


def test_drcorls_critics_evaluate_the_averaged_policy(build):
    """Their targets and their pessimism have the actions of the moving average, which is what is evaluated."""
    random = torch.Generator().manual_seed(2)
    draws = {name: torch.randn(2, 8, 3, generator=random) for name in ("z", "next_z")}

    def learned(change: str) -> torch.Tensor:
        method = build("--seeds", "0", "1", "--cost-limits", "4").method
        if change:
            shake(method.actor.ema if change == "ema" else method.actor.theta)
        batch = batch_of(method.problem)
        method.values.learn(method.values.of_policy, method.actor, torch.tensor(1e6), batch, draws)
        return method.values.cost[0].q.theta.detach()

    before = learned("")
    assert torch.equal(learned("theta"), before)
    assert not torch.equal(learned("ema"), before)

"""The iterations: against a plain numpy loop, the proof's identity, the named instances and the corrected theorem."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lighter import unchecked
from tests.theory.strategies import FEW, SETTINGS, Recipe, policy_for, recipes
from theory import FiniteCMDP, bounds
from theory.adaptation import Region, Weights
from theory.cmdp.dense import concatenate
from theory.cmdp.families import make
from theory.cmdp.instances import INSTANCES, named, one_state
from theory.evaluation import Evaluation, evaluate
from theory.npg import reference
from theory.npg.algorithms import Algorithm, Config, Info, configure, init, step
from theory.npg.npg import Metric
from theory.npg.outputs import accumulate, empty, iteration_weights, outputs, run
from theory.optimum import solve

GAMMAS = (0.0, 0.3, 0.5, 0.9)


def theorem(cmdp: FiniteCMDP, steps: int, metric: Metric = Metric.ADVANTAGE) -> tuple[Config, torch.Tensor]:
    """The corrected theorem's choices for rewards and costs in [0, 1], and its R."""
    free = metric in (Metric.ADVANTAGE, Metric.Q_VECTOR)
    constant = {"pairs": cmdp.states * cmdp.actions} if free else {"max_weight": 1.0}
    K = bounds.remainder_constant(1.0, cmdp.gamma, **constant)
    kl = torch.full_like(cmdp.gamma, cmdp.actions).log()
    eta = bounds.best_eta(kl, K, steps)
    R = bounds.regret(kl, eta, K, steps)
    clip = float("inf") if free else 1.0
    config = configure(cmdp.batch, steps, eta, metric=metric, h_plus=bounds.h_plus_corrected(R, steps), max_weight=clip)
    return config, torch.as_tensor(R)


@FEW
@given(recipes(gammas=GAMMAS), st.sampled_from(["manipulation", "crpo", "primal_dual"]))
@unchecked()
def test_equals_the_plain_loop_and_each_row_equals_its_own_run(recipe: Recipe, algorithm: str) -> None:
    cmdp = recipe.make()
    config = configure(2, 30, 0.05, Algorithm[algorithm.upper()], h_plus=0.05, h_minus=0.02, dual_step=0.1)
    d_star = torch.zeros(2, cmdp.states, dtype=torch.float64)
    together = run(cmdp, config, d_star).policy
    for i in range(2):
        one = cmdp.select(i)
        alone = run(one, config.select(slice(i, i + 1)), d_star[:1]).policy[0]
        torch.testing.assert_close(alone, together[i], rtol=1e-12, atol=1e-13)
        arrays = [getattr(one, name)[0].numpy() for name in ("P", "r", "c", "rho")]
        parts = (*arrays, one.gamma.item(), one.budget.item())
        plain = reference.run(parts, algorithm, 0.05, 30, 0.05, 0.02, 0.1)
        torch.testing.assert_close(torch.from_numpy(plain), together[i], rtol=1e-8, atol=1e-8)


def test_algorithms_in_one_batch_do_not_disturb_each_other() -> None:
    cmdp = make("garnet", 3, 3, 0.8, 0.4, [1, 1, 1, 1])
    mixed = replace(configure(4, 40, 0.1, h_plus=0.1), algorithm=torch.arange(4))
    d_star = torch.zeros(4, 3, dtype=torch.float64)
    together = run(cmdp, mixed, d_star).policy
    for algorithm in Algorithm:
        alone = run(cmdp, configure(4, 40, 0.1, algorithm, h_plus=0.1), d_star).policy
        torch.testing.assert_close(alone[algorithm], together[algorithm], rtol=1e-13, atol=1e-14)
    assert float((together[0] - together[1:]).abs().amax((1, 2)).min()) > 1e-4


def test_crpo_is_manipulation_without_a_band() -> None:
    cmdp = make("dirichlet", 4, 3, 0.9, 0.4, range(5))
    d_star = torch.zeros(5, 4, dtype=torch.float64)
    slack = torch.full((5,), 0.1, dtype=torch.float64)
    crpo = run(cmdp, configure(5, 60, 0.05, Algorithm.CRPO, h_plus=slack), d_star).policy
    no_band = run(cmdp, configure(5, 60, 0.05, h_plus=slack, h_minus=-slack), d_star).policy
    torch.testing.assert_close(crpo, no_band, rtol=1e-12, atol=1e-14)


@SETTINGS
@given(recipes(gammas=(0.0, 0.3, 0.5, 0.9, 0.99)), st.integers(0, 1000), st.sampled_from(list(Metric)))
def test_the_identity_of_the_proof_and_hoeffding_s_remainder(recipe: Recipe, seed: int, metric: Metric) -> None:
    """x (V_r* - V_r) + y (V_c - V_c*) = kl_drop/eta + log_moment, for any comparator, and log_moment <= remainder."""
    cmdp = recipe.make()
    config = configure(2, 1, 0.1 * (1 - cmdp.gamma) ** 2, metric=metric, h_plus=0.3, h_minus=0.3, max_weight=3.0)
    policy, comparator = policy_for(cmdp, seed, 1.0), policy_for(cmdp, seed + 1, 1.0)
    state = init(cmdp, config, policy)
    after, info = step(cmdp, config, state)
    now, best = info.critic, evaluate(cmdp, comparator)
    x, y = info.weights.x, info.weights.y
    left = x * (best.J_r - now.J_r) + y * (now.J_c - best.J_c)
    u = x[:, None, None] * now.A_r - y[:, None, None] * now.A_c
    drop = bounds.comparator_kl(best.d, comparator, state.log_policy) - bounds.comparator_kl(
        best.d, comparator, after.log_policy
    )
    moment = bounds.log_moment(best.d, state.log_policy, u, config.eta, cmdp.gamma)
    unit = (1 + x + y) * (cmdp.bound + 1) / (1 - cmdp.gamma) ** 2
    assert float(((left - drop / config.eta - moment) / unit).abs().max()) < 1e-9
    remainder = bounds.hoeffding_remainder(config.eta, x, y, cmdp.bound, cmdp.gamma)
    assert bool((moment <= remainder + 1e-9 * unit).all())
    if float((drop / config.eta / unit).abs().max()) > 1e-3:
        assert float(((left - drop / (2 * config.eta) - moment) / unit).abs().max()) > 1e-4, "negative control"


@unchecked()
def test_printed_weights_never_close_the_gap_and_the_corrected_ones_do() -> None:
    instance = named("printed_weights")
    optimum = solve(instance.cmdp)
    gaps = {}
    for steps in (400, 1600):
        config, _ = theorem(instance.cmdp, steps)
        kl = torch.tensor(3.0).log().item()
        config = replace(config, h_plus=torch.tensor([bounds.h_plus_printed(1, 3, 0.5, steps, kl, 1.0)]).double())
        answers = outputs(instance.cmdp, run(instance.cmdp, config, optimum.occupancy.sum(-1)))
        gaps[steps] = [(optimum.value - answers[f"mixture_{scheme}"].J_r).item() for scheme in ("printed", "corrected")]
    assert [gap[0] for gap in gaps.values()] == pytest.approx([1.275] * 2, abs=5e-3)
    assert gaps[1600][1] == pytest.approx(gaps[400][1] / 2, rel=0.05), "the corrected gap falls as 1/sqrt(T)"


@unchecked()
def test_fixed_slack_below_the_limit_stalls() -> None:
    instance = named("stall")
    value = solve(instance.cmdp).value
    d_star = torch.ones(1, 1, dtype=torch.float64)
    for h_minus, gap in ((0.5, 0.25), (0.0, None)):
        config = configure(1, 500, 0.05, h_plus=0.5, h_minus=h_minus)
        last = outputs(instance.cmdp, run(instance.cmdp, config, d_star))["last"]
        if gap is not None:
            assert (value - last.J_r).item() == pytest.approx(gap, abs=1e-12)
        else:
            assert (value - last.J_r).item() < 0.05, "negative control: without h- it moves"


@pytest.mark.slow
@pytest.mark.parametrize("metric", list(Metric))
@unchecked()
def test_corrected_theorem_on_generated_instances(metric: Metric) -> None:
    kinds = (("garnet", 0.3), ("dirichlet", 0.6), ("deterministic", 0.5), ("chain", 0.3))
    cmdp = concatenate([make(family, 3, 2, 0.3, tightness, range(8)) for family, tightness in kinds])
    config, R = theorem(cmdp, 800, metric)
    optimum = solve(cmdp)
    answers = outputs(cmdp, run(cmdp, config, optimum.occupancy.sum(-1)))
    gap = optimum.value - answers["mixture_corrected"].J_r
    violation = answers["mixture_corrected"].J_c - cmdp.budget
    assert bool((gap <= bounds.gap_corrected(R, 800)).all())
    assert bool((violation <= config.h_plus).all())


@unchecked()
def test_the_violation_check_fails_under_critic_error() -> None:
    """With exact critics the mixture's violation is at most h+ by construction; a critic that errs must break it."""
    cmdp = make("dirichlet", 3, 2, 0.3, 0.3, range(8))
    config, _ = theorem(cmdp, 1000)
    config = replace(config, h_plus=config.h_plus / 4)

    def optimist(policy: torch.Tensor) -> Evaluation:
        values = evaluate(cmdp, policy)
        return replace(values, J_c=values.J_c - 4 * config.h_plus)

    d_star = solve(cmdp).occupancy.sum(-1)
    finished = run(cmdp, config, d_star, critic=optimist)
    answers = outputs(cmdp, finished)
    assert bool((answers["mixture_corrected"].J_c - cmdp.budget > config.h_plus).any())
    torch.testing.assert_close(finished.sums.largest[:, 0], 4 * config.h_plus, rtol=1e-9, atol=1e-9)


def test_outputs() -> None:
    """Occupancy weighting has the mixture's value; state-wise mixing has not; weights of zero give NaN."""
    cmdp = make("chain", 4, 3, 0.9, 0.4, range(6))
    config = configure(6, 200, 0.02, h_plus=0.3, h_minus=0.1)
    finished = run(cmdp, config, torch.zeros(6, 4, dtype=torch.float64), record=[0, 10, 199])
    answers = outputs(cmdp, finished)
    mixture, occupancy, statewise = (answers[f"{name}_corrected"] for name in ("mixture", "occupancy", "statewise"))
    torch.testing.assert_close(mixture.J_r, occupancy.J_r, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(mixture.J_c, occupancy.J_c, rtol=1e-11, atol=1e-11)
    assert float((mixture.J_c - statewise.J_c).abs().max()) > 1e-3
    assert finished.path.shape == (6, 3, 3)
    assert finished.sums.regions.sum(-1).tolist() == [200] * 6
    free = cmdp.with_budget(100.0)
    answers = outputs(free, run(free, config, torch.zeros(6, 4, dtype=torch.float64)))
    assert bool(torch.isnan(answers["mixture_printed"].J_r).all()), "printed: a run that is always safe returns 0/0"
    assert not bool(torch.isnan(answers["mixture_corrected"].J_r).any())


def test_fisher_weights_are_a_common_ascent_direction_and_other_metrics_are_not_always() -> None:
    cmdp = make("dirichlet", 3, 3, 0.9, 0.5, range(400))
    policy = policy_for(cmdp, 0, 1.5)

    def manipulate_everywhere(metric: Metric) -> Config:
        return configure(400, 1, 1e-3, metric=metric, h_plus=1e6, h_minus=1e6)

    failures = {}
    for metric in Metric:
        _, info = step(cmdp, manipulate_everywhere(metric), init(cmdp, manipulate_everywhere(Metric.FISHER), policy))
        visits = info.critic.d[..., None] * policy
        u = info.direction
        centred = u - (policy * u).sum(-1, keepdim=True)
        rises = (visits * centred * info.critic.A_r).sum((1, 2)) >= -1e-12
        falls = (visits * centred * info.critic.A_c).sum((1, 2)) <= 1e-12
        failures[metric] = float((~(rises & falls)).double().mean())
    assert failures[Metric.FISHER] == 0
    for metric in (Metric.EUCLIDEAN, Metric.ADVANTAGE, Metric.Q_VECTOR):
        assert 0.001 < failures[metric] < 0.6, failures
    _, info = step(cmdp, manipulate_everywhere(Metric.Q_VECTOR), init(cmdp, manipulate_everywhere(Metric.FISHER)))
    assert not bool((info.weights.region == Region.ALIGN).any()), "Q-vectors with r, c >= 0 are always in conflict"


def test_the_gates_error_counts_by_y_and_where_directions_are_mixed() -> None:
    """y |J_c_hat - J_c| of the aligned and the conflicting CMDPs, summed over the iterations; else nothing."""
    cmdp = make("dirichlet", 2, 2, 0.5, 0.5, range(4))
    truth = evaluate(cmdp, cmdp.uniform_policy())
    wrong = replace(truth, J_c=truth.J_c + torch.tensor([1.0, -2.0, 3.0, -4.0]))
    x, y = torch.tensor([[1.0, 0.0, 0.5, 0.75], [0.0, 1.0, 0.25, 0.5]], dtype=torch.float64)
    regions = torch.tensor([int(region) for region in (Region.SAFE, Region.UNSAFE, Region.ALIGN, Region.CONFLICT)])
    one = torch.ones(4, dtype=torch.float64)
    info = Info(wrong, (one, -one, one), Weights(x, y, regions), truth.Q_r)
    sums = empty(cmdp)
    for _ in range(2):
        sums = accumulate(sums, info, truth, cmdp.uniform_policy(), truth.d, cmdp.gamma)
    torch.testing.assert_close(sums.gate, 2 * torch.tensor([0.0, 0.0, 0.25 * 3, 0.5 * 4], dtype=torch.float64))
    torch.testing.assert_close(sums.visits[:, 0], 2 * x[:, None, None] * truth.d[..., None] * cmdp.uniform_policy())


def test_the_first_derivative_of_the_pid_multiplier_is_zero() -> None:
    """lambda_1 = (k_p + k_i)(J_c - l): the first policy's cost is no rise from zero."""
    cmdp = one_state([0, 1], [0, 1], budget=0.9)
    config = configure(1, 10, 0.1, algorithm=Algorithm.PID)
    state, info = step(cmdp, config, init(cmdp, config))
    ratios = [info.weights.y / info.weights.x]
    second, info = step(cmdp, config, state)
    ratios.append(info.weights.y / info.weights.x)
    error = [
        (evaluate(cmdp, policy.exp()).J_c - 0.9).item() for policy in (init(cmdp, config).log_policy, state.log_policy)
    ]
    pid = config.pid
    assert error[1] > error[0] > 0
    assert ratios[0].item() == pytest.approx((pid.k_p + pid.k_i) * error[0])
    integral, rise = sum(error), error[1] - error[0]
    assert ratios[1].item() == pytest.approx(pid.k_p * error[1] + pid.k_i * integral + pid.k_d * rise)
    assert second.pid.previous_cost.item() == pytest.approx(error[1] + 0.9)


def test_every_named_instance_is_a_cmdp_with_two_policies() -> None:
    for name in INSTANCES:
        instance = named(name)
        for policy in (instance.policy, instance.other):
            evaluate(instance.cmdp, policy)
            torch.testing.assert_close(policy.sum(-1), torch.ones(policy.shape[:2], dtype=torch.float64))
    with pytest.raises(ValueError, match="instance must be one of"):
        named("unknown")


def test_a_mixture_weighs_an_iterate_by_x_or_as_printed() -> None:
    """x in every region; the printed weights are 0 outside the slack, 1/2 or 1/2 - rc / rr within it."""
    regions = torch.tensor([int(region) for region in (Region.SAFE, Region.UNSAFE, Region.ALIGN, Region.CONFLICT)])
    x, y = torch.tensor([[1.0, 0.0, 0.5, 0.7], [0.0, 1.0, 0.25, 0.9]], dtype=torch.float64)
    rr, rc, cc = torch.tensor([[1.0, 1, 1, 4], [0.5, 0.5, 0.5, -2], [3, 3, 3, 3]], dtype=torch.float64)
    cmdp = make("dirichlet", 2, 2, 0.5, 0.5, range(4))
    values = evaluate(cmdp, cmdp.uniform_policy())
    found = iteration_weights(Info(values, (rr, rc, cc), Weights(x, y, regions), values.Q_r))
    torch.testing.assert_close(found[:, 0], x)
    torch.testing.assert_close(found[:, 1], torch.tensor([0.0, 0.0, 0.5, 1.0], dtype=torch.float64))

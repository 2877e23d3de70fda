"""deep.methods.drcorl.safe_adaptation: the direction each rule follows, worked out by hand from two value gradients and
the KL's."""

import math

import pytest
import torch

from deep.methods.drcorl.safe_adaptation import SafeAdaptation, SafeAdaptationConfig, Temperature
from theory.adaptation import PIDLagrangian, Slack

LIMIT, STEPS = 10.0, 100
Q_R, Q_C, K = torch.tensor([[3.0, 0.0]]), torch.tensor([[-2.0, 1.0]]), torch.tensor([[0.5, -4.0]])


@pytest.fixture
def direction(build):
    """g for one replica at this cost and step, by a rule with these settings."""
    problem = build("--cost-limits", str(LIMIT)).problem

    def direction(cost: float, step: int = 0, k: torch.Tensor = K, **settings) -> list[float]:
        rule = SafeAdaptation(SafeAdaptationConfig(**settings), problem, STEPS)
        g, _ = rule.direction(torch.tensor(float(step)), torch.tensor([cost], dtype=torch.float64), Q_R, Q_C, k)
        return g[0].tolist()

    return direction


def projected(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a without its part along b."""
    return a - (a * b).sum() / (b * b).sum() * b


@pytest.mark.parametrize(("cost", "expected"), [(0.79, "reward"), (0.81, "both"), (1.19, "both"), (1.21, "cost")])
@pytest.mark.parametrize(("regulariser", "share"), [("inside", 1.0), ("inside", 0.1), ("after", 1.0)])
def test_manipulation_with_the_regulariser_inside_or_after(direction, cost, expected, regulariser, share):
    k = share * K
    g_r, g_c = (Q_R - k, Q_C - k) if regulariser == "inside" else (Q_R, Q_C)
    conflict = (g_r * g_c).sum() < 0
    assert conflict == (regulariser == "after" or share < 1)  # inside, a large common -k makes this angle acute
    middle = (projected(g_r, g_c) + projected(g_c, g_r)) / 2 if conflict else (g_r + g_c) / 2
    wanted = {"reward": g_r, "both": middle, "cost": g_c}[expected]
    wanted = wanted if regulariser == "inside" else wanted - k
    assert direction(cost * LIMIT, k=k, regulariser=regulariser) == pytest.approx(wanted[0].tolist(), rel=1e-5)


@pytest.mark.parametrize(("cost", "value"), [(0.1, Q_R), (1.19, Q_R), (1.21, Q_C)])
def test_crpo_follows_one_gradient_at_a_time(direction, cost, value):
    assert direction(cost * LIMIT, rule="crpo") == pytest.approx((value - K)[0].tolist())


@pytest.mark.parametrize("normalised", [True, False])
def test_the_pid_multiplier_weighs_the_cost_in_equation_22(build, normalised):
    problem = build("--cost-limits", str(LIMIT)).problem
    pid = PIDLagrangian(k_p=0.3, k_i=0.2, k_d=0.1, normalised=normalised)
    rule = SafeAdaptation(SafeAdaptationConfig(rule="pid", pid=pid), problem, STEPS)
    value = 1 / ((1 - problem.gamma) * problem.task.episode_length)  # of one episodic cost, as a discounted sum
    integral, previous, multiplier = 0.0, 30.0, 0.0
    for step, cost in enumerate((30.0, 45.0, 12.0, 9.0)):
        g, metrics = rule.direction(torch.tensor(float(step)), torch.tensor([cost], dtype=torch.float64), Q_R, Q_C, K)
        error = value * (cost - LIMIT)
        integral = max(0.0, integral + error)
        multiplier = max(0.0, 0.3 * error + 0.2 * integral + 0.1 * max(0.0, value * (cost - previous)))
        previous = cost
        expected = Q_R + multiplier * Q_C - K
        assert metrics["multiplier"].item() == pytest.approx(multiplier, rel=1e-5)
        assert g[0].tolist() == pytest.approx((expected / (1 + multiplier if normalised else 1))[0].tolist(), rel=1e-5)
    assert multiplier > 0  # the integral outlasts the violation


def test_the_pid_memory_is_saved(build):
    """A second rule that takes over the named tensors goes on as the first would have."""
    problem = build("--cost-limits", str(LIMIT)).problem
    rules = [SafeAdaptation(SafeAdaptationConfig(rule="pid"), problem, STEPS) for _ in range(2)]
    cost = torch.tensor([30.0], dtype=torch.float64)
    for step in range(3):
        rules[0].direction(torch.tensor(float(step)), cost, Q_R, Q_C, K)
    for name, tensor in rules[0].tensors().items():
        rules[1].tensors()[name].copy_(tensor)
    found = [rule.direction(torch.tensor(3.0), cost + 5, Q_R, Q_C, K)[0] for rule in rules]
    assert torch.equal(*found)
    fresh = SafeAdaptation(SafeAdaptationConfig(rule="pid"), problem, STEPS)
    assert not torch.equal(found[0], fresh.direction(torch.tensor(3.0), cost + 5, Q_R, Q_C, K)[0])


@pytest.mark.parametrize("rule", ["manipulation", "crpo"])
@pytest.mark.parametrize(
    ("slack", "width"),
    [
        (Slack(0.4, 0.1, "constant"), 0.4),
        (Slack(0.4, 0.1, "linear"), 0.25),
        (Slack(0.4, 0.1, "inverse_sqrt"), 0.1 + 0.3 / math.sqrt(51)),
    ],
)
def test_the_slack_follows_its_schedule(direction, rule, slack, width):
    """Halfway through, the border of the unsafe region lies at (1 + width) times the limit."""
    unsafe = pytest.approx((Q_C - K)[0].tolist())
    assert direction((1 + width + 0.001) * LIMIT, STEPS // 2, rule=rule, slack=slack) == unsafe
    assert direction((1 + width - 0.001) * LIMIT, STEPS // 2, rule=rule, slack=slack) != unsafe


@pytest.mark.parametrize(
    ("growth", "beta"), [("constant", 0.04), ("sqrt", math.sqrt(0.04 + 3 * 0.01)), ("linear", 0.04 + 3 * 0.01)]
)
def test_the_temperature_follows_its_schedule(direction, growth, beta):
    temperature = Temperature(growth, c0=0.04, c1=0.01, steps_per_epoch=10)
    for step in (30, 39):  # within epoch 3
        g = direction(0.0, step, temperature=temperature)
        assert g == pytest.approx((beta * Q_R - K)[0].tolist(), rel=1e-5)
    later = direction(0.0, 40, temperature=temperature)
    assert (later == pytest.approx(g)) == (growth == "constant")


@pytest.mark.parametrize("settings", [{"c0": -1.0}, {"c1": -0.1}, {"steps_per_epoch": 0}])
def test_a_temperature_that_cannot_be_is_refused(settings):
    with pytest.raises(ValueError, match=r"--adaptation\.temperature\.\S+ \S+: accepted is a number of at least"):
        Temperature(**settings)

"""Gradient manipulation, Eq. (12): projections, common ascent, and the metric they are taken in."""

import torch
from torch import Tensor

from theory.adaptation import gradient_manipulation, manipulation_weights
from theory.evaluation import evaluate
from theory.npg.npg import Metric, inner_products, metric_codes
from verification.checker.certify import Statement
from verification.checker.instances import Case, generator, over
from verification.claims.claim import Check, Claim, Repair, Sides, difference, joined, sides


def gradients(count: int = 2000, dimension: int = 4) -> tuple[Tensor, Tensor]:
    """Pairs of gradients of very different lengths; at a tenth of them the angle is 0, the rest is generic."""
    rng = generator(10)
    g_r, g_c = (torch.from_numpy(rng.normal(size=(count, dimension))) for _ in range(2))
    g_c = g_c * torch.from_numpy(10 ** rng.uniform(-3, 3, (count, 1)))
    g_c[::10] = 0.5 * g_r[::10]
    return g_r, g_c


def products(g_r: Tensor, g_c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return (g_r * g_r).sum(-1), (g_r * g_c).sum(-1), (g_c * g_c).sum(-1)


def common_ascent(broken: bool) -> Sides:
    """-<g, g_r> and -<g, g_c> below 0, relative to the lengths; g from theory.adaptation."""
    g_r, g_c = gradients()
    rr, rc, cc = products(g_r, g_c)
    x, y = (torch.full_like(rr, 0.5),) * 2 if broken else manipulation_weights(rr, rc, cc)
    g = x[:, None] * g_r + y[:, None] * g_c
    unit = g.norm(dim=-1)
    return joined([sides(-(g * other).sum(-1) / unit / other.norm(dim=-1), 0.0, -1e-12) for other in (g_r, g_c)])


def labels(broken: bool) -> Sides:
    """What the weights of theory.adaptation project: 2 g = P_c g_r + P_r g_c with P_c the complement of g_c."""
    g_r, g_c = gradients()
    rr, rc, cc = products(g_r, g_c)
    conflict = rc < 0
    g_r, g_c, rr, rc, cc = (x[conflict] for x in (g_r, g_c, rr, rc, cc))
    x, y = manipulation_weights(rr, rc, cc)
    g = x[:, None] * g_r + y[:, None] * g_c
    identity = torch.eye(g_r.shape[-1], dtype=torch.float64)

    def complement(vector: Tensor, onto: Tensor) -> Tensor:
        projector = identity - onto[:, :, None] * onto[:, None, :] / (onto * onto).sum(-1)[:, None, None]
        return (projector @ vector[:, :, None]).squeeze(-1)

    expected = g_r - complement(g_r, g_c) if broken else complement(g_r, g_c)
    unit = g_r.norm(dim=-1) + g_c.norm(dim=-1)
    return difference(((2 * g - complement(g_c, g_r)) - expected).norm(dim=-1) / unit, 0.0, 1e-10)


def monotone(broken: bool) -> Sides:
    """f_i = -|theta - target_i|^2/2: neither falls for steps up to min_i 2 <g, g_i>/|g|^2, and one does at twice."""
    rng = generator(11)
    theta, a, b = (torch.from_numpy(rng.normal(size=(500, 3))) for _ in range(3))
    g_r, g_c = a - theta, b - theta
    x, y = manipulation_weights(*products(g_r, g_c))
    g = x[:, None] * g_r + y[:, None] * g_c
    square = (g * g).sum(-1)
    eta = torch.minimum((g * g_r).sum(-1), (g * g_c).sum(-1)) * 2 / square * (2 if broken else 1)
    after = theta + eta[:, None] * g
    falls = [((after - t) ** 2).sum(-1) - ((theta - t) ** 2).sum(-1) for t in (a, b)]
    return joined([sides(fall / 2, 0.0, 1e-10) for fall in falls])


def first_order(case: Case, metric: Metric) -> Sides:
    """-dV_r and dV_c along the natural gradient step of the direction manipulated in that metric."""
    values = evaluate(case.cmdp, case.policy)
    codes = metric_codes([metric.name] * case.cmdp.batch)
    rr, rc, cc = inner_products(values, case.policy, case.cmdp.gamma, codes)
    zero = torch.zeros_like(rr)
    weights = gradient_manipulation(zero, zero, 1.0, 1.0, rr, rc, cc)
    u = weights.x[:, None, None] * values.A_r - weights.y[:, None, None] * values.A_c
    visits = values.d[..., None] * case.policy
    reward, cost = ((visits * u * A).sum((1, 2)) for A in (values.A_r, values.A_c))
    unit = 1 + (visits * u * u).sum((1, 2)) + rr + cc
    return joined([sides(-reward, 0.0, 1e-9 * unit), sides(cost, 0.0, 1e-9 * unit)])


def fisher_ascent(broken: bool) -> Sides:
    return over(lambda case: first_order(case, Metric.ADVANTAGE if broken else Metric.FISHER))


PLUS = {"rc": "sum(g_r*g_c)", "g_r_plus": "g_r-rc/sum(g_c*g_c)*g_c"}
QUADRATIC = {
    "rc": "sum((a-theta)*(b-theta))",
    "rr": "sum((a-theta)**2)",
    "cc": "sum((b-theta)**2)",
    "g": "((1-rc/rr)*(a-theta)+(1-rc/cc)*(b-theta))/2",
    "before": "-sum((theta-a)**2)/2",
}
AFTER = "-sum((theta+eta*g-a)**2)/2 >= before"
DIRECTION = {
    "V_r": "value(P,r,gamma,pi)",
    "V_c": "value(P,c,gamma,pi)",
    "A_r": "r+gamma*expect(P,V_r)-V_r",
    "A_c": "c+gamma*expect(P,V_c)-V_c",
    "d": "visits(P,rho,gamma,pi)",
}


def manipulated(weight: str) -> dict[str, str]:
    """The direction u = x A_r - y A_c, for gradients in conflict, with inner products weighted by `weight`."""
    return DIRECTION | {
        "rr": f"sum({weight}*A_r*A_r)",
        "rc": f"-sum({weight}*A_r*A_c)",
        "cc": f"sum({weight}*A_c*A_c)",
        "u": "(1-rc/rr)*A_r/2-(1-rc/cc)*A_c/2",
    }


RISES = "sum(d*pi*u*A_r) >= 0"


def metric(name: str, inner: str) -> dict[str, str]:
    """The same direction for inner products `inner` ({0}, {1}: "r" or "c"), and the first-order rise of the reward.

    Q vectors need no u of their own: in each state Q differs from A by a constant, which no policy notices.
    """
    return {
        f"rr_{name}": inner.format("r", "r"),
        f"rc_{name}": "-" + inner.format("r", "c"),
        f"cc_{name}": inner.format("c", "c"),
        f"u_{name}": f"(1-rc_{name}/rr_{name})*A_r/2-(1-rc_{name}/cc_{name})*A_c/2",
        f"rise_{name}": f"sum(d*pi*u_{name}*A_r)",
    }


METRICS = ("gradient", "advantage", "vector")
THREE_METRICS = Statement(
    DIRECTION
    | {"Q_r": "r+gamma*expect(P,V_r)", "Q_c": "c+gamma*expect(P,V_c)"}
    | metric("gradient", "sum((d*pi)**2*A_{0}*A_{1})")
    | metric("advantage", "sum(A_{0}*A_{1})")
    | metric("vector", "sum(Q_{0}*Q_{1})"),
    [f"rc_{name} < 0" for name in METRICS],
    f"max({','.join(f'rise_{name}' for name in METRICS)}) >= 0",
)

CLAIMS = [
    Claim(
        id="M1",
        source="DRCORL, Eq. (12); slide 8",
        statement="The two cases cover every pair of gradients, and g ascends both objectives strictly for every angle "
        "below 180 degrees.",
        assumptions="neither gradient is zero",
        formal=Statement(
            {"rr": "sum(g_r*g_r)", "rc": "sum(g_r*g_c)", "cc": "sum(g_c*g_c)"}, ["rc > 0"], "rc*rc < rr*cc"
        ),
        counterexamples=("M1",),
        repair=Repair(
            "correction",
            "Use [0, 90] for the first case; take a vanishing gradient as aligned (else 0/0); at 180 degrees g = 0.",
            Check(common_ascent, "the mean of the gradients at every angle, without projection"),
            proof="Aligned: <g, g_r> = (rr + rc)/2 > 0. In conflict g_c^+ is orthogonal to g_r, so that 2<g, g_r> = "
            "<g_r^+, g_r> = rr - rc^2/cc, positive by Cauchy-Schwarz unless the gradients are parallel. g_c alike.",
        ),
        notes="The certificate is an aligned pair at angle 0, for which no printed case applies: rc^2 < rr cc is what "
        "an angle above 0 means.",
    ),
    Claim(
        id="M2",
        source="DRCORL, text below Eq. (12)",
        statement="g_r^+ is the projection of g_c on the null space of g_r.",
        formal=Statement(PLUS, [], "g_r_plus == g_c-rc/sum(g_r*g_r)*g_r"),
        counterexamples=("M2",),
        sound=Statement(PLUS, [], "sum(g_r_plus*g_c) == 0"),
        repair=Repair(
            "replacement",
            "g_r^+ is g_r projected on the orthogonal complement of g_c.",
            Check(labels, "g_r projected on g_c itself"),
        ),
        notes="g_r = (1, 0), g_c = (-1, 1): the formula gives (1/2, 1/2), the text (0, 1).",
    ),
    Claim(
        id="M3",
        source="DRCORL, text below Eq. (12)",
        statement="For concave objectives the manipulated step improves both, whatever the step size.",
        formal=Statement(QUADRATIC, ["rc <= 0"], AFTER),
        counterexamples=("M3",),
        sound=Statement(QUADRATIC, ["rc <= 0"], AFTER.replace("eta*g", "eta/20*g")),
        repair=Repair(
            "assumption",
            "The step is at most 2 <g, g_i>/(L |g|^2) for both gradients, L the smoothness.",
            Check(monotone, "twice that step"),
            proof="f_i(theta + eta g) >= f_i(theta) + eta <g, g_i> - L eta^2 |g|^2/2.",
        ),
        notes="f_r = -|theta - (1/10, 0)|^2/2, f_c = -|theta - (0, 1)|^2/2 at theta = 0 with eta = 1/2: f_r falls from "
        "-1/200 to -109/3200.",
    ),
    Claim(
        id="S2",
        source="ours, on DRCORL, Eq. (12)",
        statement="In whichever metric the projection is taken, the natural gradient step along g ascends reward and "
        "minus cost to first order.",
        formal=THREE_METRICS,
        counterexamples=("S2",),
        sound=Statement(manipulated("d*pi"), [], RISES),
        repair=Repair(
            "replacement",
            "It does in the Fisher metric. With policy gradients, advantage vectors or Q vectors it fails at some "
            "policies.",
            Check(fisher_ascent, "advantage vectors in the place of the Fisher metric"),
            proof="dV_r along u is E_{d, pi}[u A_r]/(1-gamma)^2 = <g, g_r> in the Fisher metric, where M1 applies.",
        ),
        notes="The formal statement says that the reward rises to first order in at least one of the three metrics: "
        "policy gradients, advantage vectors, Q vectors. At the instance it falls in all three. Each pair of gradients "
        "is in conflict there.",
    ),
]

"""Proposition 3.1: how much a policy near the behaviour can cost, the steps of its proof, and its assumption."""

from itertools import pairwise

import torch
from torch import Tensor

from theory import bounds
from theory.evaluation import evaluate
from verification.checker.certify import Statement
from verification.checker.instances import Case, over
from verification.claims.claim import Check, Claim, Repair, Sides, difference, joined, sides


def divergences(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """KL both ways, per state."""
    return (p * (p / q).log()).sum(-1), (q * (q / p).log()).sum(-1)


def measured(case: Case) -> dict[str, Tensor]:
    """The proposition's quantities: `other` is the behaviour, `policy` the learned one."""
    learned, behaviour = evaluate(case.cmdp, case.policy), evaluate(case.cmdp, case.other)
    kl = torch.maximum(*divergences(case.policy, case.other))
    expected = (case.other * learned.A_c).sum(-1)
    return {
        "J": learned.J_c,
        "J_b": behaviour.J_c,
        "d": learned.d,
        "d_b": behaviour.d,
        "Q": learned.Q_c,
        "expected": expected,
        "tv": (case.policy - case.other).abs().sum(-1) / 2,
        "kl": kl,
        "eps_dist": kl.amax(-1),
        "c_max": case.cmdp.c.amax((1, 2)),
        "gamma": case.cmdp.gamma,
        "unit": 1e-9 * (1 + case.cmdp.c.amax((1, 2))) / (1 - case.cmdp.gamma) ** 2,
    }


def proposition(broken: bool) -> Sides:
    """V_c - V_c^b against the excess of Eq. (13); broken: eps_dist^2 in the place of eps_dist."""

    def measure(case: Case) -> Sides:
        m = measured(case)
        distance = m["eps_dist"] ** (2 if broken else 1)
        bound = bounds.cost_upper_bound_printed(0.0, m["c_max"], m["expected"].amax(-1), distance, m["gamma"])
        return sides(m["J"] - m["J_b"], torch.as_tensor(bound), m["unit"])

    return over(measure)


def tight(broken: bool) -> Sides:
    """The same against our bound; broken: a factor 1/(1-gamma) is dropped."""

    def measure(case: Case) -> Sides:
        m = measured(case)
        bound = torch.as_tensor(
            bounds.cost_upper_bound_tight(0.0, m["c_max"], m["expected"].amax(-1), m["eps_dist"], m["gamma"])
        )
        printed = torch.as_tensor(
            bounds.cost_upper_bound_printed(0.0, m["c_max"], m["expected"].amax(-1), m["eps_dist"], m["gamma"])
        )
        right = bound * (1 - m["gamma"]) if broken else bound
        return joined([sides(m["J"] - m["J_b"], right, m["unit"]), sides(right - printed / 2, 0.0, m["unit"])])

    return over(measure)


def achiam(broken: bool) -> Sides:
    """Eq. (31) with the maximum of |E_b A|; broken: without the absolute value, as printed."""

    def measure(case: Case) -> Sides:
        m = measured(case)
        worst = (m["expected"] if broken else m["expected"].abs()).amax(-1)
        first = (m["d"] * m["expected"]).sum(-1) / (1 - m["gamma"])
        second = 2 * m["gamma"] * worst / (1 - m["gamma"]) ** 2 * (m["d"] * m["tv"]).sum(-1)
        return sides(first - second - (m["J_b"] - m["J"]), 0.0, m["unit"])

    return over(measure)


def other_steps(broken: bool) -> Sides:
    """Eqs. (29), (30), (33) and (34); broken: the occupancy of the learned policy in Eq. (29)."""

    def measure(case: Case) -> Sides:
        m = measured(case)
        one = 1 - m["gamma"]
        lemma = (m["d" if broken else "d_b"] * m["expected"]).sum(-1) / one
        first = ((m["d"] * m["expected"]).sum(-1) / one).abs()
        spread = (m["d"] * ((case.other - case.policy).abs() * m["Q"]).sum(-1)).sum(-1) / one
        mean_tv = (m["d"] * m["tv"]).sum(-1)
        root = (2 * m["eps_dist"]).sqrt()
        chain = [first, spread, 2 * m["c_max"] / one**2 * mean_tv, m["c_max"] * root / one**2]
        steps = [sides(a, b, m["unit"]) for a, b in pairwise(chain)]
        excess = bounds.cost_upper_bound_printed(0.0, m["c_max"], m["expected"].amax(-1), m["eps_dist"], m["gamma"])
        return joined(
            [
                difference(m["J_b"] - m["J"], lemma, m["unit"]),
                sides(m["tv"], (m["kl"] / 2).sqrt(), 1e-9),
                *steps,
                sides(m["J"] - m["J_b"], torch.as_tensor(excess), m["unit"]),
            ]
        )

    return over(measure)


def implication(broken: bool) -> Sides:
    """max |log ratio| bounds both divergences; broken: both divergences bound the log ratio."""

    def measure(case: Case) -> Sides:
        ratio = (case.policy / case.other).log().abs().amax((1, 2))
        kl = torch.maximum(*divergences(case.policy, case.other)).amax(-1)
        return sides(ratio, kl, 1e-12) if broken else sides(kl, ratio, 1e-12)

    return over(measure)


LET = {
    "V": "value(P,c,gamma,pi)",
    "V_b": "value(P,c,gamma,pi_b)",
    "A": "c+gamma*expect(P,V)-V",
    "expected": "rows(pi_b*A)",
    "d": "visits(P,rho,gamma,pi)",
    "tv": "rows(abs(pi-pi_b))/2",
    "first": "sum(d*expected)/(1-gamma)",
}
PRINTED_31 = "sum(rho*(V_b-V)) >= first-2*gamma*max(expected)/(1-gamma)**2*sum(d*tv)"
RATIO = {"kl": "max(KL(pi,pi_b),KL(pi_b,pi))", "ratio": "max(abs(log(pi/pi_b)))"}
FORMAL_13 = Statement(
    {
        **{name: LET[name] for name in ("V", "V_b", "A", "expected")},
        "eps_dist": "max(KL(pi,pi_b),KL(pi_b,pi))",
        "excess": "(max(c)+gamma*max(expected))*sqrt(2*eps_dist)/(1-gamma)**2",
    },
    [],
    "sum(rho*(V-V_b)) <= excess",
)
FORMAL_TIGHT = Statement(
    {
        **{name: LET[name] for name in ("V", "V_b", "A", "expected")},
        "eps_dist": "max(KL(pi,pi_b),KL(pi_b,pi))",
        "excess": "(max(c)-gamma*positive(-max(expected)))*sqrt(eps_dist/2)/(1-gamma)**2",
    },
    [],
    "sum(rho*(V-V_b)) <= excess",
)

PROOF_TIGHT = """Performance difference, from the learned policy's Q: V^pi - V^b = E_{s ~ d^b} sum_a (pi - pi_b) Q^pi /
(1-gamma). Since the weights pi - pi_b sum to 0, the inner sum is at most TV(s) times the span of Q^pi over a, and
TV <= sqrt(eps_dist/2) by Pinsker. The span: Q^pi = c + gamma P V^pi. Let delta = max(0, -eps_adv). In every state
E_b A^pi <= -delta, so that some action has Q^pi(s, a) <= V^pi(s) - delta; with Q^pi >= c + gamma min V >= gamma min V
at the minimising state, min V >= delta + gamma min V, hence min V >= delta/(1-gamma). And max V <= c_max/(1-gamma). So
Q^pi lies between gamma delta/(1-gamma) and c_max/(1-gamma): its span is at most (c_max - gamma delta)/(1-gamma)."""

CLAIMS = [
    Claim(
        id="P1",
        source="DRCORL, Proposition 3.1, Eq. (13)",
        statement="V_c^pi <= V_c^b + (c_max + gamma eps_adv) sqrt(2 eps_dist)/(1-gamma)^2.",
        assumptions="c in [0, c_max]; KL(pi || pi_b) and KL(pi_b || pi) at most eps_dist in every state; pi absolutely "
        "continuous with respect to pi_b, else KL(pi || pi_b) is infinite; eps_adv = max_s E_{pi_b} A_c^pi, of either "
        "sign",
        printed=Check(proposition, "eps_dist^2 in the place of eps_dist"),
        formal=FORMAL_13,
        proof="From P1t: (c_max - gamma delta) sqrt(eps_dist/2) is at most half of (c_max + gamma eps_adv) "
        "sqrt(2 eps_dist). For eps_adv >= 0 delta = 0; else eps_adv = -delta, and the two differ by the factor 2 alone "
        "(c_max >= gamma delta, for spans are not negative).",
        notes="The printed proof is wrong (P2). The statement is true also for negative eps_adv, and never tight. The "
        "proof uses the bound on KL(pi || pi_b) alone, and any upper bound of max_s E_{pi_b} A_c^pi serves as eps_adv.",
    ),
    Claim(
        id="P1t",
        source="ours, sharpening DRCORL, Eq. (13)",
        statement="V_c^pi <= V_c^b + (c_max - gamma delta) sqrt(eps_dist/2)/(1-gamma)^2, delta = max(0, -eps_adv): at "
        "most half of Eq. (13)'s excess.",
        assumptions="those of P1",
        printed=Check(tight, "the excess times 1-gamma"),
        formal=FORMAL_TIGHT,
        proof=PROOF_TIGHT,
    ),
    Claim(
        id="P2",
        source="DRCORL, Eqs. (31), (32)",
        statement="V_c^b - V_c^pi >= E_{d^pi} E_b A_c^pi/(1-gamma) - 2 gamma eps_adv E_{d^pi} TV/(1-gamma)^2 with "
        "eps_adv = max_s E_b A_c^pi.",
        formal=Statement(LET, [], PRINTED_31),
        counterexamples=("P2",),
        sound=Statement(LET, [], PRINTED_31.replace("max(expected)", "max(abs(expected))")),
        repair=Repair(
            "replacement",
            "eps_adv = max_s |E_b A_c^pi|, the maximum of the absolute value.",
            Check(achiam, "no absolute value, as printed"),
        ),
        notes="S=1, gamma=1/2, c=(0, 1), pi_b=(3/4, 1/4), pi=(1/4, 3/4).",
    ),
    Claim(
        id="P3",
        source="DRCORL, Eqs. (29), (30), (33), (34)",
        statement="The proof's other steps: the performance difference lemma, Pinsker's inequality, the bound on its "
        "term I, and the final inequality.",
        printed=Check(other_steps, "Eq. (29) with the learned policy's occupancy"),
        notes="Eq. (33) is loose by 2 beyond Pinsker: the weights pi_b - pi sum to 0. Eq. (34) does not follow from "
        "Eqs. (31), (32), which are false; as an inequality it is P1.",
    ),
    Claim(
        id="A1",
        source="DRCORL, Assumption A.1, Eqs. (27), (28), and Proposition 3.1",
        statement="|log(pi/pi_b)| <= eps_dist everywhere is equivalent to KL(pi || pi_b) <= eps_dist and "
        "KL(pi_b || pi) <= eps_dist in every state.",
        formal=Statement(RATIO, ["kl <= eps_dist"], "ratio <= eps_dist"),
        counterexamples=("A1",),
        sound=Statement(RATIO, ["kl <= eps_dist"], "kl <= ratio"),
        repair=Repair(
            "replacement",
            "The bound on the log ratio implies both others, not conversely.",
            Check(implication, "the converse"),
            proof="KL(pi || pi_b) = E_pi log(pi/pi_b) <= max |log(pi/pi_b)|; the other alike.",
        ),
        notes="pi_b = (.98, .02), pi = (.99, .01): both divergences are below 1/100, the log ratio is log 2. The "
        "papers do not state the equivalence in these words; Eq. (27) and the proposition use both as one assumption.",
    ),
]

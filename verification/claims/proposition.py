"""Proposition 3.1: how much a policy near the behaviour can cost, the steps of its proof, and its assumption."""

from itertools import pairwise

import torch
from torch import Tensor

from theory import bounds
from theory.cmdp.dense import FiniteCMDP
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


def leak(gamma: float, bad: float, rare: float) -> dict[str, Tensor]:
    """The quantities of the CMDP that nearly attains the sharper bounds: action 0 leads from state 0 to state 1, for
    ever, and both cost 1; the policies take it with probability `bad`, the behaviour with `rare`."""
    P = torch.zeros(2, 2, 2, dtype=torch.float64)
    P[0, 1, 0] = P[0, 0, 1] = P[1, :, 1] = 1
    c = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    cmdp = FiniteCMDP(P, torch.zeros(2, 2), c, [1.0, 0.0], gamma, 1.0)
    policy, other = (torch.tensor([[[p, 1 - p]] * 2], dtype=torch.float64).squeeze(1) for p in (bad, rare))
    return measured(Case(cmdp, policy.reshape(1, 2, 2), other.reshape(1, 2, 2), 0))


def sharp_excess(m: dict[str, Tensor]) -> Tensor:
    """c_max/(1-gamma) sqrt(eps_dist/(2 (1-gamma))), claim P1s."""
    one = 1 - m["gamma"]
    return m["c_max"] / one * (m["eps_dist"] / one / 2).sqrt()


def sharp(broken: bool) -> Sides:
    """V_c - V_c^b against the sharper excess, also where a third of it is attained; broken: a quarter of it."""
    factor = 0.25 if broken else 1.0

    def compare(m: dict[str, Tensor]) -> Sides:
        return sides(m["J"] - m["J_b"], factor * sharp_excess(m), m["unit"])

    attaining = [leak(gamma, 1 - gamma, (1 - gamma) / 4) for gamma in (0.1, 0.5, 0.9, 0.99)]
    return joined([over(lambda case: compare(measured(case))), *map(compare, attaining)])


def coupled(broken: bool) -> Sides:
    """V_c - V_c^b against c_max tau/((1-gamma) (1 - gamma (1-tau))), attained on the leak; broken: a factor dropped."""

    def compare(m: dict[str, Tensor]) -> Sides:
        tau, gamma = m["tv"].amax(-1), m["gamma"]
        rest = 1.0 if broken else 1 - gamma * (1 - tau)
        return sides(m["J"] - m["J_b"], m["c_max"] * tau / ((1 - gamma) * rest), m["unit"])

    attaining = [leak(gamma, tau, 1e-9) for gamma in (0.1, 0.5, 0.9) for tau in (0.2, 0.5, 0.9)]
    return joined([over(lambda case: compare(measured(case))), *map(compare, attaining)])


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

FORMAL_SHARP = Statement(
    {
        **{name: LET[name] for name in ("V", "V_b")},
        "eps_dist": "max(KL(pi,pi_b))",
        "excess": "max(c)/(1-gamma)*sqrt(eps_dist/(1-gamma)/2)",
    },
    [],
    "sum(rho*(V-V_b)) <= excess",
)
FORMAL_COUPLED = Statement(
    {
        **{name: LET[name] for name in ("V", "V_b", "tv")},
        "tau": "max(tv)",
        "excess": "max(c)*tau/((1-gamma)*(1-gamma*(1-tau)))",
    },
    [],
    "sum(rho*(V-V_b)) <= excess",
)

PROOF_SHARP = """Let N be geometric, P(N = t) = (1-gamma) gamma^t, so that (1-gamma) V(s) = E c(s_N, a_N). For t >= 0
let Z(s) = E_b exp(t c(s_N, a_N)). Then U = t (1-gamma) V - eps_dist/(1-gamma) is at most log Z: Z and U solve Bellman
equations under pi_b and pi, and where U - log Z is largest, Gibbs' principle E_pi g - KL(pi || pi_b) <= log E_b
exp(g) and Jensen's inequality for the logarithm give m <= gamma m for its value m. Averaged over rho, and with
Hoeffding's lemma for c in [0, c_max] under pi_b: t (1-gamma) (V^pi - V^b) <= eps_dist/(1-gamma) + t^2 c_max^2/8; take
the best t. Where it is nearly attained: the leak, with an action that costs 1 and leads to a state that costs 1 for
ever, taken with probability 1-gamma, by the behaviour with a quarter of that."""
PROOF_COUPLED = """Where D = V^pi - V^b is largest, split both policies into their common part min(pi, pi_b), of mass
1 - TV >= 1 - tau, and the rest. On the common part the two Q values differ by at most gamma max D; on the rest Q^pi
<= c_max/(1-gamma) and Q^b >= 0. So max D <= (1-tau) gamma max D + tau c_max/(1-gamma). On the leak, with tau against
0, it is an equality."""
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
        notes="At gamma = 0 and small eps_dist it is attained up to Pinsker's inequality; else P1s and P1v are "
        "sharper, but where eps_adv is far below 0.",
    ),
    Claim(
        id="P1s",
        source="ours, sharpening DRCORL, Eq. (13)",
        statement="V_c^pi <= V_c^b + c_max sqrt(eps_dist/2)/(1-gamma)^{3/2}, and the power 3/2 is the right one: at "
        "every gamma an instance has a third of that excess.",
        assumptions="those of P1, of which it needs KL(pi || pi_b) alone and nothing on eps_adv",
        printed=Check(sharp, "a quarter of the excess"),
        formal=FORMAL_SHARP,
        proof=PROOF_SHARP,
        notes="Eq. (13) has (1-gamma)^2. The instance has eps_dist = 3 (1-gamma)/2.",
    ),
    Claim(
        id="P1v",
        source="ours, Proposition 3.1 in total variation",
        statement="V_c^pi <= V_c^b + c_max tau/((1-gamma) (1 - gamma (1-tau))) with tau = max_s TV(pi, pi_b), "
        "attained at every gamma and every tau.",
        assumptions="c in [0, c_max]",
        printed=Check(coupled, "the factor 1 - gamma (1-tau) is dropped"),
        formal=FORMAL_COUPLED,
        proof=PROOF_COUPLED,
        notes="With Pinsker, tau <= sqrt(eps_dist/2): never above P1t's excess where eps_adv >= 0.",
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
            proof="Performance difference under d^b, with f(s) = E_b A_c^pi(s) in [-eps_adv, eps_adv]: E_{d^b} f - E_d "
            "f >= -eps_adv |d^b - d|_1, and |d^b - d|_1 <= 2 gamma E_d TV/(1-gamma), from the flow equations of both.",
        ),
        notes="S=1, gamma=1/2, c=(0, 1), pi_b=(3/4, 1/4), pi=(1/4, 3/4).",
    ),
    Claim(
        id="P3",
        source="DRCORL, Eqs. (29), (30), (33), (34)",
        statement="The proof's other steps: the performance difference lemma, Pinsker's inequality, the bound on its "
        "term I, and the final inequality.",
        printed=Check(other_steps, "Eq. (29) with the learned policy's occupancy"),
        proof="Eq. (33): E_b A_c^pi = sum_a (pi_b - pi) Q_c^pi; then Q_c^pi lies in [0, c_max/(1-gamma)], and "
        "Pinsker's inequality bounds the total variation.",
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
            proof="KL(pi || pi_b) = E_pi log(pi/pi_b) <= max |log(pi/pi_b)|; the other alike. Not conversely: the "
            "instance in the notes.",
        ),
        notes="pi_b = (.98, .02), pi = (.99, .01): both divergences are below 1/100, the log ratio is log 2. The "
        "papers do not state the equivalence in these words; Eq. (27) and the proposition use both as one assumption.",
    ),
]

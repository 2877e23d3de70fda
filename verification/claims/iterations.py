"""One natural-gradient iteration: the closed form, the identity of the convergence proof, and Eqs. (40) to (44)."""

from verification.checker.certify import Statement
from verification.claims.checks.iterations import (
    aligned_lemma,
    closed_form,
    conflict_lemma,
    critic_error,
    hoeffding,
    identity,
    safe_lemma,
    unsafe_lemma,
)
from verification.claims.checks.runs import summed
from verification.claims.claim import Check, Claim, Repair
from verification.claims.terms import ADVANTAGES, BAND, FISHER, OPTIMAL, PAYOFFS, WEIGHTS

STEP = {
    "w": "pi*exp(eta*u/(1-gamma))",
    "updated": "w/rows(w)",
    "drop": "sum(d_star*(KL(pi_star,pi)-KL(pi_star,updated)))",
    "remainder": "2*eta*S*A*M**2/(1-gamma)**3",
}
L40 = Statement(
    ADVANTAGES | {"u": "A_r"} | STEP,
    [*PAYOFFS, *OPTIMAL, "sum(rho*V_c) <= limit-h_minus"],
    "reward <= drop/eta+remainder",
)
L41 = Statement(
    ADVANTAGES | {"u": "-A_c"} | STEP,
    [*PAYOFFS, *OPTIMAL, "sum(rho*V_c) >= limit+h_plus"],
    "cost <= drop/eta+remainder",
)
EUCLIDEAN = {"euclidean": "-sum((d*pi)**2*A_r*A_c)"}
L42 = Statement(
    ADVANTAGES | FISHER | EUCLIDEAN | {"u": "(A_r-A_c)/2"} | STEP,
    [*PAYOFFS, *OPTIMAL, *BAND, "rc > 0", "euclidean > 0"],  # aligned in both metrics, and neither gradient is 0
    "reward/2+cost/2 <= drop/eta+remainder",
)
L43 = Statement(
    ADVANTAGES | FISHER | EUCLIDEAN | WEIGHTS | {"u": "x*A_r-y*A_c"} | STEP,
    [*PAYOFFS, *OPTIMAL, *BAND, "rc < 0", "euclidean < 0"],  # in conflict in both metrics
    "x*reward+y*cost <= drop/eta+(x+y)*remainder",
)
HOEFFDING = "drop/eta+eta*(x+y)**2*M**2/(8*(1-gamma)**4)"
L44 = Statement(
    ADVANTAGES | FISHER | WEIGHTS | {"u": "x*A_r-y*A_c", "KL0": "sum(d_star*KL(pi_star,pi))"},
    [*PAYOFFS, *OPTIMAL, "h_minus > 0", *BAND, "rc < 0", "u == 0"],
    "T*y*cost <= KL0/eta+2*eta*S*A*M**2*T/(1-gamma)**3",
)
I1 = Statement(
    {
        **{name: ADVANTAGES[name] for name in ("M", "V_r", "V_c", "A_r", "A_c", "d_star")},
        "u": "x*A_r-y*A_c",
        "moment": "sum(d_star*log(rows(pi*exp(eta*u/(1-gamma)))))/eta",
    },
    [*PAYOFFS, "x >= 0", "y >= 0"],
    "moment <= eta*(x+y)**2*M**2/(8*(1-gamma)**4)",
)
L40C = Statement(
    {"d_star": ADVANTAGES["d_star"], "cost": "sum(d_star*rows((pi_star-pi)*error))/(1-gamma)"},
    [],
    "cost <= 3*sqrt(sum(error**2))/(1-gamma)**2",
)
NATURAL = {
    "V": "value(P,r,gamma,pi)",
    "A": "r+gamma*expect(P,V)-V",
    "d": "visits(P,rho,gamma,pi)",
    "gradient": "d*pi*A/(1-gamma)",
    "z_mean": "rows(pi*z)",
    "F_w": "rho*pi*(w-rows(pi*w))",
    "rest": "F_w-gradient",
}
PSEUDOINVERSE = [
    "w == rho*pi*(z-z_mean)",
    "rho*pi*(rest-rows(pi*rest)) == 0",
    "min(pi) > 0",  # as of every softmax policy
    "min(d) > 0",  # a state that is not visited has no step
]

PROOF_IDENTITY = """With u = x A_r - y A_c, log pi_{t+1}(a|s) = log pi_t(a|s) + eta u(s, a)/(1-gamma) - log Z(s), Z(s) =
E_{pi_t} exp(eta u/(1-gamma)). Take E_{s ~ d*, a ~ pi*}: the drop of KL(pi* || .) is eta E_{d*, pi*} u/(1-gamma) -
E_{d*} log Z. By the performance difference lemma E_{d*, pi*} A/(1-gamma) = V* - V^t for either payoff: the first
term is eta (x (V_r* - V_r^t) - y (V_c* - V_c^t)). Divide by eta."""

CLAIMS = [
    Claim(
        id="N1",
        source="DRCORL, Eqs. (14), (36)",
        statement="The natural gradient step with the Fisher matrix of Eq. (14), which weighs states by rho, is the "
        "closed form of Eq. (36).",
        formal=Statement(NATURAL, PSEUDOINVERSE, "w-rows(pi*w) == A/(1-gamma)"),
        counterexamples=("N1",),
        repair=Repair(
            "replacement",
            "With a Fisher matrix that weighs states by the discounted occupancy d_rho^pi it is, in every visited "
            "state; a cost step needs -Q_c.",
            Check(closed_form, "the weights rho, as printed"),
            proof="Both grad V(s, .) = d(s) pi (A)/(1-gamma) and the block d(s) (diag pi - pi pi^T) carry d(s), which "
            "cancels; (diag pi - pi pi^T) A = pi A because E_pi A = 0.",
        ),
        notes="rho = delta(s0), s0 -> s1, and the only choice is at s1: with the weights rho it never learns. The "
        "certificate gives w = F^+ grad V by its normal equations (w = F z lies in F's range, and F(F w - grad V) = "
        "0).",
    ),
    Claim(
        id="I0",
        source="ours: the identity that DRCORL's appendix A.2 uses",
        statement="x (V_r* - V_r^t) + y (V_c^t - V_c*) = (1/eta) E_{d*}[KL_t - KL_{t+1}] + E_{d*}[(1/eta) log E_{pi_t} "
        "exp(eta u/(1-gamma))], u = x A_r - y A_c, for every comparator pi* whose actions pi_t takes.",
        assumptions="exact critics; pi_{t+1} proportional to pi_t exp(eta u/(1-gamma)); pi_t(a|s) > 0 where "
        "pi*(a|s) > 0 and d*(s) > 0 (a softmax policy satisfies it), or KL_t is infinite; eta > 0",
        printed=Check(identity, "a factor 1/(1-gamma) is dropped"),
        proof=PROOF_IDENTITY,
        notes="d* is normalised. Eqs. (40) to (43) are claims about the last term only.",
    ),
    Claim(
        id="I1",
        source="ours: Hoeffding's lemma on I0's last term",
        statement="E_{d*}[(1/eta) log E exp(eta u/(1-gamma))] <= eta (x+y)^2 M^2/(8 (1-gamma)^4).",
        assumptions="r, c in [0, M]; x, y >= 0",
        printed=Check(hoeffding, "x+y in the place of (x+y)^2"),
        formal=I1,
        proof="E_{pi_t} u = 0, and u = x A_r - y A_c has span at most (x+y) M/(1-gamma) over actions: Hoeffding's "
        "lemma gives log E exp(k u) <= k^2 span^2/8 with k = eta/(1-gamma).",
    ),
    Claim(
        id="L40",
        source="DRCORL, Eq. (40)",
        statement="Safe region: V_r* - V_r^t <= kl_drop/eta + 2 eta S A M^2/(1-gamma)^3.",
        assumptions="exact critics (the last term is L40c); r, c in [0, M]",
        formal=L40,
        counterexamples=("L40",),
        sound=Statement(L40.let, L40.assume, "reward <= drop/eta+eta*M**2/(8*(1-gamma)**4)"),
        repair=Repair(
            "assumption",
            "1/(1-gamma) <= 16 S A.",
            Check(safe_lemma, "no factor 1/(1-gamma)^3 in the remainder"),
            proof="I0 and I1 with x = 1, y = 0: eta M^2/(8 (1-gamma)^4) <= 2 eta S A M^2/(1-gamma)^3 there.",
        ),
        notes="Found by the search.",
    ),
    Claim(
        id="L40c",
        source="DRCORL, Eq. (40), last term",
        statement="A critic's error adds at most 3 (1 + eta M) |Q - Q_hat|_2/(1-gamma)^2 to one iteration.",
        assumptions="exact first and second term, formed with Q_hat",
        printed=Check(critic_error, "a hundredth of the span"),
        formal=L40C,
        proof="With Q_hat in u, I0 gains E_{d*} sum_a (pi* - pi_t) (Q - Q_hat)/(1-gamma), and the weights sum to 0: at "
        "most E_{d*} span_a(Q - Q_hat)/(1-gamma) <= 2 |Q - Q_hat|_inf/(1-gamma).",
        notes="Loose; the tight form is E_{d*} span(Q - Q_hat)/(1-gamma), attained. Both steps are in the ratios.",
    ),
    Claim(
        id="L41",
        source="DRCORL, Eq. (41)",
        statement="Unsafe region: V_c* - V_c^t <= kl_drop/eta + 2 eta S A M^2/(1-gamma)^3.",
        assumptions="exact critics; r, c in [0, M]",
        formal=L41,
        counterexamples=("L41",),
        sound=Statement(L41.let, L41.assume, "-cost <= drop/eta+eta*M**2/(8*(1-gamma)**4)"),
        repair=Repair(
            "replacement",
            "V_c^t - V_c* (what the proof needs) on the left, where 1/(1-gamma) <= 16 S A.",
            Check(unsafe_lemma, "the printed sign, with comparators that may be unsafe"),
            proof="I0 and I1 with x = 0, y = 1.",
        ),
        notes="The sign is reversed: in the unsafe region the printed left side is negative, so that it says little; "
        "as a statement it is still false at gamma near 1. Found by the search.",
    ),
    Claim(
        id="L42",
        source="DRCORL, Eq. (42)",
        statement="Aligned gradients: (V_r* - V_r^t)/2 + (V_c* - V_c^t)/2 <= kl_drop/eta + 2 eta S A M^2/(1-gamma)^3.",
        assumptions="exact critics; r, c in [0, M]",
        formal=L42,
        counterexamples=("L42",),
        sound=Statement(L42.let, L42.assume, "reward/2-cost/2 <= drop/eta+eta*M**2/(8*(1-gamma)**4)"),
        repair=Repair(
            "replacement",
            "The cost term is (V_c^t - V_c*)/2, where 1/(1-gamma) <= 16 S A.",
            Check(aligned_lemma, "the printed sign of the cost term"),
            proof="I0 and I1 with x = y = 1/2.",
        ),
        notes="r=(0, 1, 1/2), c=(1, 1, 0), l=3/2, eta=1/1000: aligned in the Fisher and the Euclidean metric, in "
        "conflict for advantage vectors; needs h- >= 2/5.",
    ),
    Claim(
        id="L43",
        source="DRCORL, Eq. (43)",
        statement="Conflicting gradients: x (V_r* - V_r^t) + y (V_c* - V_c^t) <= kl_drop/eta + (x+y) 2 eta S A M^2/"
        "(1-gamma)^3.",
        assumptions="exact critics; r, c in [0, M]; x = 1/2 - rc/(2 rr), y = 1/2 - rc/(2 cc)",
        formal=L43,
        counterexamples=("L43",),
        sound=Statement(L43.let, L43.assume, f"x*reward-y*cost <= {HOEFFDING}"),
        repair=Repair(
            "replacement",
            "x (V_r* - V_r^t) + y (V_c^t - V_c*) <= kl_drop/eta + eta (x+y)^2 M^2/(8 (1-gamma)^4).",
            Check(conflict_lemma, "the printed sign of the cost term"),
            proof="I0 and I1.",
        ),
        reading="Inner products in the Fisher metric, that of the natural gradient; in A- or Q-space |u| is bounded "
        "and the printed remainder cannot fail at gamma=1/2.",
        notes="Found by the search at gamma=1/2. There V_c* < V_c^t: the cost term is negative, and the failure does "
        "not depend on its sign.",
    ),
    Claim(
        id="L44",
        source="DRCORL, Eq. (44)",
        statement="Sum over t: the cost terms of the unsafe, aligned and conflict sets alone are at most KL_0/eta "
        "+ 2 eta S A M^2 T/(1-gamma)^3, where h- > 0.",
        assumptions="exact critics; r, c in [0, M]; h- > 0",
        formal=L44,
        counterexamples=("L44",),
        sound=Statement(L44.let, L44.assume, "T*(x*reward-y*cost) <= KL0/eta+2*eta*S*A*M**2*T/(1-gamma)**3"),
        repair=Repair(
            "replacement",
            "The sum of x_t (V_r* - V_r^t) + y_t (V_c^t - V_c*) over all t is at most KL_0/eta plus the sum of "
            "eta (x_t+y_t)^2 M^2/(8 (1-gamma)^4).",
            Check(summed, "the cost terms alone, with the printed sign"),
            proof="Sum I0 over t: the divergences telescope to at most KL_0, and I1 bounds each last term.",
        ),
        notes="It drops the reward terms. In the stall S1 every iterate is the same (u = 0), so that the sum over T "
        "iterations is T times one term. The refutation needs h- > 0. At h- = 0 every iterate of the three sets has "
        "V_c^t >= l >= V_c*, no printed cost term V_c* - V_c^t is positive, and the statement is true and empty. The "
        "repair is checked on runs of 300 iterations that visit every region.",
    ),
]

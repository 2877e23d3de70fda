"""Safe-DQL: Lemmas 7 and 8, Theorem 9 and its assumptions, on exact minimisers with exact, biased and noisy critics."""

from verification.checker.certify import Statement
from verification.claims.checks.safe_dql import (
    lemma_7,
    lemma_8,
    printed_shift,
    reference,
    sharp_theorem,
    shift_factor,
    theorem,
    without_coverage,
)
from verification.claims.claim import Check, Claim, Repair

LEMMA_8 = Statement(
    {"Q": "c+gamma*expect(P,value(P,c,gamma,pi))", "eps": "max(positive(Q-Q_hat))"},
    [],
    "sum(D*rows(pi*Q)) <= sum(D*rows(pi*Q_hat))+eps",
)
SHIFT = Statement(
    {"V": "value(P,c,gamma,pi)", "tv": "sum(abs(rho-D))/2"},
    [],
    "sum(rho*V)-sum(D*V) <= max(c)/(1-gamma)*tv",
)
THEOREM_9 = Statement(
    {
        "w": "mu*exp(eta*Q_r-penalty*positive(Q_hat-kappa))",  # the minimiser of Eq. (1), L_d = E_D KL(pi || mu)
        "learned": "w/rows(w)",
        "Q": "c+gamma*expect(P,value(P,c,gamma,learned))",
        "eps": "max(positive(Q-Q_hat))",
        "B_r": "max(abs(Q_r))",
        "B_c": "max(c)/(1-gamma)",
        "shift": "B_c*sum(abs(rho-D))",
        "J_c": "sum(rho*rows(learned*Q))",
    },
    ["penalty > 0", "sum(D*rows(pi_0*positive(Q_hat-kappa))) == 0"],
    "J_c <= kappa+eps+(sum(D*KL(pi_0,mu))+2*eta*B_r)/penalty+shift",
)
SHARP_9 = Statement(
    {**THEOREM_9.let, "shift": "B_c*sum(abs(rho-D))/2"},
    THEOREM_9.assume,
    THEOREM_9.conclusion,
)
REFERENCE = Statement(
    {"V": "value(P,c,gamma,pi)", "Q": "c+gamma*expect(P,V)"},
    ["rowmin(Q) == V", "sum(rho*V) <= kappa"],
    "sum(D*rowmin(positive(Q-kappa))) == 0",
)

CLAIMS = [
    Claim(
        id="D7",
        source="Safe-DQL, Lemma 7",
        statement="X <= kappa + ReLU(X - kappa), hence E Q_max <= kappa + E ReLU(Q_max - kappa).",
        printed=Check(lemma_7, "the hinge of X - 1/10"),
        proof="If X <= kappa the hinge is 0 and X <= kappa; otherwise both sides are X. Expectations keep the order.",
    ),
    Claim(
        id="D8",
        source="Safe-DQL, Lemma 8",
        statement="E_{D, pi} Q_c^pi <= E_{D, pi} Q_max + eps_c.",
        assumptions="Assumption 4: one critic is nowhere below Q_c^pi by more than eps_c",
        printed=Check(lemma_8, "without eps_c"),
        formal=LEMMA_8,
        proof="Q_c^pi <= Q_{i*} + eps_c <= Q_max + eps_c at every pair; take the expectation.",
        notes="Assumption 4 follows from Assumption 3, which bounds the error on both sides.",
    ),
    Claim(
        id="D9",
        source="Safe-DQL, Theorem 9",
        statement="J_c(pi) <= kappa + eps_c + L_d(pi_0)/lambda + 2 eta B_r/lambda + Delta_occ.",
        assumptions="pi minimises Eq. (1) globally over a class that contains pi_0; fixed critics; one critic is "
        "nowhere below Q_c^pi by more than eps_c (Assumption 4); c in [0, C_max]; |Q_r| <= B_r; eta >= 0; lambda > 0; "
        "L_d >= 0; pi_0 has zero hinge under the data's states",
        printed=Check(theorem, "without eps_c, where the critics are too low"),
        formal=THEOREM_9,
        proof="L(pi) <= L(pi_0): lambda E hinge(pi) <= L_d(pi_0) - L_d(pi) + eta E Q_r(pi) - eta E Q_r(pi_0) <= "
        "L_d(pi_0) + 2 eta B_r. By D7 and D8 E_D V_c <= kappa + hinge + eps_c, and J_c - E_D V_c <= B_c TV <= "
        "Delta_occ (D10).",
        notes="A minimiser that is only close adds its gap/lambda. Where no reference with zero hinge exists (D12) the "
        "theorem says nothing; such instances are left out.",
    ),
    Claim(
        id="D9t",
        source="ours, sharpening Safe-DQL, Theorem 9",
        statement="J_c(pi) <= kappa + eps_c + L_d(pi_0)/lambda + 2 eta B_r/lambda + B_c TV(mu_0, D_S) + gap/lambda; "
        "each term is attained, and none of the constants can be lowered.",
        assumptions="those of D9, but the minimiser may miss the minimum by gap",
        printed=Check(sharp_theorem, "the same without eps_c, and half of the shift where it is attained"),
        formal=SHARP_9,
        proof="As D9, with D10t for the shift. The terms without the shift are attained at once, for all values: one "
        "state, two actions, critics C - eps_c and kappa, Q_r = B_r and -B_r, cloning losses 0 and L_d(pi_0), where "
        "C is the right side: the objectives of the two policies differ by gap, and J_c = C. The shift is attained "
        "alone, by two states that are never left, one of which costs c_max and is not in the data.",
        notes="For kappa > 0 the shift and the other terms are not attained together: where the data have more mass "
        "than the start V_c would have to be 0, and Q_max at least kappa.",
    ),
    Claim(
        id="D10",
        source="Safe-DQL, Theorem 9, Delta_occ",
        statement="Delta_occ = 2 B_c TV(mu_0, D_S) covers E_{mu_0} V_c - E_D V_c.",
        printed=Check(printed_shift, "a quarter of it"),
        proof="From D10t.",
        notes="Loose by 2: see D10t.",
    ),
    Claim(
        id="D10t",
        source="ours, sharpening Safe-DQL, Theorem 9",
        statement="Delta_occ = B_c TV(mu_0, D_S) suffices, and is attained.",
        assumptions="0 <= V_c <= B_c",
        printed=Check(shift_factor, "half of it"),
        formal=SHIFT,
        proof="E_{mu_0} V - E_D V = sum (mu_0 - D)(V - B_c/2) <= (B_c/2) |mu_0 - D|_1 = B_c TV, with equality where V "
        "is B_c on mu_0 > D and 0 elsewhere, as in a CMDP whose states are never left.",
    ),
    Claim(
        id="D11",
        source="Safe-DQL, Assumptions 2 and 5",
        statement="Theorem 9 holds without Assumptions 2 (coverage) and 5 (cloning controls the divergence).",
        assumptions="those of D9",
        printed=Check(without_coverage, "without Delta_occ"),
        formal=THEOREM_9,
        notes="The paper states it under Assumptions 1 to 6; its proof uses neither of the two. In the check all data "
        "are in one state, and the behaviour policy is almost deterministic.",
    ),
    Claim(
        id="D12",
        source="Safe-DQL, Assumption 6",
        statement="Where some policy satisfies J_c <= kappa, there is one with E_D ReLU(Q_max - kappa) = 0.",
        assumptions="the critics are the exact Q_c of a safe policy",
        formal=REFERENCE,
        counterexamples=("D12",),
        repair=Repair(
            "replacement",
            "It needs an action with Q_max <= kappa in every state of the data: a state-wise condition.",
            Check(reference, "instances without such an action"),
            proof="The hinges are not negative: their mean is 0 only where each is, at the states of the data. "
            "Conversely take an action with the least Q_max in every state.",
        ),
        notes="A state whose cost cannot be avoided violates it, however rarely it is visited. The check "
        "shows that the condition is what the reference of theory.npg.safe_dql needs.",
    ),
]

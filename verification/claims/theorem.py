"""Theorem 3.1: weights, output policy, rate, slack and step size; what is true instead; where fixed slacks stall."""

from verification.checker.certify import Statement
from verification.claims.checks.theorem import (
    both,
    dichotomy,
    first_version,
    gap,
    informative,
    mixture_value,
    stalled_gap,
    step_size,
    stuck,
    total_weight,
    violation,
)
from verification.claims.claim import Check, Claim, Repair
from verification.claims.terms import ADVANTAGES, BAND, FISHER, WEIGHTS

MIX = {"V_1": "value(P,c,gamma,pi_1)", "V_2": "value(P,c,gamma,pi_2)", "V_mix": "value(P,c,gamma,(pi_1+pi_2)/2)"}
OCCUPANCY = {"d_1": "visits(P,rho,gamma,pi_1)", "d_2": "visits(P,rho,gamma,pi_2)"}
WEIGHTED = "sum(rho*value(P,c,gamma,(d_1*pi_1+d_2*pi_2)/(d_1+d_2)))"
BOTH_SAFE = ["sum(rho*V_1) <= limit", "sum(rho*V_2) <= limit"]
ABOVE = ["r+multiplier*c+gamma*expect(P,v)-v <= 0", "multiplier >= 0"]
T15 = Statement(
    {},
    [
        *ABOVE,
        "sum(rho*value(P,c,gamma,pi_star)) <= limit",
        "sum(rho*value(P,c,gamma,pi)) > limit",  # some policy has weight
    ],
    "sum(rho*value(P,r,gamma,pi_star)) <= sum(rho*v)-multiplier*limit",
)
PRINTED_H_PLUS = "2*sqrt(S*A/((1-gamma)**3*T))*(eps+4*M**2+6*M)"
T2 = Statement(
    {"S": "len(rho)", "A": "len(c[0])", "h_plus": PRINTED_H_PLUS, "others": "T*sum(rho*v)/(limit-h_minus)"},
    ["T > 0", "max(c) <= M", "h_minus == 0", "h_plus > 0", "limit > h_minus", "c+gamma*expect(P,v)-v <= 0"],
    "others >= T/2",
)
S1 = Statement(
    ADVANTAGES | FISHER | WEIGHTS | {"u": "x*A_r-y*A_c"},
    [*BAND, "rc < 0", "u == 0", "sum(rho*value(P,c,gamma,pi_star)) <= limit"],
    "reward <= 0",
)
PRINTED_ETA = {"pairs": "S*A*M**2", "bound_47": "4/T*(eps/eta+2*eta*pairs*T/(1-gamma)**3)"}

PROOF_THEOREM = """Sum the identity I0 over t: sum_t x_t (V_r* - V_r^t) + y_t (V_c^t - V_c*) <= R, where R = KL_0/eta +
eta T K and eta K bounds the last term of one iteration (below). As h- = 0, no cost term is negative, and each is at
least h+ (1 - 2 x_t): unsafe iterations have x = 0, y = 1 and V_c^t - V_c* > h+ (V_c* <= l); safe ones x = 1, y = 0; in
the band x >= 1/2 (1/2, or 1/2 - rc/(2 rr) with rc < 0) and V_c^t > l >= V_c*. With G = sum x_t (V_r* - V_r^t) and X =
sum x_t, G <= R and G + h+ (T - 2 X) <= R. Let h+ >= R/T. If 2 X < T, G <= R - (R/T)(T - 2 X) = 2 R X/T, else G <= R <=
2 R X/T: the gap G/X is at most 2R/T. X is positive: otherwise every iteration is unsafe, and the cost terms alone
exceed T h+ >= R (unsafe means V_c^t > l + h+, strictly; with the printed >= this fails where h+ = R/T). Violation:
every iteration with positive weight has V_c^t <= l + h+, and the mixture's cost is their weighted mean. CRPO has
weights 0 and 1, and 1 - x_t in the place of 1 - 2 x_t: the gap is at most R/T.
With h+ = 2R/T: where at least T/2 iterations are unsafe the cost terms are at least R, so that G <= 0 (T2); where X <
T/4, h+ (T - 2 X) >= R, and G <= 0 again (W2).
The last term: in A- or Q-space g = (g_r^+ + g_c^+)/2 or the mean of the gradients, hence |u|_2^2 <= (|g_r|^2 +
|g_c|^2)/2 <= S A M^2/(1-gamma)^2; two entries of u differ by at most sqrt(2) |u|_2, and Hoeffding's lemma gives K = S
A M^2/(4 (1-gamma)^4). With weights clipped at X each, u has span 2 X M/(1-gamma) and K = X^2 M^2/(2 (1-gamma)^4); x >=
1/2 survives. Safe and unsafe iterations have u = A_r or -A_c, and their last term is at most eta M^2/(8 (1-gamma)^4),
within eta K because 1/8 <= S A/4. R is least at eta = sqrt(KL_0/(T K)), where it is 2 sqrt(KL_0 K T)."""

CLAIMS = [
    Claim(
        id="T2",
        source="DRCORL, text below Eq. (45)",
        statement="With h- = 0 and the printed h+, |S_unsafe| + |S_align| + |S_conflict| >= T/2.",
        formal=T2,
        counterexamples=("T2",),
        repair=Repair(
            "replacement",
            "A dichotomy, with h+ = 2R/T and the rules of TC: at most half of the iterations are unsafe, or sum x_t "
            "(V_r* - V_r^t) <= 0.",
            Check(dichotomy, "a slack of a thousandth of 2R/T"),
            proof="In the proof of TC.",
        ),
        notes="It should count the safe set. v >= c + gamma P v bounds the cost of every policy. An iteration is in "
        "one of the three sets only if V_c >= l - h-, so at most T <rho, v>/(l - h-) iterations are, which the formal "
        "statement calls `others`. The instance has no cost, and at most T/10 iterations are in the three sets. The "
        "printed h+ is positive, so that the four sets do not overlap.",
    ),
    Claim(
        id="W1",
        source="DRCORL, Eq. (46) with Eqs. (47), (49)",
        statement="The state-wise mixture of safe policies is safe, for its value is the weighted mean of theirs.",
        formal=Statement(MIX, BOTH_SAFE, "sum(rho*V_mix) <= limit"),
        counterexamples=("W1",),
        sound=Statement(MIX | OCCUPANCY, BOTH_SAFE, f"{WEIGHTED} <= limit"),
        repair=Repair(
            "replacement",
            "A trajectory mixture has, and so has pi proportional to sum_t w_t d_t(s) pi_t(a|s).",
            Check(mixture_value, "the state-wise mixture"),
            proof="The occupancy d(s) pi(a|s) is linear in the mixture of trajectories, and values are linear in it.",
        ),
        notes="Found by the search, with small rationals.",
    ),
    Claim(
        id="W2",
        source="DRCORL, weights below Eq. (46)",
        statement="The weights are the factors of V_r* - V_r^t in Eqs. (40) to (43).",
        formal=Statement(
            {"rr": "sum(g_r*g_r)", "rc": "sum(g_r*g_c)", "cc": "sum(g_c*g_c)"}, ["rc < 0"], "1/2-rc/rr == 1/2-rc/(2*rr)"
        ),
        counterexamples=("W2",),
        repair=Repair(
            "replacement",
            "w_t = x_t: 1 safe, 1/2 aligned, 1/2 - rc/(2 rr) in conflict, 0 unsafe; with h+ = 2R/T and the rules of TC "
            "they sum to T/4 at least, or the sum of x_t (V_r* - V_r^t) is not positive.",
            Check(total_weight, "the printed weights, without cost: their sum is 0"),
            proof="In the proof of TC.",
        ),
        notes="The printed weights are 0 on the unsafe set and undefined on the safe set: where every iterate is safe "
        "(as at c = 0) the output is 0/0. The conflict "
        "weight lacks the 1/2 of Eq. (43). Eq. (49) gives the safe set weight 1 and divides by the norm of g_c where "
        "Eq. (46) uses g_r.",
    ),
    Claim(
        id="T15",
        source="DRCORL, Theorem 3.1, Eqs. (15), (46) to (48); slide 11",
        statement="The gap of the weighted policy is O(sqrt(S A/((1-gamma)^3 T))), with the weights printed below "
        "Eq. (46).",
        formal=T15,
        counterexamples=("T15",),
        repair=Repair(
            "replacement",
            "It closes with weight 1 on the safe set: gap <= 2R/T (TC).",
            Check(gap, "the printed weights on the instance of the certificate, T = 1600"),
            proof="In the proof of TC.",
        ),
        reading="The safe set, to which Eq. (46) gives no weight, has weight 0; T15b takes Eq. (49)'s weight 1.",
        notes="S=1, gamma=1/2, r=(1, 0, 0), c=(0, 1, 1/2), l=9/10, h-=0. Only iterates with V_c > l have weight; every "
        "such policy has V_r <= 11/10 (v and the multiplier prove it) where V_r* = 2, so that the gap is at least "
        "9/10 at every T and step size. From the uniform start it is above 1.26 up to T = 10 000.",
    ),
    Claim(
        id="T15b",
        source="DRCORL, Theorem 3.1, Eq. (15), with the weights of Eq. (49)",
        statement="The gap of the weighted policy is O(1/sqrt(T)), with weight 1 on the safe set.",
        formal=Statement(
            MIX, ["sum(rho*V_1) <= limit", "sum(rho*V_2) <= limit"], "sum(rho*V_mix) <= sum(rho*(V_1+V_2))/2"
        ),
        counterexamples=("T15b",),
        repair=Repair(
            "correction",
            "For a trajectory mixture with the constants of TC (with (1-gamma)^4 for (1-gamma)^3 under the root).",
            Check(gap, "the printed weights"),
            proof="In the proof of TC.",
        ),
        reading="Weight 1 on the safe set, as Eq. (49) has it.",
        notes="What fails as printed is the step to the state-wise mixture of Eq. (46): its value is not the mean "
        "(W1). Whether the printed rate in 1-gamma can be reached by a better proof is not decided here.",
    ),
    Claim(
        id="T16",
        source="DRCORL, Theorem 3.1, Eqs. (16), (49); slide 11",
        statement="V_c - l of the weighted policy is at most the weighted mean of V_c^t - l, hence O(h+).",
        formal=Statement(MIX, [], "sum(rho*V_mix)-limit <= (sum(rho*V_1)-limit+sum(rho*V_2)-limit)/2"),
        counterexamples=("T16",),
        repair=Repair(
            "correction",
            "For a trajectory mixture, exact critics and weight 0 on the unsafe set the violation is at most h+.",
            Check(violation, "the gate underestimates the cost by four times the slack that is claimed"),
            proof="Every iteration with weight has V_c^t <= l + h+, by the definition of the regions.",
        ),
        notes="With the trajectory mixture the check cannot fail by itself. Its negative controls are the state-wise "
        "mixture (the certificate) and an error of the gate.",
    ),
    Claim(
        id="TC",
        source="ours: Theorem 3.1 corrected",
        statement="For every slack h+ >= R/T: gap <= 2R/T and violation <= h+ of the trajectory mixture with weights "
        "x_t, R = KL_0/eta + eta T K; best eta: gap <= 2 M sqrt(KL_0 S A/T)/(1-gamma)^2.",
        assumptions="exact critics; r, c in [0, M]; pi* within the budget, and covered by pi_0 where d* > 0; h- = 0; "
        "K = S A M^2/(4 (1-gamma)^4) with the projection in A- or Q-space, X^2 M^2/(2 (1-gamma)^4) with weights "
        "clipped at X >= 1/2 each in any metric; CRPO: K = M^2/(8 (1-gamma)^4) and gap <= R/T; at the best eta KL_0 "
        "> 0 and M > 0",
        printed=Check(both, "the printed weights, and an erring gate"),
        proof=PROOF_THEOREM,
        notes="The ratios are of both inequalities, at h+ = R/T. The violation comes close to its bound (see T16), the "
        "gap does not (T15b). Clipped weights and CRPO need no factor S A: the paper's sqrt(S A) is an artefact there. "
        "The plain projection, whose weights are unbounded, needs a factor that grows with S A (TCs).",
    ),
    Claim(
        id="TCs",
        source="ours: the factor S A of Theorem 3.1",
        statement="The plain projection needs a factor that grows with S A: whatever T there is a CMDP on which the "
        "gap of its mixture is 1/4 - h+, for every eta and every h+ up to 1/8; so no K without S A, however large, "
        "will do in TC.",
        assumptions="projection in A- or Q-space without a clip; M = 1, gamma = 0, A = 2, KL_0 <= log 2, S = (6 T + "
        "2)^2 + 2",
        printed=Check(stuck, "weights clipped at 1"),
        proof="All but two states are never visited, and count in the inner products all the same. n^2 of them pay 1/n "
        "and cost 1, so that rr = 3 k, rc = -(1 + n) k, and the first weight is x = (n + 4)/6. The start is in the "
        "band; that one step takes the cost far above l + h+, by n - 2 over 6 steps of a cost step's size, and the "
        "other T - 1 iterations, which have weight 0, do not bring it back. The mixture is the start.",
        notes="Below T = sqrt(S)/6 the gap does not move; TC's bound sqrt(S A/T) says nothing before T = S A. Which "
        "power of S A is right between the two is open. With clipped weights "
        "there is no such factor. The number of states is part of the theorem; by TC, T/500 + 1 states would not do "
        "for every T, which is the broken version that Coq refutes.",
    ),
    Claim(
        id="TC4",
        source="ours: Theorem 3.1 corrected, our first constants",
        statement="gap <= 4R/T and violation <= h+ = 2R/T with K = S A M^2/(2 (1-gamma)^4); best eta: gap <= 4 M "
        "sqrt(2 KL_0 S A/T)/(1-gamma)^2.",
        assumptions="those of TC, with the projection in A- or Q-space",
        printed=Check(first_version, "a hundredth of both bounds"),
        proof="From TC: this R is at least TC's, and h+ = 2R/T at least R/T.",
        notes="Kept for comparison: the bound on the gap is 2 sqrt(2) times that of TC.",
    ),
    Claim(
        id="E48",
        source="DRCORL, choice of eta above Eq. (48)",
        statement="With that step size Eq. (47)'s right side is at most Eq. (48)'s.",
        formal=Statement(
            PRINTED_ETA, ["eta**2*2*eta*pairs == eps*(1-gamma)**3"], "bound_47 <= sqrt(64*eta*pairs/((1-gamma)**3*T))"
        ),
        counterexamples=("E48",),
        repair=Repair(
            "replacement",
            "eta = sqrt(KL_0/(T K)), which falls with T; then 2R/T is proportional to 1/sqrt(T).",
            Check(step_size, "the printed step size, solved for eta"),
            proof="a/eta + b eta is least at eta = sqrt(a/b).",
        ),
        notes="At eps_offline = 0 the printed equation gives eta^3 = eps (1-gamma)^3/(2 S A M^2), free of T, and the "
        "remainder 8 eta S A M^2/(1-gamma)^3 never falls.",
    ),
    Claim(
        id="H1",
        source="DRCORL, h+ below Eq. (45)",
        statement="The printed slack h+ is below the range M/(1-gamma) of V_c, so that a policy can be unsafe.",
        formal=Statement({"h_plus": PRINTED_H_PLUS}, [], "h_plus <= M/(1-gamma)"),
        counterexamples=("H1",),
        repair=Repair(
            "assumption",
            "T >= 4 S A (eps + 4 M^2 + 6 M)^2/((1-gamma) M^2).",
            Check(informative, "a quarter of that T"),
            proof="Solve h+ <= M/(1-gamma) for T.",
        ),
        notes="Below that T the bound on the violation is vacuous. For S=A=2, gamma=9/10, M=eps=1 it takes T >= 19 "
        "360.",
    ),
    Claim(
        id="S1",
        source="ours, on DRCORL, Algorithm 3 with fixed slacks",
        statement="With fixed slacks h+ and h- the gap of the iterates closes.",
        formal=S1,
        counterexamples=("S1",),
        repair=Repair(
            "replacement",
            "Stalls happen at the wrong budget only: the gap at the stall is at most V*(l) - V*(l - h-).",
            Check(stalled_gap, "half of that difference"),
            proof="A step that changes nothing has u = x A_r - y A_c constant in every state, hence 0, as E_pi u = 0. "
            "By the performance difference lemma x (V_r' - V_r) = y (V_c' - V_c) for every policy: none with V_c' <= "
            "V_c earns more, and V_c >= l - h- in the band.",
        ),
        notes="r=c=(0, 1), gamma=1/2, l=5/4, h+=h-=1/2, uniform start: the angle is 180 degrees, g = 0, and the gap "
        "1/4 stays for ever. The instances of the check have one state and r = c; the theorem is about any CMDP, x > 0 "
        "and y >= 0.",
    ),
]

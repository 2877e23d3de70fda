"""Objectives and critics: what Eqs. (11), (17), (19), (24) to (26), (35), (38), (39) and appendix B.1 say."""

from verification.checker.certify import Statement
from verification.claims.checks.critics import (
    coverage,
    episodic,
    evaluation_operator,
    expectile,
    jensen,
    normalised,
    objectives,
    pessimism,
    uniform_accuracy,
)
from verification.claims.claim import Check, Claim, Repair

PIN = "tau*sum(positive(samples-{0}))+(1-tau)*sum(positive({0}-samples))"
TWO_MODELS = {
    "Q_0": "value(P_0,c,gamma,pi)",
    "Q_1": "value(P_1,c,gamma,pi)",
    "kl": "KL(P_0[0][0],P_1[0][0])",
    "N": "C*log(F/delta)/(eps*(1-gamma)**4)",
}
MODELS_DIFFER = [
    "delta < 1",
    "F >= 2",
    "C >= 1",
    "max(c) <= 1",
    "sum(abs(P_0-P_1)) == sum(abs(P_0[0][0]-P_1[0][0]))",
    "Q_1[0]-Q_0[0] > 2*eps",
]
"""Costs lie in [0, 1], the class holds both models' values, the models differ at the first pair alone, and these values
by more than 2 eps."""
EPISODE = {
    "V": "value(P,c,gamma,pi)",
    "one": "rows(pi*c)",
    "two": "rows(pi*(c+expect(P,one)))",
    "three": "rows(pi*(c+expect(P,two)))",
    "four": "rows(pi*(c+expect(P,three)))",
}
MEASURED_Q = {"V": "value(P,c,gamma,pi)", "Q": "c+gamma*expect(P,V)"}

CLAIMS = [
    Claim(
        id="O1",
        source="DRCORL, Eq. (11) against Eq. (21); slide 7",
        statement="Eqs. (11) and (21) are one cost objective: they order policies alike.",
        formal=Statement(
            {
                "eleven_1": "sum(rho*value(P,r-c,gamma,pi_1))-sum(KL(pi_1,pi_b))",
                "eleven_2": "sum(rho*value(P,r-c,gamma,pi_2))-sum(KL(pi_2,pi_b))",
                "cost_1": "-sum(rho*value(P,c,gamma,pi_1))-sum(KL(pi_1,pi_b))",
                "cost_2": "-sum(rho*value(P,c,gamma,pi_2))-sum(KL(pi_2,pi_b))",
            },
            [],
            "(eleven_1-eleven_2)*(cost_1-cost_2) >= 0",
        ),
        counterexamples=("O1",),
        repair=Repair(
            "replacement",
            "They order policies alike where the reward is constant. Eq. (11) is the Lagrangian objective of Eq. (22).",
            Check(objectives, "the term V_r of Eq. (11)"),
            proof="Values are linear in the payoff, and that of a constant reward is the same for all policies.",
        ),
        notes="(11) contains V_r, (21) and slide 7 do not. lambda = beta = 1 in the certificate.",
    ),
    Claim(
        id="C1",
        source="DRCORL, text below Eq. (17)",
        statement="The minimiser of E L_2^tau(x - v) is the tau-quantile of x.",
        formal=Statement(
            {"at_q": PIN.format("q")},
            [
                "tau < 1",
                "len(samples) == 3",
                "q == samples[1]",
                # the only quantile: where there are several, one of them may be the minimiser
                *(f"at_q < {PIN.format(f'samples[{i}]')}" for i in (0, 2)),
            ],
            "tau*sum(positive(samples-q)) == (1-tau)*sum(positive(q-samples))",
        ),
        counterexamples=("C1",),
        repair=Repair(
            "replacement",
            "It is the tau-expectile.",
            Check(expectile, "the sample quantile in its place"),
            proof="The loss is convex with a Lipschitz slope, which is 0 exactly where tau E max(0, x - v) = (1-tau) E "
            "max(0, v - x).",
        ),
        notes="Wording. x = 0, 1, 3 with tau = 1/2: q = 1 is the median (it minimises the pinball loss among the "
        "points, which are where a minimum lies), the minimiser is the mean 4/3; the conclusion is its first-order "
        "condition.",
    ),
    Claim(
        id="C2",
        source="DRCORL, Eq. (19)",
        statement="The minimiser of Eq. (19) is a cost critic on whose value the gate of Algorithm 3 can decide.",
        formal=Statement(
            {**MEASURED_Q, "limit": "cost_limit/((1-gamma)*L)"},
            ["2*(Q_hat-c-gamma*expect(P,rows(pi*Q_hat))) == alpha*pi/mu", "max(V) <= limit"],
            "sum(rho*rows(pi*Q_hat)) <= limit",
        ),
        counterexamples=("C2",),
        repair=Repair(
            "replacement",
            "With alpha (E_pi Q_c - E_data Q_c) in the place of alpha E_pi Q_c the minimiser is the regression's "
            "target plus (alpha/2) (pi/pi_b - 1), which is the target where pi is the data's policy.",
            Check(pessimism, "the printed form, with alpha E_pi Q_c alone"),
            proof="Complete the square at every pair.",
        ),
        notes="The project's critic also clamps its targets, and takes alpha = 0 for the gate and every estimate. "
        "Eq. (19) also writes r for c, and minimises over pi where Q is meant. Its minimiser is biased by "
        "(alpha/2) pi/pi_b per sweep. On the data's policy the bias is alpha/(2 (1-gamma)) = 10 at alpha = .2, gamma = "
        ".99. That is ten times the discounted limit kappa = 1 of 10 per 1000 steps. The instance has no cost, and its "
        "policy counts as unsafe for ever.",
    ),
    Claim(
        id="C4",
        source="DRCORL, text before Eq. (24)",
        statement="E[min_i Q_i] <= min_i E[Q_i], over the estimation noise.",
        printed=Check(jensen, "the maximum in the place of the minimum"),
        proof="min_i Q_i <= Q_j for every j; take expectations, then the least j.",
    ),
    Claim(
        id="C5",
        source="DRCORL, Eqs. (24), (25)",
        statement="The upper confidence bound mean + k Std covers the true cost.",
        formal=Statement(
            {"mean": "sum(samples)/len(samples)", "variance": "sum((samples-mean)**2)/len(samples)"},
            ["k > 0"],
            "true <= mean+k*sqrt(variance)",
        ),
        counterexamples=("C5",),
        repair=Repair(
            "assumption",
            "Independent, unbiased, normal errors: with E = 4, k = 2 and the population's Std it covers with "
            "probability 98 %.",
            Check(coverage, "a common bias of minus one standard deviation"),
            proof="mean/(std/sqrt(E-1)) is Student's t with E-1 degrees of freedom; P(t_3 >= -2 sqrt(3)) = .9797.",
        ),
        notes="The spread does not show a common bias: at -1 sigma about 75 % are covered. With the sample's Std the "
        "numbers are 98.6 % and 82 %, so the convention matters. The check requires .97 in blocks of 5000.",
    ),
    Claim(
        id="C6",
        source="DRCORL, Eq. (26) and the text below it",
        statement="A policy whose normalised cost (C - C_min)/(l + eps) is below 1 is safe.",
        formal=Statement({}, ["least <= cost", "(cost-least)/(limit+epsilon) < 1"], "cost <= limit"),
        counterexamples=("C6",),
        repair=Repair(
            "replacement",
            "DSRL's own score (C + e)/(l + e), e = 1 only if l = 0, is at most 1 exactly where C <= l.",
            Check(normalised, "Eq. (26)"),
            proof="l + e is positive.",
        ),
        notes="l = 10, C_min = 5, C = 14, eps = 1/10: the score is .891.",
    ),
    Claim(
        id="B1",
        source="DRCORL, Eq. (35)",
        statement="T f = r + gamma E max_a' f(s', a') is the Bellman operator of policy evaluation: Q^pi = T Q^pi.",
        formal=Statement(MEASURED_Q, [], "c+gamma*expect(P,rowmax(Q)) == Q"),
        counterexamples=("B1",),
        sound=Statement(MEASURED_Q, [], "c+gamma*expect(P,rows(pi*Q)) == Q"),
        repair=Repair(
            "replacement",
            "Evaluation needs E_{a' ~ pi} for the maximum.",
            Check(evaluation_operator, "the maximum"),
            proof="V(s') = E_{a' ~ pi} Q(s', a').",
        ),
    ),
    Claim(
        id="B2",
        source="DRCORL, Eq. (38); slide 11",
        statement="N = C log(|F|/delta)/(eps (1-gamma)^4) samples give accuracy eps with probability 1 - delta.",
        assumptions="C does not depend on eps",
        formal=Statement(TWO_MODELS, MODELS_DIFFER, "exp(-N*kl)/4 <= delta"),
        counterexamples=("B2",),
        sound=Statement(TWO_MODELS, MODELS_DIFFER, "exp(-N*kl/eps)/4 <= delta"),
        notes="Two models whose values differ by more than 2 eps; all N samples fall on the pair that tells them "
        "apart. Whatever the estimator, it errs by more than eps with probability at least exp(-N KL)/4 in one of them "
        "(Bretagnolle and Huber), and KL is of order eps^2: 1/eps^2 samples are needed. Here C = 100 and eps = 10^-5; "
        "for other C scale eps as 1/C. The certificate depends on that inequality. No "
        "number of samples is claimed to be enough.",
    ),
    Claim(
        id="B3",
        source="DRCORL, Eq. (39)",
        statement="The critics of every iterate are within eps_offline of the truth, whatever the data cover.",
        assumptions="the norm, which is not named, is the supremum",
        formal=Statement(
            {"Q_1": "c_1+gamma*expect(P,value(P,c_1,gamma,pi))", "Q_2": "c_2+gamma*expect(P,value(P,c_2,gamma,pi))"},
            ["mu*(c_1-c_2) == 0"],
            "max(abs(Q_1-Q_2)) <= 2*eps",
        ),
        counterexamples=("B3",),
        repair=Repair(
            "assumption",
            "Every pair is covered: |Q_hat^pi - Q^pi| <= gamma c_max |P_hat - P|_1/(2 (1-gamma)^2) for all policies.",
            Check(uniform_accuracy, "a hundredth of it"),
            proof="Q_hat - Q = gamma (I - gamma P_hat_pi)^{-1} (P_hat - P) V, rows of P_hat - P sum to 0 and V has "
            "range c_max/(1-gamma); this holds for every policy at once, so that no union bound over iterates is "
            "needed.",
        ),
        notes="No critic can distinguish two models that agree wherever the data have mass. In one of them its error "
        "is at least half of their difference.",
    ),
    Claim(
        id="E1",
        source="DRCORL, appendix B.1",
        statement="The cost of an episode of L steps is (1-gamma) L V_c.",
        formal=Statement(EPISODE, [], "(1-gamma)*4*sum(rho*V) == sum(rho*four)"),
        counterexamples=("E1",),
        repair=Repair(
            "replacement",
            "It is exact from the stationary law of P_pi, from which every step costs the same.",
            Check(episodic, "a start in one state"),
            proof="J_c = (1-gamma) V_c is the cost of a step there.",
        ),
        notes="Cost at step 0 only, gamma=1/2, L=4: 2 against 1.",
    ),
]

"""What the compared methods depend on: CPQ's masked backup, COptiDICE's threshold, FISOR's value, CAPS's switch."""

from verification.checker.certify import Statement
from verification.claims.checks.compared import (
    contraction,
    feasibility,
    greedy_is_safe,
    slack_in_expectation,
    switch_without_chance,
    threshold_per_step,
)
from verification.claims.claim import Check, Claim, Repair

JOINT = {
    f"{name}_{i}": text.format(i=i)
    for i in (1, 2)
    for name, text in {
        "mask": "positive(kappa-Q_c{i})/(kappa-Q_c{i})",  # 1 where Q_c < kappa, 0 where Q_c > kappa
        "rewards": "r+gamma*expect(P,rows(pi*mask_{i}*Q_r{i}))",
        "costs": "c+gamma*expect(P,rows(pi*Q_c{i}))",
    }.items()
}
MASKED = {"mask": "positive(kappa-Q_c)/(kappa-Q_c)", "score": "mask*Q_r"}
FEASIBLE = {
    "height": "(1+penalty)*c-1",  # h for costs of 0 and 1
    "onward": "expect(P,v_1)",
    "Q_h": "(1-gamma)*height+gamma*(height+positive(onward-height))",
    "Q_c": "c+gamma*expect(P,v_2)",
}
UNDISCOUNTED = {
    "one": "rows(pi*c)",
    "two": "rows(pi*(c+expect(P,one)))",
    "three": "rows(pi*(c+expect(P,two)))",
    "four": "rows(pi*(c+expect(P,three)))",
}
LEAST = {"least_1": "rowmin(c)", **{f"least_{i}": f"rowmin(c+expect(P,least_{i - 1}))" for i in (2, 3, 4)}}

CLAIMS = [
    Claim(
        id="CPQ1",
        source="CPQ (Xu et al. 2022), the backups of both critics; our wording",
        statement="One step of both backups, r + gamma E 1[Q_c <= kappa] Q_r and c + gamma E Q_c, is a "
        "gamma-contraction of (Q_r, Q_c) in the maximum norm.",
        formal=Statement(
            JOINT,
            [],
            "max(abs(rewards_1-rewards_2),abs(costs_1-costs_2)) <= gamma*max(abs(Q_r1-Q_r2),abs(Q_c1-Q_c2))",
        ),
        counterexamples=("CPQ1",),
        repair=Repair(
            "assumption",
            "Q_c is the same on both sides, as once the cost critic has converged.",
            Check(contraction, "a cost critic on each side, which differ by a hundredth"),
            proof="The mask is a factor in [0, 1], and the rest of the backup a mean times gamma.",
        ),
        notes="The mask jumps where Q_c crosses kappa, so that the backup of Q_r is not even continuous. With one Q_c "
        "the mask is a factor in [0, 1] and E an average: |T Q - T Q'| <= gamma max |Q - Q'|.",
    ),
    Claim(
        id="CPQ2",
        source="CPQ (Xu et al. 2022), the policy's objective; our wording",
        statement="Where every state has an action with Q_c <= kappa, the policy that maximises 1[Q_c <= kappa] Q_r "
        "takes such actions.",
        assumptions="exact fixed points of both backups",
        formal=Statement(
            MASKED,
            [
                "Q_r == r+gamma*expect(P,rows(pi*score))",
                "Q_c == c+gamma*expect(P,rows(pi*Q_c))",
                "max(pi*(1-pi)) == 0",
                "min(rowmax(score)-score+pi) > 0",  # pi takes the only maximiser: of several, a safe one may be taken
                "max(rowmin(Q_c)) < kappa",
            ],
            "max(rows(pi*Q_c)) <= kappa",
        ),
        counterexamples=("CPQ2",),
        repair=Repair(
            "assumption",
            "Rewards are at least 0: an action with Q_c <= kappa then is among the maximisers.",
            Check(greedy_is_safe, "rewards below 0"),
            proof="The fixed point Q_r is at least 0: its least masked value b, or 0, satisfies b >= gamma b. Unsafe "
            "actions have the masked value 0.",
        ),
        notes="With rewards below 0 the mask makes costly actions attractive: their masked value is 0, the largest "
        "there is. The certificate has one state and a reward of -1 for both actions.",
    ),
    Claim(
        id="DICE1",
        source="COptiDICE in OSRL's code (03a4586); our wording",
        statement="A policy with E_d[c] <= kappa, d its normalised discounted visits, has a discounted cost of at most "
        "kappa.",
        formal=Statement(
            {"mean": "sum(visits(P,rho,gamma,pi)*rows(pi*c))"},
            ["mean <= kappa"],
            "sum(rho*value(P,c,gamma,pi)) <= kappa",
        ),
        counterexamples=("DICE1",),
        sound=Statement(
            {"mean": "sum(visits(P,rho,gamma,pi)*rows(pi*c))"},
            ["mean <= kappa"],
            "(1-gamma)*sum(rho*value(P,c,gamma,pi)) <= kappa",
        ),
        repair=Repair(
            "replacement",
            "E_d[c] = (1-gamma) V_c: the threshold on E_d[c] is (1-gamma) kappa.",
            Check(threshold_per_step, "kappa itself"),
            proof="Sum the Bellman equation of V_c over d.",
        ),
        notes="The code compares a mean cost per step with a discounted sum, 1/(1-gamma) times as much. Costs of at "
        "most 1 per step then never bind at kappa >= 1: at gamma = .99, a policy that costs 1 in every step passes "
        "for a limit of 10 in 1000 steps.",
    ),
    Claim(
        id="FISOR1",
        source="FISOR (Zheng et al. 2024), the discounted feasible value; our wording",
        statement="V_h(s) <= 0 only where some policy never has a cost from s on.",
        assumptions="V_h is the fixed point of V_h(s) = min_a (1-gamma) h + gamma max(h, V_h(s')); deterministic "
        "transitions; h = -1 without a cost",
        formal=Statement(
            FEASIBLE,
            [
                "penalty > 0",
                "max(c*(1-c)) == 0",
                "max(P*(1-P)) == 0",
                "rowmin(Q_h) == v_1",
                "rowmin(Q_c) == v_2",
                "v_1[0] <= 0",
            ],
            "v_2[0] <= 0",
        ),
        counterexamples=("FISOR1",),
        repair=Repair(
            "assumption",
            "A cost that cannot be avoided is k steps away with gamma^k (1 + h_max) > 1: at gamma = .99 and h_max = 25 "
            "at most 324 steps.",
            Check(feasibility, "gamma = 1/30 at h_max = 25"),
            proof="By induction over k: where every sequence of actions meets a cost within k steps, V_h >= gamma^k (1 "
            "+ h_max) - 1.",
        ),
        notes="Where a cost of height h_max is k steps away for certain, V_h = gamma^k (1 + h_max) - 1. The other "
        "direction always holds: where some policy never has a cost, V_h = -1. As gamma -> 1 both hold.",
    ),
    Claim(
        id="CAPS1",
        source="CAPS (Chemingui et al. 2025), the switch; our wording",
        statement="Where some policy costs nothing from the start, an episode of the switch costs at most the limit.",
        assumptions="the switch takes an action of the reward only where the least discounted cost after it is below "
        "kappa_t, the budget left as a discounted sum at a constant rate; exact Q_c; deterministic transitions",
        formal=Statement(
            {
                "Q_c": "c+gamma*expect(P,v)",
                "threshold": "limit*(1+gamma+gamma**2+gamma**3)/4",
                **UNDISCOUNTED,
            },
            [
                "gamma > 0",
                "rowmin(Q_c) == v",
                "sum(rho*v) == 0",
                "rho[0] == 1",
                "max(pi*(1-pi)) == 0",
                "max(expect(P,rho)) == 0",  # no way back to the start, where the budget is whole
                "max(P*(1-P)) == 0",
                "sum(rows(pi*Q_c)-v) == rows(pi*Q_c)[0]-v[0]",  # the switch may leave the cheapest action in state 0
                "sum(rho*rows(pi*Q_c)) < threshold",
            ],
            "sum(rho*four) <= limit",
        ),
        counterexamples=("CAPS1",),
        repair=Repair(
            "assumption",
            "Costs to go and budgets are not discounted.",
            Check(switch_without_chance, "discounted ones, as the code has them"),
            proof="The cost so far plus the least cost to go stays within the limit: an action of the reward is taken "
            "only then, and the cheapest one does not change the sum.",
        ),
        notes="Discounting makes late costs cheap: in the certificate both costs come in the last two of four steps, "
        "their discounted sum is 3/8, and kappa_0 = 15/32 at the limit 1. After the first action there is no way "
        "back. Without discounting, an action is taken only if the budget left covers the least cost after it, and "
        "then covers it at the next step too.",
    ),
    Claim(
        id="CAPS2",
        source="CAPS (Chemingui et al. 2025), the switch; our wording",
        statement="The expected cost of an episode of the switch is at most the limit, where the least one is.",
        assumptions="exact least costs to go, not discounted; random transitions",
        formal=Statement(
            {"Q_c": "c+expect(P,v)", "below": "positive(limit-Q_c)/(limit-Q_c)", **UNDISCOUNTED, **LEAST},
            [
                "rowmin(Q_c) == v",
                "least_4 == v",  # v solves that equation also where a constant is added to it
                "sum(rho*v) <= limit",
                "rho[0] == 1",
                # The switch may leave the cheapest action in states 0 and 1. The budget is whole there: they cost
                # nothing, and only state 0 leads to state 1.
                "max(c[0]) == 0",
                "max(c[1]) == 0",
                "max(expect(P,rho)) == 0",
                "D[1] == 1",
                "sum(expect(P,D)) == sum(expect(P,D)[0])",
                "sum(rows(pi*Q_c)-v) == rows(pi*Q_c)[0]-v[0]+rows(pi*Q_c)[1]-v[1]",
                "sum(pi*(1-below)*(Q_c-v)) == 0",
            ],
            "sum(rho*four) <= limit",
        ),
        counterexamples=("CAPS2",),
        repair=Repair(
            "replacement",
            "A slack, limit - V_c(s_0) at the start, that each action lowers by Q_c(s, a) - V_c(s), whatever the costs "
            "turn out to be, and that is never below 0, keeps the expected cost within the limit.",
            Check(slack_in_expectation, "the budget left by the costs that occurred"),
            proof="By induction over the steps that are left: the expected cost is at most the least one plus the "
            "slack.",
        ),
        notes="After luck the switch takes the same risk again: in the certificate a risk of cost 1/2 at the limit 3/5 "
        "is taken in both states, the second time where the first cost nothing; the mean cost is 3/4. The slack sums "
        "to E sum (Q_c - V_c) <= limit - V_c(s_0), which is the expected cost above the least one.",
    ),
]

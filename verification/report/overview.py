"""The report's first pages: the papers, the story of Theorem 3.1, and what every claim says and how much it matters."""

from typing import NamedTuple


class Paper(NamedTuple):
    """A paper that the claims are about."""

    short: str
    title: str
    authors: str
    year: int
    where: str
    link: str


PAPERS = (
    Paper(
        "DRCORL",
        "Reward-Safety Balance in Offline Safe RL via Diffusion Regularization",
        "Junyu Guo, Zhi Zheng, Donghao Ying, Ming Jin, Shangding Gu, Costas Spanos, Javad Lavaei",
        2025,
        "arXiv:2502.12391, version 1; at NeurIPS 2025 as Don't Trade Off Safety: Diffusion Regularization for "
        "Constrained Offline RL",
        "https://arxiv.org/abs/2502.12391",
    ),
    Paper(
        "Safe-DQL",
        "Safe Offline Reinforcement Learning using Diffusion Policies: Extended Abstract",
        "Ankita Kushwaha, Kiran Ravish, Preeti, Pawan Kumar, Anuj Mahajan",
        2026,
        "AAMAS 2026",
        "https://doi.org/10.65109/QVZU7986",
    ),
)

WEIGHTS = {
    "holds": "true as it stands",
    "slip": "a wrong sign, word or factor; what was meant is clear, and nothing else changes",
    "repairable": "false, or true under a condition that is not stated; a true version serves the same purpose",
    "fatal": "what is written does not do its work, and the algorithm, the output or the claim has to change",
}
"""How much a verdict matters."""

SUMMARIES: dict[str, tuple[str, str]] = {
    "G1": ("The entropy of a Gaussian policy in closed form.", "holds"),
    "G2": ("The cross entropy of a Gaussian policy as an expectation over noise.", "holds"),
    "G3": ("The gradient of the reverse divergence from the behaviour, through its score.", "holds"),
    "G4": ("The score of the noised behaviour from the predicted noise.", "holds"),
    "C3": ("The regularised policy gradient, Eq. (23): the sign of the score term is wrong.", "slip"),
    "K1": (
        "The optimal policy of the regularised objective is the tilted behaviour: for the wrong expectation.",
        "slip",
    ),
    "M1": (
        "The manipulated gradient raises both objectives at every angle below 180 degrees: the printed cases leave "
        "out the angle 0.",
        "slip",
    ),
    "M2": ("Which gradient is projected on which: the text swaps the two.", "slip"),
    "M3": ("A manipulated step improves both objectives whatever its size: only short steps do.", "repairable"),
    "S2": (
        "The step ascends both objectives whatever metric the projection is taken in: only in the Fisher metric.",
        "repairable",
    ),
    "P1": (
        "Proposition 3.1: a policy near the behaviour costs little more than it. True, though its proof is not.",
        "holds",
    ),
    "P1t": ("Proposition 3.1 with half the excess or less.", "holds"),
    "P1s": ("Proposition 3.1 with the power 3/2 of the horizon in the place of 2, which is the right one.", "holds"),
    "P1v": ("Proposition 3.1 by total variation, with an excess that is attained.", "holds"),
    "P2": ("A step of Proposition 3.1's proof, which lacks an absolute value.", "repairable"),
    "P3": ("The other steps of that proof.", "holds"),
    "A1": ("Two ways to bound the distance from the behaviour are one: one implies the other, not conversely.", "slip"),
    "N1": (
        "The natural gradient with the Fisher matrix of Eq. (14) is the softmax update: with that matrix it can fail "
        "to learn at all; the update is that of the usual Fisher matrix.",
        "repairable",
    ),
    "I0": ("One update's progress, exactly.", "holds"),
    "I1": ("What one update loses to its finite step.", "holds"),
    "L40": ("The progress of a safe iteration: false near discount 1.", "repairable"),
    "L40c": ("What a critic's error costs one iteration.", "holds"),
    "L41": ("The progress of an unsafe iteration: the sign is reversed.", "repairable"),
    "L42": ("The progress of an aligned iteration: the cost's sign is reversed.", "repairable"),
    "L43": (
        "The progress of a conflicting iteration: a square is missing, and the cost's sign is reversed.",
        "repairable",
    ),
    "L44": ("The sum over all iterations: the reward's terms are dropped.", "repairable"),
    "T2": ("Half of the iterations lie in the regions that have weight: there may be none.", "fatal"),
    "W1": ("Mixing safe policies state by state is safe: it need not be; mixing trajectories is.", "repairable"),
    "W2": ("The printed weights are those of the proof: they are not.", "repairable"),
    "T15": ("Theorem 3.1, the gap: it does not close with the printed weights.", "fatal"),
    "T15b": (
        "Theorem 3.1, the gap, with weight on the safe iterations: true for another output and another power of "
        "the discount.",
        "repairable",
    ),
    "T16": ("Theorem 3.1, the violation: true for another output.", "repairable"),
    "TC": ("Theorem 3.1 as it is true, with a proof that a machine has checked.", "holds"),
    "TCs": ("Where gradients are projected without a clip, the factor S A cannot be left out.", "holds"),
    "TC4": ("The same with the larger constants of our first proof.", "holds"),
    "E48": (
        "The printed step size gives the printed rate: it does not depend on the number of iterations.",
        "repairable",
    ),
    "H1": (
        "The printed slack separates safe from unsafe policies: only after very many iterations.",
        "repairable",
    ),
    "S1": ("Fixed slacks close the gap: the iterates can stall for ever.", "fatal"),
    "O1": ("Two objectives of the paper are one: one contains the reward, the other does not.", "slip"),
    "C1": ("Expectile regression finds the quantile: it finds the expectile.", "slip"),
    "C2": (
        "Eq. (19) trains a cost critic that can decide on safety: its minimiser is biased by a multiple of the limit.",
        "fatal",
    ),
    "C4": ("The expected minimum of critics is at most the minimum of expected critics.", "holds"),
    "C5": (
        "Mean plus two standard deviations of an ensemble cover the true cost: not under a common bias.",
        "repairable",
    ),
    "C6": ("A normalised cost below 1 is safe: not with Eq. (26).", "slip"),
    "B1": ("Eq. (35) is the Bellman operator of evaluation: it has a maximum in the place of a mean.", "slip"),
    "B2": ("Enough samples for an accuracy eps: the power of eps is at least 2, not 1.", "repairable"),
    "B3": ("Critics are uniformly accurate whatever the data cover: coverage is needed.", "repairable"),
    "E1": ("An episode's cost from the discounted cost: exact from the stationary law alone.", "repairable"),
    "D7": ("A value is at most a threshold plus its excess.", "holds"),
    "D8": ("Pessimistic critics bound the true cost.", "holds"),
    "D9": ("Theorem 9: the learned policy's cost bound.", "holds"),
    "D9t": ("Theorem 9 with half of its last term; no constant in it can be lowered.", "holds"),
    "D10": ("What the data's states cost in that bound.", "holds"),
    "D10t": ("Half of it suffices.", "holds"),
    "D11": ("Two of the theorem's assumptions are not needed.", "holds"),
    "D12": (
        "A feasible problem has a policy without predicted excess: one unavoidable state is enough to prevent it.",
        "repairable",
    ),
    "CPQ1": ("CPQ's backups are a contraction: of the reward's critic alone, once the cost's is fixed.", "repairable"),
    "CPQ2": (
        "CPQ's policy takes safe actions where there are some: only where rewards are not negative.",
        "repairable",
    ),
    "DICE1": (
        "The threshold of COptiDICE's public code: 1/(1-gamma) times too large, so that it never binds.",
        "fatal",
    ),
    "FISOR1": (
        "A state with V_h <= 0 has a policy without costs: not where the cost that must come is far away.",
        "repairable",
    ),
    "CAPS1": (
        "CAPS's switch satisfies the limit without chance: discounting makes late costs too cheap.",
        "repairable",
    ),
    "CAPS2": (
        "CAPS's switch satisfies the limit on average: a budget that luck has left over is spent again.",
        "repairable",
    ),
}
"""What each claim says in words, and how much its verdict matters."""

STORY = (
    "Theorem 3.1 of the DRCORL preprint says that natural policy gradient with safe adaptation closes the optimality "
    "gap and the constraint violation like one over the root of the number of iterations T. As printed it is false. "
    "The output gives no weight to safe iterations (T15): on an instance with one state and three actions, which can "
    "be checked by hand, the gap stays at 9/10 or above for ever. It also mixes policies state by state, and such a "
    "mixture of safe policies need not be safe (W1). The inequality for one iteration has the wrong sign for the cost "
    "(L41 to L43) and one power of the horizon too few (L40), the printed step size does not fall with T (E48), and "
    "the count of iterations with weight is reversed (T2).",
    "With exact critics and these changes it is a theorem: safe iterations get weight 1, the weights of conflicts are "
    "halved (W2), the output is a trajectory mixture (draw one iterate with probability proportional to its weight and "
    "follow it), the step size and the slack are those below, h- is 0, and the power of 1-gamma under the root is 4. "
    "Coq checks all of it (TC): the bounds for any step size, and the best step size with its bound. The constants are "
    "2 sqrt(2) times better than those of our first proof (TC4):",
    "The proof uses an identity for one iteration (I0) and Hoeffding's lemma for its last term (I1). For clipped "
    "weights, in any metric, K is X^2 M^2/(2 (1-gamma)^4), and for CRPO it is M^2/(8 (1-gamma)^4): the factor S A is "
    "an artefact there. For the plain projection it is not (TCs): its weights are unbounded, and whatever T there is a "
    "CMDP on which its output is the start, so that no constant K without S A will do. That the gap stays there up to "
    "a T of the order of sqrt(S), where the theorem's bound asks for S A, leaves open which power is right; and so is "
    "whether (1-gamma)^3 can be had.",
    "Two other bounds were pushed as far as they go. Proposition 3.1 holds, for "
    "eps_adv >= 0, with (1-gamma)^{3/2} in the place of (1-gamma)^2, which is the right power (P1s); the best constant "
    "with it lies between a third of ours and ours. In total variation the constant is exact (P1v). Theorem 9 of "
    "Safe-DQL holds with half of its last term. Then every term of it is attained, that of an inexact minimiser too: "
    "no constant can be lowered (D9t).",
)
"""Theorem 3.1, and how far the other bounds go; the formulas of FORMULAS come after the second paragraph."""

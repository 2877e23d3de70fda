"""Which theorem is about which claim, why some claims have none, and a broken version of every theorem."""

from typing import NamedTuple

THEOREMS: dict[str, tuple[str, ...]] = {
    "K1": ("K1",),
    "M1": ("M1",),
    "M2": ("M2",),
    "M3": ("M3",),
    "S2": ("S2", "S2_derivative"),
    "P1": ("P1",),
    "P1t": ("P1t", "PDL", "Pinsker"),
    "P1s": ("P1s", "P1s_attained"),
    "P1v": ("P1v", "P1v_attained"),
    "P2": ("P2",),
    "P3": ("P3", "PDL", "Pinsker", "P1"),
    "A1": ("A1",),
    "N1": ("N1", "N1_gradient", "N1_cost"),
    "I0": ("I0", "values_exist"),
    "I1": ("I1",),
    "L40": ("L40_L41_L42",),
    "L40c": ("L40c",),
    "L41": ("L40_L41_L42",),
    "L42": ("L40_L41_L42",),
    "L43": ("L43",),
    "L44": ("L44",),
    "T2": ("T2",),
    "W1": ("W1",),
    "W2": ("W2",),
    "T15": ("TC",),
    "T15b": ("TC", "TC_best"),
    "T16": ("T16",),
    "TC": ("TC", "TC_best", "TC_gap", "TC_crpo", "runs_exist"),
    "TC4": ("TC4",),
    "TCs": ("SA_stuck", "SA_needed"),
    "E48": ("E48",),
    "H1": ("H1",),
    "S1": ("S1",),
    "O1": ("O1",),
    "C1": ("C1",),
    "C2": ("C2",),
    "C4": ("C4",),
    "C6": ("C6",),
    "B1": ("B1",),
    "B3": ("B3",),
    "E1": ("E1",),
    "D7": ("D7",),
    "D8": ("D8",),
    "D9": ("D9",),
    "D9t": ("D9t", "D9t_attained", "D9t_shift"),
    "D10": ("D10",),
    "D10t": ("D10t", "D10t_attained"),
    "D11": ("D9",),
    "D12": ("D12",),
    "CPQ1": ("CPQ1",),
    "CPQ2": ("CPQ2",),
    "DICE1": ("DICE1",),
    "FISOR1": ("FISOR1",),
    "CAPS1": ("CAPS1",),
    "CAPS2": ("CAPS2",),
}
"""Of a claim that holds the theorems prove the statement, of any other its correction."""

PARTS: dict[str, tuple[str, ...]] = {"G4": ("G4",)}
"""Theorems that prove a special case of a claim only; REASONS says what is missing."""

SAYS: dict[str, str] = {
    "S2": "the sign in the Fisher metric",
    "S2_derivative": "the derivative along any step",
    "P1t": "the bound, and that it is half of Eq. (13)'s or less",
    "P1": "Eq. (13), which is Eq. (34)",
    "PDL": "the performance difference lemma, which is Eq. (29)",
    "Pinsker": "Pinsker's inequality, Eq. (30)",
    "P3": "the three steps of Eq. (33)",
    "G4": "for data of finitely many points",
    "P1s": "the bound",
    "P1s_attained": "an instance with a third of it, at every discount",
    "P1v": "the bound",
    "P1v_attained": "an instance with all of it, at every discount and distance",
    "N1": "the matrix with occupancy weights, its solution, the closed form",
    "N1_gradient": "the gradient and the Fisher matrix are those of the softmax policy",
    "N1_cost": "the cost step",
    "I0": "the identity",
    "values_exist": "values and occupancies exist",
    "L40_L41_L42": "Eqs. (40) to (42) as corrected",
    "TC": "both bounds, for the projection, clipped weights and CRPO",
    "TC_best": "the best step size",
    "TC_gap": "the bound there in the form above",
    "TC_crpo": "CRPO's half of the gap",
    "runs_exist": "runs exist",
    "TC4": "the bounds, and their form at the best step size",
    "SA_stuck": "the mixture is the start, with the number of states",
    "SA_needed": "no K without S A will do",
    "D9t": "the bound",
    "D9t_attained": "all terms but the shift are attained at once, gap/lambda too",
    "D9t_shift": "the shift is attained",
    "D10t": "the bound",
    "D10t_attained": "it is attained",
    "statewise_mixture_is_unsafe": "over the reals",
    "eq_31_is_false": "over the reals",
    "A1_has_no_converse": "over the reals",
}
"""What a theorem says, where its claim has several or the name does not tell."""

REFUTATIONS: dict[str, tuple[str, ...]] = {
    "W1": ("statewise_mixture_is_unsafe",),
    "P2": ("eq_31_is_false",),
    "A1": ("A1_has_no_converse",),
}
"""Theorems over the reals that a printed statement is false; Certificates.v and Enclosures.v have the certificates."""

REASONS: dict[str, str] = {
    "G1": "Coq's standard library has no integral over R^d, so that neither the normalisation of the density nor "
    "E|z|^2 = d can be stated.",
    "G2": "It is a change of variables under an integral over R^d, which Coq's standard library does not have; over an "
    "abstract expectation of functions of z it is a definition.",
    "G3": "It differentiates an integral over R^d under its sign, which Coq's standard library does not have; over "
    "finitely many values of z it is the chain rule, and its left side no divergence of densities.",
    "G4": "Of data with any other law the density is an integral, which Coq's standard library has over intervals only."
    "",
    "C3": "It differentiates an integral over R^d under its sign, as G3 does.",
    "C5": "That mean and spread of four normal errors give Student's distribution is a statement about integrals over "
    "R^4, which Coq's standard library does not have.",
}
"""Why what is true of a claim is not machine-checked, or only in part: one sentence, which the report shows."""

MODULES = {"statewise_mixture_is_unsafe": "W1", "eq_31_is_false": "P2"}
"""The module in which a theorem of Counterexamples.v lies."""


class Control(NamedTuple):
    """A broken version of a theorem: `old`, which its statement contains, becomes `new`."""

    theorem: str
    old: str
    new: str


CONTROLS = (
    Control("D7", "kappa + mean", "99 / 100 * kappa + mean"),
    Control("D8", "(qmax q1 q2) + eps", "(qmax q1 q2)"),
    Control("D9", "kappa + eps + Ld", "kappa + Ld"),
    Control("D10", "2 * b * TV", "99 / 100 * b * TV"),
    Control("D10t", "b * TV", "99 / 100 * b * TV"),
    Control("D10t_attained", "= C / (1 - g) * TV", "= 101 / 100 * (C / (1 - g)) * TV"),
    Control("D9t", "kappa + eps + Ld", "kappa + Ld"),
    Control("D9t_attained", "J M V = kappa + eps", "J M V = 1 / 100 + kappa + eps"),
    Control("D9t_shift", "J M V = C / (1 - gamma M)", "J M V = 101 / 100 * (C / (1 - gamma M))"),
    Control("PDL", "/ (1 - gamma M) * ∑", "∑"),
    Control("Pinsker", "KL n p q / 2", "KL n p q / 3"),
    Control("P1", "/ (1 - gamma M) ^ 2", "/ (1 - gamma M)"),
    Control("P1t", "sqrt (eps_dist / 2) / (1", "sqrt (eps_dist / 3) / (1"),
    Control("P1s", "/ (1 - gamma M) / 2)", "/ (1 - gamma M) / 3)"),
    Control("P1s_attained", "/ 2) / 3 <= J", "/ 2) * (101 / 100) <= J"),
    Control("P1v", "((1 - gamma M) * (1 - gamma M * (1 - tau)))", "(1 - gamma M)"),
    Control("P1v_attained", "C * tau", "101 / 100 * C * tau"),
    Control("A1", "KL n p q <= e", "KL n p q <= 3 / 4 * e"),
    Control("M1", "~ (rc < 0 /\\ rc * rc = rr * cc) -> ", ""),
    Control("M2", "f i - rc / cc * f' i", "f i - rc / rr * f' i"),
    Control("M3", "2 * ascent / (L * square)", "201 / 100 * ascent / (L * square)"),
    Control("S2_derivative", "/ (1 - gamma M) ^ 2", "/ (1 - gamma M)"),
    Control("S2", "fisher_inner M d pi", "inner M"),
    Control("N1", "d s * pi s a * (w s a", "rho M s * pi s a * (w s a"),
    Control("N1_gradient", "adv M c V s a / (1 - gamma M)))", "adv M c V s a))"),
    Control("N1_cost", "(- fisher_inner", "(fisher_inner"),
    Control("I0", "/ eta * ∑", "∑"),
    Control("I1", "(x + y) ^ 2", "(x + y)"),
    Control("L43", "(x + y) ^ 2", "(x + y)"),
    Control("L40_L41_L42", "+ 2 * eta", "+ / 20 * eta"),
    Control("L40c", "3 * (1 + eta * m)", "4 / 3 * (1 + eta * m)"),
    Control("L44", "(x t + y t) ^ 2", "(x t + y t)"),
    Control("T2", "INR T / 2", "INR T / 7"),
    Control("W2", "INR T / 4", "INR T * (51 / 100)"),
    Control("W1", "(∑ t < T, w t * d t s) * mix s a = ∑ t < T, w t * d t s * pi", "mix s a = ∑ t < T, w t * pi"),
    Control("T16", "(forall t, (t < T)%nat -> l + h < J M (Vc t) -> w t = 0) -> ", ""),
    Control("TC", "R / INR T <= h ->", "4 / 5 * (R / INR T) <= h ->"),
    Control("TC_best", "mixture M T x Vr <= 2 * h", "mixture M T x Vr <= 4 / 5 * h"),
    Control("TC_gap", "= 2 * m", "= m"),
    Control("TC_crpo", "mixture M T x Vr <= R / INR T", "mixture M T x Vr <= 4 / 5 * (R / INR T)"),
    Control("SA_stuck", "((6 * T + 2) ^ 2 + 2)%nat", "(T / 500 + 1)%nat"),
    Control("SA_needed", "projecting M r c l h space", "crpo l h"),
    Control("TC4", "h = 2 * R / INR T ->", "h = 7 / 25 * R / INR T ->"),
    Control("E48", "R (best T) <= R eta", "R (best T) <= 99 / 100 * R eta"),
    Control("H1", "4 * SA *", "361 / 100 * SA *"),
    Control(
        "C4",
        "E (fun w => minimum k (fun i => q i w)) <= minimum k (fun i => E (q i))",
        "minimum k (fun i => E (q i)) <= E (fun w => minimum k (fun i => q i w))",
    ),
    Control("C2", "alpha / 2 * (pi s a / mu s a - 1)", "alpha * (pi s a / mu s a - 1)"),
    Control("B3", "/ (2 * (1 - gamma M) ^ 2)", "/ (22 / 10 * (1 - gamma M) ^ 2)"),
    Control(
        "E1", "(forall s', (s' < nS M)%nat -> rho M s' = ∑ s < nS M, rho M s * ∑ a < nA M, pi s a * P M s a s') -> ", ""
    ),
    Control("K1", "beta * q s a", "101 / 100 * beta * q s a"),
    Control("P2", "2 * gamma M * eps_adv", "99 / 100 * gamma M * eps_adv"),
    Control("P3", "sqrt (2 * eps_dist)", "sqrt (4 / 3 * eps_dist)"),
    Control("O1", "(exists b, forall s a, (s < nS M)%nat -> (a < nA M)%nat -> r s a = b) -> ", ""),
    Control("C1", "= (1 - tau) * (", "= tau * ("),
    Control("C6", "(cost + e)", "cost"),
    Control("B1", "gamma M * ∑ s' < nS M", "∑ s' < nS M"),
    Control("D12", "0 < D s -> exists", "exists"),
    Control("S1", "l - h <= J M Vc", "l - 2 * h <= J M Vc"),
    Control("G4", "mean_noise j * v j) / sigma", "mean_noise j * v j)"),
    Control("CPQ1", "gamma M * e", "99 / 100 * gamma M * e"),
    Control("CPQ2", "0 <= r s a", "- / 1000 <= r s a"),
    Control("DICE1", "<= (1 - gamma M) * kappa", "<= kappa"),
    Control("FISOR1", "1 < g ^ k * (1 + h_max)", "1 < 4 / 3 * (g ^ k * (1 + h_max))"),
    Control("CAPS1", "limit - spent t", "limit"),
    Control("CAPS2", "cost L s (limit - V L s)", "cost L s limit"),
    Control("values_exist", "(V s))", "(V s / 2))"),
    Control("runs_exist", "pi 0%nat = pi_0", "pi 0%nat = pi_0 /\\ pi 1%nat = pi_0"),
)

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
    "A1": ("A1",),
    "N1": ("N1",),
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
    "T15b": ("TC",),
    "T16": ("TC",),
    "TC": ("TC", "TC_clipped", "TC_crpo", "runs_exist"),
    "TC4": ("TC4",),
    "E48": ("E48",),
    "H1": ("H1",),
    "C2": ("C2",),
    "C4": ("C4",),
    "B3": ("B3",),
    "E1": ("E1",),
    "D7": ("D7",),
    "D8": ("D8",),
    "D9": ("D9",),
    "D10": ("D10",),
    "D10t": ("D10t",),
    "D11": ("D9",),
}
"""Of a claim that holds the theorems prove the statement, of any other its correction."""

REFUTATIONS: dict[str, tuple[str, ...]] = {
    "W1": ("statewise_mixture_is_unsafe",),
    "P2": ("eq_31_is_false",),
    "D7": ("D7_broken",),
    "D8": ("D8_broken",),
    "D10t": ("D10t_broken",),
    "M1": ("M1_broken",),
    "M3": ("M3_broken",),
    "C4": ("C4_broken",),
    "E1": ("E1_broken",),
    "P1t": ("PDL_broken",),
}
"""Theorems over the reals that the printed statement is false, or a broken version of ours."""

REASONS: dict[str, str] = {
    "G1": "Coq's standard library has no Gaussian measures.",
    "G2": "Coq's standard library has no Gaussian measures; over an abstract expectation the claim is its definition.",
    "C5": "Coq's standard library has neither Student's distribution nor the sums that tabulate it.",
}
"""Why a claim with a written proof is not machine-checked."""

MODULES = {"statewise_mixture_is_unsafe": "W1", "eq_31_is_false": "P2", "E1_broken": "E1"}
"""The module in which a theorem of Counterexamples.v lies."""


class Control(NamedTuple):
    """A broken version of a theorem: `old`, which its statement contains, becomes `new`."""

    theorem: str
    old: str
    new: str


CONTROLS = (
    Control("D7", "kappa + mean", "kappa / 2 + mean"),
    Control("D8", "(qmax q1 q2) + eps", "(qmax q1 q2)"),
    Control("D9", "kappa + eps + Ld", "kappa + Ld"),
    Control("D10", "2 * b * TV", "b / 2 * TV"),
    Control("D10t", "b * TV", "b / 2 * TV"),
    Control("PDL", "/ (1 - gamma M) * ∑", "∑"),
    Control("Pinsker", "KL n p q / 2", "KL n p q / 3"),
    Control("P1", "/ (1 - gamma M) ^ 2", "/ (1 - gamma M)"),
    Control("P1t", "sqrt (eps_dist / 2)", "sqrt (eps_dist / 3)"),
    Control("A1", "KL n p q <= e", "KL n p q <= e / 2"),
    Control("M1", "~ (rc < 0 /\\ rc * rc = rr * cc) -> ", ""),
    Control("M2", "f i - rc / cc * f' i", "f i - rc / rr * f' i"),
    Control("M3", "2 * ascent / (L * square)", "4 * ascent / (L * square)"),
    Control("S2_derivative", "/ (1 - gamma M) ^ 2", "/ (1 - gamma M)"),
    Control("S2", "fisher_inner M d pi", "inner M"),
    Control("N1", "d s * pi s a * (w s a", "rho M s * pi s a * (w s a"),
    Control("I0", "/ eta * ∑", "∑"),
    Control("I1", "(x + y) ^ 2", "(x + y)"),
    Control("L43", "(x + y) ^ 2", "(x + y)"),
    Control("L40_L41_L42", "1 / (1 - gamma M) <= 16 * (INR (nS M) * INR (nA M)) -> ", ""),
    Control("L40c", "3 * (1 + eta * m)", "/ 100 * (1 + eta * m)"),
    Control("L44", "(x t + y t) ^ 2", "(x t + y t)"),
    Control("T2", "h = 2 * R / INR T", "h = R / INR T"),
    Control("W2", "h = 2 * R / INR T", "h = R / INR T"),
    Control("W1", "(∑ t < T, w t * d t s) * mix s a = ∑ t < T, w t * d t s * pi", "mix s a = ∑ t < T, w t * pi"),
    Control("TC", "<= 2 * R / INR T", "<= R / INR T"),
    Control("TC_clipped", "w ^ 2 * m ^ 2", "w * m ^ 2"),
    Control("TC_crpo", "Vr <= R / INR T", "Vr <= R / (2 * INR T)"),
    Control("TC4", "h = 2 * R / INR T", "h = R / (3 * INR T)"),
    Control("E48", "R best <= R eta", "R best <= R eta / 2"),
    Control("H1", "4 * SA *", "SA *"),
    Control("C2", "alpha / 2 * (pi / mu - 1)", "alpha * (pi / mu - 1)"),
    Control(
        "C4",
        "∑ w < n, p w * minimum k (q w) <= minimum k (fun i => ∑ w < n, p w * q w i)",
        "minimum k (fun i => ∑ w < n, p w * q w i) <= ∑ w < n, p w * minimum k (q w)",
    ),
    Control("B3", "/ (2 * (1 - gamma M) ^ 2)", "/ (200 * (1 - gamma M) ^ 2)"),
    Control(
        "E1",
        "(forall s', (s' < nS M)%nat -> rho M s' = ∑ s < nS M, rho M s * ∑ a < nA M, pi s a * P M s a s') -> ",
        "",
    ),
    Control("K1", "beta * q a", "q a"),
    Control("values_exist", "(V s))", "(V s / 2))"),
    Control("runs_exist", "pi 0%nat = pi_0", "pi 1%nat = pi_0"),
)

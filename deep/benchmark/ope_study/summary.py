"""What the study's rows say: bias, rank correlation, coverage, wrong verdicts, and whether a gate is exploited."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from deep.methods.drcorl.gate import GateConfig
from deep.tasks import within_limit

Table = Sequence[dict[str, Any]]
EDGES = (0.7, 0.85, 1.0, 1.5, 2.0)
LIMITS = (10.0, 20.0, 40.0, 80.0)
DYNAMICS = ("training", "held_out", "another seed's", "paired, training", "paired, held_out")


def column(rows: Table, name: str) -> Float[np.ndarray, " rows"]:
    """One quantity of all rows."""
    return np.array([row[name] for row in rows], dtype=np.float64)


def estimators(rows: Table) -> list[str]:
    """The names of the estimators in the rows; a run of a single seed has no other seed's models."""
    names = dict.fromkeys(name for row in rows for name in row if name.endswith(": cost"))
    return [name.removesuffix(": cost") for name in names]


def having(rows: Table, name: str) -> Table:
    """The rows that have this estimator."""
    return [row for row in rows if f"{name}: cost" in row]


def summarise(rows: Table, min_length: float) -> dict[str, Any]:
    """Everything, for all policies and for those of each kind; the gate's rule requires this many steps."""
    return {
        "policies": len(rows),
        "true cost, quartiles": _quartiles(rows, "true cost"),
        "true return, quartiles": _quartiles(rows, "true return"),
        "true length, quartiles": _quartiles(rows, "true length"),
        "estimators": {name: quality(rows, name) for name in estimators(rows)},
        "the gate's rule, by held-out members": gate_verdicts(rows, min_length),
        "error by OOD score": by_ood_score(rows),
        "by kind": {
            kind: {"policies": len(part)} | {name: errors(part, name) for name in estimators(part)}
            for kind, part in by_kind(rows).items()
        },
        "training members against others": exploitation(rows),
    }


def by_kind(rows: Table) -> dict[str, Table]:
    """The rows of each kind, in their order."""
    return {kind: [row for row in rows if row["kind"] == kind] for kind in dict.fromkeys(row["kind"] for row in rows)}


def _quartiles(rows: Table, name: str) -> list[float]:
    return np.quantile(column(rows, name), [0, 0.25, 0.5, 0.75, 1]).round(1).tolist()


def errors(rows: Table, name: str) -> dict[str, float]:
    """Mean and median absolute error of the cost, in costs of an episode; a positive bias is pessimistic."""
    rows = having(rows, name)
    error = column(rows, f"{name}: cost") - column(rows, "true cost")
    return {"bias": rounded(error.mean()), "median_error": rounded(np.median(np.abs(error)))}


def quality(rows: Table, name: str) -> dict[str, Any]:
    """How good one estimator is over these policies.

    false_safe: of the policies whose cost exceeds the limit, the share that the estimate passes; false_unsafe: of
    those that keep it, the share that it rejects; each with its numerator and denominator. `upper` decides by the
    interval's upper end in the place of the estimate.
    """
    rows = having(rows, name)
    true, cost = column(rows, "true cost"), column(rows, f"{name}: cost")
    low, high = column(rows, f"{name}: cost_low"), column(rows, f"{name}: cost_high")
    # The truth is itself a mean over episodes: two of its standard errors are no failure to cover.
    slack = 2 * column(rows, "true cost, standard error")
    found: dict[str, Any] = (
        {"policies": len(rows)}
        | errors(rows, name)
        | {
            "rank_correlation": rounded(correlation(cost, true)),
            "return_rank_correlation": rounded(
                correlation(column(rows, f"{name}: reward"), column(rows, "true return"))
            ),
            "length_rank_correlation": rounded(
                correlation(column(rows, f"{name}: length"), column(rows, "true length"))
            ),
            "coverage": rounded(np.mean((low - slack <= true) & (true <= high + slack))),
            "median_width": rounded(np.median(high - low)),
            "ood_score_rank_correlation_with_error": rounded(
                correlation(column(rows, f"{name}: ood_score"), np.abs(cost - true))
            ),
        }
    )
    for rule, said in (("estimate", cost), ("upper", high)):
        found[f"verdicts by {rule}"] = {
            f"{limit:g}": verdicts(within_limit(said, limit), within_limit(true, limit)) for limit in LIMITS
        }
    return found


def verdicts(said: np.ndarray, true: np.ndarray) -> dict[str, str]:
    """False-safe and false-unsafe, as "wrong/of"."""
    return {
        "false_safe": f"{int((said & ~true).sum())}/{int((~true).sum())}",
        "false_unsafe": f"{int((~said & true).sum())}/{int(true.sum())}",
    }


def gate_verdicts(rows: Table, min_length: float) -> dict[str, dict[str, str]]:
    """Verdicts of `deep.methods.drcorl.policy_selection.selection_score` with the default settings, by the
    held-out ensemble: paired, where the run's gate uses paired rollouts."""
    config = GateConfig()
    used = [("paired, held_out" if "paired, held_out: cost" in row else "held_out", row) for row in rows]

    def of(name: str) -> np.ndarray:
        return np.array([row[f"{members}: {name}"] for members, row in used], dtype=np.float64)

    cost = of("cost") + config.k * of("cost_std")
    in_distribution = (of("length") >= min_length) & (of("ood_score") <= config.max_disagreement)
    true = column(rows, "true cost")
    return {
        f"{limit:g}": verdicts(in_distribution & within_limit(cost, limit), within_limit(true, limit))
        for limit in LIMITS
    }


def by_ood_score(rows: Table) -> list[dict[str, float]]:
    """The held-out ensemble's error for policies whose OOD score lies below each edge and not below the one before."""
    ood_score = column(rows, "held_out: ood_score")
    error = np.abs(column(rows, "held_out: cost") - column(rows, "true cost"))
    found = []
    for low, high in zip((0.0, *EDGES), (*EDGES, np.inf), strict=True):
        here = error[(ood_score >= low) & (ood_score < high)]
        if len(here):
            numbers = {"median_error": rounded(np.median(here)), "largest_error": rounded(here.max())}
            found.append({"from": low, "policies": len(here), **numbers})
    return found


def exploitation(rows: Table) -> list[dict[str, Any]]:
    """Mean error of the training ensemble, of the held-out ensemble, and of another seed's, by degree of adaptation.

    Where a policy exploits the errors of the models that it is trained by, the first falls below the others as
    adaptation goes on.
    """
    found = []
    for kind, part in by_kind(rows).items():
        for degree in sorted({row["degree"] for row in part}):
            here = [row for row in part if row["degree"] == degree]
            biases = {name: errors(here, name)["bias"] for name in DYNAMICS if having(here, name)}
            found.append({"kind": kind, "degree": degree, "policies": len(here), **biases})
    return found


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where one side is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(spearmanr(x, y)[0])  # pyright: ignore[reportArgumentType]


def rounded(value: float | np.floating) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def four_digits(rows: Table) -> list[dict[str, Any]]:
    """The rows as results.csv holds them: floats to four significant digits."""
    return [{name: float(f"{x:.4g}") if isinstance(x, float) else x for name, x in row.items()} for row in rows]

"""What the data say of a policy's cost before it has acted: within the limit, above it, or unknown.

"Estimated within the limit" is said where all of this holds, and "estimated above the limit" where its mirror image
does:

- there is an estimate, and its whole 95 % interval is within the limit;
- nothing contradicts it: the learned dynamics agree with the data, and predicted episodes are as long as theirs;
- every baseline estimator that is defined for the policy agrees, and there is one;
- the predicted states stay near the data: an OOD score of at most `LARGEST_OOD`;
- the data hold steps that cost something, and none of these was left out;
- estimates that said so were right often enough in the studies of the same method on the same kind of task, counted in
  independent runs (`deep.deploy.record`): the lower end of the one-sided 95 % interval of Clopper and Pearson is at
  least `LEAST_RIGHT`. With no error among them this takes 29 runs.

Otherwise it is unknown, and every reason is named. What the estimate alone says stands among the evidence, in small
print: whoever reads the largest print alone must not take an estimate of unknown reliability for an answer. The two
limits on the OOD score and on the record are ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import beta

from deep.deploy.record import RECORD, Track, said
from deep.evaluate.doubts import LARGEST_OOD
from deep.tasks import within_limit

LEAST_RIGHT = 0.9
VERDICTS = {
    "satisfied": "ESTIMATED WITHIN THE LIMIT",
    "violated": "ESTIMATED ABOVE THE LIMIT",
    "nothing": "UNKNOWN",
}
ALONE = {
    "satisfied": "within the limit",
    "violated": "above the limit",
    "nothing": "nothing, its interval holds the limit",
}
"""What the estimate alone says."""


@dataclass(frozen=True)
class Decision:
    """What is known of one replica's policy.

    Attributes:
        verdict: one of `VERDICTS`' values.
        reasons: a sentence each: why it is unknown; empty where it is not.
        known: names and numbers of the evidence.
    """

    verdict: str
    reasons: tuple[str, ...]
    known: tuple[tuple[str, str], ...]


def record() -> dict[str, Any]:
    """The studies' record."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def least_right(count: int, right: int) -> float:
    """The lower end of the one-sided 95 % interval of the share that is right (Clopper and Pearson 1934)."""
    return float(beta.ppf(0.05, right, count - right + 1)) if right else 0.0


def decide(result: Mapping[str, Any], track: Track, data: Mapping[str, Any]) -> Decision:
    """The decision on one result of summary.json. What a simulator has measured plays no part.

    `track` is how often such estimates were right, `data` the summary's entry on the data set.
    """
    limit, estimate = result["cost_limit"], result.get("offline_cost_estimate")
    baselines = {name: cost for name, cost in result.get("offline_baselines", {}).items() if cost is not None}
    undefined = sorted(set(result.get("offline_baselines", {})) - set(baselines))
    known = [("cost limit", f"{limit:g}")]
    if estimate is None:
        none = "There is no estimate with an interval: the run has no learned dynamics."
        return Decision(
            VERDICTS["nothing"], (none, *_doubts_of_data(data)), (*known, *_baselines(baselines, undefined))
        )
    low, high = result["offline_cost_interval"]
    ood, words = result["offline_ood_score"], said(low, high, limit)
    known += [("the estimate alone says", ALONE[words])]
    known += [("estimated cost of an episode", f"{estimate:.3g}"), ("its 95 % interval", f"{low:.3g} to {high:.3g}")]
    known += _baselines(baselines, undefined)
    known += [("disagreement of the estimators", _spread([estimate, *baselines.values()]))]
    known += [("distance from the data (OOD score)", f"{ood:.2g}; that of the data is 1")]
    known += [("estimated return", f"{result['offline_return_estimate']:.4g}")]
    known += [("predicted steps of an episode", f"{result['offline_length_estimate']:.0f}")]
    reasons = [*_doubts(result, words, low, high, limit, ood), *_doubts_of_data(data)]
    agreeing = {name for name, cost in baselines.items() if bool(within_limit(cost, limit)) is (words == "satisfied")}
    if words != "nothing" and not baselines:
        reasons.append("No other estimator is defined for this policy, so that nothing confirms the estimate.")
    if words != "nothing":
        other = sorted(set(baselines) - agreeing)
        if other:
            shown = ", ".join(f"{name} ({baselines[name]:.3g})" for name in other)
            reasons.append(f"Other estimators contradict it: {shown}.")
        reasons += reliability(track, *(track.satisfied if words == "satisfied" else track.violated))
    return Decision(VERDICTS["nothing" if reasons else words], tuple(reasons), tuple(known))


def reliability(track: Track, count: int, right: int) -> list[str]:
    """Why estimates that said so are not known to be right, in at most one sentence; `count` runs of which `right` were
    right."""
    kind = "custom data sets" if track.kind == "custom" else f"{track.kind} tasks"
    if not track.tasks:
        there = ", ".join(track.elsewhere) or "nothing"
        return [
            f"How often such estimates are right for {track.method} on {kind} is unknown: the studies are of {there}."
        ]
    if least_right(count, right) < LEAST_RIGHT:
        where = f"of {track.method} on {kind}"
        return [f"Estimates that said so were right in {right} of {count} independent runs {where}: too few to know."]
    return []


def _doubts_of_data(data: Mapping[str, Any]) -> Iterator[str]:
    """The reasons that lie in the data."""
    if data.get("largest_cost") == 0:
        yield "No step of the data costs anything: what would cost is unknown."
    if data.get("costs_left_out"):
        yield "Steps with costs were left out of the data, so that the estimate is too low."
    if "remarks" not in data:
        yield "What was left out of the data is not recorded: an earlier version has trained this run."


def _doubts(result: Mapping[str, Any], words: str, low: float, high: float, limit: float, ood: float) -> Iterator[str]:
    """The reasons that lie in the estimate itself."""
    if not (math.isfinite(ood) and math.isfinite(low) and math.isfinite(high)):
        yield f"The estimate is no number: its interval is {low:.3g} to {high:.3g}, its OOD score {ood:.2g}."
    if words == "nothing":
        yield f"The interval from {low:.3g} to {high:.3g} holds the limit {limit:g}."
    if result.get("offline_doubt") == "contradicted":
        yield "The data contradict the learned dynamics."
    elif result.get("offline_doubt") == "short":
        yield "Predicted episodes are shorter than those of the data, and a short episode costs little."
    if ood > LARGEST_OOD:
        yield f"The predicted states leave the data: the OOD score is {ood:.2g}, at most {LARGEST_OOD:g} is near them."


def _baselines(costs: Mapping[str, float], undefined: list[str]) -> list[tuple[str, str]]:
    rows = [(f"estimate by {name}", f"{cost:.3g}") for name, cost in costs.items()]
    return rows + [(f"estimate by {name}", "not defined for a policy with a memory") for name in undefined]


def _spread(costs: list[float]) -> str:
    return f"{min(costs):.3g} to {max(costs):.3g}" if len(costs) > 1 else "there is only one"

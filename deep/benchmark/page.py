"""page.html: a benchmark's rows on one self-contained page, to be filtered by task, kind of data, limit and method.

Nothing on the page comes from elsewhere: its rows, script and style are written into it. The script computes IQM,
shares, regrets, probabilities of improvement and their intervals over the replicas that the filters leave, by the
definitions of `deep.benchmark.statistics`; tests compare the two in a browser.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from deep.benchmark.rows import Row, method_of
from deep.methods.registry import rank_of
from deep.page.render import render

ASSETS = Path(__file__).parent / "assets"

NOTE = (
    "R is the return on DSRL's scale from 0 to 1, C the cost of an episode divided by its limit; a replica is safe "
    "where C <= 1 in the mean over its episodes. Intervals are 95 % bootstrap intervals over seeds; there are none "
    "where a data set has one seed, and from two or three seeds they are too narrow."
)
NOT_COMPARABLE = "Not all of these data are DSRL's own: scores on the others cannot be compared with published ones."


@dataclass(frozen=True)
class Tab:
    """One table of the page."""

    name: str
    rows: Sequence[Row]
    note: str = NOTE
    unit: str = "R"
    """What the rows' R is called."""
    reference: str = "the best trajectory of the data within the limit"
    """What `R_best_in_data` is, against which regret is counted."""
    expected: Sequence[str] = ()
    """Methods that the table of what was run lists even where they have no row."""

    def content(self) -> dict[str, Any]:
        """What the script reads."""
        runs: dict[str, int] = {}
        details: list[dict[str, str]] = []
        rows = []
        for row in sorted(self.rows, key=lambda row: rank_of(row["algorithm"])):
            if row["run"] not in runs:
                runs[row["run"]] = len(details)
                texts = {name: str(row.get(name) or "") for name in ("command", "machine")}
                details.append(texts | {name: str(row.get(name) or "")[:12] for name in ("sha256", "commit")})
            rows.append(
                {
                    "task": row["task"],
                    "data": row["data"],
                    "kind": row.get("kind") or "unknown",
                    "method": method_of(row),
                    "seed": row["seed"],
                    "limit": row["cost_limit"],
                    "R": row["R"],
                    "C": row["C"],
                    "safe": bool(row["safe"]),
                    "early": bool(row.get("ends_early")),
                    "best": row.get("R_best_in_data"),
                    "run": runs[row["run"]],
                }
            )
        methods = list(dict.fromkeys(row["method"] for row in rows))
        listed = [*methods, *(name for name in self.expected if name not in methods)]
        named = {"name": self.name, "note": self.note, "unit": self.unit, "reference": self.reference}
        return named | {"methods": methods, "listed": listed, "rows": rows, "runs": details}


def page(title: str, tabs: Sequence[Tab], introduction: str = "") -> str:
    """The whole page; `introduction` is HTML that stands above the filters."""
    sources = {row.get("source") for tab in tabs for row in tab.rows}
    # "<" is written as an escape, so that no text of a row can end the element that holds the data.
    data = json.dumps([tab.content() for tab in tabs], allow_nan=False).replace("<", "\\u003c")
    style, script = (Markup((ASSETS / name).read_text(encoding="utf-8")) for name in ("style.css", "page.js"))
    return render(
        "benchmark.html",
        title=title,
        warning=NOT_COMPARABLE if sources - {"dsrl", "exact"} else "",
        introduction=Markup(introduction),
        data=Markup(data),
        style=style,
        script=script,
    )

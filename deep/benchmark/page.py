"""page.html: a benchmark's rows on one self-contained page, to be filtered by task, kind of data, limit and method.

Nothing on the page comes from elsewhere: its rows, script and style are written into it. The script computes IQM,
shares, regrets, probabilities of improvement and their intervals over the replicas that the filters leave, by the
definitions of `deep.benchmark.statistics`; tests compare the two in a browser.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from deep.benchmark.rows import Row, method_of
from deep.methods.registry import rank_of

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


FILTERS = """\
<form class="filters"><select name="task" aria-label="task"></select>
<select name="kind" aria-label="kind of data"></select><select name="limit" aria-label="cost limit"></select>
<label title="data set, seed and limit"><input type="checkbox" name="common"> only cells that all shown methods
have</label><output id="shown"></output><button type="button" id="all">all methods</button>
<button type="button" id="none">no method</button><div id="methods"></div></form>"""

SECTIONS = """\
<h2>By method</h2><p>A high IQM of few safe replicas is no success. Methods that were run on other data sets are
compared only with the box above ticked. A regret is counted over safe replicas; <i>end early</i> counts replicas whose
episodes end long before those of the data.</p><div id="by-method"></div>
<h2>Over the cost limits</h2><p>A dot: one seed, hollow where it is unsafe; lines: means over seeds, with their
intervals upright; a level bar: the reference of the regret; dashed: the limit.</p><div id="curves"></div>
<h2>Pairs</h2><p>The probability that the method of the row is better than that of the column: more R among safe
replicas, or safe where the other is not, over all pairs of seeds at each data set and limit that both have. A cell's
tooltip has the interval.</p><div id="pairs"></div>
<h2>What was run</h2><p>Seeds of every method on every data set, and at how many cost limits, by the filters of task,
kind and limit. What says <i>none</i> is missing.</p><div id="coverage"></div>
<h2>Replicas</h2><details><summary>every replica with its command, data and machine</summary><div id="replicas"></div>
</details>"""


def page(title: str, tabs: Sequence[Tab], introduction: str = "") -> str:
    """The whole page; `introduction` is HTML that stands above the filters."""
    sources = {row.get("source") for tab in tabs for row in tab.rows}
    warning = f'<p class="warning">{escape(NOT_COMPARABLE)}</p>' if sources - {"dsrl", "exact"} else ""
    # "<" is written as an escape, so that no text of a row can end the element that holds the data.
    data = json.dumps([tab.content() for tab in tabs], allow_nan=False).replace("<", "\\u003c")
    style, script = ((ASSETS / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><h1>{escape(title)}</h1>{warning}"
        f'{introduction}<div class="tabs" role="group" aria-label="tables"></div><p id="note"></p>{FILTERS}{SECTIONS}'
        f'<script id="data" type="application/json">{data}</script><script>{script}</script></body></html>\n'
    )

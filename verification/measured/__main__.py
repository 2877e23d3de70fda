"""`python -m verification.measured`: the papers' claims about results, and the page of all committed tables.

Reads notebooks/results and verification/lattice/results.json; writes notebooks/results/table/claims.json, claims.md and
page.html. `--time` first measures how long every method takes for 1000 actions, into latency.json beside them.
"""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from deep.benchmark.page import Tab, page
from deep.benchmark.rows import TITLES
from theory.support.files import write_whole
from verification.command import Parser, ends_cleanly
from verification.measured.claims import CLAIMS
from verification.measured.evidence import TABLE, all_rows, committed, lattice_rows, table

ANSWER = "## Which method for which data"
"""The heading of the README's paragraph that the page begins with."""
EXACT = (
    "Finite CMDPs with continuous observations and actions (verification/lattice): R is the policy's exact value "
    "divided by the optimum's within the limit, C its exact expected cost divided by the limit. A regret of 0 is "
    "optimal. Training budgets are small: these rows test the theory and do not rank the methods."
)
EARLIER = "DRCORL in these rows has its earlier default, whose gate estimates the cost of whole episodes."


def judged() -> list[dict[str, Any]]:
    """Every claim with its verdict on the committed evidence."""
    evidence = committed()
    return [claim.record(evidence) for claim in CLAIMS]


def answer(readme: str) -> str:
    """The paragraph below the README's heading `ANSWER`."""
    _, _, rest = readme.partition(ANSWER)
    return " ".join(rest.partition("\n## ")[0].split())


def markdown(records: Sequence[dict[str, Any]]) -> str:
    """claims.md."""
    head = (
        "# The papers' claims about results, measured\n\n"
        "Written by `python -m verification.measured`. These verdicts are about the data, presets and seeds of this "
        "project, not DSRL's: they prove and refute nothing.\n\n"
        "| claim | source | statement | supported if | verdict | numbers |\n|---|---|---|---|---|---|\n"
    )
    keys = ("id", "source", "statement", "criterion", "verdict", "numbers")
    return head + "".join("| " + " | ".join(record[key] for key in keys) + " |\n" for record in records)


def document(records: Sequence[dict[str, Any]], readme: str) -> str:
    """page.html."""
    keys = ("id", "source", "statement", "criterion", "verdict", "numbers")
    lines = "".join("<tr>" + "".join(f"<td>{escape(record[key])}</td>" for key in keys) + "</tr>" for record in records)
    claims = (
        '<details class="claims"><summary>The papers\' claims about results, judged on these data (grade: measured)'
        f"</summary><table><thead><tr><th></th><th>source</th><th>statement</th><th>supported if</th><th>verdict</th>"
        f"<th>numbers</th></tr></thead><tbody>{lines}</tbody></table></details>"
    )
    tabs = [
        Tab("All methods", all_rows(), expected=[title for name, title in TITLES.items() if name != "safe_dql"]),
        Tab("DRCORL's earlier default", table("benchmark"), note=EARLIER),
        Tab("Lattice tasks, exact", lattice_rows(), EXACT, "value / optimum", "the exact optimum within the limit"),
    ]
    introduction = f"<p><b>Which method for which data.</b> {escape(answer(readme))}</p>{claims}"
    return page("All methods on all data sets", [tab for tab in tabs if tab.rows], introduction)


def main(arguments: list[str] | None = None) -> None:
    parser = Parser("verification.measured", str(__doc__))
    parser.add_argument("--time", action="store_true", help="measure how long 1000 actions take before")
    if parser.parse_args(arguments).time:
        from verification.measured.times import measure

        measure(TABLE / "latency.json")
    records, readme = judged(), (TABLE / "README.md").read_text(encoding="utf-8")
    texts = {
        "claims.json": json.dumps(records, indent=1, ensure_ascii=False) + "\n",
        "claims.md": markdown(records),
        "page.html": document(records, readme),
    }
    for name, text in texts.items():
        write_whole(TABLE / name, text.encode())
        print(TABLE / name)
    for record in records:
        print(f"{record['id']} {record['verdict']}: {record['numbers']}")


if __name__ == "__main__":
    with ends_cleanly():
        main()

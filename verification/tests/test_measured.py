"""The papers' claims about results: verdicts on rows whose answer is known, and the committed files."""

import json
import re
from typing import Any

import pytest

from deep.benchmark.rows import Row
from deep.benchmark.statistics import scored
from deep.evaluate.summary import LAST
from verification.measured.__main__ import answer, document, judged, markdown
from verification.measured.claims import CLAIMS, CONTRADICTED, OPEN, SUPPORTED, Finding
from verification.measured.evidence import LATTICE, TABLE, Evidence, lattice_rows

MEASURE = {claim.id: claim.measure for claim in CLAIMS}


def row(algorithm: str, R: float = 0.5, C: float = 0.5, **changes: Any) -> Row:
    found = {"task": "HopperVel", "data": "a", "algorithm": algorithm, "variant": "", "choice": "", "seed": 0}
    return found | {"cost_limit": 20.0, "R": R, "C": C, "safe": C <= 1} | changes


def verdict(claim: str, *rows: Row, **seconds: float) -> Finding:
    times = [{"algorithm": name, "choice": "", "single": value} for name, value in seconds.items()]
    return MEASURE[claim](Evidence(rows, times))


@pytest.mark.parametrize("claim", MEASURE)
def test_without_runs_a_claim_is_open(claim):
    assert verdict(claim).verdict == OPEN
    assert verdict(claim, row("caps")).verdict == OPEN


def test_drcorl_meets_its_limits_only_where_all_replicas_do():
    good = [row("drcorl", seed=seed, cost_limit=limit) for seed in (0, 1) for limit in (20.0, 40.0)]
    found = verdict("X1", *good, row("bc_all", C=3.0))
    assert found.verdict == SUPPORTED
    assert found.numbers.startswith("4 of 4 replicas safe")
    assert verdict("X1", *good, row("drcorl", C=1.2, data="b")).verdict == CONTRADICTED
    assert verdict("X1", *good, row("drcorl", C=9.0, choice=LAST)).verdict == SUPPORTED, "it was not kept"


def test_cloning_the_safe_is_poor_beside_a_method_that_is_safe():
    clone, better = row("bc_safe", 0.5), row("caps", 0.56)
    assert verdict("X2", clone, better).verdict == SUPPORTED
    assert verdict("X2", clone, row("caps", 0.54)).verdict == CONTRADICTED, "within the margin"
    assert verdict("X2", row("bc_safe", 0.5, C=1.5), better).verdict == CONTRADICTED
    assert verdict("X2", clone, row("caps", 0.9, C=2.0)).verdict == OPEN, "the better method is unsafe"
    assert verdict("X2", clone, row("caps", 0.9, seed=1)).verdict == OPEN, "it has other seeds"
    elsewhere = [row("bc_safe", 0.5, data=x) for x in "bc"] + [row("caps", 0.5, data=x) for x in "bc"]
    assert verdict("X2", clone, better, *elsewhere).verdict == CONTRADICTED, "poor on one of three data sets"


def test_drcorl_is_faster_than_every_generative_method():
    assert verdict("X3", drcorl=0.06, bc_all=0.05, cdt=0.5, tcdp=2.0).verdict == SUPPORTED
    assert verdict("X3", drcorl=0.6, cdt=0.5, tcdp=2.0).verdict == CONTRADICTED
    assert verdict("X3", drcorl=0.6, bc_all=0.5).verdict == OPEN


def test_cdt_is_judged_on_the_two_tasks_of_the_claim():
    assert verdict("X4", row("cdt", C=3.0)).verdict == OPEN
    assert verdict("X4", row("cdt", C=3.0, task="BallRun")).verdict == SUPPORTED
    assert verdict("X4", row("cdt", task="BallCircle"), row("cdt", C=3.0)).verdict == CONTRADICTED


def test_one_weight_serves_all_limits():
    assert verdict("X5", row("tcdp"), row("tcdp", seed=1)).verdict == OPEN, "one limit says nothing"
    assert verdict("X5", row("tcdp"), row("tcdp", cost_limit=40.0)).verdict == SUPPORTED
    assert verdict("X5", row("tcdp"), row("tcdp", C=1.1, cost_limit=40.0)).verdict == CONTRADICTED


def test_lattice_rows_have_the_exact_regret():
    content = json.loads(LATTICE.read_text())["results"]
    for found, exact in zip(scored(lattice_rows()), content, strict=True):
        assert found["safe"] == (exact["violation"] <= 0)
        assert found["safe"] == (found["C"] <= 1) or abs(found["C"] - 1) < 1e-5
        if found["safe"]:
            assert found["regret"] * exact["optimal_value"] == pytest.approx(exact["gap"], abs=1e-12)


def test_the_committed_files_are_those_of_the_tables():
    records, readme = judged(), (TABLE / "README.md").read_text(encoding="utf-8")
    again = "run python -m verification.measured"
    assert json.loads((TABLE / "claims.json").read_text(encoding="utf-8")) == records, again
    assert (TABLE / "claims.md").read_text(encoding="utf-8") == markdown(records), again
    assert (TABLE / "page.html").read_text(encoding="utf-8") == document(records, readme), again
    assert {record["grade"] for record in records} == {"measured"}


def test_every_row_of_the_table_names_its_command_data_and_machine():
    from verification.measured.evidence import table

    rows = table("table")
    assert rows
    for found in rows:
        assert found["command"].startswith("python -m deep.train ")
        # drcorl is the default of deep.train, and no other method goes unnamed.
        named = re.findall(r"--algorithm (\S+)", found["command"]) or ["drcorl"]
        assert named == [found["algorithm"]]
        assert len(found["sha256"]) == 64
        assert found["machine"]
        assert found["kind"] != "unknown"


def test_the_page_begins_with_the_answer_and_loads_nothing():
    records, readme = judged(), (TABLE / "README.md").read_text(encoding="utf-8")
    text = document(records, readme)
    assert len(answer(readme).split()) > 30
    assert not re.search(r'(src|href)="(?!data:,|#)', text)
    for record in records:
        assert f"<td>{record['verdict']}</td>" in text

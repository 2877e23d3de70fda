"""Certified runs: the committed results, again; enclosures against exact values; what has to be rejected or fail."""

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from flint import arb, ctx, fmpq

from verification.check import value, visits
from verification.checker.hashing import ROOT, dependencies
from verification.intervals import enclosure, record
from verification.intervals.cases import CASES
from verification.intervals.certify import Case, certify, constant, enclosed, rows, setting
from verification.judging import LEDGER, load, stale

STORED = record.load()["runs"]
RULES = ("advantage", "q_vector", "fisher", "crpo")


def drawn(stored: dict[str, Any]) -> set[int]:
    """The runs that are made again without `-m exhaustive`: one of each rule, of at most 3000 iterations.

    Which ones follows from the hashes of code and results, so that nobody who edits a result can choose.
    """
    digests = [stored["sources"], *(run["digest"] for run in stored["runs"])]
    rng = random.Random("".join(digests))
    short = [i for i, run in enumerate(stored["runs"]) if run["run"]["steps"] <= 3000]
    return {rng.choice([i for i in short if stored["runs"][i]["run"]["rule"] == rule]) for rule in RULES}


SAMPLE = drawn(record.load())
QUICK = (0, 7, 21)
"""An unclipped metric, the clipped one, CRPO; run for a tenth of their iterations."""


def ball(text: str) -> arb:
    return arb(text)


def test_at_least_twenty_cmdps_with_a_thousand_iterations() -> None:
    assert len({json.dumps(result["given"]) for result in STORED}) >= 20
    assert all(case.steps >= 1000 for case in CASES)
    assert [tuple(result["run"].values()) for result in STORED] == [tuple(case) for case in CASES]
    assert {case.rule for case in CASES} == set(RULES)


def test_which_runs_are_made_again_follows_from_the_results() -> None:
    stored = record.load()
    assert sorted(CASES[i].rule for i in SAMPLE) == sorted(RULES)
    met: set[int] = set()
    for i in range(60):
        runs = [{**run, "digest": f"{i}"} if k == 5 else run for k, run in enumerate(stored["runs"])]
        met |= drawn({**stored, "runs": runs})
    assert met == {i for i, case in enumerate(CASES) if case.steps <= 3000}


def test_every_committed_run_is_within_its_bounds() -> None:
    for result in STORED:
        assert all(result["holds"].values()), result["run"]
        assert ball(result["gap"]) <= ball(result["gap_bound"])
        assert float(result["widest"]) < 1e-20
        assert float(result["float_error"]) < 1e-9
    met = [sum(result["regions"][letter] for result in STORED) for letter in "sacu"]
    assert min(met) > 0, "every region is met"


@pytest.mark.parametrize("index", QUICK)
def test_short_runs_are_certified(index: int) -> None:
    result = certify(CASES[index]._replace(steps=100))
    assert all(result["holds"].values())
    assert float(result["float_error"]) < 1e-9


@pytest.mark.parametrize(
    "index", [pytest.param(i, marks=[] if i in SAMPLE else pytest.mark.exhaustive) for i in range(len(CASES))]
)
def test_a_committed_run_comes_out_again(index: int) -> None:
    """All of it but the error of the run in double precision, which depends on the machine."""
    found, stored = json.loads(json.dumps(certify(CASES[index]))), STORED[index]
    assert float(found.pop("float_error")) < 1e-9
    assert found == {key: value for key, value in stored.items() if key not in ("digest", "float_error")}


def test_the_committed_runs_are_of_this_code_and_unedited() -> None:
    assert record.faults(record.load()) == []
    assert record.evidence()["runs"] == len(CASES)


@pytest.mark.parametrize("key", ["gap", "eta", "holds", "run", "given", "regions", "digest"])
def test_an_edited_run_is_noticed(key: str, tmp_path: Path) -> None:
    stored = record.load()
    stored["runs"][5][key] = "0"
    (tmp_path / "results.json").write_text(json.dumps(stored))
    assert ["Run 5" in line for line in record.faults(stored)] == [True]
    assert record.evidence(tmp_path / "results.json")["runs"] == 0


def test_changed_code_and_dropped_runs_make_the_evidence_stale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now, entry = record.evidence(), next(x for x in load(LEDGER) if x["id"] == "TC")
    assert entry["certified_runs"] == now
    fewer = record.load()
    del fewer["runs"][3]
    (tmp_path / "results.json").write_text(json.dumps(fewer))
    assert record.evidence(tmp_path / "results.json") != now
    assert record.faults({"sources": "", "runs": []}), "no runs are no evidence"
    files = {path.relative_to(ROOT).as_posix() for path in dependencies("verification.intervals.certify")}
    assert {"verification/intervals/enclosure.py", "verification/check.py", "theory/bounds.py"} <= files
    monkeypatch.setattr(record, "sources", lambda: "another")
    assert any("STALE" in line for line in record.faults(record.load()))
    assert stale(entry)


def test_values_enclose_the_exact_ones() -> None:
    problem = setting(CASES[2]).problem
    policy = [[fmpq(1, 5), fmpq(1, 5), fmpq(3, 5)], [fmpq(1, 2), fmpq(1, 4), fmpq(1, 4)], [fmpq(1, 3)] * 3]
    balls = [[arb(x) for x in row] for row in policy]
    found = enclosure.evaluate(problem, balls, occupancy=True)
    exact = value(problem.P, problem.r, problem.gamma, policy)
    assert found.J_r.contains(sum((p * v for p, v in zip(problem.rho, exact, strict=True)), fmpq(0)))
    occupancy: Any = visits(problem.P, problem.rho, problem.gamma, policy)
    for d, x in zip(found.d, occupancy, strict=True):
        assert d.contains(x)
    for s, row in enumerate(found.A_r):
        assert enclosure.dot(balls[s], row).contains(0)


def test_too_few_bits_decide_nothing() -> None:
    found = setting(CASES[0])
    with pytest.raises(enclosure.Undecided):
        enclosure.run(found.problem, "advantage", found.eta, found.h_plus, 300, bits=8)
    before = ctx.prec
    assert before >= 53, "the precision is put back"


def test_comparisons_of_overlapping_balls_are_undecided() -> None:
    wide = arb(1, 0.5)
    assert enclosure.at_most(wide, fmpq(2))
    assert not enclosure.at_most(wide, fmpq(0))
    with pytest.raises(enclosure.Undecided):
        enclosure.at_most(wide, fmpq(1))
    with pytest.raises(enclosure.Undecided):
        enclosure.manipulation_weights(arb(1), arb(0, 1), arb(1))


def test_a_bound_a_thousand_times_smaller_fails() -> None:
    """Negative control: the comparison is one that can fail."""
    result = certify(CASES[0]._replace(steps=100))
    assert not ball(result["gap"]) <= ball(result["gap_bound"]) / 1000


def test_the_constant_is_the_theorems() -> None:
    K = constant(Case("dirichlet", 2, 3, "1/2", 0.5, "advantage", 1), fmpq(1, 2))
    assert Fraction(str(K)) == Fraction(6, 4) * 16
    assert constant(CASES[3], fmpq(1, 2)) == 2
    assert constant(CASES[2], fmpq(1, 2)) == 8


def test_every_iteration_can_be_written_out() -> None:
    lines = rows(CASES[0]._replace(steps=20))
    assert len(lines) == 21
    assert lines[1].startswith("0,c,")
    trace, _ = enclosed(setting(CASES[0]), CASES[0]._replace(steps=20))
    assert len(trace.regions) == 20


def test_both_weights_are_clipped_where_the_theorem_needs_it() -> None:
    """Advantages in conflict, of which one is twice the other: Eq. (12) gives 3/2 and 3/4."""
    one, policy = arb(1), [[arb(1) / 2] * 2]
    longer, shorter = [[2 * one, -2 * one]], [[one, -one]]
    problem = setting(CASES[0]).problem._replace(limit=fmpq(0))
    for good, bad, clipped in ((longer, shorter, 1), (shorter, longer, 0)):
        values = enclosure.Values(one, one, good, bad, good, bad, [one])
        *found, region = enclosure.weights("fisher", problem, fmpq(2), values, policy)
        assert region == "c"
        assert [float(x) for x in found] == ([0.75, 1] if clipped else [1, 0.75])
        free = enclosure.weights("advantage", problem, fmpq(2), values, policy)
        assert float(free[clipped]) == 1.5, "a negative control"

"""The committed results of the lattice study: whole, up to date, and repeated for one learner."""

import copy
import json
import sys
from dataclasses import replace

import pytest
import torch

from tests.support.lighter import unchecked
from theory.evaluation import evaluate
from theory.optimum import solve
from theory.support.errors import InputError
from verification.checker.hashing import ROOT, meaning, source
from verification.lattice import study
from verification.lattice.data import Behaviour
from verification.lattice.methods import build, run
from verification.lattice.study import (
    RESULTS,
    Options,
    chosen,
    fingerprint,
    loaded,
    readers,
    replace_rows,
    rests,
    rows_of,
    stale,
    table,
)
from verification.lattice.tasks import LATTICES
from verification.lattice.trials import TRIALS

SHORT = "DRCORL, short"
TOLERANCE = 1e-3
"""On value and cost: the short learner is trained in double precision, where other processors differ by far less."""


@pytest.fixture(scope="module")
def results() -> dict:
    return json.loads(RESULTS.read_text())


def notice(results: dict) -> str:
    """Which rows are stale, what refreshes them and how long that takes; empty where none is."""
    outdated = stale(results)
    if not outdated:
        return ""
    seconds = results["provenance"]["processor_seconds"]
    minutes = sum(seconds.get(f"{method}, {task}", 0.0) for method, task in outdated) / 60
    methods = "; ".join(sorted({method for method, _ in outdated}))
    return (
        f"{len(outdated)} of the lattice study's (learner, task) pairs are STALE ({methods}): "
        f"`python -m verification.lattice.study` trains these again (about {minutes:.0f} min on one core), then "
        "`python -m verification.report` writes the tables"
    )


def test_the_results_are_those_of_the_present_code(results: dict):
    """Not a failure: every change of a learner makes its rows stale, and making them anew takes minutes."""
    if found := notice(results):
        pytest.xfail(found)


@pytest.mark.exhaustive
def test_no_result_is_stale(results: dict):
    assert not notice(results)


def test_every_learner_task_seed_and_limit_is_there_once(results: dict):
    for method, trial in TRIALS.items():
        for task in trial.tasks:
            found = [(row["seed"], row["cost_limit"]) for row in rows_of(results, method, task)]
            assert found == [(seed, limit) for seed in trial.seeds for limit in LATTICES[task].limits]


def test_every_row_agrees_with_the_exact_theory(results: dict):
    """What no policy can have: more value than the optimum without a violation, a bound below the cost."""
    for row in results["results"]:
        assert row["gap"] == pytest.approx(row["optimal_value"] - row["value"])
        assert row["violation"] == pytest.approx(max(0.0, row["cost"] - row["cost_limit"]))
        assert row["gap"] > -1e-9 or row["violation"] > 0
        assert row["slack_printed"] >= row["slack_tight"] >= 0
        assert row["slack_tight"] == pytest.approx(row["bound_tight"] - row["cost"])
        cmdp = LATTICES[row["task"]].cmdp
        low, high = LATTICES[row["task"]].task.reward_range
        assert low - 1e-6 <= row["value"] <= high + 1e-6
        assert 0 <= row["cost"] <= float(cmdp.c.max() / (1 - cmdp.gamma))


def disagreement(results: dict, rows: list[dict]) -> float:
    """The largest difference of value or cost between committed and new rows."""
    old = rows_of(results, SHORT)
    return max(abs(a[key] - b[key]) for a, b in zip(old, rows, strict=True) for key in ("value", "cost", "gate"))


@unchecked()
def test_one_learner_trained_again_gives_its_committed_numbers(results: dict):
    trial = TRIALS[SHORT]
    rows = run(LATTICES[trial.tasks[0]], trial)
    assert disagreement(results, rows) < TOLERANCE
    # Less training is another result, so the comparison can fail.
    config = trial.config
    few = replace(
        config,
        behaviour=replace(config.behaviour, steps=10),
        critics=replace(config.critics, steps=10, regression_steps=10),
        cloning_steps=50,
        regression_steps=10,
        adaptation_steps=10,
    )
    assert disagreement(results, run(LATTICES[trial.tasks[0]], replace(trial, config=few))) > 10 * TOLERANCE


def test_changed_settings_and_missing_rows_are_noticed(results: dict):
    forged = copy.deepcopy(results)
    current = {f"{method}, {task}": loaded()[method] for method, trial in TRIALS.items() for task in trial.tasks}
    forged["provenance"]["fingerprints"] = current | {"BC-All, LatticeHeat": "0" * 64}
    assert notice(forged).startswith("1 of the lattice study's (learner, task) pairs are STALE (BC-All): `python -m")
    before = fingerprint(TRIALS["BC-All"])
    assert fingerprint(replace(TRIALS["BC-All"], seeds=(7,))) != before
    assert chosen(Options(methods=("BC-All",), tasks=("LatticeHeat",)), forged) == [("BC-All", "LatticeHeat")]
    with pytest.raises(InputError, match="unknown method 'BC': accepted are BC-All"):
        chosen(Options(methods=("BC",)), results)
    with pytest.raises(InputError, match="unknown task 'Lattice': accepted are LatticeSpeed"):
        chosen(Options(tasks=("Lattice",)), results)
    forged["provenance"]["fingerprints"] = current
    assert notice(forged) == ""


def test_rows_go_stale_with_all_that_trains_and_scores_them(monkeypatch, tmp_path):
    drcorl, cloning = (
        {path.relative_to(ROOT).as_posix() for path in rests(TRIALS[name])} for name in (SHORT, "BC-All")
    )
    scoring = {f"theory/{name}.py" for name in ("cmdp/dense", "evaluation", "offline/data", "optimum/lagrangian")}
    training = {f"deep/{name}.py" for name in ("core/phase", "data/dataset", "runs/trainer")}
    both = scoring | training | {"verification/lattice/exact.py", "verification/lattice/theorem9.py"}
    assert both <= drcorl & cloning
    assert drcorl - cloning >= {"deep/methods/drcorl/drcorl.py", "deep/methods/drcorl/score.py", "theory/adaptation.py"}
    assert (
        not {"deep/methods/parts/twin_critics.py", "verification/lattice/trials.py", "verification/lattice/study.py"}
        & drcorl
    )
    assert not {path for path in drcorl | cloning if path.startswith(("deep/data/formats/", "deep/data/load"))}
    before, copy = fingerprint(TRIALS["BC-All"]), tmp_path / "evaluation.py"
    original = ROOT / "theory" / "evaluation.py"
    files = [copy if path == original else path for path in rests(TRIALS["BC-All"])]
    monkeypatch.setattr(study, "rests", lambda trial: files)
    copy.write_text(original.read_text() + "# a comment\n")
    assert fingerprint(TRIALS["BC-All"]) == before
    copy.write_text(original.read_text() + "GAMMA = 1\n")
    assert fingerprint(TRIALS["BC-All"]) != before


def test_the_study_calls_nothing_that_reads_files():
    """So that its rows do not depend on `readers`."""
    called = set()

    def note(frame, event, argument):
        if event == "call":
            called.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        build(LATTICES["LatticeHeat"], TRIALS["BC-All"])
    finally:
        sys.setprofile(None)
    known = {str(path) for name in readers() if (path := source(name))}
    assert len(known) > 10
    assert not called & known
    assert str(ROOT / "deep" / "data" / "replay.py") in called


def test_what_readers_say_is_left_out_of_a_file_that_imports_them():
    load, custom = (f"from deep.data.{name} import load\nx = 1\n" for name in ("load", "custom"))
    assert meaning(load) != meaning(custom)
    assert meaning(load, frozenset(readers())) == meaning(custom, frozenset(readers()))
    assert meaning("from deep.data import load\n") != meaning("from deep.data import custom\n")
    whole = "from deep.data import load\n"
    assert meaning(whole, frozenset(readers())) != meaning(whole)


def test_rows_are_replaced_and_the_table_shows_them(results: dict):
    changed = copy.deepcopy(results)
    rows = copy.deepcopy(rows_of(results, "BC-All", "LatticeHeat"))
    rows[0]["cost"] = 123.456
    replace_rows(changed, "BC-All", "LatticeHeat", rows, 1.0)
    assert len(changed["results"]) == len(results["results"])
    assert "123.46" in table(changed)
    assert "123.46" not in table(results)


def test_the_optima_in_the_results_are_certified(results: dict):
    """The optimal value by the linear program, and the behaviour's own value below it at its own cost."""
    for lattice in LATTICES.values():
        for limit in lattice.limits:
            proof = solve(lattice.cmdp.with_budget(limit), "highs")
            assert proof.certificate.holds(1e-8).all()
            rows = [r for r in results["results"] if r["task"] == lattice.name and r["cost_limit"] == limit]
            assert rows
            for row in rows:
                assert row["optimal_value"] == pytest.approx(proof.value.item(), abs=1e-7)
        own = evaluate(lattice.cmdp, Behaviour(lattice).policy)
        assert own.J_r < solve(lattice.cmdp.with_budget(own.J_c)).value
    assert torch.get_default_dtype() == torch.float32

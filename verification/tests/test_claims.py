"""Every claim: its check passes, its broken version fails, its counterexample counts, its entry is current."""

import json
import math
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.support.lighter import unchecked
from theory.adaptation import Region
from verification import judging
from verification.checker import certified as certified_instances
from verification.checker import hashing
from verification.checker.certified import holds_on
from verification.checker.certify import CERTIFICATES, Statement, read
from verification.checker.instances import cases
from verification.checker.optima import OPTIMUM
from verification.claims.checks import critics
from verification.claims.checks.runs import STEPS, runs
from verification.claims.claim import CORRECTED, DEPENDS, FALSE, HOLDS, Check, Repair, Sides, sides, verdict
from verification.claims.topics import CLAIMS
from verification.judging import LEDGER, certified, judge, load, outcome, same_statement, stale

IDS = list(CLAIMS)
ENTRIES = {entry["id"]: entry for entry in load(LEDGER)}
LONG = {"L44", "S1", "T2", "T15", "T16", "W1", "W2", "CPQ2", "FISOR1", "CAPS2", "C2"}
"""Claims on runs of thousands of iterations; shapes are checked in those on one iteration, and in tests/theory."""
CHECKS = [(x.id, "printed") for x in CLAIMS.values() if x.printed] + [
    (x.id, "repair") for x in CLAIMS.values() if x.repair
]


def equal(one: Any, other: Any) -> bool:
    """Equal, numbers to a relative 1e-3: ratios near the rounding error vary between machines."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-6)
    return one == other


@pytest.mark.parametrize("claim_id", IDS)
def test_the_ledger_says_what_the_check_finds(claim_id: str) -> None:
    with unchecked() if claim_id in LONG else nullcontext():
        found = json.loads(json.dumps(judge(CLAIMS[claim_id])))
    for key in found:
        if key != "hash":
            assert equal(found[key], ENTRIES[claim_id][key]), f"{key}; python -m verification.ledger judges again"


@pytest.mark.parametrize("claim_id", IDS)
def test_the_ledger_is_not_stale(claim_id: str) -> None:
    assert not stale(ENTRIES[claim_id]), "code or certificates have changed: run python -m verification.ledger"


def test_the_ledger_has_every_claim_once() -> None:
    assert [entry["id"] for entry in load(LEDGER)] == IDS


@pytest.mark.parametrize(("claim_id", "which"), CHECKS, ids=[f"{x}-{which}-[{x}]" for x, which in CHECKS])
def test_the_negative_control_is_found_out(claim_id: str, which: str) -> None:
    result = outcome(claim_id, which)
    assert result.holds
    assert result.control_fails, "the deliberately broken version passes: the check cannot fail"


@pytest.mark.parametrize("claim_id", [x.id for x in CLAIMS.values() if x.sound])
def test_the_true_version_holds_at_the_counterexample(claim_id: str) -> None:
    """Negative control of the refutations: the same instance, the corrected formula, and the checker accepts it."""
    claim = CLAIMS[claim_id]
    assert claim.sound
    for name in claim.counterexamples:
        _, assumed, true, _ = claim.sound.measure(read(name)["given"])
        assert assumed
        assert true


@pytest.mark.parametrize("claim_id", [x.id for x in CLAIMS.values() if x.formal and not x.counterexamples])
def test_certified_inequalities_fail_when_their_right_side_is_cut(claim_id: str) -> None:
    formal = CLAIMS[claim_id].formal
    assert formal
    assert certified(claim_id) >= 30
    left, right = formal.conclusion.split("<=")
    cut = Statement(formal.let, formal.assume, f"{left} <= ({right})/1000")
    assert not holds_on(cut)[1], "negative control"


def test_the_random_instances_tell_the_largest_reward_from_the_largest_absolute_one() -> None:
    """Negative control: Theorem 9 with B_r = max Q_r, which is false where rewards are negative."""
    formal = CLAIMS["D9"].formal
    assert formal
    assert not holds_on(Statement({**formal.let, "B_r": "max(Q_r)"}, formal.assume, formal.conclusion))[1]


def test_no_payoff_of_the_instances_is_negative() -> None:
    """The claims on iterations assume r, c in [0, M]."""
    assert all(bool((payoff >= 0).all()) for case in cases() for payoff in (case.cmdp.r, case.cmdp.c))


@pytest.mark.parametrize("claim_id", IDS)
def test_every_claim_can_fail(claim_id: str) -> None:
    claim = CLAIMS[claim_id]
    assert claim.checks or claim.sound
    assert claim.printed or claim.counterexamples
    assert bool(claim.counterexamples) <= bool(claim.formal)


def test_every_certificate_belongs_to_a_claim_or_is_an_optimum() -> None:
    used = {name for claim in CLAIMS.values() for name in claim.counterexamples}
    names = {path.stem for path in CERTIFICATES.glob("*.json")}
    assert used <= names
    for name in names - used:
        content = read(name)
        assert name.startswith("optimum_")
        assert (content["let"], content["assume"]) == (dict(OPTIMUM.let), list(OPTIMUM.assume))
        assert (content["conclusion"], content["verdict"]) == (OPTIMUM.conclusion, "holds")


def test_a_certificate_of_another_statement_is_not_taken() -> None:
    content = read("L42")
    assert same_statement(CLAIMS["L42"], content)
    for change in ({"conclusion": "reward <= 0"}, {"assume": []}, {"verdict": "holds"}, {"statement": "another"}):
        assert not same_statement(CLAIMS["L42"], content | change)


def test_the_runs_that_are_summed_meet_every_region() -> None:
    visits = torch.cat([run.visits for run in runs()])
    assert bool((visits.sum(1) == STEPS).all())
    assert int((visits.sum(0) > len(visits)).sum()) == len(Region), "each region at more than one step per run"
    assert int(((visits > 0).sum(1) > 1).sum()) > len(visits) / 3, "a third of the runs passes from one to another"


@pytest.mark.parametrize(
    "score",
    [lambda cost, limit: 2 * cost / (limit or 1), lambda cost, limit: cost / (limit or 1), lambda cost, _: 0 * cost],
)
def test_a_score_that_misjudges_some_cost_fails(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6 with a score that rejects a cost within the limit, accepts one above a limit of 0, or accepts every cost."""
    monkeypatch.setattr(critics, "TASKS", {"HopperVel": SimpleNamespace(normalised_cost=score)})
    assert not critics.normalised(False).holds


def test_verdicts() -> None:
    def repair(kind: Any) -> Repair:
        return Repair(kind, "", Check(lambda broken: sides(0, 0, 0), ""))

    assert verdict(True, False, None, None) == HOLDS
    assert verdict(True, True, None, None) == FALSE, "one counterexample outweighs every passing instance"
    assert verdict(False, False, None, None) == FALSE
    assert verdict(None, True, repair("correction"), True) == CORRECTED
    assert verdict(None, True, repair("assumption"), True) == DEPENDS
    assert verdict(None, True, repair("replacement"), True) == FALSE
    assert verdict(None, True, repair("correction"), False) == FALSE, "a repair that fails repairs nothing"


def test_sides() -> None:
    assert sides(1.0, 1.0, 0.0).holds
    assert not sides(1.1, 1.0, 0.05).holds
    assert not sides(float("nan"), 1.0, 0.0).holds
    assert Sides(*sides(0.5, 2.0, 0.0)).ratios.tolist() == [0.25]
    assert sides(0.5, 0.0, 1.0).ratios.tolist() == []


THEORY = tuple(f"theory/{name}.py" for name in ("npg/npg", "bounds", "evaluation", "cmdp/families"))
JUDGES = tuple(
    f"verification/{name}.py"
    for name in ("judging", "checker/certified", "checker/certify", "check", "claims/claim", "checker/instances")
)


@pytest.mark.parametrize(
    ("module", "names"),
    [("verification.claims.iterations", THEORY), ("verification.claims.terms", JUDGES)],  # terms imports nothing
)
def test_changed_code_makes_the_verdict_stale_but_comments_docstrings_and_places_do_not(
    module: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, root = hashing.files, hashing.ROOT
    first = hashing.fingerprint(module, ("L42",))
    moved: dict[Path, Path] = {}
    monkeypatch.setattr(hashing, "files", lambda name: {moved.get(path, path) for path in real(name)})
    for i, name in enumerate(names):
        text = (root / name).read_text(encoding="utf-8")
        moved[root / name] = tmp_path / f"elsewhere{i}.py"
        moved[root / name].write_text("# a comment\n" + text.replace('"""', '"""Another sentence. ', 1))
        assert hashing.fingerprint(module, ("L42",)) == first, name
        moved[root / name].write_text(text + "CHANGED = 1\n")
        assert hashing.fingerprint(module, ("L42",)) != first, name
        del moved[root / name]


def test_changed_certificates_and_ratios_make_the_verdict_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = hashing.fingerprint("verification.claims.terms", ("L42",))
    assert first != hashing.fingerprint("verification.claims.terms", ("L43",))
    shutil.copytree(CERTIFICATES, tmp_path / "certificates")
    monkeypatch.setattr(hashing, "CERTIFICATES", tmp_path / "certificates")
    assert hashing.fingerprint("verification.claims.terms", ("L42",)) == first
    with (tmp_path / "certificates/L42.json").open("a") as file:
        file.write(" ")
    assert hashing.fingerprint("verification.claims.terms", ("L42",)) != first


def test_an_import_from_another_module_changes_the_meaning() -> None:
    """Where a name comes from counts by what is there, so two files that differ in it alone differ."""
    one, other = (f"from theory.{name} import evaluate\n" for name in ("evaluation", "bounds"))
    assert hashing.meaning(one) != hashing.meaning(other)
    assert hashing.meaning(one) == hashing.meaning("# why\n" + one)


def test_a_verdict_does_not_go_stale_with_other_code() -> None:
    files = hashing.dependencies("verification.claims.iterations") + hashing.dependencies(
        "verification.checker.certified"
    )
    for name in (
        "deep/methods/drcorl/score.py",
        "verification/claims/critics.py",
        "verification/checker/counterexamples.py",
    ):
        assert hashing.ROOT / name not in files


@pytest.mark.parametrize(
    ("xs", "outcome"), [((1, 1), (2, True)), ((2, 1), (2, False)), ((1, 2), (2, False)), ((0, 1), (1, True))]
)
def test_an_inequality_that_fails_on_one_instance_is_not_certified(
    xs: tuple[int, ...], outcome: tuple[int, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever instance it is; those that do not meet the conditions do not count."""
    monkeypatch.setattr(certified_instances, "random_instances", lambda count: iter([{"x": str(x)} for x in xs]))
    assert holds_on(Statement({}, ["x >= 1"], "x <= 1")) == outcome
    monkeypatch.setattr(judging, "holds_on", lambda formal: outcome)
    assert judging.certified.__wrapped__("D9") == (outcome[0] if outcome[1] else 0)

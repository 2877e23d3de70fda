"""The formal proofs: Coq checks them where it is installed; record, hashes and escape hatches are checked anywhere."""

import shutil
from pathlib import Path

import pytest

from verification.checker.certify import CERTIFICATES
from verification.claims.topics import CLAIMS
from verification.formal import coq, export, record, sources
from verification.formal.theorems import CONTROLS, MODULES, REASONS, REFUTATIONS, THEOREMS, Control
from verification.judging import LEDGER, load

needs_coq = pytest.mark.skipif(
    not coq.installed(), reason=f"no coqc 8.16 or later ({coq.INSTALL}); record.json says what Coq accepted"
)
needs_interval = pytest.mark.skipif(
    not coq.has_interval(), reason=f"no Coq-Interval ({coq.INSTALL}); record.json says what Coq accepted"
)
HATCHES = [
    "Theorem a : False. Proof. Admitted.",
    "Theorem a : False. Proof. admit. Qed.",
    "Axiom a : False.",
    "Parameter a : False.",
    "Conjecture a : False.",
    "Unset Guard Checking.",
    "Unset  Universe Checking.",
    "#[bypass_check(guard)] Fixpoint f (n : nat) : False := f n.",
    'Comments "(*". Axiom a : False. Comments "*)".',
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formal")
    coq.build(folder)
    return folder


@needs_coq
def test_coq_accepts_every_proof_and_only_the_standard_axioms(built: Path) -> None:
    found = coq.axioms(built)
    assert found <= coq.STANDARD_AXIOMS
    assert found == set(record.load()["axioms"])


@needs_interval
def test_enclosures_need_no_axiom_but_machine_integers(built: Path) -> None:
    assert coq.enclosure_axioms(built) == set()


@needs_coq
def test_every_theorem_is_its_text_and_every_broken_version_is_refuted(built: Path) -> None:
    coq.check_controls(built)


@needs_coq
def test_a_control_that_is_not_refuted_is_found(built: Path) -> None:
    """What is refuted is M1_broken: neither M1 itself nor another broken version."""
    for old, new in (("0 < rr", "0 < rr /\\ True"), ("~ (rc < 0 /\\ rc * rc = rr * cc) ->", "rc < 0 ->")):
        with pytest.raises(coq.Rejected):
            coq.check_controls(built, [Control("M1", old, new)])
    with pytest.raises(ValueError, match="changes nothing"):
        coq.check_controls(built, [Control("M1", "0 < rr", "0 < rr")])


@needs_coq
def test_a_hypothesis_of_a_section_is_found(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A theorem whose text leaves out what it assumes is not what its text says."""
    folder, known = shutil.copytree(built, tmp_path / "copy"), sources.texts()
    bad = "Section A. Hypothesis h : 0 = 1. Theorem bad : 1 = 2. Proof. lra. Qed. End A."
    good = "Theorem bad : 0 = 1 -> 1 = 2. Proof. intros. lra. Qed."
    for text in (good, bad):
        (folder / "Counterexamples.v").write_text(f"Require Export Instances.\n{text}\n", encoding="utf-8")
        coq.compile_file(folder, "Counterexamples")
        monkeypatch.setattr(coq, "texts", lambda text=text: {**known, "Counterexamples": sources.plain(text)})
        if text == good:
            coq.check_controls(folder, [])
    with pytest.raises(coq.Rejected, match="0 = 1"):
        coq.check_controls(folder, [])


@needs_coq
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Axiom stronger : 0%nat = 1%nat.\nTheorem bad : 0%nat = 1%nat. Proof. exact stronger. Qed.", "stronger"),
        ("Section A. Hypothesis h : 0%nat = 1%nat. Theorem bad : 0%nat = 1%nat. Proof. exact h. Qed. End A.", None),
        ("Variable h : 0%nat = 1%nat.\nTheorem bad : 0%nat = 1%nat. Proof. exact h. Qed.", "h"),
    ],
)
def test_an_assumption_of_ones_own_shows_among_the_axioms(built: Path, text: str, name: str | None) -> None:
    """A hypothesis of a section becomes a condition of its theorems, which their statements show; outside it is an
    axiom."""
    (built / "Bad.v").write_text(f"Require Import Statements.\n{text}\nPrint Assumptions bad.\n")
    shown = coq.compile_file(built, "Bad")
    assert coq.listed_axioms(shown) == ({name} if name else set())


@needs_coq
def test_a_wrong_certificate_is_not_confirmed(built: Path) -> None:
    text = (sources.FOLDER / "Certificates.v").read_text(encoding="utf-8")
    header, *lemmas = text.split("\n\n")
    for old, new, name in (
        ("confirms roots false certificate_W1", "confirms roots true certificate_W1", "W1"),
        ("Num (3 # 4)", "Num (1 # 4)", "W1"),
        ("Num (100 # 1)", "Num (101 # 1)", "T2"),
    ):
        (lemma,) = (x for x in lemmas if f"certificate_{name} " in x)
        assert old in lemma
        (built / "Wrong.v").write_text(f"{header}\n{lemma.replace(old, new)}", encoding="utf-8")
        with pytest.raises(coq.Rejected):
            coq.compile_file(built, "Wrong")


@needs_interval
def test_a_wrong_enclosure_is_not_confirmed(built: Path) -> None:
    text = (sources.FOLDER / "Enclosures.v").read_text(encoding="utf-8")
    header, *lemmas = text.split("\n\n")
    (lemma,) = (x for x in lemmas if "certificate_A1 " in x)
    right = "confirms elementary false"
    for old, new in ((right, "confirms elementary true"), (right, "confirms roots false"), ("Enc (", "Enc (1 + ")):
        assert old in lemma
        (built / "Wrong.v").write_text(f"{header}\n{lemma.replace(old, new)}", encoding="utf-8")
        with pytest.raises(coq.Rejected):
            coq.compile_file(built, "Wrong")


@needs_coq
def test_coq_finds_a_proof_that_does_not_fit(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "copy")
    text = (tmp_path / "copy" / "Mixture.v").read_text(encoding="utf-8")
    (tmp_path / "copy" / "Mixture.v").write_text(text.replace("(1 - gamma M) * INR L * J M V", "INR L * J M V"))
    with pytest.raises(coq.Rejected, match=r"Mixture\.v"):
        coq.compile_file(tmp_path / "copy", "Mixture")


def test_no_file_has_an_escape_hatch() -> None:
    assert len(sources.texts()) > 15
    assert {name: found for name, text in sources.texts().items() if (found := sources.hatches(text))} == {}


@pytest.mark.parametrize("text", HATCHES)
def test_an_escape_hatch_is_found(text: str) -> None:
    assert sources.hatches(sources.plain(text))


def test_a_word_in_a_comment_is_no_escape_hatch() -> None:
    assert not sources.hatches(sources.plain("(* No (* Axiom *) is Admitted. *) Theorem a : True."))


def test_the_record_is_of_these_files() -> None:
    assert record.outdated() == [], f"{record.COMMAND} checks the proofs and records them again"
    assert set(record.load()["axioms"]) <= coq.STANDARD_AXIOMS


def test_the_certificates_in_coq_are_those_of_the_folder() -> None:
    for name, text in export.texts().items():
        found = (sources.FOLDER / f"{name}.v").read_text(encoding="utf-8")
        assert found == text, f"{record.COMMAND} --export writes them again"
    rational, others = export.names()
    assert {"T2", "H1", "E48", "C5"} <= set(rational)
    assert {*rational, *others} == {path.stem for path in CERTIFICATES.glob("*.json")}


def test_every_theorem_has_a_broken_version_and_every_name_a_theorem() -> None:
    known, printed = (sources.statements(sources.texts()[name]) for name in ("Statements", "Counterexamples"))
    assert {control.theorem for control in CONTROLS} == set(known)
    assert {name for names in THEOREMS.values() for name in names} <= set(known)
    assert {name for names in THEOREMS.values() for name in names} == set(known), "a theorem that no claim names"
    assert {name for names in REFUTATIONS.values() for name in names} == set(printed)
    assert set(MODULES) <= set(printed)
    refuted = {name for file in sources.REFUTING for name in sources.statements(sources.texts()[file])}
    assert {f"{name}_broken" for name in known} <= refuted
    assert set(THEOREMS) | set(REFUTATIONS) | set(REASONS) <= set(CLAIMS)
    for control in CONTROLS:
        assert control.old in known[control.theorem]


def test_every_proved_claim_is_machine_checked_or_says_why_not() -> None:
    for entry in load(LEDGER):
        proved = entry["evidence"]["proof"] or (entry["correction"] and entry["correction"]["proof"])
        grade = entry["correction"]["grade"] if entry["correction"] else entry["grade"]
        if proved and entry["id"] not in REASONS:
            assert grade.startswith("machine-checked"), entry["id"]
        assert ("reason" in entry["machine_check"]) == (entry["id"] in REASONS)


def copied(tmp_path: Path) -> Path:
    for path in sources.FOLDER.glob("*.v"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("Statements", "kappa + eps + Ld pi_0", "kappa + Ld pi_0", {"statement", "dependencies"}),
        ("Sums", "Lemma sum_0 n", "Lemma sum_zero n", {"dependencies"}),
        ("Statements", "(* ---- Safe-DQL ---- *)", "(* Other words. *)", set()),
        ("Checker", "Definition same", "Definition equal", set()),
    ],
)
def test_what_makes_a_theorem_stale(file: str, old: str, new: str, changed: set[str], tmp_path: Path) -> None:
    folder = copied(tmp_path)
    text = (folder / f"{file}.v").read_text(encoding="utf-8")
    assert old in text
    (folder / f"{file}.v").write_text(text.replace(old, new), encoding="utf-8")
    before, after = sources.fingerprints()["D9"], sources.fingerprints(folder)["D9"]
    assert {key for key in before if before[key] != after[key]} == changed


def test_evidence_needs_the_recorded_hash() -> None:
    recorded = record.load()
    assert record.proves("D9", record.evidence("D9"))
    changed = {**recorded, "theorems": {**recorded["theorems"], "D9": {**recorded["theorems"]["D9"], "statement": "0"}}}
    assert not record.proves("D9", record.evidence("D9", (), changed))
    other = {**recorded, "coq": "0.0"}
    assert record.evidence("D9", (), other) != record.evidence("D9"), "another version of Coq makes an entry stale"


def test_what_a_run_without_coq_shows() -> None:
    assert any(coq.INSTALL in line for line in record.summary(None))
    assert any("Coq 0.0" in line for line in record.summary("0.0"))
    assert len(record.summary(record.load()["coq"])) == 1

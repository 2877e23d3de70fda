"""The formal proofs: Coq checks them where it is installed; record, hashes and escape hatches are checked anywhere."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from verification.checker.certify import CERTIFICATES
from verification.claims.claim import HOLDS
from verification.claims.topics import CLAIMS
from verification.formal import coq, export, record, sources
from verification.formal.theorems import CONTROLS, MODULES, PARTS, REASONS, REFUTATIONS, THEOREMS, Control
from verification.judging import LEDGER, load
from verification.report.entries import markdown

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
    'Load "elsewhere".',
    "Admit Obligations.",
    'Add LoadPath "/tmp" as Elsewhere.',
    'Add Rec LoadPath "/tmp" as Elsewhere.',
    'Declare ML Module "elsewhere".',
    'Cd "/tmp".',
    "Set Definitional UIP.",
    "Primitive add := #int63_add.",
]
SHADOWS = [
    ("Definition KL (n : nat) (p q : nat -> R) := 0.", "KL"),
    ("Module A. Fixpoint sum (n : nat) (f : nat -> R) := 0. End A. Import A.", "sum"),
    ("Fixpoint f (n : nat) := 0 with dist (n : nat) := 0.", "dist"),
    ("Record other := { nS : nat }. Lemma gamma : nat. Proof. exact 0%nat. Qed.", "gamma"),
    ("Section A. Let policy := True. End A.", "policy"),
    ("Program Definition crpo := 0.", "crpo"),
    ("Notation relu := (fun x => x).", "relu"),
    ("Local Notation \"'∑' i < n , e\" := (e 0) (at level 39).", "Local Notation \"'∑' i < n , e\""),
    ('Infix "<=" := Rge : R_scope.', 'Infix "<="'),
    ("Coercion f : nat >-> cmdp.", "Coercion"),
    ("Global Arguments mean {M} D pi f.", "Arguments"),
]
"""What gives a word of Definitions.v another meaning, and the part of it that has to be named."""

OTHER_WORDS = [
    ("Definition relu (x : R) : R := 0.", "forall x : R, relu x <= 0", "intros; unfold relu; lra."),
    ("Module A. Definition relu (x : R) : R := 0. End A. Export A.", "relu 1 <= 0", "unfold relu; lra."),
    ("Notation relu := (fun x : R => 0 * x).", "forall x : R, relu x <= 0", "intros; lra."),
    ('Notation "x <= y" := (x >= y - 1) : R_scope.', "1 <= 0", "lra."),
]
"""A file below, a theorem that is false in the words of Definitions.v, and its proof with those of that file."""


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
@pytest.mark.parametrize(("below", "claim", "proof"), OTHER_WORDS)
def test_a_text_that_is_read_with_other_words_is_not_what_was_proved(
    below: str, claim: str, proof: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coq accepts the file, where a word means something else; with Definitions.v alone the text says more."""
    folder, known = shutil.copytree(built, tmp_path / "copy"), sources.texts()
    text = f"Theorem bad : {claim}. Proof. {proof} Qed."
    (folder / "Below.v").write_text(f"Require Export Instances.\n{below}\n", encoding="utf-8")
    (folder / "Counterexamples.v").write_text(f"Require Export Below.\n{text}\n", encoding="utf-8")
    for name in ("Below", "Counterexamples"):
        coq.compile_file(folder, name)
    monkeypatch.setattr(coq, "texts", lambda: {**known, "Counterexamples": sources.plain(text)})
    with pytest.raises(coq.Rejected, match="bad"):
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


def test_no_file_gives_a_word_of_the_definitions_another_meaning() -> None:
    known = sources.texts()
    assert sources.shadowing(known) == {}
    assert {"KL", "sum", "nS", "P_dist", "projection", "is_run", "conservative"} <= sources.trusted_names(
        known[sources.TRUSTED]
    )


@pytest.mark.parametrize(("text", "part"), SHADOWS)
def test_another_meaning_is_found(text: str, part: str) -> None:
    """In whatever file below a theorem it stands."""
    known = sources.texts()
    for name in ("Sums", "Attained", "Statements", "Counterexamples", "RefutationsRules"):
        changed = {**known, name: f"{known[name]} {sources.plain(text)}"}
        assert sources.shadowing(changed) == {name: [part]}


@pytest.mark.parametrize(
    "text", ["(* Definition KL := 0. *)", "Definition KL_0 := 0.", "Definition f x := match x with sum => 0 end."]
)
def test_what_has_its_own_name_is_no_other_meaning(text: str) -> None:
    assert not sources.shadows(sources.plain(text), sources.texts()[sources.TRUSTED])


def test_a_file_named_like_a_library_of_the_trusted_one_is_found() -> None:
    known = sources.texts()
    assert sources.shadowing({**known, "Lra": "Require Export Lra. Definition sqrt (x : R) := 0."}) == {
        sources.TRUSTED: ["Lra"]
    }


def test_a_word_in_a_comment_is_no_escape_hatch() -> None:
    assert not sources.hatches(sources.plain("(* No (* Axiom *) is Admitted. *) Theorem a : True."))


def test_the_record_is_of_these_files() -> None:
    assert record.outdated() == [], f"{record.COMMAND} checks the proofs and records them again"
    assert set(record.load()["axioms"]) <= coq.STANDARD_AXIOMS
    assert record.load()["controls"] == len(CONTROLS) == len({control.theorem for control in CONTROLS})
    recorded = record.load()["theorems"]
    assert {f"{control.theorem}_broken" for control in CONTROLS} == {x for x in recorded if x.endswith("_broken")}


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
    named = {name for table in (THEOREMS, PARTS) for names in table.values() for name in names}
    assert named == set(known), "a theorem that no claim names, or no theorem of that name"
    assert {name for names in REFUTATIONS.values() for name in names} == set(printed)
    assert set(MODULES) <= set(printed)
    refuted = {name for file in sources.REFUTING for name in sources.statements(sources.texts()[file])}
    assert {f"{name}_broken" for name in known} <= refuted
    assert set(THEOREMS) | set(REFUTATIONS) | set(REASONS) <= set(CLAIMS)
    assert set(PARTS) <= set(REASONS), "a part of a claim is no proof of it"
    for control in CONTROLS:
        assert control.old in known[control.theorem]


def unexplained(entry: dict[str, Any]) -> bool:
    """Whether something is claimed to be true, the statement or its correction, that Coq has not checked, and no reason
    is given; or whether both are there."""
    true = entry["verdict"] == HOLDS or entry["correction"]
    checked = (entry["correction"] or entry)["grade"].startswith("machine-checked")
    return checked == ("reason" in entry["machine_check"]) if true else "reason" in entry["machine_check"]


def test_what_is_true_of_every_claim_is_machine_checked_or_says_why_not() -> None:
    entries = load(LEDGER)
    assert [entry["id"] for entry in entries if unexplained(entry)] == []
    for entry in entries:
        assert entry["machine_check"] == record.evidence(entry["id"], CLAIMS[entry["id"]].counterexamples), entry["id"]
    assert [entry["id"] for entry in entries if entry["verdict"] != HOLDS and not entry["correction"]] == ["B2"]
    text = markdown(entries)
    for claim_id, reason in REASONS.items():
        assert f"- Not machine-checked: {reason}" in text, claim_id
        assert reason.endswith(".")
        assert len(reason) > 60


@pytest.mark.parametrize("claim_id", ["P3", "S1", "G3", "CAPS2"])
def test_a_claim_with_neither_is_found(claim_id: str) -> None:
    entry = next(x for x in load(LEDGER) if x["id"] == claim_id)
    bare = {**entry, "grade": "float-checked on 1 instances", "machine_check": {"theorems": {}}}
    if entry["correction"]:
        bare["correction"] = {**entry["correction"], "grade": "proved, float-checked on 1 instances"}
    assert unexplained(bare)
    assert not unexplained({**bare, "machine_check": {"reason": "There is one."}})


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

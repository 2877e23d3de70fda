"""`deep.tune`: the criterion, no simulator in it, a killed search goes on to the same end, what is refused."""

import json
from pathlib import Path

import pytest

import deep.tune.__main__ as tune
from deep.evaluate import scores
from deep.methods.registry import METHODS
from deep.tasks import find_task
from deep.tune.search import Dimension, dimensions
from deep.tune.study import mend_journal
from tests.support import custom_lab as custom_lab
from theory.support.errors import InputError
from theory.support.options import config_class, options_of

optuna = pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("unchecked", "no_figures")

HOPPER = find_task("HopperVel")
MODULE = METHODS["bc_all"].module
OPTIONS = options_of(MODULE, config_class(MODULE))
SEARCH = ["--search", "learning-rate=1e-4..1e-1:log", "hidden=8,8+8", "steps=20..60"]
TRAINING = """--algorithm bc_all --dynamics.steps 40 --dynamics.hidden 8 --dynamics.members 2 --dynamics.episodes 2
--cost-limits 3 9 --action-low -2 --action-high 2 --env tests.support.custom_lab:Cart-v0""".split()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return custom_lab.record(tmp_path_factory.mktemp("data") / "cart.hdf5")


def search(file: Path, out: Path, *words: str) -> dict:
    tune.main([*SEARCH, "--dataset", str(file), *TRAINING, "--out", str(out), *words])
    return json.loads((out / "tuning.json").read_text())


def no_simulator(monkeypatch) -> None:
    def played(*rest, **more):
        pytest.fail("the simulator was used")

    monkeypatch.setattr(scores, "rollout", played)
    monkeypatch.setattr("deep.envs.counted.CountedSimulator.rollout", played, raising=False)
    monkeypatch.setattr("deep.tasks.make", played)


def test_a_search_uses_no_simulator_and_goes_on_to_the_same_end(file, tmp_path, monkeypatch):
    """Stopped in the second trial and gone on with: the trials of a search in one go, to the last bit."""
    from deep.tune import study

    no_simulator(monkeypatch)
    whole = search(file, tmp_path / "whole", "--trials", "4", "--verdict-episodes", "0")
    train, calls = study.train, []

    def stopped(*rest):
        calls.append(rest)
        if len(calls) == 2:
            raise KeyboardInterrupt
        train(*rest)

    monkeypatch.setattr(study, "train", stopped)
    with pytest.raises(SystemExit) as caught:
        search(file, tmp_path / "parts", "--trials", "4", "--verdict-episodes", "0")
    assert caught.value.code == 130
    parts = search(file, tmp_path / "parts", "--trials", "4", "--verdict-episodes", "0", "--resume")
    assert parts["trials"] == whole["trials"]
    assert len(whole["trials"]) == 4
    assert [trial["value"] for trial in whole["trials"]] == sorted((t["value"] for t in whole["trials"]), reverse=True)
    folders = [path for path in (tmp_path / "parts").iterdir() if path.name.startswith("trial-")]
    assert len(folders) == len({trial["folder"] for trial in whole["trials"]})


def test_the_verdict_comes_afterwards_and_changes_nothing(file, tmp_path, monkeypatch, capsys):
    without = search(file, tmp_path / "a", "--trials", "2", "--verdict-episodes", "0")
    with_it = search(file, tmp_path / "b", "--trials", "2", "--verdict-episodes", "2")
    verdict = with_it.pop("verdict_after_the_search")
    assert with_it == without
    assert [row["episodes"] for row in verdict] == [2, 2]
    screen = capsys.readouterr().out
    assert screen.rindex("after the search, which has not used it") > screen.rindex("trial 2 of 2")


def result(**changes) -> dict:
    return {"cost_limit": 10.0, "offline_cost_interval": (1.0, 8.0), "offline_return_estimate": 1000.0,
            "offline_doubt": None} | changes  # fmt: skip


def test_the_criterion():
    from deep.tune.study import criterion

    low, high = HOPPER.reward_range
    assert criterion([result()], HOPPER) == pytest.approx((1000 - low) / (high - low))
    assert criterion([result(offline_cost_interval=(1.0, 15.0))], HOPPER) == pytest.approx(-10.5)
    assert criterion([result(offline_doubt="short")], HOPPER) == -11
    assert criterion([result(offline_cost_interval=(1.0, 1e9))], HOPPER) == -100
    assert criterion([result(), result(offline_doubt="short")], HOPPER) < criterion([result()], HOPPER)
    worst = criterion([result(offline_return_estimate=-1e9)], HOPPER)
    assert worst > criterion([result(offline_return_estimate=1e9, offline_cost_interval=(1.0, 10.1))], HOPPER)


def estimated(name: str, *estimates: dict) -> dict:
    return {"folder": name, "estimates": list(estimates)}


def estimate(limit: float, cost: float, high: float, seed: int = 0, doubt: str | None = None) -> dict:
    return {"seed": seed, "cost_limit": limit, "offline_cost_estimate": cost, "offline_cost_interval": (cost / 2, high),
            "offline_doubt": doubt}  # fmt: skip


def test_that_no_trial_qualified_is_said_with_the_least_estimated_cost():
    from deep.tune.study import unqualified

    trials = [
        estimated("a", estimate(3, 2.5, 5), estimate(9, 4, 8)),
        estimated("b", estimate(3, 2, 4, 1), estimate(9, 3, 6, 1, "short")),
    ]
    first, *lines = unqualified(trials)
    assert first.startswith("NO TRIAL QUALIFIED: in none is the whole 95 % interval")
    least = "estimates qualify; the least estimated cost is"
    assert lines == [
        f"cost limit 3: 0 of 2 {least} 2 [1, 4], of seed 1 in b",
        f"cost limit 9: 1 of 2 {least} 3 [1.5, 6], doubtful (short), of seed 1 in b",
    ]
    assert unqualified([*trials, estimated("c", estimate(3, 2, 3), estimate(9, 2, 9))]) == []


def test_a_search_in_which_no_trial_qualifies_says_so(file, tmp_path, capsys):
    """With models this small every interval is from 0 to the largest cost."""
    found = search(file, tmp_path / "a", "--trials", "1", "--verdict-episodes", "0")
    screen = capsys.readouterr().out
    assert found["qualified_trials"] == 0
    assert "NO TRIAL QUALIFIED" in screen
    assert f"in {found['trials'][0]['folder']}\nbest of those that do not qualify: -" in screen
    assert "an episode costs 0 to 13" in screen, "what the data were taken to be"


def test_ranges():
    found = dimensions(["learning-rate=1e-4..1e-2:log", "steps=5..9", "hidden=8,8+8"], OPTIONS)
    assert found == [
        Dimension("learning-rate", 1e-4, 1e-2, True),
        Dimension("steps", 5, 9, whole=True),
        Dimension("hidden", values=("8", "8+8")),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("learning_rat=1..2", "an option of the method is accepted, such as "),
        ("steps=9..5", "the lower one first"),
        ("steps=1.5..3", "two whole numbers"),
        ("learning-rate=0..1:log", ":log with numbers above 0"),
        ("learning-rate=0..1:lin", "after the range nothing"),
        ("hidden=8..16", "hidden is not one number, so NAME=A,B,C is accepted"),
        ("steps=5", "two different values or more"),
        ("steps=5,5", "two different values or more"),
    ],
)
def test_a_range_that_is_none_is_rejected(text, sentence):
    with pytest.raises(InputError, match=sentence):
        dimensions([text], OPTIONS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--search", "steps=1..2", "--steps", "3"], "--steps is searched and given"),
        (["--search", "seeds=1,2"], "--search seeds: all trials share it"),
        (["--search", "steps=1..2", "--dynamics.steps", "0"], "--dynamics.steps 0: the criterion is an estimate"),
        (["--search", "steps=1..2", "--trials", "0"], "--trials and --verdict-episodes"),
        (["--search", "steps=1..2", "--resume"], "there is no search in"),
        (["--nonsense", "3"], "unknown option --nonsense"),
        ([], "--search names nothing"),
    ],
)
def test_what_cannot_be_searched_is_rejected(words, sentence, file, tmp_path, capsys):
    given = ["--algorithm", "bc_all", "--dataset", str(file), "--action-low", "-2", "--action-high", "2"]
    with pytest.raises(SystemExit):
        tune.main([*given, *words, "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_another_search_is_not_gone_on_with(file, tmp_path, capsys):
    search(file, tmp_path / "a", "--trials", "1", "--verdict-episodes", "0")
    for words, sentence in (([], "already holds a search"), (["--resume", "--gamma", ".9"], "has other options")):
        with pytest.raises(SystemExit):
            search(file, tmp_path / "a", "--trials", "1", *words)
        assert sentence in capsys.readouterr().err
    own = ["--search", "hidden=8,16", "--dataset", str(file), *TRAINING]
    with pytest.raises(SystemExit):
        tune.main([*own, "--out", str(tmp_path / "a"), "--trials", "1", "--resume"])
    assert "has other options or ranges" in capsys.readouterr().err


def test_a_journal_that_ends_within_a_line_is_gone_on_with(tmp_path):
    journal = tmp_path / "study.log"
    lines = [b'{"op_code": 0, "study_name": "tune"}\n', b'{"op_code": 2, "x": 1}\n']
    journal.write_bytes(b"".join(lines) + b'{"op_code": 3, "val')
    mend_journal(journal)
    assert journal.read_bytes() == b"".join(lines)
    mend_journal(journal)
    assert journal.read_bytes() == b"".join(lines)
    journal.write_bytes(b'{"op_co')
    mend_journal(journal)
    assert journal.read_bytes() == b""


@pytest.mark.parametrize("line", ["{}", "[]", "text", "7", '{"op_code": 0', ""])
def test_a_journal_with_another_line_is_left_as_it_is(line, tmp_path):
    journal = tmp_path / "study.log"
    journal.write_text(f'{{"op_code": 0, "study_name": "tune"}}\n{line}\n{{"op_code": 2}}\n{{"op')
    before = journal.read_bytes()
    with pytest.raises(InputError, match="does not hold the journal of a search"):
        mend_journal(journal)
    assert journal.read_bytes() == before


def test_a_journal_that_has_lost_its_first_line_is_left_as_it_is(tmp_path):
    """Optuna would begin another search in it."""
    journal = tmp_path / "study.log"
    journal.write_text('{"op_code": 2, "x": 1}\n')
    with pytest.raises(InputError, match="it does not begin with a search"):
        mend_journal(journal)
    assert journal.read_text() == '{"op_code": 2, "x": 1}\n'


def test_a_journal_that_ends_with_an_empty_line_is_left_as_it_is(tmp_path):
    journal = tmp_path / "study.log"
    before = '{"op_code": 0, "study_name": "tune"}\n\n'
    journal.write_text(before)
    with pytest.raises(InputError, match="does not hold the journal of a search"):
        mend_journal(journal)
    assert journal.read_text() == before


def test_a_torn_search_ends_as_a_whole_one(file, tmp_path):
    words, torn = ("--trials", "2", "--verdict-episodes", "0"), tmp_path / "torn"
    whole = search(file, torn, *words)
    with (torn / "study.log").open("r+b") as journal:
        journal.truncate((torn / "study.log").stat().st_size - 40)
    assert search(file, torn, *words, "--resume")["trials"] == whole["trials"]


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_journal_that_lacks_a_line_or_has_an_odd_one_is_gone_on_with_or_named(every, file, tmp_path, capsys):
    """Without any one line, or with any one entry changed: one sentence, or the search goes on to the same trials."""
    words, folder = ("--trials", "1", "--verdict-episodes", "0"), tmp_path / "search"
    whole, journal = search(file, folder, *words), folder / "study.log"
    lines = journal.read_text().splitlines(keepends=True)
    damaged = [[*lines[:i], *lines[i + 1 :]] for i in range(len(lines))]
    for i, line in enumerate(lines):
        entries = json.loads(line)
        for key in entries:
            for value in ("text", 99, [1.5], {}):
                damaged.append([*lines[:i], json.dumps({**entries, key: value}) + "\n", *lines[i + 1 :]])
    refused = 0
    for case in damaged[::every]:
        journal.write_text("".join(case))
        capsys.readouterr()
        try:
            assert search(file, folder, *words, "--resume")["trials"] == whole["trials"]
        except SystemExit:
            said = capsys.readouterr().err
            assert said.startswith("error: ")
            assert said.count("\n") == 1, said
            refused += 1
    assert 0 < refused < len(damaged[::every])


@pytest.mark.parametrize("change", ["estimates", "offline_cost_interval", "offline_doubt", "values"])
def test_results_of_a_trial_that_have_been_edited_are_not_believed(change, file, tmp_path, capsys):
    words, folder = ("--trials", "1", "--verdict-episodes", "0"), tmp_path / "search"
    search(file, folder, *words)
    lines = [json.loads(line) for line in (folder / "study.log").read_text().splitlines()]
    for line in lines:
        if change == "values" and "values" in line:
            line["values"] = [1.5]
        elif estimates := line.get("user_attr", {}).get("estimates"):
            if change == "estimates":
                del estimates[1:]
            elif change == "offline_cost_interval":
                estimates[0][change][1] = 0.0
            elif change == "offline_doubt":
                del estimates[0][change]
    (folder / "study.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        search(file, folder, *words, "--resume")
    assert "trial 0 has other values or results than it had): put the file back" in capsys.readouterr().err


def test_a_trial_whose_end_is_lost_before_the_last_one_is_not_counted_out(file, tmp_path, capsys):
    """It was given up, and the trial after it was made twice."""
    words, folder = ("--verdict-episodes", "0"), tmp_path / "search"
    search(file, folder, *words, "--trials", "2")
    lines = (folder / "study.log").read_text().splitlines(keepends=True)
    ends = [i for i, line in enumerate(lines) if "datetime_complete" in line]
    del lines[ends[0]]
    (folder / "study.log").write_text("".join(lines))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        search(file, folder, *words, "--trials", "3", "--resume")
    assert "a trial before the last one has no end): put the file back" in capsys.readouterr().err


def test_a_folder_in_the_place_of_a_journal_is_named(file, tmp_path, capsys):
    (tmp_path / "search" / "study.log").mkdir(parents=True)
    with pytest.raises(SystemExit):
        search(file, tmp_path / "search", "--trials", "1", "--resume")
    assert "study.log is no file: the journal of a search is accepted there" in capsys.readouterr().err


def test_dynamics_are_taken_from_a_trial_of_the_search_alone(file, tmp_path, capsys):
    search(file, tmp_path / "search", "--trials", "1", "--verdict-episodes", "0")
    for folder in ("../other", {}):
        (tmp_path / "search" / "dynamics.json").write_text(json.dumps({"folder": folder}))
        with pytest.raises(SystemExit):
            search(file, tmp_path / "search", "--trials", "2", "--resume")
        assert "dynamics.json does not hold the folder with a search's dynamics" in capsys.readouterr().err


def test_a_missing_package_is_named(file, tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SystemExit):
        search(file, tmp_path / "a", "--trials", "1")
    assert "`pip install optuna` installs it" in capsys.readouterr().err

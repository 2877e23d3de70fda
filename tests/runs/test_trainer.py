"""deep.runs.trainer and deep.runs.folder: resuming gives the same bits, and nothing good is lost."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from deep.core.files import NOTES, Lock, write_tensors
from deep.core.phase import Hook, Phase
from deep.core.randomness import RandomInput, draw_block
from deep.runs import trainer
from deep.runs.folder import Position, RunFolder
from tests.support.training import Walk, folder_in
from theory.support.errors import InputError


def run(walk: Walk, folder: RunFolder) -> None:
    try:
        trainer.train(walk.phases(), walk.tensors(), folder, torch.device("cpu"))
    finally:
        folder.release()


@pytest.mark.parametrize("seconds", [0.0, 1e9])  # a checkpoint after every block, or after phases alone
@pytest.mark.parametrize("stop_at", [1, 120, 229, 231, 260, 399])
def test_a_stopped_run_goes_on_to_the_same_bits_and_metrics(tmp_path, monkeypatch, stop_at, seconds):
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", seconds)
    whole = Walk()
    run(whole, folder_in(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        run(Walk(stop_at=stop_at), folder_in(tmp_path / "stopped"))
    resumed = Walk()
    run(resumed, folder_in(tmp_path / "stopped", resume=True))
    assert torch.equal(resumed.x, whole.x)
    assert torch.equal(resumed.y, whole.y)
    assert 0 < resumed.updates < whole.updates or stop_at < 230
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "stopped")]
    assert metrics[0] == metrics[1]
    assert whole.hooked == [0, 100]


def test_progress_goes_to_stderr(tmp_path, capsys):
    run(Walk(steps=(1, 1)), folder_in(tmp_path / "run"))
    screen, errors = capsys.readouterr()
    assert screen == ""
    assert "first: 100%" in errors


def test_freed_memory_is_kept_before_the_first_step(tmp_path, monkeypatch):
    walk, updates = Walk(), []
    monkeypatch.setattr(trainer, "keep_freed_memory", lambda: updates.append(walk.updates))
    run(walk, folder_in(tmp_path / "run"))
    assert updates == [0]


def test_a_phase_of_no_steps_still_begins(tmp_path):
    walk = Walk()
    first, second = walk.phases()
    folder = folder_in(tmp_path / "run")
    trainer.train([first, replace(second, steps=0)], walk.tensors(), folder, torch.device("cpu"))
    assert walk.updates == 230
    assert torch.equal(walk.y, 2 * walk.x)
    with pytest.raises(InputError, match="phase 'first' of -1 steps: accepted is a number of at least 0"):
        replace(first, steps=-1)


def test_every_step_gets_its_own_draws(tmp_path):
    walk = Walk()
    run(walk, folder_in(tmp_path))
    expected = torch.zeros(2)
    for block in range(5):
        steps = min(50, 230 - 50 * block)
        noise = draw_block({"noise": RandomInput("normal", ())}, (0, 1), "first", block, steps, torch.device("cpu"))[
            "noise"
        ]
        expected += (noise * (1 + 50 * block + torch.arange(steps).unsqueeze(1))).sum(0)
    torch.testing.assert_close(walk.x, expected, rtol=1e-4, atol=1e-2)


def test_a_line_of_metrics_is_the_mean_over_its_block_however_short_it_is(tmp_path):
    folder = folder_in(tmp_path / "run")
    phase = Phase("only", 70, (0, 1), {}, lambda step, draws: {"step twice": step * torch.tensor([1.0, 2.0])})
    trainer.train([phase], {}, folder, torch.device("cpu"))
    lines = [(line["step"], line["step twice"]) for line in folder.read_metrics()]
    assert lines == [(50, [24.5, 49.0]), (70, [59.5, 119.0])]


def test_a_finished_run_is_not_trained_again(tmp_path):
    walk = Walk()
    run(walk, folder_in(tmp_path))
    again = Walk()
    run(again, folder_in(tmp_path, resume=True))
    assert again.updates == 0
    assert torch.equal(again.y, walk.y)


@pytest.mark.parametrize(("limits", "whose"), [((), "seed 1;"), ((20.0, 40.0), "seed 1 and cost limit 40;")])
def test_a_metric_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path, monkeypatch, limits, whose):
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    walk = Walk(poison_at=130)
    first = replace(walk.phases()[0], limits=limits)
    folder = folder_in(tmp_path)
    with pytest.raises(trainer.TrainingError) as caught:
        trainer.train([first], walk.tensors(), folder, torch.device("cpu"))
    folder.release()
    sentence = f"position stopped being a finite number in phase 'first' at step 129 for {whose}"
    assert str(caught.value).startswith(f"{sentence} the checkpoint in {tmp_path} is from before: ")
    assert "\n" not in str(caught.value)
    position = RunFolder(tmp_path).load(Walk().tensors())
    assert position is not None
    assert (position.phase, position.step) == ("first", 100)
    again = Walk()
    run(again, folder_in(tmp_path, resume=True))  # without the poison
    whole = Walk()
    run(whole, folder_in(tmp_path / "whole"))
    assert torch.equal(again.y, whole.y)


def test_where_nothing_was_written_no_checkpoint_is_spoken_of(tmp_path):
    walk = Walk(poison_at=1)
    with pytest.raises(trainer.TrainingError, match="at step 0 for seed 1; there is no checkpoint: try a smaller"):
        run(walk, folder_in(tmp_path))
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_parameter_that_is_not_finite_never_reaches_the_checkpoint(tmp_path, monkeypatch):
    """The last update of a block may spoil what only the next block's losses would show."""
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    theta = torch.ones(2, 3)

    def update(step, draws):
        if step == 149:
            theta[1, 2] = torch.nan
        return {"loss": torch.zeros(2)}

    folder = folder_in(tmp_path)
    with pytest.raises(trainer.TrainingError, match=r"theta stopped being .* 'p' at step 150 for seed 5;"):
        trainer.train([Phase("p", 300, (4, 5), {}, update)], {"theta": theta}, folder, torch.device("cpu"))
    kept = {"theta": torch.zeros(2, 3)}
    position = folder.load(kept)
    assert position is not None
    assert position.step == 100
    assert torch.equal(kept["theta"], torch.ones(2, 3))


def test_a_score_not_yet_computed_is_no_fault(tmp_path):
    tensors = {"score": torch.tensor([-torch.inf, 1.0])}
    phase = Phase("p", 50, (0, 1), {}, lambda step, draws: {"m": torch.zeros(2)})
    folder = folder_in(tmp_path)
    trainer.train([phase], tensors, folder, torch.device("cpu"))
    read = {"score": torch.zeros(2)}
    assert folder.load(read) is not None
    assert read["score"].tolist() == [-torch.inf, 1.0]


def test_a_metric_may_be_a_tensor_that_later_updates_change(tmp_path):
    x = torch.zeros(1)

    def update(step, draws):
        x.add_(1)
        return {"x": x}

    folder = folder_in(tmp_path)
    trainer.train([Phase("p", 3, (0,), {}, update)], {"x": x}, folder, torch.device("cpu"))
    assert folder.read_metrics() == [{"phase": "p", "step": 3, "x": [2.0]}]


def test_a_hook_between_blocks_is_refused(tmp_path):
    phase = Phase("p", 10, (0,), {}, lambda step, draws: {}, hooks=[Hook(30, lambda step: {})])
    with pytest.raises(InputError, match="multiple of 50"):
        trainer.train([phase], {}, folder_in(tmp_path), torch.device("cpu"))


def test_folders_refuse_what_would_lose_a_run(tmp_path):
    first = folder_in(tmp_path / "run")
    with pytest.raises(InputError, match="already holds a run"):
        folder_in(tmp_path / "run")
    with pytest.raises(InputError, match="another process"):
        folder_in(tmp_path / "run", resume=True)
    first.release()
    with pytest.raises(InputError, match="seed was 0, now 1"):
        RunFolder(tmp_path / "run").open({"identity": {"seed": 1}}, resume=True)
    nested = {"seed": 0, "method": {"gate": {"k": 1.0, "kind": "ucb"}}}
    deep = RunFolder(tmp_path / "nested")
    deep.open({"identity": nested}, resume=False)
    deep.release()
    nested["method"]["gate"]["k"] = 2.0
    with pytest.raises(InputError, match=r"has other settings: method\.gate\.k was 1\.0, now 2\.0$"):
        RunFolder(tmp_path / "nested").open({"identity": nested}, resume=True)
    with pytest.raises(InputError, match="there is no run"):
        folder_in(tmp_path / "none", resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        folder_in(tmp_path / "file" / "run")


WAY_OUT = "put it back as it was written, or train again in another folder$"


def spoil(folder: RunFolder, damage: str) -> None:
    content = bytearray(folder.checkpoint.read_bytes())
    if damage == "truncated":
        del content[-3:]
    if damage == "empty":
        content.clear()
    if damage == "foreign":
        content[:] = b"something else entirely"
    if damage == "bit flipped in a tensor":
        content[-1] ^= 1
    if damage == "bit flipped in the position":
        content[content.index(b"50", 8)] ^= 1
    if damage == "another file of this kind":
        save_file({"x": torch.zeros(2)}, folder.checkpoint)
    elif damage == "notes that are a list":
        save_file({"x": torch.zeros(2)}, folder.checkpoint, {NOTES: "[1]"})
    elif damage == "gone while it was opened":
        folder.checkpoint.unlink()
        folder.checkpoint.mkdir()
    elif damage == "no position":
        write_tensors(folder.checkpoint, {"x": torch.zeros(2)}, {"run": "r"})
    elif damage == "other shape":
        folder.save({"x": torch.zeros(3)}, "first", 50)
    elif damage == "other type":
        folder.save({"x": torch.zeros(2, dtype=torch.float64)}, "first", 50)
    else:
        folder.checkpoint.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("truncated", f"is damaged or cut off .*: {WAY_OUT}"),
        ("empty", f"is damaged or cut off .*: {WAY_OUT}"),
        ("foreign", f"is damaged or cut off .*: {WAY_OUT}"),
        ("gone while it was opened", f"cannot be opened .*: {WAY_OUT}"),
        ("bit flipped in a tensor", rf"is damaged \(its content has another digest\): {WAY_OUT}"),
        ("bit flipped in the position", rf"is damaged \(its content has another digest\): {WAY_OUT}"),
        ("another file of this kind", rf"was not written by this project \(it has no digest .*: {WAY_OUT}"),
        ("notes that are a list", rf"was not written by this project \(it has no digest .*: {WAY_OUT}"),
        ("no position", r"does not hold the checkpoint of a run \(it lacks 'phase'\): put the file back"),
        ("other shape", "of another run: x is .*: put that run's own back"),
        ("other type", "of another run: x is .*: put that run's own back"),
    ],
)
def test_a_bad_checkpoint_gets_one_sentence_and_changes_nothing(tmp_path, damage, sentence):
    folder = folder_in(tmp_path)
    folder.save({"x": torch.zeros(2)}, "first", 50)
    spoil(folder, damage)
    tensors = {"x": torch.ones(2)}
    with pytest.raises(InputError, match=sentence) as caught:
        folder.load(tensors)
    assert "\n" not in str(caught.value)
    assert str(folder.checkpoint) in str(caught.value)
    assert torch.equal(tensors["x"], torch.ones(2))


def test_flipped_bits_of_a_checkpoint_are_noticed(tmp_path):
    folder = folder_in(tmp_path)
    folder.save({"x": torch.zeros(2), "n": torch.zeros((), dtype=torch.int64)}, "first", 50)
    content = folder.checkpoint.read_bytes()
    for k in range(0, 8 * len(content), 3):  # every byte, and in turn every place in it
        flipped = bytearray(content)
        flipped[k // 8] ^= 1 << k % 8
        folder.checkpoint.write_bytes(flipped)
        tensors = {"x": torch.ones(2), "n": torch.ones((), dtype=torch.int64)}
        try:
            position = folder.load(tensors)
        except InputError:
            continue
        # Nothing but blanks around the header's values is free.
        assert position == Position("first", 50, 0)
        assert tensors["x"].tolist() == [0, 0]
        assert tensors["n"] == 0


def test_a_checkpoint_of_another_run_of_the_same_shapes_is_refused(tmp_path):
    folders = []
    for seed in (0, 1):
        folder = RunFolder(tmp_path / str(seed))
        folder.open({"identity": {"seed": seed}}, resume=False)
        folder.save({"x": torch.zeros(2)}, "first", 50)
        folders.append(folder)
    folders[0].checkpoint.write_bytes(folders[1].checkpoint.read_bytes())
    with pytest.raises(InputError, match="is of another run than"):
        folders[0].load({"x": torch.zeros(2)})
    folders[1].load({"x": torch.zeros(2)})


def test_a_phase_that_no_longer_exists_is_refused(tmp_path):
    folder = folder_in(tmp_path)
    folder.save(Walk().tensors(), "zeroth", 50)
    with pytest.raises(InputError, match="phase 'zeroth': accepted are first, second"):
        run(Walk(), folder)


def test_metrics_that_the_checkpoint_has_counted_must_be_there(tmp_path):
    folder = folder_in(tmp_path)
    folder.append_metrics({"step": 50})
    folder.save(Walk().tensors(), "first", 50)
    folder.metrics.write_text("")
    with pytest.raises(InputError, match="has 0 bytes where the checkpoint has counted 13"):
        run(Walk(), folder)


def test_a_run_cut_before_its_configuration_is_begun_by_resume(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / "config.json.1.tmp").write_text("{")
    whole = Walk()
    run(whole, folder_in(tmp_path, resume=True))
    assert whole.updates == 400
    assert not (tmp_path / "config.json.1.tmp").exists()


def test_a_checkpoint_without_a_configuration_is_not_trained_over(tmp_path):
    folder = folder_in(tmp_path)
    folder.save({"x": torch.zeros(2)}, "first", 50)
    folder.release()
    folder.config.unlink()
    for resume in (False, True):
        with pytest.raises(InputError, match=r"holds checkpoint\.safetensors and sessions\.json and no config\.json"):
            folder_in(tmp_path, resume)


@pytest.mark.parametrize("content", ["{}", "[1", '{"identity": 3}'])
def test_a_foreign_configuration_is_refused(tmp_path, content):
    folder_in(tmp_path).release()
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match="config"):
        folder_in(tmp_path, resume=True)


def test_a_lock_goes_with_its_holder(tmp_path):
    with pytest.raises(InputError, match="another process"):
        _ = Lock(tmp_path), Lock(tmp_path)
    folder = folder_in(tmp_path / "run")
    with pytest.raises(InputError, match="another process"):
        Lock(tmp_path / "run")
    del folder
    Lock(tmp_path / "run").release()


def test_who_has_a_folder_is_named(tmp_path):
    """The process that has it now, not one that had it before and was killed."""
    code = "import os, signal, sys; from pathlib import Path; from deep.core.files import Lock; "
    code += "lock = Lock(Path(sys.argv[1])); print('there', flush=True); sys.stdin.read()"
    earlier = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    with earlier:
        assert earlier.stdout is not None
        assert earlier.stdout.readline() == "there\n"
        with pytest.raises(InputError, match=rf"another process \({earlier.pid} on .+\) is at work in"):
            Lock(tmp_path)
        earlier.kill()
    lock = Lock(tmp_path)
    with pytest.raises(InputError, match=rf"another process \({os.getpid()} on .+\) is at work in"):
        Lock(tmp_path)
    lock.release()
    lock.release()


def test_a_folder_is_had_on_a_full_disk(tmp_path, monkeypatch):
    def full(descriptor: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deep.core.files.os.ftruncate", full)
    lock = Lock(tmp_path)
    with pytest.raises(InputError, match="another process is at work in"):
        Lock(tmp_path)
    lock.release()


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    folder = folder_in(tmp_path)
    folder.save({"x": torch.ones(2)}, "first", 50)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("theory.support.files.os.fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        folder.save({"x": torch.zeros(2)}, "first", 100)
    tensors = {"x": torch.zeros(2)}
    position = folder.load(tensors)
    assert position is not None
    assert position.step == 50
    assert tensors["x"].tolist() == [1, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock",
        "checkpoint.safetensors",
        "config.json",
        "metrics.jsonl",
        "sessions.json",
    ]
    assert json.loads((tmp_path / "config.json").read_text())["identity"] == {"seed": 0}


def test_the_end_of_a_phase_runs_once_and_not_again_on_resume(tmp_path):
    """A stopped run has not reached it yet; a finished phase, and a phase of no steps, does not repeat it."""

    def train_walk(walk: Walk, resume: bool) -> None:
        first, second = walk.phases()
        folder = folder_in(tmp_path / "run", resume=resume)
        phases = [
            replace(first, on_end=lambda: ended.append(("first", walk.updates))),
            replace(second, on_end=lambda: ended.append(("second", walk.updates))),
            Phase("empty", 0, (0,), {}, lambda step, draws: {}, on_end=lambda: ended.append(("empty", walk.updates))),
        ]
        try:
            trainer.train(phases, walk.tensors(), folder, torch.device("cpu"))
        finally:
            folder.release()

    ended: list[tuple[str, int]] = []
    with pytest.raises(KeyboardInterrupt):
        train_walk(Walk(stop_at=260), resume=False)
    assert ended == [("first", 230)]
    train_walk(Walk(), resume=True)
    assert [name for name, _ in ended] == ["first", "second"]
    train_walk(Walk(), resume=True)
    assert [name for name, _ in ended] == ["first", "second"]

"""deep.trainer and deep.runs: resuming gives the same bits, and nothing good is lost."""

import json

import pytest
import torch

from deep import trainer
from deep.phases import Hook, Phase
from deep.randomness import Draw, draw_block
from deep.runs import RunFolder
from theory.errors import InputError


class Walk:
    """Two phases of a random walk; the second starts from what its `begin` makes of the first."""

    def __init__(self, stop_at: int | None = None, poison_at: int | None = None) -> None:
        self.x = torch.zeros(2)
        self.y = torch.zeros(2)
        self.hooked: list[int] = []
        self.stop_at, self.poison_at, self.updates = stop_at, poison_at, 0

    def phases(self) -> list[Phase]:
        draws = {"noise": Draw("normal", ())}
        hook = Hook(100, self._hook)
        return [
            Phase("first", 230, (0, 1), draws, self._move(self.x)),
            Phase("second", 170, (0, 1), draws, self._move(self.y), self._begin, [hook]),
        ]

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"x": self.x, "y": self.y}

    def _begin(self) -> None:
        self.y.copy_(2 * self.x)

    def _hook(self, step: int) -> dict[str, torch.Tensor]:
        self.hooked.append(step)
        return {"looked": self.y.clone()}

    def _move(self, tensor):
        def update(step, draws):
            self.updates += 1
            if self.updates == self.stop_at:
                raise KeyboardInterrupt
            tensor.add_(draws["noise"] * (1 + step))
            bad = self.updates == self.poison_at
            return {"position": tensor + (float("nan") if bad else 0)}

        return update


def folder_in(path, resume=False) -> RunFolder:
    folder = RunFolder(path)
    folder.open({"identity": {"seed": 0}}, resume)
    return folder


def run(walk: Walk, folder: RunFolder) -> None:
    try:
        trainer.train(walk.phases(), walk.tensors(), folder, torch.device("cpu"))
    finally:
        folder.close()


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


def test_every_step_gets_its_own_draws(tmp_path):
    walk = Walk()
    run(walk, folder_in(tmp_path))
    expected = torch.zeros(2)
    for block in range(5):
        steps = min(50, 230 - 50 * block)
        noise = draw_block({"noise": Draw("normal", ())}, (0, 1), "first", block, steps, torch.device("cpu"))["noise"]
        expected += (noise * (1 + 50 * block + torch.arange(steps).unsqueeze(1))).sum(0)
    torch.testing.assert_close(walk.x, expected, rtol=1e-4, atol=1e-2)


def test_a_finished_run_is_not_trained_again(tmp_path):
    walk = Walk()
    run(walk, folder_in(tmp_path))
    again = Walk()
    run(again, folder_in(tmp_path, resume=True))
    assert again.updates == 0
    assert torch.equal(again.y, walk.y)


def test_a_number_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(trainer.TrainingError, match="position stopped being a finite number in phase 'first'"):
        run(Walk(poison_at=130), folder_in(tmp_path))
    position = RunFolder(tmp_path).load(Walk().tensors())
    assert position is not None
    assert (position.phase, position.step) == ("first", 100)


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
    first.close()
    with pytest.raises(InputError, match="seed was 0, now 1"):
        RunFolder(tmp_path / "run").open({"identity": {"seed": 1}}, resume=True)
    with pytest.raises(InputError, match="there is no run"):
        folder_in(tmp_path / "none", resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        folder_in(tmp_path / "file" / "run")


@pytest.mark.parametrize("damage", ["truncated", "foreign", "other shape", "no position"])
def test_a_bad_checkpoint_gets_one_sentence(tmp_path, damage):
    folder = folder_in(tmp_path)
    folder.save({"x": torch.zeros(2)}, "first", 50)
    content = folder.checkpoint.read_bytes()
    if damage == "truncated":
        folder.checkpoint.write_bytes(content[:-3])
    if damage == "foreign":
        folder.checkpoint.write_bytes(b"something else entirely")
    if damage == "no position":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(2)}, folder.checkpoint)
    wanted = {"x": torch.zeros(3 if damage == "other shape" else 2)}
    with pytest.raises(InputError, match="of another run" if damage == "other shape" else "cannot be read") as caught:
        folder.load(wanted)
    assert "\n" not in str(caught.value)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    folder = folder_in(tmp_path)
    folder.save({"x": torch.ones(2)}, "first", 50)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deep.runs.os.fsync", full)
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
    ]
    assert json.loads((tmp_path / "config.json").read_text())["identity"] == {"seed": 0}

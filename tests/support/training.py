"""Two phases of a random walk, every phase of a method without the trainer, and the folder of a run that was killed."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

from deep.core.phase import Hook, Phase
from deep.core.randomness import RandomInput, draw_block
from deep.runs import trainer
from deep.runs.folder import RunFolder


class Walk:
    """Two phases of a random walk; the second starts from what its `begin` makes of the first."""

    def __init__(
        self, stop_at: int | None = None, poison_at: int | None = None, steps: tuple[int, int] = (230, 170)
    ) -> None:
        self.steps = steps
        self.x = torch.zeros(2)
        self.y = torch.zeros(2)
        self.hooked: list[int] = []
        self.stop_at, self.poison_at, self.updates = stop_at, poison_at, 0

    def phases(self) -> list[Phase]:
        draws = {"noise": RandomInput("normal", ())}
        hook = Hook(100, self._hook)
        return [
            Phase("first", self.steps[0], (0, 1), draws, self._move(self.x)),
            Phase("second", self.steps[1], (0, 1), draws, self._move(self.y), self._begin, [hook]),
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
            return {"position": tensor + torch.tensor([0, float("nan") if bad else 0])}

        return update


def folder_in(path, resume=False) -> RunFolder:
    folder = RunFolder(path)
    folder.open({"identity": {"seed": 0}}, resume)
    return folder


def copy_at(steps: int, folder: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Copy the folder as the trainer begins the block after so many steps: what a run leaves that is killed there.

    Returns the number of steps of every block that the trainer begins, also of later runs.
    """
    begun: list[int] = []
    draw = trainer.draw_block

    def counted(draws, seeds, phase, block, count, device):
        if sum(begun) >= steps and not copy.exists():
            shutil.copytree(folder, copy)
        begun.append(count)
        return draw(draws, seeds, phase, block, count, device)

    monkeypatch.setattr(trainer, "draw_block", counted)
    return begun


def run_phases(experiment, steps: int) -> None:
    for phase in experiment.phases():
        phase.on_start()
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, steps, experiment.device)
        for hook in phase.hooks:
            hook.call(0)
        for step in range(steps):
            phase.update(torch.tensor(float(step)), {name: block[step] for name, block in draws.items()})


def compare(build, options: tuple[str, ...], steps: int, tolerance: float) -> None:
    """Two seeds with two limits against runs of single replicas.

    The replicas are those of the first seed with the second limit and of the second seed with the first: a swapped axis
    maps neither to itself, one is not the first of its seed, and their limits differ.
    """
    together = build("--seeds", "3", "5", "--cost-limits", "4", "9", *options)
    run_phases(together, steps)
    for seed, limit, seed_row, row in (("3", "9", 0, 1), ("5", "4", 1, 2)):
        alone = build("--seeds", seed, "--cost-limits", limit, *options)
        run_phases(alone, steps)
        compare_row(together, alone, seed_row, row, tolerance)


def compare_row(everyone, alone, seed_row: int, row: int, tolerance: float) -> None:
    """Compare the tensors of a run of one replica with its rows in the run of four."""
    together, single = everyone.tensors(), alone.tensors()
    rows = {1: slice(None), 2: slice(seed_row, seed_row + 1), 4: slice(row, row + 1)}  # of seeds, of replicas
    compared = 0
    for name, tensor in single.items():
        if tensor.dim() == 0:
            continue
        members = len(tensor) if name.startswith("dynamics") else 1
        index = slice(seed_row * members, (seed_row + 1) * members) if members > 1 else rows[len(together[name])]
        said = partial("{} of row {}: {}".format, name, row)
        torch.testing.assert_close(together[name][index], tensor, atol=tolerance, rtol=tolerance, msg=said)
        compared += 1
    assert compared >= 4
    # A negative control: the other seed's replica is another run.
    assert not torch.allclose(together["policy.theta"][3 - row], single["policy.theta"][0], atol=tolerance)

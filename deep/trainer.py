"""One trainer for every method: it runs the phases in blocks of steps, with progress, metrics and checkpoints."""

import math
import sys
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from deep.phases import Phase
from deep.randomness import draw_block
from deep.runs import Position, RunFolder
from theory.errors import InputError

BLOCK = 50
"""Steps whose draws are made together; metrics are averaged over a block and checkpoints fall between blocks."""
SECONDS_BETWEEN_CHECKPOINTS = 30.0


class TrainingError(InputError):
    """Training cannot go on; the last checkpoint is from before."""


def train(phases: Sequence[Phase], tensors: Mapping[str, Tensor], folder: RunFolder, device: torch.device) -> None:
    """Run all phases from the folder's checkpoint, or from the start, to the end.

    A step's update depends on the tensors, the step's number and the draws of (seed, phase, block) alone, so a run
    that was killed and started again ends with the same bits on one machine.
    """
    for phase in phases:
        for hook in phase.hooks:
            if hook.every % BLOCK:
                raise InputError(
                    f"a hook of phase {phase.name!r} runs every {hook.every} steps: take a multiple of {BLOCK}"
                )
    position = folder.load(tensors)
    folder.rewind_metrics(0 if position is None else position.metrics_bytes)
    for phase in _remaining(phases, position):
        first = position.step if position is not None and position.phase == phase.name else 0
        _run(phase, first, tensors, folder, device)
        folder.save(tensors, phase.name, phase.steps)


def _remaining(phases: Sequence[Phase], position: Position | None) -> Sequence[Phase]:
    if position is None:
        return phases
    names = [phase.name for phase in phases]
    return phases[names.index(position.phase) :]


def _run(phase: Phase, first: int, tensors: Mapping[str, Tensor], folder: RunFolder, device: torch.device) -> None:
    if first == 0 and phase.steps > 0:
        phase.begin()
    saved = time.monotonic()
    bar = tqdm(total=phase.steps, initial=first, desc=f"{phase.name:>14}", unit="step", file=sys.stdout, mininterval=2)
    for step in range(first, phase.steps, BLOCK):
        count = min(BLOCK, phase.steps - step)
        draws = draw_block(phase.draws, phase.seeds, phase.name, step // BLOCK, count, device)
        hooks = {key: value for hook in phase.hooks if step % hook.every == 0 for key, value in hook.call(step).items()}
        sums: dict[str, Tensor] = {}
        for k in range(count):
            now = torch.tensor(float(step + k), device=device)
            metrics = phase.update(now, {name: block[k] for name, block in draws.items()})
            sums = {name: sums.get(name, 0) + value for name, value in metrics.items()}
        values = {name: total / count for name, total in sums.items()} | hooks
        record = {name: [float(x) for x in value.tolist()] for name, value in values.items()}
        wrong = [name for name, numbers in record.items() if not all(map(math.isfinite, numbers))]
        if wrong:
            raise TrainingError(
                f"{', '.join(wrong)} stopped being a finite number in phase {phase.name!r} between steps {step} and "
                f"{step + count}; the checkpoint in {folder.path} is from before: try a smaller learning rate"
            )
        folder.append_metrics({"phase": phase.name, "step": step + count, **record})
        bar.update(count)
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            folder.save(tensors, phase.name, step + count)
            saved = time.monotonic()
    bar.close()

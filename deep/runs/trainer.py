"""One trainer for every method: it runs the phases in blocks of steps, with progress, metrics and checkpoints."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import torch
from torch import Tensor
from tqdm import tqdm

from deep.core.memory import keep_freed_memory
from deep.core.phase import BLOCK, Phase, Update
from deep.core.randomness import draw_block
from deep.runs.cuda_graphs import Block, eager
from deep.runs.folder import Position, RunFolder
from theory.support.errors import InputError

SECONDS_BETWEEN_CHECKPOINTS = 30.0


class TrainingError(InputError):
    """Training cannot go on; the last checkpoint, if there is one, is from before."""


def train(
    phases: Sequence[Phase],
    tensors: Mapping[str, Tensor],
    folder: RunFolder,
    device: torch.device,
    compose: Callable[[Update], Block] = eager,
    after: Callable[[Phase], None] = lambda phase: None,
) -> None:
    """Run all phases from the folder's checkpoint, or from the start, to the end.

    A line of metrics.jsonl is a block's: "step" is the one after its last step, and the metrics of updates are means
    over the block. What hooks return is of the policy before its first step, `deep.core.phase.block_start` of "step".

    `compose` makes a block of a phase's updates: one after the other, or as a CUDA graph
    (`deep.runs.cuda_graphs.graphed`). `after` is called when a phase has ended and its checkpoint is written.

    A step's update depends on the tensors, the step's number and the draws of (seed, phase, block) alone, so a run
    that was killed and started again ends with the same bits on one machine, with the same number of threads.
    """
    for phase in phases:
        for hook in phase.hooks:
            if hook.every % BLOCK:
                raise InputError(
                    f"a hook of phase {phase.name!r} runs every {hook.every} steps: take a multiple of {BLOCK}"
                )
    keep_freed_memory()
    position = folder.load(tensors)
    if position is None:
        folder.refuse_lost_checkpoint()
    folder.rewind_metrics(0 if position is None else position.metrics_bytes)
    for phase in _remaining(phases, position, folder):
        first = position.step if position is not None and position.phase == phase.name else 0
        _run(phase, first, tensors, folder, device, compose(phase.update))
        _save(tensors, phase, phase.steps, folder)
        after(phase)


def _remaining(phases: Sequence[Phase], position: Position | None, folder: RunFolder) -> Sequence[Phase]:
    if position is None:
        return phases
    names = [phase.name for phase in phases]
    if position.phase not in names:
        raise InputError(
            f"{folder.checkpoint} was written in a phase {position.phase!r}: accepted are {', '.join(names)}"
        )
    return phases[names.index(position.phase) :]


def _run(
    phase: Phase, first: int, tensors: Mapping[str, Tensor], folder: RunFolder, device: torch.device, block: Block
) -> None:
    if first == 0:
        phase.on_start()
    saved = time.monotonic()
    bar = tqdm(total=phase.steps, initial=first, desc=f"{phase.name:>14}", unit="step", mininterval=2)
    with bar:  # closed before an error is printed
        for step in range(first, phase.steps, BLOCK):
            count = min(BLOCK, phase.steps - step)
            draws = draw_block(phase.draws, phase.seeds, phase.name, step // BLOCK, count, device)
            due = [hook for hook in phase.hooks if step % hook.every == 0]
            hooks = {key: value for hook in due for key, value in hook.call(step).items()}
            _check({name: value.unsqueeze(0) for name, value in hooks.items()}, phase, step, folder)
            steps = torch.arange(step, step + count, device=device, dtype=torch.get_default_dtype())
            metrics = {name: values.cpu() for name, values in block(steps, draws).items()}
            _check(metrics, phase, step, folder)
            means = {name: sum(values.unbind(), torch.zeros(())) / count for name, values in metrics.items()} | hooks
            record = {name: [float(x) for x in value.tolist()] for name, value in means.items()}
            folder.append_metrics({"phase": phase.name, "step": step + count, **record})
            bar.update(count)
            # The checkpoint of the last step is written after `on_end`.
            if step + count < phase.steps and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                _save(tensors, phase, step + count, folder)
                saved = time.monotonic()
    if first < phase.steps:
        phase.on_end()


def _save(tensors: Mapping[str, Tensor], phase: Phase, step: int, folder: RunFolder) -> None:
    """Write the checkpoint, unless a tensor has stopped being finite: the one before must stay good."""
    for name, tensor in tensors.items():
        good = tensor < math.inf  # -inf is allowed: it is the score of a selection not yet made
        if not good.all():
            _refuse(name, good.flatten(1).all(1) if good.dim() > 1 else good, phase, step, folder)
    folder.save(tensors, phase.name, step)


def _check(metrics: Mapping[str, Tensor], phase: Phase, first: int, folder: RunFolder) -> None:
    """Stop at the earliest step with a metric (step, n) that is not finite."""
    good = {name: values.isfinite() for name, values in metrics.items()}
    bad = {name: int((~row).flatten(1).any(1).int().argmax()) for name, row in good.items() if not row.all()}
    if bad:
        name = min(bad, key=bad.__getitem__)
        _refuse(name, good[name][bad[name]], phase, first + bad[name], folder)


def _refuse(name: str, good: Tensor, phase: Phase, step: int, folder: RunFolder) -> NoReturn:
    """Stop because of what is not finite; `good` says for every row whether it is."""
    whose = ""
    if good.shape == (len(phase.seeds),):
        row = int((~good).int().argmax())
        whose = f" for seed {phase.seeds[row]}" + (f" and cost limit {phase.limits[row]:g}" if phase.limits else "")
    there = folder.checkpoint.exists()
    before = f"the checkpoint in {folder.path} is from before" if there else "there is no checkpoint"
    raise TrainingError(
        f"{name} stopped being a finite number in phase {phase.name!r} at step {step}{whose}; {before}: try a smaller "
        "learning rate"
    )

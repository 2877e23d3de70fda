"""`python -m deep.speed`: update steps per second of every phase, beside a plain loop of the same update.

The plain loop is what PyTorch users write: torch.nn modules, torch.optim.Adam, an average moved one parameter after the
other, one replica after the other. tests/commands/test_speed.py shows that it is the same update. Seconds belong to the
machine, which other work may share; ratios were measured by turns, and carry over better.

`python -m deep.speed --methods cpq,fisor` measures whole updates beside the public code's (`deep.speed.updates`).
`python -m deep.speed --gpu-check --out DIR` is another command: all that only a GPU can show (`deep.speed.gpu_check`).
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deep.methods.registry import spec_of
from deep.speed.options import Speed
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole


def main(arguments: Sequence[str] | None = None, prog: str = "python -m deep.speed") -> None:
    """The command; wrong input ends in one sentence and exit code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command(lambda: "nothing is saved; the same command measures again"):
        if "--gpu-check" in words:
            from deep.speed import gpu_check

            words.remove("--gpu-check")
            gpu_check.check_gpu(words)
        else:
            run(read(Speed, __name__, words, prog))


def run(speed: Speed) -> dict[str, Any]:
    """Measure, print, write."""
    methods = tuple(name for text in speed.methods for name in text.split(",") if name)
    replicas = speed.replicas or ((1, 3, 9) if methods else (1, 4, 16))
    speed = replace(speed, methods=methods, replicas=replicas)
    for name in methods:
        spec_of(name)  # an unknown one is rejected before anything is measured
    if min(speed.replicas) < 1 or speed.seconds <= 0 or speed.threads < 1:
        raise InputError("--replicas, --seconds and --threads: accepted are numbers above 0, one replica or more")
    import torch

    from deep.core.memory import keep_freed_memory
    from deep.speed.table import measure, plain

    names = sorted({name for algorithm in speed.algorithms for name in plain(algorithm).PHASES})
    if unknown := set(speed.phases) - set(names):
        raise InputError(f"--phases {' '.join(sorted(unknown))}: accepted are {', '.join(names)}")
    before = torch.get_num_threads()
    torch.set_num_threads(speed.threads)
    keep_freed_memory()
    try:
        found = measure(speed)
    finally:
        torch.set_num_threads(before)
    if speed.out is not None:
        write_whole(speed.out, json.dumps(found, indent=1, default=str).encode())
    return found


if __name__ == "__main__":
    main()

"""The options of `python -m deep.speed`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deep.methods.registry import Algorithm


@dataclass(frozen=True)
class Speed:
    """Measure how fast training is on this machine."""

    algorithms: tuple[Algorithm, ...] = ("drcorl", "safe_dql", "bc_all")
    """Methods that have a plain loop in deep/speed/plain."""
    methods: tuple[str, ...] = ()
    """Any methods, "cpq,fisor" or "cpq fisor": measure whole updates beside the public code's instead."""
    phases: tuple[str, ...] = ()
    """Only phases of these names; none: all."""
    replicas: tuple[int, ...] = ()
    """Numbers of seeds trained together; none: 1, 4, 16, and with --methods 1, 3, 9."""
    preset: Literal["quick", "paper"] = "paper"
    """The networks and batches of this preset."""
    seconds: float = 3.0
    """Time of one measurement."""
    threads: int = 1
    """CPU threads. With one, processor time is measured, which other work on the machine disturbs little."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where."""
    options: tuple[str, ...] = ()
    """More words for deep.train's command line, as one value: --options="--behaviour.batch-size 256"."""
    out: Path | None = None
    """Also write the figures to this JSON file."""

"""The options of `python -m theory.speed`, read without torch."""

from dataclasses import dataclass

from theory.support.errors import InputError


@dataclass(frozen=True)
class Speed:
    """Measure processor time on one core; ratios carry over to other machines, seconds do not."""

    states: int = 20
    """S of the CMDPs on which the iterations are timed."""
    actions: int = 5
    """A of these CMDPs."""
    batch: int = 256
    """CMDPs per batch."""
    iterations: int = 60
    """Iterations of Algorithm 3 per measurement."""
    sizes: tuple[int, ...] = (30, 100, 300, 1000)
    """Numbers of states at which the linear program is compared with the Lagrangian."""
    large: int = 0
    """Number of states of one more Lagrangian solve, 100000 for the largest that the project promises."""
    repeats: int = 3
    """The fastest of so many measurements counts."""

    def __post_init__(self) -> None:
        for name in ("states", "actions", "batch", "iterations", "repeats", "sizes"):
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            if min(values, default=1) < 1:
                raise InputError(f"--{name} {' '.join(map(str, values))}: accepted is a number of at least 1")
        if self.large < 0:
            raise InputError(f"--large {self.large}: accepted is a number of at least 0")

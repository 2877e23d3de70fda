"""What a run's seeds, cost limits and discount factor can be: said before torch is imported."""

from collections.abc import Sequence

from theory.support.errors import InputError


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise `InputError` unless there are seeds, all different and none negative."""
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InputError(f"--seeds {list(seeds)}: accepted are different numbers of at least 0, one or more")


def check_limits(limits: Sequence[float]) -> None:
    """Raise `InputError` unless the cost limits are different, finite and not negative; there may be none."""
    if len(set(limits)) < len(limits) or not all(0 <= limit < float("inf") for limit in limits):
        raise InputError(f"--cost-limits {list(limits)}: accepted are different numbers of at least 0, one or more")


def check_gamma(gamma: float) -> None:
    """Raise `InputError` unless the discount factor lies between 0 and 1."""
    if not 0 < gamma < 1:
        raise InputError(f"--gamma {gamma}: accepted is a number between 0 and 1")

"""What options of all commands have in common: the values that are accepted, and the sentence for any other."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from theory.support.errors import InputError


class Range(NamedTuple):
    """Values that an option may have."""

    words: str
    contains: Callable[[float], bool]
    """False for what is not a number, too."""


AT_LEAST_0 = Range("of at least 0", lambda x: 0 <= x < math.inf)
AT_LEAST_1 = Range("of at least 1", lambda x: 1 <= x < math.inf)
ABOVE_0 = Range("above 0", lambda x: 0 < x < math.inf)
BETWEEN_0_AND_1 = Range("above 0 and below 1", lambda x: 0 < x < 1)
BELOW_1 = Range("of at least 0 and below 1", lambda x: 0 <= x < 1)
RATE = Range("above 0 and at most 1", lambda x: 0 < x <= 1)
SHARE = Range("from 0 to 1", lambda x: 0 <= x <= 1)


def check_ranges(config: Any, prefix: str = "", **ranges: Range) -> None:
    """Raise `InputError` where a field of `config`, or a number of it where it has several, is out of its range.

    The options are called as the fields are, after the prefix: check_ranges(self, "gate.", eval_every=AT_LEAST_1) names
    --gate.eval-every.
    """
    for name, accepted in ranges.items():
        value = getattr(config, name)
        several = isinstance(value, tuple)
        if not all(map(accepted.contains, value if several else (value,))):
            found = " ".join(map(str, value)) if several else value
            kind = "are numbers" if several else "is a number"
            raise InputError(f"--{prefix}{name.replace('_', '-')} {found}: accepted {kind} {accepted.words}")


def use_threads(threads: int) -> None:
    """Let torch compute with so many CPU threads.

    One is the default, so that the number of cores decides neither the last bits of a result nor how a run fares beside
    other work. Threads wait for each other by spinning: two did 1.4 to 1.8 times the updates of one on two idle cores,
    and .4 to .7 times as many where one of the cores was busy (DRCORL's quick preset, adaptation).
    """
    if threads < 1:
        raise InputError(f"--threads {threads}: accepted is a number of at least 1")
    torch.set_num_threads(threads)

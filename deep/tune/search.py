"""The ranges of a search for hyper-parameters: NAME=LOW..HIGH, NAME=LOW..HIGH:log, or NAME=A,B,C."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from theory.support.errors import InputError
from theory.support.options import Option


@dataclass(frozen=True)
class Dimension:
    """What one option may be: a range of numbers, or one of some values."""

    name: str
    """As on the command line, without "--"."""
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    """Whether the numbers are whole."""
    values: tuple[str, ...] = ()
    """The values where there is no range."""

    def suggest(self, trial: Any) -> str:
        """The value of an Optuna trial, as a word of the command line."""
        if self.values:
            return self.word(trial.suggest_categorical(self.name, list(self.values)))
        if self.whole:
            return self.word(trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log))
        return self.word(trial.suggest_float(self.name, self.low, self.high, log=self.log))

    def word(self, value: Any) -> str:
        """A value of an Optuna trial as a word of the command line."""
        return str(value) if self.values or self.whole else repr(value)


def dimensions(texts: Sequence[str], options: Collection[Option]) -> list[Dimension]:
    """The dimensions of --search; raises `InputError` for what is no range of one of these options."""
    by_name = {option.name: option for option in options}
    found: dict[str, Dimension] = {}
    for text in texts:
        name, _, given = text.partition("=")
        name = name.removeprefix("--").replace("_", "-")
        if name not in by_name:
            raise InputError(f"--search {text}: an option of the method is accepted, such as {_example(by_name)}")
        if name in found:
            raise InputError(f"--search {text}: {name} is given twice")
        found[name] = _dimension(text, by_name[name], given)
    if not found:
        raise InputError("--search names nothing: NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A,B,C is needed")
    return list(found.values())


def _dimension(text: str, option: Option, given: str) -> Dimension:
    if ".." not in given:
        values = tuple(value for value in given.split(",") if value)
        if len(values) < 2 or len(set(values)) < len(values):
            raise InputError(f"--search {text}: two different values or more are accepted, or LOW..HIGH")
        if option.kind == "literal" and (unknown := [value for value in values if value not in option.values]):
            raise InputError(f"--search {text}: {unknown[0]} is none of {', '.join(option.values)}")
        return Dimension(option.name, values=values)
    if option.kind not in ("int", "float") or option.several:
        raise InputError(f"--search {text}: {option.name} is not one number, so NAME=A,B,C is accepted")
    ends, _, scale = given.partition(":")
    try:
        low, high = map(int if option.kind == "int" else float, ends.split("..", 1))
    except ValueError:
        kind = "whole numbers" if option.kind == "int" else "numbers"
        raise InputError(f"--search {text}: two {kind}, LOW..HIGH, are accepted") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"--search {text}: finite numbers, the lower one first, are accepted")
    if scale not in ("", "log") or (scale == "log" and low <= 0):
        raise InputError(f"--search {text}: after the range nothing is accepted, or :log with numbers above 0")
    return Dimension(option.name, low, high, scale == "log", option.kind == "int")


def _example(options: Mapping[str, Option]) -> str:
    numbers = [name for name, option in options.items() if option.kind in ("int", "float")]
    return ", ".join(numbers[:3])


def as_words(option: Option | None, name: str, value: str) -> list[str]:
    """One chosen value as words of the command line."""
    if option is not None and option.kind == "bool":
        first, dot, last = name.rpartition(".")
        return [f"--{name}"] if value.lower() == "true" else [f"--{first}{dot}no-{last}"]
    return [f"--{name}", *value.split("+")]

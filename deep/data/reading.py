"""How the file of a data set is to be read, where its own names and ends do not say it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np

from theory.support.errors import InputError

KEYS = (
    "observations",
    "next_observations",
    "actions",
    "rewards",
    "costs",
    "terminals",
    "timeouts",
    "dones",
    "episodes",
)
"""The arrays that `--columns` can name."""


@dataclass(frozen=True)
class Reading:
    """What a data file's arrays are taken for. None: as the format has it."""

    columns: tuple[str, ...] | None = None
    """Other names of arrays in the file, KEY=NAME with the keys observations, next_observations, actions, rewards,
    costs, terminals, timeouts, dones and episodes: costs=infos/cost. dones mark ends of any kind, and a change of
    episodes marks one."""
    cost_function: str | None = None
    """MODULE:NAME, a function of some of the arrays observations, actions, next_observations, rewards, terminals and
    timeouts, by these names and with a row for each step, to the cost of each step; in place of the file's costs."""
    last_trajectory: Literal["drop"] | None = None
    """drop: leave out the rows after the last end of a trajectory, such as those of a recording that was cut off."""

    def names(self) -> dict[str, str]:
        """The array in the file for each key that `columns` names; raises `InputError` for what is no KEY=NAME."""
        found: dict[str, str] = {}
        for text in self.columns or ():
            key, equals, name = text.partition("=")
            if not (equals and name) or key not in KEYS or key in found:
                accepted = f"KEY=NAME, once for each key, is accepted; keys are {', '.join(KEYS)}"
                raise InputError(f"--columns {text}: {accepted}")
            found[key] = name
        return found


AS_IT_IS = Reading()
"""A file is read as its format has it."""


def costs_by(function: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The cost of each step, float32 (n,), by the function MODULE:NAME of the arrays that its parameters name.

    Raises `InputError` where there is no such function, it asks for other arrays, fails, or gives another shape.
    """
    module, _, name = function.partition(":")
    option = f"--cost-function {function}"
    try:
        called = getattr(import_module(module), name)
        parameters = list(inspect.signature(called).parameters)
    except Exception as error:  # importing a module runs its code
        raise InputError(
            f"{option} cannot be loaded ({_said(error)}): MODULE:NAME of a function is accepted"
        ) from error
    if unknown := [parameter for parameter in parameters if parameter not in arrays]:
        accepted = f"parameters among {', '.join(arrays)} are accepted for this file"
        raise InputError(f"{option} has the parameters {', '.join(unknown)}: {accepted}")
    count = len(arrays["rewards"])
    accepted = f"one number for each of the {count} rows is accepted"
    try:
        costs = np.asarray(called(**{parameter: arrays[parameter] for parameter in parameters}))
    except Exception as error:  # a user's code may raise anything
        raise InputError(f"{option} failed ({_said(error)}): {accepted}") from error
    if costs.shape != (count,) or costs.dtype.kind not in "biuf":
        found = f"gives an array of shape {costs.shape} and type {costs.dtype}"
        raise InputError(f"{option} {found}: {accepted}")
    return costs.astype(np.float32)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

"""How the file of a data set is to be read, where its own names and ends do not say it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

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
    "steps",
    "environments",
)
"""The arrays that `--columns` can name."""
OPTIONAL = ("next_observations", *KEYS[5:])
"""Those that it can leave out of account."""
SHOWN = 20
"""Arrays that a rejection of a parameter lists."""
FREE, VANISHED = "no step costs anything", "all are read as 0; multiply them by a factor before, as float64 is not kept"
"""What it means that float32 holds none of the costs, or of other numbers."""


@dataclass(frozen=True)
class Reading:
    """What a data file's arrays are taken for. None: as the format has it."""

    columns: tuple[str, ...] | None = None
    """Other names of arrays in the file, KEY=NAME with the keys observations, next_observations, actions, rewards,
    costs, terminals, timeouts, dones, episodes, steps and environments: costs=infos/cost. observations=pos,vel is a
    vector of several arrays. dones mark ends of any kind, or the terminals where only some episodes end with one; a
    change of episodes marks an end; a counter of steps has to increase within a trajectory; the rows of each of several
    environments are taken together. steps= leaves an array out of account."""
    cost_function: str | None = None
    """MODULE:NAME, a function of some of the arrays observations, actions, next_observations, rewards, terminals and
    timeouts, and of other arrays of the file, to the cost of each step; in place of the file's costs. Its parameters
    are the names of the arrays, infos_speed for infos/speed; each has a row for each step, flags and whole numbers as
    floats. A parameter with a default keeps it where no array has its name."""
    last_trajectory: Literal["drop"] | None = None
    """drop: leave out the rows after the last end of a trajectory, such as those of a recording that was cut off."""

    def names(self) -> dict[str, str]:
        """The array in the file for each key that `columns` names; raises `InputError` for what is no KEY=NAME."""
        return {key: name for key, name in self._pairs().items() if name}

    def unread(self) -> set[str]:
        """The keys whose arrays `columns` leaves out of account: KEY=."""
        return {key for key, name in self._pairs().items() if not name}

    def decided(self) -> set[str]:
        """The keys of which an option says what is read."""
        return self.names().keys() | self.unread() | ({"costs"} if self.cost_function else set())

    def check_keys(self, accepted: Collection[str], name: str, form: str) -> None:
        """Raise `InputError` for a key that a file of this form, of the name `name`, has no use for."""
        for key, array in self._pairs().items():
            if key not in accepted or not (array or key in ("next_observations", "steps")):
                found = f"{name} is {form}, which keeps each episode apart: --columns {key}={array} has no effect"
                raise InputError(f"{found}; names of {', '.join(accepted)} are accepted")

    def others(self, arrays: Collection[str]) -> dict[str, str]:
        """Those of the arrays that the cost function has parameters for, each under its own name; raises `InputError`
        where there is no such function."""
        wanted = {*parameters(self.cost_function)} - {*KEYS}
        return {array: array for array in arrays if as_parameter(array) in wanted}

    def _pairs(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in self.columns or ():
            key, equals, name = text.partition("=")
            joined = [part.strip() for part in name.split(",")]
            empty = not name and key in OPTIONAL
            if (
                not (equals and (all(joined) or empty))
                or len(set(joined)) < len(joined)
                or key not in KEYS
                or key in found
            ):
                accepted = "KEY=NAME, once for each key, is accepted, or KEY=NAME,NAME to join arrays; keys are "
                accepted += f"{', '.join(KEYS)}; {OPTIONAL[0]}= and the like leave out what need not be there"
                raise InputError(f"--columns {text}: {accepted}")
            found[key] = name
        return found

    def words(self) -> list[str]:
        """The options of a command line that say this."""
        words = ["--columns", *self.columns] if self.columns else []
        words += ["--cost-function", self.cost_function] if self.cost_function else []
        return words + (["--last-trajectory", self.last_trajectory] if self.last_trajectory else [])


AS_IT_IS = Reading()
"""A file is read as its format has it."""


def as_parameter(array: str) -> str:
    """The name of an array as that of a parameter: infos_speed for infos/speed."""
    return re.sub(r"\W", "_", array)


def parameters(function: str | None) -> list[str]:
    """The parameters of the function MODULE:NAME; raises `InputError` where there is no such function."""
    return [] if function is None else list(inspect.signature(_function(function)).parameters)


def _function(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    try:
        called = getattr(import_module(module), name)
        inspect.signature(called)
    except Exception as error:  # importing a module runs its code
        raise InputError(
            f"--cost-function {function} cannot be loaded ({_said(error)}): MODULE:NAME of a function is accepted"
        ) from error
    return called


def costs_by(
    function: str,
    arrays: Mapping[str, np.ndarray],
    others: Mapping[str, Callable[[], np.ndarray]] = MappingProxyType({}),
) -> np.ndarray:
    """The cost of each step, (n,), by the function MODULE:NAME of copies of the arrays it names as parameters.

    Booleans and whole numbers become floats that hold them, because numpy's sum of booleans is one, and small whole
    numbers wrap around. A parameter with a default keeps it where no array has its name.

    Args:
        function: MODULE:NAME.
        arrays: those of the data set, (n, ...).
        others: what reads each of the file's other arrays, (n, ...), where (n, 1) is taken for (n,).

    Raises:
        InputError: there is no such function, it asks for other arrays, fails, or gives another shape.
    """
    option, found = f"--cost-function {function}", inspect.signature(_function(function)).parameters
    known = list(dict.fromkeys((*arrays, *others)))
    wanted = [key for key in found if key in known]
    if unknown := [key for key, each in found.items() if key not in known and each.default is each.empty]:
        more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
        accepted = f"parameters among {', '.join(known[:SHOWN])}{more} are accepted for this file"
        raise InputError(f"{option} has the parameters {', '.join(unknown)}: {accepted}")
    count = len(arrays["rewards"])
    accepted = f"one number for each of the {count} rows is accepted"
    copies = {each: _in_floats(arrays[each] if each in arrays else others[each]()) for each in wanted}
    copies = {
        each: values[:, 0] if values.shape[1:] == (1,) and each in others else values for each, values in copies.items()
    }
    try:
        costs = np.array(_function(function)(**copies))
    except Exception as error:  # a user's code may raise anything
        raise InputError(f"{option} failed ({_said(error)}): {accepted}") from error
    if costs.shape != (count,) or costs.dtype.kind not in "biuf":
        found = f"gives an array of shape {costs.shape} and type {costs.dtype}"
        raise InputError(f"{option} {found}: {accepted}")
    return costs


def _in_floats(values: np.ndarray) -> np.ndarray:
    """A copy, booleans and numbers as floats of at least 32 bits."""
    is_number = values.dtype.kind in "biuf"
    return np.array(values, dtype=np.result_type(values, np.float32) if is_number else None)


def vanished(values: np.ndarray, key: str, meaning: str = VANISHED) -> tuple[str, ...]:
    """A remark where float32 leaves none of a feature's numbers, (n,) or (n, k), because all are below its smallest
    one; it ends with `meaning`."""
    if values.dtype.kind != "f" or values.dtype.itemsize <= 4 or values.ndim not in (1, 2) or not values.size:
        return ()
    features = values.reshape(len(values), -1)
    size = np.abs(features).max(axis=0)
    with np.errstate(over="ignore"):  # what is too large is rejected
        gone = (size > 0) & (size.astype(np.float32) == 0)
    if not gone.any():
        return ()
    column = int(np.flatnonzero(gone)[0])
    where = f"column {column} of {key} is" if features.shape[1] > 1 else f"{key} are"
    return (f"{where} at most {size[column]:.2g}, which is 0 in float32: {meaning}",)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

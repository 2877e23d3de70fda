"""Two packages of 2023, safety-gymnasium and bullet-safety-gym, imported beside current gymnasium and numpy.

Neither imports as it is. Their own `__init__` registers hundreds of environments with a gymnasium of that time, and
from Python 3.11 on a dataclass rejects a numpy array as a default value. So the parts that are needed are imported
under an empty stand-in for the top package, with dataclasses that copy such arrays. When the import is over, all is as
it was before: `dataclasses.dataclass`, gymnasium's registry and `sys.modules`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from theory.support.errors import InputError

INSTALL = "pip install --no-deps -r requirements-legacy.txt"
_DISTRIBUTIONS = {"yaml": "pyyaml", "pybullet": "pybullet==3.2.7"}


@functools.cache
def load(package: str, *modules: str) -> tuple[ModuleType, ...]:
    """These modules of an old package.

    Raises:
        InputError: the package, or one that it imports, is not installed or does not import.
    """
    spec = importlib.machinery.PathFinder.find_spec(package)  # whatever `sys.modules` may hold under this name
    if spec is None:
        raise InputError(f"the package {package.replace('_', '-')} is not installed; `{INSTALL}` installs it")
    try:
        with _without_trace(package), mock.patch.object(dataclasses, "dataclass", _dataclass):
            sys.modules[package] = importlib.util.module_from_spec(spec)  # never executed: an empty stand-in
            return tuple(importlib.import_module(f"{package}.{module}") for module in modules)
    except ModuleNotFoundError as error:
        needed = error.name or str(error)
        raise InputError(
            f"the package {package.replace('_', '-')} needs {needed}, which is not installed; "
            f"`pip install {_DISTRIBUTIONS.get(needed, needed)}` installs it"
            + (", and has to compile it from Python 3.12 on" if needed == "pybullet" else "")
        ) from error
    except Exception as error:  # whatever another version of a dependency may raise
        raise InputError(
            f"the package {package.replace('_', '-')} does not import here: {type(error).__name__}: {error}"
        ) from error


@contextmanager
def _without_trace(package: str) -> Iterator[None]:
    """Take the package's modules out of `sys.modules`, and put back those that were there before."""

    def take() -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
        return {name: sys.modules.pop(name) for name in names}

    before = take()
    try:
        yield
    finally:
        take()
        sys.modules.update(before)


_standard_dataclass: Callable[..., Any] = dataclasses.dataclass


def _dataclass(cls: type | None = None, /, **options: Any) -> Any:
    """`dataclasses.dataclass`, with a copy for each instance of every default that is a numpy array."""

    def decorate(cls: type) -> type:
        for name, value in list(vars(cls).items()):
            if isinstance(value, np.ndarray):
                setattr(cls, name, dataclasses.field(default_factory=value.copy))
        return _standard_dataclass(cls, **options)

    return decorate if cls is None else decorate(cls)


@contextmanager
def numpy_generator(state: np.random.RandomState) -> Iterator[None]:
    """Let numpy's global generator continue `state`, and be as it was before afterwards."""
    outer = np.random.get_state()  # noqa: NPY002 (the old packages draw from it)
    np.random.set_state(state.get_state())  # noqa: NPY002
    try:
        yield
    finally:
        state.set_state(np.random.get_state())  # noqa: NPY002
        np.random.set_state(outer)  # noqa: NPY002

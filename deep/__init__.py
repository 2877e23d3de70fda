"""Learners for continuous control from offline data sets, with a limit on the cost.

`from deep import load_dataset, make_env, train, load_policy, evaluate`: the functions of `deep.api`, which is imported
when one of them is used. `deep.train` and `deep.evaluate` are the modules of the commands, and can be called like the
functions of the same names in `deep.api`.
"""

# pyright: reportUnsupportedDunderAll=false
# (Names that `__getattr__` finds.)

import importlib
import sys
from types import ModuleType
from typing import Any

_API = ("OfflineDataset", "TrainedPolicy", "TrainingResult", "load_dataset", "load_policy", "make_env", "save_episodes")
_COMMANDS = ("evaluate", "train")

__all__ = sorted((*_API, *_COMMANDS))


class _Command(ModuleType):
    """A module that can be called: `deep.train(...)` is `deep.api.train(...)`."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        api = importlib.import_module("deep.api")
        return getattr(api, self.__name__.rpartition(".")[2])(*arguments, **settings)


class _Package(ModuleType):
    """This package. The import system stores a submodule as an attribute of it, in whatever order modules come."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _COMMANDS and isinstance(value, ModuleType):
            value.__class__ = _Command
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _API:
        return getattr(importlib.import_module("deep.api"), name)
    if name in _COMMANDS:
        return importlib.import_module(f"deep.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

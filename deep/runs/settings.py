"""The settings of a run: what decides its result. They are written to config.json and read back from it."""

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

import numpy as np
import torch
import tyro

from deep.cli.values import check_gamma, check_limits, check_seeds
from deep.data.custom import CustomData
from deep.data.reading import Reading
from deep.methods.registry import Algorithm, spec_of
from deep.ope.dynamics import DynamicsConfig
from theory.support.errors import InputError

Config = TypeVar("Config")


@dataclass(frozen=True)
class Settings(Generic[Config]):
    """What decides a run's result. Two runs of equal settings on one machine have equal results."""

    method: Annotated[Config, tyro.conf.arg(name="")]
    """Hyper-parameters of the algorithm; the preset gives the defaults."""
    task: str = "auto"
    """Short name or DSRL id, `python -m deep.tasks` lists them; custom: data of your own. auto: the task on which the
    file of --dataset was recorded, custom if that is none of the table, and HopperVel where no file is named."""
    algorithm: Algorithm = "drcorl"
    """The method."""
    preset: Literal["quick", "paper", "rebuilt"] = "quick"
    """quick: minutes on two CPU cores. paper: the sizes and steps that the paper prints, for a GPU. rebuilt (drcorl
    alone): from a clone of all of the data, for data in which no trajectory is good as a whole."""
    seeds: tuple[int, ...] = (0,)
    """Every stage is trained anew for each seed."""
    cost_limits: tuple[float, ...] = ()
    """Limits on the cost of an episode; each seed is trained for each limit, all together. None: those at which DSRL
    reports the task, 20, 40, 80 or (bullet) 10, 20, 40; for a custom data set, quartiles of the episodes' costs."""
    dataset: str = "auto"
    """auto (DSRL's file where it lies in DSRL_DATASET_DIR, else the embedded one), embedded, dsrl (downloaded where
    it is missing), minari:ID, or a path: HDF5 of DSRL, D4RL or d3rlpy, Minari's folder, .npz, .csv or .parquet."""
    custom: Annotated[CustomData, tyro.conf.arg(name="")] = field(default_factory=CustomData)
    """What a custom data set is taken to be."""
    reading: Annotated[Reading, tyro.conf.arg(name="")] = field(default_factory=Reading)
    """What the arrays of a data file are taken for."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    gamma: float = 0.99
    """Discount factor of all critics."""
    normalise_states: bool = True
    """Shift and scale every entry of an observation to mean 0 and standard deviation 1 over the data."""
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    """The learned dynamics behind the offline estimate of the cost."""

    def check(self) -> None:
        """Raise `InputError` for values no run can have."""
        if self.preset not in (presets := spec_of(self.algorithm).presets):
            raise InputError(f"--preset {self.preset} with {self.algorithm}: accepted are {', '.join(presets)}")
        check_seeds(self.seeds)
        check_limits(self.cost_limits)
        check_gamma(self.gamma)
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no CUDA device on this machine; accepted are auto and cpu")


def settings_from(saved: Mapping[str, Any]) -> Settings[Any]:
    """The settings that `deep.runs.experiment.identity` wrote, read back from JSON. Raises `InputError` for names that
    are unknown here and values of another type."""
    method = type(spec_of(saved["algorithm"]).presets[saved["preset"]])
    plain = {key: value for key, value in saved.items() if key not in ("method", "dataset_sha256")}
    config = built_from(method, saved["method"])
    if not isinstance(config, method):
        raise InputError(f"a run's settings have the method {config!r}: accepted is {method.__name__}")
    return built_from(Settings, {**plain, "method": config})


def built_from(kind: Any, values: Any) -> Any:
    """A (nested) dataclass from what `dataclasses.asdict` and JSON made of it. Raises `InputError` for names that it
    does not have and values of another type."""
    if not (dataclasses.is_dataclass(kind) and isinstance(values, Mapping)):
        return tuple(values) if isinstance(values, list) else values
    made, hints = typing.cast(Any, kind), typing.get_type_hints(kind)
    if unknown := sorted(values.keys() - hints.keys()):
        raise InputError(f"a run's settings name {', '.join(unknown)}, which {made.__name__} does not have here")
    built = {name: built_from(hints[name], value) for name, value in values.items()}
    for name, value in built.items():
        if not isinstance(hints[name], TypeVar) and not fits(value, hints[name]):
            raise InputError(f"a run's settings have {name} {value!r}: accepted is {said(hints[name])}")
    return made(**built)


def said(hint: Any) -> str:
    """A type in a sentence."""
    return hint.__name__ if isinstance(hint, type) else str(hint)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has the annotated type; whole numbers pass for floats, and both are of 64 bits."""
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if kind is Annotated:
        return fits(value, inner[0])
    if kind is Literal:
        return value in inner
    if kind in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if kind is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    if hint in (int, float) and isinstance(value, bool | np.bool_):
        return False
    if hint is int:
        return isinstance(value, int) and abs(value) < 2**63
    if hint is float:
        return isinstance(value, float) or (isinstance(value, int) and abs(value) <= sys.float_info.max)
    return hint is Any or isinstance(value, kind or hint)

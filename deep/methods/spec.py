"""What a method states about itself: one `MethodSpec` at the foot of its own file, which the registry points to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deep.core.method import Method

Preset = Literal["quick", "paper", "rebuilt"]
"""quick: minutes on two CPU cores. paper: the sizes and numbers of steps that the papers print, for a GPU.
rebuilt: DRCORL alone."""

Need = Literal["dynamics"]
"""dynamics: the ensemble of learned dynamics models (`deep.ope.model_rollouts.DynamicsEnsemble`)."""

Changes = Mapping[str, Any]
"""New values of some fields of a configuration, by dotted name: {"critics.steps": 4, "hidden": (16,)}."""


@dataclass(frozen=True)
class MethodSpec:
    """One method: its name in tables, its source, how it is built, and its configurations."""

    title: str
    """The name in tables, figures and the README."""
    paper: str
    """Authors and year."""
    build: Callable[..., Method]
    """(config, problem) -> learner; with "dynamics" among the needs, (config, problem, dynamics) -> learner."""
    presets: Mapping[Preset, Any]
    """The configuration of each preset."""
    smoke: Changes
    """Changes of the quick preset with which the method trains in a second: what the registry's test takes."""
    brief: Changes = field(default_factory=dict)
    """Changes of the quick preset at the benchmark's smoke scale."""
    needs: frozenset[Need] = frozenset()
    """What the run has to provide besides the problem."""
    cheap: bool = False
    """Whether training takes a small share of the other methods' time: a benchmark starts such jobs last."""


def words(changes: Changes) -> tuple[str, ...]:
    """The changes as options of `python -m deep.train`."""
    found: list[str] = []
    for name, value in changes.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            first, dot, last = option.rpartition(".")
            found.append(f"--{option}" if value else f"--{first}{dot}no-{last}")
        else:
            found += [f"--{option}", *map(str, value if isinstance(value, tuple) else (value,))]
    return tuple(found)

"""The scales and the studies that `python -m deep.benchmark` knows by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deep.methods import registry

if TYPE_CHECKING:
    from deep.methods.spec import Preset

ScaleName = Literal["smoke", "quick", "paper"]
StudyName = Literal["table", "limits", "schedules", "schedules_printed", "time"]


@dataclass(frozen=True)
class Scale:
    """How much is spent on each method; `options` are words of deep.train's command line, for every method."""

    preset: "Preset"
    seeds: tuple[int, ...]
    episodes: int
    options: tuple[str, ...] = ()
    brief: bool = False
    """Whether each method takes its own `deep.methods.spec.MethodSpec.brief` changes."""


@dataclass(frozen=True)
class Study:
    """What is compared; no limits means the task's own, `options` are more words for an ALGORITHM:VARIANT."""

    algorithms: tuple[str, ...]
    cost_limits: tuple[float, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SCALES: dict[ScaleName, Scale] = {
    "smoke": Scale(
        "quick",
        (0,),
        10,
        ("--dynamics.steps", "4000"),
        brief=True,
    ),
    "quick": Scale("quick", (0, 1, 2), 20),
    "paper": Scale("paper", (0, 1, 2), 20),
}

METHODS = tuple(registry.METHODS)


def growth(kind: str, c0: float, c1: float, steps_per_epoch: int) -> tuple[str, ...]:
    """A schedule of DRCORL's beta, as `deep.methods.drcorl.safe_adaptation.Temperature` has it."""
    values = {"growth": kind, "c0": c0, "c1": c1, "steps-per-epoch": steps_per_epoch}
    return tuple(word for name, value in values.items() for word in (f"--adaptation.temperature.{name}", str(value)))


STUDIES: dict[StudyName, Study] = {
    "table": Study(METHODS),
    "limits": Study(METHODS, (10.0, 20.0, 30.0)),
    # Value gradients have unit size here, so the preprint's numbers do not carry over. These growths have its shapes
    # (and its ratio of c0 to c1) and a mean of 1, the default, over the 30 epochs of the quick preset: only the shape
    # differs.
    "schedules": Study(
        ("drcorl:constant", "drcorl:sqrt", "drcorl:linear"),
        (),
        {
            "drcorl:constant": growth("constant", 1.0, 0.0, 50),
            "drcorl:sqrt": growth("sqrt", 0.0, 0.0792, 50),
            "drcorl:linear": growth("linear", 0.2162, 0.05405, 50),
        },
    ),
    # .02, .01 sqrt(n) and .01 n + .04 of section 5.3, with epochs of one step, as in the published code.
    "schedules_printed": Study(
        ("drcorl:constant", "drcorl:sqrt", "drcorl:linear"),
        (),
        {
            "drcorl:constant": growth("constant", 0.02, 0.0, 1),
            "drcorl:sqrt": growth("sqrt", 0.0, 0.0001, 1),
            "drcorl:linear": growth("linear", 0.04, 0.01, 1),
        },
    ),
    "time": Study(METHODS),
}

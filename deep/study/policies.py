"""The policies of the study: snapshots along cloning and along safe adaptation, under several rules and gates.

All adaptations of a seed start from the same learned dynamics, behaviour model, clone and critics (the *base*), which
is what a change of gate, rule or limit would share anyway. Seeds share nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from deep.algorithms.bc import BCConfig
from deep.algorithms.drcorl import DRCORLConfig
from deep.estimates import DynamicsConfig
from deep.experiment import Experiment, Settings, identity
from deep.gates import GateConfig
from deep.optimisation import Parameters
from deep.phases import Hook, Phase
from deep.runs import RunFolder
from deep.safe_adaptation import SafeAdaptationConfig
from deep.trainer import train

NO_DYNAMICS = DynamicsConfig(steps=0)
UNGUARDED = {"k": 0.0, "departure": 1e9, "required_length": 0.0}


@dataclass(frozen=True)
class Source:
    """One way to make policies."""

    algorithm: str
    method: Any
    limit: float
    every: int
    """Steps between two snapshots."""


def _adapted(limit: float, rate: float, rule: Any = "manipulation", **gate: Any) -> Source:
    config = DRCORLConfig(
        gate=GateConfig(choose="last", **gate),
        adaptation=SafeAdaptationConfig(rule=rule),
        adaptation_rate=rate,
        adaptation_steps=400,
    )
    return Source("drcorl", config, limit, every=50)


def _cloned(trajectories: Any, limit: float) -> Source:
    return Source(f"bc_{trajectories}", BCConfig(trajectories, steps=2000, batch_size=256), limit, every=500)


SOURCES = {
    "bc_best": _cloned("best", 40),
    "dynamics gate, limit 20": _adapted(20, 6e-4),
    "UCB gate, limit 20": _adapted(20, 6e-4, kind="ucb", k=2.0),
    "unguarded dynamics gate, limit 20": _adapted(20, 6e-4, **UNGUARDED),
    "bc_all": _cloned("all", 80),
    "UCB gate, limit 80": _adapted(80, 6e-4, kind="ucb", k=2.0),
    "dynamics gate, PID, limit 40": _adapted(40, 2e-4, rule="pid"),
    "bc_safe": _cloned("safe", 20),
}
"""By the name that the results use; 6e-4 is the preprint's step size, 2e-4 this project's default."""


@dataclass(frozen=True)
class Scale:
    """What a test makes smaller."""

    task: str
    dataset: str
    seeds: tuple[int, ...]
    base: DRCORLConfig
    dynamics: DynamicsConfig
    sources: dict[str, Source]


def usual_scale(task: str, dataset: str, seeds: Sequence[int]) -> Scale:
    """The defaults of `deep.train`."""
    return Scale(task, dataset, tuple(seeds), DRCORLConfig(), DynamicsConfig(), SOURCES)


class Snapshots:
    """Copies of a policy's averaged parameters along a phase."""

    def __init__(self, actor: Parameters, steps: int, every: int) -> None:
        self.actor, self.every = actor, every
        self.steps = range(0, steps + 1, every)
        self.theta = torch.zeros(len(self.steps), *actor.average.shape)

    def tensors(self) -> dict[str, Tensor]:
        return {"snapshots": self.theta}

    def along(self, phase: Phase) -> Phase:
        """The phase, with a copy taken before every so many steps; the caller takes the last one."""
        return replace(phase, hooks=[*phase.hooks, Hook(self.every, self.take)])

    def take(self, step: int) -> dict[str, Tensor]:
        self.theta[step // self.every] = self.actor.average.cpu()
        return {}


def experiment(scale: Scale, source: Source | None) -> Experiment:
    """The untrained learner of a source; None is the base, which has what any gate needs."""
    method = replace(scale.base, gate=GateConfig(kind="ucb", k=2.0)) if source is None else source.method
    if source is not None and isinstance(method, DRCORLConfig):
        parts = ("behaviour", "critics", "batch_size", "hidden")
        method = replace(method, **{part: getattr(scale.base, part) for part in parts})
    algorithm = "drcorl" if source is None else source.algorithm
    settings = Settings(
        method,
        task=scale.task,
        algorithm=algorithm,  # pyright: ignore[reportArgumentType]
        seeds=scale.seeds,
        cost_limits=(40.0 if source is None else source.limit,),
        dataset=scale.dataset,
        device="cpu",
        dynamics=scale.dynamics if algorithm == "drcorl" else NO_DYNAMICS,
    )
    return Experiment(settings)


def train_base(scale: Scale, out: Path) -> Experiment:
    """The base, trained as far as it is not; everything of Algorithm 1 before its adaptation."""
    base = experiment(scale, None)
    _train(base, base.phases()[:-1], base.tensors(), out)
    return base


def make(scale: Scale, source: Source, base: Path, out: Path) -> tuple[range, Float[Tensor, "snapshots seeds params"]]:
    """The snapshots of a source and their steps, trained as far as they are not."""
    learner = experiment(scale, source)
    method: Any = learner.method
    *_, last = learner.phases()
    snapshots = Snapshots(method.actor, last.steps, source.every)
    if source.algorithm == "drcorl":
        _take_over(learner.tensors(), base / "checkpoint.safetensors")
    tensors = learner.tensors() | snapshots.tensors()
    _train(learner, [snapshots.along(last)], tensors, out)
    snapshots.take(last.steps)
    return snapshots.steps, snapshots.theta


@torch.no_grad()
def _take_over(tensors: dict[str, Tensor], checkpoint: Path) -> None:
    """Fill in what the base has trained."""
    stored = load_file(checkpoint)
    for name, tensor in tensors.items():
        if name.startswith(("dynamics.", "behaviour.", "clone", "reward_")):
            tensor.copy_(stored[name])


def _train(learner: Experiment, phases: list[Phase], tensors: dict[str, Tensor], out: Path) -> None:
    folder = RunFolder(out)
    folder.open({"identity": identity(learner)}, resume=(out / "config.json").exists())
    try:
        train(phases, tensors, folder, learner.device)
    finally:
        folder.close()

"""From settings to a learner: what `deep.train` builds anew and `deep.evaluate` builds again from config.json."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import numpy as np
import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from deep.core.files import read_json, read_tensors
from deep.core.method import Act, Method, Policy, at_states
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.data.custom import CustomData, load_custom
from deep.data.dataset import OfflineDataset
from deep.data.load import load, task_of
from deep.data.replay import Replay
from deep.envs.counted import CountedSimulator
from deep.methods.registry import Algorithm, spec_of
from deep.ope.dynamics import DynamicsConfig
from deep.ope.interface import Estimator
from deep.ope.model_rollouts import DynamicsEnsemble
from deep.runs.folder import RunFolder
from deep.runs.player import PolicyPlayer
from deep.tasks import Task, find_task
from theory.support.errors import InputError

Config = TypeVar("Config")


@dataclass(frozen=True)
class Settings(Generic[Config]):
    """What decides a run's result. Two runs of equal settings on one machine have equal results."""

    method: Annotated[Config, tyro.conf.arg(name="")]
    """Hyper-parameters of the algorithm; the preset gives the defaults."""
    task: str = "auto"
    """Short name or DSRL id, `python -m deep.tasks` lists them; own: data of your own. auto: the task that the file of
    --dataset was recorded on, own if that is none of the table, and HopperVel where no file is named."""
    algorithm: Algorithm = "drcorl"
    """The method."""
    preset: Literal["quick", "paper"] = "quick"
    """quick: minutes on two CPU cores. paper: the sizes and steps that the paper prints, for a GPU."""
    seeds: tuple[int, ...] = (0,)
    """Every stage is trained anew for each seed."""
    cost_limits: tuple[float, ...] = ()
    """Limits on the cost of an episode; each seed is trained for each limit, all together. None: those at which DSRL
    reports the task, 20, 40, 80 or (bullet) 10, 20, 40; for own data, quartiles of the episodes' costs."""
    dataset: str = "auto"
    """auto (DSRL's file where it lies in DSRL_DATASET_DIR, else the embedded one), embedded, dsrl (downloaded where
    it is missing), or a file."""
    custom: Annotated[CustomData, tyro.conf.arg(name="")] = field(default_factory=CustomData)
    """What own data are taken to be."""
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
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InputError(f"--seeds {list(self.seeds)}: accepted are different numbers of at least 0, one or more")
        limits = self.cost_limits
        if len(set(limits)) < len(limits) or not all(0 <= limit < float("inf") for limit in limits):
            raise InputError(f"--cost-limits {list(limits)}: accepted are different numbers of at least 0, one or more")
        if not 0 < self.gamma < 1:
            raise InputError(f"--gamma {self.gamma}: accepted is a number between 0 and 1")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no CUDA device on this machine; accepted are auto and cpu")


class Experiment:
    """A data set, a problem and a learner for it, not yet trained."""

    def __init__(self, settings: Settings[Any], task: Task | None = None, data: OfflineDataset | None = None) -> None:
        """`task` and `data` stand for what the settings name, where they are not in the table or not in a file."""
        settings.check()
        self.task: Task
        self.data: OfflineDataset
        if task is not None and data is not None:
            settings, self.task, self.data = dataclasses.replace(settings, task=task.name), task, data
        else:
            settings, self.task, self.data = resolve(settings)
        limits = settings.cost_limits or self.task.cost_limits
        self.settings = settings = dataclasses.replace(settings, cost_limits=limits)
        cuda = settings.device == "cuda" or (settings.device == "auto" and torch.cuda.is_available())
        self.device = torch.device("cuda" if cuda else "cpu")
        low, high = self.task.reward_range
        # An episode's reference returns then span one reward unit per step, on every task.
        reward_scale = self.task.expected_length / (high - low)
        self.replay = Replay(self.data, settings.gamma, reward_scale, self.device, settings.normalise_states)
        replicas = len(settings.seeds) * len(settings.cost_limits)
        self.problem = Problem(
            self.task,
            self.data,
            self.replay,
            settings.seeds,
            settings.cost_limits,
            settings.gamma,
            reward_scale,
            self.device,
            CountedSimulator(self.task, replicas) if self.task.simulated else None,
        )
        spec = spec_of(settings.algorithm)
        needed = "dynamics" in spec.needs
        self._dynamics = None
        if needed or settings.dynamics.steps > 0:
            self._dynamics = DynamicsEnsemble(settings.dynamics, self.problem)
        self.method: Method = spec.build(settings.method, self.problem, *([self._dynamics] if needed else []))

    def phases(self) -> list[Phase]:
        """The dynamics models first, so that a method may use them; then the method's own phases."""
        return [*([] if self._dynamics is None else self._dynamics.phases()), *self.method.phases()]

    def tensors(self) -> dict[str, Tensor]:
        """All that training changes."""
        simulator = self.problem.simulator
        counted = {} if simulator is None else {"simulator_episodes": simulator.episodes}
        dynamics = {} if self._dynamics is None else self._dynamics.tensors()
        return dynamics | self.method.tensors() | counted

    @property
    def dynamics(self) -> DynamicsEnsemble:
        """The learned dynamics; raises `InputError` where neither the method nor an offline estimate needs any."""
        if self._dynamics is None:
            raise InputError("--dynamics.steps 0: this run has no learned dynamics")
        return self._dynamics

    @property
    def estimator(self) -> Estimator:
        """What estimates the method's policies offline: the method's own estimator where it has one, else whole
        episodes in the learned dynamics. Raises `InputError` where the run has no learned dynamics."""
        dynamics = self.dynamics
        return self.method.estimator or dynamics

    @property
    def choices(self) -> tuple[str, ...]:
        """The ways to act, the configured one first; methods with a single way have one without a name."""
        return tuple(self.method.policies())

    def policy(self, choice: str | None = None) -> Policy:
        """One of these ways to act; None: the first."""
        policies = self.method.policies()
        return policies[next(iter(policies)) if choice is None else choice]

    def player(self, policy: Policy | Act | None = None) -> PolicyPlayer:
        """What a rollout in the simulator plays; None: the configured way to act."""
        return PolicyPlayer(self.policy() if policy is None else policy, self.replay)

    def act(
        self, observations: Float[np.ndarray, "replica n obs"], policy: Policy | Act | None = None
    ) -> Float[np.ndarray, "replica n act"]:
        """Every replica's actions at raw observations, each taken for the first of an episode. Raises `InputError` for
        a policy with a memory."""
        normalised = self.replay.normalise(torch.from_numpy(observations).to(self.device))
        return at_states(self.policy() if policy is None else policy)(normalised).cpu().numpy()


def resolve(settings: Settings[Any]) -> tuple[Settings[Any], Task, OfflineDataset]:
    """The task and the data that settings name; and the settings with these written out, fit to be kept."""
    name, path = settings.task, Path(settings.dataset).expanduser()
    a_file = settings.dataset not in ("auto", "embedded", "dsrl")
    if name == "auto":
        known = task_of(path) if a_file else find_task("HopperVel")
        name = "custom" if known is None else known.name
    if name == "custom":
        if not a_file:
            raise InputError(f"--task custom with --dataset {settings.dataset}: a file of your own is accepted")
        task, data, custom = load_custom(path, settings.custom)
        return dataclasses.replace(settings, task=name, custom=custom), task, data
    task = find_task(name)
    if settings.custom != CustomData():
        given = [f"--{key.replace('_', '-')}" for key, value in dataclasses.asdict(settings.custom).items() if value]
        raise InputError(f"{', '.join(given)} with data of {task.name}: accepted with data of your own (--task custom)")
    return dataclasses.replace(settings, task=task.name), task, load(task, settings.dataset)


def identity(experiment: Experiment) -> dict[str, Any]:
    """Settings and the data set's hash: what must agree for a run to be gone on with."""
    return {**dataclasses.asdict(experiment.settings), "dataset_sha256": experiment.data.sha256}


def settings_from(saved: Mapping[str, Any]) -> Settings[Any]:
    """The settings that `identity` wrote, read back from JSON. Raises `InputError` for names that are unknown here."""
    method = type(spec_of(saved["algorithm"]).presets[saved["preset"]])
    plain = {key: value for key, value in saved.items() if key not in ("method", "dataset_sha256")}
    return _build(Settings, {**plain, "method": _build(method, saved["method"])})


def restore(run: Path) -> Experiment:
    """The experiment of a run's folder, its tensors not yet filled in; refuses data that have changed since."""
    if not (run / "config.json").exists():
        raise InputError(f"there is no run in {run} (no config.json in it)")
    config = read_json(run / "config.json")
    if not isinstance(config.get("identity"), dict):
        raise InputError(f"{run / 'config.json'} is no run's: it has no identity")
    experiment = Experiment(settings_from(config["identity"]))
    if experiment.data.sha256 != config["identity"]["dataset_sha256"]:
        raise InputError(f"{experiment.data.path} is not the file that the run in {run} was trained on: it has changed")
    return experiment


def take_dynamics(experiment: Experiment, run: Path) -> list[Phase]:
    """Fill in the learned dynamics that another run has trained; the phases that are left.

    They follow from the data, the seeds and their own settings alone: an experiment that takes them ends with the bits
    of one that has trained them. Raises `InputError` where these differ, or the run has not finished its dynamics.
    """
    theirs, mine = read_json(run / "config.json").get("identity", {}), json.loads(json.dumps(identity(experiment)))
    for name in ("task", "dataset_sha256", "custom", "normalise_states", "seeds", "dynamics"):
        if theirs.get(name) != mine[name]:
            raise InputError(
                f"--dynamics-from {run}: its {name} is {theirs.get(name)}, this run's {mine[name]}: accepted are runs "
                "in which they agree"
            )
    stored, place = read_tensors(run / "checkpoint.safetensors", "checkpoint")
    trained = [phase.name for phase in experiment.dynamics.phases()]
    if place["phase"] in trained:
        raise InputError(f"--dynamics-from {run}: the run there is still training them")
    with torch.no_grad():
        for name, tensor in experiment.dynamics.tensors().items():
            tensor.copy_(stored[name])
    return [phase for phase in experiment.phases() if phase.name not in trained]


def finished(run: Path) -> tuple[Experiment, RunFolder]:
    """The experiment of a run that has come to its end, as it is there, and the run's folder."""
    experiment, folder = restore(run), RunFolder(run)
    position = folder.load(experiment.tensors())
    last = experiment.phases()[-1]
    if position is None or (position.phase, position.step) != (last.name, last.steps):
        raise InputError(f"the run in {run} is not finished: go on with deep.train --resume")
    return experiment, folder


def _build(kind: Any, values: Any) -> Any:
    """A (nested) dataclass from what `dataclasses.asdict` and JSON made of it."""
    software_versions = typing.get_origin(kind)
    if isinstance(values, list) and (software_versions is tuple or kind is tuple):
        return tuple(values)
    if software_versions in (typing.Union, types.UnionType):
        return tuple(values) if isinstance(values, list) else values
    if not (dataclasses.is_dataclass(kind) and isinstance(values, Mapping)):
        return values
    made, hints = typing.cast(Any, kind), typing.get_type_hints(kind)
    if unknown := sorted(values.keys() - hints.keys()):
        raise InputError(f"a run's settings name {', '.join(unknown)}, which {made.__name__} does not have here")
    return made(**{name: _build(hints[name], value) for name, value in values.items()})

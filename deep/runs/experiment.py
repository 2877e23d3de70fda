"""From settings to a learner: what `deep.train` builds anew and `deep.evaluate` builds again from config.json."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.files import wrong_form
from deep.core.method import Act, Method, Policy, at_states
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.data.custom import CustomData, load_custom
from deep.data.data_path import NAMED, data_path
from deep.data.dataset import OfflineDataset
from deep.data.load import load, task_of
from deep.data.reading import AS_IT_IS
from deep.data.replay import Replay
from deep.envs.counted import CountedSimulator
from deep.methods.registry import spec_of
from deep.ope.interface import Estimator
from deep.ope.model_rollouts import DynamicsEnsemble
from deep.runs.config_file import read_config
from deep.runs.earlier import of_earlier_version
from deep.runs.folder import RunFolder, fill, read_checkpoint
from deep.runs.player import PolicyPlayer
from deep.runs.settings import Config, Settings, settings_from
from deep.runs.stand_in import description, stand_in
from deep.tasks import Task, find_task
from theory.support.errors import InputError

__all__ = ("Config", "Experiment", "Settings", "settings_from")


class Experiment:
    """A data set, a problem and a learner for it, not yet trained."""

    def __init__(
        self,
        settings: Settings[Any],
        task: Task | None = None,
        data: OfflineDataset | None = None,
        normaliser: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """`task` and `data` stand for what the settings name, where they are not in the table or not in a file;
        `normaliser` for the data's own mean and deviation (`deep.runs.stand_in`)."""
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
        if normaliser is not None:
            like = self.replay.mean
            self.replay.mean, self.replay.std = (torch.from_numpy(array).to(like) for array in normaliser)
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
    """The task and the data that settings name; and the settings with these written out, fit to be kept: the file is
    named so that a process in another folder finds it."""
    name, path = settings.task, data_path(settings.dataset)
    a_file = settings.dataset not in NAMED
    if name == "auto":
        known = task_of(path) if a_file else find_task("HopperVel")
        name = "custom" if known is None else known.name
    if name == "custom":
        if not a_file:
            raise InputError(f"--task custom with --dataset {settings.dataset}: a file of your own is accepted")
        task, data, custom = load_custom(path, settings.custom, settings.reading)
        return dataclasses.replace(settings, task=name, custom=custom, dataset=str(path.absolute())), task, data
    task = find_task(name)
    if settings.custom != CustomData():
        given = [f"--{key.replace('_', '-')}" for key, value in dataclasses.asdict(settings.custom).items() if value]
        raise InputError(f"{', '.join(given)} with data of {task.name}: accepted with data of your own (--task custom)")
    data = load(task, settings.dataset, settings.reading)
    where = str(path.absolute()) if a_file else data.source  # "auto" may find other data tomorrow
    return dataclasses.replace(settings, task=task.name, dataset=where), task, data


def identity(experiment: Experiment) -> dict[str, Any]:
    """Settings and the data set's hash: what must agree for a run to be gone on with."""
    return {**dataclasses.asdict(experiment.settings), "dataset_sha256": experiment.data.sha256}


def about_data(experiment: Experiment) -> dict[str, Any]:
    """What config.json keeps of the data, so that the policies can be rebuilt without them."""
    return description(experiment.task, experiment.data, experiment.replay)


def configuration(run: Path) -> tuple[Settings[Any], dict[str, Any]]:
    """The settings of a run's folder, and the whole content of its config.json.

    Raises `InputError` where there is none, or where it has been changed since the run began.
    """
    path = run / "config.json"
    if not path.exists():
        raise InputError(f"there is no run in {run} (no config.json in it)")
    with of_earlier_version(run):
        config = read_config(run)
    with of_earlier_version(run), wrong_form(path, "a run's settings"):
        settings = settings_from(config["identity"])
        settings.check()
    return settings, config


def restore(run: Path, dataset: Path | None = None) -> Experiment:
    """The experiment of a run's folder, its tensors not yet filled in.

    `dataset` is where the data are now, if they have been moved. Raises `InputError` for data that are not those that
    the run was trained on.
    """
    settings, config = configuration(run)
    if dataset is not None:
        settings = dataclasses.replace(settings, dataset=str(dataset))
    elif settings.dataset not in NAMED and not Path(settings.dataset).exists():
        raise InputError(
            f"the data of the run in {run} are no longer in {settings.dataset}: put them back there; deep.evaluate "
            "also takes the file where it is now, as --dataset FILE, in Python as dataset=FILE"
        )
    experiment = Experiment(settings)
    if experiment.data.sha256 != config["identity"].get("dataset_sha256"):
        which = "it has changed" if dataset is None else "its content is another"
        raise InputError(f"{experiment.data.path} is not the file that the run in {run} was trained on: {which}")
    return experiment


def restore_without_data(run: Path) -> Experiment:
    """The experiment of a run's folder with a stand-in for its data, for policies that act; tensors not filled in."""
    settings, config = configuration(run)
    if not isinstance(config.get("data"), dict):
        raise InputError(f"{run / 'config.json'} does not describe the run's data: train again with this version")
    found = stand_in(run, config["data"])
    return Experiment(settings, found.task, found.data, (found.mean, found.std))


def take_dynamics(experiment: Experiment, run: Path) -> list[Phase]:
    """Fill in the learned dynamics that another run has trained; the phases that are left.

    They follow from the data, the seeds and their own settings alone: an experiment that takes them ends with the bits
    of one that has trained them. Raises `InputError` where these differ, or the run has not finished its dynamics.
    """
    theirs, mine = configuration(run)[1]["identity"], json.loads(json.dumps(identity(experiment)))
    theirs = {"reading": dataclasses.asdict(AS_IT_IS)} | theirs  # a run from before there were such options
    for name in ("task", "dataset_sha256", "custom", "reading", "normalise_states", "seeds", "dynamics"):
        if theirs.get(name) != mine[name]:
            raise InputError(
                f"--dynamics-from {run}: its {name} is {theirs.get(name)}, this run's {mine[name]}: accepted are runs "
                "in which they agree"
            )
    if not copy_dynamics(experiment, run):
        raise InputError(f"--dynamics-from {run}: the run there is still training them")
    trained = [phase.name for phase in experiment.dynamics.phases()]
    return [phase for phase in experiment.phases() if phase.name not in trained]


def copy_dynamics(experiment: Experiment, run: Path) -> bool:
    """Fill in the learned dynamics from another run's checkpoint; False, and nothing changes, if they are unfinished
    there."""
    path = run / "checkpoint.safetensors"
    stored, place, _ = read_checkpoint(path)
    phases, tensors = experiment.dynamics.phases(), experiment.dynamics.tensors()
    there = place.phase, place.step
    if there[0] in [phase.name for phase in phases] and there != (phases[-1].name, phases[-1].steps):
        return False
    fill(tensors, {name: tensor for name, tensor in stored.items() if name in tensors}, path)
    return True


def finished(run: Path, dataset: Path | None = None, with_data: bool = True) -> tuple[Experiment, RunFolder]:
    """The experiment of a run that has come to its end, as it is there, and the run's folder.

    `dataset` is as in `restore`; without data the policies act and nothing can be estimated.
    """
    with of_earlier_version(run):
        experiment = restore(run, dataset) if with_data else restore_without_data(run)
        folder = RunFolder(run)
        position = folder.load(experiment.tensors())
    if position is None:
        folder.refuse_lost_checkpoint()
    last = experiment.phases()[-1]
    if position is None or (position.phase, position.step) != (last.name, last.steps):
        raise InputError(f"the run in {run} is not finished: go on with deep.train --resume")
    return experiment, folder

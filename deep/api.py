"""The Python interface: `from deep import load_dataset, make_env, train, load_policy, evaluate`.

A script needs no `if __name__ == "__main__":` line, unless it registers a gymnasium environment of its own itself.
"""

import dataclasses
import typing
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium

from deep.data.conversion import of_episodes, write
from deep.data.data_path import MINARI, data_path
from deep.data.dataset import OfflineDataset
from deep.evaluate.scores import evaluate as scores_of
from deep.runs.experiment import Settings, finished, resolve
from deep.runs.settings import fits, said
from deep.runs.trained_policy import TrainedPolicy
from deep.tasks import Task, find_task, make
from deep.training import Options, parse, run
from theory.support.errors import InputError

_HINTS = typing.get_type_hints(Settings)
ALGORITHMS: tuple[str, ...] = typing.get_args(_HINTS["algorithm"])
HOLDERS = ("", "method", "custom", "reading")
"""Where in the options a setting's name may be: at the top, or in one of these parts."""
PRESETS: tuple[str, ...] = typing.get_args(_HINTS["preset"])

__all__ = [
    "OfflineDataset",
    "TrainedPolicy",
    "TrainingResult",
    "evaluate",
    "load_dataset",
    "load_policy",
    "make_env",
    "save_episodes",
    "train",
]


@dataclass(frozen=True)
class TrainingResult:
    """What a training returned.

    Attributes:
        folder: the folder of the run; `deep.evaluate`, `deep.export` and `load_policy` take it.
        summary: the content of summary.json.
    """

    folder: Path
    summary: Mapping[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row of scores per replica: seed, cost_limit, reward (R), cost (C), safe, cost_return, and others."""
        return list(self.summary["results"])

    def policy(self, *, seed: int | None = None, cost_limit: float | None = None) -> TrainedPolicy:
        """One of the trained policies, as `load_policy` reads it."""
        return load_policy(self.folder, seed=seed, cost_limit=cost_limit)


def load_dataset(name: str | Path, source: str = "auto", **settings: Any) -> OfflineDataset:
    """Read and check an offline data set.

    Args:
        name: a task (short name or DSRL id), such as "HopperVel", or a path: a file of one of the formats
            (`deep.data.formats`), the folder of a Minari data set, or minari:ID. A file that belongs to no task of the
            table is read as a custom data set.
        source: with a task: "auto" (DSRL's file where it is on this machine, otherwise the embedded one), "embedded",
            "dsrl" (downloaded where it is missing), or the path of a file recorded on that task.
        settings: options of reading a file: `columns`, `cost_function`, `last_trajectory` (`deep.data.reading`), and
            those of a custom data set, such as `action_low`.

    Returns:
        Arrays of n transitions: observations (n, o), next_observations (n, o), actions (n, a) in [-1, 1], rewards (n,),
        costs (n,), terminals (n,), timeouts (n,).

    Raises:
        InputError: unknown task, no such file, or content that the format does not allow.
    """
    place = data_path(str(name))
    is_file = isinstance(name, Path) or bool(place.suffix) or str(name).startswith(MINARI) or place.exists()
    task, dataset = ("auto", str(name)) if is_file else (str(name), str(source))
    options: Settings[Any] = Settings(method=None, task=task, dataset=dataset)
    for key, value in settings.items():
        options = _with(options, key, value)
    return resolve(options)[2]


def save_episodes(path: str | Path, episodes: Iterable[Any]) -> Path:
    """Write a list of episodes in DSRL's layout, as `train` and every command take it.

    Args:
        path: the file, which ends in .hdf5; an existing one is replaced.
        episodes: one entry for each trajectory of T steps, a mapping or an object with attributes: observations
            (T + 1, o), the last one after the last step, or (T, o) without it, and both may be in one list; actions
            (T, a), in any units; rewards (T,); costs (T,), at least 0; terminated, whether it ended in a terminal state
            (otherwise it timed out); and, where observations are T, next_observations (T, o), optional.

    Returns:
        The path.

    Warns:
        UserWarning: each thing that was left out or assumed. An episode that timed out loses its last step where no
            observation follows it; other episodes keep theirs.

    Raises:
        InputError: an entry that is missing, of another shape, or that the format does not allow.
    """
    path = Path(path)
    if path.suffix not in (".hdf5", ".h5"):
        raise InputError(f"{path}: a name that ends in .hdf5 is accepted")
    data = of_episodes(episodes, f"the data for {path}")
    write(path, data, {})
    for remark in data.remarks:
        warnings.warn(f"{path}: {remark}", UserWarning, stacklevel=2)
    return path


def make_env(task: str | Task, render_mode: Literal["rgb_array"] | None = None) -> gymnasium.Env[Any, Any]:
    """The simulator of a task as a gymnasium environment; `info["cost"]` is the cost of a step.

    Raises `InputError` for an unknown task, and where a package of the simulator is missing on this machine.
    """
    return make(task if isinstance(task, Task) else find_task(task), render_mode)


def train(
    task: str = "auto",
    algorithm: str = "drcorl",
    *,
    dataset: str | Path = "auto",
    preset: str = "quick",
    seeds: Sequence[int] = (0,),
    cost_limits: Sequence[float] = (),
    out: str | Path | None = None,
    resume: bool = False,
    episodes: int = 20,
    **settings: Any,
) -> TrainingResult:
    """Train a method offline, evaluate it in the task's simulator, and write the folder of the run.

    The same run as `python -m deep.train`, with its progress on the screen.

    Args:
        task: short name or DSRL id; "auto": the task on which `dataset` was recorded, HopperVel without a file.
        algorithm: a method of `deep.train --help`, such as "drcorl", "bc_best" or "o3srl".
        dataset: "auto", "embedded", "dsrl" or the path of a data set in any format that is read.
        preset: "quick", "paper" or (drcorl) "rebuilt": the defaults of the algorithm's hyper-parameters.
        seeds: one training per seed.
        cost_limits: limits on the undiscounted cost of an episode; each seed is trained for each. Empty: those at
            which DSRL reports the task.
        out: folder of the run; None: runs/TASK-ALGORITHM.
        resume: continue the run in that folder.
        episodes: simulator episodes per replica in the final evaluation.
        settings: more options of `python -m deep.train` by their names: `steps=2000`; a nested one with dots, as in
            `**{"dynamics.steps": 0}`.

    Raises:
        InputError: an option or value that is not accepted, data that cannot be read, a folder that is in use.
    """
    for name, value, accepted in (("algorithm", algorithm, ALGORITHMS), ("preset", preset, PRESETS)):
        if value not in accepted:
            raise InputError(f"{name} {value!r}: accepted are {', '.join(accepted)}")
    options = parse(["--algorithm", algorithm, "--preset", preset])
    limits = tuple(float(limit) if isinstance(limit, int) else limit for limit in cost_limits)
    named = {"task": task, "dataset": str(dataset), "seeds": tuple(seeds), "cost_limits": limits}
    named |= {"out": None if out is None else Path(out), "resume": resume, "episodes": episodes}
    for name, value in (named | settings).items():
        options = _with(options, name, value)
    folder = options.out or Path("runs") / f"{_task_name(options)}-{algorithm}"
    return TrainingResult(folder, run(options))


def load_policy(
    run: str | Path | TrainingResult, *, seed: int | None = None, cost_limit: float | None = None
) -> TrainedPolicy:
    """The policy that a finished run trained for one seed and one cost limit.

    Args:
        run: the folder of the run, or what `train` returned.
        seed: one of the run's seeds; None: its only seed.
        cost_limit: one of the run's cost limits; None: its only cost limit.

    Raises:
        InputError: there is no finished run, or not exactly one replica has this seed and cost limit.
    """
    folder = run.folder if isinstance(run, TrainingResult) else Path(run)
    experiment = finished(folder, with_data=False)[0]
    replicas = experiment.problem.replicas
    matching = [
        number
        for number, replica in enumerate(replicas)
        if seed in (None, replica.seed) and cost_limit in (None, replica.cost_limit)
    ]
    if len(matching) != 1:
        seeds, limits = sorted({r.seed for r in replicas}), sorted({r.cost_limit for r in replicas})
        given = (("seed", seed), ("cost limit", cost_limit))
        asked = " and ".join(f"{name} {value}" for name, value in given if value is not None)
        found = f"{len(matching) or 'no'} policies{f' with {asked}' if asked else ''} in {folder}"
        raise InputError(f"{found}: accepted is one of its seeds {seeds} with one of its cost limits {limits}")
    return TrainedPolicy(folder, experiment, matching[0])


def evaluate(
    run: str | Path | TrainingResult | TrainedPolicy, episodes: int = 20, *, dataset: str | Path | None = None
) -> list[dict[str, Any]]:
    """Score policies in the simulator on seeded episodes, and by the offline estimate where the run has one.

    Args:
        run: the folder of a finished run, what `train` returned, or one policy.
        episodes: episodes per replica, at least 1, each of another start seed; the same seeds in every call.
        dataset: where the file of the run's data is now, if it has been moved; its hash is compared.

    Returns:
        One row per replica, for a policy its row alone: seed, cost_limit, reward (R, normalised return), cost (C,
        episode cost / limit), safe (C <= 1), reward_return, cost_return, episode_length, reward_ci, cost_ci, and the
        offline estimates. A custom data set without a simulator has the offline estimates alone.

    Raises:
        InputError: there is no finished run, fewer than one episode, the simulator is missing on this machine, or the
            data are not where they were or not what they were.
    """
    if episodes < 1:
        raise InputError(f"episodes {episodes}: accepted is a number of at least 1")
    folder = run.folder if isinstance(run, TrainingResult) else run.run if isinstance(run, TrainedPolicy) else Path(run)
    rows = scores_of(finished(folder, None if dataset is None else Path(dataset))[0], episodes)[1]
    return [rows[run.replica]] if isinstance(run, TrainedPolicy) else rows


def _task_name(options: Options[Any]) -> str:
    """The short name of the task that the options mean."""
    return resolve(options)[1].name


def _with(options: Any, name: str, value: Any) -> Any:
    """A (nested) dataclass of options with the one called `name` changed. Raises `InputError` for an unknown name."""
    first, _, rest = name.partition(".")
    holder = next((h for h in HOLDERS if first in _names(options, h)), None)
    if holder is None:
        known = sorted({n for h in HOLDERS for n in _names(options, h)} - {*HOLDERS})
        raise InputError(f"unknown setting {name!r}: accepted are {', '.join(known)}")
    if holder:
        return _replace(options, holder, _with(getattr(options, holder), name, value))
    if rest:
        return _replace(options, first, _with(getattr(options, first), rest, value))
    hint = typing.get_type_hints(type(options))[first]
    value = tuple(value) if isinstance(value, list) else value
    if not isinstance(hint, typing.TypeVar) and not fits(value, hint):
        raise InputError(f"{name} {value!r}: accepted is {said(hint)}")
    return _replace(options, first, value)


def _names(options: Any, holder: str) -> set[str]:
    """The names of a dataclass's fields, or of those of the dataclass in its field `holder`."""
    part = getattr(options, holder, None) if holder else options
    return {field.name for field in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else set()


def _replace(options: Any, name: str, value: Any) -> Any:
    try:
        return dataclasses.replace(options, **{name: value})
    except ValueError as error:  # the dataclass checks its values
        raise InputError(str(error)) from error

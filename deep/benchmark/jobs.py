"""What a benchmark is made of. A *job* is one run of `deep.train`: all its seeds and cost limits trained together."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep.benchmark.presets import SCALES, STUDIES, Scale, ScaleName, Study, StudyName
from deep.methods.registry import METHODS, spec_of
from deep.tasks import find_task
from theory.support.errors import InputError
from theory.support.files import stem
from theory.support.words import last_of_each

OWN_OPTIONS = ("task", "algorithm", "preset", "dataset", "seeds", "cost-limits", "episodes", "threads", "out", "resume")
"""Options of deep.train that a job sets itself."""
LONGEST_NAME = 200
"""Bytes of a job's name, after which its folder and its log are called; file systems take 255."""


@dataclass(frozen=True)
class Grid:
    """What to run; nothing else decides the results."""

    study: StudyName = "table"
    """table: every method at the task's own limits. limits: the same at 10, 20, 30 (Fig. 3 of the DRCORL preprint).
    schedules, schedules_printed: three growths of DRCORL's beta (Fig. 4). time: table, and how long 1000 actions take
    (Fig. 2)."""
    scale: ScaleName = "smoke"
    """smoke: everything once, briefly, seed 0; shows that it works and ranks nothing. quick, paper: these presets of
    deep.train with seeds 0, 1, 2."""
    tasks: tuple[str, ...] = ("HopperVel=embedded",)
    """TASK, TASK=DATASET or a file that names its task, with --dataset's values of deep.train: auto, embedded, dsrl or
    a file. A task may come with several data sets, such as the kinds that deep.collect has drawn from one pool."""
    algorithms: tuple[str, ...] = ()
    """ALGORITHM or ALGORITHM:VARIANT, a variant being an algorithm with options of your own (--options). None: those
    of the study."""
    options: tuple[str, ...] = ()
    """NAME=WORDS: more options of deep.train, such as drcorl="--gate.kind ucb"; NAME is an algorithm, an
    ALGORITHM:VARIANT, or all."""
    cost_limits: tuple[float, ...] = ()
    """Limits on the cost of an episode. None: those of the study."""
    seeds: tuple[int, ...] = ()
    """Every stage is trained anew for each seed. None: those of the scale."""
    episodes: int = 0
    """Simulator episodes per replica that score it; 0: those of the scale."""
    seeds_per_job: int = 0
    """Split a job where memory or idle workers ask for it; 0: all seeds together, which costs least in all."""


@dataclass(frozen=True)
class Job:
    """One run of deep.train."""

    task: str
    dataset: str
    data: str
    """The data set's short name."""
    algorithm: str
    variant: str
    scale: str
    seeds: tuple[int, ...]
    cost_limits: tuple[float, ...]
    episodes: int
    options: tuple[str, ...]
    """More words of deep.train's command line, the preset among them."""
    part: str = ""
    """Which part of the seeds this is, where they are split."""

    @property
    def name(self) -> str:
        """The name of its run's folder."""
        return "-".join(filter(None, (self.task, self.data, self.algorithm, self.variant, self.part)))

    def words(self) -> list[str]:
        """deep.train's command line, but for where to write and how many threads to take."""
        own = ["--task", self.task, "--algorithm", self.algorithm, "--dataset", self.dataset]
        own += ["--seeds", *map(str, self.seeds), "--cost-limits", *map(str, self.cost_limits)]
        return [*own, "--episodes", str(self.episodes), *self.options]


def expand(grid: Grid) -> list[Job]:
    """All jobs, those that take longest first, so that none of them is left to the end; each is checked."""
    scale, study = SCALES[grid.scale], STUDIES[grid.study]
    algorithms = grid.algorithms or study.algorithms
    seeds, extra = grid.seeds or scale.seeds, _extra_options(grid.options, algorithms)
    parts = _split(seeds, grid.seeds_per_job)
    for method in algorithms:
        if method.partition(":")[0] not in METHODS:
            raise InputError(f"unknown algorithm {method.partition(':')[0]!r}: accepted are {', '.join(METHODS)}")
    for entry in grid.tasks:
        _data_set(entry)
    jobs = []
    for entry in grid.tasks:
        task, dataset, data = _data_set(entry)
        for method in algorithms:
            algorithm, _, variant = method.partition(":")
            for part in parts:
                job = Job(
                    task=task,
                    dataset=dataset,
                    data=data,
                    algorithm=algorithm,
                    variant=variant,
                    scale=grid.scale,
                    seeds=part,
                    cost_limits=grid.cost_limits or study.cost_limits or find_task(task).cost_limits,
                    episodes=grid.episodes or scale.episodes,
                    options=_options(method, scale, study, extra),
                    part=f"seeds{'_'.join(map(str, part))}" if len(parts) > 1 else "",
                )
                _check(job)
                jobs.append(job)
    names = [job.name for job in jobs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two jobs are called {twice[0]}: accepted are data files and variants of different names")
    if long := [name for name in names if len(name.encode()) > LONGEST_NAME]:
        found = f"a job would be called {long[0][:40]}..., {len(long[0].encode())} bytes long"
        raise InputError(f"{found}: accepted are up to {LONGEST_NAME}, which a shorter name of the data file gives")
    return sorted(jobs, key=lambda job: spec_of(job.algorithm).cheap)


def _data_set(entry: str) -> tuple[str, str, str]:
    """(task, what --dataset is given, the short name) of TASK, TASK=DATASET or FILE."""
    name, _, dataset = entry.partition("=")
    if not dataset and Path(name).suffix in (".hdf5", ".h5"):
        name, dataset = _task_of(name), name
    task, dataset = find_task(name).name, dataset or "auto"
    if dataset in ("auto", "embedded", "dsrl"):
        return task, dataset, dataset
    path = Path(dataset).expanduser().resolve()
    if not path.is_file():
        raise InputError(f"--tasks {entry}: {path} is not a file; accepted are auto, embedded, dsrl and HDF5 files")
    return task, str(path), stem(path)


def _task_of(name: str) -> str:
    """The task that a file was recorded on; raises `InputError` where it names none."""
    from deep.data.load import task_of

    task = task_of(Path(name).expanduser())
    if task is None:
        raise InputError(f"--tasks {name}: the file does not name its task; accepted is TASK={name}")
    return task.name


def _extra_options(entries: Sequence[str], algorithms: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """--options by name; rejects names that no method has, and options that a job sets itself."""
    known = {"all", *algorithms, *(method.partition(":")[0] for method in algorithms)}
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        name, separator, text = entry.partition("=")
        if not separator or name not in known:
            raise InputError(f"--options {entry}: accepted is NAME=WORDS, NAME one of {', '.join(sorted(known))}")
        words = tuple(shlex.split(text))
        for word in words:
            option = word.removeprefix("--").partition("=")[0].replace("_", "-")  # either spelling is understood
            if option in OWN_OPTIONS and word.startswith("--"):
                raise InputError(f"--options {entry}: {word} is not accepted here, the benchmark sets it itself")
        found[name] = found.get(name, ()) + words
    return found


def _options(method: str, scale: Scale, study: Study, extra: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """From the general to the particular; of an option that is named several times, the last one counts."""
    algorithm, _, variant = method.partition(":")
    if variant and method not in extra and method not in study.options:
        raise InputError(f'{method}: say what the variant is, with --options {method}="..."')
    from deep.methods.spec import words  # imported here: the command line is checked before torch is imported

    brief = words(spec_of(algorithm).brief) if scale.brief else ()
    built_in = [*scale.options, *brief, *study.options.get(method, ())]
    given = [word for name in dict.fromkeys(("all", algorithm, method)) for word in extra.get(name, ())]
    return tuple(last_of_each(("--preset", scale.preset, *built_in, *given)))


def _split(seeds: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    if size < 0:
        raise InputError(f"--seeds-per-job {size}: accepted is a number of at least 0")
    return [seeds[i : i + (size or len(seeds))] for i in range(0, len(seeds), size or len(seeds))]


def _check(job: Job) -> None:
    """Reject now what deep.train would reject later."""
    if job.episodes < 1:
        raise InputError(f"--episodes {job.episodes}: accepted is a number of at least 1, or 0 for the scale's")
    from deep.training import parse, settings_of  # torch is imported when the names and numbers are known to be right

    settings_of(parse(job.words())).check()


def job_from(saved: dict[str, Any]) -> Job:
    """A job as benchmark.json holds it."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    return Job(**fields)

"""What `python -m deep.train` does: train offline, evaluate in the simulator, write the run's folder.

The simulator is used only after training, to score the result, unless the method is a hybrid one; summary.json counts
the episodes that training has used. `--dataset FILE` alone takes a custom data set (`deep.data.custom`), which may have
no simulator: then all results are estimated from the data.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from deep.cli.run_folder import check_folder
from deep.core.files import wrong_form
from deep.core.phase import Phase
from deep.core.provenance import device_name, machine, software_versions
from deep.core.validation import use_threads
from deep.envs.custom import check as check_simulator
from deep.evaluate import plots
from deep.evaluate.scores import evaluate, remarks, scores_table, simulate, table
from deep.evaluate.summary import SCHEMA, remarks_on, summary_of
from deep.evaluate.verdict import contradictions, verdict
from deep.methods.registry import METHODS
from deep.page.run_page import page
from deep.runs.beside import phases_beside
from deep.runs.cuda_graphs import eager, graphed
from deep.runs.earlier import of_earlier_version
from deep.runs.experiment import Config, Experiment, Settings, about_data, identity, take_dynamics
from deep.runs.folder import RunFolder, changed_since
from deep.runs.log import Kind, Log
from deep.runs.trainer import train
from theory.support.command import parsed
from theory.support.errors import InputError
from theory.support.files import write_whole

CLONE_EPISODES = 5
"""Episodes per replica of the first table."""


@dataclass(frozen=True)
class Options(Settings[Config]):
    """Train a method on a data set of DSRL's format and evaluate it."""

    out: Path | None = None
    """Folder of the run; default runs/TASK-ALGORITHM."""
    resume: bool = False
    """Continue the run in that folder, with the same settings."""
    episodes: int = 20
    """Simulator episodes per replica in the final evaluation."""
    dynamics_from: Path | None = None
    """Copy the learned dynamics from this run instead of training them. Data, seeds and dynamics settings must be the
    same; the result then has the same bits."""
    log: tuple[Kind, ...] = ()
    """Also write the metrics, while training, as metrics.csv (csv) or for TensorBoard (tensorboard, which needs the
    package of this name and reads the folder `tensorboard` of the run)."""
    graphs: bool = False
    """On a GPU, replay each block of updates as one CUDA graph. Never run on a device so far."""
    threads: int = 1
    """CPU threads of torch; more than one helps only on idle cores."""
    processes: Literal[1, 2] = 1
    """With 2, a second process trains the learned dynamics beside the method's own phases, on a CPU. The result has the
    same bits; it is there sooner where a core is idle."""


def parse(arguments: list[str] | None = None, prog: str = "python -m deep.train") -> Options[Any]:
    """The options of these words; of a repeated one the last counts (`deep.runs.command_line` rejects repetition).

    Algorithm and preset come first, because they decide which other options exist.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--algorithm", default="drcorl")
    first.add_argument("--preset", default="quick")
    chosen, _ = first.parse_known_args(arguments)
    presets = METHODS.get(chosen.algorithm, METHODS["drcorl"]).spec.presets
    method = presets.get(chosen.preset, presets["quick"])
    kind = Options[type(method)]
    return parsed(kind, arguments, prog, default=kind(method=method))


def settings_of(options: Options[Any]) -> Settings[Any]:
    """The part of the options that decides the result."""
    return Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})


def run(options: Options[Any], opened: Callable[[Path], None] = lambda folder: None) -> dict[str, Any]:
    """Train and evaluate; returns the summary, which it has also written. `opened` is called with the run's folder."""
    began = time.monotonic()
    if options.episodes < 1:
        raise InputError(f"--episodes {options.episodes}: accepted is a number of at least 1")
    use_threads(options.threads)
    experiment = Experiment(settings_of(options))
    if options.graphs and experiment.device.type != "cuda":
        raise InputError(f"--graphs on {experiment.device}: CUDA graphs need a CUDA device")
    if experiment.task.env is not None:
        check_simulator(experiment.task)
    if options.processes > 1 and experiment.device.type == "cuda":
        raise InputError(f"--processes {options.processes} on {experiment.device}: accepted with --device cpu")
    taken = None if options.dynamics_from is None else take_dynamics(experiment, options.dynamics_from)
    folder = RunFolder(options.out or Path("runs") / f"{experiment.task.name}-{options.algorithm}")
    check_folder(folder.path, options.resume)
    log = Log(options.log, folder, experiment.problem.replicas)
    software = software_versions()
    about = {"schema": SCHEMA, "identity": identity(experiment), "data": about_data(experiment), **software}
    about |= {"command": sys.argv, "machine": machine()}
    about["processes"] = options.processes
    about["dependencies"] = {"phases": [phase.name for phase in experiment.phases()]}
    with of_earlier_version(folder.path):
        config = folder.open(about, options.resume, began)
    opened(folder.path)
    with folder, closing(log):
        folder.listeners.append(log)
        print(opening(experiment), *changed_since(config, software), sep="\n", flush=True)
        with wrong_form(folder.config, "a run's number of processes"):
            processes = int(config.get("processes", 1))
        left = phases_beside(experiment, folder, processes, options.threads) if taken is None else nullcontext(taken)
        with left as phases:
            compose = graphed if options.graphs else eager
            train(phases, experiment.tensors(), folder, experiment.device, compose, partial(show_clone, experiment))
        return report(experiment, folder, config, options.episodes)


def report(experiment: Experiment, folder: RunFolder, config: Mapping[str, Any], episodes: int) -> dict[str, Any]:
    """Evaluate every way to act; write the summary, print the tables, draw the figures."""
    if experiment.task.simulated:
        print(f"evaluating {episodes} episodes per replica in the simulator", flush=True)
    first, *others = experiment.choices
    played, results = evaluate(experiment, episodes)
    scores = {first: results} | {
        choice: evaluate(experiment, episodes, experiment.policy(choice))[1] for choice in others
    }
    text = conclusion(experiment, scores)
    summary = summary_of(experiment, config, scores, folder.record_elapsed()) | {"screen": text.splitlines()}
    folder.write_json("summary.json", summary)
    print(text, f"summary, metrics, checkpoint, plots and page.html: {folder.path}", sep="\n", flush=True)
    figures = {
        "results.png": lambda path: plots.results(experiment, played, results, path),
        "training.png": lambda path: plots.training(folder.read_metrics(), experiment.problem.replicas, path),
        "page.html": lambda path: write_whole(path, page(folder.path).encode()),
    }
    plots.draw_all(folder.path, figures)
    return summary


def show_clone(experiment: Experiment, phase: Phase) -> None:
    """Print the scores of the clone that later phases start from, when its phase has ended."""
    found = experiment.method.starting_policy
    if found is None or found[0] != phase.name or not experiment.task.simulated or phase.steps == 0:
        return
    _, results = simulate(experiment, CLONE_EPISODES, found[1])
    print(
        f"\nThe clone that training starts from, {CLONE_EPISODES} episodes per replica in the simulator (training does "
        "not use them):",
        scores_table(results),
        "",
        sep="\n",
        flush=True,
    )


def opening(experiment: Experiment) -> str:
    """What is about to happen, in a few lines."""
    data, settings = experiment.data, experiment.settings
    return (
        f"{experiment.task.name}: {settings.algorithm} ({settings.preset} preset) on {device_name(experiment.device)}, "
        f"seeds {list(settings.seeds)}, cost limits {list(settings.cost_limits)}\n"
        f"data: {data.source}, {data.path}, {len(data.starts)} trajectories, {len(data):,} transitions"
        + "".join(f"\n  {line}" for line in _assumed(experiment))
    )


def _assumed(experiment: Experiment) -> list[str]:
    custom = experiment.task.family == "custom"
    heading = ["custom data set, read with these assumptions (each option changes one):"] if custom else []
    return [*heading, *remarks_on(experiment)]


def conclusion(experiment: Experiment, scores: dict[str, list[dict[str, Any]]]) -> str:
    """The tables and what they mean: nothing of it depends on where the run's folder is."""
    first, *others = scores
    lines = [table(scores[first]), ""]
    for choice in others:
        lines += [
            f"the same networks, acting by --action-selection {choice} instead of {first}:",
            table(scores[choice]),
            "",
        ]
    lines = [*contradictions(scores[first]), *lines]
    lines += verdict(experiment, scores[first])
    lines += remarks(experiment)
    if experiment.data.source != "dsrl" and experiment.task.family != "custom":
        lines.append("The data are not DSRL's own: these scores are not comparable with published ones.")
    return "\n".join(["", *lines])

"""`python -m deep.train --task HopperVel`: train offline, evaluate in the simulator, write the run's folder.

This module checks the command line before torch is imported, so that a mistake is rejected at once. `deep.training`
does the work.
"""

import shlex
import sys
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deep.cli.command import command
from deep.cli.shorthelp import short_help
from deep.cli.source import Option, config_class, options_of
from deep.cli.words import checked, split
from deep.methods.registry import METHODS
from deep.tasks import TASKS, find_task
from theory.support.errors import InputError

if TYPE_CHECKING:
    from deep.training import Options, conclusion, opening, parse, report, run, settings_of

    __all__ = ("Options", "conclusion", "main", "opening", "parse", "report", "run", "settings_of")

PROG = "python -m deep.train"
SHORT = """task dataset algorithm preset seeds cost-limits out resume episodes device threads""".split()
"""The options that --help shows."""


def __getattr__(name: str) -> Any:
    """`deep.training`'s functions under this module's name, imported when they are used."""
    if name.startswith("__"):
        raise AttributeError(name)
    from deep import training

    return getattr(training, name)


def main(arguments: list[str] | None = None, prog: str = PROG) -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    folders: list[Path] = []
    with command(lambda: saved(words, folders, prog)):
        if {"-h", "--help"} & set(words):
            print(short_help(prog, _title(), general_options(), SHORT))
            return
        if "--help-all" not in words:
            words = check(words)
        from deep import training

        if "--help-all" in words:
            training.parse([*(word for word in words if word != "--help-all"), "--help"], prog)
        training.run(training.parse(words, prog), folders.append)


def _title() -> str:
    return "Train a method offline on a data set, evaluate it in the simulator, and write the run's folder."


def general_options() -> list[Option]:
    """The options that every method has."""
    options = options_of("deep.training", "Options")
    return [replace(option, values=tuple(METHODS)) if option.name == "algorithm" else option for option in options]


def check(words: list[str]) -> list[str]:
    """The words with lists spread out; raises `InputError` for what can be seen to be wrong without the data.

    Several mistakes are named in one sentence: one does not hide another.
    """
    mistakes: list[str] = []
    values = {given.name: given.values for given in split(words)}
    algorithm = (values.get("algorithm") or ["drcorl"])[-1]
    if algorithm not in METHODS:
        close = get_close_matches(algorithm, METHODS, 1, 0.6)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"--algorithm {algorithm}: accepted is {', '.join(METHODS)}{hint}")
    general = general_options()
    by_method = {name: options_of(entry.module, config_class(entry.module)) for name, entry in METHODS.items()}
    elsewhere: dict[str, list[str]] = {}
    for name, options in by_method.items():
        for option in options:
            elsewhere.setdefault(option.name, []).append(name)
    task = (values.get("task") or ["auto"])[-1]
    try:
        if task not in ("auto", "custom"):
            find_task(task)
    except InputError as error:
        close = get_close_matches(task.lower(), [name.lower() for name in TASKS], 1, 0.7)
        named = next((name for name in TASKS if close and name.lower() == close[0]), None)
        mistakes.append(str(error) + (f"; did you mean {named}?" if named and "did you mean" not in str(error) else ""))
    try:
        words = checked(words, [*general, *by_method[algorithm]], elsewhere, algorithm)
        _check_values({given.name: given.values for given in split(words)})
    except InputError as error:
        mistakes.append(str(error))
    if mistakes:
        raise InputError("; ".join(mistakes))
    return words


def _check_values(values: dict[str, list[str]]) -> None:
    """What the general options cannot be, whatever the method and the data."""
    for name, least in (("episodes", 1), ("threads", 1)):
        if name in values and int(values[name][0]) < least:
            raise InputError(f"--{name} {values[name][0]}: accepted is a number of at least {least}")
    dataset = (values.get("dataset") or ["auto"])[0]
    if dataset not in ("auto", "embedded", "dsrl") and not Path(dataset).expanduser().exists():
        raise InputError(f"--dataset {dataset} does not exist: accepted are auto, embedded, dsrl or a file")
    if out := values.get("out"):
        check_folder(Path(out[0]), "resume" in values)


def check_folder(path: Path, resume: bool) -> None:
    """Raise `InputError` where a folder holds a run that cannot be started or resumed there; nothing is changed."""
    if (path / "config.json").exists() and not resume:
        raise InputError(f"--out {path} already holds a run: give another folder, or --resume to go on with it")
    if resume and (path / "summary.json").exists() and not (path / "checkpoint.safetensors").exists():
        raise InputError(
            f"--resume: the run in {path} is finished and its checkpoint.safetensors is gone: restore that file, or "
            "train again in another folder; nothing was changed"
        )


<<<<<<< HEAD
def saved(words: list[str], folders: list[Path], prog: str) -> str:
    """After Ctrl-C: what is saved, and the command that goes on with the run."""
    if not folders:
        return "nothing is saved, for the training had not begun"
    folder = folders[-1]
    there = (folder / "checkpoint.safetensors").exists()
    what = f"the last checkpoint is saved in {folder}" if there else f"{folder} holds the settings, no checkpoint yet"
    again = words if "--resume" in words else [*words, "--resume"]
    return f"{what}; go on with: {prog} {shlex.join(again)}"
=======
def run(options: Options[Any]) -> dict[str, Any]:
    """Train and evaluate; returns the summary, which it has also written."""
    began = time.monotonic()
    if options.episodes < 1:
        raise InputError(f"--episodes {options.episodes}: accepted is a number of at least 1")
    use_threads(options.threads)
    experiment = Experiment(settings_of(options))
    if options.graphs and experiment.device.type != "cuda":
        raise InputError(f"--graphs on {experiment.device}: CUDA graphs need a CUDA device")
    if experiment.task.env is not None:
        check_simulator(experiment.task)
    phases = experiment.phases() if options.dynamics_from is None else take_dynamics(experiment, options.dynamics_from)
    folder = RunFolder(options.out or Path("runs") / f"{experiment.task.name}-{options.algorithm}")
    software = software_versions()
    config = folder.open({"identity": identity(experiment), **software, "command": sys.argv}, options.resume, began)
    with folder:
        print(opening(experiment), *changed_since(config, software), sep="\n", flush=True)
        train(phases, experiment.tensors(), folder, experiment.device, graphed if options.graphs else eager)
        return report(experiment, folder, config, options.episodes)


def report(experiment: Experiment, folder: RunFolder, config: Mapping[str, Any], episodes: int) -> dict[str, Any]:
    """Evaluate every way to act; write and print what came of the run."""
    if experiment.task.simulated:
        print(f"evaluating {episodes} episodes per replica in the simulator", flush=True)
    first, *others = experiment.choices
    played, results = evaluate(experiment, episodes)
    scores = {first: results} | {
        choice: evaluate(experiment, episodes, partial(experiment.actor, choice))[1] for choice in others
    }
    summary = summary_of(experiment, config, scores, folder.record_elapsed())
    folder.write_json("summary.json", summary)
    plots.results(experiment, played, results, folder.path / "results.png")
    plots.training(folder.read_metrics(), experiment.problem.replicas, folder.path / "training.png")
    print(conclusion(experiment, scores, folder.path))
    return summary


def opening(experiment: Experiment) -> str:
    """What is about to happen, in a few lines."""
    data, settings = experiment.data, experiment.settings
    return (
        f"{experiment.task.name}: {settings.algorithm} ({settings.preset} preset) on {device_name(experiment.device)}, "
        f"seeds {list(settings.seeds)}, cost limits {list(settings.cost_limits)}\n"
        f"data: {data.source}, {data.path}, {len(data.starts)} trajectories, {len(data):,} transitions"
        + (f", the actions of {data.clipped:,} clipped to [-1, 1] as the simulator does" if data.clipped else "")
        + "".join(f"\n  {line}" for line in _assumed(experiment))
    )


def _assumed(experiment: Experiment) -> list[str]:
    if experiment.task.family != "custom":
        return list(experiment.data.remarks)
    lines = assumptions(experiment.task, experiment.data)
    return ["data of your own, taken to have (say otherwise with the options):", *lines]


def conclusion(experiment: Experiment, scores: dict[str, list[dict[str, Any]]], path: Path) -> str:
    """The tables and what they mean."""
    first, *others = scores
    lines = ["", table(scores[first]), ""]
    for choice in others:
        lines += [
            f"the same networks, acting by --action-selection {choice} instead of {first}:",
            table(scores[choice]),
            "",
        ]
    lines += remarks(experiment)
    if experiment.data.source != "dsrl" and experiment.task.family != "custom":
        lines.append("These scores are on data that are not DSRL's own: do not compare them with published ones.")
    lines.append(f"summary, metrics, checkpoint and plots: {path}")
    return "\n".join(lines)
>>>>>>> refs/heads/data


if __name__ == "__main__":
    main()

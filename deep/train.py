"""`python -m deep.train --task HopperVel`: train offline, evaluate in the simulator, write the run's folder.

This module checks the command line before torch is imported, so that a mistake is rejected at once. `deep.training`
does the work.
"""

import sys
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deep.cli.run_folder import check_folder
from deep.data.data_path import NAMED, data_path
from deep.methods.registry import METHODS
from deep.tasks import TASKS, find_task
from theory.support.command import command, going_on
from theory.support.errors import InputError
from theory.support.options import Option, config_class, options_of
from theory.support.shorthelp import short_help
from theory.support.words import checked, split

if TYPE_CHECKING:
    from deep.training import Options, conclusion, opening, parse, report, run, settings_of

    __all__ = ("Options", "conclusion", "main", "opening", "parse", "report", "run", "settings_of")

PROG = "python -m deep.train"
SHORT = """task dataset columns algorithm preset seeds cost-limits out resume episodes log device threads""".split()
"""The options that --help shows."""
REST = "All options, those of the method that --algorithm and --preset name among them."
"""What --help-all shows."""


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
            print(short_help(prog, _title(), general_options(), SHORT, REST))
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
    if dataset not in NAMED and not data_path(dataset).exists():
        where = "" if str(data_path(dataset)) == dataset else f" (it would be {data_path(dataset)})"
        raise InputError(
            f"--dataset {dataset} does not exist{where}: accepted are {', '.join(NAMED)}, minari:ID or a path"
        )
    if out := values.get("out"):
        check_folder(Path(out[0]), "resume" in values)


def saved(words: list[str], folders: list[Path], prog: str) -> str:
    """After Ctrl-C: what is saved, and the command that goes on with the run."""
    if not folders:
        return "nothing is saved, for the training had not begun"
    folder = folders[-1]
    there = (folder / "checkpoint.safetensors").exists()
    what = f"the last checkpoint is saved in {folder}" if there else f"{folder} holds the settings, no checkpoint yet"
    return f"{what}; {going_on(prog, words)}"


if __name__ == "__main__":
    main()

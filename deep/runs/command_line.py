"""The command line of a training, checked before torch is imported, so that a mistake is rejected at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from deep.cli.run_folder import check_folder
from deep.cli.values import check_gamma, check_limits, check_seeds
from deep.data.data_path import NAMED, data_path
from deep.methods.registry import METHODS
from deep.tasks import TASKS, find_task
from theory.support.errors import InputError
from theory.support.options import Option, config_class, options_of
from theory.support.words import checked, split


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


def _check_values(values: Mapping[str, Sequence[str]]) -> None:
    """Raise `InputError` for values that no run can have, as far as torch is not needed to see it."""
    steps = [name for name in values if name.endswith("steps")]
    for name, least in {"episodes": 1, "threads": 1, **dict.fromkeys(steps, 0)}.items():
        if name in values and int(values[name][0]) < least:
            raise InputError(f"--{name} {values[name][0]}: accepted is a number of at least {least}")
    check_seeds([int(seed) for seed in values.get("seeds", ["0"])])
    check_limits([float(limit) for limit in values.get("cost-limits", ())])
    if "gamma" in values:
        check_gamma(float(values["gamma"][0]))
    if "dataset" in values:
        _check_dataset(values["dataset"][0])
    if "out" in values:
        check_folder(Path(values["out"][0]), "resume" in values)


def _check_dataset(name: str) -> None:
    """Raise `InputError` where a data set that is a path does not exist or has no known format."""
    path = data_path(name)
    if name in NAMED:
        return
    if not path.exists():
        where = "" if str(path) == name else f" (it would be {path})"
        accepted = f"{', '.join(NAMED)}, minari:ID or a path"
        raise InputError(f"--dataset {name} does not exist{where}: accepted are {accepted}")
    from deep.data.load import file_of, format_of  # imports scipy

    format_of(file_of(path, str(path)), str(path))

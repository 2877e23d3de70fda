"""`python -m deep.tune --search NAME=LOW..HIGH:log ...`: search hyper-parameters by estimates from the data alone.

    python -m deep.tune --task HopperVel --algorithm bc_best --search learning-rate=1e-4..1e-2:log hidden=64,256+256

All other options are those of deep.train, and shared by all trials. The criterion is the off-policy estimate of return
and cost (`deep.tune.study`). What the simulator finds of the best trial is shown at the end, and decides nothing.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep.methods.registry import METHODS
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole
from theory.support.options import config_class, options_of
from theory.support.words import split


@dataclass(frozen=True)
class Options:
    """Search hyper-parameters of a method by estimates from the data alone; other options go to deep.train."""

    search: tuple[str, ...] = ()
    """What is searched, options of deep.train: NAME=LOW..HIGH, NAME=LOW..HIGH:log, or NAME=A,B,C (64+64 is a list)."""
    trials: int = 20
    """Trials, those before a --resume included."""
    out: Path = Path("runs/tune")
    """Folder of the search: study.log, tuning.json, and a run's folder for each trial."""
    resume: bool = False
    """Go on with the search in that folder."""
    tuner_seed: int = 0
    """Seed of Optuna's sampler."""
    verdict_episodes: int = 20
    """Simulator episodes per replica, after the search, for the best trial alone; 0: none."""


SHARED = ("algorithm", "preset", "task", "dataset", "seeds", "cost-limits", "gamma", "dynamics")
"""What cannot be searched."""
OWN = ("search", "trials", "out", "resume", "tuner-seed", "verdict-episodes")


def main(arguments: list[str] | None = None, prog: str = "python -m deep.tune") -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    again = shlex.join([*(word for word in words if word != "--resume"), "--resume"])
    with command(lambda: f"complete trials are saved; go on with: {prog} {again}"):
        own, rest = separated(words)
        options = read(Options, __name__, own, prog, OWN)
        run(options, rest)


def separated(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of this command's own options, help included, and those of deep.train."""
    own, rest = list[str](), list[str]()
    for given in split(words):
        mine = not given.name or given.name in (*OWN, "help", "help-all", "no-resume") or "-h" in given.values
        (own if mine else rest).extend(given.words())
    return own, rest


def run(options: Options, words: list[str]) -> dict[str, Any]:
    """Check everything, search, write tuning.json, and show what the simulator says of the best."""
    from deep.runs.command_line import check, general_options
    from deep.tune.search import dimensions

    if options.trials < 1 or options.verdict_episodes < 0:
        raise InputError("--trials and --verdict-episodes: numbers of at least 1 and 0 are accepted")
    taken = {given.name for given in split(words)}
    if "dynamics-from" in taken:
        raise InputError("--dynamics-from belongs to deep.train: the trials of a search share their own dynamics")
    words = check(words)
    algorithm = next((given.values[0] for given in split(words) if given.name == "algorithm"), "drcorl")
    module = METHODS[algorithm].module
    space = dimensions(options.search, [*options_of(module, config_class(module)), *general_options()])
    if both := [each.name for each in space if each.name in taken]:
        raise InputError(f"--{both[0]} is searched and given: one of the two is accepted")
    if shared := [each.name for each in space if each.name.split(".")[0] in SHARED]:
        raise InputError(f"--search {shared[0]}: all trials share it, so that they can be compared")
    from deep.tune.study import Search, describe, unqualified

    found = Search(options.out, words, space, options.tuner_seed, options.resume)
    found.run(options.trials)
    report = found.report()
    best = report["trials"][0]
    write_whole(options.out / "tuning.json", json.dumps(report, indent=1).encode())
    missed = unqualified(report["trials"])
    which = "best of those that do not qualify" if missed else "best by the estimate"
    print(*missed, f"{which}: {best['value']:.4f}  {describe(best['settings'])}", f"run: {best['folder']}", sep="\n")
    if options.verdict_episodes:
        from deep.evaluate.scores import table

        results = found.verdict(best, options.verdict_episodes)
        heading = "the simulator on the best trial, after the search, which has not used it:"
        print(heading if "safe" in results[0] else "no simulator: the estimates again", table(results), sep="\n")
        report["verdict_after_the_search"] = results
        write_whole(options.out / "tuning.json", json.dumps(report, indent=1).encode())
    return report


if __name__ == "__main__":
    main()

"""`python -m deep.train --task HopperVel`: train offline, evaluate in the simulator, write the run's folder.

`deep.runs.command_line` checks the words before torch is imported, and `deep.training` does the work.
"""

import sys
from pathlib import Path

from deep.runs.command_line import check, general_options
from theory.support.command import command, going_on
from theory.support.shorthelp import short_help

PROG = "python -m deep.train"
SHORT = """task dataset columns algorithm preset seeds cost-limits out resume episodes log device threads""".split()
"""The options that --help shows."""
REST = "All options, those of the method that --algorithm and --preset name among them."
"""What --help-all shows."""


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

"""`safe-offline-rl COMMAND ...`: one console command for all commands of this project.

Each subcommand is a module with a `main(arguments, prog)`; `python -m MODULE` does the same.
"""

import sys
from difflib import get_close_matches
from importlib import import_module

COMMANDS = {
    "train": ("deep.train", "train a method on a data set and evaluate it"),
    "tune": ("deep.tune.__main__", "search hyper-parameters by estimates from the data alone"),
    "evaluate": ("deep.evaluate.__main__", "score the policies of a finished run again, or film them"),
    "describe": ("deep.describe.__main__", "print what is in a data set, and draw it"),
    "convert": ("deep.convert.__main__", "write a data set in DSRL's layout or as Minari's"),
    "collect": ("deep.collect.__main__", "make a data set by online safe reinforcement learning"),
    "page": ("deep.page.__main__", "write the HTML page of a run, with a film"),
    "compare": ("deep.compare.__main__", "put runs beside each other: table, figure, page"),
    "deploy": ("deep.deploy.__main__", "say what is known of a policy before it is deployed"),
    "export": ("deep.export.__main__", "write a policy as an ONNX or TorchScript file"),
    "tasks": ("deep.tasks", "list the tasks, and what this machine lacks to simulate them"),
    "benchmark": ("deep.benchmark.__main__", "train and score methods on tasks, with tables and figures"),
    "speed": ("deep.speed.__main__", "measure how fast training is on this machine"),
    "npg-sweep": ("theory.npg_sweep", "run the tabular algorithms on a grid of finite CMDPs"),
}
"""Module and description of each subcommand."""
NAME = "safe-offline-rl"


def main(arguments: list[str] | None = None) -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "--help-all"):
        print(usage())
        return
    name, *rest = words
    if name not in COMMANDS:
        close = get_close_matches(name, COMMANDS, 1, 0.5)
        hint = f"; did you mean {close[0]}?" if close else ""
        print(f"error: unknown command {name!r}: accepted are {', '.join(COMMANDS)}{hint}", file=sys.stderr)
        sys.exit(2)
    import_module(COMMANDS[name][0]).main(rest, prog=f"{NAME} {name}")


def usage() -> str:
    """The help: one line a subcommand."""
    lines = [f"usage: {NAME} COMMAND [OPTIONS]", "", "Commands (COMMAND --help shows the options of one):"]
    return "\n".join([*lines, *(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())])


if __name__ == "__main__":
    main()

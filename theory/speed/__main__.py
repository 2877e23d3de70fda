"""`python -m theory.speed`: what batching gains over a plain loop, and the Lagrangian over linear programming."""

from collections.abc import Sequence

from theory.speed.options import Speed
from theory.support.command import command, read

SHOWN = "states actions batch iterations sizes large repeats".split()
"""The options that --help shows: all."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m theory.speed") -> None:
    """The command; wrong input ends in one sentence and exit code 2, Ctrl-C in one line and exit code 130."""
    with command(lambda: "nothing is saved; the same command measures again"):
        speed = read(Speed, "theory.speed.options", arguments, prog, SHOWN)
        import torch

        from theory.speed.tables import iterations_table, optimum_table

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            print("processor time on one core", flush=True)
            for table in (iterations_table, optimum_table):
                print(*table(speed), "", sep="\n", flush=True)
        finally:
            torch.set_num_threads(threads)


if __name__ == "__main__":
    main()

"""The recording of `tests.support.other_writers` in every form, and the commands that are proposed for them."""

import shlex

from tests.support import other_writers as writers

DATA = writers.recording()
COST = ["--cost-function", "tests.support.other_writers:cost"]
SOURCES = {
    "minari": (lambda path: writers.write_minari(path, DATA), []),
    "minari, arrow": (lambda path: writers.write_minari(path, DATA, form="arrow"), []),
    "omnisafe": (lambda path: writers.write_omnisafe(path / "data.npz", DATA), []),
    "d3rlpy": (lambda path: writers.write_d3rlpy(path / "replay.h5", DATA), COST),
    "d4rl": (lambda path: writers.write_d4rl(path / "d4rl.hdf5", DATA), COST),
    "csv": (lambda path: writers.write_csv(path / "log.csv", DATA), []),
    "parquet": (lambda path: writers.write_parquet(path / "log.parquet", DATA), []),
}
SHORTEST = """--algorithm bc_all --steps 4 --hidden 8 --dynamics.steps 0 --cost-limits 3""".split()


def proposed(text: str) -> list[str]:
    """The words of the last command after "to train on it"."""
    return shlex.split(text.rsplit("to train on it: ", 1)[1].splitlines()[0])[3:]

"""Custom data from `tests.support.custom_lab`: options, files and finished runs."""

import json
from pathlib import Path

import h5py
import numpy as np

from deep import train
from tests.support.builders import TINY

CART = "tests.support.custom_lab:Cart-v0"
BOUNDS = ["--action-low", "-2", "--action-high", "2"]
CLONING = ["--steps", "20", "--hidden", "16", "--dynamics.steps", "4", "--dynamics.hidden", "16"]
SETTINGS = {
    "drcorl": [*TINY, "--policy", "gaussian"],
    "safe_dql": """--behaviour-steps 4 --improvement-steps 4 --hidden 16 --critics.hidden 16 --candidates 5
    --dynamics.steps 4 --dynamics.hidden 16""".split(),
    "bc_all": CLONING,
    "bc_safe": CLONING,
    "bc_best": CLONING,
}


def arrays(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {str(key): np.asarray(file[str(key)]) for key in file}


def write(path: Path, fields: dict[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        for key, values in fields.items():
            file[key] = values
    return path


def trained(out: Path, file: Path, algorithm: str, *options: str) -> dict:
    words = ["--dataset", str(file), "--algorithm", algorithm, *SETTINGS[algorithm], "--out", str(out), *options]
    train.main(words)
    return json.loads((out / "summary.json").read_text())


def without_successors(fields: dict[str, np.ndarray]) -> None:
    del fields["next_observations"]

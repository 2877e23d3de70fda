"""Short runs on a custom data set, simulated and not, which several tests look at (fixtures of tests/commands)."""

from pathlib import Path

from deep import train

CART = ["--env", "tests.support.custom_lab:Cart-v0"]
SETTINGS = """--algorithm bc_all --steps 100 --hidden 16 --dynamics.steps 60 --dynamics.hidden 16 --dynamics.members 2
--dynamics.episodes 2 --seeds 0 3 --cost-limits 3 9 --action-low -2 --action-high 2 --episodes 3""".split()


def simulated(data: Path, out: Path) -> Path:
    """A simulated run, logged in both ways."""
    train.main(["--dataset", str(data), *SETTINGS, *CART, "--log", "csv", "tensorboard", "--out", str(out)])
    return out


def unsimulated(data: Path, out: Path) -> Path:
    train.main(["--dataset", str(data), *SETTINGS, "--out", str(out)])
    return out

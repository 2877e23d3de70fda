"""The rooms of recorded numbers by name: each gives its cases. A room is imported where it is measured."""

from collections.abc import Callable, Mapping
from importlib import import_module

from tests.support.numbers.summary import Case


def _cases(module: str) -> Callable[[], Mapping[str, Case]]:
    return lambda: import_module(f"tests.support.numbers.{module}").CASES


NAMES = (
    "theory", "theory_npg", "data", "estimates", "networks", "methods", "variants", "simulators", "results",
    "verification",
)  # fmt: skip
ROOMS: dict[str, Callable[[], Mapping[str, Case]]] = {name: _cases(name) for name in NAMES}

"""DSRL's own package, one file at a time."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def dsrl_module(name: str) -> ModuleType:
    """One file of the installed dsrl package; importing the package itself would import old simulators."""
    package = importlib.util.find_spec("dsrl")
    if package is None or package.origin is None:
        pytest.skip("dsrl is not installed (requirements-legacy.txt)")
    spec = importlib.util.spec_from_file_location(f"dsrl_{name}", Path(package.origin).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Runs of versions before config.json had a schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deep.core.files import read_json
from theory.support.errors import InputError


class EarlierVersion(InputError):
    """A run that an earlier version has trained."""


@contextmanager
def of_earlier_version(run: Path) -> Iterator[None]:
    """Say in one sentence where a run cannot be used because it was trained before the options had their names."""
    try:
        yield
    except EarlierVersion:
        raise
    except (InputError, KeyError, TypeError, AttributeError):
        config = run / "config.json"
        if not config.exists() or "schema" in read_json(config):
            raise
        raise EarlierVersion(
            f"the run in {run} was trained by an earlier version of this project, whose options had other names, and "
            "cannot be used here: train it again in another folder"
        ) from None

"""Where the data set is that an option names."""

import os
from pathlib import Path

MINARI = "minari:"
NAMED = ("auto", "embedded", "dsrl")
"""Data sets that are no path."""


def data_path(dataset: str) -> Path:
    """A path as it is; minari:ID is the folder of that id in $MINARI_DATASETS_PATH or ~/.minari/datasets."""
    if dataset.startswith(MINARI):
        root = os.environ.get("MINARI_DATASETS_PATH") or Path.home() / ".minari" / "datasets"
        return Path(root) / dataset.removeprefix(MINARI)
    return Path(dataset).expanduser()

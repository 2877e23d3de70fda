"""Arrays in numpy's .npz: those of OmniSafe's collector, or those of DSRL's layout.

    obs, next_obs         (N, o) float32
    action                (N, a) float32
    reward, cost, done    (N, 1) float32

OmniSafe's `OfflineDataCollector` writes these. `done` does not say why a trajectory ended: those of the longest length
are taken for timeouts, and shorter ones for terminals. Each of its agents begins a new trajectory where the one before
stopped, which `--last-trajectory drop` leaves out. Source: omnisafe/common/offline/data_collector.py.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS, Reading

NAMES = {
    "observations": "obs",
    "next_observations": "next_obs",
    "actions": "action",
    "rewards": "reward",
    "costs": "cost",
    "dones": "done",
}


def accepts(path: Path) -> bool:
    """Whether this is an archive of numpy's arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(entry.endswith(".npy") for entry in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The fields; an error calls the file `name`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        text = " ".join(str(error).split())
        raise_input_error(name, f"cannot be read ({text})", "a complete .npz of arrays of numbers is accepted")
    names = {key: array for key, array in NAMES.items() if array in arrays}
    return fields_of(ArrayTable(arrays), name, reading, names)

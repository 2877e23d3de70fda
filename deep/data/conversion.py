"""Data of any writer in DSRL's layout, the units of the actions as they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.custom import checked, longest_recorded, read_fields, with_vectors
from deep.data.dataset import OfflineDataset
from deep.data.formats import dsrl, hdf5
from deep.data.formats.episodes import fields_of_episodes
from deep.data.formats.errors import LARGEST
from deep.data.formats.table import KEYS
from deep.data.reading import AS_IT_IS, Reading


def read_any(path: Path, reading: Reading = AS_IT_IS) -> OfflineDataset:
    """The data in a file of any format, checked, with the actions in the file's units.

    Raises `InputError` as `deep.data.custom.load_custom` does, but for bounds of the actions.
    """
    fields, sha256 = read_fields(path, str(path), reading)
    return _in_own_units(fields, str(path), path, sha256)


def of_episodes(episodes: Iterable[Any], name: str) -> OfflineDataset:
    """The data of a list of episodes (`deep.data.formats.episodes`), checked; an error calls them `name`."""
    fields = fields_of_episodes(episodes, name)
    del fields["task"]
    return _in_own_units(with_vectors(fields, name), name)


def _in_own_units(
    fields: dict[str, Any], name: str, path: Path | None = None, sha256: str | None = None
) -> OfflineDataset:
    """Checked data whose actions need not lie in [-1, 1]: they are checked on a scale on which they do.

    The scale is a power of two, so that no bit is lost.
    """
    actions = fields["actions"]
    largest = float(np.abs(actions).max(initial=1)) if np.isfinite(actions).all() else 1.0
    scale = np.float32(2.0 ** np.ceil(np.log2(largest))) if largest < LARGEST else np.float32(1)
    data = checked(fields | {"actions": actions / scale}, name, path, sha256)[1]
    return replace(data, actions=data.actions * scale)


def write(path: Path, data: OfflineDataset, about: dict[str, Any]) -> None:
    """Write DSRL's layout, with `about` and what is known of the data as attributes."""
    known = {key: value for key, value in data.provenance.items() if np.ndim(value) == 0}
    if data.path is not None:
        known |= {"converted_from": data.path.name, "source_sha256": str(data.sha256)}
    known |= {hdf5.REMARKS: "; ".join(data.remarks)} if data.remarks else {}
    known[hdf5.LENGTH] = longest_recorded(data)
    policies = {} if data.policies is None else {"policies": np.asarray(data.policies)}
    dsrl.write(path, {key: getattr(data, key) for key in KEYS}, known | policies | about)

"""config.json of a run, and the fingerprints in it by which a part that has been edited shows."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from deep.core.files import read_json
from theory.support.errors import InputError

FINGERPRINTS = {"run": "identity", "described": "data"}
"""The entries that are fingerprints, and of which part each is: the settings, and the description of the data."""
EDITED = {
    "run": "other settings than those that the run began with: put it back as it was written; where the data have "
    "moved, --dataset FILE names their place",
    "described": "another description of the data than the run began with: put it back as it was written",
}
"""What is said of config.json where a part does not have its fingerprint."""


def fingerprint(content: Any) -> str:
    """A digest of JSON. That of `identity` names all runs of these settings and data: they have the same
    checkpoints."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def with_fingerprints(config: dict[str, Any]) -> dict[str, Any]:
    """The content as it is written when a run begins."""
    return config | {name: fingerprint(config[part]) for name, part in FINGERPRINTS.items() if part in config}


def read_config(run: Path) -> dict[str, Any]:
    """The content of config.json of the run in this folder.

    Raises `InputError` where it is none of a run, or has been edited since the run began.
    """
    path = run / "config.json"
    config = read_json(path)
    if not isinstance(config.get("identity"), dict):
        raise InputError(f"{path} is no run's: it has no identity")
    for name, part in FINGERPRINTS.items():
        if config.get(name) not in (None, fingerprint(config.get(part))):
            raise InputError(f"{path} has {EDITED[name]}")
    return config

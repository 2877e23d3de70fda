"""The same small recording as the peers' programs write it: Minari, OmniSafe, d3rlpy, D4RL, and tables."""

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

LENGTHS = (7, 12, 12, 12, 12, 12)
"""The first trajectory terminates; the others time out."""
LIMIT = 0.5
"""A step costs 1 where the first entry of its observation exceeds this."""


def recording(seed: int = 0) -> dict[str, np.ndarray]:
    """Transitions of a stable linear system: 3 numbers observed, 2 acted."""
    rng, rows = np.random.default_rng(seed), []
    for length in LENGTHS:
        state = rng.normal(size=3).astype(np.float32)
        for _ in range(length):
            action = rng.uniform(-0.9, 0.9, 2).astype(np.float32)
            following = (0.8 * state + np.append(action, 0.1)).astype(np.float32)
            rows.append((state, following, action))
            state = following
    observations, next_observations, actions = (np.array(column) for column in zip(*rows, strict=True))
    ends = np.zeros(len(rows), dtype=bool)
    ends[np.cumsum(LENGTHS) - 1] = True
    terminals = ends & (np.arange(len(rows)) == LENGTHS[0] - 1)
    return {
        "observations": observations,
        "next_observations": next_observations,
        "actions": actions,
        "rewards": next_observations[:, 1].copy(),
        "costs": cost(observations).astype(np.float32),
        "terminals": terminals,
        "timeouts": ends & ~terminals,
    }


def cost(observations: np.ndarray) -> np.ndarray:
    """A cost function for --cost-function."""
    return observations[:, 0] > LIMIT


def cost_of_where_it_leads(next_observations: np.ndarray) -> np.ndarray:
    """Another one, of an array that some files lack."""
    return next_observations[:, 0] > LIMIT


def cost_of_the_first(observations: np.ndarray) -> np.ndarray:
    """A cost in every step but the last of some trajectories."""
    return observations[:, 0] > 0


def broken(observations: np.ndarray) -> np.ndarray:
    """One that fails."""
    raise ZeroDivisionError("no such\nnumber")


def of_another_shape(observations: np.ndarray) -> np.ndarray:
    """One whose costs are a table."""
    return observations


def episodes(data: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """One entry for each trajectory."""
    ends = np.flatnonzero(data["terminals"] | data["timeouts"]) + 1
    cut = [np.split(values, ends[:-1]) for values in data.values()]
    return [dict(zip(data, parts, strict=True)) for parts in zip(*cut, strict=True)]


def with_last(episode: dict[str, np.ndarray]) -> np.ndarray:
    """An episode's observations with the one after its last step."""
    return np.concatenate([episode["observations"], episode["next_observations"][-1:]])


def of_python(data: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Episodes as a script has them, for `deep.save_episodes`."""
    return [
        {"observations": with_last(episode), "terminated": episode["terminals"][-1]}
        | {key: episode[key] for key in ("actions", "rewards", "costs")}
        for episode in episodes(data)
    ]


def write_minari(
    root: Path, data: dict[str, np.ndarray], key: str | tuple[str, ...] = "cost", reset: bool = True, form: str = "hdf5"
) -> Path:
    """By Minari's own writer, in the form that it calls data_format; with `reset` the infos have an entry of the reset,
    as its collector records them. The costs are under each `key`, under cost=2 their double."""
    minari = pytest.importorskip("minari")
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer

    def infos(costs: np.ndarray) -> dict[str, np.ndarray]:
        named = [each.partition("=") for each in ((key,) if isinstance(key, str) else key)]
        scaled = {each: costs * float(factor or 1) for each, _, factor in named}
        return {each: np.concatenate([[0.0], values]) if reset else values for each, values in scaled.items()}

    buffers = [
        EpisodeBuffer(
            observations=list(with_last(episode)),
            actions=list(episode["actions"]),
            rewards=list(episode["rewards"]),
            terminations=list(episode["terminals"]),
            truncations=list(episode["timeouts"]),
            infos=infos(episode["costs"]),
        )
        for episode in episodes(data)
    ]
    spaces = {"observation_space": Box(-np.inf, np.inf, (3,)), "action_space": Box(-1, 1, (2,))}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it asks for an author
        patch.setenv("MINARI_DATASETS_PATH", str(root))
        minari.create_dataset_from_buffers("lab/arm/mixed-v0", buffer=buffers, data_format=form, **spaces)
    return root / "lab" / "arm" / "mixed-v0"


def write_omnisafe(path: Path, data: dict[str, np.ndarray]) -> Path:
    """As `OfflineDataCollector.collect` of omnisafe/common/offline/data_collector.py saves its arrays."""
    column = {"reward": data["rewards"], "cost": data["costs"], "done": data["terminals"] | data["timeouts"]}
    np.savez(
        path,
        obs=data["observations"],
        action=data["actions"],
        next_obs=data["next_observations"],
        **{key: values[:, None].astype(np.float32) for key, values in column.items()},
    )
    return path


def write_d3rlpy(path: Path, data: dict[str, np.ndarray]) -> Path:
    """As `dump` of d3rlpy/dataset/io.py writes the episodes of a replay buffer, version 2.1."""
    with h5py.File(path, "w") as file:
        columns = ("observations", "actions", "rewards", "terminated")
        file.create_dataset("columns", data=list(columns))
        file.create_dataset("num_episodes", data=len(LENGTHS))
        for i, episode in enumerate(episodes(data)):
            row = {**episode, "rewards": episode["rewards"][:, None], "terminated": bool(episode["terminals"][-1])}
            for key in columns:
                file.create_dataset(f"{key}_{i}", data=row[key])
        file.create_dataset("version", data="2.1")
    return path


def write_d4rl(path: Path, data: dict[str, np.ndarray], costs: str | None = None) -> Path:
    """D4RL's layout: float32 and bool, no costs, and groups of further arrays; with `costs` one of these holds them."""
    with h5py.File(path, "w") as file:
        for key in data.keys() - {"costs"}:
            file[key] = data[key]
        file["infos/qpos"] = data["observations"][:, :2].astype(np.float64)
        file["metadata/algorithm"] = np.bytes_(b"SAC")
        if costs is not None:
            file[costs] = data["costs"].astype(np.int64)
    return path


def table(data: dict[str, np.ndarray]) -> dict[str, Any]:
    """Numbered columns."""
    found: dict[str, Any] = {}
    for key, values in data.items():
        if values.ndim == 1:
            found[key] = values
        else:
            found |= {f"{key}_{i}": values[:, i] for i in range(values.shape[1])}
    return found


def write_csv(path: Path, data: dict[str, np.ndarray]) -> Path:
    """As a spreadsheet or a log writes it."""
    columns = table(data)
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines).replace("True", "true").replace("False", "false") + "\n")
    return path


def write_parquet(path: Path, data: dict[str, np.ndarray]) -> Path:
    """By pyarrow's own writer, vectors as lists."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {key: list(values) if values.ndim == 2 else values for key, values in data.items()}
    parquet.write_table(pyarrow.table(columns), path)
    return path


def write_hdf5(path: Path, data: dict[str, np.ndarray]) -> Path:
    """Plain arrays."""
    with h5py.File(path, "w") as file:
        for key, values in data.items():
            file[key] = values
    return path


def write_npz(path: Path, data: dict[str, np.ndarray]) -> Path:
    """Plain arrays in numpy's archive."""
    np.savez(path, **data)  # pyright: ignore[reportArgumentType]  (its stub takes them for an option)
    return path

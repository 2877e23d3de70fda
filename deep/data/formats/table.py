"""From named arrays with a row for each transition, as files of many writers hold them, to the fields of a data set.

Numbers of any type become float32. Whole numbers that float32 cannot hold are rejected; float64 is rounded. Flags are 0
and 1 in any type. Columns (n, 1) are taken for (n,), and vectors (n,) for (n, 1). Vectors (n, 1, k) are those of one
environment, as replay buffers of stable-baselines3 hold them: they are taken for (n, k), and a remark says so.

Where a trajectory ends is said by `terminals` and `timeouts`, or else by `dones` and numbers of episodes
(`deep.data.formats.ends`). steps, where an option names them, have to increase (`deep.data.formats.steps`), and so have
counters under other names (`deep.data.formats.unnamed_steps`). Rows of several environments by turns are sorted where
an option says so (`deep.data.formats.environments`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from deep.data.formats.beside import check_beside
from deep.data.formats.ends import flags_of
from deep.data.formats.environments import SortedTable
from deep.data.formats.errors import of_several, raise_input_error, raise_on_two
from deep.data.formats.going_on import check_ends, plain_steps
from deep.data.formats.joined import ROWS, JoinedTable, Table, as_float32, rounding
from deep.data.formats.missing import FLAGS, SYNONYMS, Found, parts, raise_missing
from deep.data.formats.numbered import AGAIN, OF_FILE
from deep.data.formats.pieces import pieces
from deep.data.formats.steps import check_steps, steps_of
from deep.data.formats.unnamed_steps import check_unnamed
from deep.data.formats.unread import by_turns, check_unread
from deep.data.reading import FREE, VANISHED, Reading, as_parameter, costs_by, vanished
from theory.support.errors import InputError

KEYS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")
VECTORS = KEYS[:3]


class ArrayTable:
    """Arrays in memory."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = arrays

    def listing(self) -> Mapping[str, Found]:
        return {name: self.inspect(name) for name in self.arrays}

    def has(self, name: str) -> bool:
        return name in self.arrays

    def inspect(self, name: str) -> Found:
        return Found(self.arrays[name].shape, str(self.arrays[name].dtype))

    def read(self, name: str) -> np.ndarray:
        return self.arrays[name]


def fields_of(
    table: Table, name: str, reading: Reading, names: Mapping[str, str] | None = None, aside: Collection[str] = ()
) -> dict[str, Any]:
    """The fields of a data set (`deep.data.formats`) from a table; an error calls the file `name`.

    `names` are those of the format's own arrays by key, where they are not the keys themselves; `aside` are keys of
    which an option leaves the file's arrays out of account, although the format has one.
    """
    decided = reading.decided()
    for key, array in (names or {}).items():
        if key != "costs" and array != key and key not in decided and table.has(key) and table.has(array):
            raise_on_two(key, array, key, name)
    names, joined = {key: key for key in SYNONYMS} | dict(names or {}) | reading.names(), JoinedTable(table, name)
    keys = _keys(joined, names, reading, name)
    by, drop = reading.names().get("environments"), reading.last_trajectory == "drop"
    ordered = SortedTable(joined, by, names["episodes"], name) if by else None
    rows = ordered or joined
    told = {*reading.names(), *reading.unread(), *aside}
    try:
        fields, remarks = _fields(rows, names, keys, told, reading, name)
    except InputError as error:
        more = f"rows are counted with those of each {by} together" if ordered and " row " in str(error) else None
        if AGAIN in str(error):
            more = more or by_turns(joined, told)
        if more is None:
            raise
        raise InputError(f"{error}; {more}") from error
    remarks = (*remarks, *joined.remarks)
    if ordered:
        ordered.check_ends(fields, drop)
        fields[ROWS] = ordered.order
        remarks = (f"rows are sorted by {by}, of which there are {len(ordered.found)}", *remarks)
    fields = completed(fields, remarks, reading, name, rows, ordered and ordered.last)
    given, taken = [names["steps"]] if "steps" in reading.names() else [], rows_of(fields)
    used = {part for key in keys for part in parts(names[key], table.listing())}
    if "steps" not in told:
        check_unnamed(table, used, fields, taken, name)
    fields = with_steps(fields, joined, given, name)
    steps = steps_of(joined, given, taken) if "steps" in told else plain_steps(joined, used, taken)
    recording = np.zeros(len(taken)) if by is None else np.ravel(joined.read(by))[taken]
    one = recording[1:] == recording[:-1]
    timeouts = names["timeouts"] if "timeouts" in keys and names["episodes"] != OF_FILE else None
    fields["remarks"] = (*fields["remarks"], *check_ends(steps, fields, one, timeouts, name))
    return fields


def _fields(
    table: Table, names: Mapping[str, str], keys: Collection[str], told: Collection[str], reading: Reading, name: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The fields, and what was assumed.

    Args:
        table: the arrays.
        names: the array of each key.
        keys: those to read.
        told: those of which an option says what is read.
        reading: what the arrays are taken for.
        name: the file's.
    """
    shapes = {key: table.inspect(names[key]).shape for key in keys}
    rows = shapes["rewards"][:1]
    beside = {"dones", "episodes"} - reading.names().keys() if all(key in shapes for key in FLAGS) else set()
    shapes = {key: shape for key, shape in shapes.items() if key not in beside or shape in (rows, (*rows, 1))}
    for key, shape in shapes.items():
        if not rows or shape[:1] != rows:
            accepted = f"{rows[0]} rows, as in rewards, are accepted" if rows else "one row a transition is accepted"
            raise_input_error(name, f"has {names[key]} of shape {shape}", accepted)
        if key == "costs" and len(joint := parts(names[key], table.listing())) > 1:
            raise_input_error(name, f"has {names[key]} for costs", f"one array is accepted; {of_several(joint)}")
    arrays = {key: table.read(names[key]) for key in shapes}
    single = [key for key in arrays if key in VECTORS and arrays[key].ndim == 3 and arrays[key].shape[1] == 1]
    for key, values in arrays.items():
        if key in VECTORS and values.ndim == 1:
            arrays[key] = values[:, None]
        elif key in single or (key not in VECTORS and values.shape[1:] == (1,)):
            arrays[key] = values[:, 0]
    fields = {
        key: as_float32(values, names[key], name) for key, values in arrays.items() if key in KEYS and key not in FLAGS
    }
    if isinstance(table, SortedTable):
        arrays["environments"] = table.labels
    flags, remarks = flags_of(arrays, names, name, reading.last_trajectory == "drop")
    if single:
        shown = f"{', '.join(names[key] for key in single)} of shape ({rows[0]}, 1, k) are taken for ({rows[0]}, k)"
        remarks = (*remarks, f"{shown}, as those of one environment")
    for key in fields:
        remarks = (*remarks, *vanished(arrays[key], names[key], FREE if key == "costs" else VANISHED))
    remarks = (*remarks, *check_unread(table, names, flags, told, keys, name))
    costs, ends = None if "costs" in told else fields.get("costs"), flags["terminals"] | flags["timeouts"]
    remarks = (*remarks, *check_beside(table, names, costs, ends, name))
    coarse = [note for key in fields for note in rounding(arrays[key], names[key])]
    return fields | flags, (*remarks, *coarse)


def with_steps(fields: dict[str, Any], table: Table, columns: Collection[str], name: str) -> dict[str, Any]:
    """The fields with what these columns of steps (`deep.data.formats.steps`) show."""
    rows = rows_of(fields)
    remarks = check_steps(steps_of(table, columns, rows), fields, rows, name)
    fields["remarks"] = (*fields["remarks"], *remarks)
    return fields


def rows_of(fields: Mapping[str, Any]) -> np.ndarray:
    """The numbers of the rows in the file, (n,)."""
    return fields.get(ROWS, np.arange(len(fields["rewards"])))


def _keys(table: Table, names: Mapping[str, str], reading: Reading, name: str) -> list[str]:
    """The keys to read, in the order of `SYNONYMS`; raises `InputError` where one is missing that is needed."""
    given, unread = reading.names(), reading.unread()
    there = {key: key not in unread and table.has(names[key]) for key in names}
    needed = ["observations", "actions", "rewards", *([] if reading.cost_function else ["costs"])]
    ends = _ends(there, given)
    missing = {key: names[key] for key in (*needed, *given) if not there[key]}
    if missing or not ends:
        raise_missing(table.listing(), missing, name, given, ends=bool(ends))
    keys = {*needed, *ends, *(["next_observations"] if there["next_observations"] else [])}
    return sorted(keys, key=list(SYNONYMS).index)


def _ends(there: Mapping[str, bool], given: Collection[str]) -> list[str]:
    """The keys that mark the ends of trajectories; none where nothing does. Numbers of episodes are read wherever there
    are any, but where dones alone are named by an option."""
    numbers = ["episodes"] if there["episodes"] and ("episodes" in given or "dones" not in given) else []
    other = ["dones"] if there["dones"] and ("dones" in given or not all(there[key] for key in FLAGS)) else []
    if not other and all(there[key] for key in FLAGS):
        return [*FLAGS, *numbers, *(["dones"] if there["dones"] else [])]
    return [] if not (other or numbers) else [*other, *numbers, *[key for key in FLAGS if there[key]][:1]]


def completed(
    fields: dict[str, Any],
    remarks: tuple[str, ...],
    reading: Reading,
    name: str,
    table: Table | None = None,
    last: np.ndarray | None = None,
) -> dict[str, Any]:
    """The fields with the costs of `reading.cost_function`, which may take other arrays of the table, and without
    pieces of trajectories where these are to be dropped; `last` are the last rows of environments, (n,)."""
    if reading.cost_function is not None:
        others = {} if table is None else _others(table, len(fields["rewards"]))
        costs = costs_by(reading.cost_function, {key: fields[key] for key in KEYS if key in fields}, others)
        fields = fields | {"costs": as_float32(costs, f"costs by {reading.cost_function}", name)}
        remarks = (*remarks, f"costs by {reading.cost_function}, in place of the file's")
        remarks = (*remarks, *vanished(costs, reading.cost_function, FREE))
    of_file = np.arange(len(fields["rewards"])) == len(fields["rewards"]) - 1
    cut, more = pieces(fields, of_file if last is None else last, reading.last_trajectory == "drop", name)
    if cut.any() and not cut.all():
        fields = {key: values[~cut] for key, values in ({ROWS: rows_of(fields)} | fields).items()}
        remarks = (*remarks, f"{int(cut.sum())} rows of trajectories that were cut off are left out")
    return {"policies": None, "provenance": {}, "task": None} | fields | {"remarks": (*remarks, *more)}


def _others(table: Table, rows: int) -> dict[str, Callable[[], np.ndarray]]:
    """What reads each of the arrays with a row for each step, under a name that a parameter can have."""
    arrays = [array for array, (shape, _) in table.listing().items() if shape[:1] == (rows,)]
    return {as_parameter(array): partial(table.read, array) for array in reversed(arrays)}

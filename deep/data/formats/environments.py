"""Rows of several environments that a recording has by turns: `--columns environments=env_id` takes those of each
environment together, in their order.

An environment may stop within a trajectory. That one is rejected, or left out on request. Numbers of episodes count the
episodes of each environment.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Int

from deep.data.formats.errors import raise_input_error, raise_without_ends
from deep.data.formats.joined import Table
from deep.data.formats.missing import Found


class SortedTable:
    """A table whose rows are those of one environment after another.

    Args:
        table: the rows as the file has them.
        key: the array with the environment of each row, (n,) or (n, 1), numbers or texts.
        episodes: the array that numbers the episodes, if there is one. The numbers become different for each
            environment.
        name: the file's, for an error.
    """

    def __init__(self, table: Table, key: str, episodes: str, name: str) -> None:
        values = table.read(key)
        if values.ndim not in (1, 2) or values.size != len(values):
            raise_input_error(name, f"has {key} of shape {values.shape}", "one environment for each row is accepted")
        self.table, self.key, self.episodes, self.name = table, key, episodes, name
        self.found, labels = np.unique(np.ravel(values), return_inverse=True)
        self.order: Int[np.ndarray, " n"] = np.argsort(labels, kind="stable")
        """The row in the file of each row."""
        self.labels: Int[np.ndarray, " n"] = labels[self.order]
        """The environment of each row, as an index of `found`."""

    def listing(self) -> Mapping[str, Found]:
        return self.table.listing()

    def has(self, name: str) -> bool:
        return self.table.has(name)

    def inspect(self, name: str) -> Found:
        return self.table.inspect(name)

    def read(self, name: str) -> np.ndarray:
        values = self.table.read(name)
        if values.shape[:1] != self.order.shape:
            return values
        values = values[self.order]
        is_float = values.dtype.kind == "f"
        if name != self.episodes or values.size != len(values) or (is_float and np.isnan(values).any()):
            return values
        of_each = [f"{self.found[label]} " for label in self.labels]
        return np.char.add(of_each, np.ravel(values).astype(str))

    @property
    def last(self) -> Bool[np.ndarray, " n"]:
        """The last row of each environment."""
        return np.append(np.diff(self.labels) != 0, True)

    def check_ends(self, fields: Mapping[str, np.ndarray], drop: bool) -> None:
        """Raise `InputError` where an environment stops within a trajectory, unless `drop` leaves that one out; the
        fields are arrays with a row for each step, among them terminals and timeouts."""
        ends = fields["terminals"] | fields["timeouts"]
        open_ended = self.last & ~ends
        if not ends.any():
            raise_without_ends(self.name)
        if open_ended.any() and not drop:
            place = int(np.flatnonzero(open_ended)[0])
            found = f"stops within a trajectory of {self.key} {self.found[self.labels[place]]}, after row "
            accepted = f"--last-trajectory drop leaves out the rows after the last end of each {self.key}"
            raise_input_error(self.name, found + str(self.order[place]), accepted)

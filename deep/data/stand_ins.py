"""Placeholder next observations written after timeouts: the simulator has not reached them.

A placeholder is one of

    zeros                                    of which an array is made before it is filled
    one and the same vector                  as a mark of what is missing
    a first observation of a trajectory      of the next one, of its own, or of any: a simulator that resets itself, and
                                             perhaps trajectories that were sorted or drawn afterwards
    an observation of another step           rows that have slipped
    the step's own observation               a recording that ends one step early
    values far from all observations         what lay in the memory that was to be filled

All comparisons are bit by bit (-0 is 0): a placeholder that was rounded on its way into the file is not found. Of m
trajectories that timed out, k have such a value. A share p of the steps inside trajectories,
(inside + 1) / (steps + 1), leads to such a value as well. The k are stand-ins where p is below `REPEATS` and one of
these holds:

- k is at least half of m. This finds stand-ins that all of a recording has, also where there are few trajectories.
- P[Binomial(m, p) >= k] < `CHANCE`. This finds those of a part, as where two recordings are one file.

Values that the file's own trajectories visit show nothing on a finite task: a tour may end where it began. Its states
recur. So they are not counted where most observations inside trajectories (`DISCRETE`) are those of other steps too;
trajectories that are copies of each other count once in this. A state that does not move is no stand-in either.

A value is far where some feature lies outside the range of all observations by more than this range, and has moved by
more than `FAR` times its largest step inside trajectories. With n such steps of o features each, one more is as large
with a probability of about o / n at most, which stands for p. Other values of such memory are not found.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int
from scipy.special import bdtrc

from deep.data.dataset import OfflineDataset

SHARE = 0.5
"""The share of the timed-out trajectories that needs no comparison with chance."""
REPEATS = 0.01
"""A value is a stand-in only where fewer than this share of the other steps lead to such a value."""
CHANCE = 1e-6
"""What appears after timeouts so often with a smaller probability is no chance."""
DISCRETE = 0.5
"""Where more than this share of the observations are those of other steps too, the states are taken for discrete."""
SAMPLE = 20_000
"""Steps, evenly spread over the file, on which that share is measured."""
FAR = 10.0
"""How many times as far as in any step inside a trajectory a feature has to move."""
LEAST = 3
"""Timeouts that have to share a vector before it is one and the same."""


def stand_ins(data: OfflineDataset) -> dict[str, Bool[np.ndarray, " n"]]:
    """The stand-ins found after timeouts, in words, and the rows that have them; no row has two kinds."""
    rows = np.flatnonzero(data.timeouts & ~data.terminals)
    if not rows.size:
        return {}
    taken = np.zeros(rows.size, dtype=bool)
    found = {}
    for kind, where in _Timeouts(data, rows).kinds():
        if (new := where & ~taken).any():
            taken |= new
            found[kind] = found.get(kind, False) | np.isin(np.arange(len(data)), rows[new])
    return found


class _Timeouts:
    """The steps `rows` (m,), after which a trajectory timed out, beside the steps inside trajectories.

    The whole file is searched only where a kind has a candidate: it takes most of the time of reading a large file.
    """

    def __init__(self, data: OfflineDataset, rows: Int[np.ndarray, " m"]) -> None:
        self.data, self.rows = data, rows
        self.here, self.following = data.observations[rows], data.next_observations[rows]
        self.moved = (self.following != self.here).any(axis=1)
        inside = np.ones(len(data), dtype=bool)
        inside[data.ends] = False
        self.inside = np.flatnonzero(inside)

    def kinds(self) -> list[tuple[str, Bool[np.ndarray, " m"]]]:
        """Each kind in words, and the timeouts that have it."""
        return [
            ("zeros", self.zeros()),
            *[("one and the same vector", same) for same in self.same()],
            *self.first(),
            ("an observation of another step", self.of_another_step()),
            ("the step's own observation", self.own()),
            ("values far from all observations", self.far()),
        ]

    @cached_property
    def between(self) -> np.ndarray:
        """The next observations inside trajectories."""
        return self.data.next_observations[self.inside]

    @cached_property
    def few(self) -> int:
        """With one number for an observation, or one trajectory, equality can be chance."""
        return 1 if self.data.observations.shape[1] > 1 else 2

    @cached_property
    def recurring(self) -> float:
        """The share of observations inside trajectories that are those of other steps too; copies of a trajectory
        count once."""
        different = self._different()
        steps = np.concatenate([np.arange(start + 1, end + 1) for start, end in different])
        if not steps.size:
            return 0.0
        sample = self.data.observations[steps[:: -(-len(steps) // SAMPLE)]]
        everything = self.data.observations[np.concatenate([[start for start, _ in different], steps])]
        return float((_counts(sample, everything) > 1).mean())

    def _different(self) -> list[tuple[int, int]]:
        """First and last row of the trajectories, one of each that have the same observations."""
        whole = zip(self.data.starts.tolist(), self.data.ends.tolist(), strict=True)
        return list({self.data.observations[a : b + 1].tobytes(): (a, b) for a, b in whole}.values())

    def continuous(self) -> bool:
        """Whether it means something that a value is one which the file's own trajectories visit."""
        return self.recurring <= DISCRETE

    def telling(self, vector: np.ndarray) -> bool:
        """The same of this value, (1, o); one that is no observation of the file tells in any case."""
        return not _among(vector, self.data.observations).any() or self.continuous()

    def enough(self, where: Bool[np.ndarray, " m"], least: int, of: int, inside: Callable[[], float]) -> bool:
        """The rule above for the timeouts `where`; `inside` is the share of the steps inside that lead to such values.
        At least `least` of the `of` timeouts that can have such a value count as a half."""
        count = int(where.sum())
        if not count:
            return False
        share = inside() if len(self.inside) else 0.0
        if share >= REPEATS:
            return False
        return count >= max(least, SHARE * of) or self.improbable(count, share)

    def improbable(self, count: int, share: float) -> bool:
        """Whether so many timeouts are no chance, where this share of the steps inside leads to such values."""
        size = len(self.inside)
        p = (share * size + 1) / (size + 1)
        return bool(bdtrc(count - 1, len(self.rows), p) < CHANCE)  # scipy.stats takes a second to import

    def zeros(self) -> Bool[np.ndarray, " m"]:
        where = (self.following == 0).all(axis=1) & self.moved
        found = self.enough(where, self.few, len(where), lambda: float((self.between == 0).all(axis=1).mean()))
        return where & (found and self.telling(np.zeros_like(self.following[:1])))

    def same(self) -> list[Bool[np.ndarray, " m"]]:
        """Each vector that at least three timeouts share, where their own observations differ."""
        _, number, counts = np.unique(_rows(self.following), return_inverse=True, return_counts=True)
        found = []
        for i in np.flatnonzero(counts >= LEAST):
            where = (number.reshape(-1) == i) & self.moved
            if where.sum() < LEAST or not (self.here[where] != self.here[where][0]).any():
                continue
            vector = self.following[np.flatnonzero(where)[:1]]
            if (vector == 0).all():
                continue
            share = lambda vector=vector: float((self.between == vector).all(axis=1).mean())  # noqa: E731
            if self.enough(where, max(self.few, LEAST), len(where), share) and self.telling(vector):
                found.append(where)
        return found

    def first(self) -> list[tuple[str, Bool[np.ndarray, " m"]]]:
        """First observations of trajectories: of the next one, of its own, or of any."""
        data, rows = self.data, self.rows
        starts = data.observations[data.starts]
        where = _among(self.following, starts) & self.moved
        # After the last row of the file there is no next trajectory.
        of = len(rows) - int(rows[-1] + 1 == len(data) and not where[-1])
        if not self.enough(where, self.few, of, lambda: float(_among(self.between, starts).mean())):
            return []
        if not self.continuous():
            return []
        following = data.observations[(rows + 1) % len(data)]  # after the last row the first one, as np.roll has it
        own = data.observations[data.starts[np.searchsorted(data.starts, rows, side="right") - 1]]
        for whose, values in (("the next", following), ("the same", own)):
            if (self.following == values).all(axis=1)[where].all():
                return [(f"the first observation of {whose} trajectory", where)]
        return [("the first observation of a trajectory", where)]

    def of_another_step(self) -> Bool[np.ndarray, " m"]:
        where = _among(self.following, self.data.observations) & self.moved
        found = where.any() and self.continuous() and self.improbable(int(where.sum()), self.recurring)
        return where & bool(found)

    def own(self) -> Bool[np.ndarray, " m"]:
        def share() -> float:
            return float((self.between == self.data.observations[self.inside]).all(axis=1).mean())

        where = ~self.moved
        return where & (len(self.inside) > 0 and self.enough(where, max(self.few, 2), len(where), share))

    def far(self) -> Bool[np.ndarray, " m"]:
        if not len(self.inside):
            return np.zeros(len(self.rows), dtype=bool)
        low, high = self.data.observations.min(axis=0), self.data.observations.max(axis=0)
        outside = np.maximum(low - self.following, self.following - high) > high - low
        if not outside.any():
            return outside.any(axis=1)
        largest = np.abs(self.between - self.data.observations[self.inside]).max(axis=0)
        moved = (largest > 0) & (np.abs(self.following - self.here) > FAR * largest)
        where = (outside & moved).any(axis=1)
        return where & self.improbable(int(where.sum()), low.size / len(self.inside))


def _rows(values: np.ndarray) -> np.ndarray:
    """Each row of a table, (n, o), as one entry that is compared bit by bit; -0 is 0."""
    values = np.ascontiguousarray(values) + 0.0
    return values.view(np.dtype((np.void, values.dtype.itemsize * values.shape[1]))).ravel()


def _near(rows: np.ndarray, values: np.ndarray) -> Int[np.ndarray, " candidates"]:
    """The numbers of the rows that can be one of the values, by the column in which these differ most."""
    column = int(np.argmax([len(np.unique(values[:, j])) for j in range(values.shape[1])]))
    return np.flatnonzero(np.isin(rows[:, column], values[:, column]))


def _among(rows: np.ndarray, values: np.ndarray) -> Bool[np.ndarray, " rows"]:
    """Which rows, (n, o), are, bit by bit, one of these values, (k, o)."""
    if len(rows) < len(values):  # the fewer ones narrow the others down
        values = values[_near(values, rows)]
    found = np.zeros(len(rows), dtype=bool)
    if not len(values):
        return found
    near = _near(rows, values)
    found[near] = np.isin(_rows(rows[near]), _rows(values))
    return found


def _counts(values: np.ndarray, rows: np.ndarray) -> Int[np.ndarray, " values"]:
    """How often each of these values, (k, o), is among the rows, (n, o)."""
    near = _rows(rows[_near(rows, values)])
    found, counts = np.unique(near, return_counts=True)
    place = np.searchsorted(found, _rows(values)).clip(max=max(len(found) - 1, 0))
    return np.where(found[place] == _rows(values), counts[place], 0)

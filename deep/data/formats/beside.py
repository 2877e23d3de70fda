"""What a file holds beside the arrays that are read: other costs, and other recordings.

A name that says cost and nothing else, in any folder of the file, may be the one that is meant. Beside the costs that
are read it is rejected unless it holds the same numbers. Other names that say so of costs are remarked on where their
numbers are others. Sums of the costs so far, and parts that add up to the costs, are no others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Bool

from deep.data.formats.errors import listed, of_several, raise_on_two
from deep.data.formats.joined import Table
from deep.data.formats.missing import is_a_cost, plain
from theory.support.errors import InputError

LINKS = ("costs", "cost", "infos/cost", "infos/costs")
"""Names that a listing may leave out, as links are."""
ROUNDED, SMALL = 1e-3, 1e-6
"""Costs that differ by less, relatively to the cost or to the largest one, are the same ones, rounded."""
RECORDING = ("observations", "actions", "rewards")
"""Arrays of which a group that has them all is a recording."""


def check_beside(
    table: Table,
    names: Mapping[str, str],
    costs: np.ndarray | None,
    ends: np.ndarray,
    name: str,
) -> tuple[str, ...]:
    """Remarks on other arrays of costs, and on groups that hold a recording of their own.

    Args:
        table: the arrays of the file.
        names: the array of each key.
        costs: those that were read, (n,); None where an option says what the costs are.
        ends: the last rows of trajectories, (n,); of another shape, which is rejected later, nothing is compared.
        name: the file's.

    Raises:
        InputError: another array of the name cost holds other numbers.
    """
    found, ending = table.listing(), f"/{names['rewards']}"
    groups = [each.removesuffix(ending) for each in found if each.endswith(ending)]
    groups = [group for group in groups if all(f"{group}/{names[key]}" in found for key in RECORDING)]
    remarks = ()
    if groups:
        several = f"{len(groups)} groups, such as {groups[0]}, hold"
        shown = f"the group {groups[0]} holds" if len(groups) == 1 else several
        remarks = (f"{shown} {listed([names[key] for key in RECORDING])} of their own, which are not read",)
    if costs is None or ends.ndim != 1 or costs.shape != ends.shape:
        return remarks
    others = dict.fromkeys((*found, *filter(table.has, LINKS)))
    others = [each for each in others if is_a_cost(each) and not any(each.startswith(f"{group}/") for group in groups)]
    return (*remarks, *_check_costs(table, names["costs"], others, costs, ends, name))


def _check_costs(
    table: Table, array: str, others: Collection[str], costs: np.ndarray, ends: Bool[np.ndarray, " n"], name: str
) -> tuple[str, ...]:
    """A remark on those of `others` that differ from the costs, (n,), under the name `array`."""
    differing, so_far = {}, _so_far(costs, ends)
    for other in others:
        numbers = _numbers(table, other, len(costs))
        if other == array or (numbers is not None and _same(numbers, costs)):
            continue
        in_folder = other.rpartition("/")[0] == array.rpartition("/")[0] or other in LINKS
        if plain(other.rsplit("/", 1)[-1]) == "cost" and (numbers is not None or in_folder):
            first, second = sorted((array, other), key=lambda each: each != "costs")
            raise_on_two(first, second, "costs", name)
        if numbers is not None and not _same(numbers, so_far):
            differing[other] = numbers
    if not differing or (len(differing) > 1 and _same(np.sum([*differing.values()], axis=0), costs)):
        return ()
    verbs = ("differs", "is") if len(differing) == 1 else ("differ", "are")
    note = f"{listed([*differing])} {verbs[0]} from the costs in {array}, and {verbs[1]} not read"
    return (f"{note}: --columns costs=NAME takes another array; {of_several([array, *differing])}",)


def _numbers(table: Table, array: str, rows: int) -> np.ndarray | None:
    """The array, (n,) float32; None where it is none with a number a row."""
    try:
        shape = table.inspect(array).shape
        values = table.read(array) if shape in ((rows,), (rows, 1)) else np.empty(0, object)
    except InputError:  # such as a column with an empty cell, which nobody asked for
        return None
    if values.dtype.kind not in "biuf":
        return None
    with np.errstate(over="ignore"):
        return np.ravel(values).astype(np.float32)


def _same(values: np.ndarray, costs: np.ndarray) -> bool:
    atol = SMALL * float(np.abs(costs).max(initial=0.0))  # of float16, numbers below 6e-8 are 0
    return np.allclose(values, costs, rtol=ROUNDED, atol=atol, equal_nan=True)


def _so_far(costs: np.ndarray, ends: Bool[np.ndarray, " n"]) -> np.ndarray:
    """The sums of the costs so far within each trajectory, (n,)."""
    total = np.cumsum(costs, dtype=np.float64)
    before = np.append(0.0, total[ends])  # by trajectory
    return total - before[np.cumsum(ends) - ends]

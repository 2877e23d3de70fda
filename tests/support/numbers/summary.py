"""Recorded numbers: what many functions return for fixed inputs, kept in JSON and compared.

They do not say that a number is right, which the other tests do. They say that it has changed: a wrong sign, an index
off by one or a swapped axis anywhere below changes some of them. After a change that is meant,

    python -m tests.support.record_numbers ROOM

records the room anew and prints which numbers have changed.

A case is measured in float64 with one thread, so that rounding on another machine stays far below the tolerances. An
array is kept as its shape, the sum of its sizes |x|, and its product with fixed random weights, which another order of
the entries changes. What lies deeper than `Case.depth` is kept as one fingerprint of all its parts, in which every part
counts by its relative change, so that a large one hides no small one.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import scipy.sparse as sp
import torch

RECORDED = Path(__file__).parents[1] / "recorded"
WHOLE = 4
"""Arrays of at most so many entries are kept whole."""
DIGITS = 9
SHOWN = 12
"""Changed numbers that a failing test names."""

Entry = Any
"""A number, text, None, a short list of numbers, [shape, size, product], or ["+parts", products, sizes]."""


class Case(NamedTuple):
    """What is measured; how far another machine may be off: rtol of the size, and atol; how deep paths are kept."""

    measure: Callable[[], Any]
    rtol: float = 1e-7
    atol: float = 1e-9
    depth: int = 2


def measured(case: Case) -> dict[str, Entry]:
    """The case's numbers by their path, in double precision."""
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        return entries(case.measure(), case)
    finally:
        torch.set_default_dtype(before)
        torch.set_num_threads(threads)


def entries(value: Any, case: Case) -> dict[str, Entry]:
    """The entries of nested dictionaries, sequences and dataclasses, by dotted path."""
    groups: dict[tuple[str, ...], dict[tuple[str, ...], Any]] = {}
    for path, leaf in leaves(value):
        groups.setdefault(path[: case.depth], {})[path] = leaf
    found: dict[str, Entry] = {}
    for path, group in groups.items():
        alone = len(group) == 1 and path in group
        found[".".join(path)] = entry(group[path]) if alone else fingerprint(group, 1e3 * case.atol)
    return found


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Arrays, numbers and texts by their path. A list of numbers is an array."""
    if isinstance(value, Mapping):
        parts = {str(key): part for key, part in value.items()}
    elif dataclasses.is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = {name: getattr(value, name) for name in vars(type(value))["_fields"]}
    elif isinstance(value, (list, tuple)) and not all(isinstance(part, (int, float)) for part in value):
        parts = {str(i): part for i, part in enumerate(value)}
    else:
        return [(path, plain(value))]
    return [leaf for name, part in parts.items() for leaf in leaves(part, (*path, name.replace(".", "")))]


def plain(value: Any) -> Any:
    """A leaf as a float64 array, a number, a text or None."""
    if value is None or (isinstance(value, (str, bool, int)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return int(value.value)
    if sp.issparse(value):
        value = sp.csr_array(value).toarray()
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, (np.ndarray, list, tuple)):
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, (Fraction, float, np.floating, np.integer, np.bool_)):
        return float(value)
    return float(value.mid()) if hasattr(value, "mid") else float(Fraction(str(value)))  # python-flint's numbers


def entry(leaf: Any) -> Entry:
    """One leaf as it is recorded."""
    if isinstance(leaf, float):
        return rounded(leaf)
    if not isinstance(leaf, np.ndarray):
        return leaf
    if leaf.size <= WHOLE:
        return [rounded(x) for x in leaf.ravel().tolist()]
    size, product, gaps = sums(leaf)
    return ["x".join(map(str, leaf.shape)) + gaps, rounded(size), rounded(product)]


def sums(array: np.ndarray) -> tuple[float, float, str]:
    """The sum of sizes and the weighted sum of an array's finite entries; how many others there are, as text."""
    flat = array.ravel()
    counts = {"nan": np.isnan(flat), "inf": flat == np.inf, "-inf": flat == -np.inf}
    finite = np.where(np.isfinite(flat), flat, 0.0)
    product = finite @ np.random.default_rng(flat.size).uniform(-1, 1, flat.size)
    gaps = "".join(f" {name}{which.sum()}" for name, which in counts.items() if which.any())
    return float(np.abs(finite).sum()), float(product), gaps


def fingerprint(group: Mapping[tuple[str, ...], Any], floor: float) -> Entry:
    """One entry for many leaves: of every one its product over its size, and the logarithm of its size, each with a
    weight of its own. Sizes far below `floor` count as 0."""
    products, sizes = 0.0, 0.0
    for path, leaf in group.items():
        if leaf is None or isinstance(leaf, str):
            leaf = float(crc32(repr(leaf).encode()) % 1000)
        array = np.asarray(leaf, dtype=np.float64)
        size, product, gaps = sums(array)
        one, two = np.random.default_rng(crc32(f"{path} {array.shape}{gaps}".encode())).uniform(0.2, 1, 2)
        products += one * product / (size + floor)
        sizes += two * math.log(size + floor)
    return [f"+{len(group)}", rounded(products), rounded(sizes)]


def rounded(x: float) -> float | str:
    return float(f"{x:.{DIGITS - 1}e}") if math.isfinite(x) else str(x)


def same(known: Entry, found: Entry, rtol: float, atol: float) -> bool:
    """Whether two entries agree: numbers up to the tolerances, all else exactly. Sums of an array may be off by the
    tolerance of its size, a fingerprint by that of its number of parts."""
    if isinstance(known, list):
        if not isinstance(found, list) or len(known) != len(found):
            return False
        size = size_of(known)
        least = [rtol * (abs(x) if size is None else size) if isinstance(x, (int, float)) else 0.0 for x in known]
        return all(agree(x, y, more + atol) for x, y, more in zip(known, found, least, strict=True))
    return agree(known, found, atol + rtol * abs(known) if isinstance(known, (int, float)) else 0.0)


def size_of(known: list[Any]) -> float | None:
    """What the tolerance of sums is a share of; None for a list of numbers, each of which has its own."""
    kind = known[0][0] if known and isinstance(known[0], str) else ""
    return float(known[1]) if kind.isdigit() else 10.0 + int(known[0]) if kind == "+" else None


def agree(x: Any, y: Any, least: float) -> bool:
    """Whether two numbers are this near, or two other values the same."""
    if type(x) in (int, float) and type(y) in (int, float):
        return abs(x - y) <= least
    return type(x) is type(y) and x == y


def changes(known: Mapping[str, Entry], found: Mapping[str, Entry], case: Case) -> list[str]:
    """A line for every number that is not the recorded one."""
    lines = [f"{path} is no longer measured" for path in known if path not in found]
    lines += [f"{path} is new" for path in found if path not in known]
    for path in known.keys() & found.keys():
        if not same(known[path], found[path], case.rtol, case.atol):
            lines.append(f"{path}: {known[path]} was recorded, {found[path]} is measured")
    return sorted(lines)


def load(room: str) -> dict[str, dict[str, Entry]]:
    """The recorded cases of a room; none where it has no file."""
    path = RECORDED / f"{room}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def check(room: str, name: str, case: Case) -> None:
    """Fail where a case's numbers are not those recorded."""
    record = f"python -m tests.support.record_numbers {room}"
    known = load(room)
    assert name in known, f"{room}, {name}: its numbers are not recorded yet: {record}"
    found = measured(case)
    lines = changes(known[name], found, case)
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    head = f"{room}, {name}: {len(lines)} of {len(found)} numbers have changed"
    assert not lines, "\n".join([head, *lines[:SHOWN], *more, f"If the change is meant: {record}"])


def write(room: str, cases: Mapping[str, Mapping[str, Entry]]) -> None:
    """Keep a room's numbers, a line for each."""
    texts = []
    for name, numbers in cases.items():
        lines = ",\n".join(f"{json.dumps(path)}:{json.dumps(x, separators=(',', ':'))}" for path, x in numbers.items())
        texts.append(f"{json.dumps(name)}:{{\n{lines}}}")
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{room}.json").write_text("{\n" + ",\n".join(texts) + "\n}\n")

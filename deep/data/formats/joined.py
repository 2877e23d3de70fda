"""Several arrays side by side as the entries of one vector: `--columns observations=pos,vel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from deep.data.formats.errors import AT_MOST, raise_input_error, raise_on_rows, raise_on_texts
from deep.data.formats.missing import Found, parts
from deep.data.reading import vanished

ROWS = "rows"
"""The entry of a data set's fields with the numbers of the rows in the file, (n,), where these are not 0, 1, 2 and so
on; for rejections."""
COARSE = 1e-3
"""The share of a feature's standard deviation above which float32's rounding is remarked on."""


@runtime_checkable
class Table(Protocol):
    """The arrays of a file, each read when it is asked for."""

    def listing(self) -> Mapping[str, Found]:
        """The arrays that can be read, by name."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is anything of this name."""
        ...

    def inspect(self, name: str) -> Found:
        """Shape and type; raises `InputError` for what cannot be read."""
        ...

    def read(self, name: str) -> np.ndarray:
        """The array."""
        ...


class JoinedTable:
    """A table in which the name a,b stands for the arrays a and b side by side, (n,) or (n, k) each, unless there is an
    array of that very name. An array's name is written in the file as `form` says. An error calls the file `name`."""

    def __init__(self, table: Table, name: str, form: str = "{}") -> None:
        self.table, self.name, self.form = table, name, form
        self.remarks: tuple[str, ...] = ()
        """What `rounding` and `vanished` say of arrays that were joined."""

    def listing(self) -> Mapping[str, Found]:
        return self.table.listing()

    def has(self, name: str) -> bool:
        return all(map(self.table.has, self._parts(name)))

    def inspect(self, name: str) -> Found:
        parts = self._parts(name)
        found = [self.table.inspect(part) for part in parts]
        if len(found) == 1:
            return found[0]
        for part, (shape, _) in zip(parts, found, strict=True):
            if len(shape) not in (1, 2) or shape[0] != found[0].shape[0]:
                first = f"{parts[0]} of shape {found[0].shape} and {part} of shape {shape}"
                raise_input_error(self.name, f"has {first}", "arrays with a row for each transition can be joined")
        size = sum(shape[1] if len(shape) == 2 else 1 for shape, _ in found)
        return Found((found[0].shape[0], size), " and ".join(dict.fromkeys(dtype for _, dtype in found)))

    def read(self, name: str) -> np.ndarray:
        parts = self._parts(name)
        arrays = [self.table.read(part) for part in parts]
        if len(parts) == 1:
            return arrays[0]
        for part, array in zip(parts, arrays, strict=True):
            self.remarks += (*rounding(array, part), *vanished(array, part))
        numbers = [as_float32(array, part, self.name) for part, array in zip(parts, arrays, strict=True)]
        return np.concatenate([array.reshape(len(array), -1) for array in numbers], axis=1)

    def _parts(self, name: str) -> list[str]:
        whole = [name] if self.table.has(self.form.format(name)) else []
        return [self.form.format(part) for part in parts(name, whole)]


def rounding(values: np.ndarray, key: str) -> tuple[str, ...]:
    """A remark where float32 leaves little of the differences between the float64 numbers of a feature."""
    if values.dtype != np.float64 or values.ndim not in (1, 2) or not values.size or not np.isfinite(values).all():
        return ()
    features = values.reshape(len(values), -1)
    if (size := np.abs(features).max(axis=0)).max() > np.finfo(np.float32).max:
        return ()  # it is rejected
    step = size * np.finfo(np.float32).eps
    coarse = (step > COARSE * features.std(axis=0)) & (np.ptp(features, axis=0) > 0)
    if not coarse.any():
        return ()
    column = int(np.flatnonzero(coarse)[0])
    where = f"column {column} of {key}" if features.shape[1] > 1 else key
    spread, mean = features[:, column].std(), features[:, column].mean()
    note = (
        f"{where} is {mean:.6g} with a standard deviation of {spread:.2g}, and float32 has steps of {step[column]:.2g} "
    )
    return (note + "there: subtract an offset from it before, as float64 is not kept",)


def as_float32(values: np.ndarray, key: str, name: str) -> np.ndarray:
    """Numbers as float32; raises `InputError` for other types and for numbers that float32 does not hold."""
    raise_on_texts(values, key, name, "a number in each is accepted")
    first = values.ravel()[:1].tolist()
    if first and isinstance(first[0], str | bytes):
        found = f"has texts in {key}, such as {first[0]!r}"
        raise_input_error(name, found, "numbers, without quotation marks, are accepted")
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise_input_error(name, f"has {key} of type {values.dtype}", "numbers of at most 64 bits are accepted")
    if values.dtype.kind == "f":
        beyond = np.isfinite(values) & (np.abs(values) > np.finfo(np.float32).max)
        raise_on_rows(beyond, values, key, name, AT_MOST)
    converted = values.astype(np.float32, copy=False)
    if values.dtype.kind in "iu" and values.dtype.itemsize > 2:
        accepted = "whole numbers that float32 holds are accepted"
        raise_on_rows(converted.astype(np.float64) != values, values, key, name, accepted)
    return converted

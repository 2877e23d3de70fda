"""Tables with a vector in one cell, as pandas, numpy and JSON write it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.dataset import KEYS
from tests.support import other_writers as writers
from tests.support.tables import rejected

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()
VECTORS = ("observations", "next_observations", "actions")


def numpys(vector: np.ndarray) -> str:
    with np.printoptions(floatmode="unique"):
        return str(vector)


def numpys_in_lines(vector: np.ndarray) -> str:
    with np.printoptions(floatmode="unique", linewidth=12):
        return str(vector)


def as_json(vector: np.ndarray) -> str:
    return json.dumps(vector.tolist())


def compact(vector: np.ndarray) -> str:
    return as_json(vector).replace(" ", "")


FORMS = {"numpy": numpys, "numpy, in lines": numpys_in_lines, "JSON": as_json, "JSON without spaces": compact,
         "a tuple": lambda vector: f" {tuple(vector.tolist())} "}  # fmt: skip


def table(path: Path, form: Callable[[np.ndarray], str], separator: str = ",", **changed: Any) -> Path:
    data = {key: values for key, values in DATA.items() if key in KEYS} | changed
    rows = [
        [f'"{form(value)}"' if key in VECTORS else repr(value.item()) for key, value in zip(data, row, strict=True)]
        for row in zip(*data.values(), strict=True)
    ]
    path.write_text("\n".join(map(separator.join, [list(data), *rows])) + "\n")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_vectors_in_a_cell_are_read(form, separator, tmp_path):
    found = read_any(table(tmp_path / "a.csv", form, separator))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key, strict=True)


def test_a_cell_of_several_lines_may_lie_anywhere_in_a_large_file(tmp_path):
    """pyarrow cuts a file into pieces of a megabyte."""
    count = 30000
    rows = [
        f'"[0.125\n 0.25\n 0.375]","[0.5\n 0.75]",0.{i % 8},0,false,{str(i % 50 == 49).lower()}' for i in range(count)
    ]
    text = "\n".join([",".join(("observations", "actions", "rewards", "costs", "terminals", "timeouts")), *rows])
    (tmp_path / "a.csv").write_text(text)
    assert len(text) > 1 << 20
    assert read_any(tmp_path / "a.csv").observations.shape == (count - count // 50, 3)


def test_texts_of_parquet_are_read_too(tmp_path):
    texts = {key: np.array([numpys(x) for x in DATA[key]], dtype=object) for key in VECTORS}
    found = read_any(writers.write_parquet(tmp_path / "a.parquet", DATA | texts))
    np.testing.assert_array_equal(found.actions, DATA["actions"])


def test_one_value_and_booleans_in_brackets_are_read(tmp_path):
    """As vector environments print their rewards and dones."""
    path = writers.write_csv(tmp_path / "a.csv", DATA)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    for row in lines[1:]:
        row[lines[0].index("rewards")] = f"[{row[lines[0].index('rewards')]}]"
        row[lines[0].index("terminals")] = f"[{row[lines[0].index('terminals')].title():>5}]"
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    found = read_any(path)
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key, strict=True)


def other(row: int, text: Callable[[np.ndarray], str]) -> Callable[[np.ndarray], str]:
    """A form with another one in this row."""

    def form(vector: np.ndarray) -> str:
        return text(vector) if np.array_equal(vector, DATA["observations"][row]) else numpys(vector)

    return form


ONLY = "numbers in each row are accepted, such as"


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (lambda x: str(np.tile(x, 400)), rf"has '\[[^']* \.\.\. [^']*' in row 0 of observations: as many {ONLY}"),
        (other(4, lambda x: numpys(x[:2])), rf"has '\[[^']*\]' in row 4 of observations: 3 {ONLY}"),
        (other(4, lambda x: ""), f"has '' in row 4 of observations: 3 {ONLY}"),
        (other(4, lambda x: "[1 2 three]"), f"in row 4 of observations: 3 {ONLY}"),
        (other(4, lambda x: "[1, 2 3]"), f"in row 4 of observations: 3 {ONLY}"),
        (other(4, lambda x: "[1_0, 2, 3]"), f"in row 4 of observations: 3 {ONLY}"),
        (other(4, lambda x: "[1, 2, null]"), f"in row 4 of observations: 3 {ONLY}"),
        (other(4, lambda x: "[1, 2, nan]"), "has nan in row 4 of observations, column 2: finite numbers"),
        (lambda x: "[]", rf"has '\[\]' in row 0 of observations: as many {ONLY}"),
        (lambda x: numpys(x[None]), f"in row 0 of observations: as many {ONLY}"),
        (repr, rf"has 'array\([^']*' in row 0 of observations: as many {ONLY}"),
        (lambda x: str(list(x)), rf"has '\[np.float32\([^']*' in row 0 of observations: as many {ONLY}"),
        (lambda x: numpys(x).replace(".", ","), f"in row 0 of observations: as many {ONLY}"),
    ],
)
def test_a_cell_that_is_no_vector_is_named(form, sentence, tmp_path):
    rejected(table(tmp_path / "a.csv", form, ";"), sentence)


def test_commas_between_digits_may_be_decimal_ones_between_semicolons(tmp_path):
    """[1,5] is a vector of two or of one; elsewhere it is one of two."""
    whole = {key: np.round(100 * DATA[key]).astype(int) for key in VECTORS} | {"terminals": ~DATA["timeouts"]}
    rejected(table(tmp_path / "a.csv", compact, ";", **whole), r"has '\[[0-9-]+,[0-9,-]+\]' in row 0 of observations")
    assert (
        read_any(
            table(tmp_path / "a.csv", compact, ",", **whole),
        ).observations.shape[1]
        == 3
    )


def test_texts_in_brackets_that_are_not_read_may_be_anything(tmp_path):
    note = np.array([f"[{i}" for i in range(len(DATA["rewards"]))])
    path = writers.write_csv(tmp_path / "a.csv", DATA | {"note": note})
    assert len(read_any(path).ends) == 6


@pytest.mark.parametrize("form", ["({})", "({},234)", "({},0.5)"])
def test_negative_numbers_of_bookkeepers_are_no_vectors(form, tmp_path):
    """(2.5) is -2.5, and (1,234) is -1234."""
    cells = np.array([form.format(i) for i in range(len(DATA["rewards"]))])
    path = writers.write_csv(tmp_path / "a.csv", DATA | {"rewards": cells})
    path.write_text(path.read_text().replace("'", '"'))
    rejected(path, r"has '\(0.*\)' in row 0 of rewards: a number in each is accepted")

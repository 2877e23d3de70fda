"""The notebooks: sources and committed outputs belong together, run by nbmake, and say the same when run again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from notebooks.build import FOLDER, METADATA, SOURCES, differences

ROOT = FOLDER.parent
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
LONG = ("01", "02", "03", "04", "05")
"""Notebooks that compute anew: `make exhaustive` runs them. The last one reads what was computed."""
each = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def committed(source: Path) -> NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def texts(notebook: NotebookNode) -> list[str]:
    """All that the code cells printed, without pictures, cell by cell."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append(output.get("text", "") or data.get("text/markdown", "") or " ".join(sorted(data)))
    return found


def disagreements(ours: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    """Pairs of outputs that differ in words, or in a number by more than 2 % and more than .011."""
    if len(ours) != len(theirs):
        return [(f"{len(ours)} outputs", f"{len(theirs)} outputs")]
    return [pair for pair in zip(ours, theirs, strict=True) if not _same(*pair)]


def _same(one: str, other: str) -> bool:
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    numbers = ([float(x.replace(",", "")) for x in NUMBER.findall(text)] for text in (one, other))
    return all(a == pytest.approx(b, rel=0.02, abs=0.011) for a, b in zip(*numbers, strict=True))


def test_there_are_notebooks() -> None:
    assert [source.name[:2] for source in SOURCES] == ["01", "02", "03", "04", "05", "06"]


@each
def test_source_and_notebook_have_the_same_cells(source: Path) -> None:
    assert differences(source, committed(source)) == [], "run `make notebooks`"


def test_a_changed_a_missing_and_a_further_cell_are_noticed() -> None:
    source = SOURCES[0]
    changed, shorter, longer, other_kind = (committed(source) for _ in range(4))
    changed.cells[3].source += " "
    shorter.cells.pop()
    longer.cells.append(nbformat.v4.new_code_cell("1", id="cell-99"))
    other_kind.cells[0].cell_type = "raw"
    last = f"cell-{len(shorter.cells):02d}"
    for notebook, names in (
        (changed, ["cell-03"]),
        (shorter, [last]),
        (longer, ["cell-99"]),
        (other_kind, ["cell-00"]),
    ):
        assert differences(source, notebook) == names


@each
def test_a_committed_notebook_is_whole_and_says_nothing_of_the_machine(source: Path) -> None:
    notebook, path = committed(source), source.with_suffix(".ipynb")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {output.output_type for cell in code for output in cell.outputs} == {"display_data"}
    assert notebook.metadata == nbformat.from_dict(METADATA)
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert path.stat().st_size < 400_000
    assert (FOLDER / "figures" / f"{source.stem}.png").stat().st_size <= 80_000
    for word in (str(Path.home()), os.uname().nodename, "/tmp/", "/work/", "site-packages", "Traceback"):
        assert word not in "".join(texts(notebook)), word
    assert "What this shows, and what it does not" in notebook.cells[-1].source


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, id=source.stem, marks=[pytest.mark.exhaustive] if source.name[:2] in LONG else [])
        for source in SOURCES
    ],
)
def test_nbmake_runs_it_and_it_says_what_is_committed(source: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "notebooks", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    (copy / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbmake",
        "--overwrite",
        f"{source.stem}.ipynb",
    ]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    again = nbformat.read(copy / f"{source.stem}.ipynb", as_version=4)
    assert disagreements(texts(again), texts(committed(source))) == [], (
        "the outputs are out of date: run `make notebooks`"
    )


def test_outputs_that_differ_are_noticed() -> None:
    before = ["the gap is **1.275** in 10,000 runs", "residual 3e-16"]
    assert disagreements(["the gap is **1.276** in 10,000 runs", "residual 2e-15"], before) == []
    for after in (
        ["the gap is **1.375** in 10,000 runs", before[1]],
        ["the gap is **1.275** in 20,000 runs", before[1]],
        ["the gap is **1.275** in 10,000 rows", before[1]],
        [before[0], "residual 3e-01"],
        before[:1],
    ):
        assert len(disagreements(after, before)) == 1, after

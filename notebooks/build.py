"""`make notebooks`: run every notebook's source and write it beside its outputs; `differences` says where they part.

`NAME.py` (percent cells) is what people edit; `NAME.ipynb` is the same cells with what they printed. Nothing in the
pair depends on when, where or by whom it was run: cells are numbered instead of given random names, and no times kept.
"""

import argparse
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
SOURCES = sorted(FOLDER.glob("[0-9]*.py"))
METADATA = {
    "jupytext": {"formats": "ipynb,py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read_source(source: Path) -> NotebookNode:
    """The notebook of a percent script, without outputs."""
    notebook = jupytext.read(source, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {}
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def differences(source: Path, committed: NotebookNode) -> list[str]:
    """Ids of the cells whose input differs between a source and a notebook; what only one of them has counts too."""
    ours, theirs = (
        {cell.id: (cell.cell_type, cell.source) for cell in n.cells} for n in (read_source(source), committed)
    )
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def execute(source: Path) -> NotebookNode:
    """Run a source in a kernel of its own; raises nbclient's CellExecutionError where a cell fails."""
    notebook = read_source(source)
    resources = {"metadata": {"path": str(source.parent)}}
    NotebookClient(notebook, timeout=600, record_timing=False, resources=resources).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def main() -> None:
    """Build the named sources, or all."""
    parser = argparse.ArgumentParser(description="Run the notebooks' sources, and write each with its outputs.")
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="percent scripts; none: all")
    for source in parser.parse_args().sources or SOURCES:
        nbformat.write(execute(source.resolve()), source.with_suffix(".ipynb"))
        print(source.with_suffix(".ipynb"), flush=True)


if __name__ == "__main__":
    main()

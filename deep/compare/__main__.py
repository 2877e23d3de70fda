"""`python -m deep.compare RUN RUN ...`: finished runs beside each other, as a table, a figure and a page.

Nothing is simulated again: the numbers are those of the runs' summary.json. Runs without a simulator are compared by
their estimates, the baseline estimators', and the returns of their data.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole, writing

FILES = ("compare.html", "table.md", "figure.png")
"""The first one is written first, and shows that a folder is that of a comparison."""


@dataclass(frozen=True)
class Options:
    """Put finished runs beside each other."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of two or more runs of deep.train."""
    out: Path = Path("comparison")
    """Folder for table.md, figure.png and compare.html; what an earlier comparison left there is replaced."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.compare") -> None:
    with command(lambda: "nothing was written"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> Path:
    """Compare, print the table and write the three files; the folder."""
    if len(options.runs) < 2:
        raise InputError("one run cannot be compared: two or more are accepted")
    from deep.compare.figure import figure
    from deep.compare.table import Run, explanations, names_of, notes, parts, text
    from deep.page.render import inside, render
    from deep.page.run_page import flat

    runs = [Run.read(path, name) for path, name in zip(options.runs, names_of(options.runs), strict=True)]
    kept = [name for name in FILES if (options.out / name).exists()]
    if kept and FILES[0] not in kept:
        raise InputError(f"--out {options.out} holds {kept[0]}, which is of no earlier comparison: give another folder")
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    settings = [flat(each.config["identity"]) for each in runs]
    keys = dict.fromkeys(key for each in settings for key in each)
    different = {key: [each.get(key, "") for each in settings] for key in keys}
    picture, table = figure(runs), text(runs)
    page = render(
        "compare.html",
        title=f"{len(runs)} runs beside each other",
        notes=notes(runs),
        parts=[part for part in parts(runs) if part.rows],
        explanations=explanations(runs),
        figure=inside(picture),
        names=[each.name for each in runs],
        settings=[(key, values) for key, values in different.items() if len({*map(str, values)}) > 1],
    )
    for name, content in zip(FILES, (page.encode(), f"{table}\n".encode(), picture), strict=True):
        write_whole(options.out / name, content)
    print(table, f"{', '.join(FILES)}: {options.out}", sep="\n")
    return options.out


if __name__ == "__main__":
    main()

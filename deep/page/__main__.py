"""`python -m deep.page DIR`: the page of a run, DIR/page.html, which opens from the file in any browser.

deep.train writes it at its end. This command writes it again, with a film of the policies, or for an older run.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from deep.cli.run_folder import check_run
from theory.support.command import command, read
from theory.support.files import write_whole


@dataclass(frozen=True)
class Options:
    """Write the page of a run: settings, scores, curves, costs and returns."""

    directory: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run of deep.train."""
    film: bool = False
    """Also film one episode of each policy, side by side, and show it."""
    out: Path | None = None
    """The page; default DIR/page.html."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.page") -> None:
    with command(lambda: "nothing was written; the same command writes the page"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> Path:
    """Write the page; its path."""
    check_run(options.directory)
    from deep.page.run_page import FILM, page

    if options.film:
        from deep.evaluate.film import film
        from deep.runs.experiment import finished

        film(finished(options.directory, with_data=False)[0], options.directory / FILM)
    path = options.out or options.directory / "page.html"
    write_whole(path, page(options.directory).encode())
    print(f"page: {path}")
    return path


if __name__ == "__main__":
    main()

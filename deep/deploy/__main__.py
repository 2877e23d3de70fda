"""`python -m deep.deploy DIR`: what is known of the policies of a run before one of them acts, DIR/deployment.html.

The page is for a custom data set without a simulator. It says "unknown" in the largest print wherever the data do not
settle the question (`deep.deploy.decision`). A simulator's results are never used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from deep.cli.run_folder import check_run
from theory.support.command import command, read
from theory.support.files import write_whole


@dataclass(frozen=True)
class Options:
    """Say what is known of the cost of a run's policies before one is deployed."""

    directory: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run of deep.train."""
    out: Path | None = None
    """The page; default DIR/deployment.html."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.deploy") -> None:
    with command(lambda: "nothing was written"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> Path:
    """Decide, print a line for each policy, and write the page; its path."""
    check_run(options.directory)
    from deep.core.files import read_json, wrong_form
    from deep.runs.config_file import read_config

    summary, config = read_json(options.directory / "summary.json"), read_config(options.directory)
    with wrong_form(options.directory / "config.json", "a run's settings"):
        task = str(config["identity"]["task"])
    with wrong_form(options.directory / "summary.json", "the summary of a run"):
        content = _page(summary, task, options.directory)
    path = options.out or options.directory / "deployment.html"
    write_whole(path, content.encode())
    print(f"page: {path}")
    return path


def _page(summary: dict[str, Any], task: str, run: Path) -> str:
    from deep.deploy.decision import VERDICTS, decide, record, reliability
    from deep.deploy.record import track_of
    from deep.page.render import embedded, render
    from deep.tasks import find_task

    data, policies = summary["dataset"], []
    kind = "custom" if task == "custom" else find_task(task).family
    track = track_of(record()["runs"], summary["algorithm"], kind)
    classes = dict(zip(VERDICTS.values(), ("safe", "unsafe", "unknown"), strict=True))
    for result in summary["results"]:
        found = decide(result, track, data)
        named = {"seed": result["seed"], "limit": f"{result['cost_limit']:g}", "class": classes[found.verdict]}
        policies.append(named | {"verdict": found.verdict, "reasons": found.reasons, "known": found.known})
        print(f"{found.verdict}: seed {named['seed']}, cost limit {named['limit']}", *found.reasons, sep="\n  ")
    return render(
        "deployment.html",
        title=f"{summary['task']}, {summary['algorithm']}: before deployment",
        simulated=summary["simulated"],
        policies=policies,
        track=track,
        unreliable=reliability(track, *track.satisfied),
        remarks=data.get("remarks", []),
        plane=None if summary["simulated"] else embedded(run / "results.png"),
    )


if __name__ == "__main__":
    main()

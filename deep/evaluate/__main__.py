"""`python -m deep.evaluate DIR`: score the policies of a finished run again, on more episodes, or film them.

Where the run's task has no simulator, the policies are estimated again from the data.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from deep.cli.run_folder import check_run
from theory.support.command import command, read
from theory.support.errors import InputError


@dataclass(frozen=True)
class Options:
    """Evaluate the policies of a run in the simulator; writes DIR/evaluation.json."""

    directory: Annotated[Path, tyro.conf.Positional]
    """Folder of a run of deep.train."""
    episodes: int = 100
    """Simulator episodes per replica."""
    dataset: Path | None = None
    """Where the file of the run's data is now, if it has been moved since; its hash is compared."""
    video: Path | None = None
    """Also film one episode of each replica, side by side, into this GIF file."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.evaluate") -> None:
    with command(lambda: f"nothing was written; the same command evaluates again: {prog} DIR"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> None:
    """Evaluate and print; writes evaluation.json."""
    if options.episodes < 1:
        raise InputError(f"--episodes {options.episodes}: accepted is a number of at least 1")
    if options.video is not None and options.video.suffix != ".gif":
        raise InputError(f"--video {options.video}: accepted is a file name that ends in .gif")
    check_run(options.directory)
    from deep.core.memory import keep_freed_memory
    from deep.core.validation import use_threads
    from deep.evaluate.film import film
    from deep.evaluate.scores import evaluate, remarks, table
    from deep.evaluate.summary import SCHEMA
    from deep.evaluate.verdict import contradictions, verdict
    from deep.runs.experiment import finished

    experiment, folder = finished(options.directory, options.dataset)
    if options.video is not None and not experiment.task.simulated:
        raise InputError(f"--video {options.video}: the run in {options.directory} has no simulator to film")
    folder.acquire()
    use_threads(1)
    keep_freed_memory()
    if options.video is not None:  # first: a simulator that cannot render is reported at once
        film(experiment, options.video)
    scores = {
        choice: evaluate(experiment, options.episodes, experiment.policy(choice))[1] for choice in experiment.choices
    }
    first, *others = scores
    content = {"results": scores[first], "choice": first, "other_choices": {name: scores[name] for name in others}}
    episodes = options.episodes if experiment.task.simulated else 0
    about = {"schema": SCHEMA, "simulated": experiment.task.simulated, "episodes": episodes}
    lines = contradictions(scores[first])
    for choice, results in scores.items():
        lines += [*([f"acting by --action-selection {choice}:"] if choice else []), table(results)]
    lines += ["", *verdict(experiment, scores[first]), *remarks(experiment)]
    folder.write_json("evaluation.json", {**about, **content, "screen": "\n".join(lines).splitlines()})
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()

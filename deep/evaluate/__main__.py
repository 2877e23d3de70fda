"""`python -m deep.evaluate DIR`: score the policies of a finished run again, on more episodes, or film them.

Where the run's task has no simulator, the policies are estimated again from the data.
"""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

from deep.cli.run_folder import check_run
from deep.tasks import make
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole

if TYPE_CHECKING:  # imported after the command line has been checked, because torch takes seconds
    from deep.runs.experiment import Experiment


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


def film(experiment: "Experiment", path: Path, every: int = 4, most: int = 100) -> None:
    """A GIF of every replica's first evaluation episode, side by side: every 4th step, at most `most` frames."""
    from PIL import Image

    from deep.evaluate.scores import FIRST_EVALUATION_SEED

    player = experiment.player()
    strips = []
    for i in range(len(experiment.problem.replicas)):
        env = make(experiment.task, render_mode="rgb_array")
        observation, _ = env.reset(seed=FIRST_EVALUATION_SEED)
        state = player.start(0, 1)
        frames: list[np.ndarray] = []
        for step in range(every * most):
            if step % every == 0:
                frames.append(np.asarray(env.render())[::2, ::2])
            observations = np.zeros((len(experiment.problem.replicas), 1, len(observation)), dtype=np.float32)
            observations[i, 0] = observation
            actions, state = player.act(state, observations)
            observation, reward, terminated, truncated, info = env.step(actions[i, 0])
            outcome = np.zeros((2, len(actions), 1), dtype=np.float32)
            outcome[:, i] = [[float(reward)], [float(info["cost"])]]
            done = np.full(outcome.shape[1:], terminated or truncated)
            state = player.observe(state, outcome[0], outcome[1], done)
            if terminated or truncated:
                break
        env.close()
        strips.append(frames)
    longest = max(map(len, strips))
    rows = [np.concatenate([s[min(k, len(s) - 1)] for s in strips], axis=1) for k in range(longest)]
    images = [Image.fromarray(row) for row in rows]
    content = io.BytesIO()
    images[0].save(content, "GIF", save_all=True, append_images=images[1:], duration=32, loop=0)
    write_whole(path, content.getvalue())
    print(f"film of {longest} frames: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

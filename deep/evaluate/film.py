"""A film of the policies of a run, as the simulator draws them."""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from deep.evaluate.scores import FIRST_EVALUATION_SEED
from deep.runs.experiment import Experiment
from deep.tasks import make
from theory.support.errors import InputError
from theory.support.files import write_whole


def film(experiment: Experiment, path: Path, every: int = 4, most: int = 100) -> None:
    """A GIF of every replica's first evaluation episode, side by side: every 4th step, at most `most` frames."""
    if not experiment.task.simulated:
        raise InputError(f"{experiment.task.name} has no simulator to film: --env names one when the run is trained")
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

"""The tasks under their gymnasium ids. Importing the package deep.envs registers them, and imports no simulator:

    import gymnasium
    import deep.envs

    env = gymnasium.make("SafetyHopperVelocity-v1")            # Safety-Gymnasium's id
    env = gymnasium.make("OfflineHopperVelocityGymnasium-v1")  # DSRL's id

or `gymnasium.make("deep.envs:SafetyHopperVelocity-v1")`. Each step reports its cost in `info["cost"]`
(`deep.tasks.make`). An id that another package has registered already is left to that package.
"""

from __future__ import annotations

from typing import Any

import gymnasium

from deep.tasks import TASKS, make, spellings


class Creator:
    """Makes one task's environment; gymnasium reads `metadata` before it does."""

    def __init__(self, task: str) -> None:
        self.task, self.metadata = task, {"render_modes": ["rgb_array"]}

    def __call__(self, **options: Any) -> gymnasium.Env:
        return make(TASKS[self.task], **options)


def register() -> None:
    """Register every task of the table under its ids in DSRL and Safety-Gymnasium."""
    for task in TASKS.values():
        for name in spellings(task)[1:]:
            if name not in gymnasium.registry:
                limit = task.episode_length
                gymnasium.register(
                    name, entry_point=Creator(task.name), max_episode_steps=limit, disable_env_checker=True
                )


register()

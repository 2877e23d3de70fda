"""The tasks' simulators. Importing this package registers the tasks with gymnasium (`deep.envs.gymnasium_ids`)."""

from deep.envs import gymnasium_ids as gymnasium_ids

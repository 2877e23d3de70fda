"""Record a small data set with another program's own writer, on an environment that costs.

    python record_peers.py d3rlpy PATH.h5        # ReplayBuffer.dump after RandomPolicy.collect
    python record_peers.py omnisafe PATH.npz     # OfflineDataCollector.collect with two agents

This file imports nothing of this project. Each ran in an environment of its own, on Python 3.11 with torch 2.13.0:
d3rlpy 2.8.1 with its requirements (gymnasium 1.0.0, h5py 3.16.0, numpy 2.4.6); omnisafe 0.5.0 without them (gymnasium
0.28.1, numpy 1.26.4). OmniSafe imports safety_gymnasium 1.0.0, which fails on Python 3.11 (a dataclass with an array as
a default); it is not used here, and an empty module takes its place. `tests/data/test_peers_files.py` reads the files.
"""
# pyright: basic, reportMissingImports=false
# (It is written for packages that are not installed here.)

import argparse
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

LENGTH = 12
"""Steps after which an episode times out."""


class Leak:
    """s' = .8 s + (a, .1); the reward is s'_1, and a step costs 1 where s_0 > .5. It ends where s'_0 < -1.2, though not
    at the first step: d3rlpy joins an episode of one step to the next."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.state, self.steps = self.rng.normal(size=3).astype(np.float32), 0
        return self.state

    def step(self, action):
        cost = float(self.state[0] > 0.5)
        self.state = (np.float32(0.8) * self.state + np.append(action, 0.1)).astype(np.float32)
        self.steps += 1
        return (
            self.state,
            float(self.state[1]),
            cost,
            bool(self.state[0] < -1.2 and self.steps > 1),
            self.steps == LENGTH,
        )


def d3rlpy(path):
    import d3rlpy
    import gymnasium

    class Env(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        leak = Leak(0)

        def reset(self, seed=None, options=None):
            return self.leak.reset(), {}

        def step(self, action):
            observation, reward, cost, terminated, truncated = self.leak.step(action)
            return observation, reward, terminated, truncated, {"cost": cost}

    np.random.seed(0)  # noqa: NPY002  (the generator that its policy draws from)
    env = Env()
    policy = d3rlpy.algos.RandomPolicyConfig().create()
    buffer = policy.collect(env, d3rlpy.dataset.create_infinite_replay_buffer(env=env), n_steps=70)
    with open(path, "w+b") as file:
        buffer.dump(file)


def omnisafe(path):
    sys.modules["safety_gymnasium"] = types.ModuleType("safety_gymnasium")
    import torch
    from gymnasium.spaces import Box
    from omnisafe.common.offline.data_collector import OfflineDataCollector
    from omnisafe.envs.core import CMDP, env_register
    from omnisafe.models.actor import ActorBuilder

    @env_register
    class Env(CMDP):
        _support_envs = ["Leak-v0"]  # noqa: RUF012
        need_auto_reset_wrapper = need_time_limit_wrapper = False
        _num_envs = 1

        def __init__(self, env_id, **options):
            self._observation_space = Box(-np.inf, np.inf, (3,), np.float32)
            self._action_space = Box(-1, 1, (2,), np.float32)
            self.leak = Leak(0)

        def reset(self, seed=None, options=None):
            return torch.as_tensor(self.leak.reset()), {}

        def step(self, action):
            observation, *rest = self.leak.step(action.detach().numpy())
            return torch.as_tensor(observation), *(torch.as_tensor(x) for x in rest), {}

        def set_seed(self, seed):
            pass

        def render(self):
            pass

        def close(self):
            pass

    torch.manual_seed(0)
    agent = {"hidden_sizes": [4], "activation": "tanh"}
    config = {
        "algo_cfgs": {"obs_normalize": False},
        "model_cfgs": {"actor_type": "gaussian_sac", "actor": agent, "weight_initialization_mode": "kaiming_uniform"},
    }
    collector = OfflineDataCollector(70, "Leak-v0")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        (Path(folder) / "torch_save").mkdir()
        for number in range(2):
            actor = ActorBuilder(
                collector._obs_space, collector._action_space, weight_initialization_mode="kaiming_uniform", **agent
            ).build_actor("gaussian_sac")
            torch.save({"pi": actor.state_dict()}, Path(folder) / "torch_save" / f"agent-{number}.pt")
            collector.register_agent(folder, f"agent-{number}.pt", 35)
        collector.collect(folder)
        Path(path).write_bytes((Path(folder) / "Leak-v0_data.npz").read_bytes())


if __name__ == "__main__":
    writers = {"d3rlpy": d3rlpy, "omnisafe": omnisafe}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("writer", choices=writers)
    parser.add_argument("path")
    options = parser.parse_args()
    writers[options.writer](options.path)

"""Tasks under their gymnasium ids, registered by one import."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from deep.envs import gymnasium_ids
from deep.tasks import TASKS, make, spellings


@pytest.mark.parametrize(
    "name", ["SafetyHopperVelocity-v1", "SafetyHopperVelocityGymnasium-v1", "OfflineHopperVelocityGymnasium-v1"]
)
def test_a_task_is_made_by_each_of_its_ids(name):
    env, reference = gymnasium.make(name), make(TASKS["HopperVel"])
    assert env.spec is not None
    assert env.spec.max_episode_steps == 1000
    np.testing.assert_array_equal(env.reset(seed=3)[0], reference.reset(seed=3)[0])
    for _ in range(5):
        action = np.full(3, 0.7)
        found, expected = env.step(action), reference.step(action)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:4] == expected[1:4]
        assert found[4]["cost"] == expected[4]["cost"]
        assert isinstance(found[4]["cost"], float)


def test_every_task_is_registered_under_all_its_ids():
    for task in TASKS.values():
        assert all(name in gymnasium.registry for name in spellings(task)[1:])


def test_ids_of_other_packages_are_left_alone(monkeypatch):
    theirs = gymnasium.registry["CartPole-v1"]
    monkeypatch.setitem(gymnasium.registry, "SafetyHopperVelocity-v1", theirs)
    gymnasium_ids.register()
    assert gymnasium.registry["SafetyHopperVelocity-v1"] is theirs


def test_importing_the_package_registers_the_ids_and_imports_no_simulator():
    program = """
import sys, gymnasium, deep.envs
print({"mujoco", "pybullet", "torch"} & set(sys.modules), "OfflineBallRun-v0" in gymnasium.registry)
print(gymnasium.make("deep.envs:SafetySwimmerVelocity-v1").spec.id)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\nSafetySwimmerVelocity-v1\n"
    assert done.stderr == ""

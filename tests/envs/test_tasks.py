"""The task table against DSRL's own numbers and the simulators; the command that lists it."""

import subprocess
import sys

import numpy as np
import pytest

from deep.envs import legacy
from deep.tasks import TASKS, Task, find_task, make, spellings
from tests.support.dsrl import dsrl_module
from theory.support.errors import InputError

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@each_task
def test_table_agrees_with_dsrl(task: Task):
    infos = dsrl_module("infos")
    suffix = {"velocity": "Gymnasium-v1", "navigation": "Gymnasium-v0", "bullet": "-v0"}[task.family]
    key = task.dsrl_id.removeprefix("Offline").removesuffix(suffix)
    assert task.name == key.replace("Velocity", "Vel")
    assert task.dsrl_file == infos.DATASET_URLS[key].rsplit("/", 1)[-1]
    assert task.episode_length == infos.DEFAULT_MAX_EPISODE_STEPS[key]
    assert task.reward_range == (infos.MIN_EPISODE_REWARD[key], infos.MAX_EPISODE_REWARD[key])
    assert task.max_cost == infos.MAX_EPISODE_COST[key]


def test_the_table_holds_all_of_dsrls_tasks_but_metadrives():
    keys = {task.name.replace("Vel", "Velocity") for task in TASKS.values()}
    others = set(dsrl_module("infos").DATASET_URLS) - keys
    assert len(keys) == len(TASKS) == 29
    assert len(others) == 9
    for name in (*others, "OfflineMetadrive-easysparse-v0"):
        with pytest.raises(InputError, match="gym, which does not support numpy 2"):
            find_task(name)


def test_limits_and_thresholds_belong_to_the_family():
    for task in TASKS.values():
        assert task.cost_limits == ((10, 20, 40) if task.family == "bullet" else (20, 40, 80))
        assert (task.velocity_threshold is not None) == (task.family == "velocity")


@each_task
def test_sizes_agree_with_the_simulator(task: Task):
    env = make(task)
    assert env.observation_space.shape == (task.observation_size,)
    assert env.action_space.shape == (task.action_size,)
    assert (env.action_space.low == -1).all()  # pyright: ignore[reportAttributeAccessIssue]
    assert (env.action_space.high == 1).all()  # pyright: ignore[reportAttributeAccessIssue]
    env.close()


def test_an_episode_at_the_limit_is_safe_and_one_above_is_not():
    task = TASKS["HopperVel"]
    for limit in (0, 1, 20):
        at, above = task.normalised_cost([limit, limit + 1], limit)
        assert at == 1 < above


@pytest.mark.parametrize("limit", [-1, -1e-9, np.inf, np.nan])
def test_bad_limits_are_refused(limit: float):
    with pytest.raises(InputError, match="cost limit"):
        TASKS["HopperVel"].normalised_cost(3.0, limit)


@each_task
def test_a_task_is_found_by_each_of_its_names_in_any_case(task: Task):
    assert find_task(task.name) is task
    assert find_task(task.dsrl_id) is task
    environment = task.dsrl_id.replace("Offline", "Safety")
    for name in (environment, environment.replace("Gymnasium", "")):
        assert find_task(name) is find_task(name.upper()) is find_task(name.lower()) is task


def test_no_two_tasks_share_a_name():
    names = [name.casefold() for task in TASKS.values() for name in spellings(task)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("", None),
        ("Hopper", "HopperVel"),
        ("HopperVel ", "HopperVel"),
        ("HoperVel", "HopperVel"),
        ("OfflineHopperVelocityGymnasium-v0", "HopperVel"),
        ("SafetyPointGoal1-v1", "PointGoal1"),
        ("x" * 500, None),
    ],
)
def test_an_unknown_task_is_rejected_with_the_closest_and_the_accepted_names(name: str, meant: str | None):
    with pytest.raises(InputError) as error:
        find_task(name)
    assert repr(name[:80]) in str(error.value)
    assert ("did you mean" in str(error.value)) == (meant is not None)
    assert meant is None or f"did you mean {meant}?" in str(error.value)
    assert all(accepted in str(error.value) for accepted in TASKS)
    assert len(str(error.value)) < 1000


def test_help_is_help_alone():
    done = subprocess.run([sys.executable, "-m", "deep.tasks", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: python -m deep.tasks")
    assert "HopperVel" not in done.stdout
    assert (
        subprocess.run([sys.executable, "-m", "deep.tasks", "--no"], capture_output=True, check=False).returncode == 2
    )


def listing(program: str) -> str:
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stderr == ""
    return output.stdout


def test_the_command_lists_every_task_and_what_works():
    lines = listing("from deep.tasks import main; main()").splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(TASKS)
    assert [line for line in lines if "available" in line] == [
        "velocity: 5 tasks, available", "navigation: 16 tasks, available", "bullet: 8 tasks, available"
    ]  # fmt: skip
    assert lines[-1].startswith("MetaDrive: not supported, because")


@pytest.mark.parametrize(
    ("absent", "family", "reason"),
    [
        ("pybullet", "bullet", "pip install pybullet"),
        ("xmltodict", "navigation", "xmltodict"),
        ("mujoco", "velocity", "mujoco"),
    ],
)
def test_the_command_says_what_is_missing(absent: str, family: str, reason: str):
    program = f"import sys; sys.modules[{absent!r}] = None; from deep.tasks import main; main()"
    (line,) = [line for line in listing(program).splitlines() if line.startswith(f"{family}: ")]
    assert f"{family}: " in line
    assert "not available: " in line
    assert absent in line
    assert reason in line


def test_an_old_package_that_is_not_installed_is_named_with_the_command_that_installs_it():
    with pytest.raises(InputError, match=r"no-such-gym is not installed; `pip install --no-deps -r requirements-lega"):
        legacy.load("no_such_gym", "builder")


def test_the_old_packages_leave_no_trace():
    """Neither in `dataclasses`, gymnasium's registry, the list of modules, numpy's generator, nor on the terminal."""
    program = """
import dataclasses, sys
import gymnasium, numpy as np
import deep.envs  # registers the tasks' ids
from deep.tasks import TASKS, make
def world():
    old = [name for name in sys.modules if name.startswith(("safety_gymnasium", "bullet_safety_gym"))]
    state = np.random.get_state()[1].tolist(), np.random.get_state()[2]
    return dataclasses.dataclass, dict(gymnasium.registry), old, state
sys.modules["safety_gymnasium"] = "somebody's own"
before = world()
for name in ("PointGoal1", "BallRun"):
    env = make(TASKS[name])
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.reset()
    env.close()
assert world() == before
assert sys.modules["safety_gymnasium"] == "somebody's own"
"""
    assert listing(program) == ""


def test_reading_the_table_imports_no_simulator():
    program = """
import sys, deep.tasks
print([name for name in ("gymnasium", "mujoco", "pybullet", "h5py") if name in sys.modules])
"""
    assert listing(program) == "[]\n"

"""The Python interface, as a script in another folder uses it."""

import subprocess
import sys
import textwrap
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import deep
import theory
from deep import evaluate, load_dataset, load_policy, make_env, train
from deep.api import TrainingResult
from deep.tasks import TASKS
from theory import FiniteCMDP
from theory.support.errors import InputError

pytestmark = pytest.mark.slow

TINY = {"steps": 2, "batch_size": 8, "dynamics.steps": 0}


def run_script(folder: Path, script: str) -> str:
    """The screen of a fresh interpreter that runs the script as a file in `folder`."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script))
    root = str(Path(deep.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", str(path)],
        cwd=folder,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, dataset_file: Path) -> TrainingResult:
    out = tmp_path_factory.mktemp("api") / "run"
    return train(
        "HopperVel",
        "bc_best",
        dataset=dataset_file,
        seeds=[0, 3],
        cost_limits=[10, 20],
        out=out,
        episodes=2,
        **TINY,  # pyright: ignore[reportArgumentType]
    )


def test_a_script_without_a_guard_trains_acts_and_evaluates_in_another_folder(tmp_path: Path, dataset_file: Path):
    screen = run_script(
        tmp_path,
        f"""
        from deep import evaluate, load_dataset, load_policy, make_env, train

        data = load_dataset({str(dataset_file)!r}, "auto")
        result = train("HopperVel", "bc_best", dataset={str(dataset_file)!r}, cost_limits=[20], out="run", episodes=2,
                       steps=2, batch_size=8, **{{"dynamics.steps": 0}})
        policy = load_policy("run")
        env = make_env("HopperVel")
        observation, _ = env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step(policy.act(observation))
        print("same", result.rows[0]["cost_return"] == evaluate("run", 2)[0]["cost_return"])
        print("shapes", data.observations.shape[1], policy.act(data.observations[:5]).shape, info["cost"])
        """,
    )
    assert "same True" in screen
    assert "shapes 11 (5, 3) 0.0" in screen


def test_import_deep_imports_nothing_heavy(tmp_path: Path):
    screen = run_script(
        tmp_path, "import sys, deep\nprint([m for m in ('torch', 'numpy', 'deep.api') if m in sys.modules])"
    )
    assert screen.strip() == "[]"


def test_workers_do_not_run_the_script_again(tmp_path: Path):
    screen = run_script(
        tmp_path,
        """
        print("the script runs")
        from deep.envs.worker_pool import WorkerPool
        from deep.tasks import find_task
        with WorkerPool(find_task("HopperVel"), 2, workers=2) as envs:
            print("reset", envs.reset([0, 1]).shape)
        """,
    )
    assert screen.splitlines() == ["the script runs", "reset (2, 11)"]


def test_the_commands_are_functions_in_whatever_order_they_are_imported(tmp_path: Path):
    screen = run_script(
        tmp_path,
        """
        import deep.train
        from deep.train import main
        from deep import train
        print(callable(train), train.main is main)
        """,
    )
    assert screen.strip() == "True True"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        deep.nothing  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


def test_rows_and_policies_of_every_replica(result: TrainingResult):
    assert [(row["seed"], row["cost_limit"]) for row in result.rows] == [(0, 10), (0, 20), (3, 10), (3, 20)]
    observations = np.random.default_rng(0).normal(size=(4, 11))
    batches = []
    for seed, limit in [(0, 10), (3, 20)]:
        policy = result.policy(seed=seed, cost_limit=limit)
        assert (policy.seed, policy.cost_limit) == (seed, limit)
        batch = policy.act(observations)
        assert batch.shape == (4, 3)
        assert policy.act(observations[1]).shape == (3,)
        np.testing.assert_allclose(policy.act(observations[1]), batch[1], atol=1e-6)
        assert policy.act(np.empty((0, 11))).shape == (0, 3)
        batches.append(batch)
    assert not np.allclose(*batches)


def test_act_normalises_the_observation(result: TrainingResult):
    policy = result.policy(seed=3, cost_limit=10)
    experiment = policy.experiment
    observation = np.full(11, 0.5, dtype=np.float32)
    stacked = np.broadcast_to(observation, (4, 1, 11)).copy()
    np.testing.assert_array_equal(policy.act(observation), experiment.act(stacked)[2, 0])


def test_evaluation_of_one_policy_is_its_row_of_the_run(result: TrainingResult):
    rows = evaluate(result, 2)
    assert [row["cost_return"] for row in rows] == [row["cost_return"] for row in result.rows]
    assert evaluate(result.policy(seed=3, cost_limit=10), 2) == rows[2:3]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"algorithm": "bc_bets"}, "algorithm 'bc_bets': accepted are bc_all"),
        ({"preset": "fast"}, "preset 'fast': accepted are quick, paper"),
        ({"step": 3}, "unknown setting 'step': accepted are .*steps"),
        ({"dynamics.stepz": 3}, "unknown setting 'stepz'"),
        ({"steps": 2.5}, "steps 2.5: accepted is int"),
        ({"hidden": ["20"]}, "hidden .*: accepted is tuple"),
        ({"cost_limits": [20, 20]}, "--cost-limits .*: accepted are different numbers"),
        ({"task": "Hoppervelocity"}, "unknown task"),
        ({"device": "tpu"}, "device 'tpu': accepted is"),
    ],
)
def test_train_rejects_with_a_sentence(tmp_path: Path, settings: dict, sentence: str):
    arguments = {"task": "HopperVel", "algorithm": "bc_best", "out": tmp_path / "run"} | settings
    with pytest.raises(InputError, match=sentence):
        train(**arguments)
    assert not (tmp_path / "run").exists()


def test_load_policy_and_act_reject_with_a_sentence(result: TrainingResult, tmp_path: Path):
    with pytest.raises(InputError, match=r"^4 policies in .*: accepted is one of its seeds \[0, 3\] with"):
        load_policy(result)
    with pytest.raises(InputError, match=r"^no policies with seed 7 in "):
        load_policy(result, seed=7)
    with pytest.raises(InputError, match=r"^no policies with seed 7 and cost limit 10 in "):
        load_policy(result, seed=7, cost_limit=10)
    with pytest.raises(InputError, match="there is no run in"):
        load_policy(tmp_path)
    policy = load_policy(result, seed=0, cost_limit=10)
    for wrong in (np.zeros(10), np.zeros((2, 2, 11)), 3.0):
        with pytest.raises(InputError, match=r"accepted are \(11,\) and \(batch, 11\)"):
            policy.act(wrong)
    with pytest.raises(InputError, match="not finite"):
        policy.act(np.full(11, np.nan))
    with pytest.raises(InputError, match="array of numbers"):
        policy.act("left")
    with pytest.raises(InputError, match="episodes 0"):
        evaluate(policy, 0)


def test_load_dataset_takes_tasks_and_files(dataset_file: Path):
    assert load_dataset("HopperVel", "embedded").source == "embedded"
    assert len(load_dataset(dataset_file)) == len(load_dataset("HopperVel", str(dataset_file)))
    with pytest.raises(InputError, match="unknown task"):
        load_dataset("NoSuchTask")
    with pytest.raises(InputError, match="does not exist"):
        load_dataset("missing.hdf5")


def test_make_env_takes_names_and_tasks():
    for env in (make_env("HopperVel"), make_env(TASKS["HopperVel"])):
        assert isinstance(env, gymnasium.Env)
        env.reset(seed=0)
        assert isinstance(env.step(np.zeros(3))[4]["cost"], float)
        env.close()
    with pytest.raises(InputError, match="unknown task"):
        make_env("NoSuchTask")


def test_theory_solves_and_says_what_is_feasible():
    transition = torch.ones(1, 1, 2, 1, dtype=torch.float64)
    reward, cost = torch.tensor([[[1.0, 0.0]]]).double(), torch.tensor([[[1.0, 0.5]]]).double()
    start, gamma = torch.ones(1, 1, dtype=torch.float64), 0.5
    for budget, feasible in ((1.5, True), (0.5, False)):
        solution = theory.solve(FiniteCMDP(transition, reward, cost, start, gamma, torch.tensor([budget]).double()))
        assert solution.feasible.tolist() == [feasible]
        if feasible:  # half of each action: V_c = 2 (x + (1 - x) / 2) = 1.5 at x = 1/2, V_r = 2 x
            assert solution.value.item() == pytest.approx(1.0)

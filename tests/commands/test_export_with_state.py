"""Policies with a memory as files: state in, state out, the same actions as the run's own over whole episodes."""

import inspect
import io
import json
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import deep.export.__main__ as export
from deep import load_policy, train
from deep.export.inference_graph import inference_graph
from deep.export.policy_file import to_onnx
from deep.export.with_state import STARTED, filled, flat
from deep.methods.registry import METHODS
from deep.methods.sequence.planner import PlanningPolicy
from deep.methods.spec import words
from deep.runs.experiment import Experiment, finished
from deep.tasks import find_task
from deep.training import parse, settings_of
from tests.support import custom_lab as custom_lab
from tests.support.builders import small_dataset
from tests.support.custom_runs import SETTINGS
from theory.support.errors import InputError

pytestmark = pytest.mark.usefixtures("no_figures", "unchecked")

PLANNERS = ("tcdp", "cdd", "sdgd", "trebi", "diffuser")
WITH_STATE = ("caps", "bcrl", "ccac", "cdt", "b2r", *PLANNERS)
BOUNDS = ["--action-low", "-2", "--action-high", "2"]
TOLERANCE = 1e-5
"""Of actions in [-1, 1]: twice as much in the units of the file, [-2, 2]."""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return custom_lab.record(tmp_path_factory.mktemp("data") / "cart.hdf5")


PLACES = ((3, 3.0), (0, 9.0))
"""Seeds and limits to export; one of them for the methods that are options of a planner which has both."""
QUICK = ("caps", "cdt", "tcdp")
"""One of each kind of state, at both places but for the planner; `make exhaustive` plays the other episodes."""
CASES = [
    pytest.param(
        name, *place, marks=[] if name in QUICK and (name, place) != ("tcdp", PLACES[1]) else pytest.mark.exhaustive
    )
    for name in WITH_STATE
    for place in PLACES[: 1 if name in ("cdd", "sdgd", "diffuser") else 2]
]


@pytest.fixture(scope="module", params=WITH_STATE)
def run(request, tmp_path_factory, file) -> Path:
    out = tmp_path_factory.mktemp(request.param) / "run"
    smoke = {**METHODS[request.param].spec.smoke, "steps": 20}
    smoke |= {"levels": 2} if request.param in PLANNERS else {}
    settings = [*words(smoke), "--dynamics.steps", "0", "--seeds", "0", "3", "--cost-limits", "3", "9"]
    train.main(["--dataset", str(file), "--algorithm", request.param, *BOUNDS, *settings, "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    """The run's policy of seed 0 and limit 9, as ONNX."""
    out = tmp_path_factory.mktemp("exported") / "policy.onnx"
    export.main([str(run), "--format", "onnx", "--seed", "0", "--cost-limit", "9", "--out", str(out)])
    return out


class File:
    """The policy of a file, with the file's own metadata alone."""

    def __init__(self, path: Path) -> None:
        if path.suffix == ".onnx":
            self.session = pytest.importorskip("onnxruntime").InferenceSession(path)
            self.about = self.session.get_modelmeta().custom_metadata_map
            self.names = [entry.name for entry in self.session.get_inputs()]
            start = json.loads(self.about["state"])
        else:
            extra = {"metadata.json": ""}
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
                self.module = torch.jit.load(io.BytesIO(path.read_bytes()), _extra_files=extra)
            about = json.loads(extra["metadata.json"])
            start, noise = about["state"], ["noise"] if about["noise_shape"] else []
            self.names = ["observation", "reward", "cost", *noise, *start]
        self.onnx = path.suffix == ".onnx"
        self.start = {name: np.array(value, dtype=np.float32) for name, value in start.items()}

    def __call__(self, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        inputs = {name: np.asarray(inputs[name], dtype=np.float32) for name in self.names}
        if self.onnx:
            action, *after = self.session.run(None, inputs)
        else:
            action, *after = (x.numpy() for x in self.module(*(torch.from_numpy(inputs[name]) for name in self.names)))
        return action, dict(zip(self.start, after, strict=True))


def drawn(experiment: Experiment, state: Any) -> np.ndarray:
    """The normals with which the planners of all replicas plan at this state."""
    policy = experiment.policy()
    assert isinstance(policy, PlanningPolicy)
    return policy.noise(state).numpy()


@pytest.mark.parametrize("format", ["torchscript", "onnx"])
@pytest.mark.parametrize(("run", "seed", "limit"), CASES, indirect=["run"])
def test_the_file_acts_as_the_run_does_over_an_episode(run, format, seed, limit, tmp_path):
    out = tmp_path / f"policy{export.SUFFIXES[format]}"
    export.main([str(run), "--format", format, "--seed", str(seed), "--cost-limit", str(limit), "--out", str(out)])
    experiment, _ = finished(run)
    index = [tuple(replica) for replica in experiment.problem.replicas].index((seed, limit))
    policy, player, rng = File(out), experiment.player(), np.random.default_rng(0)
    for batch in (1, 5):
        own = player.start(0, batch)
        state = {name: np.repeat(value[None], batch, 0) for name, value in policy.start.items()}
        reward, cost, actions = np.zeros(batch), np.zeros(batch), []
        for _ in range(8):
            observation = rng.normal(0.2, 0.5, (batch, 2)).astype(np.float32)
            noise = {"noise": drawn(experiment, own)[index]} if "noise" in policy.names else {}
            found, state = policy({"observation": observation, "reward": reward, "cost": cost, **noise, **state})
            expected, own = player.act(own, np.stack([observation] * 4))
            np.testing.assert_allclose(
                found, experiment.task.in_own_units(expected[index]), atol=2 * TOLERANCE
            )  # of a range of 4, not 2
            reward, cost = rng.normal(size=batch), rng.integers(0, 2, batch).astype(float)
            paid, cost_of_all = (np.stack([values.astype(np.float32)] * 4) for values in (reward, cost))
            own = player.observe(own, paid, cost_of_all, np.zeros((4, batch), dtype=bool))
            actions.append(found)
        assert np.ptp(np.concatenate(actions)) > 0


@pytest.mark.parametrize(("run", "least"), [("caps", 1e-4), ("cdt", 1e-4), ("cdd", 1e-6)], indirect=["run"])
def test_what_the_episode_costs_changes_the_actions_that_follow(exported, least):
    """A negative control: a file that ignored its state would act alike, to the last bit."""
    policy = File(exported)
    observation = np.random.default_rng(1).normal(0, 1, (64, 2))
    acted = []
    for price in (0.0, 9.0):
        state = {name: np.repeat(value[None], 64, 0) for name, value in policy.start.items()}
        cost, action = np.zeros(64), np.zeros(64)
        noise = np.random.default_rng(2).normal(size=(64, *json.loads(policy.about["noise_shape"])))
        for _ in range(3):
            inputs = {"observation": observation, "noise": noise, "reward": np.zeros(64), "cost": cost}
            action, state = policy(inputs | state)
            cost = np.full(64, price)
        acted.append(action)
    assert np.abs(acted[0] - acted[1]).max() > least


@pytest.mark.parametrize("run", ["caps"], indirect=True)
def test_the_first_step_takes_no_outcome(exported):
    policy = File(exported)
    state = {name: value[None] for name, value in policy.start.items()}
    assert state[STARTED] == 0
    _, after = policy({"observation": np.zeros((1, 2)), "reward": np.ones(1), "cost": np.ones(1), **state})
    assert after["state_cost"] == after["state_step"] == 0
    _, after = policy({"observation": np.zeros((1, 2)), "reward": np.ones(1), "cost": np.ones(1), **after})
    assert after["state_cost"] == after["state_step"] == 1


@pytest.mark.parametrize("run", ["tcdp"], indirect=True)
def test_other_noise_gives_another_plan_where_one_is_due(exported):
    """Plans are followed for two steps."""
    policy, rng = File(exported), np.random.default_rng(1)
    shape = (8, *json.loads(policy.about["noise_shape"]))
    state = {name: np.repeat(value[None], 8, 0) for name, value in policy.start.items()}
    for due in (True, False, True, False):
        inputs = {"observation": rng.normal(size=(8, 2)), "reward": np.zeros(8), "cost": np.zeros(8), **state}
        (one, state), (other, _) = (policy({**inputs, "noise": rng.normal(size=shape)}) for _ in range(2))
        assert np.array_equal(one, other) is not due


@pytest.mark.parametrize("run", ["caps", "cdt", "tcdp"], indirect=True)
def test_the_example_of_the_module_acts_with_a_state(run, exported, monkeypatch):
    """The 20 lines in the module's docstring, on the user's own environment, against the run's own episode."""
    pytest.importorskip("onnxruntime")
    lines = [line[4:] for line in (inspect.getdoc(export) or "").splitlines() if line.startswith("    ") or not line]
    monkeypatch.chdir(exported.parent)
    names: dict = {}
    exec("\n".join(lines).strip().replace("Pendulum-v1", "Cart-v0"), names)
    experiment, _ = finished(run)
    env, done, player, rng = gymnasium.make("Cart-v0"), False, experiment.player(), np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    state, policy = player.start(0, 1), experiment.policy()
    while not done:
        seen = np.stack([observation[None]] * 4)
        if isinstance(policy, PlanningPolicy):  # with the example's noise in the place of its own
            noise = rng.standard_normal((1, 1, *names["noise"].shape[1:])).repeat(4, 0)
            normalised = experiment.replay.normalise(torch.from_numpy(seen))
            actions, state = policy.act_with(state, normalised, torch.from_numpy(noise).float())
            actions = actions.numpy()
        else:
            actions, state = player.act(state, seen)
        action = experiment.task.in_own_units(actions[1, 0])
        observation, reward, terminated, truncated, info = env.step(action.astype(np.float32))
        outcome = (np.full((4, 1), value, dtype=np.float32) for value in (reward, info["cost"]))
        state = player.observe(state, *outcome, np.zeros((4, 1), dtype=bool))
        done = terminated or truncated
    np.testing.assert_allclose(names["observation"], observation, atol=1e-3)


def test_a_nested_state_is_flattened_and_filled():
    from deep.methods.parts.acting import ActingState
    from deep.methods.sequence.planner import PlannerState

    number = ActingState(torch.arange(3).view(1, 3), torch.ones(1, 3, dtype=torch.int64))
    state = PlannerState(torch.zeros(1, 3, 2, 2), torch.ones(1, 3), number)
    tensors = {name: tensor.float() + 1 for name, tensor in flat(state).items()}
    assert list(tensors) == ["plan", "budget", "number_episode", "number_step"]
    back = filled(state, tensors)
    assert back.number.episode.tolist() == [[1, 2, 3]]
    assert back.number.episode.dtype == torch.int64
    assert back.budget.tolist() == [[2, 2, 2]]


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [*((name, []) for name in METHODS), ("fisor", ["--network", "residual", "--width", "8", "--variant", "public"])],
)
def test_every_method_is_written_as_onnx(algorithm, options):
    """Untrained: the file computes what the module does, on a batch of another size than the one it was traced with."""
    runtime = pytest.importorskip("onnxruntime")
    smoke = {**METHODS[algorithm].spec.smoke} | ({"levels": 2} if algorithm in PLANNERS else {})
    settings = ["--algorithm", algorithm, *words(smoke), "--dynamics.steps", "4"]
    settings += ["--dynamics.hidden", "16", "--cost-limits", "9", "--device", "cpu", *options]
    graph = inference_graph(Experiment(settings_of(parse(settings)), find_task("HopperVel"), small_dataset()), 0)
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.rand(3, *shape, generator=generator) for name, shape in graph.inputs.items()}
    with torch.no_grad():
        expected = graph(*inputs.values())
    found = runtime.InferenceSession(to_onnx(graph, {})).run(None, {name: x.numpy() for name, x in inputs.items()})
    for theirs, ours in zip(found, expected if graph.start else [expected], strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), atol=TOLERANCE)


def test_equal_constants_of_a_file_are_merged():
    """A planner passes through its denoiser once a level: the file holds the weights once."""
    onnx = pytest.importorskip("onnx")
    sizes = {}
    for levels in (1, 2):
        smoke = {**METHODS["cdd"].spec.smoke, "levels": levels, "width": 32}
        settings = ["--algorithm", "cdd", *words(smoke), "--dynamics.steps", "0"]
        settings += ["--cost-limits", "9", "--device", "cpu"]
        graph = inference_graph(Experiment(settings_of(parse(settings)), find_task("HopperVel"), small_dataset()), 0)
        model = onnx.load_from_string(to_onnx(graph, {}))
        large = [node for node in model.graph.node if node.op_type == "Constant" and node.ByteSize() > 4096]
        sizes[levels] = sum(node.ByteSize() for node in large)
    assert sizes[2] == sizes[1] > 0


# predict, in the form of stable-baselines3


@pytest.mark.parametrize("run", ["caps", "cdt", "tcdp"], indirect=True)
def test_predict_carries_the_state_through_an_episode(run):
    policy = load_policy(run, seed=3, cost_limit=9)
    player, rng = policy.experiment.player(), np.random.default_rng(0)
    own, state = player.start(0, 2), None
    for _ in range(5):
        observation = rng.normal(0, 1, (2, 2)).astype(np.float32)
        found, state = policy.predict(observation, state)
        expected, own = player.act(own, np.stack([observation] * 4))
        np.testing.assert_array_equal(found, policy.task.in_own_units(expected[3]))
        reward, cost = rng.normal(size=2).astype(np.float32), np.ones(2, dtype=np.float32)
        state = policy.observe(state, reward, cost)
        own = player.observe(own, np.stack([reward] * 4), np.stack([cost] * 4), np.zeros((4, 2), dtype=bool))
    with pytest.raises(InputError, match="a state of 2 episodes with 3 observations"):
        policy.predict(np.zeros((3, 2)), state)
    single, state = policy.predict(np.zeros(2))
    assert single.shape == (1,)
    policy.predict(np.zeros(2), policy.observe(state, 1.0, 1.0))


OUTCOMES = {
    "a reward holds a value that is not finite": (np.nan, 0.0),
    "a cost holds a value that is not finite": (0.0, np.inf),
    "a cost of -5: accepted are numbers of at least 0": (0.0, -5.0),
    "a cost must be a number, or one for each episode": (0.0, "much"),
    r"a reward of shape \(3,\) with 1 episodes: one for each": (np.zeros(3), 0.0),
}


@pytest.mark.parametrize("run", ["cdt"], indirect=True)
@pytest.mark.usefixtures("unchecked")
def test_an_outcome_that_is_none_is_rejected(run):
    """CDT's actions were nan for the rest of the episode, and a cost below 0 enlarged the budget."""
    policy = load_policy(run, seed=3, cost_limit=9)
    _, state = policy.predict(np.zeros(2))
    for sentence, outcome in OUTCOMES.items():
        with pytest.raises(InputError, match=sentence):
            policy.observe(state, *outcome)
    with pytest.raises(InputError, match=r"done of shape \(2,\) with 1 observations"):
        policy.observe(state, 0.0, 0.0, [False, True])
    for foreign in (None, "x", (), 3):
        with pytest.raises(InputError, match=r"a state of type [A-Za-z]+: what predict or observe of this policy"):
            policy.observe(foreign, 0.0, 1.0)
        if foreign is not None:
            with pytest.raises(InputError, match="a state of type"):
                policy.predict(np.zeros(2), foreign)


@pytest.mark.parametrize("run", ["caps", "cdt", "tcdp"], indirect=True)
def test_an_episode_that_starts_begins_anew_and_the_others_go_on(run):
    """As stable-baselines3 calls it."""
    policy, rng = load_policy(run, seed=3, cost_limit=9), np.random.default_rng(1)
    where, state = rng.normal(0, 1, (2, 2)).astype(np.float32), None
    for _ in range(3):
        _, state = policy.predict(where, state, np.zeros(2, dtype=bool), True)
        state = policy.observe(state, np.ones(2), np.full(2, 3.0))
    goes_on, _ = policy.predict(where, state, episode_start=np.array([False, False]), deterministic=True)
    first, fresh = policy.predict(where)
    found, mixed = policy.predict(where, state, episode_start=np.array([False, True]), deterministic=True)
    np.testing.assert_array_equal(found, np.stack([goes_on[0], first[1]]))
    assert not np.array_equal(goes_on, first)
    other, _ = policy.predict(where, policy.observe(mixed, np.ones(2), np.ones(2)))
    expected, _ = policy.predict(where, policy.observe(fresh, np.ones(2), np.ones(2)))
    np.testing.assert_array_equal(other[1], expected[1])
    anew, _ = policy.predict(where, state, True, True)
    np.testing.assert_array_equal(anew, first)
    for flag in (True, np.array([True])):
        _, one = policy.predict(where[0])
        again, _ = policy.predict(where[0], policy.observe(one, 1.0, 3.0), flag, True)
        np.testing.assert_array_equal(again, policy.predict(where[0])[0])
    with pytest.raises(InputError, match=r"episode_start of shape \(3,\) with 2 observations"):
        policy.predict(where, state, np.zeros(3, dtype=bool))


@pytest.mark.parametrize(("algorithm", "random"), [("bc_all", False), ("safe_dql", True)])
def test_predict_is_deterministic_unless_a_drawing_policy_is_asked_otherwise(algorithm, random, file, tmp_path):
    settings = [*SETTINGS[algorithm], "--cost-limits", "9"]
    train.main(["--dataset", str(file), "--algorithm", algorithm, *BOUNDS, *settings, "--out", str(tmp_path / "run")])
    policy, where = load_policy(tmp_path / "run"), np.ones((3, 2))
    first, state = policy.predict(where)
    again, _ = policy.predict(where)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, policy.act(where))
    policy.predict(where, policy.observe(state, 0.0, 0.0))
    with pytest.raises(InputError, match="a cost holds a value that is not finite"):  # of any policy
        policy.observe(state, 0.0, np.nan)
    policy.predict(where, policy.observe(state, np.zeros(3), np.zeros(3), np.zeros(3, dtype=bool)))
    fresh, _ = policy.predict(where, deterministic=False)
    assert np.array_equal(fresh, first) is not random
    kept = np.array([True, False, False])
    begun, _ = policy.predict(where, policy.predict(where)[1], kept, False)
    assert np.array_equal(begun[0], first[0]) is not random

"""The exported policy against the run's own actions, in both formats; its metadata; what is refused; the example."""

import contextlib
import inspect
import io
import json
import shutil
import sys
import warnings
import zipfile
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import deep.export.__main__ as export
from deep import train
from deep.core.method import Inference
from deep.export.inference_graph import InferenceGraph, inference_graph
from deep.methods.parts.acting import acting_noise
from deep.runs.experiment import finished
from tests.support import custom_lab as custom_lab
from tests.support.custom_runs import SETTINGS
from theory.support.errors import InputError

pytestmark = pytest.mark.usefixtures("no_figures")

BOUNDS = ["--action-low", "-2", "--action-high", "3"]

RUNS = {
    "drcorl": SETTINGS["drcorl"],
    "bc_safe": SETTINGS["bc_safe"],
    "best": ["--algorithm", "safe_dql", *SETTINGS["safe_dql"]],
    "sample": ["--algorithm", "safe_dql", *SETTINGS["safe_dql"], "--action-selection", "sample"],
}
TOLERANCE = {"torchscript": 1e-6, "onnx": 1e-5}


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    file = custom_lab.record(folder / "cart.hdf5")
    algorithm = ["--algorithm", request.param] if request.param in SETTINGS else []
    words = [*algorithm, *RUNS[request.param], *BOUNDS, "--seeds", "0", "3", "--cost-limits", "3", "9"]
    train.main(["--dataset", str(file), "--out", str(folder / "run"), *words])
    return folder / "run"


def outputs(path: Path, inputs: list[np.ndarray]) -> np.ndarray:
    """The actions by the file alone."""
    if path.suffix == ".onnx":
        runtime = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(path)
        return session.run(None, dict(zip(("observation", "noise"), inputs, strict=False)))[0]
    return load(path)[0](*map(torch.from_numpy, inputs)).numpy()


def load(path: Path) -> tuple[torch.jit.ScriptModule, dict]:
    extra = {"metadata.json": ""}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        policy = torch.jit.load(io.BytesIO(path.read_bytes()), _extra_files=extra)
    return policy, json.loads(extra["metadata.json"])


@pytest.mark.parametrize("format", ["torchscript", "onnx"])
@pytest.mark.parametrize(("seed", "limit"), [(3, 9.0), (0, 3.0)])
def test_the_file_acts_as_the_run_does(run, format, seed, limit, tmp_path):
    if format == "onnx":
        pytest.importorskip("onnx")
    out = tmp_path / f"policy{export.SUFFIXES[format]}"
    words = [str(run), "--format", format, "--seed", str(seed), "--cost-limit", str(limit), "--out", str(out)]
    export.main(words)
    experiment, _ = finished(run)
    problem = experiment.problem
    index = [tuple(replica) for replica in problem.replicas].index((seed, limit))
    for batch in (1, 7):
        # Wide enough that the normalisation matters and tanh bends.
        observations = np.random.default_rng(batch).normal(0.2, 0.5, (batch, 2)).astype(np.float32)
        actions = experiment.act(np.stack([observations] * 4))[index]
        expected = experiment.task.in_own_units(actions)
        inputs = [observations]
        if experiment.settings.algorithm == "safe_dql":
            count = 1 if experiment.choices[0] == "sample" else 5
            state = experiment.policy().start(batch)
            z = acting_noise(problem.replica_seeds, state, (count, 5, 1), torch.device("cpu"))[index]
            inputs.append(z.permute(1, 0, 2).unflatten(0, (batch, count)).contiguous().numpy())
        found = outputs(out, inputs)
        assert found.shape == (batch, 1)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=2.5 * TOLERANCE[format])  # of a range of 5 instead of 2
        if batch > 1:
            assert np.ptp(found) > 0
    with zipfile.ZipFile(out) if format == "torchscript" else contextlib.nullcontext() as archive:
        parts = [out.read_bytes()] if archive is None else [archive.read(name) for name in archive.namelist()]
    assert not any(str(Path(export.__file__).parent).encode() in part for part in parts), "a folder of this machine"


def test_the_file_says_what_it_is(run, tmp_path):
    export.main([str(run), "--format", "torchscript", "--seed", "3", "--cost-limit", "9"])
    about = load(run / "policy-3-9.pt")[1]
    config = json.loads((run / "config.json").read_text())["identity"]
    assert (about["task"], about["seed"], about["cost_limit"]) == ("cart", 3, 9.0)
    assert (about["observation_size"], about["action_low"], about["action_high"]) == (2, [-2.0], [3.0])
    assert about["dataset_sha256"] == config["dataset_sha256"]
    assert {name: about[name] for name in ("algorithm", "preset", "gamma")}.items() <= config.items()
    assert about["hyper_parameters"] == config["method"]
    assert (about["result"]["seed"], about["result"]["cost_limit"]) == (3, 9.0)
    assert bool(about["noise_shape"]) == (config["algorithm"] == "safe_dql")
    onnx = pytest.importorskip("onnx")
    export.main([str(run), "--format", "onnx", "--seed", "3", "--cost-limit", "9"])
    properties = {entry.key: entry.value for entry in onnx.load(run / "policy-3-9.onnx").metadata_props}
    assert properties["task"] == "cart"
    assert {key: value if isinstance(about[key], str) else json.loads(value) for key, value in properties.items()} == (
        about
    )


@pytest.mark.parametrize("run", ["bc_safe"], indirect=True)
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "onnx", "--out", "policy.pt"], "--out policy.pt: a name that ends in .onnx"),
        (["--format", "torchscript"], "no choice: 4 of the run's policies are meant; accepted are --seed 0, 3 and"),
        (["--format", "torchscript", "--seed", "0"], "--seed 0: 2 of the run's policies are meant"),
        (["--format", "torchscript", "--seed", "1"], "--seed 1: the run has no such policy"),
        (["--format", "torchscript", "--cost-limit", "4"], "--cost-limit 4: the run has no such policy"),
    ],
)
def test_a_choice_that_is_none_is_refused(run, words, sentence, capsys):
    with pytest.raises(SystemExit) as caught:
        export.main([str(run), *words])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("run", ["bc_safe"], indirect=True)
def test_what_is_no_evaluated_run_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="there is no run in"):
        export.run(export.Options(tmp_path, "torchscript"))
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(InputError, match="was not evaluated to its end"):
        export.run(export.Options(tmp_path / "run", "torchscript", seed=0, cost_limit=3))


@pytest.mark.parametrize("run", ["bc_safe"], indirect=True)
def test_a_missing_package_is_named_with_its_command(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SystemExit):
        export.main([str(run), "--format", "onnx", "--seed", "0", "--cost-limit", "9"])
    assert "pip install onnx onnxruntime" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["drcorl"], indirect=True)
def test_the_example_of_the_module_acts(run, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    words = ["--format", "onnx", "--seed", "0", "--cost-limit", "9", "--out", str(tmp_path / "policy.onnx")]
    export.main([str(run), *words])
    text = inspect.getdoc(export) or ""
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ") or not line]
    source = "\n".join(lines).strip()
    assert len([line for line in source.splitlines() if line]) <= 20
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(source.replace("Pendulum-v1", "Cart-v0"), names)
    env, done = gymnasium.make("Cart-v0"), False
    assert names["truncated"]
    experiment, _ = finished(run)
    observation, _ = env.reset(seed=0)
    while not done:
        action = experiment.task.in_own_units(experiment.act(np.stack([observation[None]] * 4))[1, 0])
        observation, _, terminated, truncated, _ = env.step(action.astype(np.float32))
        done = terminated or truncated
    np.testing.assert_allclose(names["observation"], observation, atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "tanh", "mish"])
def test_the_choice_among_candidates_is_the_methods_whatever_the_critics_say(build, activation):
    """Critics drawn at random, and thresholds amid the costs that they foretell: each of the four decides somewhere."""
    words = ["--critics.activation", activation, "--seeds", "1", "2", "--cost-limits", "4", "9"]
    experiment = build(*RUNS["best"], *words)
    method, generator = experiment.method, torch.Generator().manual_seed(0)
    method.critics.q.ema.normal_(generator=generator)
    observations = torch.randn(40, 11, generator=generator)
    z = torch.randn(40, *method.exportable(0).noise, generator=generator)
    everywhere, noise = observations.expand(4, -1, -1), z.permute(2, 0, 1, 3).flatten(1, 2).expand(4, -1, -1, -1)
    method.kappa.copy_(method.predict(everywhere, method.best(everywhere, noise)).greatest_cost.median(1).values)
    expected = method.best(everywhere, noise)
    for replica in range(4):
        graph = inference_graph(experiment, replica)
        assert isinstance(graph, InferenceGraph)
        torch.testing.assert_close(graph.act(observations, z), expected[replica])


def test_no_runtime_leaves_the_bounds():
    """onnxruntime's own tanh of large numbers was seen at 1.0000002."""
    found = Inference(lambda x: x.tanh() * 1.0000002, (), "saturated")
    ones = torch.ones(3)
    graph = InferenceGraph(found, 0 * ones, ones, (0 * ones, 2 * ones))
    with torch.no_grad():
        assert graph(torch.tensor([[-30.0, 0.5, 30.0]])).abs().amax() == 2

"""Every registered method: titles, training, resuming, the replica rule, export; and the registry itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deep.benchmark.rows import rows_of
from deep.core.method import Inference, Method, at_states
from deep.methods.registry import METHODS, Entry, rank_of, spec_of
from deep.methods.spec import words
from deep.runs import trainer
from deep.runs.experiment import Experiment, about_data
from deep.runs.folder import RunFolder
from deep.runs.stand_in import stand_in
from tests.support.lighter import unchecked
from tests.support.numbers import methods
from tests.support.numbers.summary import Case, check
from tests.support.smoke_runs import SEEDS, Metrics, build, played, run_phases, trained
from tests.support.training import copy_at
from theory.support.errors import InputError
from verification.lattice.study import rests
from verification.lattice.trials import TRIALS


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def train(experiment: Experiment, folder: Path, resume: bool = False) -> None:
    run = RunFolder(folder)
    run.open({"identity": {}}, resume)
    try:
        trainer.train(experiment.phases(), experiment.tensors(), run, experiment.device)
    finally:
        run.release()


@pytest.mark.slow
@unchecked()
@pytest.mark.parametrize("algorithm", METHODS)
def test_a_stopped_run_resumes_to_the_same_bits(algorithm, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    whole = build(algorithm)
    before = {name: tensor.clone() for name, tensor in whole.tensors().items()}
    total = sum(phase.steps for phase in whole.phases())
    begun = copy_at(total - 50, tmp_path / "whole", tmp_path / "stopped", monkeypatch)
    train(whole, tmp_path / "whole")
    assert sum(begun) == total
    assert any(not torch.equal(before[name], tensor) for name, tensor in whole.tensors().items())
    resumed = build(algorithm)
    train(resumed, tmp_path / "stopped", resume=True)
    assert 0 < sum(begun) - total <= 50, "it goes on from where it was stopped"
    for name, tensor in whole.tensors().items():
        assert torch.equal(resumed.tensors()[name], tensor), name
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "stopped")]
    assert metrics[0] == metrics[1]
    read_back = build(algorithm)
    for name, tensor in read_back.tensors().items():
        tensor.copy_(whole.tensors()[name])
    assert json.dumps(read_back.method.report()) == json.dumps(whole.method.report()), "all of it is in the checkpoint"
    assert all(isinstance(line, str) for line in whole.method.remarks())


def rows_of_replica(experiment: Experiment, tensor: torch.Tensor, seed: int, replica: int) -> torch.Tensor:
    """The part of a tensor that belongs to one replica: a row of its own, its seed's, or its seed's ensemble."""
    seeds, replicas = len(experiment.settings.seeds), len(experiment.problem.replicas)
    if len(tensor) == replicas:
        return tensor[replica : replica + 1]
    assert len(tensor) % seeds == 0
    share = len(tensor) // seeds
    return tensor[seed * share : (seed + 1) * share]


def compare(
    algorithm: str, steps: int, tolerance: float, replicas: tuple[int, ...] = (0, 1, 2, 3)
) -> tuple[Experiment, Metrics]:
    """Train all replicas together, and these replicas each alone; the first of these runs, and its metrics."""
    together = build(algorithm)
    metrics = run_phases(together, steps)
    differ = 0
    for replica in replicas:
        seed, limit = together.problem.replicas[replica]
        alone = build(algorithm, (seed,), (limit,))
        run_phases(alone, steps)
        for name, tensor in alone.tensors().items():
            shared = together.tensors()[name]
            if tensor.dim() == 0:
                continue
            if name.startswith("dynamics"):
                part = shared[SEEDS.index(seed) * len(tensor) :][: len(tensor)]
            else:
                part = rows_of_replica(together, shared, SEEDS.index(seed), replica)
                other = rows_of_replica(together, shared, 1 - SEEDS.index(seed), (replica + 2) % 4)
                differ += not torch.allclose(other, tensor, atol=tolerance, rtol=tolerance)
            where = f"{name} of replica {replica}"
            torch.testing.assert_close(part, tensor, atol=tolerance, rtol=tolerance, msg=lambda m, w=where: f"{w}: {m}")
    assert differ >= 4, "negative control: the other seed's replica is another run"
    return together, metrics


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", METHODS)
def test_every_replica_equals_a_run_of_it_alone_after_one_update(algorithm):
    compare(algorithm, 1, 1e-5)


@pytest.mark.slow
@unchecked()
@pytest.mark.parametrize("algorithm", METHODS)
def test_a_replica_equals_a_run_of_it_alone_after_thirty_updates(algorithm, double):
    """Both seeds, both limits: the first and the last replica. The numbers of the joint run are those recorded."""
    together, metrics = compare(algorithm, methods.STEPS, 1e-9, (0, 3))
    check("methods", algorithm, Case(lambda: trained(together, metrics)))


@pytest.mark.parametrize("algorithm", METHODS)
def test_every_method_exports_its_policy(algorithm):
    experiment = build(algorithm)
    graph = experiment.method.exportable(1)
    assert isinstance(graph, Inference)
    observations = experiment.replay.observations[:5]
    if graph.act is None or graph.noise:
        return  # compared with the policy in tests/commands/test_export.py and test_export_with_state.py
    policy = experiment.policy()
    expected, _ = policy.act(policy.start(5), observations.expand(4, -1, -1))
    torch.testing.assert_close(graph.act(observations), expected[1])


def test_a_method_with_a_mean_network_acts_by_it():
    """Not those whose network takes more than the observation or gives more than the action, as BCRL's and CAPS's."""
    found = set()
    for algorithm in METHODS:
        method = (experiment := build(algorithm)).method
        if method.mean_network is None:
            continue
        found.add(algorithm)
        tensors = method.tensors()
        if algorithm == "drcorl":  # its policy is the one that was selected
            tensors["chosen"].copy_(tensors["policy.ema"])
        observations = experiment.replay.observations[:5].expand(len(experiment.problem.replicas), -1, -1)
        expected, _ = method.mean_network.distribution(tensors["policy.ema"], observations)
        assert torch.equal(at_states(method.policies()[""])(observations), expected)
    assert found == {"bc_all", "bc_safe", "bc_best", "coptidice", "carl", "o3srl", "drcorl"}


@pytest.mark.parametrize("algorithm", METHODS)
def test_the_policies_of_a_run_need_no_data(algorithm):
    """Every way to act, and the exported policy, have the same bits with the stand-in of `deep.runs.stand_in`."""
    experiment = build(algorithm)
    run_phases(experiment, 2)
    about = json.loads(json.dumps(about_data(experiment)))
    found = stand_in(Path("run"), about)
    without = Experiment(experiment.settings, found.task, found.data, (found.mean, found.std))
    with torch.no_grad():
        for name, tensor in without.tensors().items():
            tensor.copy_(experiment.tensors()[name])
    observations = np.random.default_rng(0).normal(size=(4, 6, 11)).astype(np.float32)
    for choice in experiment.choices:
        expected = played(experiment, choice, observations)
        np.testing.assert_array_equal(played(without, choice, observations), expected, choice)
        assert not np.array_equal(expected[0], expected[2]), "seeds differ"
    graph = experiment.method.exportable(3)
    other, noise = without.method.exportable(3), [torch.ones(6, *graph.noise)] if graph.noise else []
    if graph.act is None or other.act is None:  # the policy itself, which was compared
        return
    inputs = [torch.from_numpy(observations[3]), *noise]
    assert torch.equal(other.act(*inputs), graph.act(*inputs))


def test_a_method_without_an_inference_graph_says_so():
    class Bare(Method):
        def phases(self):
            return []

        def tensors(self):
            return {}

        def policies(self):
            return {}

        def report(self):
            return {}

    with pytest.raises(InputError, match="a policy of Bare cannot be exported: it has no inference graph"):
        Bare().exportable(0)
    assert Bare().remarks() == []
    assert Bare().exact_parts() is None
    assert Bare().estimator is None
    assert Bare().cloned is None
    assert Bare().estimate_doubts(None) is None


def test_titles_papers_and_presets_are_there():
    titles = [entry.spec.title for entry in METHODS.values()]
    assert len(set(titles)) == len(METHODS)
    for entry in METHODS.values():
        assert entry.spec.paper
        assert set(entry.spec.presets) - {"rebuilt"} == {"quick", "paper"}


def test_every_method_has_its_row_in_the_readme():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = [line for line in readme.partition("\n## Methods\n")[2].partition("\n## ")[0].splitlines() if "|" in line]
    for name, entry in METHODS.items():
        (row,) = [line for line in rows if f"`{name}`" in line]
        assert entry.spec.title.partition(" (")[0] in row, name


@pytest.mark.parametrize("algorithm", METHODS)
def test_only_a_method_that_needs_learned_dynamics_gets_any(algorithm):
    needs = "dynamics" in spec_of(algorithm).needs
    if needs:
        assert build(algorithm).phases()[0].name == "dynamics"
        return
    without = build(algorithm, dynamics_steps=0)
    assert not any(name.startswith("dynamics") for name in without.tensors())
    with pytest.raises(InputError, match="this run has no learned dynamics"):
        _ = without.dynamics
    estimated = build(algorithm, dynamics_steps=100)
    assert estimated.phases()[0].name == "dynamics", "the offline estimate is the run's choice"


def test_the_registry_imports_no_method():
    code = (
        "import sys, deep.methods.registry; assert 'torch' not in sys.modules; print(deep.methods.registry.Algorithm)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(repr(name) in shown for name in METHODS)


def test_an_unknown_name_is_rejected_in_one_sentence():
    with pytest.raises(InputError, match="unknown algorithm 'cql': accepted are bc_all, bc_safe"):
        spec_of("cql")


def test_no_method_is_taken_for_another_by_its_first_letters(monkeypatch):
    """bcq_lag begins as bc does."""
    monkeypatch.setitem(METHODS, "bcq_lag", Entry("deep.methods.drcorl.drcorl:SPEC"))
    dependencies = {path.name for path in rests(replace(TRIALS["BC-All"], algorithm="bcq_lag"))}
    assert "drcorl.py" in dependencies
    assert "bc.py" not in dependencies
    assert "drcorl.py" not in {path.name for path in rests(TRIALS["BC-All"])}


def test_a_table_with_an_unregistered_method_sorts_it_last():
    assert sorted(["zzz", "safe_dql", "aaa", "bc_all"], key=rank_of) == ["bc_all", "safe_dql", "aaa", "zzz"]
    cell = {
        "task": "t",
        "data": "d",
        "variant": "",
        "choice": "",
        "seed": 0,
        "cost_limit": 1.0,
        "sha256": "",
        "run": "",
        "safe": True,
    }
    rows = rows_of([], [cell | {"algorithm": "cpq", "seed": s} for s in (1, 0)] + [cell | {"algorithm": "bc_all"}])
    assert [(row["algorithm"], row["seed"]) for row in rows] == [("bc_all", 0), ("cpq", 0), ("cpq", 1)]


def test_changes_become_options():
    assert words({"a_b.c_d": (1, 2), "e": True, "f.g_h": False, "i": "x"}) == (
        "--a-b.c-d", "1", "2", "--e", "--f.no-g-h", "--i", "x")  # fmt: skip
    assert np.array_equal(words({}), ())


def test_a_preset_that_the_method_lacks_is_refused(build):
    method = build("--preset", "rebuilt", "--dynamics.steps", "0", "--adaptation-steps", "500").settings.method
    assert method.gate == spec_of("drcorl").presets["rebuilt"].gate
    with pytest.raises(InputError, match="--preset rebuilt with cpq: accepted are quick, paper"):
        build("--preset", "rebuilt", "--algorithm", "cpq", "--dynamics.steps", "0")

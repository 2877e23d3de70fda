"""The same update on CPU and GPU, with and without CUDA graphs. Skipped, with the reason, where there is no GPU."""

import pytest
import torch

from deep.runs import trainer
from deep.runs.cuda_graphs import eager, graphed
from tests.support.training import folder_in, run_phases

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")


@needs_gpu
@pytest.mark.parametrize("options", [(), ("--policy", "gaussian", "--gate.kind", "ucb")])
def test_one_update_of_every_phase_equals_the_cpus(build, options):
    cpu, gpu = build(*options), build(*options, "--device", "cuda")
    for experiment in (cpu, gpu):
        run_phases(experiment, 1)
    other = gpu.tensors()
    for name, tensor in cpu.tensors().items():
        torch.testing.assert_close(other[name].cpu(), tensor, rtol=1e-3, atol=1e-4, msg=name)


@needs_gpu
@pytest.mark.parametrize(
    "options",
    [
        ("--behaviour.steps", "150", "--adaptation-steps", "150"),
        ("--algorithm", "safe_dql", "--behaviour-steps", "150", "--improvement-steps", "150"),
        ("--algorithm", "bc_all", "--steps", "150"),
    ],
)
def test_graphs_change_no_result(build, options, tmp_path):
    results = []
    for name, compose in (("plain", eager), ("graph", graphed)):
        experiment = build(*options, "--device", "cuda")
        folder = folder_in(tmp_path / name)
        trainer.train(experiment.phases(), experiment.tensors(), folder, experiment.device, compose)
        results.append(experiment.tensors())
    for name, tensor in results[0].items():
        torch.testing.assert_close(results[1][name], tensor, rtol=1e-4, atol=1e-5, msg=name)

"""The same update on CPU and GPU. Skipped, with the reason, on machines without a GPU."""

import pytest
import torch

from tests.test_replicas import run_phases


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")
@pytest.mark.parametrize("options", [(), ("--policy", "gaussian", "--gate.kind", "ucb")])
def test_one_update_of_every_phase_equals_the_cpus(build, options):
    cpu, gpu = build(*options), build(*options, "--device", "cuda")
    for experiment in (cpu, gpu):
        run_phases(experiment, 1)
    other = gpu.tensors()
    for name, tensor in cpu.tensors().items():
        torch.testing.assert_close(other[name].cpu(), tensor, rtol=1e-3, atol=1e-4, msg=name)

"""`python -m deep.speed --gpu-check` without a GPU: what it writes, and that it tells a difference."""

import json

import pytest
import torch

from deep.core.phase import Phase
from deep.speed import gpu_check
from theory.support.errors import InputError


@pytest.mark.exhaustive
def test_a_dry_check_writes_every_row_it_prints(tmp_path, capsys):
    found = gpu_check.check_gpu(["--dry", "--device", "cpu", "--out", str(tmp_path / "a"), "--parts", "graphs", "run"])
    assert (
        json.loads((tmp_path / "a" / "gpu_check.json").read_text()).keys()
        == found.keys()
        == {"machine", "graphs", "run"}
    )
    phases = {(row["method"], row["phase"]) for row in found["graphs"]}
    assert {
        ("drcorl", "behaviour"),
        ("drcorl", "adaptation"),
        ("safe_dql", "improvement"),
        ("bc_all", "cloning"),
    } <= phases
    assert all(row[""] == "same bits" for row in found["graphs"])
    assert found["run"][0]["replicas"] == 9
    assert (tmp_path / "a" / "run" / "checkpoint.safetensors").exists()
    assert "same bits" in capsys.readouterr().out
    with pytest.raises(InputError, match="holds a check already"):
        gpu_check.check_gpu(["--dry", "--device", "cpu", "--out", str(tmp_path / "a")])


def test_a_graph_that_computes_something_else_is_noticed(tmp_path, monkeypatch):
    """Negative control: the second form of every block has its random inputs in another order."""

    def other(phase: Phase, device: torch.device):
        block = gpu_check.eager(phase.update)
        return lambda steps, draws: block(steps, {name: value.flip(0) for name, value in draws.items()})

    monkeypatch.setattr(gpu_check, "METHODS", {"bc_all": gpu_check.METHODS["bc_all"]})
    found = gpu_check.check_gpu(["--dry", "--device", "cpu", "--out", str(tmp_path / "a"), "--parts", "graphs"])
    assert [row[""] for row in found["graphs"]] == ["same bits"]
    monkeypatch.setattr(gpu_check, "_graphed", other)
    found = gpu_check.check_gpu(["--dry", "--device", "cpu", "--out", str(tmp_path / "b"), "--parts", "graphs"])
    assert [row[""] for row in found["graphs"]] == ["DIFFERENT"]


def test_without_a_gpu_it_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch finds no CUDA device"):
        gpu_check.check_gpu(["--out", str(tmp_path / "c")])

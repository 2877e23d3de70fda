"""deep.speed: the plain loop is the same update, and the command says what it measured."""

import json
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from deep.core.phase import Phase
from deep.core.randomness import RandomInput, draw_block
from deep.methods.registry import METHODS, Entry
from deep.runs.experiment import Experiment
from deep.speed.__main__ import main
from deep.speed.peers import PEERS, Peer
from deep.speed.table import plain
from deep.speed.updates import whole_update
from tests.support.lighter import unchecked
from theory.support.errors import InputError


@pytest.fixture
def small_data(monkeypatch, dataset):
    """In the place of the embedded data, on whose number an update does not depend."""
    monkeypatch.setattr("deep.runs.experiment.load", lambda *which: dataset)


OPTIONS = {
    "drcorl": ["--gate.kind", "ucb", "--gate.select", "last", "--dynamics.steps", "0", "--behaviour.dropout", "0.1"],
    "safe_dql": ["--algorithm", "safe_dql", "--batch-size", "16", "--critics.hidden", "16", "--hidden", "16", "16"],
    "bc_all": ["--algorithm", "bc_safe", "--batch-size", "16"],
}
CASES = [(algorithm, phase) for algorithm in OPTIONS for phase in plain(algorithm).PHASES]


@pytest.mark.parametrize(("algorithm", "name"), CASES)
def test_the_plain_loop_is_the_same_update(build, double, algorithm, name):
    """Three steps of every replica alone, by torch's own modules, optimiser and backward, in float64."""
    further = ["--regression-steps", "2"] if name == "reverse KL cloning" else []  # of four steps of cloning
    experiment = build("--seeds", "1", "2", "--cost-limits", "4", *OPTIONS[algorithm], *further)
    phase = next(phase for phase in experiment.phases() if phase.name == name)
    phase.on_start()
    learners = [plain(algorithm).PHASES[name](experiment.method, replica) for replica in (0, 1)]
    before = {key: tensor.clone() for key, tensor in experiment.tensors().items()}
    draws = draw_block(phase.draws, phase.seeds, name, 0, 3, experiment.device)
    for step in range(3):
        now = {key: block[step] for key, block in draws.items()}
        gates = experiment.method.gate.cost.clone() if name == "adaptation" else None
        phase.update(torch.tensor(float(step)), now)
        for replica in (0, 1):
            learners[replica].update(step, {key: block[replica] for key, block in now.items()})
        assert gates is None or gates.shape == (2,)
    after = experiment.tensors()
    for replica in (0, 1):
        for key, row in learners[replica].learned().items():
            assert not torch.equal(before[key][replica], after[key][replica]), key
            torch.testing.assert_close(row, after[key][replica], rtol=1e-8, atol=1e-10, msg=f"{key} {replica}")


def test_the_command_prints_and_writes_what_it_measured(small_data, tmp_path, capsys):
    words = "--algorithms bc_all --phases cloning --replicas 1 2 --seconds 0.05 --preset quick --threads 1".split()
    main([*words, "--out", str(tmp_path / "speed.json")])
    found = json.loads((tmp_path / "speed.json").read_text())
    assert [(row["phase"], row["replicas"]) for row in found["rows"]] == [("cloning", 1), ("cloning", 2)]
    one, two = found["rows"]
    batch, layers = 512, [(11, 256), (256, 256), (256, 3)]
    forward = sum(2 * batch * i * o for i, o in layers)
    backward = 2 * forward - 2 * batch * 11 * 256  # no gradient in the observations
    assert one["flops"] == forward + backward
    assert two["flops"] == 2 * one["flops"]
    assert found["machine"]["threads"] == 1
    assert "cloning" in capsys.readouterr().out


WIDTHS = [(11, 256), (256, 256), (256, 3)]


def test_updates_stand_beside_those_of_the_public_code(small_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(PEERS, "bc_all", Peer("nobody's", 64, 2.0, 1.5))
    words = "--methods bc_all,bc_safe --replicas 1 2 --seconds 0.02 --preset quick --threads 1".split()
    main([*words, "--out", str(tmp_path / "speed.json")])
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert [(row["method"], row["replicas"]) for row in rows] == [
        ("bc_all", 1), ("bc_all", 2), ("bc_safe", 1), ("bc_safe", 2)]  # fmt: skip
    one, two = rows[:2]
    flops = sum((6 if i > 11 else 4) * 512 * i * o for i, o in WIDTHS)  # no gradient in the observations
    assert one["flops"] == two["flops"] == flops
    assert one["gain"] == 1
    assert two["gain"] == pytest.approx(2 * two["steps"] / one["steps"])
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("    bc_all")]
    assert shown[0][:4] == ["bc_all", "1", "512", "(64)"]
    assert float(shown[0][8]) == pytest.approx(float(shown[0][5]) / 2, rel=0.02)


@unchecked()
def test_a_public_update_after_a_warm_up_is_compared_with_the_last_phase(monkeypatch):
    def phase(name: str) -> Phase:
        def update(step, draws):
            return {"x": draws["row"] @ torch.ones(8, 1)}

        return Phase(name, 5, (0,), {"row": RandomInput("uniform", (8,))}, update)

    method = SimpleNamespace(phases=lambda: [phase("first"), phase("second")])
    experiment = cast(Experiment, SimpleNamespace(method=method, device=torch.device("cpu")))
    both = whole_update("no peer", experiment, 0.02)
    assert set(both["phases"]) == {"first", "second"}
    assert both["steps"] == pytest.approx(1 / sum(1 / rate for rate in both["phases"].values()))
    assert both["flops"] == 2 * 2 * 8
    assert both["batch"] == 8
    monkeypatch.setitem(PEERS, "no peer", Peer("", 8, 1.0, 1.0, last_phase=True))
    assert set(whole_update("no peer", experiment, 0.02)["phases"]) == {"second"}
    monkeypatch.setitem(PEERS, "no peer", Peer("", 8, 1.0, 1.0, policy_steps=2))
    method.phases = lambda: [phase("critics"), phase("policy")]
    found = whole_update("no peer", experiment, 0.02)
    assert found["steps"] == pytest.approx(1 / (1 / found["phases"]["critics"] + 2 / found["phases"]["policy"]))
    assert found["flops"] == 3 * 2 * 8


def test_an_unknown_method_is_rejected_before_anything_is_measured(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--methods", "bc_all,cql"])
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert "unknown algorithm 'cql'" in captured.err
    assert captured.out == ""


def test_a_method_without_a_plain_loop_is_rejected(monkeypatch):
    monkeypatch.setitem(METHODS, "bcq_lag", Entry("deep.methods.bcq_lag:SPEC"))
    with pytest.raises(InputError, match="--algorithms bcq_lag: accepted are methods with a plain loop"):
        plain("bcq_lag")


@pytest.mark.parametrize("words", [["--replicas", "0"], ["--seconds", "0"], ["--phases", "nonsense"]])
def test_wrong_input_is_one_sentence(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1

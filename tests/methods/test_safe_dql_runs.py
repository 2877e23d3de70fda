"""Safe-DQL in training: a bandit with a known optimum, replicas, resuming, the summary of a run."""

import json

import numpy as np
import pytest
import torch

from deep import train
from deep.core.method import at_states
from deep.core.randomness import draw_block
from deep.data.dataset import OfflineDataset
from deep.data.load import save
from deep.evaluate import __main__ as evaluate
from deep.runs import trainer
from deep.runs.folder import RunFolder
from tests.support.builders import TINY_SAFE_DQL as TINY
from tests.support.lighter import no_figures, short_episodes, unchecked
from tests.support.training import compare, copy_at, run_phases
from theory.support.words import last_of_each

ARMS = {"safe": (-0.7, 0.5, 0.0), "poor": (0.0, 0.0, 0.0), "risky": (0.7, 1.0, 1.0)}
"""Where each arm's first action lies, its reward and its cost."""

BANDIT = """--algorithm safe_dql --gamma 0.5 --cost-limits 200 2000 --behaviour-steps 500 --improvement-steps 300
--batch-size 128 --hidden 64 64 --critics.hidden 32 --behaviour-rate 3e-3 --learning-rate 3e-3
--critics.learning-rate 5e-3 --ema-rate 0.02 --critics.target-rate 0.02 --eta 1.5 --penalty 10
--dynamics.steps 0 --dynamics.hidden 16""".split()
"""gamma = .5 makes kappa = limit / 500: .4 lies between the costs of the safe and the risky arm, 4 is no limit."""


@pytest.fixture
def bandit(build, tmp_path):
    """One-step episodes in one state; the behaviour policy pulls the three arms equally often, with some spread."""
    rng = np.random.default_rng(0)
    count = 900
    arm = np.array(list(ARMS.values()), dtype=np.float32)[np.arange(count) % 3]
    actions = rng.normal(0, 0.1, (count, 3)).clip(-0.25, 0.25).astype(np.float32)
    actions[:, 0] += arm[:, 0]
    state, yes = np.zeros((count, 11), dtype=np.float32), np.ones(count, dtype=bool)
    save(tmp_path / "bandit.hdf5", OfflineDataset("HopperVel", state, state, actions, arm[:, 1], arm[:, 2], yes, ~yes))
    return build(*BANDIT, "--dataset", str(tmp_path / "bandit.hdf5"))


def shares(method, choice):
    """How often each replica pulls each arm."""
    first = at_states(method.policies()[choice])(torch.zeros(2, 500, 11))[..., 0]
    return [
        {name: ((row - place).abs() < 0.35).float().mean().item() for name, (place, *_) in ARMS.items()}
        for row in first
    ]


@pytest.mark.slow
@unchecked()
def test_the_policy_finds_the_best_safe_arm_and_with_the_hinge_off_the_better_unsafe_one(bandit):
    method = bandit.method
    behaviour, improvement = method.phases()
    run_phase(behaviour)
    improvement.on_start()
    # The behaviour policy pulls every arm; the choice among its samples is safe where the limit asks for it.
    cloned, chosen = shares(method, "sample"), shares(method, "best-of-n")
    assert min(cloned[0].values()) > 0.1
    assert chosen[0]["risky"] < 0.02 < chosen[0]["safe"] - 0.5
    assert chosen[1]["risky"] > 0.6
    run_phase(improvement)
    for choice in ("sample", "best-of-n"):
        strict, loose = shares(method, choice)
        assert strict["safe"] > 0.9
        assert loose["risky"] > 0.9
    # The critics know the arms' rewards and costs.
    actions = torch.tensor([[place, 0.0, 0.0] for place, *_ in ARMS.values()]).expand(2, -1, -1)
    values = method.predict(torch.zeros(2, 3, 11), actions)
    costs = torch.tensor([cost for *_, cost in ARMS.values()]).expand(2, -1)
    rewards = bandit.problem.reward_scale * torch.tensor([reward for _, reward, _ in ARMS.values()]).expand(2, -1)
    torch.testing.assert_close(values.greatest_cost, costs, rtol=0, atol=0.2)
    torch.testing.assert_close(values.least_reward, rewards, rtol=0, atol=0.1)


def run_phase(phase):
    phase.on_start()
    for block in range(phase.steps // 50):
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, torch.device("cpu"))
        for k in range(50):
            phase.update(torch.tensor(float(50 * block + k)), {name: x[k] for name, x in draws.items()})


# A run ----------------------------------------------------------------------------------------------------------------


@short_episodes()
@pytest.mark.parametrize("options", [(), ("--twin", "min", "--dual-rate", "0.1", "--schedule", "cosine")])
def test_one_update_does_not_depend_on_the_other_replicas(build, options):
    compare(build, (*TINY, "--dynamics.steps", "4", *options), 1, 1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")
def test_one_update_on_a_gpu_equals_the_cpus(build):
    cpu, gpu = build(*TINY), build(*TINY, "--device", "cuda")
    for experiment in (cpu, gpu):
        run_phases(experiment, 1)
    for name, tensor in cpu.tensors().items():
        torch.testing.assert_close(gpu.tensors()[name].cpu(), tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.slow
@unchecked()
def test_a_stopped_run_goes_on_to_the_same_bits(build, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    options = (*TINY, "--behaviour-steps", "50", "--improvement-steps", "100", "--dual-rate", "0.1")

    begun = copy_at(100, tmp_path / "whole", tmp_path / "stopped", monkeypatch)

    def run(name, resume=False):
        experiment = build(*options)
        folder = RunFolder(tmp_path / name)
        folder.open({"identity": {}}, resume)
        try:
            trainer.train(experiment.phases(), experiment.tensors(), folder, experiment.device)
        finally:
            folder.release()
        return experiment.tensors()

    whole = run("whole")
    resumed = run("stopped", resume=True)
    assert begun == [50, 50, 50, 50], "the last 50 steps twice"
    assert all(torch.equal(whole[name], tensor) for name, tensor in resumed.items())


@pytest.mark.slow
@unchecked()
@no_figures()
def test_a_run_reports_the_policy_and_its_best_of_n_apart(dataset_file, tmp_path):
    words = [*TINY, "--dataset", str(dataset_file), "--out", str(tmp_path / "run"), "--episodes", "2"]
    train.main(last_of_each([*words, "--cost-limits", "4", "60", "--dynamics.steps", "0"]))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["choice"] == "best-of-n"
    assert summary["method"]["kappa"] == pytest.approx([0.4, 6.0])
    assert [r["cost_limit"] for r in summary["other_choices"]["sample"]] == [4, 60]
    assert summary["other_choices"]["sample"] != summary["results"]
    evaluate.main([str(tmp_path / "run"), "--episodes", "2"])
    again = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert again["results"] == summary["results"]
    assert again["other_choices"] == summary["other_choices"]

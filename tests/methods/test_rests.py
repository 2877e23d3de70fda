"""deep.methods.drcorl.rests and .critic_values: the policy waits at the mean of its parameters for its critics."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from deep import train
from deep.core.randomness import draw_block
from deep.data.load import save
from deep.data.replay import RowTable
from deep.methods.drcorl.critic_values import MEAN_STATES, CriticValues
from deep.methods.drcorl.last_check import LastCheck
from deep.methods.drcorl.rests import Rests
from deep.runs import trainer
from deep.runs.folder import read_checkpoint
from tests.support.builders import TINY
from tests.support.chain import always, chain_data
from tests.support.lighter import no_figures, short_episodes, unchecked
from theory.support.errors import InputError
from theory.support.words import last_of_each

TD = ("--dynamics.steps", "0", "--gate.kind", "td", "--critics.reward", "td", "--cost-limits", "4", "900")
RESTS = (*TD, "--rests.every", "100", "--rests.steps", "50", "--adaptation-steps", "200", "--gate.eval-every", "50")


@pytest.fixture
def on_chain(build, tmp_path: Path):
    """An experiment on the chain of two states, whose values are known."""
    save(tmp_path / "chain.hdf5", chain_data())

    def made(*options: str):
        return build("--dataset", str(tmp_path / "chain.hdf5"), "--seeds", "0", *TD, *options)

    return made


def moved(method, steps: range) -> list[torch.Tensor]:
    """The policy's parameters after each of these steps of adaptation."""
    phase, found = method.phases()[-1], []
    for step in steps:
        draws = draw_block(phase.draws, phase.seeds, phase.name, step, 1, method.problem.device)
        phase.update(torch.tensor(float(step)), {name: draw[0] for name, draw in draws.items()})
        found.append(method.actor.theta.detach().clone())
    return found


@short_episodes()
@unchecked()
def test_the_policy_rests_at_the_mean_over_the_second_half_of_the_way(build):
    method = build("--seeds", "1", "2", *RESTS, "--adaptation-rate", "1e-2").method
    method.phases()[-1].on_start()
    for first in (0, 100):
        path = moved(method, range(first, first + 100))
        expected = torch.stack(path[50:]).mean(0)
        assert (path[-1] - expected).abs().max() > 1e-2  # it moves, and so does each replica by itself
        assert (expected[0] - expected[2]).abs().max() > 1e-3
        critics = [critic.q.theta.detach().clone() for critic in method.values.of_policy]
        method.rests.rest(first + 100)
        for parameters in (method.actor.theta, method.actor.ema):
            torch.testing.assert_close(parameters.detach(), expected, rtol=1e-5, atol=1e-6)
        assert all((critic.q.theta != old).any() for critic, old in zip(method.values.of_policy, critics, strict=True))


def still(method) -> None:
    """Policies of the chain that always act .5 and -.5, at rest."""
    with torch.no_grad():
        for parameters in (method.rests.mean, method.actor.theta, method.actor.ema):
            parameters.zero_()
            parameters[:, -3:] = torch.tensor([[0.5], [-0.5]]).atanh()  # the biases of three actions


@pytest.mark.parametrize("steps", [0, 600])
@unchecked()
def test_after_a_rest_the_critics_know_the_policy(on_chain, steps):
    """From the chain's start + goes on for ever at a cost of 1 in every other step, and - ends at no cost."""
    fast = "--critics.target-rate 0.2 --critics.learning-rate 1e-2 --critics.hidden 32 --batch-size 128 --gamma 0.9"
    rests = f"--gate.states start --gate.k 0 --rests.every 100 --rests.steps {steps} --adaptation-steps 100"
    method = on_chain(*fast.split(), *rests.split()).method
    still(method)
    method.rests.rest(100)
    estimate = method.evaluation.by_critics.estimate(method.act_current)
    expected = torch.tensor([1000 / 1.9, 0.0])
    assert ((estimate.cost - expected).abs() < 25).all() == (steps > 0), estimate
    if steps:
        method.evaluation.evaluate_policy(0)
        assert method.gate.cost.tolist() == pytest.approx(estimate.cost.tolist())


@pytest.mark.parametrize("states", ["start", "data", "cloned"])
def test_the_values_are_means_over_states_and_members_per_episode(on_chain, states):
    problem = (method := on_chain("--critics.ensemble", "2").method).problem
    cost, reward = method.values.cost[-1], method.values.reward
    with torch.no_grad():  # constants: members .2 and .4, reward members 1 and 3, of the unit 1 / (1 - gamma)
        for critic, values in ((cost, (0.2, 0.4)), (reward, (1.0, 3.0))):
            critic.q.ema.zero_()
            critic.q.ema.unflatten(1, (2, -1))[..., -1] = torch.tensor(values)
    first = problem.data.observations[:, 0] == 0
    rows = RowTable.of([first.nonzero()[0], (~first).nonzero()[0]], problem.device)
    values = CriticValues(problem, cost, reward, states, rows)
    estimate = values.estimate(always(0.5, -0.5))
    assert estimate.cost.tolist() == pytest.approx([300.0] * 2)
    assert estimate.cost_std.tolist() == pytest.approx([100.0] * 2)
    assert estimate.reward.tolist() == pytest.approx([2000 / problem.reward_scale] * 2)
    assert estimate.cost_low.tolist() == pytest.approx([300 - 196.0] * 2)
    seen = [set(map(tuple, rows.tolist())) for rows in values.states]
    everything = set(map(tuple, problem.replay.observations.tolist()))
    if states == "cloned":
        assert [len(found) for found in seen] == [1, 1]
        assert seen[0] != seen[1]
    elif states == "data":
        assert seen == [everything, everything]
        assert len(values.states[0]) == MEAN_STATES
    else:
        assert len(seen[0]) == 1
    assert CriticValues(problem, cost, None, states, rows).estimate(always(0.5, -0.5)).reward.tolist() == [0, 0]


@short_episodes()
def test_only_the_clone_and_policies_at_rest_are_compared(build, monkeypatch):
    method = build("--seeds", "1", *RESTS).method
    compared, rested, phase = [], [], method.phases()[-1]
    monkeypatch.setattr(method.selection, "update", lambda step, estimates: compared.append(step))
    monkeypatch.setattr(method.rests, "rest", rested.append)
    for step in (0, 50, 100, 150):
        phase.hooks[0].call(step)
    phase.on_end()
    assert compared == [0, 100, 200]
    assert rested == [100, 200]


@short_episodes()
@no_figures()
@unchecked()
def test_a_run_with_rests_resumes_to_the_bit_and_replicas_do_not_see_each_other(dataset_file, tmp_path, monkeypatch):
    check = ("--rests.candidates", "1", "--rests.candidate-steps", "100")
    words = last_of_each(
        [*TINY, "--dataset", str(dataset_file), "--device", "cpu", "--seeds", "1", "--episodes", "1", *RESTS, *check]
    )
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def copied(owner, name, at, copy):
        """What a run leaves that is killed as it calls the method at this step."""
        original = getattr(owner, name)

        def call(self, step):
            if step == at:
                shutil.copytree(tmp_path / "whole", tmp_path / copy)
            return original(self, step)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Rests, "rest", copied(Rests, "rest", 200, "resting"))
        patch.setattr(LastCheck, "evaluate", copied(LastCheck, "evaluate", 150, "checking"))
        train.main([*words, "--out", str(tmp_path / "whole")])
    train.main(last_of_each([*words, "--cost-limits", "900", "--out", str(tmp_path / "one")]))
    for name in ("resting", "checking"):
        train.main([*words, "--out", str(tmp_path / name), "--resume"])
    whole, one, *resumed = (
        read_checkpoint(tmp_path / name / "checkpoint.safetensors")[0]
        for name in ("whole", "one", "resting", "checking")
    )
    assert all(torch.equal(whole[name], tensors[name]) for tensors in resumed for name in whole)
    torch.testing.assert_close(one["policy.theta"][0], whole["policy.theta"][1], rtol=1e-4, atol=1e-6)
    assert not torch.equal(whole["policy.theta"][0], whole["policy.theta"][1])
    assert (whole["last_check.estimates"][..., 0] > 0).all()
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    assert [len(each) for each in summary["method"]["candidates"]] == [2, 2]
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["phase"] == "adaptation"] == [50, 100, 150, 200]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rests.every", "150", "--gate.kind", "td"), r"--rests\.every 150 and --rests\.steps 400: accepted are"),
        (("--rests.every", "100", "--rests.steps", "30"), r"--rests\.steps 30"),
        (("--rests.every", "100"), r"--rests\.every 100 with --gate\.kind dynamics"),
        (("--rests.every", "100", "--gate.kind", "td", "--adaptation-steps", "150"), r"--adaptation-steps 150"),
        (("--rests.every", "100", "--gate.kind", "td", "--gate.eval-every", "150"), r"--gate\.eval-every 150"),
    ],
)
def test_rests_that_nothing_waits_for_are_rejected(build, words, message):
    with pytest.raises(InputError, match=message):
        build(*words)

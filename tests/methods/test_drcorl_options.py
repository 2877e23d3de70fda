"""Every option of DRCORL that is not its own module's: it reaches the learner and has its effect there."""

import math
import re

import pytest
import torch
from safetensors.torch import load_file

from deep import train, training
from deep.core.randomness import draw_block
from deep.evaluate.scores import remarks
from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.drcorl.score import reverse_kl, reverse_kl_limit
from deep.nn.parameters import linear_decay
from deep.runs.experiment import finished
from tests.support.builders import TINY

pytestmark = pytest.mark.usefixtures("short_episodes", "no_figures")


def one_update(experiment):
    """One step of adaptation; returns the phase's draws."""
    phase = experiment.method.phases()[-1]
    phase.on_start()
    block = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    draws = {name: value[0] for name, value in block.items()}
    phase.update(torch.tensor(0.0), draws)
    return draws


@pytest.mark.parametrize("std", [0.1, 0.4])
def test_a_constant_policy_has_that_variance_and_its_samples_are_not_squashed(build, std):
    experiment = build("--policy", "constant", "--constant-std", str(std))
    method = experiment.method
    z = torch.full((3, 5, 3), 4.0)
    observations = experiment.replay.observations[:5].expand(3, -1, -1)
    mean, log_std = method.policy.distribution(method.actor.theta, observations)
    actions, _ = method.policy.sample(method.actor.theta, observations, z)
    torch.testing.assert_close(actions, mean + 4 * std)
    assert log_std.unique().tolist() == pytest.approx([math.log(std)])
    dirac = build("--policy", "dirac").method
    assert method.actor.theta.shape == dirac.actor.theta.shape  # no parameters for a variance


def test_a_policys_variance_reaches_the_update(build):
    thetas = []
    for std in ("0.1", "0.4"):
        experiment = build("--policy", "constant", "--constant-std", std)
        one_update(experiment)
        thetas.append(experiment.method.actor.theta.detach().clone())
    assert not torch.equal(*thetas)


@pytest.mark.parametrize("weight", ["vds", "stable", "score"])
def test_the_weight_of_the_averaged_kl_is_the_configured_one(build, weight):
    experiment = build("--behaviour.kl-weight", weight, "--behaviour.t-range", "0.2", "0.6", "--seeds", "1")
    model = experiment.method.behaviour
    observations = experiment.replay.observations[:8].expand(3, -1, -1)
    actions = torch.full((3, 8, 3), 0.2, requires_grad=True)
    draws = {"t": torch.rand(3, 8), "noise": torch.randn(3, 8, 3)}
    found = model.kl(observations, actions, None, draws)
    t = 0.2 + 0.4 * draws["t"]
    predict = model.at(observations)
    for name in ("vds", "stable", "score"):
        expected = reverse_kl(predict, model.schedule, actions, None, t, draws["noise"], name)
        assert torch.allclose(found, expected, rtol=1e-5) == (name == weight)


def test_the_limit_of_the_kl_needs_no_noise_and_reads_the_score_at_its_level(build):
    experiment = build("--behaviour.kl-form", "limit", "--behaviour.t-limit", "0.05", "--policy", "gaussian")
    method = experiment.method
    observations = experiment.replay.observations[:8].expand(3, -1, -1)
    actions, log_std = torch.full((3, 8, 3), 0.2), torch.full((3, 8, 3), -1.0)
    found = method.behaviour.kl(observations, actions, log_std, {})
    predict, schedule = method.behaviour.at(observations), method.behaviour.schedule
    torch.testing.assert_close(found, reverse_kl_limit(predict, schedule, actions, log_std, 0.05))
    assert not torch.allclose(found, reverse_kl_limit(predict, schedule, actions, log_std, 0.02))
    assert {"t", "noise"}.isdisjoint(method.phases()[-1].draws)
    assert {"t", "noise"} <= build("--policy", "gaussian").method.phases()[-1].draws.keys()
    one_update(experiment)


@pytest.mark.parametrize("condition", ["none", "cost"])
def test_the_behaviour_model_continues_to_train_with_the_option(build, condition):
    """Line 10 of Algorithm 1: one more denoising step on each seed's minibatch."""
    options = ("--seeds", "1", "2", "--cost-limits", "4", "9", "--behaviour.condition", condition)
    frozen, learning, by_hand = (build(*options, *more) for more in ((), ("--update-behaviour",), ()))
    start = frozen.method.behaviour.parameters.ema.clone()
    one_update(frozen)
    assert torch.equal(frozen.method.behaviour.parameters.ema, start)
    draws = one_update(learning)
    rows = by_hand.replay.rows(draws["row"])[::2]
    behaviour_draws = {
        name.removeprefix("behaviour "): d[::2] for name, d in draws.items() if name.startswith("behaviour ")
    }
    by_hand.method.behaviour.learn(rows, behaviour_draws, 0.1)
    for name, tensor in learning.method.behaviour.tensors().items():
        torch.testing.assert_close(tensor, by_hand.method.behaviour.tensors()[name])
    assert not torch.equal(learning.method.behaviour.parameters.ema, start)


@pytest.mark.parametrize("choose", ["best", "last"])
def test_the_policy_that_acts_is_the_chosen_or_the_last(build, choose):
    experiment = build("--gate.select", choose)
    method = experiment.method
    method.selection.chosen.add_(0.5)
    observations = experiment.replay.observations[:4].expand(3, -1, -1)
    theta = method.selection.chosen if choose == "best" else method.actor.ema
    assert torch.equal(method.act(observations), method.policy.distribution(theta, observations)[0])
    assert ("chosen_step" in method.report()) == (choose == "best")


@pytest.mark.parametrize(
    ("choose", "steps", "counts"),
    [
        ("best", (0.0, 50.0, 200.0), [(3, 1, 2)]),
        ("best", (0.0, 0.0, 0.0), [(3, 3, 0)]),
        ("last", (0.0, 50.0, 200.0), []),
    ],
)
def test_the_remarks_count_the_replicas_that_kept_the_clone(build, choose, steps, counts):
    experiment = build("--gate.select", choose)
    experiment.method.selection.score[:, 1] = torch.tensor(steps)
    lines = [line for line in remarks(experiment) if "chosen_step" in line]
    assert [tuple(int(number) for number in re.findall(r"\d+", line)) for line in lines] == counts


@pytest.mark.slow
def test_without_adaptation_the_clone_acts(dataset_file, tmp_path, capsys):
    words = ["--dataset", str(dataset_file), "--cost-limits", "9", "--episodes", "1", "--out", str(tmp_path / "run")]
    summary = training.run(training.parse([*TINY, *words, "--adaptation-steps", "0"]))
    stored = load_file(tmp_path / "run" / "checkpoint.safetensors")
    assert torch.equal(stored["chosen"], stored["clone.ema"])
    assert summary["method"]["chosen_step"] == [0.0]
    assert "Of 1 replicas, 1 kept the clone that training starts from and 0 a policy" in capsys.readouterr().out
    # Its estimated cost is the cost of the cloned trajectories.
    method = finished(tmp_path / "run")[0].method
    assert isinstance(method, DRCORL)
    assert method.selection.cloned is not None
    (predicted,) = summary["results"]
    assert predicted["offline_cost_estimate"] == pytest.approx(method.selection.cloned.costs.item(), abs=1e-4)


@pytest.mark.parametrize("rule", ["manipulation", "crpo", "pid"])
def test_the_rule_decides_what_the_policy_follows(build, rule):
    """Between the limit and limit + slack: manipulation mixes, CRPO follows the reward, a cold PID as well."""
    experiment = build("--cost-limits", "10", "--adaptation.rule", rule)
    experiment.method.gate.cost.fill_(11.0)
    phase = experiment.method.phases()[-1]
    phase.on_start()
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    metrics = phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
    found = {name for name in ("safe", "align", "conflict", "unsafe") if metrics[f"share_{name}"].item() == 1}
    assert found <= {"manipulation": {"align", "conflict"}, "crpo": {"safe"}, "pid": {"unsafe"}}[rule]
    assert len(found) == 1
    assert ("multiplier" in metrics) == (rule == "pid")


def test_a_td_reward_critic_follows_every_replicas_own_policy(build):
    """It starts from the clone's, and learns in adaptation, a row per replica. No implicit Q-learning is left."""
    experiment = build("--critics.reward", "td", "--seeds", "1", "--cost-limits", "4", "9")
    method = experiment.method
    names = [phase.name for phase in method.phases()]
    assert "critics" in names
    assert not {"reward critic", "cost critics"} & set(names)
    assert not any(name.startswith("reward_value") for name in method.tensors())
    pretrained = method.values.of_clone[-1].q
    with torch.no_grad():
        pretrained.theta.add_(0.1)
    phase = method.phases()[-1]
    phase.on_start()
    critic = method.values.reward.q
    assert torch.equal(critic.theta, pretrained.theta[method.cloning.index])
    with torch.no_grad():  # another policy of the second replica changes the second row alone
        method.actor.ema[1].add_(0.5)
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    row = method.values.of_clone[-1]
    phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
    assert not torch.equal(critic.theta[0], critic.theta[1])
    assert torch.equal(row.q.theta, pretrained.theta)


def test_layer_normalisation_reaches_every_critic(build):
    words = ("--critics.layer-norm", "--critics.reward", "iql")
    found = []
    for options in (words, words[1:]):
        method = build(*options).method
        found.append(
            [network.member.layer_norm for network in (method.values.reward.value, method.values.reward.twin)]
            + [critic.ensemble.member.layer_norm for critic in (*method.values.cost, *method.values.clone_cost)]
        )
    assert all(found[0])
    assert not any(found[1])


def test_without_pessimism_the_gate_reads_the_critics_that_the_policy_follows(build):
    method = build("--gate.kind", "ucb", "--critics.pessimism", "0").method
    assert len(method.values.cost) == 1
    assert method.gate.critic is method.values.cost[0]
    assert len(build("--gate.kind", "ucb").method.values.cost) == 2


def test_printed_pessimism_reaches_the_critics(build):
    thetas = []
    for words in ((), ("--critics.printed-pessimism",), ("--critics.pessimism", "0")):
        experiment = build(*words)
        one_update(experiment)
        thetas.append(experiment.method.values.cost[0].q.theta.detach().clone())
    assert not torch.equal(thetas[0], thetas[1])
    assert not torch.equal(thetas[1], thetas[2])


@pytest.mark.parametrize(
    ("words", "trained"),
    [
        ((), True),
        (("--anchor", "none", "--regression-steps", "4"), False),
        (("--anchor", "mse", "--regression-steps", "4"), False),
        (("--anchor", "none", "--regression-steps", "3"), True),
    ],
)
def test_the_behaviour_model_is_trained_where_something_reads_it(build, words, trained):
    assert ("behaviour" in [phase.name for phase in build(*words).method.phases()]) == trained


def test_the_regression_evaluates_no_behaviour_model_and_the_reverse_kl_follows_it(build, monkeypatch):
    experiment = build("--regression-steps", "4", "--cloning-steps", "9")
    method = experiment.method
    regression, reverse_kl = (phase for phase in method.phases() if "cloning" in phase.name)
    assert [(phase.name, phase.steps) for phase in (regression, reverse_kl)] == [
        ("cloning", 4),
        ("reverse KL cloning", 5),
    ]
    kl, calls, factors = method.behaviour.kl, [], []
    monkeypatch.setattr(method.behaviour, "kl", lambda *args: calls.append(args) or kl(*args))
    adam_step = method.clone.adam_step
    monkeypatch.setattr(
        method.clone, "adam_step", lambda slope, factor: factors.append(float(factor)) or adam_step(slope, factor)
    )
    for phase, expected in ((regression, 0), (reverse_kl, 1)):
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
        before = method.clone.theta.detach().clone()
        phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
        assert len(calls) == expected
        assert not torch.equal(before, method.clone.theta)
    # One decay of the step size over both phases.
    assert factors == pytest.approx([float(linear_decay(torch.tensor(float(step)), 9)) for step in (0, 4)])


def test_a_behaviour_model_that_nothing_reads_is_not_updated(capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main(["--update-behaviour", "--anchor", "mse"])
    assert stopped.value.code == 2
    assert "--update-behaviour with --anchor mse: nothing reads" in capsys.readouterr().err

"""deep.methods.drcorl.drcorl: the gradient of each region, the gate's cost, the policy that is selected."""

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.data.selection import Selection
from deep.methods.drcorl.gate import GateConfig, StateSample, gate_cost
from deep.methods.drcorl.policy_selection import selection_score
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import Outcomes
from tests.support.lighter import short_episodes, unchecked
from theory.support.errors import InputError

LIMIT = 10.0


def adapted(build, gate: float, spoil: str | None = None, *options: str) -> torch.Tensor:
    """The policy's parameters after one step of adaptation with this value of the gate, one critic spoilt."""
    experiment = build("--cost-limits", str(LIMIT), "--seeds", "1", *options)
    method = experiment.method
    phase = method.phases()[-1]
    assert phase.name == "adaptation"
    phase.on_start()
    critics = {"reward": method.values.reward.q, "cost": method.values.cost[0].q}
    if spoil is not None:
        with torch.no_grad():
            for tensor in (critics[spoil].theta, critics[spoil].ema):
                tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(5)))
    method.gate.cost.fill_(gate)
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
    return method.actor.theta.detach().clone()


@short_episodes()
@pytest.mark.parametrize(
    ("gate", "follows"),
    [(0.0, {"reward"}), (LIMIT, {"reward", "cost"}), (1.19 * LIMIT, {"reward", "cost"}), (1.21 * LIMIT, {"cost"})],
)
def test_each_region_follows_its_own_critics(build, gate, follows):
    """Slack .2 at the first step: the band is [.8, 1.2] times the limit."""
    plain = adapted(build, gate)
    for critic in ("reward", "cost"):
        changed = not torch.equal(plain, adapted(build, gate, critic))
        assert changed == (critic in follows), critic


@pytest.mark.slow
@short_episodes()
@unchecked()
def test_the_step_ascends_reward_and_descends_cost(build):
    """With beta large the KL is negligible, and the chosen actions move along +grad Q_r or -grad Q_c."""
    for gate, critic, sign in ((0.0, "reward", 1), (5 * LIMIT, "cost", -1)):
        experiment = build(
            "--cost-limits", str(LIMIT), "--adaptation.temperature.c0", "1000", "--adaptation-rate", "1e-3"
        )
        method = experiment.method
        phase = method.phases()[-1]
        phase.on_start()
        method.gate.cost.fill_(gate)
        observations = experiment.replay.observations[:200].unsqueeze(0)
        before = method.act_current(observations)
        part = method.values.reward if critic == "reward" else method.values.cost[0]
        slope = part.action_gradient(observations, before)
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 20, experiment.device)
        for k in range(20):
            phase.update(torch.tensor(0.0), {name: block[k] for name, block in draws.items()})
        after, _ = method.policy.distribution(method.actor.theta.detach(), observations)
        assert sign * ((after - before) * slope).sum() > 0


@pytest.mark.parametrize("condition", ["none", "cost"])
def test_adaptation_starts_from_the_clone_and_its_critics(build, condition):
    experiment = build(
        "--seeds",
        "1",
        "2",
        "--cost-limits",
        "4",
        "9",
        "--behaviour.condition",
        condition,
        "--clone.trajectories",
        "all",
    )
    method = experiment.method
    for parameters in (method.clone, method.values.clone_cost[0].q):
        noise = torch.randn(parameters.theta.shape, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            parameters.theta.add_(noise)
            parameters.ema.sub_(noise)
    method.phases()[-1].on_start()
    rows = [0, 0, 1, 1] if condition == "none" else [0, 1, 2, 3]
    for ours, pretrained in ((method.actor, method.clone), (method.values.cost[0].q, method.values.clone_cost[0].q)):
        assert torch.equal(ours.theta, pretrained.theta[rows])
        assert torch.equal(ours.ema, pretrained.ema[rows])


@short_episodes()
def test_adaptation_bootstraps_and_does_not_regress_on_the_datas_sums(build):
    found = []
    for sums in (0.0, 1e3):
        experiment = build("--cost-limits", "9", "--seeds", "1")
        experiment.replay.cost_to_go.fill_(sums)
        experiment.replay.reward_to_go.fill_(sums)
        phase = experiment.phases()[-1]
        phase.on_start()
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
        phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
        found.append(
            (experiment.method.values.cost[0].q.theta.clone(), experiment.method.values.reward.q.theta.clone())
        )
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize("states", ["data", "start"])
@pytest.mark.parametrize("gamma", [0.99, 0.9999])
def test_the_ucb_gate_is_an_episodes_cost(build, states, gamma):
    """At .9999 an episode of 1000 steps is a tenth of what critics see that bootstrap through timeouts."""
    words = ("--gate.kind", "ucb", "--gate.states", states, "--gate.k", "2", "--gamma", str(gamma))
    experiment = build("--cost-limits", "4", "9", *words)
    method = experiment.method
    critic = method.values.cost[1]
    with torch.no_grad():  # constant critics: member values .2 and .4 of the unit 1 / (1 - gamma)
        critic.q.ema.zero_()
        members = critic.q.ema.unflatten(1, (2, -1))
        members[:, 0, -1], members[:, 1, -1] = 0.2, 0.4
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    method.gate.update(StateSample(observations, torch.zeros(2, 16, 3)))
    expected = (0.3 + 2 * 0.1) * 1000
    assert method.gate.cost.tolist() == pytest.approx([expected, expected], rel=1e-5)


@pytest.mark.parametrize("select", ["best", "last"])
def test_the_least_squares_gate_is_the_bound_of_the_estimate_for_the_present_policy(build, select):
    """At an evaluation the gate takes mean + k std, and another policy has another cost; no dynamics are needed."""
    words = ("--gate.kind", "least_squares", "--gate.select", select, "--gate.k", "2", "--gate.transitions", "200")
    experiment = build("--seeds", "1", "--cost-limits", "4", "--dynamics.steps", "0", *words)
    method = experiment.method
    found = []
    for step, shift in enumerate((0.0, 0.5)):
        with torch.no_grad():
            method.actor.ema.add_(shift)
        metrics = method.evaluation.evaluate_policy(50 * step)
        estimate = method.evaluation.by_critics.estimate(method.act_current)
        assert estimate.cost_std.item() > 0
        assert method.gate.cost.item() == pytest.approx((estimate.cost + 2 * estimate.cost_std).item(), rel=1e-6)
        assert torch.equal(metrics["predicted_cost"], estimate.cost)
        found.append(method.gate.cost.item())
    assert found[0] != found[1]
    assert [hook.every for hook in method.phases()[-1].hooks] == [50]
    best = method.selection.score[0, 1].item()
    assert best == (50.0 if found[1] < found[0] else 0.0)  # neither is within the limit: the smaller violation


def predicted(cost: float, deviation: float = 0.0, reward: float = 0.0, length: float = 1000.0, ood_score: float = 1.0):
    """An estimate for one replica."""
    numbers = (cost, deviation, 0.0, 2 * cost, reward, length, ood_score)
    return Estimate(*(torch.tensor([number]) for number in numbers))


def test_the_gates_cost_is_the_upper_bound_and_more_where_the_models_extrapolate():
    config, limits = GateConfig(k=2.0, max_disagreement=2.0), torch.tensor([LIMIT], dtype=torch.float64)
    for estimate, expected in (
        (predicted(4, 1.5), 7),
        (predicted(4, 1.5, ood_score=2.0), 7),
        (predicted(4, 1.5, ood_score=3.0), 1.5 * LIMIT),
        (predicted(90, 1.5, ood_score=3.0), 93),
    ):
        assert gate_cost(estimate, limits, config).item() == pytest.approx(expected)
    assert gate_cost(predicted(0, ood_score=3.0), torch.zeros(1).double(), config).item() == 1.5


def test_the_score_ranks_safe_policies_by_return_and_others_by_their_violations():
    config, limits = GateConfig(k=1.0, max_disagreement=2.0), torch.tensor([LIMIT], dtype=torch.float64)
    best_last = [
        predicted(30, reward=900),
        predicted(8, reward=900, length=100),
        predicted(12, 3, reward=5),
        predicted(8, 2.01, reward=900),
        predicted(8, reward=-5),
        predicted(9, 1, reward=300),
        predicted(0, reward=301, ood_score=1.9),
    ]
    scores = [selection_score(estimate, limits, 500.0, -5.0, config).item() for estimate in best_last]
    assert scores == sorted(scores)
    assert scores == pytest.approx([-2, -0.8, -0.5, -0.001, 0, 305, 306], rel=1e-4)
    assert selection_score(predicted(0, reward=900, ood_score=3.0), limits, 500.0, 0.0, config).item() == pytest.approx(
        -0.5
    )
    assert selection_score(predicted(0, reward=900, length=0.0), limits, 0.0, 0.0, config).item() == 900


@pytest.mark.parametrize(("cloned", "second"), [("best", 0), ("safe", 1)])
def test_the_best_policy_that_both_ensembles_predict_to_be_safe_is_kept(build, monkeypatch, cloned, second):
    """The training ensemble sets the gate's cost; the lower of both scores selects.

    An unsafe policy with a higher score does not replace a clone of the best trajectories; it replaces other clones.
    """
    words = (
        "--gate.k",
        "1",
        "--gate.min-length-ratio",
        "0.5",
        "--gate.max-model-error",
        "1e9",
        "--clone.trajectories",
        cloned,
    )
    words += ("--gate.estimator", "episode")
    experiment = build("--cost-limits", str(LIMIT), *words)
    method = experiment.method
    # Cost and return predicted by the training and by the held-out member.
    predictions = [
        ((0, 999), (50, 900)),  # unsafe to one of them
        ((30, 10), (9, 999)),  # less unsafe
        ((8, 100), (8, 900)),  # safe to both
        ((1, 900), (10.5, 900)),  # unsafe to the other
        ((9.5, 300), (9.5, 400)),  # both predict more return than at step 2
        ((1, 999), (1, 299)),  # one predicts less return than at step 4
    ]
    remaining = iter(predictions)

    def rollout(act, starts=None):
        if starts is not None:
            return Outcomes(*torch.ones(5, 1, 2))
        cost, reward = torch.tensor(next(remaining), dtype=torch.float32).unsqueeze(0).unbind(2)
        return Outcomes(cost, reward, torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))

    monkeypatch.setattr(experiment.dynamics, "rollout", rollout)
    kept = []
    method.evaluation.start()
    for step, (training, held_out) in enumerate(predictions):
        method.actor.ema.fill_(float(step))
        metrics = method.evaluation.evaluate_policy(step)
        assert method.gate.cost.item() == metrics["training_cost"].item() == training[0]
        assert metrics["predicted_cost"].item() == held_out[0]
        kept.append(method.selection.chosen[0, 0].item())
    assert kept == [0, second, 2, 2, 4, 4]
    assert method.report()["chosen_step"] == [4]


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(
    ("off_return", "off_cost", "trusted"),
    [
        (0.0, 0.0, True),
        (0.19, 0.0, True),
        (-0.21, 0.0, False),
        (0.21, 0.0, False),
        (0.0, 0.19, True),
        (0.0, 0.21, False),
    ],
)
def test_the_clone_is_kept_where_the_data_contradict_an_ensembles_prediction_for_it(
    build, monkeypatch, half, off_return, off_cost, trusted
):
    words = ("--gate.max-model-error", "0.2", "--gate.min-length-ratio", "0", "--gate.estimator", "episode")
    experiment = build("--cost-limits", str(LIMIT), *words)
    method, data = experiment.method, experiment.data
    cloned = Selection("best").choose(data, LIMIT)
    true_return, true_cost = data.trajectory_returns[cloned].mean(), data.trajectory_costs[cloned].mean()
    spread = np.ptp(data.trajectory_returns)

    start_states = experiment.replay.observations[torch.from_numpy(data.starts[cloned])]
    given_starts = []

    def rollout(act, starts=None):
        if starts is not None:
            given_starts.append(starts)
        if starts is None:  # a policy with a high predicted return, unlike the clone
            return Outcomes(
                torch.zeros(1, 2), torch.full((1, 2), 1e4 + step), torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2)
            )
        cost, reward = torch.full((1, 2), float(true_cost)), torch.full((1, 2), float(true_return))
        cost[0, half] += off_cost * 1000 * data.costs.max()
        reward[0, half] += off_return * spread
        return Outcomes(cost, reward, torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))

    monkeypatch.setattr(experiment.dynamics, "rollout", rollout)
    method.actor.ema.fill_(0.0)
    method.evaluation.start()
    for step in (0, 50):
        method.actor.ema.fill_(float(step))
        method.evaluation.evaluate_policy(step)
    assert (
        method.report() | {"chosen_step": [50.0 if trusted else 0.0], "dynamics_trusted": [trusted]} == method.report()
    )
    (starts,) = given_starts
    episodes = experiment.settings.dynamics.episodes
    assert starts.shape == (1, episodes, data.observations.shape[1])
    assert torch.equal(starts[0], start_states.repeat(episodes, 1)[:episodes])
    assert method.selection.chosen.unique().tolist() == [50.0 if trusted else 0.0]
    assert torch.equal(method.tensors()["trusted"], torch.tensor([trusted]))
    assert [line[:16] for line in method.remarks()[1:]] == ([] if trusted else ["seed 0, limit 10"])


@pytest.mark.parametrize("settings", [{"min_length_ratio": 1.1}, {"max_disagreement": 0.0}, {"max_model_error": -0.1}])
def test_impossible_selection_settings_are_rejected(settings):
    with pytest.raises(InputError, match="accepted"):
        GateConfig(**settings)


def test_settings_that_use_dynamics_are_rejected_without_them(build):
    with pytest.raises(InputError, match="trains no dynamics"):
        build("--dynamics.steps", "0", "--gate.kind", "ucb")
    assert build("--dynamics.steps", "0", "--gate.kind", "ucb", "--gate.select", "last").method is not None


def test_the_policy_after_the_last_step_is_evaluated_and_selected_where_it_is_better(build, monkeypatch):
    experiment = build("--cost-limits", str(LIMIT), "--gate.estimator", "episode", "--gate.max-model-error", "1e9")
    method, phase = experiment.method, experiment.method.phases()[-1]

    def rollout(act, starts=None):  # the return is the parameters' value, and no cost
        value = torch.full((1, 2), method.actor.ema[0, 0].item())
        return Outcomes(torch.zeros(1, 2), value, torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))

    monkeypatch.setattr(experiment.dynamics, "rollout", rollout)
    for last, chosen in ((900.0, 900.0), (600.0, 800.0)):
        phase.on_start()
        for step, value in ((0, 700.0), (50, 800.0)):
            method.actor.ema.fill_(value)
            method.evaluation.evaluate_policy(step)
        method.actor.ema.fill_(last)
        phase.on_end()
        assert method.selection.chosen.unique().tolist() == [chosen]
        assert method.report()["chosen_step"] == [phase.steps if chosen == last else 50]


@pytest.mark.slow
@unchecked()
def test_the_last_evaluation_plays_no_simulator_episode(build):
    experiment = build("--cost-limits", str(LIMIT), "--gate.kind", "simulator", "--online.episodes", "1")
    experiment.method.phases()[-1].on_end()
    assert experiment.problem.simulator.episodes.tolist() == [0]


@pytest.mark.slow
@unchecked()
def test_the_clone_is_rolled_out_once_for_the_model_error_and_step_0(build, monkeypatch):
    """The estimates of step 0 are those of a second rollout."""
    experiment = build("--cost-limits", str(LIMIT))
    evaluation, rollout, calls = experiment.method.evaluation, experiment.dynamics.rollout, []
    monkeypatch.setattr(experiment.dynamics, "rollout", lambda *args: calls.append(args) or rollout(*args))
    experiment.method.phases()[-1].on_start()
    metrics = evaluation.evaluate_policy(0)
    assert len(calls) == 2  # the short rollouts and the whole episodes
    for name, value in evaluation.evaluate_policy(0).items():
        assert torch.equal(value, metrics[name])
    assert len(calls) == 4

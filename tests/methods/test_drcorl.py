"""deep.methods.drcorl.drcorl: which gradient each region follows, what the gates compare, which policy is kept."""

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.data.selection import Selection
from deep.methods.drcorl.gate import GateConfig, gate_cost, selection_score
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import Outcomes
from tests.support.lighter import short_episodes
from theory.support.errors import InputError

LIMIT = 10.0


def adapted(build, gate: float, spoil: str | None = None, *options: str) -> torch.Tensor:
    """The policy's parameters after one step of adaptation with this value of the gate, one critic spoilt."""
    experiment = build("--cost-limits", str(LIMIT), "--seeds", "1", *options)
    method = experiment.method
    phase = method.phases()[-1]
    assert phase.name == "adaptation"
    phase.on_start()
    critics = {"reward": method.reward.q, "cost": method.costs[0].q}
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


@short_episodes()
def test_the_step_ascends_reward_and_descends_cost(build):
    """With beta large the KL is negligible, and the chosen actions move along +grad Q_r or -grad Q_c."""
    for gate, critic, sign in ((0.0, "reward", 1), (5 * LIMIT, "costs", -1)):
        experiment = build(
            "--cost-limits", str(LIMIT), "--adaptation.temperature.c0", "1000", "--adaptation-rate", "1e-3"
        )
        method = experiment.method
        phase = method.phases()[-1]
        phase.on_start()
        method.gate.cost.fill_(gate)
        observations = experiment.replay.observations[:200].unsqueeze(0)
        before = method.gate.act(observations)
        part = getattr(method, critic)
        slope = (part[0] if critic == "costs" else part).action_gradient(observations, before)
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
    for parameters in (method.clone, method.clone_costs[0].q):
        noise = torch.randn(parameters.theta.shape, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            parameters.theta.add_(noise)
            parameters.ema.sub_(noise)
    method.phases()[-1].on_start()
    rows = [0, 0, 1, 1] if condition == "none" else [0, 1, 2, 3]
    for ours, pretrained in ((method.actor, method.clone), (method.costs[0].q, method.clone_costs[0].q)):
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
        found.append((experiment.method.costs[0].q.theta.clone(), experiment.method.reward.q.theta.clone()))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize("states", ["data", "start"])
@pytest.mark.parametrize("gamma", [0.99, 0.9999])
def test_the_ucb_gate_is_an_episodes_cost(build, states, gamma):
    """At .9999 an episode of 1000 steps is a tenth of what critics see that bootstrap through time-outs."""
    words = ("--gate.kind", "ucb", "--gate.states", states, "--gate.k", "2", "--gamma", str(gamma))
    experiment = build("--cost-limits", "4", "9", *words)
    method = experiment.method
    critic = method.costs[1]
    with torch.no_grad():  # constant critics: member values .2 and .4 of the unit 1 / (1 - gamma)
        critic.q.ema.zero_()
        members = critic.q.ema.unflatten(1, (2, -1))
        members[:, 0, -1], members[:, 1, -1] = 0.2, 0.4
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    method.gate.upper_confidence(critic, observations, torch.zeros(2, 16, 3))
    expected = (0.3 + 2 * 0.1) * 1000
    assert method.gate.cost.tolist() == pytest.approx([expected, expected], rel=1e-5)


def predicted(cost: float, deviation: float = 0.0, reward: float = 0.0, length: float = 1000.0, ood_score: float = 1.0):
    """An estimate for one replica."""
    numbers = (cost, deviation, 0.0, 2 * cost, reward, length, ood_score)
    return Estimate(*(torch.tensor([number]) for number in numbers))


def test_the_gate_takes_the_upper_bound_and_more_where_the_models_know_nothing():
    config, limits = GateConfig(k=2.0, max_disagreement=2.0), torch.tensor([LIMIT], dtype=torch.float64)
    for estimate, expected in (
        (predicted(4, 1.5), 7),
        (predicted(4, 1.5, ood_score=2.0), 7),
        (predicted(4, 1.5, ood_score=3.0), 1.5 * LIMIT),
        (predicted(90, 1.5, ood_score=3.0), 93),
    ):
        assert gate_cost(estimate, limits, config).item() == pytest.approx(expected)
    assert gate_cost(predicted(0, ood_score=3.0), torch.zeros(1).double(), config).item() == 1.5


def test_merit_ranks_safe_policies_by_return_and_others_by_what_speaks_against_them():
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
def test_the_best_policy_that_is_foretold_to_be_safe_is_kept(build, monkeypatch, cloned, second):
    """The steering member sets the gate; the more sceptical one decides what is kept.

    A clone of the best trajectories does not give way to a policy that is unsafe and less so; another clone does.
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
    # Cost and return, in the eyes of the steering and of the judging member.
    seen = [
        ((0, 999), (50, 900)),  # unsafe to one of them
        ((30, 10), (9, 999)),  # less unsafe
        ((8, 100), (8, 900)),  # safe to both
        ((1, 900), (10.5, 900)),  # unsafe to the other
        ((9.5, 300), (9.5, 400)),  # both promise more than at step 2
        ((1, 999), (1, 299)),  # one promises less than at step 4
    ]
    looks = iter(seen)

    def rollout(act, starts=None):
        if starts is not None:
            return Outcomes(*torch.ones(5, 1, 2))
        cost, reward = torch.tensor(next(looks), dtype=torch.float32).unsqueeze(0).unbind(2)
        return Outcomes(cost, reward, torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))

    monkeypatch.setattr(experiment.dynamics, "rollout", rollout)
    kept = []
    method.gate.begin()
    for step, (steering, judging) in enumerate(seen):
        method.actor.ema.fill_(float(step))
        metrics = method.gate.evaluate_policy(step)
        assert method.gate.cost.item() == metrics["training_cost"].item() == steering[0]
        assert metrics["predicted_cost"].item() == judging[0]
        kept.append(method.gate.chosen[0, 0].item())
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
def test_the_clone_is_kept_where_a_half_contradicts_the_data_about_it(
    build, monkeypatch, half, off_return, off_cost, trusted
):
    words = ("--gate.max-model-error", "0.2", "--gate.min-length-ratio", "0", "--gate.estimator", "episode")
    experiment = build("--cost-limits", str(LIMIT), *words)
    method, data = experiment.method, experiment.data
    cloned = Selection("best").choose(data, LIMIT)
    true_return, true_cost = data.trajectory_returns[cloned].mean(), data.trajectory_costs[cloned].mean()
    spread = np.ptp(data.trajectory_returns)

    began = experiment.replay.observations[torch.from_numpy(data.starts[cloned])]
    asked = []

    def rollout(act, starts=None):
        if starts is not None:
            asked.append(starts)
        if starts is None:  # a promising policy, unlike what is known of the clone
            return Outcomes(
                torch.zeros(1, 2), torch.full((1, 2), 1e4 + step), torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2)
            )
        cost, reward = torch.full((1, 2), float(true_cost)), torch.full((1, 2), float(true_return))
        cost[0, half] += off_cost * 1000 * data.costs.max()
        reward[0, half] += off_return * spread
        return Outcomes(cost, reward, torch.full((1, 2), 1000.0), *torch.ones(2, 1, 2))

    monkeypatch.setattr(experiment.dynamics, "rollout", rollout)
    method.actor.ema.fill_(0.0)
    method.gate.begin()
    for step in (0, 50):
        method.actor.ema.fill_(float(step))
        method.gate.evaluate_policy(step)
    assert (
        method.report() | {"chosen_step": [50.0 if trusted else 0.0], "dynamics_trusted": [trusted]} == method.report()
    )
    (starts,) = asked
    episodes = experiment.settings.dynamics.episodes
    assert starts.shape == (1, episodes, data.observations.shape[1])
    assert torch.equal(starts[0], began.repeat(episodes, 1)[:episodes])
    assert method.gate.chosen.unique().tolist() == [50.0 if trusted else 0.0]
    assert torch.equal(method.tensors()["trusted"], torch.tensor([trusted]))
    assert [line[:16] for line in method.remarks()[1:]] == ([] if trusted else ["seed 0, limit 10"])


@pytest.mark.parametrize(
    "words", [("--gate.min-length-ratio", "1.1"), ("--gate.max-disagreement", "0"), ("--gate.max-model-error", "-0.1")]
)
def test_impossible_judgements_are_refused(build, words):
    with pytest.raises(InputError, match="accepted"):
        build(*words)


def test_what_needs_dynamics_is_refused_without_them(build):
    with pytest.raises(InputError, match="trains no dynamics"):
        build("--dynamics.steps", "0", "--gate.kind", "ucb")
    assert build("--dynamics.steps", "0", "--gate.kind", "ucb", "--gate.select", "last").method is not None

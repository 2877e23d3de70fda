"""deep.algorithms.drcorl: which gradient each region follows, what the gates compare, which policy is kept."""

import pytest
import torch

from deep.estimates import Estimate
from deep.randomness import draw_block
from theory.errors import InputError

LIMIT = 10.0


def adapted(build, gate: float, spoil: str | None = None, *options: str) -> torch.Tensor:
    """The policy's parameters after one step of adaptation with this value of the gate, one critic spoilt."""
    experiment = build("--cost-limits", str(LIMIT), "--seeds", "1", *options)
    method = experiment.method
    phase = method.phases()[-1]
    assert phase.name == "adaptation"
    phase.begin()
    critics = {"reward": method.reward.q, "cost": method.costs[0].q}
    if spoil is not None:
        with torch.no_grad():
            for tensor in (critics[spoil].theta, critics[spoil].average):
                tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(5)))
    method.gate.cost.fill_(gate)
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
    return method.actor.theta.detach().clone()


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


def test_the_step_ascends_reward_and_descends_cost(build):
    """With beta large the KL is negligible, and the chosen actions move along +grad Q_r or -grad Q_c."""
    for gate, critic, sign in ((0.0, "reward", 1), (5 * LIMIT, "costs", -1)):
        experiment = build(
            "--cost-limits", str(LIMIT), "--adaptation.temperature.c0", "1000", "--adaptation-rate", "1e-3"
        )
        method = experiment.method
        phase = method.phases()[-1]
        phase.begin()
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
    experiment = build("--seeds", "1", "2", "--cost-limits", "4", "9", "--behaviour.condition", condition)
    method = experiment.method
    for parameters in (method.clone, method.clone_costs[0].q):
        noise = torch.randn(parameters.theta.shape, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            parameters.theta.add_(noise)
            parameters.average.sub_(noise)
    method.phases()[-1].begin()
    rows = [0, 0, 1, 1] if condition == "none" else [0, 1, 2, 3]
    for ours, pretrained in ((method.actor, method.clone), (method.costs[0].q, method.clone_costs[0].q)):
        assert torch.equal(ours.theta, pretrained.theta[rows])
        assert torch.equal(ours.average, pretrained.average[rows])


def test_adaptation_bootstraps_and_does_not_regress_on_the_datas_sums(build):
    found = []
    for sums in (0.0, 1e3):
        experiment = build("--cost-limits", "9", "--seeds", "1")
        experiment.replay.cost_to_go.fill_(sums)
        experiment.replay.reward_to_go.fill_(sums)
        phase = experiment.phases()[-1]
        phase.begin()
        draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
        phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
        found.append((experiment.method.costs[0].q.theta.clone(), experiment.method.reward.q.theta.clone()))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize(("states", "factor"), [("data", 1.0), ("start", 1 / (1 - 0.99**1000))])
def test_the_ucb_gate_is_an_episodes_cost(build, states, factor):
    experiment = build("--cost-limits", "4", "9", "--gate.kind", "ucb", "--gate.states", states, "--gate.k", "2")
    method = experiment.method
    critic = method.costs[1]
    with torch.no_grad():  # constant critics: member values .2 and .4 of the unit 1 / (1 - gamma)
        critic.q.average.zero_()
        members = critic.q.average.unflatten(1, (2, -1))
        members[:, 0, -1], members[:, 1, -1] = 0.2, 0.4
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    method.gate.upper_confidence(critic, observations, torch.zeros(2, 16, 3))
    expected = (0.3 + 2 * 0.1) * 1000 * factor
    assert method.gate.cost.tolist() == pytest.approx([expected, expected], rel=1e-5)


def test_the_best_policy_that_is_foretold_to_be_safe_is_kept(build, monkeypatch):
    experiment = build("--cost-limits", str(LIMIT), "--gate.k", "1")
    method = experiment.method
    foretold = iter(
        # cost, its deviation, return; what should then be kept
        [
            (50.0, 0.0, 900.0),
            (30.0, 0.0, 10.0),
            (8.0, 1.0, 100.0),
            (9.0, 2.0, 500.0),
            (9.5, 0.5, 300.0),
            (1.0, 0.0, 299.0),
        ]
    )

    def estimate(act):
        cost, deviation, reward = (torch.tensor([x]) for x in next(foretold))
        return Estimate(cost, deviation, reward, torch.tensor([1000.0]))

    monkeypatch.setattr(experiment.dynamics, "estimate", estimate)
    kept = []
    for step in range(6):
        method.actor.average.fill_(float(step))
        method.gate.look(step)
        kept.append(method.gate.chosen[0, 0].item())
    # Least cost while none is safe; then the best return among the safe: 9 + 2 is not, 9.5 + .5 just is.
    assert kept == [0, 1, 2, 2, 4, 4]
    assert method.report()["chosen_step"] == [4]
    assert method.gate.cost.item() == 1.0


def test_what_needs_dynamics_is_refused_without_them(build):
    with pytest.raises(InputError, match="trains no dynamics"):
        build("--dynamics.steps", "0", "--gate.kind", "ucb")
    assert build("--dynamics.steps", "0", "--gate.kind", "ucb", "--gate.choose", "last").method is not None

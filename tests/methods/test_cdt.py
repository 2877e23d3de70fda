"""deep.methods.sequence: relabelled trajectories, the loss, the memory of the policy, and a budget that matters."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deep.data.dataset import OfflineDataset
from deep.methods.sequence.cdt import CDT, masked_mean
from deep.methods.sequence.memory import CDTPolicy
from deep.methods.sequence.relabelling import Table, augmented, entries, safe_region
from deep.methods.sequence.tokens import Steps, gaussian_entropy, gaussian_log_density
from deep.runs.experiment import Experiment
from deep.tasks import find_task
from deep.training import parse, settings_of
from tests.support.builders import small_dataset
from tests.support.lighter import unchecked
from theory.support.errors import InputError

SMALL = "--history 3 --width 16 --heads 2 --blocks 2 --batch-size 32 --device cpu".split()
LENGTH = 40


def experiment(*options: str, data: OfflineDataset | None = None, algorithm: str = "cdt", limits="4 60") -> Experiment:
    words = ["--algorithm", algorithm, *SMALL, "--seeds", "0", "1", "--cost-limits", *limits.split(), *options]
    task = replace(find_task("HopperVel"), episode_length=LENGTH)
    return Experiment(settings_of(parse(words)), task, data or small_dataset())


def learner(run: Experiment) -> CDT:
    assert isinstance(run.method, CDT)
    return run.method


def budget_data(cost: float = 10, trajectories: int = 60, steps: int = LENGTH) -> OfflineDataset:
    """Every trajectory costs 0 or `cost` at its end, and its actions tell which: 1/2 where it is still to come, -1/2
    else.

    States say nothing, so that the cost to go alone decides.
    """
    rng = np.random.default_rng(0)
    states = rng.normal(size=(trajectories, steps + 1, 11)).astype(np.float32)
    costly = np.arange(trajectories) % 2 == 0
    costs = np.zeros((trajectories, steps), dtype=np.float32)
    costs[costly, -1] = cost
    actions = np.where(costly, 0.5, -0.5)[:, None, None] * np.ones((1, steps, 3))
    timeouts = np.zeros(trajectories * steps, dtype=bool)
    timeouts[steps - 1 :: steps] = True
    flat = lambda x: x.reshape(trajectories * steps, -1).astype(np.float32)  # noqa: E731
    return OfflineDataset(
        "HopperVel",
        flat(states[:, :-1]),
        flat(states[:, 1:]),
        flat(actions),
        np.ones(trajectories * steps, dtype=np.float32),
        costs.ravel(),
        np.zeros(trajectories * steps, dtype=bool),
        timeouts,
    )


def trained(run: Experiment, steps: int) -> Experiment:
    from deep.core.randomness import draw_block

    (phase,) = learner(run).phases()
    for block in range(steps // 50):
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, run.device)
        for step in range(50):
            phase.update(torch.tensor(50.0 * block + step), {name: x[step] for name, x in draws.items()})
    return run


def actions_at_two_limits(*options: str, algorithm: str, cost: float, limits: str) -> tuple[torch.Tensor, torch.Tensor]:
    steps = "--steps 600 --warm-up 20 --learning-rate 3e-3".split()
    run = trained(experiment(*steps, *options, data=budget_data(cost), algorithm=algorithm, limits=limits), 600)
    policy = run.policy()
    action, _ = policy.act(policy.start(5), run.replay.observations[:5].expand(4, -1, -1))
    return action[0::2], action[1::2]


@pytest.mark.slow
@unchecked()
def test_the_budget_decides_where_the_data_say_so():
    """One model: -1/2 at the limit 0, +1/2 at the limit 10, for every seed."""
    at_0, at_10 = actions_at_two_limits("--augmented-share", "0", algorithm="cdt", cost=10, limits="0 10")
    assert (at_0 + 0.5).abs().max() < 0.2
    assert (at_10 - 0.5).abs().max() < 0.2


@pytest.mark.exhaustive
@unchecked()
def test_a_budget_also_stands_for_trajectories_that_do_not_use_it():
    """B2R: at the limit 150 a third of the examples cost nothing, and the mean action is not that of the others."""
    at_0, at_150 = actions_at_two_limits(algorithm="b2r", cost=80, limits="0 150")
    assert (at_0 + 0.5).abs().max() < 0.25
    assert -0.1 < at_150.mean() < 0.42, "one sixth in expectation; 1/2 without the relabelling"


def test_the_density_and_entropy_are_torchs():
    rng = np.random.default_rng(0)
    actions, mean, log_std = (torch.from_numpy(rng.normal(size=(2, 3, 4, 5))) for _ in range(3))
    normal = torch.distributions.Normal(mean, log_std.exp())
    torch.testing.assert_close(gaussian_log_density(actions, mean, log_std), normal.log_prob(actions).sum(-1))
    torch.testing.assert_close(gaussian_entropy(log_std), normal.entropy().sum(-1))


def test_steps_after_the_end_have_no_gradient():
    run = experiment()
    method = learner(run)
    last = torch.from_numpy(run.data.ends[:2]).expand(2, -1)
    window = method.sequences.windows(last, 3)
    assert window.valid[..., 0].all()
    assert not window.valid[..., 1:].any()
    given = (window.observations, window.actions, window.return_to_go, window.cost_to_go)
    inputs = tuple(x.clone().requires_grad_(True) for x in given)
    observations, actions, returns, costs = inputs
    steps = Steps(observations, actions, returns, costs, window.time, window.valid)
    heads = method.network.apply(method.model.theta, steps)
    masked_mean(heads.mean.sum(-1) + heads.cost_logit, window.valid).sum().backward()
    for x in inputs:
        assert x.grad is not None
        assert (x.grad[:, :, 1:] == 0).all()
        assert (x.grad[:, :, 0] != 0).any()
    heads.mean.sum()  # the mean over all steps would have let them in


def test_the_mean_over_valid_steps():
    x = torch.tensor([[[1.0, 2.0], [3.0, 100.0]], [[5.0, 7.0], [100.0, 100.0]]])
    valid = torch.tensor([[[True, True], [True, False]], [[True, True], [False, False]]])
    assert masked_mean(x, valid).tolist() == [2.0, 6.0]


def test_return_and_cost_tokens_fall_by_what_was_earned_and_spent():
    run = experiment("--return-targets", "5", "9")
    policy = run.policy()
    assert isinstance(policy, CDTPolicy)
    state = policy.start(2)
    assert state.next_return[:, 0].tolist() == [5, 9, 5, 9]
    assert state.next_cost[:, 1].tolist() == [4, 60, 4, 60]
    observations = run.replay.observations[:2].expand(4, -1, -1)
    action, state = policy.act(state, observations)
    assert state.return_to_go[:, 0, -1].tolist() == [5, 9, 5, 9]
    torch.testing.assert_close(state.actions[:, :, -1], action)
    rewards, costs = torch.tensor([[1.0, 2.0]] * 4), torch.tensor([[0.0, 1.0]] * 4)
    state = policy.observe(state, rewards, costs, torch.zeros(4, 2, dtype=torch.bool))
    assert state.next_return.tolist() == [[4, 3], [8, 7], [4, 3], [8, 7]]
    assert state.next_cost.tolist() == [[4, 3], [60, 59], [4, 3], [60, 59]]
    _, later = policy.act(state, observations)
    assert later.steps.tolist() == [[2, 2]] * 4
    assert later.return_to_go[0].tolist() == [[0, 5, 4], [0, 5, 3]]


def test_a_full_memory_acts_as_the_network_on_the_last_steps_and_a_short_one_as_on_fewer():
    """Padding on the left, as the policy has it, changes nothing; times count from the episode's first step."""
    run = experiment(limits="60")
    method, policy = learner(run), run.policy()
    with torch.no_grad():  # the table of times is zero at the start: make times matter
        method.model.theta += 0.1 * torch.from_numpy(np.random.default_rng(0).normal(size=method.model.theta.shape))
    state, seen = policy.start(1), []
    for t in range(5):
        observations = run.replay.observations[t].expand(2, 1, -1)
        to_go = torch.stack([state.next_return, state.next_cost])
        action, state = policy.act(state, observations)
        seen.append((observations, action, to_go))
        state = policy.observe(state, torch.full((2, 1), 0.5), torch.ones(2, 1), torch.zeros(2, 1, dtype=torch.bool))
        window = seen[-3:]
        steps = Steps(
            torch.stack([o for o, _, _ in window], 2),
            torch.stack([a for _, a, _ in window[:-1]] + [torch.zeros_like(action)], 2),
            method.units.returns(torch.stack([g[0] for _, _, g in window], 2)),
            method.units.costs(torch.stack([g[1] for _, _, g in window], 2)),
            torch.arange(t + 1)[-3:].expand(2, 1, -1),
            torch.ones(2, 1, len(window), dtype=torch.bool),
        )
        expected = method.network.apply(method.model.theta, steps).mean[:, :, -1].clamp(-1, 1)
        torch.testing.assert_close(action, expected, msg=f"step {t}")


def test_two_episodes_do_not_disturb_each_other():
    run = experiment()
    policy = run.policy()
    state, observations = policy.start(2), run.replay.observations[:2].expand(4, -1, -1)
    before, _ = policy.act(state, observations)
    policy.act(
        policy.observe(
            policy.act(state, observations)[1], torch.ones(4, 2), torch.ones(4, 2), torch.zeros(4, 2, dtype=torch.bool)
        ),
        observations,
    )
    again, _ = policy.act(policy.start(2), observations)
    assert torch.equal(before, again)


def test_relabelled_trajectories_show_the_best_that_the_budget_affords():
    data = small_dataset(trajectories=30)
    (table,) = augmented(data, 0.5, (0,), None)
    assert len(table.trajectories) == 45
    assert (table.return_shift[:30] == 0).all()
    assert (table.least_shift[:30] == 0).all()
    for trajectory, more, less in zip(
        table.trajectories[30:], table.return_shift[30:], table.least_shift[30:], strict=True
    ):
        budget = data.trajectory_costs[trajectory] + less
        within = data.trajectory_costs <= budget
        assert data.trajectory_returns[trajectory] == data.trajectory_returns[within].max()
        assert less >= 0
        assert more >= 0
    (weighted,) = augmented(data, 0.0, (0,), 10.0)
    np.testing.assert_allclose(weighted.weights, np.maximum(10 - data.trajectory_costs, 0))


def test_a_budget_of_the_safe_region_lies_between_the_cost_and_the_largest():
    data = small_dataset(trajectories=30)
    largest = 20.0
    kept = np.flatnonzero(data.trajectory_costs <= largest)
    assert 0 < len(kept) < 30
    table = entries(safe_region(data, largest, (0, 1)), torch.zeros(1))
    uniform = torch.linspace(0, 1 - 1e-6, 3001).expand(2, -1)
    trajectories, more, shift = table.draw(uniform, uniform.flip(1))
    assert (more == 0).all()
    budgets = torch.from_numpy(data.trajectory_costs)[trajectories] + shift
    assert (shift >= 0).all()
    assert budgets.max() <= largest + 1e-4
    counts = torch.bincount(trajectories[0], minlength=30)
    assert (counts[kept] - 3001 / len(kept)).abs().max() <= 1
    assert counts.sum() == counts[kept].sum()
    with pytest.raises(InputError, match="no trajectory costs at most -1"):
        safe_region(data, -1.0, (0,))


def test_entries_are_drawn_in_proportion_to_their_weights():
    zero = np.zeros(3)
    weights = np.array([1.0, 0.0, 3.0])
    table = entries([Table(weights, np.arange(3), zero, zero, zero)], torch.zeros(1))
    uniform = torch.linspace(0, 1 - 1e-6, 4000).unsqueeze(0)
    trajectories, _, _ = table.draw(uniform, uniform)
    assert torch.bincount(trajectories[0], minlength=3).tolist() == pytest.approx([1000, 0, 3000], abs=1)
    with pytest.raises(InputError, match="no trajectory is cheap enough"):
        entries([Table(0 * weights, np.arange(3), zero, zero, zero)], torch.zeros(1))


def test_the_return_to_ask_for_is_the_best_within_the_limit():
    run = experiment()
    costs, returns = run.data.trajectory_costs, run.data.trajectory_returns
    expected = [returns[costs <= limit].max() for limit in (4, 60)]
    assert learner(run).targets.tolist() == pytest.approx(expected * 2)
    quantile = learner(experiment(algorithm="b2r")).targets.tolist()
    assert quantile == pytest.approx([np.quantile(returns[costs <= limit], 0.9) for limit in (4, 60)] * 2)
    assert quantile != pytest.approx(expected * 2)


def test_the_public_units():
    run = experiment("--variant", "public")
    assert learner(run).units.returns(torch.tensor(30.0)).item() == pytest.approx(3)
    assert learner(run).units.costs(torch.tensor(30.0)).item() == 20
    corrected = learner(experiment()).units
    assert corrected.costs(torch.tensor(80.0)).item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--return-targets", "1"], "--return-targets has 1 numbers for 2 cost limits"),
        (["--width", "10"], "width 10 with 2 heads: accepted is a multiple of 4"),
    ],
)
def test_options_that_do_not_fit_are_rejected(options, sentence):
    with pytest.raises(InputError, match=sentence):
        experiment(*options)


def test_every_seed_has_relabelled_trajectories_of_its_own():
    data = small_dataset()
    tables = augmented(data, 0.5, (3, 4), None)
    for seed, table in zip((3, 4), tables, strict=True):
        (alone,) = augmented(data, 0.5, (seed,), None)
        assert all(np.array_equal(*columns) for columns in zip(table, alone, strict=True))
    assert not np.array_equal(tables[0].most_shift, tables[1].most_shift)

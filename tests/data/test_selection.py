"""Whom DRCORL starts from, where its gradients are taken, and what holds it to the data."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.data.custom import cost_limits
from deep.data.selection import Selection
from deep.tasks import within_limit
from tests.support.builders import two_gaits
from tests.support.lighter import short_episodes
from theory.support.errors import InputError


def drawn(experiment, count: int):
    """The rows that the first batch of the last phase draws, by hand."""
    phase = experiment.method.phases()[count]
    block = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    return phase, {name: value[0] for name, value in block.items()}


def test_the_clone_learns_from_the_chosen_trajectories_alone(build):
    """Changing the actions of every other trajectory changes nothing, as long as it is a regression."""
    thetas = []
    for spoil in (False, True):
        experiment = build("--clone.trajectories", "safe", "--cost-limits", "4")
        if spoil:
            experiment.replay.actions[experiment.replay.episode_cost > 4] = 0.9
        phase, draws = drawn(experiment, 0)
        assert phase.name == "cloning"
        phase.update(torch.tensor(0.0), draws)
        thetas.append(experiment.method.clone.theta.detach().clone())
    torch.testing.assert_close(*thetas)
    experiment = build("--cost-limits", "4", "--clone.trajectories", "all")
    experiment.replay.actions[experiment.replay.episode_cost > 4] = 0.9
    phase, draws = drawn(experiment, 0)
    phase.update(torch.tensor(0.0), draws)
    assert not torch.allclose(experiment.method.clone.theta, thetas[0])


def test_each_limit_has_a_clone_of_its_own_where_the_trajectories_depend_on_it(build):
    words = ("--seeds", "1", "2", "--cost-limits", "4", "60", "--clone.trajectories")
    shared = build(*words, "all").method
    own = build(*words, "best").method
    assert (shared.cloning.index.tolist(), own.cloning.index.tolist()) == ([0, 0, 1, 1], [0, 1, 2, 3])
    assert (len(shared.clone.theta), len(own.clone.theta)) == (2, 4)


def test_the_best_trajectories_do_not_depend_on_the_zero_of_the_returns():
    """With the same reward added to every step of equally long trajectories the choice is the same."""
    data = two_gaits()
    chosen = Selection("best", neighbours=3).choose(data, 0.0).tolist()
    assert chosen[0] == 2
    assert len(chosen) == 3
    for shift in (-30.0, -10.0, 10.0, 1000.0):
        moved = replace(data, rewards=data.rewards + np.float32(shift / 30))
        assert Selection("best", neighbours=3).choose(moved, 0.0).tolist() == chosen
    few = Selection("best", neighbours=6, return_share=0.99)
    assert few.choose(data, 0.0).tolist() != Selection("best", neighbours=6).choose(data, 0.0).tolist()


def test_costs_of_a_tenth_that_add_up_to_the_limit_satisfy_it(dataset):
    """Ten float32 costs of .1 sum to 1.0000000149."""
    tenths = np.zeros_like(dataset.costs)
    for start in dataset.starts:
        tenths[start : start + 10] = 0.1
    data = replace(dataset, costs=tenths)
    assert data.trajectory_costs.min() > 1
    assert len(Selection("safe").choose(data, 1.0)) == len(data.starts)
    with pytest.raises(InputError, match=r"satisfies the cost limit 0\.99: the least cost .* 1\.00000001"):
        Selection("safe").choose(data, 0.99)
    assert cost_limits(data.trajectory_costs) == (1.0,)


def test_the_rule_for_costs_and_limits():
    assert within_limit([0, 1e-30, 1, 1.0000005, 1.00001], [0, 0, 1, 1, 1]).tolist() == [True, False, True, True, False]


@pytest.mark.parametrize("states", ["all", "cloned"])
def test_the_states_of_the_policys_gradients(build, states, monkeypatch):
    experiment = build("--cost-limits", "4", "--clone.trajectories", "safe", "--policy-states", states)
    method, seen = experiment.method, []
    take = method._gradients
    monkeypatch.setattr(method, "_gradients", lambda batch, draws: seen.append(batch) or take(batch, draws))
    phase, draws = drawn(experiment, -1)
    phase.on_start()
    phase.update(torch.tensor(0.0), draws)
    allowed = method.cloning.rows if states == "cloned" else None
    rows = experiment.replay.rows(draws["row"], allowed)
    assert torch.equal(seen[0].observations, experiment.replay.observations[rows])
    costs = experiment.replay.episode_cost[rows]
    assert (costs.max() <= 4) == (states == "cloned")


def test_the_cost_critics_learn_from_all_data_whatever_is_cloned(build):
    """Spoiling the costs of trajectories that are not cloned changes the cost critics."""
    thetas = []
    for spoil in (False, True):
        experiment = build("--cost-limits", "4", "--clone.trajectories", "safe", "--policy-states", "cloned")
        phase, draws = drawn(experiment, -1)
        phase.on_start()
        if spoil:
            experiment.replay.costs[experiment.replay.episode_cost > 4] = 1 - experiment.replay.costs.max()
            experiment.replay.cost_to_go[experiment.replay.episode_cost > 4] = 7
        phase.update(torch.tensor(0.0), draws)
        thetas.append(experiment.method.values.cost[0].q.theta.detach().clone())
    assert not torch.equal(*thetas)


@short_episodes()
@pytest.mark.parametrize("anchor", ["diffusion", "mse", "none"])
def test_what_holds_the_policy_to_the_data(build, anchor):
    experiment = build("--cost-limits", "4", "--policy-states", "all", "--anchor", anchor)
    method = experiment.method
    phase, draws = drawn(experiment, -1)
    phase.on_start()
    batch = experiment.replay.batch(experiment.replay.rows(draws["row"]))
    found = method._gradients(batch, draws)[2]
    theta = method.actor.theta.detach().requires_grad_(True)
    actions, log_std = method.policy.sample(theta, batch.observations, draws["z"])
    distances = {
        "diffusion": method.behaviour.kl(batch.observations, actions, log_std, draws).sum(),
        "mse": ((actions - batch.actions) ** 2).sum() / batch.actions[0].numel(),
        "none": 0 * actions.sum(),
    }
    torch.testing.assert_close(found, torch.autograd.grad(distances[anchor], theta)[0])
    assert (found.abs().max() == 0) == (anchor == "none")

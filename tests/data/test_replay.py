"""deep.data.replay: normalised transitions, discounted sums with both kinds of ends, rows that replicas may draw."""

import dataclasses

import numpy as np
import pytest
import torch

from deep.data.replay import Replay, RowTable, discounted_to_go

CPU = torch.device("cpu")


def test_batches_are_the_datas_own_transitions_normalised(dataset):
    replay = Replay(dataset, 0.9, 2.0, CPU)
    rows = torch.tensor([[0, 5, len(dataset) - 1]])
    batch = replay.batch(rows)
    index = rows[0].numpy()
    for name in ("observations", "next_observations"):
        raw = getattr(batch, name)[0] * replay.std + replay.mean
        torch.testing.assert_close(raw, torch.from_numpy(getattr(dataset, name)[index]))
    assert replay.observations.mean(0).abs().max() < 1e-5
    torch.testing.assert_close(replay.observations.std(0), torch.ones(11), atol=0.01, rtol=0)
    torch.testing.assert_close(replay.normalise(torch.from_numpy(dataset.observations)), replay.observations)
    torch.testing.assert_close(batch.rewards[0], 2 * torch.from_numpy(dataset.rewards[index]))
    torch.testing.assert_close(batch.costs[0], torch.from_numpy(dataset.costs[index]))
    assert batch.not_terminal[0].tolist() == [1 - float(dataset.terminals[i]) for i in index]
    costs = dict(zip(dataset.starts.tolist(), dataset.trajectory_costs.tolist(), strict=True))
    assert all(replay.episode_cost[start].item() == cost for start, cost in costs.items())


def test_a_constant_dimension_is_left_unscaled(dataset):
    flat = dataset.observations.copy()
    flat[:, 3] = 4.0
    replay = Replay(dataclasses.replace(dataset, observations=flat), 0.9, 1.0, CPU)
    assert replay.observations.isfinite().all()
    assert replay.observations[:, 3].abs().max() == 0


def test_observations_can_be_left_as_they_are(dataset):
    replay = Replay(dataset, 0.9, 1.0, CPU, normalise_states=False)
    raw = torch.from_numpy(dataset.observations)
    assert torch.equal(replay.observations, raw)
    assert torch.equal(replay.normalise(raw), raw)
    assert torch.equal(replay.next_observations, torch.from_numpy(dataset.next_observations))


def test_discounted_sums_by_hand(dataset):
    gamma = 0.5
    found = discounted_to_go(dataset, dataset.rewards, gamma)
    kinds = set()
    for start, length in zip(dataset.starts, dataset.lengths, strict=True):
        rewards = dataset.rewards[start : start + length].astype(float)
        terminal = bool(dataset.terminals[start + length - 1])
        kinds.add(terminal)
        # Independent route: a power series, with the mean rate going on for ever after a time-out.
        powers = gamma ** np.arange(length)
        beyond = 0.0 if terminal else gamma**length * rewards.mean() / (1 - gamma)
        assert found[start] == pytest.approx(rewards @ powers + beyond)
        last = 0.0 if terminal else gamma * rewards.mean() / (1 - gamma)
        assert found[start + length - 1] == pytest.approx(rewards[-1] + last)
    assert kinds == {True, False}


def test_rows_cover_what_is_allowed_and_nothing_else(dataset):
    replay = Replay(dataset, 0.9, 1.0, CPU)
    uniform = torch.linspace(0, 1 - 1e-7, 4000).expand(2, -1)
    assert set(replay.rows(uniform)[0].tolist()) == set(range(len(dataset)))
    rows = replay.rows(uniform, RowTable.of([np.array([4, 5]), np.array([7, 8, 9])], CPU))
    assert set(rows[0].tolist()) == {4, 5}
    assert set(rows[1].tolist()) == {7, 8, 9}


@pytest.mark.parametrize(("words", "normalised"), [([], True), (["--no-normalise-states"], False)])
def test_an_experiments_states_are_normalised_unless_told_otherwise(build, words, normalised):
    experiment = build("--algorithm", "bc_all", *words)
    raw = torch.from_numpy(experiment.data.observations)
    assert torch.equal(experiment.replay.observations, raw) != normalised

"""deep.data.replay: normalised transitions, discounted sums with both kinds of ends, rows that replicas may draw."""

import dataclasses

import numpy as np
import pytest
import torch

from deep.data.dataset import KEYS
from deep.data.replay import Replay, RowTable, discounted_to_go, moments
from theory.support.errors import InputError

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


def test_statistics_are_those_of_float64_over_a_million_rows():
    """Summed in float32, a feature at 1000 +- .1 has the mean 1008.9 and the deviation 8.9."""
    rows = 1_000_000
    z = np.random.default_rng(0).normal(size=rows)
    values = np.stack([1000 + 0.1 * z, 50 + z, np.full(rows, 0.1), np.full(rows, 1e9)], axis=1).astype(np.float32)
    mean, std = moments(values)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(std[:2], exact[:, :2].std(axis=0), rtol=1e-6)
    assert std[2:].tolist() == [1, 1]
    assert mean[2:].tolist() == values[0, 2:].tolist()


def test_a_far_feature_is_normalised_in_the_replay(dataset):
    z = np.random.default_rng(0).normal(size=200_000)
    flags = np.zeros(len(z), dtype=bool)
    flags[-1] = True
    observations = np.stack([1000 + 0.1 * z, np.full(len(z), 0.1)], axis=1).astype(np.float32)
    columns = {"observations": observations, "next_observations": observations, "actions": observations[:, :1] * 0}
    columns |= {key: np.zeros(len(z), dtype=np.float32) for key in ("rewards", "costs")}
    replay = Replay(dataclasses.replace(dataset, **columns, terminals=~flags & flags, timeouts=flags), 0.9, 1.0, CPU)
    assert replay.observations[:, 0].double().mean().abs() < 1e-3
    assert replay.observations[:, 0].double().std().item() == pytest.approx(1, abs=1e-3)
    assert (replay.observations[:, 1] == 0).all()


@pytest.mark.parametrize("signal", ["costs", "rewards"])
def test_a_trajectorys_sum_is_that_of_float64(dataset, signal):
    """A million steps of float32's .1 add up to 100 000 and a bit; in float32 a running sum of them is off by 1 %."""
    count = 1_000_000
    flags = np.zeros(count, dtype=bool)
    flags[-1] = True
    columns = {key: np.full(count, 0.1, dtype=np.float32) for key in ("rewards", "costs")}
    long = dataclasses.replace(dataset, **columns, terminals=~flags & flags, timeouts=flags)
    (found,) = long.trajectory_costs if signal == "costs" else long.trajectory_returns
    assert found == pytest.approx(count * float(np.float32(0.1)), rel=1e-12)


def test_one_transition_is_too_few(dataset):
    one = {key: getattr(dataset, key)[-1:] for key in KEYS}
    with pytest.raises(InputError, match="have 1 transition: at least 2 are needed to train"):
        Replay(dataclasses.replace(dataset, **one), 0.9, 1.0, CPU)


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
        # Independent route: a power series, with the mean rate going on for ever after a timeout.
        powers = gamma ** np.arange(length)
        beyond = 0.0 if terminal else gamma**length * rewards.mean() / (1 - gamma)
        assert found[start] == pytest.approx(rewards @ powers + beyond)
        last = 0.0 if terminal else gamma * rewards.mean() / (1 - gamma)
        assert found[start + length - 1] == pytest.approx(rewards[-1] + last)
    assert kinds == {True, False}


@pytest.mark.parametrize("count", [1000, 2**24 + 3, 30_000_001])
def test_rows_are_exact_for_more_transitions_than_float32_can_count(count):
    """floor(u n) in whole numbers: uniforms are multiples j of 2^-24, and the largest gives the last row, not n."""
    replay = object.__new__(Replay)
    replay.rewards = torch.zeros(1).expand(count)
    multiples = [0, 1, 2**23, 2**24 - 3, 2**24 - 2, 2**24 - 1, *range(5, 2**24, 99_991)]
    rows = replay.rows(torch.tensor([multiples]).float() / 2**24)
    assert rows[0].tolist() == [j * count >> 24 for j in multiples]


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

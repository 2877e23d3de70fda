"""deep.methods.bc: which trajectories are cloned, and that cloning clones."""

import dataclasses

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.data.load import save
from deep.data.replay import RowTable
from deep.data.selection import consistent_best, rows_of
from tests.support.builders import two_gaits
from tests.support.lighter import unchecked
from theory.support.errors import InputError


def test_best_takes_the_best_and_those_that_act_like_it():
    data = two_gaits()
    chosen = consistent_best(data, np.arange(6), 3, 0.9)
    assert chosen.tolist()[0] == 2
    assert set(chosen.tolist()) == {0, 2, 4}  # 3 is better than both, and walks the other way
    assert 5 not in consistent_best(data, np.arange(6), 6, 0.9)
    assert consistent_best(data, np.array([1, 3, 5]), 1, 0.9).tolist() == [3]


def test_rows_are_those_of_the_trajectories():
    data = two_gaits(3, 4)
    assert rows_of(data, np.array([2, 0])).tolist() == [8, 9, 10, 11, 0, 1, 2, 3]
    table = RowTable.of([np.array([4, 5]), np.array([7, 8, 9])], torch.device("cpu"))
    with pytest.raises(ValueError, match="no transition"):
        RowTable.of([np.array([], dtype=int)], torch.device("cpu"))
    assert table.counts.tolist() == [2, 3]


def test_every_variant_draws_from_its_own_trajectories(build, dataset):
    costs = np.repeat(dataset.trajectory_costs, dataset.lengths)
    uniform = torch.linspace(0, 1 - 1e-6, 500).expand(2, -1)
    seen = {}
    for name in ("bc_all", "bc_safe", "bc_best"):
        experiment = build("--algorithm", name, "--cost-limits", "4", "60")
        seen[name] = costs[experiment.replay.rows(uniform, experiment.method.rows).numpy()]
    assert seen["bc_all"].max() == costs.max()
    assert seen["bc_safe"][0].max() <= 4 < seen["bc_safe"][1].max()
    assert seen["bc_best"][0].max() <= 4


@pytest.mark.slow
@unchecked()
def test_cloning_reproduces_the_data(build):
    experiment = build("--algorithm", "bc_all", "--cost-limits", "60", "--learning-rate", "3e-3")
    linear = torch.randn(11, 3, generator=torch.Generator().manual_seed(0)) / 8
    replay = experiment.replay
    replay.actions = torch.tanh(replay.observations @ linear)
    (phase,) = experiment.method.phases()
    for block in range(20):
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, experiment.device)
        for k in range(50):
            phase.update(torch.tensor(float(k)), {name: values[k] for name, values in draws.items()})
    error = (experiment.method.act(replay.observations.unsqueeze(0)) - replay.actions).abs().mean()
    assert error < 0.1 < replay.actions.abs().mean()


def test_a_limit_that_no_trajectory_keeps_is_refused(build, dataset, tmp_path):
    dear = dataclasses.replace(dataset, costs=np.ones_like(dataset.costs))
    save(tmp_path / "dear.hdf5", dear)
    with pytest.raises(InputError, match="no trajectory satisfies the cost limit 4: the least cost in the data is 20"):
        build("--algorithm", "bc_safe", "--cost-limits", "4", "--dataset", str(tmp_path / "dear.hdf5"))


def test_a_selection_that_belies_the_methods_name_is_refused(build):
    with pytest.raises(InputError) as caught:
        build("--algorithm", "bc_all", "--cost-limits", "60", "--clone.trajectories", "best")
    accepted = "accepted is all, or --algorithm bc_best"
    assert str(caught.value) == f"--clone.trajectories best with --algorithm bc_all: {accepted}"

"""A trained score network against the true score of a mixture, and what its error does to the KL gradient."""

import json
from pathlib import Path

import pytest
import torch

from tests.support.lighter import unchecked
from verification.lattice.mixtures import Mixture
from verification.lattice.score_error import LEVELS, MIXTURE, TrainedScore, errors

COMMITTED = Path(__file__).parents[1] / "lattice" / "score_error.json"


@pytest.fixture(scope="module")
def trained() -> TrainedScore:
    """A fifth of the committed table's training."""
    with unchecked():
        return TrainedScore(MIXTURE, steps=1200)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("t", "noise", "relative"), [(0.1, 0.06, 0.1), (0.2, 0.05, 0.05), (0.4, 0.05, 0.1)])
def test_the_network_learns_the_score_and_gives_the_kl_gradient(
    trained: TrainedScore, t: float, noise: float, relative: float
):
    """At the noise levels that the learners average over; another behaviour's score fails."""
    row = errors(trained, MIXTURE, t)
    assert row.noise < noise
    assert max(row.dirac_relative, row.gaussian_relative) < relative
    moved = errors(trained, Mixture(MIXTURE.shares, MIXTURE.means + 0.3, MIXTURE.stds), t)
    assert moved.noise > 2 * noise
    assert moved.dirac_relative > 2 * relative


@pytest.mark.exhaustive
def test_towards_t_0_the_gradients_error_grows_like_one_over_sigma(trained: TrainedScore):
    small, middle = errors(trained, MIXTURE, 0.001), errors(trained, MIXTURE, 0.1)
    assert small.score / small.noise == pytest.approx(1 / small.sigma)
    assert 1 / small.sigma == pytest.approx(95, rel=0.01)
    assert small.dirac > 20 * middle.dirac


def test_the_committed_table_says_the_same():
    """It is the longer training: its rows are consistent, and no worse than what the short one must reach."""
    rows = json.loads(COMMITTED.read_text())["rows"]
    assert [row["t"] for row in rows] == list(LEVELS)
    for row in rows:
        assert row["score"] == pytest.approx(row["noise"] / row["sigma"])
    at = {row["t"]: row for row in rows}
    assert max(at[0.1]["dirac_relative"], at[0.1]["gaussian_relative"]) < 0.05
    assert at[0.001]["dirac_relative"] > 0.5


def test_samples_of_the_mixture_follow_its_density():
    """Moments of the draws that the network is trained on, against the mixture's own."""
    draws = MIXTURE.sample(40_000, torch.Generator().manual_seed(0))[:, 0]
    mean = float((MIXTURE.shares * MIXTURE.means[:, 0]).sum())
    second = float((MIXTURE.shares * (MIXTURE.means[:, 0] ** 2 + MIXTURE.stds[:, 0] ** 2)).sum())
    assert float(draws.mean()) == pytest.approx(mean, abs=0.012)
    assert float(draws.square().mean()) == pytest.approx(second, abs=0.01)
    x = torch.linspace(-3, 3, 6001, dtype=torch.float64).unsqueeze(-1)
    assert float(torch.trapezoid(MIXTURE.log_density(x).exp(), x[:, 0])) == pytest.approx(1)

"""deep.evaluate.plots: whose line has which colour."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex

from deep.core.problem import Replica
from deep.evaluate import plots


def drawn(monkeypatch, tmp_path, records):
    """The lines of each panel as training.png has them: colour and marker."""
    figures = []
    monkeypatch.setattr(plots, "write_figure", lambda figure, path, dpi: figures.append(figure))
    replicas = [Replica(seed, limit) for seed in (0, 1) for limit in (20.0, 40.0)]
    plots.training(records, replicas, tmp_path / "training.png")
    (figure,) = figures
    found = {
        axes.get_title(): [(to_hex(line.get_color()), line.get_marker()) for line in axes.lines] for axes in figure.axes
    }
    plt.close(figure)
    return found


def test_a_seeds_line_has_the_colour_of_its_first_replica(monkeypatch, tmp_path):
    by_seed = [{"phase": "cloning", "step": step, "loss": [1.0, 2.0]} for step in (50, 100)]
    by_replica = [{"phase": "adaptation", "step": 50, "loss": [1.0, 2.0, 3.0, 4.0]}]
    found = drawn(monkeypatch, tmp_path, by_seed + by_replica)
    colours = [to_hex(f"C{i}") for i in range(4)]
    assert [colour for colour, _ in found["cloning: loss"]] == [colours[0], colours[2]]
    assert [colour for colour, _ in found["adaptation: loss"]] == colours


def test_a_single_point_is_seen(monkeypatch, tmp_path):
    several = [{"phase": "cloning", "step": step, "loss": [1.0, 2.0]} for step in (50, 100)]
    single = [{"phase": "adaptation", "step": 50, "loss": [1.0, 2.0, 3.0, 4.0]}]
    found = drawn(monkeypatch, tmp_path, several + single)
    assert {marker for _, marker in found["cloning: loss"]} == {"None"}
    assert {marker for _, marker in found["adaptation: loss"]} == {"."}


@pytest.mark.parametrize(
    ("predicted", "said"),
    [(None, "nothing was simulated or estimated"), (5.0, "diamonds are estimates from the data")],
)
def test_the_results_say_what_their_diamonds_are(build, monkeypatch, tmp_path, predicted, said):
    titles = []
    monkeypatch.setattr(plots, "write_figure", lambda figure, path, dpi: titles.append(figure.axes[0].get_title()))
    row = {"seed": 0, "cost_limit": 9.0, "offline_cost_estimate": predicted}
    row |= {"offline_return_estimate": 1.0, "offline_cost_interval": (1.0, 9.0)}
    plots.results(build("--algorithm", "bc_all", "--cost-limits", "9"), None, [row], tmp_path / "results.png")
    assert said in titles[0]
    plt.close("all")

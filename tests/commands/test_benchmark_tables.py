"""The benchmark's statistics, tables and figures, on rows whose answers are known."""

import errno
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from deep.benchmark import curves, figures, statistics, tables
from deep.benchmark.jobs import Job
from deep.benchmark.presets import SCALES, STUDIES
from deep.benchmark.references import UNKNOWN, reference
from deep.benchmark.rows import Row, Run, at_limits, collected, command_of, method_of, rows_of, with_run
from deep.benchmark.statistics import (
    blocks_of,
    difference,
    estimate,
    interval,
    iqm,
    mean,
    probability_larger,
    scored,
    share_safe,
)
from deep.data.load import save
from deep.evaluate.summary import LAST
from deep.methods.drcorl.safe_adaptation import Temperature
from deep.methods.registry import METHODS
from deep.tasks import TASKS, within_limit
from tests.support.builders import small_dataset
from tests.support.file_names import NAMES
from theory.support.errors import InputError
from theory.support.files import stem
from theory.support.tables import read_table, write_table


def rows(
    scores: Mapping[str, Any], cost: float | Mapping[str, Any] = 0.5, limits=(20.0, 40.0), **fixed: Any
) -> list[Row]:
    """R by algorithm, [seed, limit]; C is `cost`, or a table like R's where `cost` maps algorithms."""
    shared = {"task": "HopperVel", "data": "toy", "variant": "", "choice": "", "source": "file", "sha256": "ab" * 32}
    shared |= {"episodes": 20, "preset": "quick", "scale": "quick", "reward_min": 0.0, "reward_max": 1000.0} | fixed
    found = []
    for algorithm, table in scores.items():
        for seed, line in enumerate(table):
            for limit, R in zip(limits, line, strict=False):
                C = cost[algorithm][seed][limits.index(limit)] if isinstance(cost, Mapping) else cost
                cell = {
                    "algorithm": algorithm,
                    "seed": seed,
                    "cost_limit": limit,
                    "R": R,
                    "C": C,
                    "safe": bool(within_limit(C, 1)),
                }
                found.append(shared | cell | {"run": f"{shared['task']}-{algorithm}"})
    return found


def only(*tables_: Any) -> list[np.ndarray]:
    """Blocks of one method."""
    return [np.array(table, dtype=np.float64)[:, :, None] for table in tables_]


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    assert iqm(only([[0, 1000], [1, 2], [3, 4], [5, -500]])) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert iqm(only([[0, 1, 5]])) == pytest.approx(2), "of three scores none is left out"
    rng = np.random.default_rng(0)
    for n in range(1, 14):
        values = rng.normal(size=n)
        kept = np.sort(values)[n // 4 : n - n // 4]
        assert iqm(only(values[None])) == pytest.approx(kept.mean())
        assert iqm(only(values[None])) == pytest.approx(stats.trim_mean(values, 0.25))
    pooled = only([[0.0, 1.0]], [[2.0, 9.0]])
    assert iqm(pooled) == pytest.approx(1.5), "over all tasks together, not task by task"


def test_an_interval_draws_seeds_together_over_limits_and_apart_over_tasks():
    # Of two seeds a draw is twice the first with probability 1/4: the interval reaches from one to the other.
    assert interval(only([[0], [10]]), mean) == (0, 10)
    assert interval(only([[0, 10], [10, 0]]), mean) == (5, 5), "limits of one seed stay together"
    assert interval(only([[0], [10]], [[10], [0]]), mean) == (0, 10), "tasks are drawn apart"
    assert interval(only([[3, 4]]), mean) is None
    assert interval(only([[3], [4]], [[5]]), mean) is None


def test_an_interval_of_one_stratum_is_scipys():
    values = np.random.default_rng(1).normal(size=12)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    )
    found = interval(only(values[:, None]), mean)
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.04)
    assert found != pytest.approx((values.min(), values.max()), abs=0.2)


def pair(first: Any, second: Any) -> list[np.ndarray]:
    return [np.stack([np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)], axis=-1)]


def test_the_probability_of_a_larger_score_is_mann_whitneys():
    assert probability_larger(pair([[1], [3]], [[2], [2]])) == 0.5
    assert probability_larger(pair([[1], [2]], [[2], [2]])) == 0.25, "a tie counts half"
    assert probability_larger(pair([[3, 0], [3, 0]], [[2, 1], [2, 1]])) == 0.5, "limits are not mixed"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 1)), rng.normal(0.3, size=(7, 1))
    u = stats.mannwhitneyu(x[:, 0], y[:, 0]).statistic
    assert probability_larger(pair(x, y)) == pytest.approx(u / 49)
    assert probability_larger(pair(y, x)) == pytest.approx(1 - u / 49)


def test_differences_are_paired():
    first, second = [[10.0, 0.0], [20.0, 5.0]], [[9.0, 0.0], [19.0, 4.0]]
    assert difference(pair(first, second)) == pytest.approx(0.75)
    low, high = interval(pair(first, second), difference) or (math.nan, math.nan)
    assert (low, high) == (0.5, 1.0), "the spread between seeds cancels"


def test_methods_are_compared_where_both_were_run():
    both = rows({"bc_all": [[0.1, 0.2], [0.3, 0.4]], "drcorl": [[0.5, 0.0], [0.9, 0.0]]})
    part = [row for row in both if row["algorithm"] == "bc_all" or row["cost_limit"] == 20]
    (found,) = statistics.of_pairs(part)
    assert (found["first"], found["second"], found["pairs"]) == ("BC-All", "DRCORL", 2)
    assert found["R"]["difference"]["value"] == pytest.approx(-0.5)
    assert found["R"]["probability_first_larger"]["value"] == 0
    assert found["C"]["probability_first_larger"]["value"] == 0.5
    methods = {about["method"]: about for about in statistics.of_methods(part)}
    assert methods["BC-All"]["R"]["mean"]["value"] == pytest.approx(0.25)
    assert methods["DRCORL"]["cost_limits"] == [20.0]
    assert methods["DRCORL"]["seeds"] == [0, 1]
    (skewed,) = statistics.of_methods(rows({"bc_all": [[0, 0], [0, 1]]}))
    assert (skewed["R"]["mean"]["value"], skewed["R"]["iqm"]["value"]) == (0.25, 0)
    with pytest.raises(InputError, match="every seed at every cost limit"):
        blocks_of(part[:-2] + part[-1:] + rows({"drcorl": [[0, 1]]})[1:], "R")


def test_the_share_of_safe_replicas_has_wilsons_interval():
    safe = share_safe(rows({"bc_all": np.zeros((9, 1))}, {"bc_all": [[0.2]] * 7 + [[1.2]] * 2}))
    n, p, z = 9, 7 / 9, stats.norm.ppf(0.975)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (safe["safe"], safe["replicas"]) == (7, 9)
    assert safe["interval"] == pytest.approx((centre - half, centre + half))


def test_unsafe_replicas_are_no_part_of_the_mean_of_the_middle_half():
    nan = math.nan
    assert iqm(only([[0, 1000], [1, 2], [3, 4], [5, nan], [-500, nan]])) == pytest.approx((0 + 1 + 2 + 3 + 4 + 5) / 6)
    assert iqm(only([[nan, 7]])) == 7
    assert np.isnan(iqm(only([[nan, nan]])))
    assert estimate(only([[nan], [nan]]), iqm) == {"value": None, "interval": None}
    # One of two seeds is safe, with R .4: every draw that holds it gives .4, the draws without it are left out.
    assert estimate(only([[0.4], [nan]]), iqm) == {"value": 0.4, "interval": (0.4, 0.4)}


def test_every_safe_replica_is_better_than_every_unsafe_one():
    R = {"bc_all": [[0.9, 0.9]], "drcorl": [[0.2, 0.6]]}
    C = {"bc_all": [[5.0, 0.5]], "drcorl": [[0.2, 7.0]]}
    (found,) = statistics.of_pairs(rows(R, C))
    assert found["probability_first_better"]["value"] == 0.5, "each is safe at one limit"
    assert found["R"]["probability_first_larger"]["value"] == 1
    (found,) = statistics.of_pairs(rows(R, C | {"bc_all": [[5.0, 1.5]]}))
    assert found["probability_first_better"]["value"] == 0.25, "two unsafe replicas are equal"


def test_regret_is_against_the_best_trajectory_and_for_safe_replicas():
    R, C = {"bc_all": [[0.5, 0.9], [0.3, 0.7]]}, {"bc_all": [[0.5, 2.0], [0.5, 1.0]]}
    here = [row | {"R_best_in_data": 0.6 if row["cost_limit"] == 20 else 0.8} for row in rows(R, C)]
    assert [row["regret"] for row in scored(here)] == pytest.approx([0.1, math.nan, 0.3, 0.1], nan_ok=True)
    (found,) = statistics.of_methods(here)
    assert found["regret"]["mean"]["value"] == pytest.approx((0.1 + 0.3 + 0.1) / 3)
    low, high = found["regret"]["mean"]["interval"]
    assert (low, high) == pytest.approx((0.1, 0.2)), "drawn twice, the first seed has one regret and the second two"
    assert found["R_safe"]["iqm"]["value"] == pytest.approx((0.5 + 0.3 + 0.7) / 3)
    (unknown,) = statistics.of_methods(rows(R, C))
    assert unknown["regret"]["mean"] == {"value": None, "interval": None}
    json.dumps(statistics.of_places(here), allow_nan=False)


def line(text: str, method: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {method} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_the_table_marks_what_is_safe_and_says_whose_data_it_is():
    R = {"bc_all": [[0.9, 0.9]], "bc_safe": [[0.5, 0.7]], "drcorl": [[0.6, 0.6]]}
    C = {"bc_all": [[5.0, 1.004]], "bc_safe": [[0.2, 1 + 2e-8]], "drcorl": [[0.2, 0.4]]}  # ten costs of .1 in float32
    text = tables.markdown(rows(R, C))
    assert line(text, "BC-All") == ["BC-All", "0.90, 3.00 ✗", "0.90, 5.00 ✗", "0.90, 1.00 ✗", "0 of 2"]
    assert line(text, "BC-Safe")[2:] == ["**0.50**, **0.20**", "**0.70**, **1.00** ★", "2 of 2"]
    assert line(text, "DRCORL")[1:3] == ["**0.60**, **0.30** ★", "**0.60**, **0.20** ★"]
    assert tables.NOT_COMPARABLE in text
    assert (
        "Data source: file, sha256 abababababab. seeds: 0; episodes per replica: 20; preset: quick; scale: quick."
        in text
    )
    assert "smoke" not in text.lower()
    assert tables.NOT_COMPARABLE not in tables.markdown(rows(R, C, source="dsrl"))
    smoke = rows(R, C, scale="smoke")
    assert tables.markdown(smoke).startswith("# Reward and cost (smoke)\n\n" + tables.SMOKE)
    mixed = tables.markdown([*smoke, *rows(R, C, task="BallRun", scale="")])
    assert mixed.startswith("# Reward and cost\n\n" + tables.SMOKE_AMONG)
    assert "preset: quick; scale: smoke." in mixed
    assert "preset: quick.\n" in mixed


def test_the_table_gives_intervals_gaps_and_an_average_over_tasks():
    first = rows({"bc_all": [[0.2, 0.4], [0.4, 0.6]], "drcorl": [[0.8], [0.8]]})
    second = rows({"bc_all": [[1.0, 1.0], [1.0, 1.0]]}, task="BallRun")
    text = tables.markdown(first)
    assert line(text, "BC-All")[1] == "**0.40** [0.30, 0.50], **0.50** [0.50, 0.50]"
    assert line(text, "DRCORL")[3] == "-"
    assert "Mean over tasks" not in text
    last = tables.markdown(first + second).split("## Mean over tasks and data sets")[1]
    assert line(last, "BC-All")[1].startswith("**0.70** [0.65, 0.75]")
    assert "| DRCORL" not in last, "it was not run on every task"
    assert "left out: DRCORL" in last


def test_the_figures_show_the_rows(tmp_path):
    R = {"bc_all": [[0.2, 0.4], [0.3, 0.4]], "drcorl": [[0.8, 0.8], [0.7, 0.9]]}
    places = rows(R) + rows(R, task="BallRun")
    times = [
        {"task": task, "data": "toy", "algorithm": algorithm, "variant": "", "choice": ""}
        | {"single": 0.1 * (k + 1), "batched": 1e-4}
        for task in ("HopperVel", "BallRun")
        for k, algorithm in enumerate(R)
    ]
    unsafe, hollow = ([*places[:-1], places[-1] | change] for change in ({"C": 7.0}, {"safe": False}))
    paths = [figures.over_limits(shown, tmp_path / f"{i}.png") for i, shown in enumerate((places, unsafe))]
    paths += [figures.against_time(shown, times, tmp_path / f"t{i}.png") for i, shown in enumerate((places, hollow))]
    images = [path.read_bytes() for path in paths]
    assert all(image.startswith(b"\x89PNG") and len(image) > 20_000 for image in images)
    assert len(set(images)) == 4
    with pytest.raises(ValueError, match="not enough values"):
        figures.against_time(places, times[:-1], tmp_path / "lacking.png")


def test_methods_are_told_apart_and_stand_nearest_to_their_own_limit(tmp_path, monkeypatch):
    """All registered methods, which are more than the colours of a figure."""
    assert len(METHODS) > 10
    drawn: list[Any] = []
    monkeypatch.setattr(figures, "finish", lambda figure, caption, path: drawn.append(figure))
    R = {algorithm: [[0.5, 0.6], [0.4, 0.6]] for algorithm in METHODS}
    figures.over_limits(rows(R), tmp_path / "unused.png")
    axes = drawn[0].axes[0]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len({(line.get_color(), line.get_marker()) for line in dots}) == len(METHODS)
    at_first = {float(x) for line in dots for x in line.get_xdata() if x < 0.5}
    assert len(at_first) == len(METHODS)
    assert max(map(abs, at_first)) < 0.45
    times = [
        {
            "task": "HopperVel",
            "data": "toy",
            "algorithm": name,
            "variant": "",
            "choice": "",
            "single": 0.1,
            "batched": 1e-3,
        }
        for name in METHODS
    ]
    figures.against_time(rows(R), times, tmp_path / "unused.png")
    labelled = [line for line in drawn[1].axes[0].lines if not line.get_label().startswith("_")]
    assert len({(line.get_color(), line.get_marker()) for line in labelled}) == len(METHODS)


def test_some_limits_of_finished_runs_are_chosen():
    found = rows({"bc_all": [[0.1, 0.2]]})
    assert [row["R"] for row in at_limits(found, (40.0,))] == [0.2]
    assert at_limits(found, ()) == found
    with pytest.raises(InputError, match="--cost-limits 30: no run has this limit, accepted are 20, 40"):
        at_limits(found, (20.0, 30.0))


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_data_set_of_any_name_is_tabulated_and_drawn(name, tmp_path):
    data = stem(Path(os.fsdecode(name)))
    found = rows({"bc_all": [[0.2, 0.4]], "drcorl": [[0.8, 0.8]]}, data=data)
    found = [row | {"variant": "x_$5_to_$"} for row in found]
    write_table(tmp_path / "results.csv", found)
    assert read_table(tmp_path / "results.csv", texts=("data", "variant"))[0]["data"] == data
    assert data in tables.markdown(found).encode().decode()
    methods = {"task": "HopperVel", "data": data, "variant": "x_$5_to_$", "choice": "", "single": 0.1, "batched": 1e-4}
    times = [methods | {"algorithm": algorithm} for algorithm in ("bc_all", "drcorl")]
    for draw in (figures.over_limits, lambda rows, path: figures.against_time(rows, times, path)):
        draw(found, tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 10_000


def write_run(folder: Path, R: float = 0.5, variant_of_beta: str = "sqrt", sha256: str = "ab" * 32) -> Path:
    """What a finished run of DRCORL leaves, in little."""
    folder.mkdir()
    temperature = {"growth": variant_of_beta, "c0": 0.0, "c1": 0.25, "steps_per_epoch": 50}
    config = {"identity": {"method": {"adaptation": {"temperature": temperature}}}}
    result = {"seed": 0, "cost_limit": 20, "episodes": 5, "reward_return": 500.0, "cost_return": 10.0}
    result |= {"episode_length": 990.0, "reward": R, "cost": 0.5, "safe": True, "cost_ci": [0, 1]}
    result |= {"reward_ci": [R - 0.125, R + 0.25], "offline_cost_estimate": 8.0, "offline_cost_interval": [1.0, 20.0]}
    summary = {"task": "HopperVel", "algorithm": "drcorl", "preset": "quick", "device": "cpu", "commit": "c0ffee"}
    summary |= {"dataset": {"source": "file", "path": "/data/toy.hdf5", "sha256": sha256}, "seconds": 9.0}
    summary |= {
        "normaliser": {"reward_range": [100.0, 1100.0], "episode_length": 1000},
        "simulated": True,
        "choice": "",
        "other_choices": {},
    }
    summary |= {
        "simulator_episodes_used_in_training": 3,
        "results": [result, result | {"cost_limit": 0, "safe": False}],
    }
    looked = {"predicted_reward": [600, 100], "predicted_cost": [5, 5]}
    records = [
        {"phase": "adaptation", "step": 50, "beta": [0.5, 0.5], **looked},
        {"phase": "adaptation", "step": 100, "beta": [0.7, 0.7], "loss": [1.0, 1.0]},
    ]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_finished_runs_are_collected_into_rows(tmp_path):
    first, second = write_run(tmp_path / "one"), write_run(tmp_path / "two", R=0.9)
    runs, earlier = collected([str(first), f"other={second}"])
    assert earlier == []
    found = rows_of(runs)
    assert [method_of(row) for row in found] == ["DRCORL"] * 2 + ["DRCORL (other)"] * 2
    assert [row["cost_limit"] for row in found] == [0, 20, 0, 20]
    row = found[1]
    assert (row["data"], row["cost"], row["return"], row["length"]) == ("toy", 10.0, 500.0, 990.0)
    assert [row[name] for name in ("R", "R_low", "R_high", "C", "C_low", "C_high")] == [0.5, 0.375, 0.75, 0.5, 0, 1]
    assert (row["offline_cost"], row["offline_cost_low"], row["offline_cost_high"]) == (8.0, 1.0, 20.0)
    assert (row["reward_min"], row["reward_max"], row["simulator_episodes_in_training"]) == (100.0, 1100.0, 3)
    assert (row["commit"], row["seconds"], row["episodes"], row["run"]) == ("c0ffee", 9.0, 5, str(first))
    with pytest.raises(InputError, match="VARIANT=RUN"):
        rows_of(collected([str(first), str(second)])[0])
    with pytest.raises(InputError, match="different data of HopperVel under the name toy"):
        rows_of(collected([str(first), f"x={write_run(tmp_path / 'three', sha256='cd' * 32)}"])[0])
    with pytest.raises(InputError, match="no finished run in /nowhere"):
        collected(["/nowhere"])


def test_the_best_trajectory_within_a_limit_and_the_kind_are_read_from_the_data(tmp_path):
    data = small_dataset()
    costs, returns = data.trajectory_costs, data.trajectory_returns
    limit = float(np.median(costs))
    numbers = json.dumps({"limits": [{"limit": limit, "R_pool_best": 0.75}]})
    drawn = replace(data, provenance={"kind": "tempting", "kind_numbers": numbers})
    low, high = TASKS[data.task].reward_range
    for name, content, kind, pool in (("pool", data, "full", None), ("drawn", drawn, "tempting", 0.75)):
        path = tmp_path / f"{name}.hdf5"
        save(path, content)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        found = reference(data.task, "file", str(path), sha256, [limit, costs.min() / 2 - 1])
        best = (returns[costs <= limit].max() - low) / (high - low)
        assert found.kind == kind
        assert found.best == {limit: pytest.approx(best, rel=1e-5)}
        assert found.columns(limit)["R_best_in_pool"] == (found.best[limit] if pool is None else pool)
        assert reference(data.task, "file", str(path), "0" * 64, [limit]) == (UNKNOWN, {}, {}), "the file has changed"
    gone = reference(data.task, "file", str(tmp_path / "gone.hdf5"), "0" * 64, [limit])
    assert gone.columns(limit) == {"kind": UNKNOWN, "R_best_in_data": None, "R_best_in_pool": None}
    assert reference("custom", "file", str(path), sha256, [limit]).kind == UNKNOWN


def test_a_command_is_kept_without_what_decides_nothing():
    words = ["/x/child.py", "--task", "HopperVel", "--dataset", "/tmp/a b.hdf5", "--out", "/tmp/o", "--threads", "1"]
    assert command_of([*words, "--resume"]) == "python -m deep.train --task HopperVel --dataset 'a b.hdf5'"


def test_rows_of_an_earlier_table_stand_beside_those_of_runs(tmp_path):
    old, new = (Run(write_run(tmp_path / name, R=R), name, name) for name, R in (("old", 0.25), ("new", 0.5)))
    write_table(tmp_path / "results.csv", rows_of([old]))
    runs, earlier = collected([str(tmp_path / "results.csv"), f"new={new.path}"])
    assert earlier == rows_of([old]), "the same values of the same types"
    together = rows_of(runs, earlier)
    assert [(row["variant"], row["R"]) for row in together] == [("new", 0.5)] * 2 + [("old", 0.25)] * 2
    assert [row["variant"] for row in with_run(together, runs)] == ["new"] * 2
    assert curves.schedules(together, runs) == {}
    with pytest.raises(InputError, match="both hold"):
        rows_of([old], earlier)
    with pytest.raises(InputError, match="no such file"):
        collected([str(tmp_path / "other.csv")])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="there are no rows in it"):
        collected([str(tmp_path / "empty.csv")])
    (tmp_path / "bad.csv").write_text("task,data\na\n")
    with pytest.raises(InputError, match="lacks algorithm"):
        collected([str(tmp_path / "bad.csv")])


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    row = {"x": np.float64(0.1), "name": "1_000", "y": -1e-300}
    write_table(tmp_path / "results.csv", [row])
    assert read_table(tmp_path / "results.csv") == [row]


def test_a_table_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    write_table(tmp_path / "results.csv", [{"x": 0.1}])

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("theory.support.files.os.fsync", full)
    with pytest.raises(InputError, match=r"results\.csv cannot be written \(No space left on device\)"):
        write_table(tmp_path / "results.csv", [{"x": 0.2}])
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]
    assert read_table(tmp_path / "results.csv") == [{"x": 0.1}]


def test_the_schedules_figure_shows_the_estimates(tmp_path):
    runs = [Run(write_run(tmp_path / growth, variant_of_beta=growth), growth, growth) for growth in ("sqrt", "linear")]
    found = rows_of(runs)
    own = [row for row in found if row["run"] == "sqrt"]
    curve = curves.curves_of(runs[0])
    assert curve is not None
    assert curve["limit"].tolist() == [20, 0]
    assert curve["step"].tolist() == [0], "only steps at which was looked, not those at which the block was over"
    assert curve["beta"].tolist() == [0.5]
    assert curve["R"].tolist() == [[0.5, 0.0]]
    assert curve["C"].tolist() == [[5 / 20, 6 / 1]], "the order of the run, not that of the sorted rows"
    assert curves.schedule_of(runs[0]) == "beta = sqrt(0 + 0.25 n), epochs of 50 steps"
    others = [
        Run(write_run(tmp_path / f"{growth} again", variant_of_beta=growth), "") for growth in ("linear", "constant")
    ]
    assert [str(curves.schedule_of(run)).split(",")[0] for run in others] == ["beta = 0 + 0.25 n", "beta = 0"]
    (first, _) = curves.recorded(runs)
    assert curves.recorded(runs[:1]) == []
    assert (first["variant"], first["beta"], first["C"]) == ("sqrt", [0.5], [[0.25, 6.0]])
    ((name, draw),) = curves.schedules(found, runs).items()
    path = draw(tmp_path / name)
    assert path.stat().st_size > 20_000
    assert curves.schedules(own, runs[:1]) == {}, "one schedule is no comparison"


def test_the_schedules_figure_has_bars_for_what_was_kept_alone(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(curves, "_draw", lambda rows, *rest: drawn.append(rows) or tmp_path)
    runs = [Run(write_run(tmp_path / growth, variant_of_beta=growth), growth, growth) for growth in ("sqrt", "linear")]
    kept = rows_of(runs)
    for draw in curves.schedules([*kept, *(row | {"choice": LAST} for row in kept)], runs).values():
        draw(tmp_path)
    assert drawn == [kept]


def beta(words: tuple[str, ...], step: float) -> float:
    given = dict(zip(words[::2], words[1::2], strict=True))
    value = {name: given[f"--adaptation.temperature.{name}"] for name in ("growth", "c0", "c1", "steps-per-epoch")}
    schedule = Temperature(value["growth"], float(value["c0"]), float(value["c1"]), int(value["steps-per-epoch"]))  # pyright: ignore[reportArgumentType]
    return float(schedule.at(torch.tensor(step, dtype=torch.float64)))


def test_the_schedules_have_one_mean_and_the_printed_ones_the_papers_numbers():
    ours, printed = STUDIES["schedules"].options, STUDIES["schedules_printed"].options
    for words in ours.values():
        assert np.mean([beta(words, step) for step in range(0, 1500, 50)]) == pytest.approx(1, abs=1e-3)
    expected = {"drcorl:constant": (0.02, 0.02), "drcorl:sqrt": (0.0, 0.2), "drcorl:linear": (0.04, 4.04)}
    for method, values in expected.items():
        assert [beta(printed[method], step) for step in (0, 400)] == pytest.approx(list(values))
    assert SCALES["paper"].seeds == (0, 1, 2)


def test_a_hash_of_digits_stays_a_hash(tmp_path):
    found = rows({"bc_all": [[0.1]]}, sha256="12" * 32, limits=(20.0,))
    write_table(tmp_path / "results.csv", found)
    assert [row["sha256"] for row in collected([str(tmp_path / "results.csv")])[1]] == ["12" * 32]


def test_the_runs_of_a_benchmark_are_called_by_its_folder_and_their_own_names(tmp_path):
    (tmp_path / "runs").mkdir()
    job = Job("HopperVel", "auto", "auto", "drcorl", "mine", "smoke", (0,), (20.0, 0.0), 5, ())
    (tmp_path / "benchmark.json").write_text(json.dumps({"jobs": [asdict(job), asdict(job) | {"variant": "undone"}]}))
    write_run(tmp_path / "runs" / job.name)
    ((run,), _) = collected([str(tmp_path)])
    assert (run.name, run.variant, run.scale) == (f"{tmp_path}/HopperVel-auto-drcorl-mine", "mine", "smoke")


def test_a_run_without_learned_dynamics_has_no_estimate_in_its_rows(tmp_path):
    path = write_run(tmp_path / "run") / "summary.json"
    summary = json.loads(path.read_text())
    for result in summary["results"]:
        del result["offline_cost_interval"]
        result["offline_cost_estimate"] = None
    path.write_text(json.dumps(summary))
    for row in rows_of(collected([str(path.parent)])[0]):
        assert [row[name] for name in ("offline_cost", "offline_cost_low", "offline_cost_high")] == [None] * 3


def test_names_that_look_like_numbers_are_kept_as_they_are(tmp_path):
    found = rows({"bc_all": [[0.1]]}, limits=(20.0,), data="007", variant="0.30")
    write_table(tmp_path / "results.csv", found)
    (row,) = collected([str(tmp_path / "results.csv")])[1]
    assert (row["data"], row["variant"]) == ("007", "0.30")

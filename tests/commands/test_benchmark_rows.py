"""Rows of a benchmark: collected from runs and from earlier tables, and what the schedules' figure shows of them."""

import errno
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deep.benchmark import curves
from deep.benchmark.jobs import Job
from deep.benchmark.presets import SCALES, STUDIES
from deep.benchmark.references import UNKNOWN, reference
from deep.benchmark.rows import Run, collected, command_of, method_of, rows_of, with_run
from deep.data.load import save
from deep.evaluate.summary import LAST
from deep.methods.drcorl.safe_adaptation import Temperature
from deep.tasks import TASKS
from tests.support.benchmark_rows import rows
from tests.support.builders import small_dataset
from theory.support.errors import InputError
from theory.support.tables import read_table, write_table


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
        {"phase": "last check", "step": 50, **looked},  # has no beta
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


def test_a_run_whose_settings_are_gone_does_not_replace_its_rows(tmp_path):
    """The rows would lose their command and machine."""
    folder = write_run(tmp_path / "one")
    runs, _ = collected([str(folder)])
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"one/config\.json is gone: put it back, or train that run again"):
        rows_of(runs)


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

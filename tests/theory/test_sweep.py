"""The sweep as its user runs it: whole, interrupted and resumed, on processes and on a cluster; and what it rejects."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from theory import InputError, npg_sweep
from theory.cmdp.families import FAMILIES
from theory.npg.algorithms import Algorithm
from theory.npg.npg import Metric
from theory.support.cluster import connect
from theory.support.tables import write_table
from theory.sweep import figures, grid, schedule
from theory.sweep import folder as sweep_folder
from theory.sweep.folder import prepare, saved_rows, write_rows
from theory.sweep.grid import Grid, expand, jobs
from theory.sweep.schedule import run_all
from theory.sweep.summary import report, slope, vacuous

pytestmark = pytest.mark.usefixtures("unchecked")

TINY = Grid(
    instances=("dirichlet:2:2", "bandit:1:3"),
    large_instances=(),
    gammas=(0.3,),
    tightness=(0.4,),
    steps=(20, 60),
    metrics=("fisher", "advantage"),
    data=(100, 400),
    data_steps=10,
    critics=("model", "fitted"),
    penalties=(1.0, 100.0),
    biases=(0.0,),
    seeds=2,
)


def table(folder: Path, grid: Grid = TINY, workers: int = 1, dask: str | None = None) -> str:
    prepare(folder, grid, resume=folder.exists())
    write_table(folder / "runs.csv", run_all(jobs(expand(grid)), folder, workers, dask))
    return (folder / "runs.csv").read_text()


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serial") / "sweep"
    table(folder)
    return folder


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_and_ends_the_same(serial: Path, tmp_path: Path, monkeypatch) -> None:
    done = []

    def dies_at_the_fourth(job):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(job.name)
        return run_job(job)

    run_job = schedule.run_job
    monkeypatch.setattr(schedule, "run_job", dies_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        table(tmp_path / "sweep")
    assert len(list((tmp_path / "sweep" / "jobs").glob("*.json"))) == 3
    (tmp_path / "sweep" / "jobs" / "half.json.tmp").write_text("[{")
    started = []
    monkeypatch.setattr(schedule, "run_job", lambda job: (started.append(job.name), run_job(job))[1])
    assert table(tmp_path / "sweep") == (serial / "runs.csv").read_text()
    assert not list((tmp_path / "sweep").rglob("*.tmp")), "what killed processes have left is removed"
    assert not set(started) & set(done), "finished jobs are not run again"
    assert len(started) + len(done) == len(jobs(expand(TINY)))


@pytest.mark.slow
def test_local_processes_give_the_same_bits(serial: Path, tmp_path: Path) -> None:
    assert table(tmp_path / "sweep", workers=2) == (serial / "runs.csv").read_text()
    first, other = (schedule.run_job(jobs(expand(grid))[0]) for grid in (TINY, replace(TINY, first_seed=5)))
    assert first != other, "negative control"


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bits(serial: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        assert table(tmp_path / "sweep", dask=cluster.scheduler_address) == (serial / "runs.csv").read_text()


def test_rows_are_certified_and_keep_the_corrected_bounds(serial: Path) -> None:
    with (serial / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(expand(TINY))
    for row in rows:
        assert float(row["lp_residual"]) < 1e-10
        assert float(row["lp_difference"]) < 1e-10
        if row["bound_gap"] not in ("", "nan"):
            assert float(row["gap_mixture_corrected"]) <= float(row["bound_gap"])
            assert float(row["gap_mixture_corrected"]) <= float(row["bound_gap_posterior"]) + 1e-12
            assert float(row["violation_mixture_corrected"]) <= float(row["bound_violation"])
        if row["algorithm"] == "safe_dql":
            assert float(row["violation_last"]) <= float(row["bound_violation_tight"]) + 1e-12
        if row["critic"] == "model":
            assert float(row["C_inf"]) >= 1
            assert (float(row["critic_error"]) > 0) == (row["family"] != "bandit"), "a bandit's transitions are sure"
            assert float(row["gap_mixture_corrected"]) <= float(row["bound_gap_posterior"]) + 1e-12


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_its_folder(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(npg_sweep, "QUICK", TINY)
    configure, plane = figures.configure, figures.reward_cost_plane  # the figures' own runs are of 100 steps
    monkeypatch.setattr(figures, "configure", lambda batch, steps, *x, **y: configure(batch, min(steps, 100), *x, **y))
    monkeypatch.setattr(figures, "reward_cost_plane", lambda: plane(steps=100))
    out = tmp_path / "sweep"
    npg_sweep.main(["--out", str(out), "--quick", "--workers", "1"])
    printed = capsys.readouterr()
    assert "gradient manipulation, fisher" in printed.out
    assert "slope of the gap in T" in printed.out
    assert "sweep:" in printed.err, "a progress bar"
    names = {path.name for path in out.iterdir()}
    assert {"runs.csv", "summary.txt", "config.json"} <= names
    for figure in ("gap_against_T", "regions", "reward_cost_plane", "critic_error_against_N"):
        assert (out / f"{figure}.png").stat().st_size > 10_000
    config = json.loads((out / "config.json").read_text())
    assert config["grid"]["seeds"] == 2
    for arguments, words in (
        (["--out", str(out), "--quick"], "add --resume"),
        (["--out", str(out), "--resume"], "another grid"),
        (["--out", str(tmp_path / "x"), "--workers", "0"], "--workers 0: accepted is a number from 1 to 1024"),
        (["--out", str(tmp_path / "x"), "--grid.instances", "nowhere:2:2"], "family:states:actions"),
        (["--out", str(tmp_path / "x"), "--grid.gammas", "1.0"], "gamma must lie in"),
        (["--out", str(tmp_path / "x"), "--grid.metrics", "manhattan"], "metric must be one of"),
        (["--out", str(tmp_path), "--quick"], "neither empty nor a sweep"),
        (["--out", str(tmp_path / "x"), "--quick", "--dask", "nonsense"], "no Dask scheduler answers"),
    ):
        with pytest.raises(SystemExit) as caught:
            npg_sweep.main(arguments)
        assert caught.value.code == 2, arguments
        error = capsys.readouterr().err
        assert words in error, error
        assert "Traceback" not in error


def test_the_names_are_those_of_the_code() -> None:
    assert tuple(FAMILIES) == grid.FAMILIES
    assert tuple(algorithm.name.lower() for algorithm in Algorithm) == grid.ALGORITHMS
    assert tuple(metric.name.lower() for metric in Metric) == grid.METRICS


REJECTED = {
    "a negative seed": ({"first_seed": -1}, "seeds must be non-negative integers, not -1"),
    "a bias of NaN": ({"biases": (np.nan,)}, "biases must be of at most 1e\\+12 in size, not nan"),
    "an infinite penalty": ({"penalties": (np.inf,)}, "penalties must lie from 0 to 1e\\+12, not inf"),
    "an infeasible budget": ({"tightness": (0.3, -0.1)}, "tightness must lie from 0 to 1e\\+12, not -0.1"),
    "steps without end": ({"steps": (10**12,)}, "steps must lie from 1 to 1000000000, not 1000000000000"),
    "seeds without end": ({"seeds": 10**6}, "the number of seeds must lie from 1 to 1000, not 1000000"),
    "states of 300 digits": ({"instances": (f"chain:{300 * '9'}:2",)}, "at most 1000 states and actions, not 'chain:9"),
    "actions of 5000 digits": (
        {"instances": (f"chain:2:{5000 * '9'}",)},
        "at most 1000 states and actions, not 'chain:2",
    ),
    "one action": ({"instances": ("dirichlet:2:1",)}, "at least two actions, not 'dirichlet:2:1'"),
    "a foreign digit": ({"instances": ("dirichlet:²:2",)}, "an instance is family:states:actions"),
    "no instance": ({"instances": ()}, "instances and large_instances are both empty"),
    "no gamma": ({"gammas": ()}, "gammas is empty, although there are instances"),
    "no algorithm": ({"algorithms": ()}, "algorithms is empty"),
    "no steps": ({"steps": ()}, "steps is empty"),
    "an instance twice": ({"instances": ("bandit:1:3", "bandit:01:3")}, "the same run twice.*family bandit"),
    "steps twice": ({"steps": (20, 60, 20)}, "the same run twice.*steps 20"),
    "a data size twice": ({"data": (100, 100)}, "the same run twice.*N 100"),
    "one instance small and large": (
        {"large_instances": ("bandit:1:3",), "large_gammas": (0.3,)},
        "the same run twice.*family bandit",
    ),
    "no metric for estimated critics": ({"metrics": ("fisher",)}, "runs in the metric advantage"),
    "no schedule for estimated critics": ({"schedules": ("printed",)}, "on the schedule corrected"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_grid_without_sense_is_rejected(case: str) -> None:
    changes, words = REJECTED[case]
    with pytest.raises(InputError, match=words):
        replace(TINY, **changes)


def test_a_grid_may_leave_out_estimated_manipulation() -> None:
    cells = expand(replace(TINY, metrics=("fisher",), data_algorithms=("crpo",)))
    assert {cell.algorithm for cell in cells if cell.N} == {"crpo"}
    assert not [cell for cell in expand(replace(TINY, metrics=("fisher",), data=())) if cell.N]


def test_a_folder_that_was_interrupted_early_is_a_sweep(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "sweep"
    mkdir = Path.mkdir

    def dies(path: Path, *arguments, **options) -> None:
        if path.name == "jobs":
            raise KeyboardInterrupt
        mkdir(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", dies)
        with pytest.raises(KeyboardInterrupt):
            prepare(folder, TINY, resume=False)
    prepare(folder, TINY, resume=True)
    assert (folder / "jobs").is_dir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json.17.tmp").write_text("{")
    prepare(tmp_path / "other", TINY, resume=False)


def test_other_libraries_do_not_go_on_with_a_sweep(tmp_path: Path, monkeypatch) -> None:
    prepare(tmp_path / "sweep", TINY, resume=False)
    before = (tmp_path / "sweep" / "config.json").read_bytes()
    monkeypatch.setattr(sweep_folder, "versions", lambda: {"torch": "0.1"})
    with pytest.raises(InputError, match=r"a sweep with torch .*, and this is torch 0\.1"):
        prepare(tmp_path / "sweep", TINY, resume=True)
    assert (tmp_path / "sweep" / "config.json").read_bytes() == before


@pytest.mark.parametrize("text", ['{"grid": {"inst', "{}", "[]"])
def test_a_damaged_config_is_rejected(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        prepare(tmp_path, TINY, resume=True)


def test_a_folder_that_cannot_be_made_is_rejected() -> None:
    with pytest.raises(InputError, match="/dev/null/x cannot be written"):
        prepare(Path("/dev/null/x"), TINY, resume=False)


def test_a_cut_job_is_done_again(serial: Path, tmp_path: Path) -> None:
    shutil.copytree(serial, tmp_path / "sweep")
    first, second, *_ = sorted((tmp_path / "sweep" / "jobs").glob("*.json"))
    first.write_text(first.read_text()[:100])
    second.write_text("[]")
    assert table(tmp_path / "sweep") == (serial / "runs.csv").read_text()


def test_a_job_of_another_form_is_run_again(tmp_path: Path) -> None:
    path, rows = tmp_path / "job.json", [{"gap": 0.5, "algorithm": "crpo"}, {"gap": float("nan"), "algorithm": "pid"}]
    write_rows(path, rows)
    assert str(saved_rows(path, 2)) == str(rows)
    assert saved_rows(path, 3) is None
    good = json.loads(path.read_text())
    changed = [
        {},
        [],
        None,
        7,
        rows,
        {"rows": rows},
        good | {"rows": [7, 7]},
        good | {"rows": [{}, {}]},
        good | {"sha256": 1},
    ]
    changed += [good | {"rows": [{"gap": 0.25, "algorithm": "crpo"}, rows[1]]}]
    for content in [*map(json.dumps, changed), "", "{", "[" * 100_000, path.read_text()[:-9]]:
        path.write_text(content)
        assert saved_rows(path, 2) is None, content[:80]
    path.write_bytes(b"\xff")
    assert saved_rows(path, 2) is None


def test_a_missing_scheduler_leaves_no_client_behind(monkeypatch) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

    def begun(*arguments, **options) -> None:
        raise AssertionError("a client that fails to start complains at length when it is thrown away")

    monkeypatch.setattr(distributed, "Client", begun)
    with pytest.raises(InputError, match="no Dask scheduler answers at nonsense"):
        connect("nonsense")


def test_statistics_on_known_curves() -> None:
    base = {"family": "f", "states": 2, "actions": 2, "gamma": 0.5, "tightness": 0.5}
    rows = [
        base
        | {"seed": seed, "steps": T, "gap": (1 + seed) * T**-0.5, "bound": 10 / T, "range": 0.05, "critic": "exact"}
        for seed in range(5)
        for T in (100, 1000, 10000)
    ]
    middle, low, high, count = slope(rows, "gap")
    assert (middle, low, high) == pytest.approx((-0.5, -0.5, -0.5))
    assert count == 5
    assert vacuous(rows, "bound") == (5, 15)
    rows[0]["gap"] = -1.0
    assert slope(rows, "gap")[3] == 4, "an instance with a gap below zero has no slope"
    assert np.isnan(slope(rows[:1], "gap")[0])
    assert report([]) != ""


def test_a_slopes_interval_is_that_of_medians_over_instances() -> None:
    """Five instances of slope -1 and four of slope 0: medians of resamples are either, the interval reaches both."""
    rows = [
        dict.fromkeys(("family", "states", "actions", "gamma", "tightness"), 0)
        | {"seed": seed, "steps": T, "gap": T ** (-1.0 if seed < 5 else 0.0)}
        for seed in range(9)
        for T in (100, 1000)
    ]
    middle, low, high, count = slope(rows, "gap")
    assert (middle, low, high) == pytest.approx((-1.0, -1.0, 0.0), abs=1e-9)
    assert count == 9


def test_a_slopes_interval_leaves_out_a_fortieth_on_either_side() -> None:
    """Nine instances of slopes 0 to -8. The k-th smallest is at least the resamples' median with P(B(9, k/9) >= 5): .03
    for the second and .14 for the third one; so the 2.5 % quantile is the second and the 5 % quantile the third."""
    rows = [
        dict.fromkeys(("family", "states", "actions", "gamma", "tightness"), 0)
        | {"seed": seed, "steps": T, "gap": (T / 10) ** -float(seed)}
        for seed in range(9)
        for T in (10, 20)
    ]
    assert slope(rows, "gap")[:3] == pytest.approx((-4.0, -7.0, -1.0), abs=1e-9)

"""`--budget HOURS`: what jobs cost, their order, what is left out; on jobs whose answers are known, and for real."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deep.benchmark import __main__ as benchmark
from deep.benchmark import budget, running
from deep.benchmark import costs as measured
from deep.benchmark.budget import Budget, Estimate, estimate, missing_text, plan_text
from deep.benchmark.jobs import Grid, Job, expand
from deep.benchmark.rows import rows_in
from deep.benchmark.running import Outcome, Place, Running, in_order, run_all
from deep.methods.registry import METHODS
from theory.support.errors import InputError

COSTS = {"bc_all": 10.0, "bc_safe": 20.0, "drcorl": 100.0}
"""Seconds per replica; the dynamics models of a seed take 5 seconds."""


@pytest.fixture(autouse=True)
def costs(monkeypatch):
    known = {"dynamics": {"seconds": 5.0, "steps": 100}, "methods": {m: {"seconds": s} for m, s in COSTS.items()}}
    monkeypatch.setattr(budget, "costs", lambda: known)


def job(algorithm: str, data: str = "a", seed: int = 0, **changes: object) -> Job:
    """A job of one seed at two limits, without learned dynamics."""
    options = ("--preset", "quick", "--dynamics.steps", "0")
    made = Job("HopperVel", data, data, algorithm, "", "quick", (seed,), (20.0, 40.0), 5, options, f"seeds{seed}")
    return replace(made, **changes)


def names(jobs: list[Job]) -> list[str]:
    return [f"{j.algorithm} {j.data} {j.seeds[0]}" for j in jobs]


def test_a_job_costs_its_replicas_and_the_dynamics_of_its_seeds():
    assert estimate(job("bc_all"), {}) == Estimate(20.0, "costs.json")
    assert estimate(job("bc_all", cost_limits=(1.0, 2.0, 3.0), seeds=(0, 1)), {}).seconds == 60.0
    assert estimate(job("bc_all", options=("--preset", "quick")), {}).seconds == 25.0
    assert estimate(job("bc_all", options=("--dynamics.steps", "300"), seeds=(0, 1)), {}).seconds == 40 + 2 * 15


def test_finished_jobs_are_believed_before_the_table_and_those_of_the_same_data_first():
    elsewhere, here = job("bc_all", "b"), job("bc_all", "a", 1, cost_limits=(20.0,))
    other_task = replace(job("bc_all", "c"), task="BallRun")
    known = {other_task: 2.0}
    assert estimate(job("bc_all"), known) == Estimate(2.0, "finished jobs of its method")
    known |= {elsewhere: 8.0}
    assert estimate(job("bc_all"), known) == Estimate(8.0, "finished jobs of its task")
    known |= {here: 3.0}
    assert estimate(job("bc_all"), known) == Estimate(6.0, "finished jobs of its data"), "one replica took 3 seconds"
    longer = job("bc_all", options=("--preset", "quick", "--steps", "9"))
    assert estimate(longer, known).source == "costs.json", "jobs of other options say nothing"
    assert estimate(job("bc_safe"), known).source == "costs.json"


def test_a_cost_that_nothing_tells_is_refused():
    for unknown in (job("bc_all", scale="paper"), job("caps")):
        with pytest.raises(InputError, match=r"the cost of .* is not known; accepted are the scales smoke and quick"):
            estimate(unknown, {})
    assert estimate(job("bc_all", scale="paper"), {job("bc_all"): 3.0}).seconds == 3.0


def grid() -> list[Job]:
    return [job(m, data, seed) for m in ("drcorl", "bc_safe", "bc_all") for seed in (1, 0) for data in ("a", "b")]


def test_each_method_comes_once_on_each_data_set_before_second_seeds_and_the_cheapest_first():
    jobs = sorted(grid(), key=lambda j: j.seeds)
    order = [f"{m} {data}" for m in ("bc_all", "bc_safe", "drcorl") for data in ("a", "b")]
    assert names([j for j, _ in Budget(1, jobs).ordered()]) == [f"{x} {seed}" for seed in (0, 1) for x in order]


def test_what_does_not_fit_is_left_out_and_cheaper_jobs_behind_it_run():
    # 20 + 20 + 40 + 40 seconds of cloning and 200 of DRCORL are 320 of 370; of the next 200, 20, 20, 40, 40 and 200 two
    # times 20 fit.
    plan = Budget(370 / 3600, sorted(grid(), key=lambda j: j.seeds)).plan()
    runs = [True] * 5 + [False] + [True, True] + [False] * 4
    assert [fits for *_, fits in plan] == runs
    assert names([plan[5][0], plan[6][0]]) == ["drcorl b 0", "bc_all a 1"]
    text = plan_text(plan)
    assert "in all 6 processor minutes; left out 11" in text
    assert [line.startswith("runs") for line in text.splitlines()[1:-1]] == runs


def test_jobs_that_take_longer_than_estimated_stop_the_later_ones():
    one = Budget(70 / 3600, [job("bc_all", "a"), job("bc_all", "b"), job("bc_safe", "a")])
    first = one.take([])
    assert first is not None
    assert names([first]) == ["bc_all a 0"]
    second = one.take([first])
    assert second is not None
    assert names([second]) == ["bc_all b 0"]
    assert one.take([first, second]) is None, "40 seconds are running, and another 40 are more than 70"
    one.ended(Outcome(first, None, 25.0))
    one.ended(Outcome(second, "it fell over", 30.0))
    assert one.spent == 55.0
    assert one.take([]) is None
    assert names(one.waiting) == ["bc_safe a 0"]
    assert estimate(job("bc_all", "b", 1), one.finished).seconds == 25.0, "a job that failed tells no cost"
    text = missing_text(one.plan())
    assert "1 jobs have not been run" in text
    assert "- HopperVel (a), seed 0: bc_safe" in text
    assert missing_text([]) == ""


def test_local_jobs_run_as_many_at_a_time_as_there_are_workers(tmp_path: Path, monkeypatch, capsys):
    """Short processes in the place of trainings; the second one fails."""
    together: list[int] = []

    def short(job: Job, folder: Path, threads: int) -> Running:
        log = folder / f"{job.name}.log"
        code = "import sys; sum(range(10**6)); print('error: it fell'); sys.exit(3)" if job.data == "b" else "pass"
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, "-c", code], stdout=output)
        return Running(job, process, log, 0)

    jobs = [job("bc_all", data) for data in "abcd"]
    waiting = in_order(jobs)

    def take(here: Sequence[Job]) -> Job | None:
        together.append(len(here))
        return waiting(here)

    monkeypatch.setattr(running, "start", short)
    outcomes = run_all(take, Place(tmp_path, 2, None, 1))
    assert {(o.job.data, o.error) for o in outcomes} == {("a", None), ("b", "it fell"), ("c", None), ("d", None)}
    assert max(together) == 1, "the third is taken when one of two has ended"
    assert all(0 < outcome.seconds < 10 for outcome in outcomes)
    assert "b-bc_all-seeds0 FAILED: it fell" in capsys.readouterr().out


def cheap(job: Job, folder: Path, threads: int) -> Outcome:
    """A job that takes a second."""
    return Outcome(job, None, 1.0)


def test_a_cluster_gets_what_fits_and_more_as_jobs_prove_cheaper(tmp_path: Path, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    monkeypatch.setattr(running, "run_job", cheap)
    one = Budget(50 / 3600, [job("bc_all", data, seed) for seed in (0, 1) for data in "abc"] + [job("drcorl")])
    ended: list[str] = []

    def note(outcome: Outcome) -> None:
        one.ended(outcome)
        ended.extend(names([outcome.job]))

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp", dashboard_address=None
    ) as cluster:
        place = Place(tmp_path, 1, cluster.scheduler_address, 1)
        outcomes = run_all(one.take, place, note)
    printed = capsys.readouterr().out
    assert "2 jobs given to the cluster" in printed, "20 seconds each were estimated"
    assert len(outcomes) == 6
    assert set(ended[:2]) == {"bc_all a 0", "bc_all b 0"}
    assert names(one.waiting) == ["drcorl a 0"], "200 seconds do not fit"
    assert one.spent == 6.0
    assert json.loads((tmp_path / "seconds.json").read_text()) == {job.name: 1.0 for job in one.finished}


def test_every_method_has_a_measured_cost():
    found = json.loads(budget.COSTS.read_text())
    assert set(found["methods"]) == set(METHODS), "run python -m deep.benchmark.costs METHOD"
    for entry in (*found["methods"].values(), found["dynamics"]):
        assert entry["seconds"] > 0
        assert entry["commit"]
        assert entry["machine"]


def test_a_named_method_is_measured_anew_and_the_others_stay(tmp_path: Path, monkeypatch, dataset):
    monkeypatch.setattr(measured, "load", lambda task, which: dataset)
    path = tmp_path / "costs.json"
    path.write_text(budget.COSTS.read_text())
    measured.main(["bc_all"], path, 0.0)
    before, after = (json.loads(file.read_text()) for file in (budget.COSTS, path))
    assert after["methods"].pop("bc_all") != before["methods"].pop("bc_all")
    assert after == before
    with pytest.raises(SystemExit):
        measured.main(["nothing"], path, 0.0)


def test_a_file_names_its_task(dataset_file):
    (found,) = expand(Grid(tasks=(str(dataset_file),), algorithms=("bc_all",)))
    assert (found.task, found.data, found.dataset) == ("HopperVel", "small", str(dataset_file.resolve()))


@pytest.mark.slow
def test_a_budget_runs_what_fits_and_resume_goes_on_where_it_ended(dataset_file, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(running, "CHILD", "tests.support.short_child")
    tiny = "all=--steps 20 --hidden 8 --batch-size 8 --dynamics.steps 0"
    words = ["--out", str(tmp_path / "out"), "--tasks", str(dataset_file), "--algorithms", "bc_safe", "bc_all"]
    words += ["--episodes", "1", "--cost-limits", "9", "--seeds", "3", "--options", tiny, "--workers", "1"]
    benchmark.main([*words, "--budget", str(15 / 3600)])
    printed = capsys.readouterr().out
    assert "2 jobs, 0 finished before, 2 to run" in printed
    assert "HopperVel-small-bc_all started" in printed
    rows = rows_in(tmp_path / "out" / "results.csv")
    assert {row["algorithm"] for row in rows} == {"bc_all"}, "20 seconds of bc_safe never fit into 15"
    assert "- HopperVel (small), seed 3: bc_safe" in (tmp_path / "out" / "table.md").read_text()
    seconds = json.loads((tmp_path / "out" / "seconds.json").read_text())
    assert all(0 < taken < 60 for taken in seconds.values())
    first = rows[0]
    assert first["kind"] == "full"
    assert first["command"].startswith(
        f"python -m deep.train --task HopperVel --algorithm bc_all --dataset {dataset_file.name}"
    )
    assert first["machine"]
    assert len(first["sha256"]) == 64
    benchmark.main([*words, "--budget", "1", "--resume"])
    assert "estimated from" in capsys.readouterr().out
    rows = rows_in(tmp_path / "out" / "results.csv")
    assert sorted((row["algorithm"], row["seed"]) for row in rows) == [
        ("bc_all", 3),
        ("bc_safe", 3),
    ]
    assert "Missing" not in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--budget", "-1"], "--budget -1: accepted is a number of hours of at least 0"),
        (["--budget", "nan"], "--budget nan"),
        (["--budget", "1", "--scale", "paper", "--algorithms", "bc_all"], "the cost of bc_all at the scale paper"),
        (["--budget", "1", "--collect", "/nowhere"], "--collect trains nothing"),
    ],
)
def test_a_mistake_gets_one_sentence_and_leaves_no_folder(arguments, sentence, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        benchmark.main(["--out", str(tmp_path / "out"), *arguments])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()

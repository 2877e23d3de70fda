"""`python -m deep.benchmark` as its user runs it: whole, killed and resumed, on a cluster, with jobs that fail."""

import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from deep.benchmark import __main__ as benchmark
from deep.benchmark import latency, running
from deep.benchmark.jobs import Grid, Job, expand, job_from
from deep.benchmark.presets import SCALES, STUDIES
from tests.support.lighter import short_episodes
from tests.support.short_benchmark import CHILD
from theory.support.errors import InputError
from theory.support.words import last_of_each

TINY = [
    'all="--dynamics.steps 2 --dynamics.members 2 --dynamics.hidden 8 --dynamics.episodes 2 --hidden 8 --batch-size 8"',
    'bc_safe="--steps 20"',
    'safe_dql="--behaviour-steps 50 --improvement-steps 150 --candidates 2 --critics.hidden 8"',
]
BLIND = 'drcorl:blind="--dynamics.steps 0"'
"""DRCORL's default gate needs learned dynamics: deep.train refuses this once it has read the data."""


ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def words(out: Path, data: Path, methods: Sequence[str] = ("bc_safe", "safe_dql"), *more: str) -> list[str]:
    options = [option for option in (*TINY, BLIND) if option.partition("=")[0] in ("all", *methods)]
    found = ["--out", str(out), "--tasks", f"HopperVel={data}", "--algorithms", *methods, "--episodes", "1"]
    found += ["--cost-limits", "9", "4", "--seeds", "0", "3", "--options", *(o.replace('"', "") for o in options)]
    return [*found, "--workers", "1", *more]


def table(out: Path) -> list[dict[str, str]]:
    """results.csv, without what may differ."""
    with (out / "results.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(autouse=True)
def short_jobs(monkeypatch):
    """Of 40 steps an episode, in the jobs that these tests start from here too."""
    monkeypatch.setattr(running, "CHILD", CHILD)
    with short_episodes():
        yield


@pytest.fixture(scope="module")
def serial(dataset_file, tmp_path_factory):
    """(folder, what was printed) of a benchmark of which one job of three fails."""
    out = tmp_path_factory.mktemp("serial") / "out"
    command = [sys.executable, "-m", "tests.support.short_benchmark"]
    command += words(out, dataset_file, ["bc_safe", "drcorl:blind", "safe_dql"])
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return out, ended


def test_a_job_that_fails_is_told_and_the_others_go_on(serial):
    out, ended = serial
    assert ended.returncode == 1
    assert "HopperVel-small-drcorl-blind FAILED: --dynamics.steps 0 trains no dynamics" in ended.stdout
    assert "FAILED: HopperVel-small-drcorl-blind: --dynamics.steps 0" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.stdout.index("smoke scale") < ended.stdout.index("3 jobs, 0 finished before")
    assert {row["variant"] for row in table(out)} == {""}


def test_it_leaves_a_tidy_table_and_the_rest(serial):
    out, _ = serial
    rows = table(out)
    cells = [(row["algorithm"], row["choice"], row["seed"], row["cost_limit"]) for row in rows]
    methods = [("bc_safe", ""), ("safe_dql", "best-of-n"), ("safe_dql", "sample")]
    assert cells == [(*m, seed, limit) for m in methods for seed in "03" for limit in ("4.0", "9.0")]
    summary = json.loads((out / "runs" / "HopperVel-small-safe_dql" / "summary.json").read_text())
    found = {(row["seed"], row["cost_limit"], row["choice"]): row for row in rows if row["algorithm"] == "safe_dql"}
    for choice, results in {"best-of-n": summary["results"], **summary["other_choices"]}.items():
        for result in results:
            row = found[str(result["seed"]), str(result["cost_limit"]), choice]
            assert float(row["R"]) == result["reward"]
            assert float(row["cost"]) == result["cost_return"]
            assert row["safe"] == str(result["safe"] and not result["ends_early"])
            assert float(row["offline_cost"]) == result["offline_cost_estimate"]
    assert {(row["scale"], row["preset"], row["source"]) for row in rows} == {("smoke", "quick", "file")}
    assert {row["sha256"] for row in rows} == {summary["dataset"]["sha256"]}
    text = (out / "table.md").read_text()
    assert "Smoke scale" in text
    assert "not comparable with published" in text
    whole = json.loads((out / "summary.json").read_text())
    assert [about["method"] for about in whole["methods"]] == [
        "BC-Safe",
        "Safe-DQL (best of N)",
        "Safe-DQL (policy itself)",
    ]
    assert len(whole["pairs"]) == 3
    assert not whole["comparable_with_published_scores"]
    assert (out / "limits.png").stat().st_size > 10_000


def test_a_killed_benchmark_resumes_to_the_same_table(serial, dataset_file, tmp_path, capsys):
    out = tmp_path / "out"
    given = words(out, dataset_file, ("safe_dql",))
    command = [sys.executable, "-m", "tests.support.short_benchmark", *given]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ONE_THREAD)
    run = out / "runs" / "HopperVel-small-safe_dql"
    deadline = time.monotonic() + 300
    while not (run / "metrics.jsonl").exists() or '"improvement"' not in (run / "metrics.jsonl").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until_free(run / ".lock", deadline)
    assert not (run / "summary.json").exists(), "it was killed in the middle of a job"
    benchmark.main([*given, "--resume"])
    printed = capsys.readouterr().out
    assert "1 jobs, 0 finished before, 1 to run" in printed
    assert table(out) == [row for row in table(serial[0]) if row["algorithm"] == "safe_dql"]
    step = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in step if record["phase"] == "improvement"] == list(range(50, 200, 50))

    benchmark.main([*given, "--resume"])
    assert "1 jobs, 1 finished before, 0 to run" in capsys.readouterr().out
    for more, sentence in (([], "already holds a benchmark"), (["--resume", "--episodes", "2"], "has other jobs")):
        with pytest.raises(SystemExit) as caught:
            benchmark.main(last_of_each([*given, *more]))
        assert caught.value.code == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.exhaustive
def test_a_benchmark_killed_at_random_moments(serial, dataset_file, tmp_path, capsys):
    """Three benchmarks, each killed twice, at moments spread over its two jobs and its tables."""
    rng = np.random.default_rng(0)
    for number in range(3):
        out = tmp_path / str(number)
        for moment in rng.uniform(1, 40, 2):
            resume = ["--resume"] if (out / "benchmark.json").exists() else []
            command = [sys.executable, "-m", "tests.support.short_benchmark", *words(out, dataset_file), *resume]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ONE_THREAD)
            try:
                assert process.wait(float(moment)) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for lock in out.glob("runs/*/.lock"):
                wait_until_free(lock, time.monotonic() + 60)
        benchmark.main([*words(out, dataset_file), *(["--resume"] if (out / "benchmark.json").exists() else [])])
        assert table(out) == table(serial[0])
        assert not list(out.rglob("*.tmp"))
        assert "2 jobs" in capsys.readouterr().out


def wait_until_free(lock: Path, deadline: float) -> None:
    """Until the training that held the run's lock has ended, as it must when its benchmark is killed."""
    with lock.open() as file:
        while True:
            assert time.monotonic() < deadline, "the training went on without the benchmark"
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                time.sleep(0.05)


def test_a_dask_cluster_gives_the_same_table(serial, dataset_file, tmp_path, capsys):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        benchmark.main(words(tmp_path / "out", dataset_file, ("bc_safe",), "--dask", cluster.scheduler_address))
    assert "given to the cluster" in capsys.readouterr().out
    assert table(tmp_path / "out") == [row for row in table(serial[0]) if row["algorithm"] == "bc_safe"]


def test_finished_runs_are_tabulated_and_timed(serial, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(latency, "ACTIONS", 20)
    run = serial[0] / "runs" / "HopperVel-small-bc_safe"
    benchmark.main(["--collect", str(serial[0]), f"mine={run}", "--out", str(tmp_path / "out"), "--latency"])
    names = ("R", "C", "algorithm", "choice", "seed", "cost_limit")
    found = [[row[name] for name in names] for row in table(tmp_path / "out") if not row["variant"]]
    assert found == [[row[name] for name in names] for row in table(serial[0])]
    assert "| BC-Safe (mine) |" in capsys.readouterr().out
    times = json.loads((tmp_path / "out" / "summary.json").read_text())["seconds_for_1000_actions"]
    assert [(time["algorithm"], time["variant"], time["choice"]) for time in times] == [
        ("bc_safe", "", ""),
        ("bc_safe", "mine", ""),
        ("safe_dql", "", "best-of-n"),
        ("safe_dql", "", "sample"),
    ]
    for entry in times:
        assert 0 < entry["single_low"] <= entry["single"] <= entry["single_high"]
        assert entry["batched"] < entry["single"]
    assert (tmp_path / "out" / "time.png").stat().st_size > 10_000


def jobs(*options: str, **fields: object) -> list[Job]:
    return expand(Grid(**{"options": options, **fields}))  # pyright: ignore[reportArgumentType]


def test_the_jobs_are_all_combinations(dataset_file):
    found = jobs(tasks=("HopperVel", f"HopperVel={dataset_file}", "BallRun"), algorithms=("bc_all", "drcorl"))
    assert [job.name for job in found] == [
        f"{place}-{algorithm}"
        for algorithm in ("drcorl", "bc_all")
        for place in ("HopperVel-auto", "HopperVel-small", "BallRun-auto")
    ]
    assert [job.cost_limits for job in found[:3]] == [(20, 40, 80), (20, 40, 80), (10, 20, 40)]
    assert found[1].dataset == str(dataset_file.resolve())
    split = jobs(algorithms=("bc_all",), seeds=(0, 5, 2), seeds_per_job=2)
    assert [(job.name, job.seeds) for job in split] == [
        ("HopperVel-embedded-bc_all-seeds0_5", (0, 5)),
        ("HopperVel-embedded-bc_all-seeds2", (2,)),
    ]
    assert job_from(json.loads(json.dumps(split[0].__dict__))) == split[0]


def test_options_go_from_the_general_to_the_particular():
    given = ("bc_all:long=--steps 7 --hidden 5", "all=--gamma .9 --steps 1", "bc_all=--steps 3")
    short, long = jobs(*given, algorithms=("bc_all", "bc_all:long"))
    assert short.options[-4:] == ("--gamma", ".9", "--steps", "3"), "each option once: the last one given counts"
    assert long.options[-4:] == ("--steps", "7", "--hidden", "5")
    (both,) = jobs("bc_all=--steps 3", "bc_all=--hidden 5", algorithms=("bc_all",))
    assert both.options[-4:] == ("--steps", "3", "--hidden", "5")
    assert benchmark.expand(Grid(scale="smoke"))[0].options[:4] == ("--preset", "quick", "--dynamics.steps", "4000")


@pytest.mark.parametrize(
    "word", ["--seeds=3", "--threads 3", "--out elsewhere", "--resume", "--cost-limits 9", "--cost_limits 9"]
)
def test_options_that_a_job_sets_itself_are_refused(word):
    with pytest.raises(InputError, match="is not accepted here, the benchmark sets it itself"):
        jobs(f"all={word}", algorithms=("bc_all",))


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_is_made_of_options_that_exist(study):
    found = jobs(study=study, scale="paper" if study == "table" else "smoke")
    assert [job.algorithm for job in found].count("drcorl") == (3 if "schedules" in study else 1)
    assert found[0].cost_limits == ((10, 20, 30) if study == "limits" else (20, 40, 80))
    assert found[0].seeds == SCALES["paper" if study == "table" else "smoke"].seeds
    assert {job.cost_limits for job in jobs(study=study, cost_limits=(7.0, 5.0))} == {(7.0, 5.0)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tasks", "Hopper"], "unknown task 'Hopper'"),
        (["--tasks", "HopperVel=/nowhere.hdf5"], "/nowhere.hdf5 is not a file"),
        (["--tasks", "HopperVel", "HopperVel"], "two jobs are called HopperVel-auto-"),
        (["--algorithms", "ppo"], "unknown algorithm 'ppo'"),
        (["--algorithms", "drcorl:pid"], "say what the variant is"),
        (["--options", "bc_al=--steps 3"], "accepted is NAME=WORDS"),
        (["--options", "bc_all=--seeds 3"], "--seeds is not accepted here"),
        (["--seeds", "1", "1"], "--seeds [1, 1]"),
        (["--cost-limits", "-3"], "--cost-limits [-3.0]"),
        (["--episodes", "-1"], "--episodes -1"),
        (["--seeds-per-job", "-1"], "--seeds-per-job -1"),
        (["--workers", "-1"], "--workers -1"),
        (["--resume"], "holds none"),
        (["--dask", "nonsense"], "no Dask scheduler answers at nonsense"),
        (["--collect", "/nowhere"], "no finished run in /nowhere"),
        (["--collect", "/nowhere", "--seeds", "1"], "--collect trains nothing"),
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


def test_a_name_of_a_data_file_that_is_too_long_for_its_jobs_is_refused(dataset_file, tmp_path, capsys):
    longest = tmp_path / f"{'n' * 240}.hdf5"
    longest.write_bytes(dataset_file.read_bytes())
    with pytest.raises(SystemExit) as caught:
        benchmark.main(words(tmp_path / "out", longest))
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "bytes long: accepted are up to 200, which a shorter name of the data file gives" in said
    assert not (tmp_path / "out").exists()


def test_a_benchmark_killed_as_it_began_can_be_begun_again(dataset_file, tmp_path, monkeypatch):
    """All that is there is a part of its list of jobs."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "benchmark.json.123.tmp").write_text("[{")
    monkeypatch.setattr("deep.benchmark.running.run_all", lambda *rest: [])
    benchmark.main(words(out, dataset_file))
    assert [path.name for path in out.iterdir()] == ["benchmark.json"]


def test_a_folder_that_is_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="neither empty nor a benchmark"):
        benchmark.run(benchmark.Options(out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_why_a_job_failed_is_read_from_what_it_said_this_time(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("error: what stopped it before\n")
    (job,) = jobs(algorithms=("bc_all",))
    command = [sys.executable, "-c", "print('Killed', flush=True); raise SystemExit(3)"]
    with log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(command, stdout=output)
    assert (
        running.Running(job, process, log, offset).outcome().error
        == f"it ended with status 3 (Killed); {log} says more"
    )

"""`python -m deep.benchmark`: tasks x algorithms x cost limits x seeds in one command, with tables and figures.

Each task, data set and algorithm is one job, a run of deep.train that trains all its seeds and limits together. Without
options: HopperVel on the embedded data at the smoke scale, which shows that all works and ranks nothing.
"""

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from deep.benchmark.jobs import Grid, Job, expand
from theory.support.command import command, going_on, read
from theory.support.errors import InputError
from theory.support.files import remove_leftovers, write_whole, writing
from theory.support.tables import Row, write_table

if TYPE_CHECKING:  # imported after the command line has been checked, because torch takes seconds
    from deep.benchmark.rows import Run
    from deep.benchmark.running import Outcome


@dataclass(frozen=True)
class Options:
    """Train and score methods on tasks; writes results.csv, table.md, summary.json, page.html and figures."""

    grid: Annotated[Grid, tyro.conf.arg(name="")] = field(default_factory=Grid)
    """What to run."""
    out: Path = Path("runs/benchmark")
    """Folder for the tables, and for the runs under runs/."""
    resume: bool = False
    """Continue the benchmark in that folder: finished jobs stay, the others continue."""
    workers: int = 0
    """Local processes at a time; 0: one per core, or one where torch finds a GPU."""
    threads: int = 1
    """CPU threads of each job."""
    budget: float = 0.0
    """Processor hours that this command may take. Jobs then have one seed each and run the most informative first:
    each method once on each data set, the cheapest first, then the next seed. What does not fit is named, and runs with
    --resume and another budget. 0: everything runs."""
    dask: str | None = None
    """Address of an existing Dask scheduler to run the jobs on, such as tcp://127.0.0.1:8786."""
    collect: tuple[str, ...] = ()
    """Train nothing: tabulate these finished runs, each a run's folder, a benchmark's folder or VARIANT=RUN; or the
    rows of a results.csv, where the runs themselves are gone. --cost-limits then chooses the limits to tabulate."""
    latency: bool = False
    """Measure how long acting takes, as --study time does."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.benchmark") -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    begun: list[Path] = []

    def saved() -> str:
        if not begun:
            return "nothing was trained"
        there = f"finished jobs and the checkpoints of the others are saved in {begun[0]}"
        return f"{there}; {going_on(prog, words)}"

    with command(saved):
        if run(read(Options, __name__, words, prog, description=__doc__), begun):
            sys.exit(1)


def run(options: Options, begun: list[Path] | None = None) -> "list[Outcome]":
    """Run what is missing, write everything; returns the jobs that failed.

    The folder is appended to `begun` as soon as the benchmark can be resumed there.
    """
    if not 0 <= options.budget < float("inf"):
        raise InputError(f"--budget {options.budget:g}: accepted is a number of hours of at least 0")
    if options.workers < 0 or options.threads < 1:
        raise InputError(
            f"--workers {options.workers}, --threads {options.threads}: accepted are at least 0 and at least 1"
        )
    grid = options.grid
    if options.budget:
        grid = dataclasses.replace(grid, seeds_per_job=grid.seeds_per_job or 1)
    jobs = [] if options.collect else expand(grid)  # rejects wrong options before torch is imported
    from deep.benchmark.rows import collected, runs_of
    from deep.benchmark.running import MARKER
    from theory.support.cluster import connect

    outcomes: list[Outcome] = []
    earlier: list[Row] = []
    missing = ""
    out = options.out.resolve()
    if options.collect:
        if options.grid != Grid(cost_limits=options.grid.cost_limits) or options.resume or options.budget:
            raise InputError("--collect trains nothing: it goes with --out, --latency and --cost-limits only")
        if (out / MARKER).exists():
            raise InputError(f"--out {out} holds a benchmark of its own: choose another folder for --collect")
        runs, earlier = collected(options.collect)
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
    else:
        if options.dask is not None:
            connect(options.dask).close()  # an address that does not answer leaves no folder behind
        if options.budget and not options.resume:
            from deep.benchmark.budget import Budget

            Budget(options.budget, list(jobs)).plan()  # rejects jobs of unknown cost
        prepare(out, jobs, options)
        if begun is not None:
            begun.append(out)
        outcomes, missing = work(jobs, out, options)
        runs = runs_of(out, jobs)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if runs or earlier:
        write(out, runs, earlier, options.latency or options.grid.study == "time", options.grid.cost_limits, missing)
    for outcome in failed:
        print(f"FAILED: {outcome.job.name}: {outcome.error}", file=sys.stderr)
    if failed:
        print(
            "the tables hold what is finished; the same command with --resume tries the others again", file=sys.stderr
        )
    return failed


def prepare(out: Path, jobs: list[Job], options: Options) -> None:
    """Make the folder with its list of jobs; InputError if it holds another benchmark, or any without --resume."""
    from deep.benchmark.running import MARKER
    from deep.core.files import read_json, wrong_form
    from deep.core.provenance import commit, machine, versions

    marker, listed = out / MARKER, json.loads(json.dumps([dataclasses.asdict(job) for job in jobs]))
    if marker.exists() != options.resume:
        here = "already holds a benchmark: add --resume to go on with it, or" if marker.exists() else "holds none:"
        raise InputError(f"--out {out} {here} choose another folder" + ("" if marker.exists() else ", or no --resume"))
    if options.resume:
        with wrong_form(marker, "a benchmark's jobs"):
            before = read_json(marker)["jobs"]
        if before != listed:
            raise InputError(f"--resume: the benchmark in {out} has other jobs; resume it with its own options")
        remove_leftovers(out)
        return
    if out.exists() and (not out.is_dir() or any(path.suffix != ".tmp" for path in out.iterdir())):
        raise InputError(f"--out {out} is neither empty nor a benchmark: choose another folder")
    if options.grid.scale == "smoke":
        print("smoke scale: short training and few seeds; this shows that all works and ranks nothing", flush=True)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
    about = {"jobs": listed, "command": sys.argv, "commit": commit(), "versions": versions(), "machine": machine()}
    write_whole(marker, json.dumps(about, indent=1).encode())


def work(jobs: list[Job], out: Path, options: Options) -> "tuple[list[Outcome], str]":
    """Run what is not finished, or what of it the budget pays for; the rows are written after every job.

    Returns the outcomes, and what is missing as a section of table.md.
    """
    from deep.benchmark.budget import Budget, missing_text, plan_text
    from deep.benchmark.rows import rows_of, runs_of
    from deep.benchmark.running import Place, finished, in_order, run_all, seconds_of

    done = [job for job in jobs if finished(out, job)]
    todo = [job for job in jobs if job not in done]
    print(f"{len(jobs)} jobs, {len(done)} finished before, {len(todo)} to run", flush=True)
    seconds = seconds_of(out)
    known = {job: seconds[job.name] for job in done if job.name in seconds}
    budget = Budget(options.budget, todo, known) if options.budget else None
    if budget is not None:
        print(plan_text(budget.plan()), flush=True)

    def ended(outcome: "Outcome") -> None:
        if budget is not None:
            budget.ended(outcome)
        if outcome.error is None:
            write_table(out / "results.csv", rows_of(runs_of(out, jobs)))

    place = Place(out, options.workers or default_workers(), options.dask, options.threads)
    outcomes = run_all(in_order(todo) if budget is None else budget.take, place, ended)
    return outcomes, "" if budget is None else missing_text(budget.plan())


def default_workers() -> int:
    """One job a core; on a GPU one job, whose replicas are batched."""
    import torch

    from deep.envs.vector import cores

    return 1 if torch.cuda.is_available() else cores(0, 64)


def write(
    out: Path,
    runs: "list[Run]",
    earlier: list[Row],
    with_latency: bool,
    cost_limits: tuple[float, ...] = (),
    missing: str = "",
) -> None:
    """All files, from the runs' folders and from rows of an earlier table; the figures after the table.

    `missing` is what table.md says about jobs that were not run.
    """
    from deep.benchmark import curves, figures, statistics, tables
    from deep.benchmark.page import Tab, page
    from deep.benchmark.rows import at_limits, rows_of, with_run
    from deep.evaluate.plots import draw_all

    rows = at_limits(rows_of(runs, earlier), cost_limits)
    write_table(out / "results.csv", rows)
    text = tables.markdown(rows) + missing
    write_whole(out / "table.md", text.encode())
    latencies = latencies_of(rows, runs) if with_latency else []
    summary = {
        "scale": sorted({row["scale"] for row in rows}),
        "comparable_with_published_scores": all(row["source"] == "dsrl" for row in rows),
        "methods": statistics.of_methods(rows),
        "data_sets": statistics.of_places(rows),
        "pairs": statistics.of_pairs(rows),
        "seconds_for_1000_actions": latencies,
        "schedules": curves.recorded(runs),
    }
    write_whole(out / "summary.json", json.dumps(summary, indent=1).encode())
    write_whole(out / "page.html", page("Benchmark", [Tab("table", rows)]).encode())
    print(text, flush=True)
    drawings = {"limits.png": partial(figures.over_limits, rows), **curves.schedules(rows, runs)}
    if latencies:
        drawings["time.png"] = partial(figures.against_time, with_run(rows, runs), latencies)
    drawn = draw_all(out, drawings)
    for path in (*(out / name for name in ("results.csv", "table.md", "summary.json", "page.html")), *drawn):
        print(path)


def latencies_of(rows: list[Row], runs: "list[Run]") -> list[dict[str, Any]]:
    """The times of every method on every task and data set whose run is there, one method after the other."""
    from deep.benchmark import latency
    from deep.benchmark.rows import grouped, with_run

    keys = ("task", "data", "algorithm", "variant")
    paths = {run.name: run.path for run in runs}
    found = []
    for cell, own in grouped(with_run(rows, runs), *keys).items():
        print(f"timing {' '.join(filter(None, cell))}", flush=True)
        found += [dict(zip(keys, cell, strict=True)) | entry for entry in latency.measure(paths[own[0]["run"]])]
    return found


if __name__ == "__main__":
    main()

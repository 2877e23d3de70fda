"""What a budget of processor time pays for: the cost of every job, their order, and what is left out.

The cost of a job is estimated from finished jobs of the same method and options, else from costs.json, the measured
processor seconds of the quick presets (`deep.benchmark.costs`). The order is that of the information: each method once
on each data set before any second seed, and the cheapest first among these, so that most cells are filled early. A job
that no longer fits is left out, and cheaper ones behind it still run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from deep.benchmark.jobs import Job
from deep.benchmark.running import Outcome
from deep.core.files import read_json
from deep.methods.registry import rank_of
from theory.support.errors import InputError

COSTS = Path(__file__).with_name("costs.json")


class Estimate(NamedTuple):
    """The processor seconds of a job, and where the number comes from."""

    seconds: float
    source: str


@cache
def costs() -> dict[str, Any]:
    """costs.json."""
    return read_json(COSTS)


def replicas(job: Job) -> int:
    """The number of replicas that a job trains."""
    return len(job.seeds) * len(job.cost_limits)


def estimate(job: Job, finished: Mapping[Job, float]) -> Estimate:
    """The cost of a job: the median per replica over finished jobs of its method and options, on the same data if there
    are any, else on its task, else anywhere; without such jobs, that of costs.json.

    At the smoke scale costs.json is an upper bound. Raises `InputError` where nothing is known: for the paper presets.
    """
    alike = {
        other: seconds / replicas(other)
        for other, seconds in finished.items()
        if (other.algorithm, other.options, other.episodes) == (job.algorithm, job.options, job.episodes)
    }
    places = (("data", lambda x: (x.task, x.data)), ("task", lambda x: x.task), ("method", lambda x: None))
    for name, place in places:
        if found := [seconds for other, seconds in alike.items() if place(other) == place(job)]:
            return Estimate(replicas(job) * median(found), f"finished jobs of its {name}")
    methods = costs()["methods"]
    if job.scale == "paper" or job.algorithm not in methods:
        raise InputError(
            f"--budget: the cost of {job.algorithm} at the scale {job.scale} is not known; accepted are the scales "
            f"smoke and quick with {', '.join(methods)}, or --resume in a benchmark with a finished job of it"
        )
    return Estimate(replicas(job) * methods[job.algorithm]["seconds"] + _dynamics(job), "costs.json")


def _dynamics(job: Job) -> float:
    """Seconds of the learned dynamics, which are trained once a seed."""
    table, words = costs()["dynamics"], dict(zip(job.options, job.options[1:], strict=False))
    steps = int(words.get("--dynamics.steps") or table["steps"])
    return len(job.seeds) * table["seconds"] * steps / table["steps"]


@dataclass
class Budget:
    """Gives out jobs as long as they fit: `deep.benchmark.running.Take`.

    Costs are estimated anew with every finished job. A running job counts with its estimate, an ended one with what it
    has taken.
    """

    hours: float
    """Processor hours that this command may take."""
    waiting: list[Job]
    finished: dict[Job, float] = field(default_factory=dict)
    """Processor seconds of the jobs that are finished, those of earlier commands among them."""
    spent: float = 0.0
    """Processor seconds that this command's ended jobs have taken."""

    def ordered(self) -> list[tuple[Job, Estimate]]:
        """The waiting jobs in the order of the information that they give for their cost, with their estimates."""
        seeds = list(dict.fromkeys(seed for job in self.waiting for seed in job.seeds))
        found = [(job, estimate(job, self.finished)) for job in self.waiting]
        return sorted(found, key=lambda x: (seeds.index(x[0].seeds[0]), x[1].seconds, rank_of(x[0].algorithm)))

    def plan(self) -> list[tuple[Job, Estimate, bool]]:
        """The waiting jobs in their order, and whether each fits behind the ones before it."""
        left, found = 3600 * self.hours - self.spent, []
        for job, cost in self.ordered():
            fits = cost.seconds <= left
            left -= cost.seconds if fits else 0.0
            found.append((job, cost, fits))
        return found

    def take(self, running: Sequence[Job]) -> Job | None:
        """The first waiting job that fits beside the running ones; None where there is none."""
        taken = self.spent + sum(estimate(job, self.finished).seconds for job in running)
        for job, cost in self.ordered():
            if taken + cost.seconds <= 3600 * self.hours:
                self.waiting.remove(job)
                return job
        return None

    def ended(self, outcome: Outcome) -> None:
        """Count what a job has taken."""
        self.spent += outcome.seconds
        if outcome.error is None:
            self.finished[outcome.job] = outcome.seconds


def plan_text(plan: Sequence[tuple[Job, Estimate, bool]]) -> str:
    """A line for every job of a plan."""
    lines = [f"{'':8} {'minutes':>8}  {'job':<52} estimated from"]
    for job, cost, fits in plan:
        lines.append(f"{'runs' if fits else 'left out':8} {cost.seconds / 60:>8.1f}  {job.name:<52} {cost.source}")
    minutes = [sum(cost.seconds for _, cost, fits in plan if fits == wanted) / 60 for wanted in (True, False)]
    return "\n".join([*lines, f"in all {minutes[0]:.0f} processor minutes; left out {minutes[1]:.0f}"])


def missing_text(plan: Sequence[tuple[Job, Estimate, bool]]) -> str:
    """What a benchmark lacks, as a section of table.md: the jobs of a plan, by data set and seeds."""
    if not plan:
        return ""
    groups: dict[tuple[str, str], list[str]] = {}
    for job, _, _ in plan:
        method = ":".join(filter(None, (job.algorithm, job.variant)))
        groups.setdefault((f"{job.task} ({job.data})", ", ".join(map(str, job.seeds))), []).append(method)
    hours = sum(cost.seconds for _, cost, _ in plan) / 3600
    lines = [f"- {place}, seed {seeds}: {', '.join(methods)}" for (place, seeds), methods in groups.items()]
    head = f"{len(plan)} jobs have not been run, about {hours:.1f} processor hours:"
    return "\n".join(["", "## Missing", "", head, "", *lines, ""])

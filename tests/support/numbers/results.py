"""Recorded numbers of what is said of runs: statistics, tables, evaluations, studies, decisions, budgets."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from deep.benchmark import statistics, tables
from deep.benchmark.budget import Budget, estimate
from deep.benchmark.jobs import Job
from deep.benchmark.ope_study import summary as study
from deep.compare import table as compared
from deep.deploy.decision import decide, least_right
from deep.deploy.record import Track, counted
from deep.describe.numbers import numbers as described
from deep.evaluate import scores
from deep.evaluate.verdict import contradictions, verdict
from deep.tasks import TASKS
from deep.tune.study import criterion
from tests.support.benchmark_rows import rows
from tests.support.numbers.summary import Case
from tests.support.numbers.varied import TASK, data
from tests.support.smoke_runs import build

RNG_SEEDS = 5


def benchmark_rows() -> list[dict[str, Any]]:
    """Three methods on two tasks, five seeds and two limits: safe and unsafe, with ties."""
    rng, found = np.random.default_rng(2), []
    for task, limits in (("HopperVel", (20.0, 40.0)), ("BallRun", (10.0, 40.0))):
        R = {name: rng.uniform(0, 1, (RNG_SEEDS, 2)).round(2) for name in ("bc_all", "cpq", "drcorl")}
        C = {name: rng.uniform(0.2, 1.5, (RNG_SEEDS, 2)).round(2) for name in R}
        R["cpq"][2], C["bc_all"][3] = R["drcorl"][2], 1.0
        own = rows(R, C, limits, task=task)
        for number, row in enumerate(own):
            row["R_best_in_data"] = None if number % 7 == 6 else 0.5 + 0.05 * (number % 9)
        found += own
    return found


def stripped(found: Any) -> Any:
    """The same without texts, so that numbers are compared as numbers."""
    if isinstance(found, dict):
        return {key: stripped(x) for key, x in found.items() if not isinstance(x, str)}
    if isinstance(found, (list, tuple)):
        return [stripped(x) for x in found if not isinstance(x, str)]
    return found


def benchmark() -> dict[str, Any]:
    """Every statistic of methods and of pairs, and the lines of the tables."""
    own = benchmark_rows()
    found: dict[str, Any] = {"scored": [[r["R_safe"], r["better"], r["regret"]] for r in statistics.scored(own)]}
    found |= {f"method {i}": stripped(x) for i, x in enumerate(statistics.of_methods(own))}
    found |= {f"pair {i}": stripped(x) for i, x in enumerate(statistics.of_pairs(own))}
    found |= {f"place {i}": stripped(x) for i, x in enumerate(statistics.of_places(own))}
    rng = np.random.default_rng(0)
    for seeds, limits in ((3, 1), (5, 3), (4, 4)):
        block = rng.normal(size=(seeds, limits, 2))
        block[1, 0, 0] = np.nan
        one = [block[..., :1], rng.normal(size=(2, 2, 1))]
        found[f"blocks {seeds} {limits}"] = [
            statistics.iqm(one),
            statistics.mean(one),
            statistics.interval(one, statistics.iqm),
        ]
        found[f"pairs {seeds} {limits}"] = [
            statistics.difference([block]),
            statistics.probability_larger([block.round(0)]),
        ]
    return found | {"markdown": tables.markdown(own).splitlines()}


def evaluations() -> dict[str, Any]:
    """Scores of simulator episodes, offline estimates, intervals, verdicts and the printed table."""
    task = replace(TASKS["HopperVel"], episode_length=30, velocity_threshold=0.05)
    experiment = build("bc_all", (3,), (4.0, 15.0), 20, task=task)
    torch.manual_seed(0)
    played, simulated = scores.simulate(experiment, 3, experiment.policy())
    offline = scores.offline_costs(experiment, experiment.policy())
    merged = [one | two for one, two in zip(simulated, offline, strict=True)]
    found: dict[str, Any] = {"played": played, "simulated": stripped(simulated), "offline": stripped(offline)}
    rng = np.random.default_rng(0)
    found["intervals"] = [scores.interval(rng.gamma(2, 3, n)) for n in (1, 2, 9, 20)]
    fixed = []
    for limit, cost, interval, safe in (
        (4.0, 3.0, (5.0, 7.0), True),
        (9.0, 12.0, (0.0, 3.0), False),
        (9.0, 2.0, (1.0, 20.0), True),
    ):
        row = {
            "seed": 0,
            "cost_limit": limit,
            "episodes": 20,
            "reward_return": 31.0,
            "cost_return": cost,
            "reward": 0.4,
        }
        row |= {
            "episode_length": 22.0,
            "cost": cost / limit,
            "safe": safe,
            "ends_early": safe,
            "episodes_over_limit": 3,
        }
        row |= {"reward_ci": (0.3, 0.5), "cost_ci": (0.2, 0.9), "offline_cost_estimate": 4.5, "offline_cost_std": 0.7}
        row |= {"offline_cost_interval": interval, "offline_return_estimate": 20.0, "offline_length_estimate": 30.0}
        fixed.append(
            row | {"offline_ood_score": 1.2, "offline_doubt": None, "offline_baselines": {"dice": 4.0, "nearest": 3.0}}
        )
    found["lines"] = [scores.table(fixed), *contradictions(fixed), *verdict(experiment, fixed), len(merged)]
    found["estimates alone"] = [scores.table([{k: x for k, x in row.items() if k != "reward"} for row in fixed])]
    track = Track("bc_all", "velocity", ("a",), (60, 59), (40, 39))
    about = {"remarks": [], "costs_left_out": False, "largest_cost": 1.0}
    found["decisions"] = [decide(row, track, about) for row in fixed]
    common = {"algorithm": "cpq", "task": "HopperVel", "data": "a", "cost_limit": "10"}
    rows_: list[dict[str, str]] = [common | {"seed": str(i // 3), "C": str(i)} for i in range(9)]
    for i, row in enumerate(rows_):
        row |= {"offline_cost_low": str(1 + 2 * i), "offline_cost_high": str(6 + i), "cost": str(3 * i + 1)}
    found["record"] = stripped(counted(rows_))
    found["trials"] = [criterion(fixed[:n], TASK) for n in (1, 2, 3)]
    low = [row | {"offline_cost_interval": (0.0, 4.0)} for row in fixed]
    found["trials within limits"] = [criterion(low, TASK), criterion([low[0] | {"offline_doubt": "short"}], TASK)]
    found["right"] = [least_right(*pair) for pair in ((60, 59), (40, 39), (10, 0), (29, 29))]
    return found


def studies() -> dict[str, Any]:
    """The off-policy study's summary of rows whose estimates are off in known ways."""
    rng, table = np.random.default_rng(5), []
    for number in range(40):
        true = float(rng.gamma(2, 15))
        row: dict[str, Any] = {"run": "a", "kind": ("clone", "adapted")[number % 2], "degree": number % 3, "seed": 0}
        row |= {"limit": 20.0, "true cost": true, "true cost, standard error": 0.3 + 0.02 * true}
        row |= {"true return": float(rng.normal(900, 200)), "true length": float(rng.uniform(500, 1000))}
        for name in (
            "training",
            "held_out",
            "another seed's",
            "nearest",
            *(["paired, held_out"] if number % 4 else []),
        ):
            cost = true * rng.uniform(0.6, 1.5)
            values = (cost, 0.1 * cost, 0.7 * cost, 1.3 * cost, row["true return"] * rng.uniform(0.8, 1.2))
            values += (row["true length"] * rng.uniform(0.7, 1.1), rng.uniform(0.6, 2.5))
            fields = ("cost", "cost_std", "cost_low", "cost_high", "reward", "length", "ood_score")
            row |= {f"{name}: {field}": float(x) for field, x in zip(fields, values, strict=True)}
        table.append(row)
    return {"summary": study.summarise(table, 700.0), "digits": study.four_digits(table[:2])}


def described_data() -> dict[str, Any]:
    """What is in a data set, in numbers."""
    return {"of a task": described(data(), TASK), "of none": described(data())}


def runs() -> dict[str, Any]:
    """Runs beside each other, and what jobs cost."""
    result = {"seed": 0, "cost_limit": 20.0, "reward": 0.4, "cost": 0.9, "safe": True, "ends_early": False}
    result |= {"episode_length": 700.0, "cost_return": 18.0, "offline_cost_estimate": 17.0, "episodes": 20}
    result |= {"offline_cost_interval": (11.0, 19.0), "offline_return_estimate": 310.0}
    other = result | {"seed": 1, "reward": 0.7, "cost": 1.4, "safe": False, "offline_cost_estimate": 30.0}
    summary = {"results": [result, other, result | {"seed": 2, "ends_early": True}], "seconds": 31.4, "task": "a"}
    summary |= {"algorithm": "cpq", "dataset": {"sha256": "x", "path": "/somewhere/a.hdf5"}}
    own = compared.Run("one", {"identity": {"seeds": [0, 1]}}, summary)
    found: dict[str, Any] = {"rows": compared.rows(own), "text": [compared.text([own])]}
    jobs, names = [], [f"method {number}" for number in range(22)]
    for number, name in enumerate(names):
        options = ("--preset", "quick", "--dynamics.steps", str(1000 * (number % 3)))
        seeds = tuple(range(1 + number % 2))
        jobs.append(Job("HopperVel", "a", "a", name, "", "quick", seeds, (20.0, 40.0), 5, options, f"seeds{number}"))
    finished = {replace(jobs[4], data="b"): 70.0, replace(jobs[4], data="c"): 50.0, jobs[7]: 9.0}
    replaced = [replace(job, seeds=(5, 6, 7)) for job in jobs]
    known = {"dynamics": {"seconds": 7.0, "steps": 1500}}
    known |= {"methods": {name: {"seconds": 3.0 + number} for number, name in enumerate(names)}}
    with patch("deep.benchmark.budget.costs", lambda: known):
        found["costs"] = [estimate(job, {}).seconds for job in jobs]
        found["finished"] = [estimate(job, finished).seconds for job in replaced]
        plan = Budget(sum(found["costs"]) / 7200, list(jobs), spent=100.0).plan()
    return found | {"plan": [[jobs.index(job), cost.seconds, fits] for job, cost, fits in plan]}


CASES: dict[str, Case] = {
    "benchmark": Case(benchmark),
    "evaluations": Case(evaluations, 1e-5, 1e-5),
    "studies": Case(studies),
    "described data": Case(described_data, 1e-6),
    "runs": Case(runs),
}

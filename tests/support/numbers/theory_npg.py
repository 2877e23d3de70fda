"""Recorded numbers of theory/: natural policy gradients and their outputs, Safe-DQL's objective, rows of a sweep."""

import re
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from tests.support.numbers.cmdps import cmdps, policy, table
from tests.support.numbers.summary import Case
from theory.evaluation import evaluate, occupancy
from theory.npg import reference, safe_dql
from theory.npg.algorithms import Algorithm, configure
from theory.npg.npg import (
    Metric,
    fisher_matrix,
    inner_products,
    metric_codes,
    natural_gradient,
    npg_step,
    policy_gradient,
)
from theory.npg.outputs import normalised, outputs, run
from theory.offline.critics import ensemble_critic, fitted_q_critic
from theory.offline.data import sample
from theory.optimum import solve
from theory.sweep import summary
from theory.sweep.grid import Grid, expand, jobs
from theory.sweep.options import QUICK
from theory.sweep.work import constants, run_job

KINDS = ("dirichlet", "own discounts", "garnet", "gridworld", "losses")


def gradients() -> dict[str, Any]:
    """Inner products in every metric, policy gradients, the Fisher matrix and its inverse."""
    found: dict[str, Any] = {}
    for name in (*KINDS, "unreachable", "no cost at all"):
        cmdp = cmdps()[name]
        pi = policy(cmdp, 1)
        exact = evaluate(cmdp, pi)
        gradient = policy_gradient(exact, pi, exact.A_c, cmdp.gamma)
        eta = torch.linspace(0.1, 0.9, cmdp.batch).double()
        found[name] = {
            "gradient": gradient,
            "fisher": fisher_matrix(exact.d, pi),
            "natural": natural_gradient(cmdp, pi, gradient),
            "by rho": natural_gradient(cmdp, pi, gradient, "rho"),
            "step": npg_step(pi.log(), table(*cmdp.r.shape), eta, cmdp.gamma),
        }
        for metric in ("fisher", "euclidean", "advantage", "q_vector"):
            products = inner_products(exact, pi, cmdp.gamma, metric_codes([metric] * cmdp.batch))
            found[f"{name}, {metric}"] = [x.tolist() for x in products]
    return found


RULES: dict[str, dict[str, Any]] = {
    "manipulation": {"h_plus": 0.35, "h_minus": 0.2},
    "manipulation fisher": {"metric": Metric.FISHER, "h_plus": 0.5, "h_minus": 0.6, "max_weight": 1.1},
    "manipulation euclidean": {"metric": Metric.EUCLIDEAN, "h_plus": 1.0, "h_minus": 1.2, "shrinking": True},
    "manipulation q": {"metric": Metric.Q_VECTOR, "h_plus": 0.9, "h_minus": 0.5},
    "crpo": {"algorithm": Algorithm.CRPO, "h_plus": 0.1, "shrinking": True},
    "pid": {"algorithm": Algorithm.PID, "h_plus": 0.2},
    "primal dual": {"algorithm": Algorithm.PRIMAL_DUAL, "dual_step": 0.3, "h_plus": 0.2},
}


def runs(rule: str) -> dict[str, Any]:
    """A few iterations of one rule on every kind of CMDP: all sums, the path, all ways to return a policy."""
    found: dict[str, Any] = {}
    for name in KINDS:
        cmdp = cmdps()[name]
        star = solve(cmdp).occupancy.sum(-1)
        # Budgets near the start's own cost, so that all regions are met.
        cmdp = cmdp.with_budget(evaluate(cmdp, cmdp.uniform_policy()).J_c * 0.97)
        eta = torch.linspace(0.15, 0.4, cmdp.batch).double()
        config = configure(cmdp.batch, 9, eta, **RULES[rule])
        done = run(cmdp, config, star, record=(0, 3, 8))
        found[name] = [done, outputs(cmdp, done)]
        later = run(cmdp, config, star, policy=policy(cmdp, 3), record=(4,))
        found[f"{name}, from elsewhere"] = [later.policy, later.sums, later.path]
        found[f"{name}, slacks"] = [config.slack(t) for t in (0, 3, 9)]
    found["dual"] = asdict(config.dual)  # pyright: ignore[reportPossiblyUnboundVariable]
    return found


def estimated() -> dict[str, Any]:
    """Runs whose critics are estimated from data: the errors that bounds need, and mixed rules in one batch."""
    found: dict[str, Any] = {}
    for name in ("dirichlet", "own discounts"):
        cmdp = cmdps()[name]
        drawn = sample(cmdp, policy(cmdp, 5, 0.5), [60] * cmdp.batch, list(range(cmdp.batch)))
        critics = {
            "ensemble": ensemble_critic(cmdp, drawn, members=2, k=0.8),
            "fitted": fitted_q_critic(cmdp, drawn, sweeps=6, alpha=0.1, pessimism="corrected"),
        }
        star = occupancy(cmdp, policy(cmdp, 6))
        for kind, critic in critics.items():
            config = configure(cmdp.batch, 7, 0.2, h_plus=0.8, h_minus=0.9)
            codes = torch.arange(cmdp.batch) % 4
            for which, one in (("own", config), ("mixed", replace(config, algorithm=codes))):
                done = run(cmdp, one, star, critic, record=(2, 6))
                found[f"{name}, {kind}, {which}"] = [done, outputs(cmdp, done)]
    total = table(2, 3, 4).clamp(min=0)
    total[0, 1] = 0
    return found | {"normalised": normalised(total, torch.full((2, 3, 4), 0.25).double())}


def plain() -> dict[str, Any]:
    """The second route in numpy."""
    cmdp = cmdps()["dirichlet"].select(0)
    parts: Any = (*(x[0].numpy() for x in (cmdp.P, cmdp.r, cmdp.c, cmdp.rho)), 0.7, float(cmdp.budget[0]))
    found = {
        rule: reference.run(parts, rule, 0.3, 6, 0.2, 0.3, 0.5) for rule in ("manipulation", "crpo", "primal_dual")
    }
    vectors = np.random.default_rng(0).normal(size=(3, 2, 5))
    return found | {"manipulate": [reference.manipulate(*pair) for pair in vectors]}


def minimisers() -> dict[str, Any]:
    """Safe-DQL's objective, its minimisers, and every term of Theorem 9, with and without a reference policy."""
    found: dict[str, Any] = {}
    for name in ("dirichlet", "own discounts", "garnet", "losses"):
        cmdp = cmdps()[name]
        mu = policy(cmdp, 1, 0.7)
        critics = safe_dql.biased_critics(cmdp, mu, bias=-0.15, noise=0.3, seed=4, critics=3)
        D = occupancy(cmdp, policy(cmdp, 2)).clone()
        D[:, 1] = 0
        D = D / D.sum(-1, keepdim=True)
        low = critics.amax(1).amin(-1)[:, [0, *range(2, cmdp.states)]].amax(-1)
        for kind, kappa in (("loose", low + 0.3), ("none", low - 0.2)):
            for cloning in safe_dql.CLONING:
                problem = safe_dql.Problem(evaluate(cmdp, mu).Q_r, critics, mu, D, kappa, 0.6, 2.5, cloning)
                best, other = safe_dql.minimise(problem), policy(cmdp, 7)
                reference_, exists = safe_dql.reference_policy(problem)
                found[f"{name}, {kind}, {cloning}"] = {
                    "price": problem.price,
                    "minimiser": best,
                    "cloning": [safe_dql.cloning_loss(problem, x) for x in (best, other)],
                    "objective": [safe_dql.objective(problem, x) for x in (best, other)],
                    "reference": [reference_, exists],
                    "theorem": [safe_dql.theorem_9(cmdp, problem, x) for x in (best, other)],
                }
        found[f"{name}, critics"] = critics
    return found


GRID = Grid(
    instances=("dirichlet:2:2", "garnet:3:2"), large_instances=("gridworld:9:4",), gammas=(0.3,), large_gammas=(0.6,),
    tightness=(0.4, 0.9), steps=(3, 12), data=(30,), data_steps=5, penalties=(2.0,), biases=(-0.1, 0.2), seeds=1,
    first_seed=3,
)  # fmt: skip


def sweep() -> dict[str, Any]:
    """All columns of all rows of a small grid, and what the summary makes of them."""
    todo = jobs(expand(GRID))
    rows = [row for job in todo for row in run_job(job)]
    names = sorted({name for row in rows for name, value in row.items() if isinstance(value, float | int)})
    groups: dict[str, list[Any]] = {}
    for row in rows:
        key = " ".join(str(row[x]) for x in ("algorithm", "metric", "schedule", "critic"))
        groups.setdefault(key, []).append(row)
    found: dict[str, Any] = {"jobs": [(len(job.cells), job.weight) for job in todo]}
    for key, own in groups.items():
        found[key] = {name: summary.column(own, name) for name in names if any(name in row for row in own)}
        found[key].pop("lp_residual", None)
        found[key].pop("lp_difference", None)
    exact = [row for row in rows if row["algorithm"] == "crpo" and row["critic"] == "exact"]
    found["remarks"] = [numbers_in(line) for line in summary.remarks(rows)[:3]]
    found["slopes"] = [summary.slope(exact, name) for name in ("gap_last", "gap_mixture_corrected", "bound_gap")]
    found["vacuous"] = [summary.vacuous(own) for own in groups.values()]
    texts = {
        "exact": summary.exact_table(rows),
        "offline": summary.offline_table(rows),
        "dql": summary.safe_dql_table(rows),
    }
    for name, lines in texts.items():
        found[f"table {name}"] = [numbers_in(line) for line in lines]
    found["constants"] = constants(todo[0].cells, torch.full((len(todo[0].cells),), 0.4).double())
    return found


def numbers_in(line: str) -> list[float]:
    """The numbers of a line of text, as they are printed."""
    return [float(x) for x in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?", line)]


def grids() -> dict[str, Any]:
    """Which runs the grids hold, and how they are divided."""
    found: dict[str, Any] = {}
    for name, grid in (("quick", QUICK), ("own", GRID), ("whole", Grid())):
        cells = expand(grid)
        divided = jobs(cells)
        found[name] = [len(cells), [len(job.cells) for job in divided], np.array([job.weight for job in divided])]
        found[f"{name}, steps"] = np.array([(cell.steps, cell.N, cell.seed) for cell in cells])
    return found


CASES: dict[str, Case] = {
    "gradients": Case(gradients, 1e-6),
    **{f"runs, {rule}": Case(lambda rule=rule: runs(rule)) for rule in RULES},
    "runs, estimated": Case(estimated),
    "runs, plain": Case(plain),
    "minimisers": Case(minimisers),
    "sweep": Case(sweep, 1e-6, 1e-8, depth=1),
    "grids": Case(grids),
}

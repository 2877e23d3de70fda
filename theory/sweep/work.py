"""What one job does: make its CMDPs, certify their optima, run the batch, measure everything against every bound."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from theory import bounds
from theory.cmdp.dense import FiniteCMDP, concatenate
from theory.cmdp.families import make
from theory.evaluation import evaluate, occupancy
from theory.npg.algorithms import Algorithm, Config, Critic
from theory.npg.npg import Metric
from theory.npg.outputs import outputs, run
from theory.npg.safe_dql import Problem, biased_critics, minimise, theorem_9
from theory.offline.critics import ensemble_critic, fitted_q_critic, model_critic
from theory.offline.data import behaviour_divergence, behaviour_policy, concentrability, coverage_of_all, sample
from theory.optimum import Solution, solve
from theory.sweep.grid import Cell, Job

M = 1.0  # every family has rewards and costs in [0, 1]
PRINTED, SHRINKING = "printed", "shrinking"


def run_job(job: Job) -> list[dict[str, Any]]:
    """One row per run: its cell, its optimum with the linear program's certificate, its results and its bounds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        cmdp, index = instances(job.cells)
        optimum, proof = solve(cmdp), solve(cmdp, "highs")
        certified = {
            "optimum": optimum.value,
            "optimum_cost": optimum.cost,
            "multiplier": optimum.multiplier,
            "lp_residual": proof.certificate.worst,
            "lp_difference": (optimum.value - proof.value).abs(),
        }
        batch, best = cmdp.select(index), spread(optimum, index)
        measure = safe_dql_columns if job.cells[0].algorithm == "safe_dql" else npg_columns
        columns = {name: value[index] for name, value in certified.items()} | measure(job.cells, batch, best)
    finally:
        torch.set_num_threads(threads)
    lists = {name: value.tolist() for name, value in columns.items()}
    return [asdict(cell) | {name: values[i] for name, values in lists.items()} for i, cell in enumerate(job.cells)]


def instances(cells: Sequence[Cell]) -> tuple[FiniteCMDP, Tensor]:
    """The distinct CMDPs of the runs as one batch, and the index of each run's own."""
    keys = [(c.family, c.states, c.actions, c.gamma, c.tightness, c.seed) for c in cells]
    distinct = list(dict.fromkeys(keys))
    cmdp = concatenate([make(*key[:-1], seeds=[key[-1]]) for key in distinct])
    return cmdp, torch.tensor([distinct.index(key) for key in keys])


def spread(optimum: Solution, index: Tensor) -> dict[str, Tensor]:
    """The optimum's parts that the measurements need, one per run."""
    return {"value": optimum.value[index], "policy": optimum.policy[index], "occupancy": optimum.occupancy[index]}


def constants(cells: Sequence[Cell], gamma: Tensor) -> Tensor:
    """K of the corrected theorem for every run's own direction."""
    values = []
    for cell, g in zip(cells, gamma.tolist(), strict=True):
        free = cell.metric in ("advantage", "q_vector")
        options = {"pairs": cell.states * cell.actions} if free else {"max_weight": 1.0} if cell.metric else {}
        values.append(bounds.remainder_constant(M, g, **options))
    return torch.tensor(values, dtype=torch.float64)


def configure(cells: Sequence[Cell], cmdp: FiniteCMDP) -> tuple[Config, Tensor]:
    """The settings of every run, and the R of its own step size, for KL_0 = log A (a uniform start)."""
    T, S, A = cells[0].steps, cmdp.states, cmdp.actions
    kl = math.log(A)
    K = constants(cells, cmdp.gamma)
    printed = torch.tensor([cell.schedule == PRINTED for cell in cells])
    shrinking = torch.tensor([cell.schedule == SHRINKING for cell in cells])
    eta = torch.where(printed, torch.as_tensor(bounds.eta_printed(S, A, cmdp.gamma, kl, M)), bounds.best_eta(kl, K, T))
    R = torch.as_tensor(bounds.regret(kl, eta, K, T))
    h_plus = torch.as_tensor(bounds.h_plus_corrected(R, T))
    h_plus = torch.where(printed, torch.as_tensor(bounds.h_plus_printed(S, A, cmdp.gamma, T, kl, M)), h_plus)
    h_plus = torch.where(shrinking, 0.2 * cmdp.budget, h_plus)
    clipped = torch.tensor([cell.metric in ("fisher", "euclidean") and cell.schedule != PRINTED for cell in cells])
    config = Config(
        algorithm=torch.tensor([int(Algorithm[cell.algorithm.upper()]) for cell in cells]),
        metric=torch.tensor([int(Metric[(cell.metric or "advantage").upper()]) for cell in cells]),
        eta=eta,
        h_plus=h_plus,
        h_minus=torch.where(shrinking, h_plus, torch.zeros_like(h_plus)),
        shrinking=shrinking,
        max_weight=torch.where(clipped, torch.ones_like(eta), torch.full_like(eta, torch.inf)),
        steps=T,
        dual_step=1 / math.sqrt(T),
    )
    return config, R


def npg_columns(cells: Sequence[Cell], cmdp: FiniteCMDP, best: dict[str, Tensor]) -> dict[str, Tensor]:
    """Run the batch; gaps and violations of every output, and the bounds."""
    config, R = configure(cells, cmdp)
    critic, data_columns, behaviour = estimated_critic(cells, cmdp, best["policy"])
    d_star = best["occupancy"].sum(-1)
    finished = run(cmdp, config, d_star, critic)
    columns: dict[str, Tensor] = {"eta": config.eta, "h_plus": config.h_plus, "R": R}
    for name, output in outputs(cmdp, finished).items():
        columns[f"gap_{name}"] = best["value"] - output.J_r
        columns[f"violation_{name}"] = output.J_c - cmdp.budget
    columns |= bound_columns(cells, cmdp, config, R)
    sums = finished.sums
    columns["bound_gap_posterior"] = torch.as_tensor(
        bounds.gap_a_posteriori(kl_start(cmdp, best, R, config), sums.critic, sums.gate, sums.x)
    )
    names = ("safe", "align", "conflict", "unsafe")
    columns |= {f"share_{name}": sums.regions[:, i] / config.steps for i, name in enumerate(names)}
    columns |= {"gate_error": sums.largest[:, 0], "critic_error": sums.largest[:, 1]}
    if behaviour is not None:
        d = occupancy(cmdp, finished.policy)
        columns["kl_behaviour"], columns["kl_behaviour_worst"] = behaviour_divergence(finished.policy, behaviour, d)
    return columns | data_columns


def kl_start(cmdp: FiniteCMDP, best: dict[str, Tensor], R: Tensor, config: Config) -> Tensor:
    """R with the comparator's own KL_0 in the place of log A."""
    kl = bounds.comparator_kl(best["occupancy"].sum(-1), best["policy"], cmdp.uniform_policy().log())
    return R + (kl - math.log(cmdp.actions)) / config.eta


def bound_columns(cells: Sequence[Cell], cmdp: FiniteCMDP, config: Config, R: Tensor) -> dict[str, Tensor]:
    """The bounds that claim something about each run (NaN elsewhere), and the range above which they say nothing."""
    T, S, A = config.steps, cmdp.states, cmdp.actions
    kl = math.log(A)
    nothing = torch.full_like(R, torch.nan)

    def where(keep: list[bool], value: Any) -> Tensor:
        return torch.where(torch.tensor(keep), torch.as_tensor(value), nothing)

    manipulation = [c.algorithm == "manipulation" and c.schedule == "corrected" and c.N == 0 for c in cells]
    crpo = [c.algorithm == "crpo" and c.N == 0 for c in cells]
    printed = [c.schedule == PRINTED and c.N == 0 for c in cells]
    gap = where(manipulation, bounds.gap_corrected(R, T))
    return {
        "range": M / (1 - cmdp.gamma),
        "bound_gap": torch.where(torch.tensor(crpo), torch.as_tensor(bounds.gap_corrected(R, T, 1.0)), gap),
        "bound_violation": where([a or b for a, b in zip(manipulation, crpo, strict=True)], config.h_plus),
        "bound_gap_47": where(printed, bounds.gap_47_printed(config.eta, S, A, cmdp.gamma, T, kl, M)),
        "bound_gap_48": where(printed, bounds.gap_48_printed(config.eta, S, A, cmdp.gamma, T, M)),
        "bound_violation_49": where(printed, bounds.violation_49_printed(config.h_plus)),
    }


def estimated_critic(
    cells: Sequence[Cell], cmdp: FiniteCMDP, expert: Tensor
) -> tuple[Critic | None, dict[str, Tensor], Tensor | None]:
    """The critic of the job's data sets (None where exact), their coverage, and the behaviour policy."""
    kind = cells[0].critic
    if kind == "exact":
        return None, {}, None
    behaviour = behaviour_policy(cmdp, expert, randomness=0.5)
    data = sample(cmdp, behaviour, [cell.N for cell in cells], [cell.seed for cell in cells])
    if kind == "model":
        critic: Critic = model_critic(cmdp, data)
    elif kind == "ensemble":
        critic = ensemble_critic(cmdp, data)
    else:
        pessimism = "corrected" if kind == "fitted" else "printed"
        critic = fitted_q_critic(cmdp, data, sweeps=30, alpha=0.2, pessimism=pessimism)
    keys = [(c.family, c.gamma, c.tightness, c.seed) for c in cells]
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    rows = list(first.values())
    own = torch.tensor([rows.index(first[key]) for key in keys])
    few, mu = cmdp.select(torch.tensor(rows)), behaviour[rows]
    return critic, {"C_inf": coverage_of_all(few, mu)[own], "C": concentrability(few, mu)[own]}, behaviour


def safe_dql_columns(cells: Sequence[Cell], cmdp: FiniteCMDP, best: dict[str, Tensor]) -> dict[str, Tensor]:
    """Safe-DQL's minimiser with D_S the behaviour's occupancy and eta = 1; Theorem 9's terms.

    The budget of a CMDP is met on average, kappa by some action in every state: it lies, by the run's tightness,
    between the smallest threshold for which that is possible (0) and the largest Q (1). `reference_at_budget` is 1
    where kappa = budget would have left a reference policy.
    """
    behaviour = behaviour_policy(cmdp, best["policy"], randomness=0.5)
    columns: dict[str, list[Tensor]] = {}
    for i, cell in enumerate(cells):
        one, mu = cmdp.select(i), behaviour[i : i + 1]
        critics = biased_critics(one, mu, cell.bias, 0.05, seed=cell.seed)
        d = occupancy(one, mu)
        pessimistic = critics.amax(1)
        lowest = pessimistic.amin(-1).amax(-1)
        kappa = lowest + cell.tightness * (pessimistic.amax((1, 2)) - lowest)
        problem = Problem(evaluate(one, mu).Q_r, critics, mu, d, kappa, eta=1.0, penalty=cell.penalty)
        policy = minimise(problem)
        report = theorem_9(one, problem, policy)
        row = {
            "gap_last": best["value"][i : i + 1] - evaluate(one, policy).J_r,
            "kappa": kappa,
            "violation_last": report.J_c - kappa,
            "bound_violation": report.bound - kappa,
            "bound_violation_tight": report.bound_tight - kappa,
            "range": M / (1 - one.gamma) - kappa,
            "critic_error": report.eps_c,
            "reference_at_budget": (lowest <= one.budget).to(torch.float64),
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in columns.items()}

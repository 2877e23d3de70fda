"""The figures of a sweep: gaps against T, a phase portrait of the regions, the reward-cost plane, critic errors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from theory.adaptation import Region
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.families import make
from theory.evaluation import evaluate
from theory.npg.algorithms import Algorithm, configure, init, step
from theory.npg.npg import Metric
from theory.npg.outputs import run
from theory.optimum import solve
from theory.support.figures import write_figure
from theory.sweep.summary import Row, column, label, select

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
REGIONS = {"safe": "#cfe8cf", "aligned": "#fff2b3", "conflict": "#ffd9b3", "unsafe": "#f4c2c2"}
CRITIC_NAMES = {
    "model": "model",
    "ensemble": "ensemble of 4, k = 2",
    "fitted": "fitted-Q, corrected pessimism, alpha = 0.2",
    "fitted_printed": "fitted-Q, Eq. (19) as printed, alpha = 0.2",
}
STYLE: Any = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10, "axes.titlesize": 11}


def draw_all(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write every figure for which there are runs; returns their paths."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figures = {
            "gap_against_T.png": gap_against_T(rows),
            "regions.png": region_portrait(),
            "reward_cost_plane.png": reward_cost_plane(),
            "critic_error_against_N.png": critic_error_against_N(rows),
        }
        paths = []
        for name, figure in figures.items():
            if figure is not None:
                write_figure(figure, folder / name, dpi=130, bbox_inches="tight")
                paths.append(folder / name)
    return paths


def gap_against_T(rows: Sequence[Row]) -> Figure | None:
    """One column per algorithm: every instance's gap and violation, their medians, and the corrected bounds."""
    exact = [r for r in rows if r["critic"] == "exact" and r["algorithm"] != "safe_dql"]
    exact = [r for r in exact if r["schedule"] == "corrected" and r["gamma"] <= 0.5]
    T = sorted({row["steps"] for row in exact})
    if len(T) < 2:
        return None
    names = sorted(dict.fromkeys(map(label, exact)))
    figure = Figure(figsize=(2.3 * len(names), 5.6))
    panels = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    for i, name in enumerate(names):
        by_T = [select([row for row in exact if label(row) == name], steps=steps) for steps in T]
        for axes, value in zip(panels[:, i], ("gap", "violation"), strict=True):
            data = np.array([column(some, f"{value}_mixture_corrected") for some in by_T])
            axes.plot(T, data, color="grey", linewidth=0.4, alpha=0.5)
            axes.plot(T, np.nanmedian(data, axis=1), "o-", color=COLOURS[0], markersize=4, label="median")
            bound = np.array([np.median(column(some, f"bound_{value}")) for some in by_T])
            if not np.isnan(bound).any():
                axes.plot(T, bound, "--", color=COLOURS[1], label="bound (median)")
            axes.axhline(0, color="black", linewidth=0.6)
            axes.set_xscale("log")
            axes.set_yscale("symlog", linthresh=0.01)
        panels[0, i].set_title(name.replace("gradient manipulation, ", "manipulation,\n"), fontsize=10)
        panels[1, i].set_xlabel("iterations T")
    panels[0, 0].set_ylabel("optimality gap")
    panels[1, 0].set_ylabel("constraint violation")
    lines = {line.get_label(): line for axes in panels.flat for line in axes.get_lines() if line.get_label()[0] != "_"}
    figure.legend(
        list(lines.values()), list(lines), loc="lower center", ncols=2, frameon=False, bbox_to_anchor=(0.5, -0.06)
    )
    figure.suptitle(
        "Trajectory mixtures with exact critics; grey: instances (gamma <= 0.5); linear below 0.01", fontsize=11
    )
    figure.tight_layout()
    return figure


def region_portrait(seed: int = 59) -> Figure:
    """Two states, two actions: every policy is a point of the unit square; where Algorithm 3 goes from each."""
    cmdp = make("dirichlet", 2, 2, 0.5, 0.5, [seed])
    slack = 0.06
    grid = np.linspace(0.005, 0.995, 150)
    p, q = np.meshgrid(grid, grid)
    policy = square_policy(p.ravel(), q.ravel())
    many = cmdp.select(torch.zeros(policy.shape[0], dtype=torch.int64))
    config = configure(many.batch, 1, 0.05, metric=Metric.ADVANTAGE, h_plus=slack, h_minus=slack)
    state, info = step(many, config, init(many, config, policy))
    regions = info.weights.region.reshape(p.shape).numpy()
    moved = state.log_policy.exp()[..., 0].numpy().reshape(*p.shape, 2)
    figure = Figure(figsize=(6.6, 6))
    axes = figure.subplots()
    axes.pcolormesh(p, q, regions, cmap=ListedColormap(list(REGIONS.values())), vmin=-0.5, vmax=3.5, shading="auto")
    axes.streamplot(
        grid, grid, moved[..., 0] - p, moved[..., 1] - q, color="#555555", density=1.1, linewidth=0.6, arrowsize=0.8
    )
    optimum = solve(cmdp)
    long = configure(1, 1000, 0.05, h_plus=slack, h_minus=0.0)
    points = [np.array([0.5, 0.5])]
    state = init(cmdp, long)
    for _ in range(long.steps):
        state, _ = step(cmdp, long, state)
        points.append(state.log_policy.exp()[0, :, 0].numpy())
    axes.plot(
        *np.array(points).T, color=COLOURS[0], linewidth=2, label="Algorithm 3 with h- = 0, from the uniform policy"
    )
    axes.plot(*optimum.policy[0, :, 0].numpy(), "*", color="black", markersize=15, label="constrained optimum")
    for name, colour in REGIONS.items():
        axes.plot([], [], "s", color=colour, markersize=10, label=name)
    axes.set_xlabel("probability of action 0 in state 0")
    axes.set_ylabel("probability of action 0 in state 1")
    axes.set_title("regions and direction of Algorithm 3 (advantage metric)")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="lower center", ncols=3, frameon=False, bbox_to_anchor=(0.5, -0.08)
    )
    return figure


def square_policy(p: np.ndarray, q: np.ndarray) -> torch.Tensor:
    """Policies (point, 2 states, 2 actions) with probabilities p and q of action 0."""
    first = torch.from_numpy(np.stack([p, q], axis=-1))
    return torch.stack([first, 1 - first], dim=-1)


def pareto_front(cmdp: FiniteCMDP, points: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """(costs, rewards) of the exact optimum over budgets from the smallest cost to the reward optimum's."""
    cheapest = solve(cmdp.with_budget(-1.0)).cost
    richest = solve(cmdp.with_budget(1e9)).cost
    budgets = cheapest + (richest - cheapest) * torch.linspace(0, 1, points, dtype=torch.float64)
    many = cmdp.select(torch.zeros(points, dtype=torch.int64)).with_budget(budgets)
    return budgets.numpy(), solve(many).value.numpy()


CHOICES = {
    "gradient manipulation, Fisher": (Algorithm.MANIPULATION, Metric.FISHER),
    "gradient manipulation, advantage": (Algorithm.MANIPULATION, Metric.ADVANTAGE),
    "CRPO": (Algorithm.CRPO, Metric.ADVANTAGE),
    "PID-Lagrangian": (Algorithm.PID, Metric.ADVANTAGE),
    "primal-dual": (Algorithm.PRIMAL_DUAL, Metric.ADVANTAGE),
}


def reward_cost_plane(seed: int = 4, steps: int = 1500, slack: float = 0.05) -> Figure:
    """The exact Pareto front and the path of every algorithm's iterates in the plane of cost and reward."""
    cmdp = make("garnet", 4, 3, 0.7, 0.45, [seed])
    optimum, budget, count = solve(cmdp), cmdp.budget.item(), len(CHOICES)
    config = replace(
        configure(count, steps, 0.03, h_plus=slack, max_weight=1.0, dual_step=0.05),
        algorithm=torch.tensor([int(algorithm) for algorithm, _ in CHOICES.values()]),
        metric=torch.tensor([int(metric) for _, metric in CHOICES.values()]),
    )
    many = cmdp.select(torch.zeros(count, dtype=torch.int64))
    record = sorted({int(t) for t in np.geomspace(1, steps - 1, 400)} | {0})
    paths = run(many, config, optimum.occupancy.sum(-1).expand(count, -1), record=record).path.numpy()
    figure = Figure(figsize=(8, 5.6))
    axes = figure.subplots()
    axes.plot(*pareto_front(cmdp), color="black", linewidth=2.5, label="exact Pareto front")
    axes.axvline(budget, color="grey", linestyle=":", linewidth=1.2)
    axes.axvline(budget + slack, color="grey", linestyle=":", linewidth=0.8)
    where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "right"}
    axes.annotate("budget, and + h+", (budget, 0.02), xytext=(-4, 0), **where)
    for colour, name, path in zip(COLOURS, CHOICES, paths, strict=False):
        axes.plot(path[:, 1], path[:, 0], color=colour, linewidth=1.4, alpha=0.85, label=name)
        axes.plot(path[-1, 1], path[-1, 0], "o", color=colour, markersize=6)
    start = evaluate(cmdp, cmdp.uniform_policy())
    axes.plot(start.J_c.item(), start.J_r.item(), "s", color="black", markersize=7, label="uniform start")
    axes.plot(optimum.cost.item(), optimum.value.item(), "*", color="black", markersize=15, label="constrained optimum")
    axes.set_xlabel("discounted cost V_c(rho)")
    axes.set_ylabel("discounted reward V_r(rho)")
    axes.set_title(f"iterates against the exact Pareto front (garnet, S = 4, A = 3; {steps} iterations, dot = last)")
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    return figure


def critic_error_against_N(rows: Sequence[Row]) -> Figure | None:
    """The largest errors met during a run, of Q and of the gate's J_c, against the size of the data set."""
    estimated = [r for r in rows if r["critic"] != "exact" and r["algorithm"] == "manipulation"]
    N = sorted({row["N"] for row in estimated})
    if len(N) < 2:
        return None
    titles = {
        "critic_error": "largest |Q - Q_hat| during the run",
        "gate_error": "largest |J_c - estimate| at the gate",
    }
    figure = Figure(figsize=(10, 4.2))
    for axes, (name, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        for colour, critic in zip(COLOURS, sorted({row["critic"] for row in estimated}), strict=False):
            data = [column(select(estimated, critic=critic, N=n), name) for n in N]
            axes.plot(N, [np.median(x) for x in data], "o-", color=colour, label=CRITIC_NAMES[critic])
            # Off the data the printed form has no finite answer; its upper quantile is cut off at 10.
            low, high = (np.minimum([np.quantile(x, level) for x in data], 10) for level in (0.25, 0.75))
            axes.fill_between(N, low, high, color=colour, alpha=0.15, linewidth=0)
        start = min(line.get_ydata()[0] for line in axes.get_lines())
        axes.plot(N, start * (np.array(N) / N[0]) ** -0.5, ":", color="black", label="slope -1/2")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("transitions N in the data set")
        axes.set_title(title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, bbox_to_anchor=(0.5, -0.14))
    return figure


assert len(REGIONS) == len(Region)

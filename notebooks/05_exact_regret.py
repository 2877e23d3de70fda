# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 Learners against the exact optimum
#
# On a benchmark nobody knows how much reward the limit allows: a score shows which method is better and never how good
# it is. The **lattice tasks** look continuous to a learner (real-valued observations and actions, offline trajectories
# in DSRL's form) and are finite constrained MDPs: the best reward within the limit, and the value and cost of any
# trained policy, are computed exactly. So one can say *regret* and mean it.
#
# Episodes end with probability $1-\gamma=.05$ at each step, so the expected sum over an episode is the discounted
# value, and a limit on an episode's cost is the theory's budget.

# %%
import io
from contextlib import redirect_stderr

import numpy as np
import torch
from matplotlib.axes import Axes
from presentation import BLACK, BLUE, METHOD_COLOURS, SKY, committed, new, say, show, table

from theory.cmdp.shapes import PerStateAction
from theory.optimum import solve
from verification.lattice.environment import make as make_environment
from verification.lattice.methods import run
from verification.lattice.tasks import LATTICES, Lattice
from verification.lattice.trials import TRIALS
from verification.report.lattice import RESULTS

results = committed(RESULTS)
rows = results["results"]

# %% [markdown]
# ## What the tasks look like
#
# Colour: the cost of a step in each state. Arrows: where the optimum moves on average, in the states that it visits
# often enough (their length says nothing). Above with the smaller limit, below without one.
#
# - **LatticeHazard**: a point is paid for being near the goal; the disc on the straight way costs 1 per step.
# - **LatticeHeat**: an engine is paid for speed; power makes speed and heat; a step costs 1 with probability heat².
# - **LatticeSpeed**: a car on a hilly circular track is paid for speed; above a speed limit a step costs 1.

# %%
AXES = {
    "LatticeHazard": ("position x", "position y"),
    "LatticeHeat": ("speed", "heat"),
    "LatticeSpeed": ("place on the track", "speed"),
}
UNLIMITED = 20.0  # the cost of an episode whose every step costs 1


def draw(axes: Axes, lattice: Lattice, limit: float) -> None:
    """The grid of states with their costs, and the moves of the optimum within `limit`."""
    cmdp = lattice.cmdp.with_budget(limit)
    first, second = (axis.nodes for axis in lattice.states.axes)
    shape, nodes = (len(first), len(second)), lattice.states.nodes
    cost = cmdp.c[0].amax(-1).numpy().reshape(shape)
    picture = axes.pcolormesh(first, second, cost.T, cmap="Reds", vmin=0, vmax=1.6, shading="nearest")
    best = solve(cmdp)
    d, moves = best.occupancy[0].sum(-1).numpy(), (best.policy[0, :, :, None] * cmdp.P[0]).sum(1)
    shift = nodes[None] - nodes[:, None]
    if lattice.states.axes[0].periodic:
        shift[..., 0] = (shift[..., 0] + 0.5) % 1 - 0.5
    mean = (moves.numpy()[..., None] * shift).sum(1)
    often = d > 0.002
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    arrows = np.where(length > 1e-6, mean / np.maximum(length, 1e-6), 0)
    axes.quiver(*nodes[often].T, *arrows[often].T, color=BLUE, scale=16, width=0.009, pivot="mid", zorder=3)
    axes.plot(*nodes[lattice.rho > 0].T, "o", color="#DDDDDD", markersize=9, linestyle="", label="start states")
    axes.grid(False)
    axes.set(xlabel=AXES[lattice.name][0], ylabel=AXES[lattice.name][1])
    named = f"limit {limit:g}" if limit < UNLIMITED else "no limit"
    axes.set_title(f"{lattice.name}, {named}\nreward {best.value.item():.2f}, cost {best.cost.item():.2f}")
    if axes.get_subplotspec().is_last_col():  # pyright: ignore[reportOptionalMemberAccess]
        axes.figure.colorbar(
            picture, ax=axes, label="cost of a step", ticks=(0, 0.5, 1), boundaries=np.linspace(0, 1, 65)
        )


figure, panels = new(10.6, 6.2, 2, 3)
for column, lattice in zip(panels.T, (LATTICES[name] for name in AXES), strict=True):
    for axes, limit in zip(column, (lattice.limits[0], UNLIMITED), strict=True):
        draw(axes, lattice, limit)
figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower left")
show(
    figure, "The state grids of the three tasks with costs and the moves of the optimum, with a limit and without one."
)

# %% [markdown]
# ## Is "exact" exact?
#
# Three checks, made here. The optimum by two routes that share no solver (a Lagrangian search with policy iteration,
# and the simplex method on the occupancy measure's linear program), beside the number in the results file; its
# certificate; and the optimum played in the simulator, which draws from the physics and never sees the finite CMDP.

# %%
lines = []
for lattice in LATTICES.values():
    for limit in lattice.limits:
        cmdp = lattice.cmdp.with_budget(limit)
        answer, other = solve(cmdp), solve(cmdp, "highs")
        stored = next(row["optimal_value"] for row in rows if (row["task"], row["cost_limit"]) == (lattice.name, limit))
        lines.append(
            [
                lattice.name,
                f"{cmdp.states}, {cmdp.actions}",
                f"{limit:g}",
                f"{answer.value.item():.4f}",
                f"{abs(answer.value - other.value).item():.0e}",
                f"{abs(answer.value.item() - stored):.0e}",
                f"{answer.cost.item():.4f}",
                f"{answer.multiplier.item():.3f}",
                f"{answer.certificate.worst.item():.0e}",
            ]
        )
header = ["task", "states, actions", "limit", "optimum", "other route", "stored", "its cost", "multiplier", "residual"]
table(header, lines)
say(
    "*other route* and *stored*: absolute differences from the optimum; *residual*: the worst of the optimality "
    "conditions."
)

# %%


def simulate(lattice: Lattice, policy: PerStateAction, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Undiscounted reward and cost of episodes in the simulator, seeded by their numbers."""
    environment, grid = make_environment(lattice), lattice.actions.nodes
    table = policy[0].numpy().cumsum(axis=1)
    sums = np.zeros((episodes, 2))
    for episode in range(episodes):
        _, info = environment.reset(seed=episode)
        chance, done = np.random.default_rng([1, episode]), False
        while not done:
            row = table[info["state"]]
            choice = min(int(np.searchsorted(row, chance.random() * row[-1], side="right")), len(row) - 1)
            _, reward, terminated, truncated, info = environment.step(grid[choice].astype(np.float32))
            sums[episode] += float(reward), info["cost"]
            done = terminated or truncated
    return sums[:, 0], sums[:, 1]


lattice = LATTICES["LatticeHeat"]
cmdp = lattice.cmdp.with_budget(5.0)
answer = solve(cmdp)
lines = []
for name, simulated, exact in zip(
    ("reward", "cost"), simulate(lattice, answer.policy, 1000), (answer.value, answer.cost), strict=True
):
    error = simulated.std() / len(simulated) ** 0.5
    lines.append(
        [
            name,
            f"{exact.item():.3f}",
            f"{simulated.mean():.3f} ± {error:.3f}",
            f"{(simulated.mean() - exact.item()) / error:+.1f}",
        ]
    )
table(
    [
        "LatticeHeat, limit 5: the optimum's",
        "exact",
        "mean of 1000 simulated episodes (seeds 0 to 999)",
        "standard errors apart",
    ],
    lines,
)

# %% [markdown]
# And one learner trained again: *DRCORL, short* is the study's smallest trial, in double precision so that another
# machine repeats it.

# %%
with redirect_stderr(io.StringIO()):  # the progress bars
    again = run(LATTICES["LatticeHeat"], TRIALS["DRCORL, short"])
stored = [row for row in rows if row["method"] == "DRCORL, short"]
table(
    ["LatticeHeat, limit", "value now", "stored", "cost now", "stored"],
    [
        [f"{a['cost_limit']:g}", f"{a['value']:.4f}", f"{b['value']:.4f}", f"{a['cost']:.4f}", f"{b['cost']:.4f}"]
        for a, b in zip(again, stored, strict=True)
    ],
)

# %% [markdown]
# ## Every learner in the plane of cost and reward
#
# The black curve is the most reward that *any* policy can have at a cost; nothing lies above it. A good learner is on
# the curve, left of its limit. DRCORL clones *all* trajectories here and adapts on all states, as in the preprint; the
# project's default, which notebooks 04 and 06 show, clones the best trajectories, but where chance decides those are
# the luckiest.

# %%
METHODS = {
    "BC-All": ("BC-All", METHOD_COLOURS["BC-All"], "s"),
    "BC-Safe": ("BC-Safe", METHOD_COLOURS["BC-Safe"], "s"),
    "BC-Best": ("BC-Best", METHOD_COLOURS["BC-Best"], "s"),
    "DRCORL, dynamics gate": ("DRCORL, dynamics gate", METHOD_COLOURS["DRCORL"], "o"),
    "DRCORL, UCB gate": ("DRCORL, UCB gate (preprint)", SKY, "o"),
    "Safe-DQL": ("Safe-DQL, best of ten", METHOD_COLOURS["Safe-DQL (best of N)"], "D"),
}
ITSELF = METHOD_COLOURS["Safe-DQL (policy itself)"]
shown = [row for row in rows if row["method"] in METHODS]
sampled = [row for row in rows if "sampling_value" in row and row["method"] == "Safe-DQL"]
figure, panels = new(10.6, 6.4, 2, 3)
for column, lattice in zip(panels.T, LATTICES.values(), strict=True):
    points = [row for row in shown if row["task"] == lattice.name]
    least = solve(lattice.cmdp.with_budget(0.0)).cost.item() + 1e-6  # where no policy is that cheap: the cheapest one's
    budgets = least + (1.06 * max(row["cost"] for row in points) - least) * torch.linspace(0, 1, 40).double() ** 2
    best = solve(lattice.cmdp.select(torch.zeros(40, dtype=torch.long)).with_budget(budgets))
    for axes, limit in zip(column, lattice.limits, strict=True):
        axes.axvspan(limit, float(budgets[-1]), color="#F5E9EE", zorder=0)
        axes.plot(budgets, best.value, color=BLACK, label="exact optimum at that cost")
        here = [row for row in points if row["cost_limit"] == limit]
        axes.plot(limit, here[0]["optimal_value"], "*", color=BLACK, markersize=13, zorder=4)
        for method, (label, colour, marker) in METHODS.items():
            mine = [row for row in here if row["method"] == method]
            axes.plot(
                [r["cost"] for r in mine],
                [r["value"] for r in mine],
                marker,
                color=colour,
                markersize=6,
                linestyle="",
                markeredgecolor="white",
                markeredgewidth=0.6,
                label=label,
                zorder=3,
            )
        own = [row for row in sampled if (row["task"], row["cost_limit"]) == (lattice.name, limit)]
        axes.plot(
            [r["sampling_cost"] for r in own],
            [r["sampling_value"] for r in own],
            "D",
            color=ITSELF,
            markersize=5.5,
            linestyle="",
            label="Safe-DQL, the policy itself",
            zorder=3,
        )
        axes.set_title(f"{lattice.name}, limit {limit:g}")
        axes.set(xlim=(-0.02 * float(budgets[-1]), float(budgets[-1])), ylim=(0, None))
for axes in panels[1]:
    axes.set_xlabel("cost of an episode (exact)")
for axes in panels[:, 0]:
    axes.set_ylabel("reward of an episode (exact)")
figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
show(
    figure,
    "Every trained policy in the plane of cost and reward beside the exact optimum; right of the limit is shaded.",
    keep="05_exact_regret",
)

# %% [markdown]
# ## Regret and violation
#
# Regret: the optimum's reward within the limit minus the policy's. It is negative where a policy violates the limit and
# earns more than is allowed. Bars are means over three seeds, dots the seeds.

# %%
figure, panels = new(10.6, 7.2, 3, 2, sharex="col")
names = list(METHODS)
for pair, lattice in zip(panels, LATTICES.values(), strict=True):
    for axes, key in zip(pair, ("gap", "violation"), strict=True):
        for k, limit in enumerate(lattice.limits):
            for i, method in enumerate(names):
                mine = [
                    r[key] for r in shown if (r["task"], r["method"], r["cost_limit"]) == (lattice.name, method, limit)
                ]
                at = len(names) - 1 - i + (0.19 if k == 0 else -0.19)
                axes.barh(at, np.mean(mine), height=0.36, color=METHODS[method][1], alpha=1.0 if k == 0 else 0.5)
                axes.plot(mine, [at] * len(mine), "o", color=BLACK, markersize=2.8)
        axes.axvline(0, color=BLACK, linewidth=0.8)
        axes.grid(axis="y", visible=False)
        axes.set_yticks(
            range(len(names)), [METHODS[name][0] for name in reversed(names)] if key == "gap" else [""] * len(names)
        )
        axes.set_title(f"{lattice.name}: {'regret' if key == 'gap' else 'violation'}")
panels[-1, 0].set_xlabel("optimum's reward minus the policy's, per episode")
panels[-1, 1].set_xlabel("cost above the limit, per episode")
panels[1, 1].text(
    0.98, 0.05, "full colour: the smaller limit\npale: the larger limit", transform=panels[1, 1].transAxes, ha="right"
)
show(figure, "Bars of regret and violation by method and task with a dot for each seed.")

# %%
lines = []
for method, (label, _, _) in METHODS.items():
    mine = [row for row in shown if row["method"] == method]
    safe = [row for row in mine if row["violation"] <= 0]
    lines.append(
        [
            label,
            f"{len(safe)} of {len(mine)}",
            f"{np.median([row['gap'] for row in safe]):.2f}" if safe else "-",
            f"{100 * np.median([row['gap'] / row['optimal_value'] for row in safe]):.0f} %" if safe else "-",
            f"{max(row['violation'] for row in mine):.2f}",
        ]
    )
kept = [row for row in sampled if row["sampling_violation"] <= 0]
lines.append(
    [
        "Safe-DQL, the policy itself",
        f"{len(kept)} of {len(sampled)}",
        f"{np.median([row['sampling_gap'] for row in kept]):.2f}",
        f"{100 * np.median([row['sampling_gap'] / row['optimal_value'] for row in kept]):.0f} %",
        f"{max(row['sampling_violation'] for row in sampled):.2f}",
    ]
)
table(["method", "within the limit", "median regret of those", "as a share of the optimum", "largest violation"], lines)

# %% [markdown]
# ## Why a gate fails
#
# DRCORL's gate compares an estimate of the policy's cost with the limit. The preprint's estimate is an upper confidence
# bound of the cost critics; this project's comes from rollouts in learned dynamics. Where the estimate is too low the
# policy may violate the limit unnoticed; the exact cost shows by how much. Each estimate is that of the kept policy.

# %%
figure, axes = new(5.6, 4.2)
errors = {}
for method, key in (("DRCORL, dynamics gate", "offline_cost_estimate"), ("DRCORL, UCB gate", "gate")):
    label, colour, marker = METHODS[method]
    estimate, truth = np.array([[row[key], row["cost"]] for row in shown if row["method"] == method]).T
    axes.plot(estimate, truth, marker, color=colour, markersize=6.5, markeredgecolor="white", label=label)
    errors[method] = estimate - truth
axes.axline((0, 0), slope=1, color=BLACK, linewidth=1)
axes.annotate("estimate = truth", (5, 5), (6, -10), textcoords="offset points")
axes.set(xlabel="cost of an episode as the gate estimated it", ylabel="true cost of an episode (exact)")
axes.set(xlim=(-0.2, 8), ylim=(-0.4, 17.5))
axes.legend(loc="center right")
show(figure, "The gate's estimate of the cost against the exact cost, for both kinds of gate.")
say(
    "Estimate minus truth: "
    + "; ".join(
        f"{name} {error.min():.1f} to {error.max():.1f}, below the truth in {(error < 0).sum()} of {len(error)}"
        for name, error in errors.items()
    )
    + f". The dynamics gate is usually closer (median error {np.median(np.abs(errors['DRCORL, dynamics gate'])):.1f} "
    f"against {np.median(np.abs(errors['DRCORL, UCB gate'])):.1f}) and nearly always low, as choosing among several "
    "policies by an estimate tends to be; its worst miss is as large as that of the upper confidence bound, whose "
    "critics share the errors of those that the policy follows."
)

# %% [markdown]
# ## What this shows, and what it does not
#
# - Regret and violation are exact here, up to what 128 draws per state say of the diffusion policies. No benchmark of
#   continuous control can offer that.
# - Budgets are small (half a minute of one core per method and task, three seeds, two limits): the figures test that
#   theory, data, learner and measurement fit together. **They rank no method**: other settings move all of them.
# - Tasks with one or two state dimensions have no coverage problem worth the name; on DSRL's tasks it is the main one.
# - The most telling thing is the worst seed: either gate can be wrong by several times the limit.

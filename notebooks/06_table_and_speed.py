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
# # 06 The table, what carries it, and what it costs
#
# First: which method for which kind of data. Then five methods on data sets of two tasks, several cost limits, three
# seeds, everything trained anew for each seed and no simulator before the score: how well the cost was estimated, how
# long an action takes, which parts of DRCORL carry the result, and how fast training is.
#
# All data were **collected by this project**; nothing here can be compared with a published score. Safe-DQL stands
# twice: acting by the best of N = 16 samples, and by one sample of the policy itself.

# %%
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from presentation import BLACK, BLUE, GREEN, METHOD_COLOURS, ORANGE, new, say, show, table

import deep
from deep.benchmark.figures import cost_scale
from deep.benchmark.rows import Row, grouped, method_of, methods_of, rows_in
from deep.evaluate.summary import LAST

COMMITTED = Path(deep.__file__ or "").parents[1] / "notebooks" / "results"
RESULTS, PAIRED, TABLE = COMMITTED / "benchmark", COMMITTED / "paired", COMMITTED / "table"
SPEED = COMMITTED / "speed" / "results.json"

rows = rows_in(RESULTS / "results.csv")
summary = json.loads((RESULTS / "summary.json").read_text(encoding="utf-8"))
about = json.loads((RESULTS / "benchmark.json").read_text(encoding="utf-8"))
methods = methods_of(rows)
places = grouped(rows, "task", "data")
say(
    f"*Read from `notebooks/results/benchmark`, whose README has the commands (torch {about['versions']['torch']}, "
    f"{about['machine']}).*"
)

# %% [markdown]
# ## Which method for which data
#
# R of every replica: a seed and a cost limit. Filled: the mean cost of its episodes is within the limit. Hollow: it is
# not, or the episodes end early. The methods are in the order of their mean R, whether safe or not. Full data are what
# the collecting runs recorded; tempting data have few safe trajectories and many rich unsafe ones; in stitching data no
# trajectory is both safe and good, though parts of several are. Most rows are of one seed and 20 episodes
# (`notebooks/results/table`); those of BC and DRCORL on the full data are of three seeds and 100 episodes
# (`notebooks/results/paired`). BC of 2000 steps on the tempting Hopper data is left out.

# %%
SETS = {
    "embedded": "full",
    "HopperVel-main-tempting": "tempting",
    "HalfCheetahVel-tempting": "tempting",
    "HalfCheetahVel-stitching": "stitching",
    "PointCircle1-tempting": "tempting",
    "PointCircle1-stitching": "stitching",
}
LIMIT_COLOURS = {20.0: BLUE, 40.0: GREEN, 80.0: ORANGE}


def draw_returns(axes: Axes, here: Sequence[Row]) -> None:
    """R of every replica, a line per method, and the best trajectory within each limit."""
    ranked = sorted(grouped(here, "algorithm").values(), key=lambda mine: float(np.mean([row["R"] for row in mine])))
    for line, mine in enumerate(ranked):
        for row in mine:
            place = list(LIMIT_COLOURS).index(row["cost_limit"]) - 1
            colour = LIMIT_COLOURS[row["cost_limit"]]
            filling = colour if row["safe"] and not row.get("ends_early") else "none"
            axes.plot(row["R"], line + 0.16 * place, "o", color=colour, markersize=5, markerfacecolor=filling)
    for limit, colour in LIMIT_COLOURS.items():
        known = [row["R_best_in_data"] for row in here if row["cost_limit"] == limit and row.get("R_best_in_data")]
        axes.axvline(known[0], color=colour, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(ranked)), [method_of(mine[0]).split(" (")[0] for mine in ranked])
    axes.set(xlim=(min(-0.1, min(row["R"] for row in here) - 0.05), 1.1), xlabel="R, normalised return")
    axes.grid(axis="x", visible=False)
    axes.grid(axis="y", visible=True)


compared = rows_in(TABLE / "results.csv") + [
    row for row in rows_in(PAIRED / "results.csv") if row["data"] == "embedded" and not row["variant"]
]
figure, panels = new(10.6, 11.6, 3, 2)
for axes, (data, kind) in zip(panels.flat, SETS.items(), strict=True):
    here = [row for row in compared if row["data"] == data and row["cost_limit"] in LIMIT_COLOURS]
    here = [row for row in here if row["variant"] != "2000 steps"]
    draw_returns(axes, here)
    axes.set_title(f"{here[0]['task']}, {kind} data")
handles = [
    *(Line2D([], [], marker="o", ls="", color=colour, label=f"limit {at:g}") for at, colour in LIMIT_COLOURS.items()),
    Line2D([], [], marker="o", ls="", color="0.3", markerfacecolor="none", label="unsafe, or episodes end early"),
    Line2D([], [], ls=":", color="0.3", label="best trajectory within the limit"),
]
figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
show(figure, "R of every replica by method, for three kinds of data.", keep="06_table_and_speed")

# %% [markdown]
# Where the best trajectories within the limit are nearly as good as any policy (full data), clone them. Where they are
# poor, clones stay poor, and learning from all of the data pays where policies do not fall: on HalfCheetah's tempting
# and stitching data O3SRL is safe in all replicas, at 1.5 to 5.7 times the R of BC-Best. On HopperVel's tempting data
# it violates every limit, and no learner is safe at all three. On PointCircle1's tempting data most learners take the
# reward and violate every limit. CAPS, CCAC, DRCORL and BC-Best are safe in four or five of six replicas, and earn
# little.

# %% [markdown]
# ## Five methods, three seeds
#
# R is the return on DSRL's scale from 0 to 1, cost that of an episode; means over seeds, bold where every seed is
# within the limit; 100 episodes a policy. DRCORL in this table estimates costs by rollouts of whole episodes, which was
# its default when the table was made (`--gate.estimator episode --adaptation-rate 5e-5 --adaptation-steps 1500`).


# %%
def differences(summary: dict[str, Any]) -> None:
    """A table of the paired differences to DRCORL."""
    table(
        ["R of the first minus R of the second", "difference [95 %]", "pairs"],
        [
            [
                f"{pair['first']} - {pair['second']}",
                f"{pair['R']['difference']['value']:+.4f} [{pair['R']['difference']['interval'][0]:+.4f}, "
                f"{pair['R']['difference']['interval'][1]:+.4f}]",
                str(pair["pairs"]),
            ]
            for pair in summary["pairs"]
            if "DRCORL" in (pair["first"], pair["second"])
        ],
    )


def tabulate(rows: Sequence[Row]) -> None:
    """A table for each data set: mean R and cost by method and limit."""
    for (task, data), here in grouped(rows, "task", "data").items():
        limits = sorted({row["cost_limit"] for row in here})
        say(f"**{task}, data set `{data}`** (sha256 {here[0]['sha256'][:8]})")
        lines = []
        for method in methods_of(here):
            mine = [row for row in here if method_of(row) == method]
            cells = []
            for limit in limits:
                found = [row for row in mine if row["cost_limit"] == limit]
                if not found:
                    cells.append("-")
                    continue
                reward, cost = (np.mean([row[key] for row in found]) for key in ("R", "cost"))
                text = f"{reward:.3f}, {cost:.0f}"
                cells.append(f"**{text}**" if all(row["safe"] for row in found) else text)
            lines.append([method, *cells, f"{sum(row['safe'] for row in mine)} of {len(mine)}"])
        table(["method", *(f"limit {limit:g}: R, cost" for limit in limits), "replicas within the limit"], lines)


tabulate(rows)

# %%
figure, panels = new(10.6, 1.0 + 2.3 * len(places), len(places), 2, squeeze=False)
for pair, ((task, data), here) in zip(panels, places.items(), strict=True):
    limits = sorted({row["cost_limit"] for row in here})
    for axes, key in zip(pair, ("R", "C"), strict=True):
        for m, method in enumerate(methods):
            for row in (row for row in here if method_of(row) == method):
                at = limits.index(row["cost_limit"]) + 0.11 * (m - (len(methods) - 1) / 2)
                axes.plot(at, row[key], "o", color=METHOD_COLOURS[method], markersize=5)
        axes.set_xticks(range(len(limits)), [f"{limit:g}" for limit in limits])
        axes.set_xlim(-0.5, len(limits) - 0.5)
        axes.grid(axis="x", visible=False)
        axes.set_title(f"{task}, {data}")
    pair[0].set(ylabel="R, normalised return", ylim=(-0.25, 1.1))
    cost_scale(pair[1])
    pair[1].set_ylabel("C, cost / limit")
for axes in panels[-1]:
    axes.set_xlabel("cost limit of an episode")


def legend(figure: Figure, shown: Sequence[str]) -> None:
    """These methods' colours, below the figure."""
    handles = [Line2D([], [], marker="o", linestyle="", color=METHOD_COLOURS[name], label=name) for name in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(shown))


legend(figure, methods)
show(figure, "Return and cost of every replica by cost limit, method and data set.")

# %% [markdown]
# ## DRCORL as it is by default
#
# Its gate estimates the difference to the clone by paired rollouts (`notebooks/results/paired`); "whole" is the earlier
# default, rollouts of whole episodes. The collections other than the embedded one come from the same commands on
# another processor, which collects other data.

# %%
default = rows_in(PAIRED / "results.csv")
tabulate(default)
of_default = json.loads((PAIRED / "summary.json").read_text(encoding="utf-8"))
differences(of_default)

# %% [markdown]
# ## Which method is better, and how sure is it?
#
# Over all data sets that a method was run on: the share of replicas within the limit with Wilson's 95 % interval, and
# the interquartile mean of R with a bootstrap over seeds. With three seeds such intervals are too narrow. Below it the
# paired differences to DRCORL.

# %%
table(
    ["method", "within the limit [95 %]", "IQM of R [95 %]", "IQM of C [95 %]"],
    [
        [
            entry["method"],
            f"{entry['safe']['value']:.0%} [{entry['safe']['interval'][0]:.0%}, {entry['safe']['interval'][1]:.0%}]",
            *(
                f"{entry[key]['iqm']['value']:.2f} [{entry[key]['iqm']['interval'][0]:.2f}, "
                f"{entry[key]['iqm']['interval'][1]:.2f}]"
                for key in ("R", "C")
            ),
        ]
        for entry in summary["methods"]
    ],
)
differences(summary)

# %% [markdown]
# ## Was the cost estimated well?
#
# The cost as estimated from the data alone (learned dynamics, with its 95 % interval) against the simulator's, for all
# policies whose run had learned dynamics. Points on the line are right; above it the estimate is too high.

# %%
estimated = [row for row in rows if row["offline_cost"] is not None]
predicted = grouped(estimated, "task", "data")
figure, panels = new(10.6, 3.9, 1, len(predicted), sharex=True, sharey=True, squeeze=False)
lines = []
for axes, ((task, data), here) in zip(panels[0], predicted.items(), strict=True):
    for row in here:
        axes.plot(
            [row["cost"]] * 2, [row["offline_cost_low"], row["offline_cost_high"]], color="#CCCCCC", linewidth=0.8
        )
        axes.plot(row["cost"], row["offline_cost"], "o", color=METHOD_COLOURS[method_of(row)], markersize=5)
    axes.plot([0, 1000], [0, 1000], color=BLACK, linewidth=1)
    axes.set_xscale("symlog", linthresh=20)
    axes.set_yscale("symlog", linthresh=20)
    axes.set(xlim=(-1, 1000), ylim=(-1, 1000), xlabel="true cost of an episode", title=data)
    errors = np.array([row["offline_cost"] - row["cost"] for row in here])
    inside = np.mean([row["offline_cost_low"] <= row["cost"] <= row["offline_cost_high"] for row in here])
    lines.append(
        [
            f"{task}, {data}",
            f"{len(here)}",
            f"{np.median(np.abs(errors)):.0f}",
            f"{errors.mean():+.0f}",
            f"{inside:.0%}",
        ]
    )
panels[0][0].set_ylabel("estimated from the data")
legend(figure, methods_of(estimated))
show(figure, "The estimated cost with its interval against the true cost, by data set.")
table(["data set", "policies", "median size of the error", "mean error", "true cost in the 95 % interval"], lines)

# %% [markdown]
# ## Score against the time to act
#
# The comparison of the preprint's Fig. 2 at the sizes of the quick preset: milliseconds for 1000 actions on one core,
# one state after the other (circle) and 1000 states at once (triangle), against R on the second Hopper collection.
# Hollow: some replica violates its limit. What the preprint saves is clear: a cloned or adapted policy is one small
# network, a diffusion policy runs its network T = 5 times for each candidate and ranks the candidates by four critics.

# %%
there = places["HopperVel", "HopperVel1"]
figure, axes = new(8.4, 4.2)
lines = []
for entry in summary["seconds_for_1000_actions"]:
    if entry["data"] != "HopperVel1":
        continue
    name = method_of(entry)
    own = [row for row in there if method_of(row) == name]
    reward, milliseconds = np.mean([row["R"] for row in own]), [1000 * entry[key] for key in ("single", "batched")]
    face = METHOD_COLOURS[name] if all(row["safe"] for row in own) else "white"
    axes.plot(milliseconds, [reward] * 2, color=METHOD_COLOURS[name], linewidth=0.8)
    for at, marker in zip(milliseconds, "o^", strict=True):
        axes.plot(at, reward, marker, color=METHOD_COLOURS[name], markerfacecolor=face, markersize=8)
    lines.append([name, f"{reward:.2f}", *(f"{at:.3g}" for at in milliseconds)])
axes.set(
    xscale="log", xlabel="milliseconds for 1000 actions", ylabel="R, mean over limits and seeds", ylim=(-0.03, 1.0)
)
legend(figure, methods_of(there))
show(figure, "Mean return of every method on the second Hopper collection against the time that 1000 actions take.")
table(["method", "R", "one state at a time, ms", "1000 at once, ms"], lines)
say("The clones and DRCORL are the same kind of network: what separates their times is the machine's load.")

# %% [markdown]
# ## What carries DRCORL's result?
#
# One thing changed at a time, on the embedded data at the limit 20, the same three seeds; stages that the change does
# not touch are shared, so that differences are paired (`notebooks/results/paired/README.md` has the command; those of
# the earlier default, whose gate uses whole episodes and whose steps are ten times as long, are in
# `notebooks/results/whole`). Hollow: the policy that is kept. Filled: the last policy of adaptation, whatever was kept;
# it shows what the change does where the selection hides it.


# %%
def ablated(path: Path) -> None:
    """A figure and a table of the variants in this file."""
    ablations = json.loads(path.read_text(encoding="utf-8"))
    figure, panels = new(10.6, 1.2 + 0.27 * len(ablations), 1, 2, sharey=True)
    lines = []
    for i, (name, found) in enumerate(ablations.items()):
        kept, last = found["results"], found["other_choices"][LAST]
        for axes, key in zip(panels, ("reward", "cost"), strict=True):
            axes.plot([row[key] for row in last], [i] * len(last), "o", color=BLUE, markersize=5)
            axes.plot(
                [row[key] for row in kept], [i] * len(kept), "o", color=BLACK, markerfacecolor="none", markersize=7
            )
        replaced = sum(step > 0 for step in found["method"]["chosen_step"])
        columns = []
        for rows_ in (kept, last):
            reward, costs = np.mean([row["reward"] for row in rows_]), sorted(row["cost_return"] for row in rows_)
            columns += [f"{reward:.3f}", ", ".join(f"{cost:.0f}" for cost in costs)]
        lines.append([name, *columns[:2], f"{replaced} of {len(kept)}", *columns[2:]])
    panels[0].set_yticks(range(len(ablations)), list(ablations))
    panels[0].invert_yaxis()
    panels[0].set(xlabel="R, normalised return", xlim=(-0.03, 1.0))
    panels[1].axvline(1, color=BLACK, linewidth=1)
    panels[1].set_xscale("symlog", linthresh=1)
    panels[1].set_xticks([0, 0.5, 1, 2, 5, 10, 20], ["0", ".5", "1", "2", "5", "10", "20"])
    panels[1].set(xlabel="C, cost / limit (20)", xlim=(-0.1, 25))
    show(
        figure,
        "Return and cost of the kept (hollow) and of the last (filled) policies of every variant, three seeds each.",
    )
    columns = ["kept: R", "kept: costs (limit 20)", "adapted policy kept", "last: R", "last: costs (limit 20)"]
    table(["variant", *columns], lines)


ablated(PAIRED / "ablations.json")

# %% [markdown]
# ## Three growths of the temperature
#
# The comparison of the preprint's Fig. 4. Its weights do not carry over, because value gradients have unit size here;
# these growths have its shapes and a mean of 1. Lines are estimates by the learned dynamics for the policy in training,
# from the data alone (the preprint shows simulator returns); dots at the right are the last policies in the simulator.
# Read from `notebooks/results/benchmark/schedules`: of the earlier default, as in `notebooks/results/whole`.

# %%
growths = json.loads((RESULTS / "schedules" / "summary.json").read_text(encoding="utf-8"))["schedules"]
last = [row for row in rows_in(RESULTS / "schedules" / "results.csv") if row["choice"] == LAST]
figure, (left, middle, right) = new(10.6, 3.6, 1, 3)
for beside, growth, colour in zip((1.03, 1.06, 1.09), growths, (BLUE, ORANGE, GREEN), strict=True):
    left.plot(growth["step"], growth["beta"], color=colour, label=growth["variant"])
    for axes, key in ((middle, "R"), (right, "C")):
        axes.plot(growth["step"], growth[key], color=colour, linewidth=0.9, alpha=0.8)
        scores = [row[key] for row in last if row["run"] == growth["run"]]
        axes.plot([growth["step"][-1] * beside] * len(scores), scores, "o", color=colour, markersize=5)
left.set(xlabel="step of adaptation", ylabel="weight of the value gradients")
left.legend()
middle.set(xlabel="step of adaptation", ylabel="R, normalised return", ylim=(-0.03, 1.05))
right.axhline(1, color=BLACK, linewidth=1)
right.set(xlabel="step of adaptation", ylabel="C, cost / limit (20)", ylim=(-0.1, None))
show(
    figure,
    "Three growths of the temperature; estimated return and cost during adaptation, and the simulator at the end.",
)

# %% [markdown]
# ## Speed
#
# Steps per second of each phase at the papers' sizes, the replicas stacked as one network, beside a plain PyTorch loop
# over networks, measured by turns in one process; and the share that the stacked update reaches of the throughput of
# matrix products of its own shape, measured by turns with it. On a CPU stacking gains 6 to 73 %, because products
# dominate; it is meant for a GPU, where **nothing has been measured** by this project.

# %%
speed = json.loads(SPEED.read_text(encoding="utf-8"))
machine = speed["machine"]
say(
    f"*Read from `notebooks/results/speed/results.json`, which `python -m deep.speed` wrote ({machine['processor']}, "
    f"{machine['threads']} thread, load {machine['load_average']:.0f} on {machine['cores']} cores; processor time; "
    f"large products: {speed['large_products'] / 1e9:.0f} GFLOP/s).*"
)
table(
    ["phase", "replicas", "stacked, steps/s", "plain loop, steps/s", "ratio", "share of products"],
    [
        [
            f"{row['algorithm']}: {row['phase']}",
            f"{row['replicas']}",
            f"{row['stacked']:.2f}",
            f"{row['plain']:.2f}",
            f"{row['stacked'] / row['plain']:.2f}",
            f"{row['stacked'] * row['flops'] / row['products']:.0%}",
        ]
        for row in speed["rows"]
    ],
)
table(
    ["acting (paper's sizes): microseconds per action", "replicas", "one state at a time", "1000 states at once"],
    [
        [row["algorithm"], f"{row['replicas']}", f"{row['single']:.0f}", f"{row['batched']:.1f}"]
        for row in speed["acting"]
    ],
)

# %% [markdown]
# ## What this shows, and what it does not
#
# - On these data clones of the best trajectories within the limit are as good as the speed limit allows. With paired
#   rollouts DRCORL gains a little over them on the hopper. On HalfCheetah, where ascent along the critics ruins the
#   policies, it keeps its clone. The last policies of adaptation cost more than the clone, most of all with the PID
#   rule, with one cost critic, or without an anchor.
# - From a poor start adaptation helps: a clone of all trajectories falls, and the policy kept after adaptation does
#   not.
# - Safe-DQL depends on the data. Best of N is within the limit, with episodes of the data's length, in 17 of 27
#   replicas, the policy itself in 16 of 27. On one Hopper collection all its policies fall early (see the README of the
#   results). On HalfCheetah best of N earns more than cloning everything or everything safe, which are of four
#   collecting runs, and a third of what cloning the best trajectories earns, which are of a single run. The quick
#   preset trains for 10 000 steps, Diffusion-QL for a million.
# - Estimates of the cost from whole episodes are off by tens on the Hopper: an alarm, not a number. Paired estimates
#   are closer, and too high where clones cost less than the cloned trajectories.
# - Data sets that this project collected with one algorithm are easier than DSRL's: their best trajectories are
#   consistent. Where cloning is not enough, this table says nothing.
# - Three seeds are few, and the seeds of one data set share its data.

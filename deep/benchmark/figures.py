"""The figures: methods over cost limits (Fig. 3 of the DRCORL preprint), score against time to act (Fig. 2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deep.benchmark.rows import Row, grouped, method_of, methods_of
from deep.benchmark.statistics import blocks_of, interval, mean
from deep.evaluate.summary import LAST
from theory.support.figures import plain, write_figure

AXIS = {"R": "R, normalised return", "C": "C, cost of an episode / limit"}
SHAPES = "osDvP"
"""Markers of the first ten methods, of the next ten, ..., which have the same ten colours."""


class Look(NamedTuple):
    """How a method is drawn in all panels of a figure."""

    color: str
    marker: str


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """A colour and a marker for each; no two methods have both in common (of up to fifty)."""
    return {method: Look(f"C{i % 10}", SHAPES[i // 10 % len(SHAPES)]) for i, method in enumerate(methods)}


def place(row: Row) -> str:
    """The task and the data's source, for a title."""
    data = "DSRL's data" if row["source"] == "dsrl" else f"data: {row['data']}, not DSRL's"
    return plain(f"{row['task']} ({data}){' - smoke scale' if row['scale'] == 'smoke' else ''}")


def finish(figure: Figure, caption: str, path: Path) -> Path:
    """Put the caption below and write the file."""
    figure.supxlabel(caption, fontsize=8, color="0.35")
    write_figure(figure, path, dpi=120)
    plt.close(figure)
    return path


def cost_scale(axes: Axes) -> None:
    """A scale on which 0, 1 and costs far above the limit can be distinguished, with the limit drawn in."""
    axes.axhline(1, color="0.3", lw=1, ls="--")
    axes.set_yscale("symlog", linthresh=1, linscale=1)
    top = max(1.1 * axes.get_ylim()[1], 1.3)
    axes.set_ylim(-0.05, top)
    axes.set_yticks([0, 0.5, *(x for x in (1, 2, 5, 10, 20, 50, 100, 200, 500) if x < top)])
    axes.yaxis.set_major_formatter("{x:g}")


def reward_scale(axes: Axes) -> None:
    """DSRL's scale from 0 to 1 whole, so that small differences look small."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, -0.03), max(top, 1.03))


def over_limits(rows: Sequence[Row], path: Path) -> Path:
    """R and C of every method at each cost limit: a dot per seed, a line through the means."""
    places, styles = grouped(rows, "task", "data"), looks(methods_of(rows))
    figure, grid = plt.subplots(
        len(places), 2, figsize=(11, 1.1 + 3.6 * len(places)), layout="constrained", squeeze=False
    )
    for panels, part in zip(grid, places.values(), strict=True):
        limits, here = sorted({row["cost_limit"] for row in part}), methods_of(part)
        for axes, name in zip(panels, AXIS, strict=True):
            for m, method in enumerate(here):
                own, look = grouped([row for row in part if method_of(row) == method], "cost_limit"), styles[method]
                apart = min(0.1, 0.8 / len(here))  # methods of one limit stay nearer to it than to the next
                x = np.array([limits.index(limit) + apart * (m - (len(here) - 1) / 2) for (limit,) in own])
                for at, found in zip(x, own.values(), strict=True):
                    axes.plot(np.full(len(found), at), [row[name] for row in found], **look._asdict(), ls="", ms=3.5)
                centres = [np.mean([row[name] for row in found]) for found in own.values()]
                axes.plot(x, centres, "-", color=look.color, lw=1.2)
            (cost_scale if name == "C" else reward_scale)(axes)
            axes.set_xticks(range(len(limits)), [f"{limit:g}" for limit in limits])
            axes.set(xlabel="cost limit of an episode", ylabel=AXIS[name])
            axes.set_title(place(part[0]), fontsize=10)
    handles = [Line2D([], [], **look._asdict(), ms=5, label=plain(method)) for method, look in styles.items()]
    columns = 3 if len(handles) <= 9 else 6
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False, fontsize=9)
    return finish(
        figure,
        "A dot: one seed, mean over its evaluation episodes in the simulator; lines: means over seeds. Methods stand "
        "side by side at each limit.\nDashed: C = 1, the limit, safe below it; above it C is drawn on a logarithmic "
        "scale. The comparison of Fig. 3 of the DRCORL preprint, there at limits of 10, 20, 30.",
        path,
    )


def against_time(rows: Sequence[Row], latencies: Sequence[dict[str, Any]], path: Path) -> Path:
    """R against the time for 1000 actions, one state at a time and all at once; hollow where not all is safe.

    Without the policies with which adaptation ended: they act as fast as those that are kept, and are not timed.
    """
    rows = [row for row in rows if row["choice"] != LAST]
    places = grouped(rows, "task", "data")
    figure, grid = plt.subplots(1, len(places), figsize=(2 + 7 * len(places), 5.6), layout="constrained", squeeze=False)
    styles = looks(methods_of(rows))
    for axes, part in zip(grid.flat, places.values(), strict=True):
        for (method,), own in grouped(part, "method").items():
            keys = ("task", "data", "algorithm", "variant", "choice")
            (time,) = [entry for entry in latencies if all(entry[key] == own[0][key] for key in keys)]
            look, safe = styles[method], sum(row["safe"] for row in own)
            score = blocks_of(own, "R")
            y, spread = float(mean(score)), interval(score, mean)
            axes.plot([time["batched"] * 1000, time["single"] * 1000], [y, y], "-", color=look.color, lw=0.8, alpha=0.5)
            face = look.color if safe == len(own) else "white"
            for name, size in (("single", 9), ("batched", 4)):
                label = plain(f"{method}, {safe} of {len(own)} safe") if name == "single" else None
                axes.plot(time[name] * 1000, y, **look._asdict(), ls="", mfc=face, ms=size, label=label)
            if spread is not None:
                axes.vlines(time["single"] * 1000, *spread, color=look.color, lw=1.5)
        axes.set(xscale="log", xlabel="milliseconds for 1000 actions", ylabel=AXIS["R"], title=place(part[0]))
        reward_scale(axes)
        beside = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if len(styles) > 9 else {"loc": "best"}
        axes.legend(frameon=False, fontsize=8, **beside)
        axes.grid(axis="x", which="both", color="0.92")
    return finish(
        figure,
        "Large: one episode; small: 1000 episodes that step together; processor time of one thread. Bars: 95 %, "
        "bootstrap over seeds. Hollow: some replica is unsafe.\nThe comparison of Fig. 2 of the DRCORL preprint, which "
        "does not say how its score combines reward and safety; here it is R alone.",
        path,
    )

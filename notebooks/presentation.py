"""What the notebooks share: a figure style, figures and tables as outputs, and where a committed result came from."""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import PIL.Image
import torch
from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure

import verification
from verification.claims.claim import VERDICTS

torch.set_num_threads(1)  # the matrices are small, and the figures must not depend on how work is split

PALETTE = BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
"""Okabe and Ito's colours, which stay apart for every kind of colour vision."""
METHOD_COLOURS = {
    "BC-All": "#999999",
    "BC-Safe": YELLOW,
    "BC-Best": ORANGE,
    "DRCORL": BLUE,
    "Safe-DQL (best of N)": GREEN,
    "Safe-DQL (policy itself)": PINK,
}
"""The same in all notebooks."""
REGION_COLOURS = {"safe": "#CCE5D8", "aligned": "#FFF3C4", "conflict": "#F6C28B", "unsafe": "#D3AECB"}

mpl.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.6,
        "font.size": 9,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
    }
)


def new(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure of that many inches and its axes; `options` are those of `Figure.subplots`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def show(figure: Figure, alt: str, keep: str | None = None) -> None:
    """Put the figure into the notebook, `alt` for those who cannot see it; `keep` names its copy in figures/."""
    display(Image(_png(figure, 100), alt=alt))
    if keep is not None:
        (Path("figures") / f"{keep}.png").write_bytes(_png(figure, 80))


def _png(figure: Figure, dpi: int) -> bytes:
    """A picture in 128 colours, a third of the size: notebooks are read over the net. Ours are among them."""
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, dpi=dpi)
    picture = PIL.Image.open(drawn).convert("RGB")
    ours = [channel for colour in PALETTE for channel in bytes.fromhex(colour[1:])]
    palette = PIL.Image.new("P", (1, 1))
    palette.putpalette(ours + (picture.quantize(128 - len(PALETTE)).getpalette() or []))
    picture.quantize(palette=palette, dither=PIL.Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()


def say(text: str) -> None:
    """Markdown whose numbers were computed."""
    display(Markdown(text))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    say("\n".join("| " + " | ".join(line) + " |" for line in lines))


def committed(path: Path) -> dict[str, Any]:
    """A committed results file, after saying where its numbers come from."""
    content = json.loads(path.read_text(encoding="utf-8"))
    about = content["provenance"]
    name, machines = "/".join(path.parts[-3:]), "; ".join(sorted(set(about["machines"].values())))
    say(
        f"*Read from `{name}`, which `{about['command']}` wrote ({machines}; data: {about['data']['trajectories']} "
        f"trajectories per task, seed {about['data']['seed']}; discount {about['gamma']}).*"
    )
    return content


def verdicts(*claims: str) -> None:
    """What the ledger says of these claims."""
    ledger = Path(verification.__file__ or "").parent / "ledger.json"
    entries = {entry["id"]: entry for entry in json.loads(ledger.read_text(encoding="utf-8"))}
    say("*Read from `verification/ledger.json`; `verification/report.md` has the evidence.*")
    table(
        ["claim", "source", "what it says", "verdict", "grade"],
        [
            [name, entry["source"], entry["statement"].replace("|", "\\|"), VERDICTS[entry["verdict"]], entry["grade"]]
            for name in claims
            for entry in [entries[name]]
        ],
    )

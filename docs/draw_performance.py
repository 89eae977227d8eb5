"""Draw the engine's table of `performance.md`: `python docs/draw_performance.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS = Path(__file__).parent
LOOKS = {
    "bpengine": ("#0173b2", "o"),
    "JAX": ("#d55e00", "s"),
    "bmm": ("#029e73", "^"),
    "eager": ("#cc78bc", "D"),
    "scikit-learn": ("#949494", "v"),
}
Panels = dict[str, list[dict[str, str]]]


def panels() -> Panels:
    """Return the rows of the table by net and optimizer; a cell that is empty is the one above."""
    lines = (DOCS / "performance.md").read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| net | optimizer | b |"))
    names = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows: Panels = {}
    net = optimizer = ""
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        row = dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True))
        net, optimizer = row["net"] or net, row["optimizer"] or optimizer
        rows.setdefault(f"{net}, {optimizer}", []).append(row)
    return rows


def draw(ax: Axes, title: str, rows: list[dict[str, str]]) -> None:
    """Draw the time of an update against the batch size, a line for each library."""
    for name, (color, marker) in LOOKS.items():
        sizes, times = zip(*((float(row["b"]), float(row[name])) for row in rows), strict=True)
        ax.plot(sizes, times, color=color, marker=marker, ms=4, lw=1.4, label=name)
    ax.set(xscale="log", yscale="log", title=title)
    ax.set_xticks([float(row["b"]) for row in rows], [row["b"] for row in rows], fontsize=7)
    ax.minorticks_off()
    ax.grid(visible=True, lw=0.4, alpha=0.5)


def main() -> None:
    """Write the figure."""
    mpl.rcParams.update({"svg.hashsalt": "bpsweep", "svg.fonttype": "none"})
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True)
    for ax, (title, rows) in zip(axes.flat, panels().items(), strict=True):
        draw(ax, title, rows)
    figure.supxlabel("Batch size")
    figure.supylabel("Microseconds for each network and update")
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(DOCS / "images" / "engine.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()

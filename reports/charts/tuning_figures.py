"""Figures of what was tuned and what generalises."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reports.charts.base.style import BLUE, DIFFERENCES, INK, LOOKS, batch_size_axis, keep_within
from reports.schema.formats import rate
from reports.schema.measures import Measure


def best_rates(ax: Axes, table: pd.DataFrame, rules: pd.DataFrame) -> Axes:
    """Draw the best learning rate against batch size, with two rules and the basin of good ones.

    Args:
        ax: Where to draw.
        table: Columns batch_size, learning_rate, at_edge, basin_low and basin_high.
        rules: Columns batch_size, linear and sqrt: learning rates by the rules.
    """
    ax.vlines(
        table["batch_size"], table["basin_low"], table["basin_high"], color=BLUE, alpha=0.3, lw=7,
        label="within a standard error of the best",
    )  # fmt: skip
    for column, name, (color, _, dashes) in zip(
        ("linear", "sqrt"), ("∝ B", "∝ √B"), LOOKS[1:], strict=False
    ):
        ax.plot(rules["batch_size"], rules[column], color=color, dashes=dashes, lw=1.4, label=name)
    for edge, fill, name in (
        (False, BLUE, "best rate tried"),
        (True, "none", "at the grid's edge"),
    ):
        rows = table[table["at_edge"] == edge]
        if not rows.empty:
            ax.plot(
                rows["batch_size"], rows["learning_rate"], "o", ms=7, mfc=fill, mec=BLUE, mew=1.5,
                label=name,
            )  # fmt: skip
    ax.set_yscale("log", base=10)
    shown = table[["learning_rate", "basin_low", "basin_high"]]
    ax.set_ylim(shown.min().min() / 2, shown.max().max() * 2)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    ax.set_ylabel("Learning rate")
    ax.fmt_ydata = lambda value: f"rate {rate(value)}"
    ax.legend(loc="upper left")
    return batch_size_axis(ax, table["batch_size"])


def generalization_gap(ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw by how much the training part is ahead, against batch size.

    Args:
        ax: Where to draw.
        table: Columns batch_size, gap, gap_low and gap_high.
        label: Of the y axis.
        measure: How the metric is written.
    """
    known = table.dropna(subset="gap_low")
    if not known.empty:
        ax.vlines(
            known["batch_size"], known["gap_low"], known["gap_high"], color=BLUE, lw=1.4,
            label="95% t interval",
        )  # fmt: skip
    ax.plot(table["batch_size"], table["gap"], color=BLUE, marker="o", lw=1.6, label="mean")
    ax.axhline(0, color=INK, lw=1, ls=":")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measure.signed(value)))
    ax.set_ylabel(label)
    ax.fmt_ydata = lambda value: f"{measure.signed(value)}{measure.points}"
    keep_within(ax, *DIFFERENCES)
    ax.legend(loc="best")
    return batch_size_axis(ax, table["batch_size"])

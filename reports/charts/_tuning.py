"""Charts of what was tuned and what generalises: rates, best rates, gap to the training part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from reports.charts.base import Chart, style, validation, values
from reports.recommend import Analysis, extreme
from reports.schema import Measure, capitalised, plural, rate

TALLEST = 6.8  # inches that the rows of the grid of rates may take together
_LINES = {False: "-", True: (0, (3, 1.5))}
_FEWEST = 3  # batch sizes needed to tell how the best rate grows


def rate_grid(
    ax: Axes, cells: pd.DataFrame, selected: pd.DataFrame, *, label: str, measure: Measure
) -> Axes:
    """Draw mean validation accuracy on the real cells of learning rate and batch size.

    Cells without a mean are hatched, selected rates boxed, with dashes at the edge of those tried.
    """
    wide = cells.pivot_table(
        index="learning_rate", columns="batch_size", values="validation_metric", dropna=False
    ).sort_index(ascending=False)
    text = wide.map(lambda value: "" if math.isnan(value) else measure.short(value))
    scale = FuncFormatter(lambda value, _: measure.tick(value))
    # One that blew up would leave the others one colour; and where there is none, any scale does.
    means = cells["validation_metric"].dropna()
    usual = means[means >= style.METRICS[0]]
    low = usual.min() if len(usual) else means.min()
    sns.heatmap(
        wide, ax=ax, cmap=ListedColormap(style.ordered_colors(64, margin=0.1)), annot=text, fmt="",
        annot_kws={"size": 7.5}, cbar_kws={"label": label, "format": scale, "pad": 0.02},
        vmin=low if len(means) else 0, vmax=means.max() if len(means) else 1, linewidths=0,
    )  # fmt: skip
    ax.grid(visible=False)
    # seaborn's own choice of ink falls to a contrast of 2.3; this one keeps 4.5.
    shades = np.asarray(ax.collections[0].get_facecolor())[wide.notna().to_numpy().ravel()]
    for value, shade in zip(ax.texts, shades, strict=True):
        value.set_color(style.ink_on(shade))
    columns: list[int] = list(map(int, wide.columns))
    rows: list[float] = list(map(float, wide.index))
    for size, tried in _pairs(cells[~cells["eligible"]]):
        corner = (columns.index(size), rows.index(tried))
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", ec=style.GREY, lw=0))
    for (size, tried), at_edge in zip(_pairs(selected), selected["at_edge"], strict=True):
        inner = (columns.index(size) + 0.04, rows.index(tried) + 0.04)
        for color, width, line in (("#ffffff", 3.2, "-"), ("#000000", 1.6, _LINES[at_edge])):
            ax.add_patch(Rectangle(inner, 0.92, 0.92, fill=False, ec=color, lw=width, ls=line))
    ax.set_yticks(np.arange(len(rows)) + 0.5, [rate(value) for value in rows], rotation=0)
    ax.set_xticks(np.arange(len(columns)) + 0.5, [str(size) for size in columns], rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel=style.BATCH_SIZE, ylabel="Learning rate")
    return ax


def _pairs(table: pd.DataFrame) -> Iterator[tuple[int, float]]:
    return zip(table["batch_size"], table["learning_rate"], strict=True)


def rates_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the grid of rates; None where nothing was tried."""
    cells = analysis.cells
    if cells["ok"].sum() == 0:
        return None
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    edge = "; dashed: at the edge of those tried" if selected["at_edge"].any() else ""
    unit = f" in {analysis.measure.unit}" if analysis.measure.unit else ""
    return Chart(
        name="rates",
        heading=f"{capitalised(validation(analysis))} for each learning rate and batch size",
        finding=_rate_finding(selected),
        caption=(
            f"Mean {validation(analysis)}{unit} over the explore seeds, after "
            f"{analysis.budget}. Boxed: the rate selected for the batch size{edge}. Hatched: a "
            "seed diverged, failed or has not run, so that there is no mean and the rate can't "
            "be selected."
        ),
        description=values(selected, "learning_rate", rate),
        table=cells,
        figure=partial(
            rate_grid,
            selected=selected,
            label=capitalised(validation(analysis)),
            measure=analysis.measure,
        ),
        height=0.9 + min(0.34 * cells["learning_rate"].nunique(), TALLEST),
    )


def _rate_finding(selected: pd.DataFrame) -> str:
    if selected.empty:
        return "No learning rate has a result for every seed"
    if len(selected) == 1:
        return f"The best learning rate tried is {rate(selected['learning_rate'].iloc[0])}"
    first, last = selected.iloc[0], selected.iloc[-1]
    return (
        f"The best learning rate tried is {rate(first['learning_rate'])} at batch size "
        f"{first['batch_size']} and {rate(last['learning_rate'])} at batch size "
        f"{last['batch_size']}"
    )


def best_rates(ax: Axes, table: pd.DataFrame, rules: pd.DataFrame) -> Axes:
    """Draw the best learning rate against batch size, with two rules and the basin of good ones."""
    ax.vlines(
        table["batch_size"], table["basin_low"], table["basin_high"], color=style.BLUE, alpha=0.3,
        lw=7, label="within a standard error of the best",
    )  # fmt: skip
    for column, name, (color, _, dashes) in zip(
        ("linear", "sqrt"), ("∝ B", "∝ √B"), style.LOOKS[1:], strict=False
    ):
        ax.plot(rules["batch_size"], rules[column], color=color, dashes=dashes, lw=1.4, label=name)
    labels = {False: "best rate tried", True: "at the grid's edge"}
    style.split_points(ax, table, "learning_rate", "at_edge", labels, ms=7)
    ax.set_yscale("log", base=10)
    shown = table[["learning_rate", "basin_low", "basin_high"]]
    ax.set_ylim(shown.min().min() / 2, shown.max().max() * 2)
    style.log_ticks(ax.yaxis, rate)
    ax.set_ylabel("Learning rate")
    ax.fmt_ydata = lambda value: f"rate {rate(value)}"
    ax.legend(loc="upper left")
    return style.batch_size_axis(ax, table["batch_size"])


def best_rates_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the best learning rate against batch size."""
    table = analysis.batch_sizes.dropna(subset="validation_metric")
    if len(table) < 2:  # noqa: PLR2004
        return None
    inner = table[~table["at_edge"]]
    anchors = table if inner.empty else inner
    return Chart(
        name="best-rates",
        heading="Best learning rate",
        finding=_rates_finding(inner, table),
        caption=(
            "The rate selected for each batch size on the validation part; hollow where it is "
            "the smallest or largest one tried. Bars: rates around it whose mean is within a "
            "standard error of the best. Lines: rates in proportion to the batch size (Goyal "
            "et al. 2017) and to its square root, drawn through the middle of those within "
            "the grid; nothing follows them."
        ),
        description=values(table, "learning_rate", rate),
        table=table,
        figure=partial(best_rates, rules=_rules(table, anchors)),
    )


def _rates_finding(inner: pd.DataFrame, table: pd.DataFrame) -> str:
    first, last = table.iloc[0], table.iloc[-1]
    ends = (
        f"from {rate(first['learning_rate'])} at batch size {first['batch_size']} to "
        f"{rate(last['learning_rate'])} at {last['batch_size']}"
    )
    if len(inner) < _FEWEST:
        return f"The best rate tried goes {ends}"
    logs = np.log(inner[["batch_size", "learning_rate"]].to_numpy(np.float64))
    power = np.polyfit(logs[:, 0], logs[:, 1], 1)[0]
    return f"The best rate tried goes {ends}, about as the batch size to the power {power:.2f}"


def _rules(table: pd.DataFrame, anchors: pd.DataFrame) -> pd.DataFrame:
    """Rates in proportion to B and to its root, through the geometric middle of the anchors."""
    rates = {"batch_size": table["batch_size"]}
    for name, power in (("linear", 1.0), ("sqrt", 0.5)):
        away = np.log(anchors["learning_rate"]) - power * np.log(anchors["batch_size"])
        rates[name] = math.exp(away.mean()) * table["batch_size"] ** power
    return pd.DataFrame(rates)


def generalization_gap(ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw by how much the training part is ahead, against batch size."""
    bars = {"ecolor": style.BLUE, "elinewidth": 1.4, "label": "95% t interval"}
    style.interval_bars(ax, table, "gap_low", "gap", "gap_high", **bars)
    ax.plot(table["batch_size"], table["gap"], color=style.BLUE, marker="o", lw=1.6, label="mean")
    ax.legend(loc="best")
    return style.difference_axis(style.batch_size_axis(ax, table["batch_size"]), label, measure)


def gap_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the generalization gap."""
    table = analysis.measured.dropna(subset="gap")
    if table.empty:
        return None
    measure, part = analysis.measure, analysis.part
    largest = extreme(table, "gap", largest=True)
    seeds = plural(int(table["seeds"].max()), "seed")
    interval = " with 95% t interval" if table["gap_low"].notna().any() else ""
    return Chart(
        name="generalization-gap",
        heading="Generalization gap",
        finding=(
            f"The training part is ahead of the {part} part by at most "
            f"{measure.signed(largest['gap'])}{measure.points}, at batch size "
            f"{largest['batch_size']}"
        ),
        caption=(
            f"{measure.name.capitalize()} on the training part less that on the {part} part, at "
            f"the end of training, at the tuned rates; mean of {seeds}{interval}."
        ),
        description=values(table, "gap", lambda gap: f"{measure.signed(gap)}{measure.points}"),
        table=table,
        figure=partial(
            generalization_gap, label="Training less " + analysis.metric, measure=measure
        ),
    )

"""Charts of what was tuned and what generalises: learning rates, gap to the training set."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.patches import Rectangle

from reports.analysis import SEEDS_FOR_INTERVAL
from reports.charts.base import (
    Chart,
    Row,
    interval_text,
    sentences,
    style,
    validation,
    values,
    with_readings,
)
from reports.recommend import Analysis, extreme
from reports.schema import MISSING, Measure, capitalised, plural, rate, significant, times
from reports.stats import by_seed, t_interval

TALLEST = 6.8  # inches that the rows of the grid of rates may take together
MOST_ERROR = 1 - Measure.shown[0]  # what is worse has failed, and by how much says nothing
_LINES = {False: "-", True: (0, (3, 1.5))}
_RULES = {"linear": 1.0, "root": 0.5}  # powers of the batch size that a rate may follow
_FEWEST = 3  # batch sizes needed to tell how the best rate grows
_HALO = ("#ffffff", 3.2), ("#000000", 1.4)  # colours and widths of lines on cells
_PLATE: dict[str, Any] = {"fc": "#ffffff", "lw": 0, "pad": 0.8}  # below text on a line
_BOX = np.array(
    [(0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96), (0.04, 0.04), [np.nan] * 2]
)
_CLOSE = 1e-9  # logarithms of rates that differ by less are the same


def rate_grid(
    ax: Axes,
    cells: pd.DataFrame,
    selected: pd.DataFrame,
    rules: pd.DataFrame,
    *,
    scale: float = 1,
    recommended: int | None = None,
) -> None:
    """Draw the validation error of the cells of learning rate and batch size, on a log scale."""
    sizes = sorted(cells["batch_size"].unique().tolist())
    rates = sorted(cells["learning_rate"].unique().tolist())
    cells, selected = (
        each.assign(x=each["batch_size"].map(sizes.index), y=each["learning_rate"].map(rates.index))
        for each in (cells, selected)
    )
    ax.grid(visible=False)
    crossed = _join(ax, sizes, rates, selected, rules)
    _shade(ax, cells, crossed, scale)
    # Boxes around the selected rates, dashed at the edge of those tried.
    for at_edge, rows in selected.groupby("at_edge"):
        outlines = (rows[["x", "y"]].to_numpy()[:, None] + _BOX).reshape(-1, 2)
        for (color, width), line in zip(_HALO, ("-", _LINES[bool(at_edge)]), strict=True):
            look: dict[str, Any] = {"solid_joinstyle": "miter", "dash_joinstyle": "miter"}
            ax.plot(*outlines.T, color=color, lw=width, ls=line, zorder=4, **look)
    style.fixed_ticks(ax.yaxis, np.arange(len(rates)) + 0.5, map(rate, rates))
    style.fixed_ticks(ax.xaxis, np.arange(len(sizes)) + 0.5, map(str, sizes))
    ax.tick_params(length=0)
    ax.set(xlabel=style.BATCH_SIZE, ylabel="Learning rate")
    if recommended in sizes:
        left = sizes.index(recommended)
        style.recommend(ax, recommended, left + 0.5, width=0)
        frame: dict[str, Any] = {"fill": False, "ec": style.GREEN, "lw": 2.4, "clip_on": False}
        ax.add_patch(Rectangle((left, 0), 1, len(rates), zorder=6, **frame))


def _shade(ax: Axes, cells: pd.DataFrame, crossed: set[tuple[int, int]], scale: float) -> None:
    """Draw the cells with their errors; below those that a line crosses is a plate."""
    wide = cells.pivot_table(
        index="learning_rate", columns="batch_size", values="error", dropna=False
    )
    # Colours go from the smallest error above 0 to the largest that isn't failure.
    errors = cells.loc[cells["error"] > 0, "error"].clip(upper=MOST_ERROR)
    least, most = (errors.min(), errors.max()) if len(errors) else (1.0, 1.0)
    norm = LogNorm(least, max(most, 1.01 * least), clip=True)
    shades = ListedColormap(style.ordered_colors(64, margin=0.08)[::-1])
    ax.pcolormesh(np.ma.filled(norm(wide), np.nan), cmap=shades, vmin=0, vmax=1, zorder=2)
    colors = shades(np.ma.filled(norm(cells["error"].to_numpy()), np.nan))[:, :3]
    for row, color in zip(cells.to_dict("records"), colors.tolist(), strict=True):
        x, y = row["x"], row["y"]
        if not row["eligible"]:
            look: dict[str, Any] = {"fill": False, "hatch": "////", "ec": style.GREY, "lw": 0}
            ax.add_patch(Rectangle((x, y), 1, 1, zorder=2.5, **look))
        if not math.isnan(row["error"]):
            ax.text(
                x + 0.5, y + 0.5, significant(scale * row["error"], 2), color=style.ink_on(color),
                size=7.5, ha="center", va="center", zorder=5, label=row["reading"],
                bbox=_PLATE | {"fc": color} if (x, y) in crossed else None,
                gid=f"{style.SIZE_ID}{row['batch_size']}",
            )  # fmt: skip


def _join(
    ax: Axes,
    sizes: list[int],
    rates: list[float],
    selected: pd.DataFrame,
    rules: pd.DataFrame,
) -> set[tuple[int, int]]:
    """Draw the selected rates and the rules within the grid; return the cells with a line."""
    edges, columns = np.log(rates), np.arange(len(sizes)) + 0.5
    crossed: set[tuple[int, int]] = set()
    known = selected.set_index("batch_size")[["learning_rate"]].join(rules.set_index("batch_size"))
    # Of the rules, one is named where it ends and the other where it begins: they may meet.
    looks = (("learning_rate", "-", 0), ("linear", "--", -1), ("root", ":", 0))
    for column, dashes, end in looks:
        logs = np.log(known[column].reindex(sizes).to_numpy(np.float64))
        inside = (logs >= edges[0] - _CLOSE) & (logs <= edges[-1] + _CLOSE)
        up = np.where(inside, np.interp(logs, edges, np.arange(len(edges)) + 0.5), np.nan)
        for (color, width), line in zip(_HALO, ("-", dashes), strict=True):
            ax.plot(columns, up, color=color, lw=width, ls=line, zorder=3)
        crossed |= {(int(x), int(up[x])) for x in np.flatnonzero(inside)}
        pairs = np.flatnonzero(inside[1:] & inside[:-1])
        if column in _RULES and pairs.size:
            # Between two columns, where no value stands.
            x, y = pairs[end] + 1, up[pairs[end] : pairs[end] + 2].mean()
            look: dict[str, Any] = {"ha": "center", "va": "center", "bbox": _PLATE, "size": 7}
            ax.text(x, y, column, color="#000000", zorder=6, **look)
    return crossed


def rates_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the grid of rates; None where nothing was tried."""
    cells, measure = analysis.cells, analysis.measure
    if cells["ok"].sum() == 0:
        return None
    # Of a metric without bounds, the best that was found.
    top = measure.most if measure.most < math.inf else cells["validation_metric"].max()
    cells = cells.assign(error=top - cells["validation_metric"])
    error = "Error" if analysis.study.finished else "Validation error"
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    scored = selected.dropna(subset="validation_metric")

    def value(row: Row) -> str:
        text = f"{validation(analysis)} {measure.text(row['validation_metric'])}"
        return f"{text}, {plural(row['ok'], 'tuning seed')}"

    return Chart(
        name="rates",
        heading=f"{error} for each learning rate and batch size",
        finding=_rate_finding(selected),
        caption=_rates_caption(analysis, selected, ruled=not scored.empty),
        description=values(selected, "learning_rate", rate),
        table=with_readings(analysis, cells, value),
        figure=partial(
            rate_grid,
            selected=selected,
            rules=_rules(scored),
            scale=100 if measure.unit else 1,
            recommended=analysis.recommended,
        ),
        height=0.9 + min(0.34 * cells["learning_rate"].nunique(), TALLEST),
    )


def _rates_caption(analysis: Analysis, selected: pd.DataFrame, *, ruled: bool) -> str:
    measure = analysis.measure
    bounded = "1 - " if measure.most < math.inf else "the best less "
    less = "" if measure.lower_is_better else bounded
    error = f"{less}{validation(analysis)}{measure.unit and f' in {measure.unit}'}"
    edge = " (dashed box: the smallest or largest tried)" * bool(selected["at_edge"].any())
    return sentences(
        f"Error ({error}): mean over the tuning seeds after {analysis.budget}, coloured on a log "
        f"scale. Boxed and joined: the tuned learning rate of each batch size{edge}.",
        ruled
        and "Lines: learning rates in proportion to the batch size (linear, Goyal et al. 2017) and "
        "to its square root (root), through the middle of the tuned ones.",
        not bool(analysis.cells["eligible"].all())
        and "Hatched: a seed diverged, failed or has not run, so that there is no mean.",
    )


def _rate_finding(selected: pd.DataFrame) -> str:
    """How the best rate tried changes with the batch size."""
    if selected.empty:
        return "No learning rate has a result for every seed"
    first, last = selected.iloc[0], selected.iloc[-1]
    if len(selected) == 1:
        return f"The best learning rate tried is {rate(first['learning_rate'])}"
    ends = (
        f"The best learning rate tried is {rate(first['learning_rate'])} at batch size "
        f"{first['batch_size']} and {rate(last['learning_rate'])} at {last['batch_size']}"
    )
    inner = selected[~selected["at_edge"]]
    if len(inner) < _FEWEST:
        return ends
    logs = np.log(inner[["batch_size", "learning_rate"]].to_numpy(np.float64))
    power = np.polyfit(logs[:, 0], logs[:, 1], 1)[0]
    return f"{ends}: about the batch size to the power {power:.1f}"


def _rules(table: pd.DataFrame) -> pd.DataFrame:
    """Rates in proportion to B and to its root, through the geometric middle of the tuned ones."""
    inner = table[~table["at_edge"]]
    anchors, rates = table if inner.empty else inner, {"batch_size": table["batch_size"]}
    for name, power in _RULES.items():
        away = np.log(anchors["learning_rate"]) - power * np.log(anchors["batch_size"])
        rates[name] = np.exp(away.mean()) * table["batch_size"] ** power
    return pd.DataFrame(rates)


def generalization_gap(ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure) -> None:
    """Draw by how much the training set is ahead, against batch size."""
    style.difference_axis(style.batch_size_axis(ax, table["batch_size"]), label, measure)
    style.interval_bars(ax, table, "gap_low", "gap_high")
    ax.plot(table["batch_size"], table["gap"], color=style.BLUE, lw=1.6)
    style.points(ax, table, "gap")
    style.keep_within(ax, *measure.apart)


def sharpness_of_minima(ax: Axes, table: pd.DataFrame) -> None:
    """Draw how sharp the minima are, and the largest eigenvalue there, against batch size."""
    style.batch_size_axis(ax, table["batch_size"])
    style.log_axis(ax, "Sharpness (%), eigenvalue", significant)
    names, last = [], table.iloc[-1]
    for name, color, marker in (
        ("sharpness", style.BLUE, "o"),
        ("top_eigenvalue", style.ORANGE, "s"),
    ):
        look: dict[str, Any] = {"color": color, "marker": marker, "ms": 5.5, "lw": 1.6, "ls": "-"}
        style.add_marks(ax, table, "batch_size", name, **look)
        low = table[f"{name}_low"].where(table[f"{name}_low"] > 0, table[name])
        ax.vlines(table["batch_size"], low, table[f"{name}_high"], color=color, lw=1.2)
        names.append((name.replace("_", " "), last["batch_size"], last[name]))
    style.name_ends(ax, names)


def sharpness_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of sharpness."""
    table = analysis.measured
    table = table[(table["sharpness"] > 0) & (table["top_eigenvalue"] > 0)]
    if table.empty:
        return None

    def value(row: Row) -> str:
        names = ("sharpness", "top_eigenvalue", "train_loss")
        sharp, top, loss = (significant(row[name]) for name in names)
        span = interval_text(
            row, "sharpness", lambda low, high: f"{significant(low)} to {significant(high)}"
        )
        return f"sharpness {sharp}%{span}, top eigenvalue {top}, training loss {loss}"

    return Chart(
        name="sharpness",
        heading="Sharpness of the minima",
        finding=_sharpness_finding(analysis, table),
        caption=_sharpness_caption(analysis, table),
        description=values(table, "sharpness", significant),
        table=with_readings(analysis, table, value),
        figure=sharpness_of_minima,
        recommended=analysis.recommended,
        right=style.NAMED,
    )


def _sharpness_finding(analysis: Analysis, table: pd.DataFrame) -> str:
    """By how much it grows from the smallest batch size to the largest, and at what losses."""
    ends = table.iloc[[0, -1]]
    (small, large), losses = ends["batch_size"].tolist(), [*map(significant, ends["train_loss"])]
    if small == large:
        level = significant(table["sharpness"].iloc[0])
        return f"Sharpness is {level}% at batch size {small}, at a training loss of {losses[0]}"
    return (
        f"Batch size {large} ends {_grown(analysis, 'sharpness', small, large)} as sharp as "
        f"{small}, at training losses of {losses[1]} and {losses[0]}"
    )


def _sharpness_caption(analysis: Analysis, table: pd.DataFrame) -> str:
    sizes, losses = (table[name].agg(["min", "max"]) for name in ("batch_size", "train_loss"))
    seeds = plural(int(table["seeds"].max()), "seed")
    interval = " with 95% t interval" if table["sharpness_low"].notna().any() else ""
    return sentences(
        "Sharpness: by how much the training loss f grows at most within 0.001 (1 + |w|) of each "
        "weight w, in percent of 1 + f (Keskar et al. 2017, metric 2.1). Top eigenvalue: of the "
        f"Hessian of f. At the end of training, at the tuned rates; mean of {seeds}{interval}.",
        len(table) > 1
        and "The largest batch size has "
        f"{_grown(analysis, 'top_eigenvalue', *sizes)} the top eigenvalue of the smallest. Both "
        "fall as a run comes nearer to its minimum, and are to be compared at equal training "
        f"losses; here these are {' to '.join(map(significant, losses))}.",
    )


def _grown(analysis: Analysis, name: str, small: int, large: int) -> str:
    """Return the ratio of two batch sizes, a geometric mean paired by seed, with its interval."""
    values = by_seed(analysis.seeds, name)
    ratios = (values[large] / values[small])[(values[[small, large]] > 0).all(axis=1)]
    logs = [math.log(ratio) for ratio in ratios]
    if len(logs) < SEEDS_FOR_INTERVAL:
        return times(math.exp(np.mean(logs))) if logs else MISSING
    interval = t_interval(logs)
    low, high = (times(math.exp(end)) for end in (interval.low, interval.high))
    return f"{times(math.exp(interval.mean))} (95% CI {low} to {high})"


def gap_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the generalization gap."""
    table = analysis.measured.dropna(subset="gap")
    if table.empty:
        return None
    measure, part = analysis.measure, analysis.part

    def value(row: Row) -> str:
        span = interval_text(row, "gap", measure.signed_span)
        return f"gap {measure.change(row['gap'])}{span}, {plural(row['seeds'], 'seed')}"

    largest = extreme(table, "gap", largest=True)
    ahead = f"{measure.lost(largest['gap'])}{measure.points}"
    seeds = plural(int(table["seeds"].max()), "seed")
    interval = " with 95% t interval" if table["gap_low"].notna().any() else ""
    return Chart(
        name="generalization-gap",
        heading="Generalization gap",
        finding=(
            f"The training set is ahead of the {part} set by at most {ahead}, at "
            f"batch size {largest['batch_size']}"
        ),
        caption=(
            f"{capitalised(measure.name)} on the training set less that on the {part} set, at the "
            f"end of training, at the tuned learning rates; mean of {seeds}{interval}."
        ),
        description=values(table, "gap", measure.change),
        table=with_readings(analysis, table, value),
        figure=partial(
            generalization_gap, label=f"Training less {analysis.metric}", measure=measure
        ),
        recommended=analysis.recommended,
    )

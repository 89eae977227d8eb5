"""Learning curves of the batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from reports.charts.base import Chart, Row, Scale, sentences, style, validation, values
from reports.recommend import Analysis
from reports.schema import Measure, capitalised, count, rate, seconds
from reports.stats import by_seed

HIGHLIGHTED = 5  # curves with a name; the others are there to compare with
_SCALES = (
    Scale("epochs", "Epochs (passes over the training set)", lambda epochs: rate(round(epochs, 3))),
    Scale("updates", "Updates", count),
    Scale("seconds", "Training time", lambda duration: seconds(duration, 1)),
)


def learning_curves(
    ax: Axes, curves: pd.DataFrame, *, label: str, measure: Measure, recommended: int | None = None
) -> None:
    """Draw the mean validation curve of each batch size at its tuned rate; a few are named."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda epochs, _: _SCALES[0].written(epochs)))
    ax.set_xlabel(_SCALES[0].label)
    style.metric_axis(ax, label, measure)
    by_size = {int(str(size)): rows for size, rows in curves.groupby("batch_size")}
    shown = highlighted([*by_size], recommended)
    dashes = dict(zip((size for size in shown if size != recommended), style.DASHES, strict=False))
    names: list[tuple[str, float, float]] = []
    for size, rows in by_size.items():
        color = style.GREEN if size == recommended else style.BLUE if size in shown else style.GREY
        gid, dash = f"{style.SIZE_ID}{size}", dashes.get(size, (None, None))
        width, alpha, order = (1.8, 1, 2.5) if size in shown else (0.9, 0.6, 1.5)
        style.add_marks(
            ax, rows, "epochs", "validation_metric", ls="-", color=color, dashes=dash, lw=width,
            alpha=alpha, zorder=order, gid=gid,
        )  # fmt: skip
        if size in shown:
            if rows["validation_low"].notna().any():
                ends = rows["validation_low"], rows["validation_high"]
                ax.fill_between(rows["epochs"], *ends, color=color, alpha=0.15, lw=0, gid=gid)
            text = f"{size}, recommended" if size == recommended else str(size)
            text = text if names else f"batch size {text}"
            names.append((text, *rows[["epochs", "validation_metric"]].iloc[-1]))
    style.keep_within(ax, *measure.shown)
    style.name_ends(ax, names, [f"{style.SIZE_ID}{size}" for size in by_size if size in shown])


def highlighted(sizes: Sequence[int], recommended: int | None) -> list[int]:
    """Return the sizes with a name: evenly spaced ones, the recommended in place of a near one."""
    places = np.linspace(0, len(sizes) - 1, min(len(sizes), HIGHLIGHTED)).round().astype(int)
    shown = [sizes[number] for number in places]
    if recommended in sizes and recommended not in shown:
        away = np.abs(places - sizes.index(recommended))
        shown[int(away.argmin())] = recommended
    return shown


def curves_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of learning curves."""
    seen = analysis.mean_curves[analysis.mean_curves["epochs"] > 0]
    if seen.empty:
        return None
    named = highlighted(seen["batch_size"].unique().tolist(), analysis.recommended)
    return Chart(
        name="curves",
        heading="Learning curves",
        finding=_finding(analysis, seen),
        caption=sentences(
            f"Mean {validation(analysis)} over the tuning seeds, at the tuned learning rate of "
            "each batch size.",
            bool(seen["validation_low"].notna().any()) and "Bands: 95% t interval.",
            len(named) < seen["batch_size"].nunique() and "Grey: the other batch sizes.",
            "Equal epochs are equal numbers of examples, not of updates.",
            analysis.counts.stopped > 0 and "A curve ends where the first of its seeds stopped.",
        ),
        description=values(
            seen.drop_duplicates("batch_size", keep="last"),
            "validation_metric",
            analysis.measure.text,
        ),
        table=seen.assign(reading=[_reading(analysis, row) for row in seen.to_dict("records")]),
        figure=partial(
            learning_curves,
            label=capitalised(validation(analysis)),
            measure=analysis.measure,
            recommended=analysis.recommended,
        ),
        right=style.NAMED,
        scales=[scale for scale in _SCALES if (seen[scale.column] > 0).all()],
    )


def _reading(analysis: Analysis, row: Row) -> str:
    passed = f"{_SCALES[0].written(row['epochs'])} epochs, {count(row['updates'])} updates"
    takes: str = "" if pd.isna(row["seconds"]) else f", {seconds(row['seconds'])}"
    value = analysis.measure.text(row["validation_metric"])
    return f"batch size {row['batch_size']}, {passed}{takes}: {value}"


def _finding(analysis: Analysis, seen: pd.DataFrame) -> str:
    """Where the curves are at the first point that all batch sizes were evaluated at."""
    shared = by_seed(seen, "validation_metric", seed="epochs").dropna()
    if shared.empty:
        return f"{capitalised(validation(analysis))} along training"
    first, passed = shared.iloc[0], rate(round(shared.index[0], 2))
    fixed = analysis.plan.epochs is not None
    when = f"{passed} of {analysis.budget}" if fixed else f"{passed} epochs"
    text = analysis.measure.text
    least = f"{text(first.iloc[0])} at batch size {first.index[0]}"
    most = f" and {text(first.iloc[-1])} at batch size {first.index[-1]}" if len(first) > 1 else ""
    return f"After {when}, {validation(analysis)} is {least}{most}"

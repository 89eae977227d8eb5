"""Learning curves of the batch sizes."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from reports.charts.base import Chart, metric_axis, ordered_colors, sentences, validation, values
from reports.recommend import Analysis
from reports.schema import Measure, capitalised, rate
from reports.stats import by_seed

_DASHES = ("", (4, 1.5), (1, 1), (5, 1, 1, 1))


def learning_curves(ax: Axes, curves: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw the mean validation curve of each batch size at its tuned rate."""
    colors = ordered_colors(curves["batch_size"].nunique())
    for number, (size, rows) in enumerate(curves.groupby("batch_size")):
        ax.plot(
            rows["epochs"], rows["validation_metric"], color=colors[number], lw=1.6,
            dashes=_DASHES[number % len(_DASHES)] or (None, None), label=str(size),
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda epochs, _: rate(round(epochs, 3))))
    ax.set_xlabel("Epochs (passes over the training part)")
    ax.fmt_xdata = lambda epochs: f"{rate(round(epochs, 3))} epochs"
    ax.legend(title="Batch size", loc="upper left", bbox_to_anchor=(1, 1.03), handlelength=2.4)
    return metric_axis(ax, label, measure)


def curves_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of learning curves."""
    seen = analysis.mean_curves[analysis.mean_curves["epochs"] > 0]
    if seen.empty:
        return None
    return Chart(
        name="curves",
        heading="Learning curves",
        finding=_finding(analysis, seen),
        caption=sentences(
            f"Mean {validation(analysis)} over the explore seeds at the rate selected for "
            "each batch size. Equal epochs are equal numbers of examples, not of updates.",
            "A curve ends where the first of its seeds stopped." if analysis.counts.stopped else "",
        ),
        description=values(
            seen.drop_duplicates("batch_size", keep="last"),
            "validation_metric",
            analysis.measure.text,
        ),
        table=seen,
        figure=partial(
            learning_curves, label=capitalised(validation(analysis)), measure=analysis.measure
        ),
        right=1.05,
    )


def _finding(analysis: Analysis, seen: pd.DataFrame) -> str:
    """Who leads at the first point that all batch sizes were evaluated at."""
    shared = by_seed(seen, "validation_metric", seed="epochs").dropna()
    if shared.empty:
        return f"{capitalised(validation(analysis))} along training"
    first, passed = shared.iloc[0], rate(round(shared.index[0], 2))
    fixed = analysis.plan.epochs is not None
    when = f"{passed} of {analysis.budget}" if fixed else f"{passed} epochs"
    return (
        f"After {when} batch size {first.index[int(first.argmax())]} leads with "
        f"{analysis.measure.text(first.max())} on the validation part"
    )

"""Learning curves of the batch sizes, against epochs, updates or time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from reports.charts.base.chart import Chart, sentences, validation, values
from reports.charts.base.style import metric_axis, ordered_colors
from reports.recommend.record import Analysis, extreme
from reports.schema.formats import capitalised, count, rate, seconds
from reports.schema.measures import Measure
from reports.stats.differences import by_seed
from reports.text.budgets import amount

ALONG: dict[str, tuple[str, Callable[[float], str]]] = {
    "epochs": ("Epochs (passes over the training part)", lambda number: rate(round(number, 3))),
    "updates": ("Updates", count),
    "seconds": ("Time (updates by the timed seconds of an update)", lambda s: seconds(s, digits=2)),
}
"""What learning curves are drawn against: label of the axis, how its values are written."""
_DASHES = ("", (4, 1.5), (1, 1), (5, 1, 1, 1))
_CURVE_NOTES = {
    "epochs": "Equal epochs are equal numbers of examples, not of updates.",
    "updates": "A large batch ends after few updates: it has seen as many examples by then.",
    "seconds": "Seconds are updates by the median seconds of an update from the timing pass.",
}


def learning_curves(
    ax: Axes, curves: pd.DataFrame, *, along: str = "epochs", label: str, measure: Measure
) -> Axes:
    """Draw the mean validation curve of each batch size at its tuned rate.

    `curves`: columns `reports.recommend.record.MEAN_CURVE_COLUMNS`.
    """
    seen = curves[curves["epochs"] > 0]
    colors = ordered_colors(seen["batch_size"].nunique())
    for number, (size, rows) in enumerate(seen.groupby("batch_size")):
        ax.plot(
            rows[along], rows["validation_metric"], color=colors[number], lw=1.6,
            dashes=_DASHES[number % len(_DASHES)] or (None, None), label=str(size),
        )  # fmt: skip
    name, written = ALONG[along]
    ax.set_xscale("log", base=2 if along == "epochs" else 10)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda amount, _: written(amount)))
    ax.set_xlabel(name)
    ax.fmt_xdata = lambda amount: f"{written(amount)}{'' if along == 'seconds' else f' {along}'}"
    ax.legend(title="Batch size", loc="upper left", bbox_to_anchor=(1, 1.03), handlelength=2.4)
    return metric_axis(ax, label, measure)


def curves_chart(analysis: Analysis, along: str) -> Chart | None:
    """Return the chart of learning curves against one of `ALONG`; None where it isn't known."""
    curves = analysis.mean_curves
    seen = curves[curves["epochs"] > 0]
    if seen.empty or seen[along].isna().any():
        return None
    return Chart(
        name="curves" if along == "epochs" else f"curves-{along}",
        heading="Learning curves" if along == "epochs" else f"Learning curves against {along}",
        finding=_curve_finding(analysis, seen, along),
        caption=sentences(
            f"Mean {validation(analysis)} over the explore seeds at the rate selected for "
            f"each batch size. {_CURVE_NOTES[along]}",
            "A curve ends where the first of its seeds stopped." if analysis.counts.stopped else "",
        ),
        description=values(
            seen.drop_duplicates("batch_size", keep="last"),
            "validation_metric",
            analysis.measure.text,
        ),
        table=curves,
        figure=partial(
            learning_curves,
            along=along,
            label=capitalised(validation(analysis)),
            measure=analysis.measure,
        ),
        right=1.05,
        switch="curves",
        option=along,
    )


def _curve_finding(analysis: Analysis, seen: pd.DataFrame, along: str) -> str:
    """Who leads at the first point that all batch sizes were evaluated at or have passed."""
    if along != "epochs":
        return _leader_finding(analysis, seen, along)
    shared = by_seed(seen, "validation_metric", seed="epochs").dropna()
    if shared.empty:
        return f"{capitalised(validation(analysis))} along training"
    first = shared.iloc[0]
    return (
        f"After {_of_budget(analysis, shared.index[0])} batch size "
        f"{first.index[int(first.argmax())]} leads with {analysis.measure.text(first.max())} on "
        "the validation part"
    )


def _leader_finding(analysis: Analysis, seen: pd.DataFrame, along: str) -> str:
    """Who has most when the first of them ends, each read at its last evaluation until then."""
    end = float(seen.groupby("batch_size")[along].max().min())
    until = seen[seen[along] <= end].drop_duplicates("batch_size", keep="last")
    leader = extreme(until, "validation_metric", largest=True)
    return (
        f"When {amount(along, end)} are used, batch size {leader['batch_size']:.0f} leads with "
        f"{analysis.measure.text(leader['validation_metric'])} on the validation part"
    )


def _of_budget(analysis: Analysis, epochs: float) -> str:
    passed = rate(round(epochs, 2))
    fixed = analysis.plan.epochs is not None
    return f"{passed} of {analysis.budget}" if fixed else f"{passed} epochs"

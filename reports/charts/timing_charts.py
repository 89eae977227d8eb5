"""Charts of the timing pass: what an update takes, and what follows for training."""

from __future__ import annotations

import pandas as pd

from reports.analysis.update_times import CONTENDED_BELOW
from reports.charts import figures
from reports.charts.base.chart import Chart, Words, values
from reports.recommend.record import Analysis, extreme
from reports.schema.formats import capitalised, seconds, significant, times
from reports.stats.models.update_cost import UpdateTimeFit
from reports.text.scaling import cost_caption


def seconds_per_update_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of seconds per update; None where nothing was timed.

    Args:
        analysis: The numbers.
    """
    timing = analysis.timing
    tensor = analysis.alone
    if tensor.empty:
        return None
    fit = analysis.scaling.update_time
    return Chart(
        name="seconds-per-update",
        heading="Time per update",
        tell=lambda: Words(
            finding=_cost_finding(tensor, fit),
            caption=(
                "Median and quartiles over the rounds of a timing pass of its own: serial, one "
                f"BLAS thread. A measurement counts as contended below {CONTENDED_BELOW:.0%} of a "
                f"processor.{cost_caption(fit)}"
            ),
            description=values(tensor, "seconds_per_update", seconds),
        ),
        draw=lambda ax: figures.seconds_per_update(ax, timing, fit.curve, fit.doubling_batch_size),
    )


def _cost_finding(tensor: pd.DataFrame, fit: UpdateTimeFit) -> str:
    if fit.doubling_batch_size is not None:
        return (
            f"An update takes twice its fixed cost at batch size "
            f"{significant(fit.doubling_batch_size)}: well below it, larger batches are nearly free"
        )
    ends = tensor.iloc[[0, -1]] if len(tensor) > 1 else tensor
    extremes = values(ends, "seconds_per_update", seconds)
    return f"Time of an update by tensor operations: {extremes}"


def seconds_to_train_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the time to train; None below two batch sizes that have one.

    Args:
        analysis: The numbers.
    """
    table = analysis.timed
    if len(table) < 2:  # noqa: PLR2004
        return None
    return Chart(
        name="seconds-to-train",
        heading="Time to train",
        tell=lambda: Words(
            finding=_shortest_finding(analysis),
            caption=(
                f"Updates that {analysis.training} make, multiplied by the median seconds of an "
                "update from the timing pass; not the clock of the sweep, whose trials run beside "
                "each other."
            ),
            description=values(table, "seconds_to_train", seconds),
        ),
        draw=lambda ax: figures.seconds_to_train(ax, table),
    )


def _shortest_finding(analysis: Analysis) -> str:
    fastest = extreme(analysis.timed, "seconds_to_train", largest=False)
    return (
        f"{capitalised(analysis.training)} take least time at batch size {fastest['batch_size']}: "
        f"{seconds(fastest['seconds_to_train'])}"
    )


def speedup_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of tensor operations against single items; None without both.

    Args:
        analysis: The numbers.
    """
    table = analysis.batch_sizes.dropna(subset="speedup")
    if table.empty:
        return None
    return Chart(
        name="speedup",
        heading="Tensor operations against single items",
        tell=lambda: Words(
            finding=_speedup_finding(table),
            caption=(
                "Ratio of the median seconds per update; bars span the ratios of the single "
                "rounds. Both make the same update."
            ),
            description=values(table, "speedup", times),
        ),
        draw=lambda ax: figures.tensor_speedup(ax, table),
    )


def _speedup_finding(table: pd.DataFrame) -> str:
    most = extreme(table, "speedup", largest=True)
    return (
        f"Tensor operations are up to {times(most['speedup'])} as fast as single items (batch "
        f"size {most['batch_size']})"
    )

"""Charts of what was tuned and what generalises: best rates, and the gap to the training part."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reports.charts import tuning_figures
from reports.charts.base.chart import Chart, Words
from reports.recommend.record import Analysis, extreme
from reports.schema.formats import plural, rate

_FEWEST = 3
"""Batch sizes needed to tell how the best rate grows."""


def best_rates_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the best learning rate against batch size.

    Args:
        analysis: The numbers.
    """
    table = analysis.batch_sizes.dropna(subset="validation_metric")
    if len(table) < 2:  # noqa: PLR2004
        return None
    inner = table[~table["at_edge"]]
    anchors = table if inner.empty else inner
    return Chart(
        name="best-rates",
        heading="Best learning rate",
        tell=lambda: Words(
            finding=_rates_finding(inner, table),
            caption=(
                "The rate selected for each batch size on the validation part; hollow where it is "
                "the smallest or largest one tried. Bars: rates around it whose mean is within a "
                "standard error of the best. Lines: rates in proportion to the batch size (Goyal "
                "et al. 2017) and to its square root, drawn through the middle of those within "
                "the grid; nothing follows them."
            ),
            description="; ".join(
                f"batch size {row['batch_size']}: {rate(row['learning_rate'])}"
                for row in table.to_dict("records")
            ),
        ),
        draw=lambda ax: tuning_figures.best_rates(ax, table, _rules(table, anchors)),
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
    found = {"batch_size": table["batch_size"]}
    for name, power in (("linear", 1.0), ("sqrt", 0.5)):
        away = np.log(anchors["learning_rate"]) - power * np.log(anchors["batch_size"])
        found[name] = math.exp(away.mean()) * table["batch_size"] ** power
    return pd.DataFrame(found)


def gap_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the generalization gap.

    Args:
        analysis: The numbers.
    """
    table = analysis.measured.dropna(subset="gap")
    if table.empty:
        return None
    return Chart(
        name="generalization-gap",
        heading="Generalization gap",
        tell=lambda: _gap_words(analysis, table),
        draw=lambda ax: tuning_figures.generalization_gap(
            ax, table, label="Training less " + analysis.metric, measure=analysis.measure
        ),
    )


def _gap_words(analysis: Analysis, table: pd.DataFrame) -> Words:
    written = analysis.measure.signed
    largest = extreme(table, "gap", largest=True)
    seeds = plural(int(table["seeds"].max()), "seed")
    interval = " with 95% t interval" if table["gap_low"].notna().any() else ""
    return Words(
        finding=(
            f"The training part is ahead of the {analysis.part} part by at most "
            f"{written(largest['gap'])}{analysis.measure.points}, at batch size "
            f"{largest['batch_size']}"
        ),
        caption=(
            f"{analysis.measure.name.capitalize()} on the training part less that on the "
            f"{analysis.part} part, at the end of training, at the tuned rates; mean of {seeds}"
            f"{interval}."
        ),
        description="; ".join(
            f"batch size {row['batch_size']}: {written(row['gap'])}{analysis.measure.points}"
            for row in table.to_dict("records")
        ),
    )

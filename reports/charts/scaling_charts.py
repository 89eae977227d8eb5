"""Charts of the way to a target: what each found, and how it is captioned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from reports.analysis.scaling_record import TargetRecord
from reports.analysis.update_times import TENSOR
from reports.charts import scaling_figures
from reports.charts.base.chart import Chart, Words
from reports.recommend.record import Analysis
from reports.schema.formats import (
    count,
    listing,
    off_by,
    plural,
    seconds,
    significant,
    sizes,
    times,
)
from reports.stats.models.first_passage import NOT_REACHED
from reports.stats.models.noise_scale import RESOLVED
from reports.text.scaling import critical_span, level, range_span

Curve = Callable[[np.ndarray], np.ndarray]


def steps_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of updates to the target.

    Args:
        analysis: The numbers.
    """
    record = analysis.scaling.main
    if record is None:
        return None
    table = record.batch_sizes
    if table["updates"].isna().all() and _bounds(record).empty:
        return None
    return Chart(
        name="steps-to-target",
        heading="Updates to the target",
        tell=lambda: Words(
            finding=_steps_finding(record),
            caption=f"{_target(analysis, record)} {_median(record)} {_fit(record)}",
            description=_described(table, "updates", count),
        ),
        draw=lambda ax: scaling_figures.steps_to_target(
            ax, table, _bounds(record), _updates(record)
        ),
        height=3.6,
    )


def _steps_finding(record: TargetRecord) -> str:
    known = record.batch_sizes.dropna(subset="updates")
    if known.empty:
        return "No batch size reaches the target in most of its runs"
    if len(known) == 1:
        return f"Only batch size {known['batch_size'].iloc[0]} reaches the target in most runs"
    first, last = known.iloc[0], known.iloc[-1]
    fewer, larger = first["updates"] / last["updates"], last["batch_size"] / first["batch_size"]
    return (
        f"From batch size {first['batch_size']} to {last['batch_size']}, {times(larger)} as large, "
        f"the target takes {times(fewer)} fewer updates"
    )


def examples_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of examples to the target.

    Args:
        analysis: The numbers.
    """
    record = analysis.scaling.main
    if record is None or record.batch_sizes["updates"].isna().all():
        return None
    fit = record.fit
    return Chart(
        name="examples-to-target",
        heading="Examples to the target",
        tell=lambda: Words(
            finding=(
                f"Examples grow with the batch beyond a {critical_span(fit)}"
                if critical_span(fit)
                else f"The critical batch size can't be told: {_lower(fit.reason)}"
            ),
            caption=f"{_target(analysis, record)} {_median(record)} {_fit(record)}",
            description=_described(record.batch_sizes, "examples", count),
        ),
        draw=lambda ax: scaling_figures.examples_to_target(
            ax,
            record.batch_sizes,
            _updates(record),
            fit.critical_batch_size,
            fit.critical_batch_size_interval,
        ),
    )


def tradeoff_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of updates against examples.

    Args:
        analysis: The numbers.
    """
    record = analysis.scaling.main
    curve = record and _updates(record)
    if record is None or not curve:
        return None
    table, fit = record.batch_sizes.dropna(subset="updates"), record.fit
    return Chart(
        name="steps-examples",
        heading="Updates against examples",
        tell=lambda: Words(
            finding=_tradeoff_finding(record),
            caption=(
                f"{_target(analysis, record)} Each point is a batch size; dashed the fitted "
                "hyperbola (S/S_min - 1)(E/E_min - 1) = 1, dotted its ends: updates and examples "
                "that any batch size needs (McCandlish et al. 2018)."
            ),
            description="; ".join(
                f"batch size {row['batch_size']}: {count(row['updates'])} updates, "
                f"{count(row['examples'])} examples"
                for row in table.to_dict("records")
            ),
        ),
        draw=lambda ax: scaling_figures.steps_against_examples(
            ax, table, curve, (fit.min_updates, fit.min_examples)
        ),
    )


def _tradeoff_finding(record: TargetRecord) -> str:
    fit = record.fit
    fewest = None if fit.min_updates is None else plural(round(fit.min_updates), "update")
    least = None if fit.min_examples is None else plural(round(fit.min_examples), "example")
    known = [text for text in (fewest, least) if text]
    if not known:
        return "The data show neither the fewest updates nor the fewest examples"
    return f"The target needs at least about {listing(known)}, whatever the batch size"


def time_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of time to the target, measured and predicted.

    Args:
        analysis: The numbers.
    """
    record = analysis.scaling.main
    if record is None or record.fastest is None:
        return None
    table, best = record.batch_sizes.dropna(subset="seconds"), record.best
    predicted = (
        ""
        if best.batch_size is None
        else (
            " Dash-dotted: where S_min (1 + B_crit/B)(alpha + beta B) is shortest, "
            f"shaded its interval; within 5% of that time are {range_span(best.near)}."
        )
    )
    return Chart(
        name="time-to-target",
        heading="Time to the target",
        tell=lambda: Words(
            finding=_time_finding(record),
            caption=(
                f"{_target(analysis, record)} Updates by the median seconds of an update from the "
                f"timing pass. {_median(record)}{predicted}"
            ),
            description=_described(table, "seconds", seconds),
        ),
        draw=lambda ax: scaling_figures.time_to_target(
            ax, table, _seconds(analysis, record), best.batch_size, best.interval
        ),
        height=3.6,
    )


def _time_finding(record: TargetRecord) -> str:
    best, found = record.best, _first(record)
    if best.batch_size is None:
        return f"{found}; no batch size can be predicted"
    edge = ", the end of the range," if best.at_edge else ""
    span = range_span(best.interval)
    return f"{found}; predicted: {significant(best.batch_size)}{edge} (95% interval {span})"


def _first(record: TargetRecord) -> str:
    """Who reaches the target first; where a run of it misses, also who does so with all runs."""
    table = record.batch_sizes
    first = table[table["batch_size"] == record.fastest].iloc[0]
    found = f"Batch size {record.fastest} reaches the target first, in {seconds(first['seconds'])}"
    if first["reached"] == first["runs"]:
        return found
    found += f" with {first['reached']} of {first['runs']} runs"
    whole = table[(table["reached"] == table["runs"]) & table["seconds"].notna()]
    if whole.empty:
        return found
    sure = whole.sort_values("seconds", kind="stable").iloc[0]
    return f"{found}; with all runs {sure['batch_size']}, in {seconds(sure['seconds'])}"


def noise_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the gradient noise scale along training.

    Args:
        analysis: The numbers.
    """
    scaling = analysis.scaling
    noise = scaling.noise[scaling.noise["examples"] > 0]
    if scaling.noise_known.empty:
        return None
    measured = sorted(set(noise["batch_size"]))
    shown = sorted({measured[0], measured[len(measured) // 2], measured[-1]})
    rows = noise[noise["batch_size"].isin(shown)]
    record = scaling.main
    fit = record.fit if record else None
    kind = "fresh" if scaling.fresh else "tuning"
    return Chart(
        name="noise-scale",
        heading="Gradient noise scale along training",
        tell=lambda: Words(
            finding=_noise_finding(analysis),
            caption=(
                "Trace of the gradients' covariance by the squared length of the gradient: a "
                f"ratio of means over the {kind} seeds, at the tuned rates, with Fieller's 95% "
                f"interval (1954). Shown: batch {sizes(shown)}. Triangles: the squared length "
                "isn't told from zero, so the noise scale is at least that."
            ),
            description="; ".join(_noise_described(one) for _, one in noise.groupby("batch_size")),
        ),
        draw=lambda ax: scaling_figures.noise_along_training(
            ax,
            rows,
            fit.critical_batch_size if fit else None,
            fit.critical_batch_size_interval if fit else None,
        ),
        height=3.6,
    )


def _noise_described(rows: pd.DataFrame) -> str:
    known = rows.loc[rows["status"] == RESOLVED, "noise_scale"]
    size = f"batch size {rows['batch_size'].iloc[0]}"
    if known.empty:
        return f"{size}: unresolved, at least {significant(rows['low'].max())}"
    return (
        f"{size}: {significant(known.iloc[0])} to {significant(known.iloc[-1])}, resolved at "
        f"{len(known)} of {len(rows)} evaluations"
    )


def _noise_finding(analysis: Analysis) -> str:
    record = analysis.scaling.main
    known = record.noise.dropna(subset="ratio") if record else pd.DataFrame()
    if not known.empty and record is not None:
        ratios = f"{significant(known['ratio'].min())} to {times(known['ratio'].max())}"
        return f"On the way to the target, the noise scale is {ratios} the critical batch size"
    noise = analysis.scaling.noise
    resolved = noise[(noise["status"] == RESOLVED) & (noise["examples"] > 0)]
    if resolved.empty:
        return "The seeds don't resolve the gradient noise scale"
    return (
        f"The noise scale goes from {significant(resolved['noise_scale'].min())} to "
        f"{significant(resolved['noise_scale'].max())} examples in training"
    )


def throughput_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of examples per second.

    Args:
        analysis: The numbers.
    """
    timing = analysis.timing[analysis.timing["engine"] == TENSOR]
    if timing["batch_size"].nunique() < 2:  # noqa: PLR2004
        return None
    table = timing.assign(throughput=timing["batch_size"] / timing["seconds_per_update"])
    return Chart(
        name="throughput",
        heading="Throughput",
        tell=lambda: _throughput_words(table),
        draw=lambda ax: scaling_figures.throughput(ax, table),
    )


def _throughput_words(table: pd.DataFrame) -> Words:
    alone = table[table["lanes"] == 1]
    shown = table if alone.empty else alone
    first, most = shown.iloc[0], shown.sort_values("throughput").iloc[-1]
    return Words(
        finding=(
            f"Up to {count(most['throughput'])} examples a second on one thread (batch size "
            f"{most['batch_size']}), {times(most['throughput'] / first['throughput'])} as many as "
            f"at batch size {first['batch_size']}"
        ),
        caption=(
            "Batch size by the median seconds of an update, by tensor operations; where several "
            "networks are updated at once, for each of them."
        ),
        description=_described(shown, "throughput", lambda value: f"{count(value)} per second"),
    )


def _target(analysis: Analysis, record: TargetRecord) -> str:
    kind = "fresh seeds" if analysis.scaling.fresh else "the tuning seeds, which also set it"
    return f"Target: {level(analysis, record)}. Measured on {kind}, at the tuned rates."


def _median(record: TargetRecord) -> str:
    runs = record.batch_sizes["runs"]
    number = plural(int(runs.max()), "run")
    interval = (
        "with its distribution-free 95% interval"
        if record.batch_sizes["updates_low"].notna().any()
        else "without an interval, for which there are too few"
    )
    return f"Median of {number} {interval}."


def _fit(record: TargetRecord) -> str:
    fit = record.fit
    if fit.curve is None:
        return f"Nothing is fitted: {_lower(fit.reason)}"
    poor = " That is a poor fit." if fit.poor_fit else ""
    missed = plural(fit.censored, "run")
    bounds = f" {missed} that missed it: counted as lower bounds." if fit.censored else ""
    return (
        f"Dashed: S = S_min + E_min/B, fitted to the logarithms of {plural(fit.runs, 'run')}, "
        f"off by up to {off_by(fit.max_log_residual or 0)} at a batch size.{poor}{bounds}"
    )


def _bounds(record: TargetRecord) -> pd.DataFrame:
    """Where runs missed the target: the median of the updates they made, and how many they are."""
    runs = record.crossings
    missed = runs[(runs["outcome"] == NOT_REACHED) & (runs["updates"] > 0)]
    table = missed.groupby("batch_size", as_index=False)["updates"].median()
    rows = record.batch_sizes.set_index("batch_size").loc[table["batch_size"]]
    missing = rows["runs"] - rows["reached"]
    texts = [f"{n} of {runs}" for n, runs in zip(missing, rows["runs"], strict=True)]
    return table.assign(text=texts)


def _updates(record: TargetRecord) -> Curve | None:
    curve = record.fit.curve
    return None if curve is None else lambda sizes: curve.at(1 / sizes)


def _seconds(analysis: Analysis, record: TargetRecord) -> Curve | None:
    steps, update = _updates(record), analysis.scaling.update_time.curve
    if steps is None or update is None:
        return None
    return lambda sizes: steps(sizes) * update.at(sizes)


def _described(table: pd.DataFrame, column: str, written: Callable[[float], str]) -> str:
    return "; ".join(
        f"batch size {row['batch_size']}: "
        + ("not reached by most runs" if pd.isna(row[column]) else written(row[column]))
        for row in table.to_dict("records")
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

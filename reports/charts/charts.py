"""Which figures a report has, what each one found, and how it is captioned."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd

from reports.charts import figures
from reports.charts.base.chart import Chart, Words, values
from reports.charts.budget_charts import budget_chart
from reports.charts.cluster import workers_chart
from reports.charts.scaling_charts import (
    examples_chart,
    noise_chart,
    steps_chart,
    throughput_chart,
    time_chart,
    tradeoff_chart,
)
from reports.charts.timing_charts import (
    seconds_per_update_chart,
    seconds_to_train_chart,
    speedup_chart,
)
from reports.charts.tuning_charts import best_rates_chart, gap_chart
from reports.recommend.record import Analysis, extreme
from reports.schema.formats import capitalised, plural, rate, seconds, sizes
from reports.stats.differences import by_seed
from reports.stats.intervals import Comparison
from reports.text.budgets import amount

TALLEST = 6.8
"""Inches that the rows of the grid of rates may take together."""
NAMES = (
    "accuracy",
    "accuracy-time",
    "rates",
    "best-rates",
    "curves",
    "curves-updates",
    "curves-seconds",
    "budgets",
    "seeds",
    "generalization-gap",
    *("steps-to-target", "examples-to-target", "steps-examples", "time-to-target"),
    "workers",
    "noise-scale",
    "seconds-per-update",
    "seconds-to-train",
    "throughput",
    "speedup",
)
"""Names of all figures there can be, in the order of the page."""
_CURVE_NOTES = {
    "epochs": "Equal epochs are equal numbers of examples, not of updates.",
    "updates": "A large batch ends after few updates: it has seen as many examples by then.",
    "seconds": "Seconds are updates by the median seconds of an update from the timing pass.",
}


def charts(analysis: Analysis) -> list[Chart]:
    """Return the figures the data allow, in the order of the page.

    Args:
        analysis: The numbers.
    """
    makers: tuple[Callable[[Analysis], Chart | None], ...] = (
        _accuracy,
        _accuracy_time,
        _rates,
        best_rates_chart,
        *(partial(_curves, along=along) for along in figures.ALONG),
        budget_chart,
        _seeds,
        gap_chart,
        steps_chart,
        examples_chart,
        tradeoff_chart,
        time_chart,
        workers_chart,
        noise_chart,
        seconds_per_update_chart,
        seconds_to_train_chart,
        throughput_chart,
        speedup_chart,
    )
    made = [maker(analysis) for maker in makers]
    return [chart for chart in made if chart is not None]


def _accuracy(analysis: Analysis) -> Chart | None:
    table, comparison = analysis.measured, analysis.comparison
    if comparison is None:
        return None
    return Chart(
        name="accuracy",
        heading=f"{capitalised(analysis.measure.name)} against batch size",
        tell=lambda: Words(
            finding=_best_finding(analysis, comparison),
            caption=_sentences(
                _statistic(analysis), _left_out(analysis), _tuning(analysis), _tie_rule(analysis)
            ),
            description=values(table, "metric", analysis.measure.text),
        ),
        draw=lambda ax: figures.accuracy(
            ax,
            table,
            analysis.seeds[analysis.seeds["batch_size"].isin(table["batch_size"])],
            label=_label(analysis),
            measure=analysis.measure,
        ),
    )


def _sentences(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _left_out(analysis: Analysis) -> str:
    """Which batch sizes have values, but none for every seed."""
    if not analysis.lost:
        return ""
    return f"Left out: batch {sizes(analysis.lost)}, where a seed has no value."


def _best_finding(analysis: Analysis, comparison: Comparison) -> str:
    best = analysis.measure.text(analysis.row(comparison.best)["metric"])
    where = f"at batch size {comparison.best}"
    if analysis.rival is None:
        return f"{_label(analysis)} {best} {where}"
    finding = (
        f"{_label(analysis)} {best} {where}, the best on validation"
        if analysis.judged_apart
        else f"Highest mean {analysis.metric}: {best} {where}"
    )
    others = [size for size in comparison.tied if size != comparison.best]
    if comparison.tested and others:
        return f"{finding}; {_others(others)} can't be told from it"
    return finding


def _others(batch_sizes: list[int]) -> str:
    few = 3
    return (
        f"batch {sizes(batch_sizes)}" if len(batch_sizes) <= few else f"{len(batch_sizes)} others"
    )


def _accuracy_time(analysis: Analysis) -> Chart | None:
    table = analysis.measured.dropna(subset="seconds_to_train")
    ringed = table.loc[table["pareto"], "batch_size"].tolist()
    if len(table) < 2 or not ringed:  # noqa: PLR2004
        return None
    return Chart(
        name="accuracy-time",
        heading=f"{capitalised(analysis.measure.name)} against training time",
        tell=lambda: Words(
            finding=f"None is both faster and {analysis.measure.better} than batch {sizes(ringed)}",
            caption=(
                f"Mean {analysis.metric} against the time to train {analysis.training}, labelled "
                "with the batch size. Ringed: the Pareto set of the means, whose differences may "
                "be chance."
            ),
            description=_pairs(analysis, table),
        ),
        draw=lambda ax: figures.accuracy_and_time(
            ax, table, label=_label(analysis), measure=analysis.measure
        ),
    )


def _pairs(analysis: Analysis, table: pd.DataFrame) -> str:
    return "; ".join(
        f"batch size {size}: {analysis.measure.text(metric)} in {seconds(duration)}"
        for size, metric, duration in zip(
            table["batch_size"], table["metric"], table["seconds_to_train"], strict=True
        )
    )


def _rates(analysis: Analysis) -> Chart | None:
    cells = analysis.cells
    if cells["ok"].sum() == 0:
        return None
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    edge = "; dashed: at the edge of those tried" if selected["at_edge"].any() else ""
    unit = f" in {analysis.measure.unit}" if analysis.measure.unit else ""
    return Chart(
        name="rates",
        heading=f"{capitalised(_validation(analysis))} for each learning rate and batch size",
        tell=lambda: Words(
            finding=_rate_finding(selected),
            caption=(
                f"Mean {_validation(analysis)}{unit} over the explore seeds, after "
                f"{analysis.budget}. Boxed: the rate selected for the batch size{edge}. Hatched: a "
                "seed diverged, failed or has not run, so that there is no mean and the rate can't "
                "be selected."
            ),
            description=values(selected, "learning_rate", rate),
        ),
        draw=lambda ax: figures.rate_grid(
            ax, cells, selected, label=capitalised(_validation(analysis)), measure=analysis.measure
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


def _curves(analysis: Analysis, along: str) -> Chart | None:
    curves = analysis.mean_curves
    seen = curves[curves["epochs"] > 0]
    if seen.empty or seen[along].isna().any():
        return None
    return Chart(
        name="curves" if along == "epochs" else f"curves-{along}",
        heading="Learning curves" if along == "epochs" else f"Learning curves against {along}",
        tell=lambda: Words(
            finding=_curve_finding(analysis, seen, along),
            caption=_sentences(
                f"Mean {_validation(analysis)} over the explore seeds at the rate selected for "
                f"each batch size. {_CURVE_NOTES[along]}",
                "A curve ends where the first of its seeds stopped."
                if analysis.counts.stopped
                else "",
            ),
            description=values(
                seen.drop_duplicates("batch_size", keep="last"),
                "validation_metric",
                analysis.measure.text,
            ),
        ),
        draw=lambda ax: figures.learning_curves(
            ax,
            curves,
            along=along,
            label=capitalised(_validation(analysis)),
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
        return f"{capitalised(_validation(analysis))} along training"
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


def _seeds(analysis: Analysis) -> Chart | None:
    seeds = analysis.seeds
    if seeds["seed"].nunique() < 2:  # noqa: PLR2004
        return None
    return Chart(
        name="seeds",
        heading="The seeds, one by one",
        tell=lambda: _seeds_words(analysis),
        draw=lambda ax: figures.seed_spread(
            ax, seeds, label=_label(analysis), measure=analysis.measure
        ),
    )


def _seeds_words(analysis: Analysis) -> Words:
    groups, written = analysis.seeds.groupby("batch_size")["metric"], analysis.measure.text
    spread = pd.DataFrame({"low": groups.min(), "high": groups.max()}).reset_index()
    widest = extreme(spread.assign(width=spread["high"] - spread["low"]), "width", largest=True)
    return Words(
        finding=(
            f"Seeds differ most at batch size {widest['batch_size']:.0f}: "
            f"{written(widest['low'])} to {written(widest['high'])}"
        ),
        caption=_sentences(
            f"Every dot is one trial at the selected rate ({analysis.metric}); a line joins the "
            "trials that share a seed, and with it split and initial weights.",
            f"At batch {sizes(analysis.lost)} a seed has no value." if analysis.lost else "",
        ),
        description="; ".join(
            f"batch size {size}: {written(low)} to {written(high)}"
            for size, low, high in zip(
                spread["batch_size"], spread["low"], spread["high"], strict=True
            )
        ),
    )


def _statistic(analysis: Analysis) -> str:
    seeds = analysis.measured["seeds"]
    low, high = int(seeds.min()), int(seeds.max())
    number = plural(high, "seed") if low == high else f"{low} to {high} seeds"
    if analysis.shows_intervals:
        return f"Mean {analysis.metric} of {number} with 95% t interval."
    return f"Median {analysis.metric} of {number}, and every seed."


def _tuning(analysis: Analysis) -> str:
    chosen = (
        f"The learning rate is the one with the highest mean {_validation(analysis)} at that "
        "batch size"
        if analysis.batch_sizes["validation_metric"].notna().any()
        else "The learning rate of each batch size was given"
    )
    return f"{chosen}; the budget of every trial is {analysis.budget}."


def _tie_rule(analysis: Analysis) -> str:
    if analysis.comparison is None or not analysis.comparison.tested:
        return ""
    pairs = "the pairs with it" if analysis.judged_apart else "all pairs"
    return f"Filled: not told from the best (paired t tests, Holm over {pairs}, 5%)."


def _validation(analysis: Analysis) -> str:
    return f"validation {analysis.measure.name}"


def _label(analysis: Analysis) -> str:
    return capitalised(analysis.metric)

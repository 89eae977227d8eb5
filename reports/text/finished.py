"""What is said of runs that ended elsewhere, of optima, and of laws over configurations."""

from __future__ import annotations

import pandas as pd

from reports.analysis.optima import FOLLOWING
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import lowered, plural, rate, significant
from reports.schema.results import HALVED
from reports.text.reaching_target import range_span, range_text, scaling_sentence

FEW_LEVELS = 6
"""Values of a scale below which a power law's interval is wide for want of them."""
_FEW = " The intervals are wide because so few values carry the law."


def finished_headline(analysis: Analysis) -> str:
    """Return what finished runs show that don't confirm a batch size."""
    optimum = analysis.optimum
    if optimum is not None and optimum.batch_size is not None:
        step = optimum.learning_rate
        at = "" if step is None else f" with learning rate {_rate(step)}"
        return f"The optimum is near batch size {significant(optimum.batch_size)}{at}, unconfirmed."
    critical = scaling_sentence(analysis)
    if critical_alone(analysis) and critical:
        return critical
    return "The optimum does not lie within the batch sizes tried."


def _rate(fitted: float) -> str:
    return rate(float(f"{fitted:.2g}"))


def critical_alone(analysis: Analysis) -> bool:
    """Whether finished runs show a critical batch size and nothing of a metric."""
    return analysis.study.finished and analysis.measured.empty


def finished_evidence(analysis: Analysis) -> str:
    """Return how sure that is: interval, best cell, and why it isn't confirmed."""
    optimum = analysis.optimum
    if optimum is None or analysis.measured.empty:
        return ""
    if optimum.batch_size is None:
        return f"{optimum.reason} {_best_cell(analysis)}"
    size = range_span(optimum.batch_size_interval).replace("unknown", "open on both sides")
    rates = optimum.learning_rate_interval
    span = rates and range_text(*rates, _rate)
    of_rate = span and f", that of the learning rate {span}"
    return (
        f"The 95% interval of the batch size is {size}{of_rate or ''}, by a surface through "
        f"{plural(optimum.cells, 'cell')}. {_best_cell(analysis)} {unconfirmed(analysis)}"
    )


def _best_cell(analysis: Analysis) -> str:
    row, measure = analysis.row(analysis.best), analysis.measure
    with_rate = "" if pd.isna(row["learning_rate"]) else f", rate {rate(row['learning_rate'])}"
    value = measure.text(row["metric"])
    return f"The best cell is batch size {analysis.best}{with_rate} ({measure.name} {value})."


def unconfirmed(analysis: Analysis) -> str:
    """Return why finished runs don't confirm what they show; "" if they do."""
    if not analysis.study.finished or analysis.part == "test":
        return ""
    return (
        "Selection and report use the same numbers, as no seed of a finished table is fresh; with "
        f"{HALVED} seeds that all cells share, some would choose and the others judge."
    )


def law_sentence(study: StudyAnalysis, name: str) -> str:
    """Return the power law of a quantity, or why there is none."""
    law, scale, what = study.laws[name], study.description.scale_name, FOLLOWING[name]
    if law.exponent_interval is None or law.left_out is None:
        return f"There is no power law of the {what} in {scale}: {lowered(law.reason)}"
    low, high = (significant(end) for end in law.exponent_interval)
    values = plural(law.levels, "value")
    return (
        f"The {what} grows as {scale}^{significant(law.exponent)} (95% CI {low} to {high}), by "
        f"{plural(law.points, 'configuration')} with {values} of {scale}."
    )


def across_optima(study: StudyAnalysis) -> dict[str, str]:
    """Return what optima and critical batch sizes show over all configurations."""
    optima, plan = study.optima, study.description
    inside = int(optima["optimum"].notna().sum())
    critical = int(optima["critical"].notna().sum())
    lie = [
        f"The optimum lies within range in {_of(inside, len(optima))}." if inside else "",
        f"The critical batch size is known for {_of(critical, len(optima))}." if critical else "",
    ]
    # Of each law its formula, the prefactor, and the exponent without one value each.
    details = [
        f"{FOLLOWING[name].capitalize()} = {significant(law.prefactor)} {plan.scale_name}"
        f"^{significant(law.exponent, 3)} in {plan.unit} (95% CI of the prefactor "
        f"{significant(law.prefactor_interval.low)} to {significant(law.prefactor_interval.high)})."
        f" Without one value of {plan.scale_name}, the exponent lies between "
        f"{significant(law.left_out.low)} and {significant(law.left_out.high)}."
        f"{_FEW * (law.levels < FEW_LEVELS)}"
        for name, law in study.laws.items()
        if law.prefactor_interval is not None and law.left_out is not None
    ]
    return {f"law-{name}": law_sentence(study, name) for name in study.laws} | {
        "optima": " ".join(filter(None, lie)) or "No optimum lies within range.",
        "law-details": " ".join(details),
    }


def _of(number: int, total: int) -> str:
    return (
        f"all {total} configurations" if number == total else f"{number} of {total} configurations"
    )


def finished_method(analysis: Analysis) -> list[str]:
    """Return how the numbers of finished runs are made."""
    seeds = len(analysis.study.confirmation_seeds)
    split = (
        f"The later {seeds} of the shared seeds judge what the others chose."
        if seeds
        else unconfirmed(analysis)
    )
    texts = [
        f"The runs were trained elsewhere; only what their table says is known of them. {split}",
        *optima_method(analysis),
        *(note.strip() for note in analysis.plan.notes),
    ]
    return [text for text in texts if text]


def optima_method(analysis: Analysis) -> list[str]:
    """Return how optima and their power laws are made, where the report has them."""
    if not analysis.study.has_optima:
        return []
    texts = [
        (
            "The optimum is the lowest point of a surface over the logarithms of batch size and "
            "learning rate, fitted to the cells around the best one: quadratic, with cubic terms "
            "unless an F test speaks against them. What a cell deviates by is its error; intervals "
            "are of surfaces drawn from these residuals."
        ),
        (
            "A power law is a line through the mean logarithm at each value of the scale, with a t "
            "interval: configurations of one value share what makes them deviate."
        )
        if analysis.plan.scale is not None
        else "",
    ]
    return [text for text in texts if text]

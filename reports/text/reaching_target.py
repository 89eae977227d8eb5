"""Sentences about training to a target: what was measured, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable

from reports.analysis import TargetRecord
from reports.recommend import Analysis
from reports.schema import listing, lowered, off_by, rate, seconds, significant
from reports.stats import Ends
from reports.stats.models import StepsToTargetFit, UpdateTimeFit


def level(analysis: Analysis, record: TargetRecord) -> str:
    """Return a target in words, to be read after "Target:"."""
    share = record.target.share
    if analysis.study.finished:
        return target_name(analysis, record)
    rule = (
        "which the study sets"
        if math.isnan(share)
        else f"{share:.0%} of the way from the start to what the best batch size attains on the "
        "tuning seeds"
    )
    return f"{target_name(analysis, record)}, {rule}"


def target_name(analysis: Analysis, record: TargetRecord) -> str:
    """Return a target as it is named within a sentence."""
    measure, study = analysis.target_measure, analysis.study
    if study.finished and study.target_metric is None and study.target_loss is None:
        return "the target"
    on = "" if study.finished else "validation "
    return f"a {on}{measure.name} of {measure.text(record.target.level)}"


def range_span(ends: Ends | None) -> str:
    """Return the bounds of an interval of batch sizes."""
    return "unknown" if ends is None else range_text(ends.low, ends.high, significant)


def range_text(low: float, high: float, written: Callable[[float], str]) -> str:
    """Return the bounds of an interval of something above 0."""
    if math.isinf(high):
        return f"at least {written(low)}" if low > 0 else "unknown"
    return f"{written(low)} to {written(high)}" if low > 0 else f"at most {written(high)}"


def cost_caption(fit: UpdateTimeFit) -> str:
    """Return what is fitted to the seconds of an update, to be read after another sentence."""
    if fit.curve is None:
        return ""
    if fit.fixed_seconds is None or fit.seconds_per_example is None:
        return f" Dotted: alpha + beta B, fitted to one network. {fit.reason}"
    doubling = range_span(fit.doubling_batch_size_interval)
    return (
        f" Dotted: alpha + beta B, fitted to one network: alpha {seconds(fit.fixed_seconds)}, beta "
        f"{seconds(fit.seconds_per_example)}, twice the fixed cost at alpha/beta (95% CI "
        f"{doubling})."
    )


def scaling_sentence(analysis: Analysis) -> str:
    """Return up to where a larger batch saves updates; "" if no target can be set."""
    record = analysis.scaling.main
    if record is None:
        return ""
    fit, goal = record.fit, target_name(analysis, record)
    if fit.critical_batch_size is None:
        reason = lowered(fit.reason).removesuffix(".")
        return f"The critical batch size for {goal} is not known: {reason}."
    rough = ", a rough estimate" if fit.poor_fit else ""
    return (
        f"Up to a batch size of about {significant(fit.critical_batch_size)}, doubling it nearly "
        f"halves the updates to {goal} (critical batch size, 95% CI "
        f"{range_span(fit.critical_batch_size_interval)}{rough}); beyond that it saves little."
    )


def unsaid(analysis: Analysis) -> list[str]:
    """Return why figures of training to a target are missing, a sentence each."""
    if analysis.study.finished:
        return []
    record = analysis.scaling
    texts = [record.reason] if record.reason else []
    if record.main is not None and record.main.fastest is None:
        texts.append(f"Time to the target isn't known. {record.update_time.reason}")
    if record.simulation.reason:
        texts.append(f"Time on many workers is not simulated. {record.simulation.reason}")
    if record.targets and record.noise.empty:
        of_trainer = "have the trainer give `gradient_norms`"
        remedy = of_trainer if analysis.plan.trainer else "set `noise_examples`"
        texts.append(f"The gradient noise scale was not measured: {remedy}.")
    elif record.targets and record.noise_known.empty:
        texts.append("The seeds don't resolve the gradient noise scale at any point of training.")
    return texts


def other_rates(record: TargetRecord) -> str:
    """Return where other rates reach the target sooner than those measured; "" for nowhere."""
    other = record.other_rates
    if other.empty:
        return ""
    changes = [
        f"{rate(row['target_rate'])} instead of {rate(row['learning_rate'])} at batch size "
        f"{row['batch_size']}"
        for row in other.to_dict("records")
    ]
    return (
        "Other learning rates reach the target sooner on the tuning seeds than those measured on "
        f"fresh seeds: {listing(changes)}. Times to the target are too long there. The curve is "
        "fitted to the tuning seeds, at the rates tuned for the target."
    )


def poor_fit(fit: StepsToTargetFit | UpdateTimeFit, start: str) -> str:
    """Return by how much values depart from a curve, after a start; "" if they follow it."""
    if not fit.poor_fit or fit.max_log_residual is None:
        return ""
    return f"{start} misses one batch size by {off_by(fit.max_log_residual)}."


def no_plateau(fit: StepsToTargetFit) -> str:
    """Return that updates to the target fall up to the largest batch size; "" if they level off."""
    if fit.plateau != "not in range":
        return ""
    ends, largest = fit.critical_batch_size_interval, fit.batch_sizes[-1]
    least = 0.0 if ends is None else ends.low
    if least > largest:
        return f"{fit.reason} The critical batch size lies beyond it."
    bound = f"is at least {significant(least)} (95% CI), and " if least > 0 else ""
    return f"{fit.reason} The critical batch size {bound}may lie beyond it."


def not_reached(record: TargetRecord) -> str:
    """Return how many runs missed the target; "" if none did."""
    table = record.batch_sizes
    missed = table[table["reached"] < table["runs"]]
    if missed.empty:
        return ""
    parts = [
        f"{row['runs'] - row['reached']} of {row['runs']} at batch size {row['batch_size']}"
        for row in missed.to_dict("records")
    ]
    return (
        f"Some runs never reached the target: {listing(parts)}. They count as lower bounds of "
        "their updates."
    )

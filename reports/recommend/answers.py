"""What measurement, closed form and gradient noise scale say to accuracy, and to every goal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from reports.analysis.scaling_record import TargetRecord
from reports.recommend.recommendation import (
    ACCURACY,
    CLOSED_FORM,
    MEASUREMENT,
    NOISE_SCALE,
    Answer,
    Recommendation,
    reconcile,
)
from reports.recommend.record import Analysis
from reports.schema.formats import plural
from reports.stats.bounds import Ends
from reports.stats.models.noise_scale import RESOLVED
from reports.stats.power import MAX_SEEDS, Separation

NO_GRADIENTS = "Gradients were not measured (`noise_examples`)."
NO_TIMES = "The timing pass has not run."
UNLEARNED = "No batch size is shown to do better than one answer for everything."
UNTESTED = "With one seed, or one batch size, nothing can be told apart."
"""Why a source can't say."""


def highest_accuracy(analysis: Analysis) -> Recommendation:
    """Return the batch sizes for the highest metric that the budget allows."""
    tried = tried_sizes(analysis)
    answers = (
        _measured_accuracy(analysis),
        _limit_of_budget(analysis, tried),
        _limit_of_noise(analysis, tried),
    )
    sought = f"the highest {analysis.metric} for {analysis.budget}"
    return reconcile(ACCURACY, sought, tried, answers, _more_for_accuracy(analysis, answers[0]))


def _measured_accuracy(analysis: Analysis) -> Answer:
    comparison = analysis.comparison
    if comparison is None:
        return Answer(source=MEASUREMENT, reason="No batch size has results that can be ranked.")
    if not comparison.tested:
        return Answer(source=MEASUREMENT, best=comparison.best, reason=UNTESTED)
    use = analysis.recommended or comparison.best
    ranked = [int(size) for size in analysis.measured["batch_size"]]
    weakness = "the seeds that chose the rates also judge them" if analysis.part != "test" else ""
    return Answer(
        source=MEASUREMENT,
        interval=run_around(ranked, comparison.tied, use),
        best=use,
        weakness=weakness,
    )


def _limit_of_budget(analysis: Analysis, tried: Sequence[int]) -> Answer:
    """The batch sizes up to that whose examples to the hardest target the budget covers."""
    main, epochs = analysis.scaling.main, analysis.plan.epochs
    silent = Answer(source=CLOSED_FORM, only_limits=True)
    if main is None:
        return replace(silent, reason=analysis.scaling.reason)
    if epochs is None:
        return replace(silent, reason="The budget is not one of examples.")
    fit = main.fit
    if fit.min_updates_interval is None or fit.min_examples_interval is None:
        return replace(silent, reason=fit.reason)
    spare = epochs * analysis.plan.train_items - fit.min_examples_interval.low
    updates = fit.min_updates_interval.low
    largest = spare / updates if updates > 0 else math.inf
    if largest < tried[0]:
        return replace(silent, reason="By the fit, no batch size reaches the target.")
    return replace(silent, interval=Ends(tried[0], min(largest, tried[-1])), weakness=poor(main))


def _limit_of_noise(analysis: Analysis, tried: Sequence[int]) -> Answer:
    """The batch sizes up to the noise scale: they need at most twice the fewest examples."""
    silent = Answer(source=NOISE_SCALE, only_limits=True)
    main = analysis.scaling.main
    if main is None or main.noise.empty:
        return replace(silent, reason=NO_GRADIENTS)
    scale = noise_near(main, analysis.recommended or tried[0])
    if scale is None:
        return replace(silent, reason=unresolved(main))
    _, ends = scale
    if ends.high < tried[0]:
        return replace(silent, interval=Ends(tried[0], tried[0]))
    return replace(silent, interval=Ends(tried[0], min(ends.high, tried[-1])))


def _more_for_accuracy(analysis: Analysis, measured: Answer) -> list[str]:
    comparison, tried = analysis.comparison, tried_sizes(analysis)
    texts = []
    if measured.interval is None:
        texts.append("results of two or more seeds")
    elif comparison is not None and len(comparison.tied) > 1:
        texts.append(_seeds_to_separate(analysis))
    if measured.interval is not None and measured.interval.high == tried[-1]:
        texts += larger(analysis)
    if analysis.timed.empty:
        texts.append("the timing pass (`bpsweep time`)")
    return [text for text in texts if text]


def _seeds_to_separate(analysis: Analysis) -> str:
    apart, comparison = analysis.separation, analysis.comparison
    if apart is None or comparison is None or apart.difference.mean >= 0:
        return ""
    return seeds_needed(apart, f"to tell batch size {analysis.rival} from {comparison.best}")


def run_around(batch_sizes: Sequence[int], good: Iterable[int], size: int) -> Ends:
    """Return the ends of the batch sizes around one that are good without a gap.

    Example:
        >>> run_around([1, 2, 4, 8, 16], {1, 4, 8}, 4)
        Ends(low=4, high=8)
    """
    middle, kept = batch_sizes.index(size), set(good)
    first = last = middle
    while first > 0 and batch_sizes[first - 1] in kept:
        first -= 1
    while last < len(batch_sizes) - 1 and batch_sizes[last + 1] in kept:
        last += 1
    return Ends(batch_sizes[first], batch_sizes[last])


def tried_sizes(analysis: Analysis) -> list[int]:
    """Return the batch sizes that were tried, ascending."""
    return [int(size) for size in analysis.batch_sizes["batch_size"]]


def noise_near(record: TargetRecord, size: int) -> tuple[float, Ends] | None:
    """Return the noise scale with its interval, of the resolved batch size nearest to one.

    None if the noise scale is resolved at no batch size.
    """
    known = record.noise[record.noise["status"] == RESOLVED]
    if known.empty:
        return None
    nearest = int(np.abs(np.log(known["batch_size"].to_numpy() / size)).argmin())
    row = known.iloc[nearest]
    return float(row["noise_scale"]), Ends(float(row["low"]), float(row["high"]))


def unresolved(record: TargetRecord) -> str:
    """Return why a noise scale that is resolved nowhere can't say."""
    least = record.noise["low"].max()
    return f"Unresolved at every batch size: at least {least:.0f} by these seeds."


def poor(record: TargetRecord) -> str:
    """Return the weakness of a target's curve; empty if it has none."""
    return "its curve misses a batch size by more than 10%" if record.fit.poor_fit else ""


def larger(analysis: Analysis) -> list[str]:
    """Return the larger batch size that would tell more, if the data allow one."""
    largest = tried_sizes(analysis)[-1]
    return [f"a batch size beyond {largest}"] if largest < analysis.plan.train_items else []


def seeds_needed(apart: Separation, pair: str) -> str:
    """Return how many more seeds would tell two batch sizes apart."""
    if apart.more_seeds is None:
        return f"more than {MAX_SEEDS:,} seeds {pair}"
    return f"about {plural(apart.more_seeds, 'more seed')} {pair}"

"""What measurement, closed form and gradient noise scale say to each goal of a group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from reports.recommend.answer_parts import (
    NO_GRADIENTS,
    UNLEARNED,
    UNTESTED,
    larger,
    noise_near,
    poor,
    run_around,
    seeds_needed,
    tried_sizes,
    unresolved,
)
from reports.recommend.baseline import unlearned
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
from reports.recommend.time_answers import target_time, timed_accuracy
from reports.stats.bounds import Ends


def recommendations(analysis: Analysis) -> tuple[Recommendation, ...]:
    """Return the batch sizes to use, goal by goal.

    Args:
        analysis: The numbers of a group.
    """
    found = (_accuracy(analysis), target_time(analysis), timed_accuracy(analysis))
    if analysis.comparison is None or not unlearned(analysis):
        return found
    return tuple(_silent(one) for one in found)


def _silent(found: Recommendation) -> Recommendation:
    """What can be said to a goal where networks have learned nothing."""
    answers = [Answer(source=one.source, reason=UNLEARNED) for one in found.answers]
    return reconcile(found.goal, found.sought, (), answers, ["networks that learn something"])


def _accuracy(analysis: Analysis) -> Recommendation:
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
    own = "the seeds that chose the rates also judge them" if analysis.part != "test" else ""
    return Answer(
        source=MEASUREMENT,
        interval=run_around(ranked, comparison.tied, use),
        best=use,
        weakness=own,
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
    found = noise_near(main, analysis.recommended or tried[0])
    if found is None:
        return replace(silent, reason=unresolved(main))
    _, ends = found
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

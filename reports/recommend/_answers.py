"""What measurement, closed form and gradient noise scale say to each goal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reports.analysis import SECONDS, SEEDS_FOR_INTERVAL, TargetRecord
from reports.recommend.recommendation import (
    ACCURACY,
    CLOSED_FORM,
    MEASUREMENT,
    NOISE_SCALE,
    SOURCES,
    TARGET_TIME,
    TIMED_ACCURACY,
    Answer,
    Recommendation,
    reconcile,
)
from reports.recommend.record import Analysis
from reports.schema import plural, seconds, sizes
from reports.stats import (
    MAX_SEEDS,
    Comparison,
    Ends,
    Separation,
    by_seed,
    compare_with_best,
    separate,
    sizes_of,
)
from reports.stats.bounds import product_interval
from reports.stats.models import RESOLVED
from reports.stats.models.first_passage import REACHED
from reports.stats.models.optimal_batch import NEAR_MINIMUM

NO_GRADIENTS = "Gradients were not measured (`noise_examples`)."
NO_TIMES = "The timing pass has not run."
UNLEARNED = "No batch size is shown to do better than one answer for everything."
UNTESTED = "With one seed, or one batch size, nothing can be told apart."
"""Why a source can't say."""

_BUSY = "the machine was not quiet when updates were timed"
_CURVE_MISSES = "its curve misses a batch size by more than 10%"
_LINE_MISSES = "its line misses the time of an update by more than 10%"
_TIME, _TIME_QUIETLY = (
    "the timing pass (`bpsweep time`)",
    "timing on a quiet machine (`bpsweep time`)",
)
_MORE_SEEDS = "results of two or more seeds"


def recommendations(analysis: Analysis) -> tuple[Recommendation, ...]:
    """Return the batch sizes to use for accuracy, time to a target, accuracy in a given time."""
    goals = (_highest_accuracy(analysis), _target_time(analysis), _timed_accuracy(analysis))
    if analysis.comparison is None or not analysis.unlearned:
        return goals
    more = ["networks that learn something"]
    return tuple(_unanswered(goal.goal, goal.sought, UNLEARNED, more) for goal in goals)


def _unanswered(goal: str, sought: str, reason: str, more: Sequence[str] = ()) -> Recommendation:
    return reconcile(goal, sought, (), [Answer(source, reason=reason) for source in SOURCES], more)


def _highest_accuracy(analysis: Analysis) -> Recommendation:
    measured = _measured_accuracy(analysis)
    answers = (measured, _limit_of_budget(analysis), _limit_of_noise(analysis))
    sought = f"the highest {analysis.metric} for {analysis.budget}"
    more = _more_for_accuracy(analysis, measured)
    return reconcile(ACCURACY, sought, analysis.tried, answers, more)


def _measured_accuracy(analysis: Analysis) -> Answer:
    comparison = analysis.comparison
    if comparison is None:
        return Answer(MEASUREMENT, reason="No batch size has results that can be ranked.")
    if not comparison.tested:
        return Answer(MEASUREMENT, best=comparison.best, reason=UNTESTED)
    use = analysis.recommended or comparison.best
    ranked = analysis.measured["batch_size"].tolist()
    weakness = "the seeds that chose the rates also judge them" if analysis.part != "test" else ""
    interval = run_around(ranked, comparison.tied, use)
    return Answer(MEASUREMENT, interval=interval, best=use, weakness=weakness)


def _limit_of_budget(analysis: Analysis) -> Answer:
    """The batch sizes up to that whose examples to the hardest target the budget covers."""
    main, epochs, tried = analysis.scaling.main, analysis.plan.epochs, analysis.tried
    if main is None:
        return _limit(CLOSED_FORM, reason=analysis.scaling.reason)
    if epochs is None:
        return _limit(CLOSED_FORM, reason="The budget is not one of examples.")
    fit = main.fit
    if fit.min_updates_interval is None or fit.min_examples_interval is None:
        return _limit(CLOSED_FORM, reason=fit.reason)
    spare = epochs * analysis.plan.train_items - fit.min_examples_interval.low
    updates = fit.min_updates_interval.low
    largest = spare / updates if updates > 0 else math.inf
    if largest < tried[0]:
        return _limit(CLOSED_FORM, reason="By the fit, no batch size reaches the target.")
    interval = Ends(tried[0], min(largest, tried[-1]))
    return _limit(CLOSED_FORM, interval=interval, weakness=_CURVE_MISSES if fit.poor_fit else "")


def _limit_of_noise(analysis: Analysis) -> Answer:
    """The batch sizes up to the noise scale: they need at most twice the fewest examples."""
    main, tried = analysis.scaling.main, analysis.tried
    if main is None or main.noise.empty:
        return _limit(NOISE_SCALE, reason=NO_GRADIENTS)
    scale = _noise_near(main, analysis.recommended or tried[0])
    if scale is None:
        return _limit(NOISE_SCALE, reason=_unresolved(main))
    largest = min(max(scale[1].high, tried[0]), tried[-1])
    return _limit(NOISE_SCALE, interval=Ends(tried[0], largest))


def _limit(
    source: str, *, interval: Ends | None = None, reason: str = "", weakness: str = ""
) -> Answer:
    return Answer(source, interval=interval, reason=reason, weakness=weakness, only_limits=True)


def _more_for_accuracy(analysis: Analysis, measured: Answer) -> list[str]:
    comparison = analysis.comparison
    texts = []
    if measured.interval is None:
        texts.append(_MORE_SEEDS)
    elif comparison is not None and len(comparison.tied) > 1:
        texts.append(_seeds_to_separate(analysis))
    texts += _larger(analysis, measured)
    if analysis.timed.empty:
        texts.append(_TIME)
    return [text for text in texts if text]


def _seeds_to_separate(analysis: Analysis) -> str:
    gap, comparison = analysis.separation, analysis.comparison
    if gap is None or comparison is None or gap.difference.mean >= 0:
        return ""
    return seeds_needed(gap, f"to tell batch size {analysis.rival} from {comparison.best}")


def _target_time(analysis: Analysis) -> Recommendation:
    record = _target(analysis)
    if record is None:
        reason = analysis.scaling.reason
        return _unanswered(TARGET_TIME, "the shortest time to a target", reason)
    times = _log_seconds(analysis, record.crossings)
    measured = _measured_time(analysis, record, times)
    answers = (measured, _closed_time(analysis, record), _noise_time(analysis, record))
    measure = analysis.measure
    level = measure.text(record.target.level)
    sought = f"the shortest time to a validation {measure.name} of {level} with every seed"
    more = _more_for_time(analysis, record, times, measured)
    return reconcile(TARGET_TIME, sought, analysis.tried, answers, more)


def _target(analysis: Analysis) -> TargetRecord | None:
    """The hardest target that two batch sizes reach with every seed, or else the easiest."""
    targets = analysis.scaling.targets
    reached = [record for record in targets if len(_whole(record.crossings)) > 1]
    return (reached[-1] if reached else targets[0]) if targets else None


def _whole(crossings: pd.DataFrame) -> list[int]:
    """Batch sizes all of whose runs reach the target."""
    sizes = crossings["batch_size"].to_numpy()
    missed = (crossings["outcome"] != REACHED).to_numpy(bool)
    return sorted({*sizes.tolist()} - {*sizes[missed].tolist()})


def _log_seconds(analysis: Analysis, crossings: pd.DataFrame) -> pd.DataFrame:
    """Logarithm of the seconds to a target: rows are seeds, columns timed sizes of `_whole`."""
    timed = analysis.alone.set_index("batch_size")["seconds_per_update"]
    kept = crossings[crossings["batch_size"].isin([s for s in _whole(crossings) if s in timed])]
    log_seconds = np.log(kept["updates"] * kept["batch_size"].map(timed))
    return by_seed(kept.assign(log_seconds=log_seconds), "log_seconds")


def _measured_time(analysis: Analysis, record: TargetRecord, times: pd.DataFrame) -> Answer:
    if analysis.timed.empty:
        return Answer(MEASUREMENT, reason=NO_TIMES)
    if times.empty:
        return Answer(MEASUREMENT, reason="No batch size reaches the target with every seed.")
    means = dict(zip(sizes_of(times), times.mean().tolist(), strict=True))
    fastest = min(means, key=means.__getitem__)
    comparison = _compare_times(analysis, record, times)
    if not comparison.tested:
        return Answer(MEASUREMENT, best=fastest, reason=UNTESTED)
    near = [s for s, mean in means.items() if mean <= means[fastest] + math.log(NEAR_MINIMUM)]
    interval = run_around([*means], {*comparison.tied, *near}, fastest)
    weakness = _weak_times(analysis, len(times))
    return Answer(MEASUREMENT, interval=interval, best=fastest, weakness=weakness)


def _compare_times(analysis: Analysis, record: TargetRecord, times: pd.DataFrame) -> Comparison:
    """Compare with the batch size that the tuning seeds find fastest, if others are measured."""
    if not analysis.scaling.fresh:
        return compare_with_best(-times)
    before = _log_seconds(analysis, record.tuning).mean()
    known = before[before.index.isin(times.columns)]
    order = known.sort_values(kind="stable").index.tolist()
    return compare_with_best(-times, int(order[0]) if order else None)


def _weak_times(analysis: Analysis, seeds: int) -> str:
    few = f"there are only {plural(seeds, 'seed')}" if seeds < SEEDS_FOR_INTERVAL else ""
    return _all_of(few, _BUSY if _disturbed(analysis) else "")


def _all_of(*weaknesses: str) -> str:
    return " and ".join(filter(None, weaknesses))


def _disturbed(analysis: Analysis) -> bool:
    return bool((analysis.alone["contended"] | analysis.alone["unsteady"]).any())


def _closed_time(analysis: Analysis, record: TargetRecord) -> Answer:
    best = record.best
    if best.interval is None or best.near is None:
        return Answer(CLOSED_FORM, reason=best.reason)
    low, high = min(best.interval.low, best.near.low), max(best.interval.high, best.near.high)
    weakness = _all_of(
        _CURVE_MISSES if record.fit.poor_fit else "",
        _LINE_MISSES if analysis.scaling.update_time.poor_fit else "",
        _BUSY if _disturbed(analysis) else "",
    )
    return Answer(CLOSED_FORM, interval=Ends(low, high), best=best.batch_size, weakness=weakness)


def _noise_time(analysis: Analysis, record: TargetRecord) -> Answer:
    """`sqrt(B_noise alpha / beta)`: the noise scale in place of the critical batch size."""
    time, tried = analysis.scaling.update_time, analysis.tried
    if record.noise.empty:
        return Answer(NOISE_SCALE, reason=NO_GRADIENTS)
    if time.doubling_batch_size is None or time.doubling_batch_size_interval is None:
        return Answer(NOISE_SCALE, reason=time.reason)
    noise = _noise_near(record, record.fastest or tried[0])
    if noise is None:
        return Answer(NOISE_SCALE, reason=_unresolved(record))
    scale, ends = noise
    factors = (scale, time.doubling_batch_size)
    squared = product_interval(factors, (ends, time.doubling_batch_size_interval))
    low, high, best = (
        min(max(math.sqrt(square), tried[0]), tried[-1])
        for square in (*squared, math.prod(factors))
    )
    return Answer(NOISE_SCALE, interval=Ends(low, high), best=best)


def _more_for_time(
    analysis: Analysis, record: TargetRecord, times: pd.DataFrame, measured: Answer
) -> list[str]:
    texts = []
    if analysis.timed.empty:
        texts.append(_TIME)
    elif _disturbed(analysis):
        texts.append(_TIME_QUIETLY)
    if measured.interval is None and measured.best is not None:
        texts.append(_MORE_SEEDS)
    elif measured.several:
        texts.append(_seeds_for_time(times))
    missed = sorted({*record.crossings["batch_size"]} - {*_whole(record.crossings)})
    if missed:
        texts.append(f"a lower target or a larger budget for batch {sizes(missed)}")
    texts += _larger(analysis, measured)
    if record.left_out:
        texts.append(f"learning rates beyond those tried at batch {sizes(record.left_out)}")
    return [text for text in texts if text]


def _seeds_for_time(times: pd.DataFrame) -> str:
    """Seeds that would separate the two fastest, if they aren't separated yet."""
    order = times.mean().sort_values(kind="stable").index.tolist()
    if len(order) == 1:
        return ""
    first, second = int(order[0]), int(order[1])
    compared = compare_with_best(-times[[first, second]])
    gap = separate(-times, first, second, compared.tail)
    if gap is None or len(compared.tied) == 1:
        return ""
    return seeds_needed(gap, f"to tell batch size {second} from {first}")


def _timed_accuracy(analysis: Analysis) -> Recommendation:
    table = analysis.budgets
    rows = table[(table["rule"] == SECONDS) & table["common"]]
    if rows.empty:
        reason = NO_TIMES if analysis.timed.empty else "Too few tuning seeds or batch sizes ended."
        return _unanswered(TIMED_ACCURACY, "the best metric in a given time", reason)
    budget = float(rows["budget"].iloc[0])
    measured = _measured_in_time(analysis, rows)
    answers = (measured, *_fitted_in_time(analysis, budget))
    sought = f"the highest validation {analysis.measure.name} within {seconds(budget)}"
    more = [
        _TIME_QUIETLY if _disturbed(analysis) else "",
        "more tuning seeds" if measured.several else "",
        *_larger(analysis, measured),
    ]
    return reconcile(TIMED_ACCURACY, sought, analysis.tried, answers, filter(None, more))


def _fitted_in_time(analysis: Analysis, budget: float) -> tuple[Answer, Answer]:
    """What the fits say of the hardest target that they let any batch size reach in that time."""
    for record in reversed(analysis.scaling.targets):
        if record.best.seconds is not None and record.best.seconds <= budget:
            return _closed_time(analysis, record), _noise_time(analysis, record)
    late = "By the closed form, no batch size reaches a target in that time."
    return Answer(CLOSED_FORM, reason=late), Answer(NOISE_SCALE, reason=late)


def _measured_in_time(analysis: Analysis, rows: pd.DataFrame) -> Answer:
    known = rows.dropna(subset="metric")
    best = int(known.loc[known["best"], "batch_size"].iloc[0])
    tied = {*known.loc[known["tied"], "batch_size"], best}
    interval = run_around(known["batch_size"].tolist(), tied, best)
    weakness = _weak_times(analysis, int(known["seeds"].min()))
    return Answer(MEASUREMENT, interval=interval, best=best, weakness=weakness)


def run_around(batch_sizes: Sequence[int], good: Iterable[int], size: int) -> Ends:
    """Return the ends of the batch sizes around one that are good without a gap."""
    middle, kept = batch_sizes.index(size), set(good)
    first = last = middle
    while first > 0 and batch_sizes[first - 1] in kept:
        first -= 1
    while last < len(batch_sizes) - 1 and batch_sizes[last + 1] in kept:
        last += 1
    return Ends(batch_sizes[first], batch_sizes[last])


def _noise_near(record: TargetRecord, size: int) -> tuple[float, Ends] | None:
    """The noise scale with its interval, of the batch size nearest to one that resolves it."""
    known = record.noise[record.noise["status"] == RESOLVED]
    if known.empty:
        return None
    nearest = int(np.abs(np.log(known["batch_size"].to_numpy() / size)).argmin())
    row = known.iloc[nearest]
    return float(row["noise_scale"]), Ends(float(row["low"]), float(row["high"]))


def _unresolved(record: TargetRecord) -> str:
    least = record.noise["low"].max()
    return f"Unresolved at every batch size: at least {least:.0f} by these seeds."


def _larger(analysis: Analysis, measured: Answer) -> list[str]:
    """The larger batch size that would tell more, if the largest is among the best."""
    largest = analysis.tried[-1]
    at_end = measured.interval is not None and measured.interval.high == largest
    return (
        [f"a batch size beyond {largest}"] if at_end and largest < analysis.plan.train_items else []
    )


def seeds_needed(gap: Separation, pair: str) -> str:
    """Return how many more seeds would separate two batch sizes."""
    if gap.more_seeds is None:
        return f"more than {MAX_SEEDS:,} seeds {pair}"
    return f"about {plural(gap.more_seeds, 'more seed')} {pair}"

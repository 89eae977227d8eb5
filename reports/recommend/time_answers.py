"""What the three sources say to the goals in time: to a target, and in a given time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.analysis.batch_sizes import SEEDS_FOR_INTERVAL
from reports.analysis.equal_budgets import SECONDS
from reports.analysis.scaling_record import TargetRecord
from reports.recommend.answers import (
    NO_GRADIENTS,
    NO_TIMES,
    UNTESTED,
    larger,
    noise_near,
    poor,
    run_around,
    seeds_needed,
    tried_sizes,
    unresolved,
)
from reports.recommend.recommendation import (
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
from reports.schema.formats import plural, seconds, sizes
from reports.stats.bounds import Ends, product_interval
from reports.stats.differences import by_seed, sizes_of
from reports.stats.intervals import Comparison, compare_with_best
from reports.stats.models.first_passage import REACHED
from reports.stats.models.optimal_batch import NEAR_MINIMUM
from reports.stats.power import separate

_BUSY = "the machine was not quiet when updates were timed"


def target_time(analysis: Analysis) -> Recommendation:
    """Return the batch sizes for the shortest time to a target."""
    tried, name = tried_sizes(analysis), analysis.measure.name
    record = _target(analysis)
    if record is None:
        reason = analysis.scaling.reason
        silent = [Answer(source=source, reason=reason) for source in SOURCES]
        return reconcile(TARGET_TIME, "the shortest time to a target", tried, silent)
    times = _log_seconds(analysis, record.crossings)
    measured = _measured_time(analysis, record, times)
    answers = (measured, _closed_time(analysis, record), _noise_time(analysis, record))
    level = analysis.measure.text(record.target.level)
    sought = f"the shortest time to a validation {name} of {level} with every seed"
    more = _more_for_time(analysis, record, times, measured)
    return reconcile(TARGET_TIME, sought, tried, answers, more)


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
    """Return the logarithm of the seconds to a target: rows are seeds, columns batch sizes.

    There is a column for each batch size that was timed and reached the target with every seed.
    """
    timed = analysis.alone.set_index("batch_size")["seconds_per_update"]
    kept = crossings[crossings["batch_size"].isin([s for s in _whole(crossings) if s in timed])]
    log_seconds = np.log(kept["updates"] * kept["batch_size"].map(timed))
    return by_seed(kept.assign(log_seconds=log_seconds), "log_seconds")


def _measured_time(analysis: Analysis, record: TargetRecord, times: pd.DataFrame) -> Answer:
    silent = Answer(source=MEASUREMENT)
    if analysis.timed.empty:
        return replace(silent, reason=NO_TIMES)
    if times.empty:
        return replace(silent, reason="No batch size reaches the target with every seed.")
    means = dict(zip(sizes_of(times), times.mean().tolist(), strict=True))
    fastest = min(means, key=means.__getitem__)
    comparison = _compare_times(analysis, record, times)
    if not comparison.tested:
        return replace(silent, best=fastest, reason=UNTESTED)
    near = [s for s, mean in means.items() if mean <= means[fastest] + math.log(NEAR_MINIMUM)]
    return replace(
        silent,
        interval=run_around([*means], {*comparison.tied, *near}, fastest),
        best=fastest,
        weakness=_weak_times(analysis, len(times)),
    )


def _compare_times(analysis: Analysis, record: TargetRecord, times: pd.DataFrame) -> Comparison:
    """Compare with the batch size that the tuning seeds find fastest, if others are measured."""
    if not analysis.scaling.fresh:
        return compare_with_best(-times)
    before = _log_seconds(analysis, record.tuning).mean()
    known = before[before.index.isin(times.columns)]
    order = known.sort_values(kind="stable").index.tolist()
    return compare_with_best(-times, int(order[0]) if order else None)


def _weak_times(analysis: Analysis, seeds: int) -> str:
    texts = []
    if seeds < SEEDS_FOR_INTERVAL:
        texts.append(f"there are only {plural(seeds, 'seed')}")
    if _disturbed(analysis):
        texts.append(_BUSY)
    return " and ".join(texts)


def _disturbed(analysis: Analysis) -> bool:
    return bool((analysis.alone["contended"] | analysis.alone["unsteady"]).any())


def _closed_time(analysis: Analysis, record: TargetRecord) -> Answer:
    best, time = record.best, analysis.scaling.update_time
    if best.interval is None or best.near is None:
        return Answer(source=CLOSED_FORM, reason=best.reason)
    low, high = min(best.interval.low, best.near.low), max(best.interval.high, best.near.high)
    texts = (
        poor(record),
        "its line misses the time of an update by more than 10%" if time.poor_fit else "",
        _BUSY if _disturbed(analysis) else "",
    )
    return Answer(
        source=CLOSED_FORM,
        interval=Ends(low, high),
        best=best.batch_size,
        weakness=" and ".join(text for text in texts if text),
    )


def _noise_time(analysis: Analysis, record: TargetRecord) -> Answer:
    """`sqrt(B_noise alpha / beta)`: the noise scale in place of the critical batch size."""
    silent, time = Answer(source=NOISE_SCALE), analysis.scaling.update_time
    if record.noise.empty:
        return replace(silent, reason=NO_GRADIENTS)
    if time.doubling_batch_size is None or time.doubling_batch_size_interval is None:
        return replace(silent, reason=time.reason)
    tried = tried_sizes(analysis)
    noise = noise_near(record, record.fastest or tried[0])
    if noise is None:
        return replace(silent, reason=unresolved(record))
    scale, ends = noise
    factors = (scale, time.doubling_batch_size)
    squared = product_interval(factors, (ends, time.doubling_batch_size_interval))
    inside = [min(max(math.sqrt(end), tried[0]), tried[-1]) for end in squared]
    best = min(max(math.sqrt(math.prod(factors)), tried[0]), tried[-1])
    return replace(silent, interval=Ends(*inside), best=best)


def _more_for_time(
    analysis: Analysis, record: TargetRecord, times: pd.DataFrame, measured: Answer
) -> list[str]:
    texts = []
    if analysis.timed.empty:
        texts.append("the timing pass (`bpsweep time`)")
    elif _disturbed(analysis):
        texts.append("timing on a quiet machine (`bpsweep time`)")
    if measured.interval is None and measured.best is not None:
        texts.append("results of two or more seeds")
    elif measured.interval is not None and measured.interval.low < measured.interval.high:
        texts.append(_seeds_for_time(times))
    missed = sorted({*record.crossings["batch_size"]} - {*_whole(record.crossings)})
    if missed:
        texts.append(f"a lower target or a larger budget for batch {sizes(missed)}")
    if measured.interval is not None and measured.interval.high == tried_sizes(analysis)[-1]:
        texts += larger(analysis)
    if record.left_out:
        texts.append(f"learning rates beyond those tried at batch {sizes(record.left_out)}")
    return [text for text in texts if text]


def _seeds_for_time(times: pd.DataFrame) -> str:
    """Seeds that would tell the two fastest apart, if they aren't."""
    order = times.mean().sort_values(kind="stable").index.tolist()
    if len(order) == 1:
        return ""
    first, second = int(order[0]), int(order[1])
    compared = compare_with_best(-times[[first, second]])
    apart = separate(-times, first, second, compared.tail)
    if apart is None or len(compared.tied) == 1:
        return ""
    return seeds_needed(apart, f"to tell batch size {second} from {first}")


def timed_accuracy(analysis: Analysis) -> Recommendation:
    """Return the batch sizes for the highest metric in a given time."""
    tried, name = tried_sizes(analysis), analysis.measure.name
    table = analysis.budgets
    rows = table[(table["rule"] == SECONDS) & table["common"]]
    if rows.empty:
        reason = NO_TIMES if analysis.timed.empty else "Too few tuning seeds or batch sizes ended."
        silent = [Answer(source=source, reason=reason) for source in SOURCES]
        return reconcile(TIMED_ACCURACY, "the best metric in a given time", tried, silent)
    budget = float(rows["budget"].iloc[0])
    within = _reached_within(analysis, budget)
    late = "By the closed form, no batch size reaches a target in that time."
    measured = _measured_in_time(analysis, rows)
    answers = (
        measured,
        _closed_time(analysis, within) if within else Answer(source=CLOSED_FORM, reason=late),
        _noise_time(analysis, within) if within else Answer(source=NOISE_SCALE, reason=late),
    )
    sought = f"the highest validation {name} within {seconds(budget)}"
    return reconcile(TIMED_ACCURACY, sought, tried, answers, _more_in_time(analysis, measured))


def _reached_within(analysis: Analysis, budget: float) -> TargetRecord | None:
    """The hardest target that can be reached in that time by the closed form."""
    reached = [
        record
        for record in analysis.scaling.targets
        if record.best.seconds is not None and record.best.seconds <= budget
    ]
    return reached[-1] if reached else None


def _measured_in_time(analysis: Analysis, rows: pd.DataFrame) -> Answer:
    known = rows.dropna(subset="metric")
    best = int(known.loc[known["best"], "batch_size"].iloc[0])
    ranked, tied = (
        [int(size) for size in table["batch_size"]] for table in (known, known[known["tied"]])
    )
    return Answer(
        source=MEASUREMENT,
        interval=run_around(ranked, {*tied, best}, best),
        best=best,
        weakness=_weak_times(analysis, int(known["seeds"].min())),
    )


def _more_in_time(analysis: Analysis, measured: Answer) -> list[str]:
    ends = measured.interval
    texts = ["timing on a quiet machine (`bpsweep time`)"] if _disturbed(analysis) else []
    if ends and ends.low < ends.high:
        texts.append("more tuning seeds")
    return texts + (larger(analysis) if ends and ends.high == tried_sizes(analysis)[-1] else [])

"""How the batch size to use is chosen: for the best metric, and for the time to a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.analysis import TargetRecord
from reports.analysis.target_rates import reaching
from reports.recommend.answer import ACCURACY, FITTED, NOISE_SCALE, TARGET_TIME, Answer, Estimate
from reports.recommend.record import Analysis
from reports.schema import FEWEST_TO_SHOW
from reports.schema.measures import step_of
from reports.stats import Ends, by_seed
from reports.stats.bounds import product_interval
from reports.stats.models import RESOLVED
from reports.stats.non_inferiority import (
    UNDECIDED,
    Shortfall,
    compare_in_order,
    seeds_to_show,
)

TIME_MARGIN = 0.1
"""Share of a time by which a near-optimal batch size may be slower to a target."""
MOST_SEEDS = 1_000
"""Numbers of seeds beyond this are not worth naming."""


def metric_answer(analysis: Analysis) -> Answer:
    """Return the fastest batch size that is shown to have nearly the best metric.

    From the reference on, faster sizes are tested one after the other, until one fails.
    """
    answer = Answer(
        goal=ACCURACY,
        sought=f"the {analysis.measure.best} {analysis.metric} for {analysis.budget}",
        margin=analysis.margin,
        reference=analysis.reference,
    )
    reason = _unanswerable(analysis)
    if reason or answer.reference is None:
        return replace(answer, reason=reason)
    values = by_seed(analysis.judged, "metric")
    compared = compare_in_order(
        values,
        _faster(analysis),
        answer.margin,
        step_of(analysis.plan.metric, analysis.items),
        pilot=analysis.study.confirmation_seeds,
    )
    return _with_rate(_decided(answer, compared), analysis)


def _unanswerable(analysis: Analysis) -> str:
    """Why no batch size can be shown to have nearly the best metric; "" if one may."""
    if analysis.reference is None:
        return "No batch size has a result for every seed."
    if analysis.unlearned:
        return "No batch size is shown to do better than one answer for everything."
    seeds = analysis.judged["seed"].nunique() if analysis.part == "test" else 0
    return _too_few(seeds, "near-optimal")


def _too_few(seeds: int, what: str) -> str:
    if seeds >= FEWEST_TO_SHOW:
        return ""
    return f"It takes {FEWEST_TO_SHOW} fresh seeds to show that a size is {what}; {seeds} have run."


def _faster(analysis: Analysis) -> list[int]:
    """The reference, then faster batch sizes in the order in which they are tested.

    Nearest in batch size first: how well networks do changes with it gradually. A size that is no
    faster than a nearer one is left out, as nobody would use it.
    """
    reference, table = analysis.best, analysis.measured.set_index("batch_size")
    costs = table["seconds_to_train"]
    if costs.isna().any():
        # Larger batches take fewer updates.
        return [reference, *sorted(int(size) for size in table.index if size > reference)]
    order, fastest = [reference], float(costs[reference])
    for size in sorted(map(int, table.index), key=lambda size: abs(math.log(size / reference))):
        if costs[size] < fastest:
            order.append(size)
            fastest = float(costs[size])
    return order


def _decided(answer: Answer, compared: Sequence[Shortfall]) -> Answer:
    """Name the last of the sequence, and what would decide on the next."""
    last = [each.batch_size for each in compared if each.shown][-1]
    decided = replace(answer, compared=tuple(compared), batch_size=last)
    following = decided.next
    if following is None or following.verdict != UNDECIDED or math.isnan(following.spread):
        return decided
    distance = abs(answer.margin - following.mean)
    needed = seeds_to_show(following.spread, distance, MOST_SEEDS) - following.seeds
    return replace(
        decided, more_seeds=needed if 0 < needed < MOST_SEEDS - following.seeds else None
    )


def _with_rate(answer: Answer, analysis: Analysis) -> Answer:
    rate = analysis.row(answer.batch_size or 0)["learning_rate"]
    return replace(answer, learning_rate=float(rate))


def target_answer(analysis: Analysis) -> Answer:
    """Return the batch size that reaches the hardest target soonest.

    It is the fastest on the tuning seeds; the others are compared with it in the order of their
    times there.
    """
    record = analysis.scaling.main
    answer = Answer(
        goal=TARGET_TIME, sought="the shortest time to a target", margin=math.log1p(TIME_MARGIN)
    )
    if record is None:
        return replace(answer, reason=analysis.scaling.reason)
    measure = analysis.target_measure
    part = "" if analysis.study.finished else "validation "
    answer = replace(
        answer,
        sought=f"the shortest time to a {part}{measure.name} of "
        f"{measure.text(record.target.level)}",
        estimates=(_fitted_time(analysis, record), _noise_time(analysis, record)),
    )
    if analysis.timed.empty:
        return replace(answer, reason="Update times have not been measured.")
    times, before = (log_seconds(analysis, rows) for rows in (record.crossings, record.tuning))
    order = [size for size in before.mean().sort_values(kind="stable").index if size in times]
    if not order:
        return replace(answer, reason="No batch size reaches the target with every seed.")
    answer = replace(answer, reference=int(order[0]))
    reason = _too_few(len(times) if analysis.scaling.fresh else 0, "fastest")
    if reason:
        return replace(answer, reason=reason)
    compared = compare_in_order(-times, [int(size) for size in order], answer.margin)
    decided = _decided(answer, compared)
    return _with_rate(replace(decided, batch_size=answer.reference), analysis)


def log_seconds(analysis: Analysis, crossings: pd.DataFrame) -> pd.DataFrame:
    """Return the logarithm of the seconds to a target: rows are seeds, columns timed sizes.

    Only sizes whose seeds all reach it have a column.
    """
    alone = analysis.alone
    timed = dict(zip(alone["batch_size"].tolist(), alone["seconds_per_update"], strict=True))
    whole = [size for size in reaching(crossings) if size in timed]
    table = by_seed(crossings[crossings["batch_size"].isin(whole)], "updates")
    table[whole] = np.log(table * np.array([timed[size] for size in whole]))
    return table


def _fitted_time(analysis: Analysis, record: TargetRecord) -> Estimate:
    best = record.best
    if best.interval is None or best.near is None:
        return Estimate(FITTED, reason=best.reason)
    low, high = min(best.interval.low, best.near.low), max(best.interval.high, best.near.high)
    misses = (
        ("its curve misses a batch size", record.fit),
        ("its line misses the time of an update", analysis.scaling.update_time),
    )
    weakness = " and ".join(f"{what} by more than 10%" for what, fit in misses if fit.poor_fit)
    return Estimate(FITTED, Ends(low, high), best.batch_size, weakness=weakness)


def _noise_time(analysis: Analysis, record: TargetRecord) -> Estimate:
    """`sqrt(B_noise alpha / beta)`: the noise scale in place of the critical batch size."""
    time, tried = analysis.scaling.update_time, analysis.tried
    if record.noise.empty:
        how = "gradient_norms" if analysis.plan.trainer else "noise_examples"
        return Estimate(NOISE_SCALE, reason=f"Gradients were not measured (`{how}`).")
    if time.doubling_batch_size is None or time.doubling_batch_size_interval is None:
        return Estimate(NOISE_SCALE, reason=time.reason)
    known = record.noise[record.noise["status"] == RESOLVED]
    if known.empty:
        least = record.noise["low"].max()
        reason = f"Unresolved at every batch size: at least {least:.0f} by these seeds."
        return Estimate(NOISE_SCALE, reason=reason)
    # Of the batch size that resolves it and is nearest to the fastest.
    away = np.abs(np.log(known["batch_size"].to_numpy() / (record.fastest or tried[0])))
    scale, *ends = known[["noise_scale", "low", "high"]].iloc[int(away.argmin())].tolist()
    factors = (scale, time.doubling_batch_size)
    squared = product_interval(factors, (Ends(*ends), time.doubling_batch_size_interval))
    low, high, best = (
        min(max(math.sqrt(square), tried[0]), tried[-1])
        for square in (*squared, math.prod(factors))
    )
    return Estimate(NOISE_SCALE, Ends(low, high), best)

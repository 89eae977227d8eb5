"""What a study holds that bears on the paper's claims: groups become samples, claim by claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.analysis import PER_ITEM, TENSOR, without_noise
from reports.claims._values import GroupValues, cross_fitted, trend
from reports.claims.evidence import DIFFERENCE, RATIO, SHARE, Kind, Sample
from reports.schema import TUNING_STAGES, GroupDescription, has_value
from reports.stats import by_seed, sizes_of
from reports.stats.models import NOT_REACHED

MARGIN = 0.01  # differences of a metric below this are too small to count: a point of accuracy
SAME_LOSS = 1e-4
"""Relative difference of the loss up to which two trainings have the same result: float32 carries
seven digits, and thousands of updates multiply what another order of sums makes of the last one."""
VASTLY = 10.0  # how many times as fast is vastly more efficient
NEAR_BEST = 1.15  # times to target up to this multiple of the shortest are as good as it
USUAL = (16, 64)  # batch sizes that the paper calls the most common

PLAIN = ("sgd", "momentum", "nesterov")  # whose step is proportional to the gradient
ADAPTIVE = ("adagrad", "adam")  # that the paper names as a remedy

_FALLS = Kind(DIFFERENCE, 0.0, -MARGIN, below=True)
_SHOWN_FALLS = replace(_FALLS, shown=True)
_HIGHER = Kind(DIFFERENCE, 0.0, MARGIN)
_SHOWN_HIGHER = replace(_HIGHER, shown=True)
_FASTER = Kind(RATIO, 0.0, timed=True)
_SAME_LOSS = Kind(SHARE, math.log(SAME_LOSS), below=True)
_SLOWER = Kind(RATIO, math.log(NEAR_BEST))

KINDS = {
    "tensor": _FASTER,
    "one item": _FASTER,
    "added gradients": _SAME_LOSS,
    "local updates": _SAME_LOSS,
    "tuned rate": _SHOWN_FALLS,
    "kept rate, sum": _FALLS,
    "kept rate, mean": _FALLS,
    "equal updates": _FALLS,
    "equal time": _FALLS,
    "mitigation": _SHOWN_HIGHER,
    "own fall": _SHOWN_FALLS,
    "mitigation, kept rate, sum": _HIGHER,
    "mitigation, kept rate, mean": _HIGHER,
    "16 to 64": _SHOWN_HIGHER,
    "speed": replace(_FASTER, bound=math.log(VASTLY)),
    "accuracy": Kind(DIFFERENCE, -MARGIN, shown=True),
    "measured": _SLOWER,
    "closed form": _SLOWER,
}
"""Every kind of comparison, by name."""

Groups = Sequence[GroupValues]


def tensor(groups: Groups) -> Iterator[Sample]:
    """C1: seconds of an update one item at a time, by those of tensor operations."""
    seen: set[tuple[float, ...]] = set()
    for group in groups:
        times = group.round_seconds
        if not {TENSOR, PER_ITEM} <= times.keys() or not _usual(group.plan):
            continue
        # Groups that differ in nothing that costs time share their measurements.
        measured = tuple(times[TENSOR].to_numpy().ravel())
        if measured in seen:
            continue
        seen.add(measured)
        gain = (times[PER_ITEM] / times[TENSOR]).dropna(axis="columns").map(math.log)
        several = [size for size in sizes_of(gain) if size > 1]
        for kind, gains in (("tensor", gain[several]), ("one item", gain.drop(columns=several))):
            values = gains.mean(axis="columns").dropna()
            yield from sample_of(kind, [group], values, "equal batches")


def shards(groups: Groups) -> Iterator[Sample]:
    """C2: how far the loss of networks trained on shards is from that of whole batches.

    Of a seed's trials the median: at rates that are too large rounding decides where one ends.
    """
    whole = {_twin(group.plan): group for group in groups if group.plan.shards == 1}
    for group in groups:
        other = whole.get(_twin(group.plan))
        if group.plan.shards == 1 or other is None:
            continue
        gap = _losses(group).sub(_losses(other)).abs().div(_losses(other)).dropna()
        # Seeds are compared at the rates that all of them can be trained with.
        seeds = gap.groupby(["batch_size", "learning_rate"]).transform("size")
        gap = gap[seeds == len(group.analysis.study.seeds)]
        median = gap.groupby("seed").median().clip(lower=np.finfo(np.float64).eps)
        kind = "added gradients" if group.plan.local_updates == 1 else "local updates"
        yield from sample_of(kind, [group, other], median.map(math.log))


def _losses(group: GroupValues) -> pd.Series[float]:
    trials = group.analysis.results.trials
    ok = trials[has_value(trials, "validation") & trials["stage"].isin(TUNING_STAGES)]
    return ok.set_index(["batch_size", "learning_rate", "seed"])["validation_loss"]


def _twin(plan: GroupDescription) -> tuple[object, ...]:
    """What two groups that differ in their shards alone have in common."""
    return (*_setting(plan), plan.optimizer, tuple(sorted(plan.hyperparameters.items())))


def _setting(plan: GroupDescription) -> tuple[object, ...]:
    """What groups that differ in optimizer and shards alone have in common."""
    return (
        *(plan.fingerprint, plan.hidden_layers, plan.activation, plan.output, plan.loss),
        *(plan.reduction, plan.schedule, plan.rate_rule, plan.memory_reference, plan.budget),
        plan.train_items,
    )


def falls(groups: Groups) -> Iterator[Sample]:
    """C3: how the metric of plain optimizers changes from the smallest to the largest batch."""
    for group in groups:
        if not _usual(group.plan, PLAIN):
            continue
        made = group.updates_made
        yield from _change("tuned rate", group, group.tuned)
        yield from _change(f"kept rate, {group.plan.reduction}", group, group.kept)
        if len({*made.values()}) > 1:
            fewest = min(made.values())
            values = cross_fitted(group.explored_at(dict.fromkeys(made, fewest)))
            yield from _change("equal updates", group, values, f"equal updates: {fewest:,}")
        if group.updates_in_equal_time:
            values = cross_fitted(group.explored_at(group.updates_in_equal_time))
            yield from _change("equal time", group, values, "equal time: the shortest training")


def _change(
    kind: str, group: GroupValues, values: pd.DataFrame, budget: str = ""
) -> Iterator[Sample]:
    """Batch sizes without a value for every seed are in no table: say between which it is."""
    ends = sizes_of(values)
    for sample in sample_of(kind, [group], trend(values), budget):
        yield replace(sample, ends=(ends[0], ends[-1]))


def remedies(groups: Groups) -> Iterator[Sample]:
    """C4: how much less adaptive optimizers fall than plain descent, and how much they fall."""
    plain = {_setting(a.plan): a for a in groups if _usual(a.plan, ("sgd",))}
    for group in groups:
        base = plain.get(_setting(group.plan))
        if not _usual(group.plan, ADAPTIVE) or base is None:
            continue
        both = [group, base]
        budget = f"{_equal_budget(group)}; {_effort(both)}"
        yield from sample_of("mitigation", both, _less(group.tuned, base.tuned), budget)
        yield from _change("own fall", group, group.tuned)
        kind = f"mitigation, kept rate, {group.plan.reduction}"
        yield from sample_of(kind, both, _less(group.kept, base.kept))


def _less(adaptive: pd.DataFrame, plain: pd.DataFrame) -> pd.Series[float]:
    common = adaptive.columns.intersection(plain.columns)
    return (trend(adaptive[common]) - trend(plain[common])).dropna()


def _effort(groups: Groups) -> str:
    """How many learning rates each was tuned with, at the batch size with the most of them."""
    rates, other = (int(group.analysis.batch_sizes["tried_rates"].max()) for group in groups)
    return f"{rates} rates each" if rates == other else f"{rates} rates against {other}"


def usual_sizes(groups: Groups) -> Iterator[Sample]:
    """C5: the best batch size from 16 to 64 against the best of all others, on fresh seeds."""
    for group in confirmed(groups):
        values = group.tuned
        inside = [size for size in sizes_of(values) if USUAL[0] <= size <= USUAL[1]]
        outside = [size for size in sizes_of(values) if size not in inside]
        if inside and outside:
            better = values[_best(group, inside)] - values[_best(group, outside)]
            yield from sample_of("16 to 64", [group], better.dropna())


def _best(group: GroupValues, sizes: list[int]) -> int:
    """Best of some batch sizes on the validation part; the smallest of equal ones."""
    return sizes[int(_validation(group, sizes).argmax())]


def _validation(group: GroupValues, sizes: list[int]) -> pd.Series[float]:
    metric = group.analysis.batch_sizes.set_index("batch_size")["validation_metric"]
    return without_noise(metric.loc[sizes])


def splitting(groups: Groups) -> Iterator[Sample]:
    """C6: the fastest batch size that holds its accuracy on validation, against the smallest."""
    for group in confirmed(groups):
        values, times = group.tuned, _training_seconds(group)
        sizes = [size for size in sizes_of(values) if size in sizes_of(times)]
        if len(sizes) > 1:
            small, use = sizes[0], _fastest_as_good(group, sizes, times)
            gain = (times[small] / times[use]).dropna().map(math.log)
            yield from sample_of("speed", [group], gain)
            yield from sample_of("accuracy", [group], (values[use] - values[small]).dropna())


def _fastest_as_good(group: GroupValues, sizes: list[int], times: pd.DataFrame) -> int:
    smallest, *others = sizes
    metric = _validation(group, sizes)
    good = [size for size in others if metric[size] >= metric[smallest] - MARGIN]
    if not good:
        return _best(group, others)
    return good[int(times[good].median().argmin())]


def _training_seconds(group: GroupValues) -> pd.DataFrame:
    """Seconds to train for the budget, by round and batch size; by the faster engine at each."""
    engines, made = group.round_seconds, group.updates_made
    if not engines:
        return pd.DataFrame()
    fastest = pd.concat([*engines.values()]).groupby("round").min()
    return fastest.mul(pd.Series(made, dtype="float64")).dropna(axis="columns")


def predictions(groups: Groups) -> Iterator[Sample]:
    """C7: time to target of the batch size that a rule names, by that of the best measured."""
    for group in confirmed(groups):
        record = group.analysis.scaling.main
        if record is None:
            continue
        cost = group.seconds_per_update
        fresh = _seconds(record.crossings, cost)
        named = {
            "measured": _quickest(_seconds(record.tuning, cost)),
            "closed form": record.named,
        }
        for kind, size in named.items():
            if size is not None and len(fresh.columns) > 1:
                share = record.target.share
                rule = "" if math.isnan(share) else f": {share:.0%} of the tuning seeds' way"
                budget = f"time to a target{rule}"
                yield from sample_of(kind, [group], _slower(fresh, size), budget)


def _seconds(crossings: pd.DataFrame, cost: Mapping[int, float]) -> pd.DataFrame:
    """Seconds to the target by seed and batch size, infinite where it is missed."""
    missed = (crossings["outcome"] == NOT_REACHED).to_numpy(bool)
    # Whatever the network is at its start, a target takes an update.
    updates = np.where(missed, np.inf, np.maximum(crossings["updates"].to_numpy(np.float64), 1))
    each = crossings["batch_size"].map(cost).to_numpy(np.float64)
    return by_seed(crossings.assign(seconds=updates * each), "seconds").dropna(axis="columns")


def _slower(times: pd.DataFrame, wanted: float) -> pd.Series[float]:
    """Logarithm of the time at the size nearest to a wanted one, by that at the quickest."""
    use = min(sizes_of(times), key=lambda size: abs(math.log(size / wanted)))
    quickest = _quickest(times)
    # Infinite where the size that was named misses the target; unknown where every size does.
    return (times[use] / times[use if quickest is None else quickest]).map(math.log)


def _quickest(times: pd.DataFrame) -> int | None:
    means = times.mean()
    reached = means[np.isfinite(means)]
    return None if reached.empty else int(reached.idxmin())


def confirmed(groups: Groups) -> Iterator[GroupValues]:
    """Yield the groups that fresh seeds judge, with whole batches and free rates."""
    return (group for group in groups if _usual(group.plan) and group.analysis.judged_apart)


def _usual(plan: GroupDescription, optimizers: Sequence[str] = ()) -> bool:
    """Whether batches are whole, rates are free, and the optimizer is one of these, or any."""
    whole = plan.shards == 1 and plan.local_updates == 1 and plan.rate_rule == "none"
    return whole and (not optimizers or plan.optimizer in optimizers)


def sample_of(
    kind: str, groups: Groups, values: pd.Series[float], budget: str = ""
) -> Iterator[Sample]:
    """Yield the sample of one comparison, under the budget of its trials if no other is given."""
    if values.empty:
        return
    first = groups[0]
    measure = first.analysis.measure
    part = first.analysis.part if KINDS[kind].shown else "validation"
    yield Sample(
        comparison=kind,
        group=" against ".join(group.plan.group for group in groups),
        dataset=first.plan.dataset,
        budget=budget or _equal_budget(first),
        metric=f"{part} {measure.name}",
        measure=measure,
        values=values,
        kind=KINDS[kind],
    )


def _equal_budget(group: GroupValues) -> str:
    rule = "equal epochs" if group.plan.epochs is not None else "an equal budget"
    return f"{rule}: {group.analysis.budget}"

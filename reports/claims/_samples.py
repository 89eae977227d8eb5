"""What a study holds that bears on the paper's claims: groups become samples, claim by claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from reports.analysis import TargetRecord, select_rates, without_noise
from reports.analysis.batch_sizes import budget_updates, tuned
from reports.analysis.equal_budgets import best_on_others, guess_level
from reports.analysis.target_rates import points_of
from reports.claims._paper_claims import KINDS, USUAL
from reports.claims.evidence import DIFFERENCE, Sample
from reports.recommend import Analysis
from reports.schema import PER_ITEM, TENSOR, TUNING_STAGES, GroupDescription, has_value
from reports.schema.measures import step_of
from reports.stats import FEWEST, by_seed, sizes_of
from reports.stats.models import NOT_REACHED
from reports.stats.models.noise_scale import average_noise

PLAIN = ("sgd", "momentum", "nesterov")  # whose step is proportional to the gradient
ADAPTIVE = ("adagrad", "adam")  # that the paper calls a remedy

Groups = Sequence[Analysis]


def vectorized(groups: Groups) -> Iterator[Sample]:
    """C1: seconds of an update one example at a time, divided by those of a vectorized one."""
    seen: set[tuple[float, ...]] = set()
    for group in groups:
        times = round_seconds(group)
        if not {TENSOR, PER_ITEM} <= times.keys() or not _usual(group.plan):
            continue
        # Configurations that differ in nothing that costs time share their measurements.
        measured = tuple(times[TENSOR].to_numpy().ravel())
        if measured not in seen:
            seen.add(measured)
            gain = (times[PER_ITEM] / times[TENSOR]).dropna(axis="columns").map(math.log)
            several = gain[[size for size in sizes_of(gain) if size > 1]]
            values = several.mean(axis="columns").dropna()
            yield from sample_of("vectorized", [group], values, "equal batches")


def shards(groups: Groups) -> Iterator[Sample]:
    """C2: how far the loss of networks trained on shards is from that of whole batches."""
    # Of a seed's trials the median: at rates that are too large rounding decides where one ends.
    whole = {_twin(group.plan): group for group in groups if group.plan.shards == 1}
    for group in groups:
        other = whole.get(_twin(group.plan))
        if group.plan.shards == 1 or other is None:
            continue
        gap = _losses(group).sub(_losses(other)).abs().div(_losses(other)).dropna()
        # Seeds are compared at the rates that all of them can be trained with.
        seeds = gap.groupby(["batch_size", "learning_rate"]).transform("size")
        gap = gap[seeds == len(group.study.seeds)]
        median = gap.groupby("seed").median().clip(lower=np.finfo(np.float64).eps)
        kind = "added gradients" if group.plan.local_updates == 1 else "local updates"
        yield from sample_of(kind, [group, other], median.map(math.log))


def _losses(group: Analysis) -> pd.Series[float]:
    trials = group.results.trials
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
        *(plan.decay_reference, plan.train_items),
    )


def falls(groups: Groups) -> Iterator[Sample]:
    """C3: how the metric of plain optimizers changes from the best smaller batch to the largest."""
    for group in groups:
        if _usual(group.plan, PLAIN):
            yield from _tuned_fall("tuned rate", group)
            kind = f"fixed rate, {group.plan.reduction}"
            yield from sample_of(kind, [group], fall(cross_fitted(explored(group), fixed=True)))


def _tuned_fall(kind: str, group: Analysis) -> Iterator[Sample]:
    """Where fresh seeds judge, from the batch size that is best on the tuning seeds."""
    values = tuned_values(group)
    best = _best_smaller(group, values)
    ends = None if best is None else (best, sizes_of(values)[-1])
    yield from sample_of(kind, [group], fall(values, best), ends=ends)


def _best_smaller(group: Analysis, values: pd.DataFrame) -> int | None:
    smaller = sizes_of(values)[:-1]
    return _best(group, smaller) if smaller and group.judged_apart else None


def remedies(groups: Groups) -> Iterator[Sample]:
    """C4: how much less adaptive optimizers fall than SGD, and how much they fall."""
    plain = {_setting(a.plan): a for a in groups if _usual(a.plan, ("sgd",))}
    for group in groups:
        base = plain.get(_setting(group.plan))
        if _usual(group.plan, ADAPTIVE) and base is not None:
            # Learning rates that each was tuned with, at the batch size with the most of them.
            rates, other = (int(each.batch_sizes["tried_rates"].max()) for each in (group, base))
            effort = f"{rates} rates each" if rates == other else f"{rates} rates against {other}"
            # How much less one falls than the other, up to the largest batch size that both have.
            tables = [tuned_values(each) for each in (group, base)]
            common = tables[0].columns.intersection(tables[1].columns)
            first, second = (
                fall(table[common], _best_smaller(each, table[common]))
                for each, table in zip((group, base), tables, strict=True)
            )
            budget, less = f"{_equal_budget(group)}; {effort}", (first - second).dropna()
            yield from sample_of("mitigation", [group, base], less, budget)
            yield from _tuned_fall("adaptive fall", group)


def usual_sizes(groups: Groups) -> Iterator[Sample]:
    """C5: the batch size from 16 to 64 that is worst on the tuning seeds against the best other."""
    for group in confirmed(groups):
        values = tuned_values(group)
        sizes = sizes_of(values)
        inside = [size for size in sizes if USUAL[0] <= size <= USUAL[1]]
        if 0 < len(inside) < len(sizes):
            worst = inside[int(_validation(group, inside).argmin())]
            best = _best(group, [size for size in sizes if size != worst])
            change = (values[worst] - values[best]).dropna()
            yield from sample_of("16 to 64", [group], change, ends=(best, worst))


def _best(group: Analysis, sizes: list[int]) -> int:
    """The best of some batch sizes on the tuning seeds: the reference, if it is one of them."""
    reference = group.reference
    if reference in sizes:
        return reference
    return sizes[int(_validation(group, sizes).argmax())]


def _validation(group: Analysis, sizes: list[int]) -> pd.Series[float]:
    metric = group.batch_sizes.set_index("batch_size")["validation_metric"]
    return without_noise(metric.loc[sizes])


def splitting(groups: Groups) -> Iterator[Sample]:
    """C6: the fastest batch size that holds its accuracy on validation, against the smallest."""
    for group in confirmed(groups):
        values, times = tuned_values(group), _training_seconds(group)
        sizes = [size for size in sizes_of(values) if size in sizes_of(times)]
        if len(sizes) > 1:
            (small, *others), metric = sizes, _validation(group, sizes)
            good = [size for size in others if metric[size] >= metric[small] - group.margin]
            use = good[int(times[good].median().argmin())] if good else _best(group, others)
            baseline = "batch size 1" if small == 1 else "the smallest"
            gain = (times[small] / times[use]).dropna().map(math.log)
            loss = (values[use] - values[small]).dropna()
            for what, change in (("speed", gain), ("accuracy", loss)):
                kind = f"{what} against {baseline}"
                yield from sample_of(kind, [group], change, ends=(small, use))


def _training_seconds(group: Analysis) -> pd.DataFrame:
    """Seconds to train for the budget, by round and batch size; by the faster engine at each."""
    by_engine = round_seconds(group)
    if not by_engine:
        return pd.DataFrame()
    fastest = pd.concat([*by_engine.values()]).groupby("round").min()
    return fastest.mul(budget_updates(group.results).droplevel("group")).dropna(axis="columns")


def predictions(groups: Groups) -> Iterator[Sample]:
    """C7: time to target of the batch size that a rule names, by that of the fastest other."""
    # Rules see the tuning seeds only, times are those of fresh seeds.
    for group in confirmed(groups):
        record = group.scaling.main
        if record is None:
            continue
        fresh, measure = _seconds(group, record.crossings), group.target_measure
        budget = f"time to a validation {measure.name} of {measure.text(record.target.level)}"
        named = {"fitted model": record.named, "noise scale": _by_noise(group, record)}
        for kind, size in named.items():
            if size is not None and len(fresh.columns) > 1:
                yield from sample_of(kind, [group], _slower(fresh, size), budget)


def _by_noise(group: Analysis, record: TargetRecord) -> float | None:
    """`sqrt(B_noise alpha / beta)`: the noise scale where the tuning seeds are fastest."""
    results, doubling = group.results, group.scaling.update_time.doubling_batch_size
    means = _seconds(group, record.tuning).mean()
    reached = means[np.isfinite(means)]
    if doubling is None or reached.empty:
        return None
    # Averaged over the tuning seeds' way to the target.
    runs = tuned(results.trials, select_rates(group.cells), TUNING_STAGES)
    points = points_of(runs, results.curves, results.description.tuning_seeds)
    until = record.tuning.groupby("batch_size")["updates"].median()
    noise = average_noise(points[points["updates"] <= points["batch_size"].map(until)])
    scale = noise.set_index("batch_size")["noise_scale"].get(reached.idxmin(), math.nan)
    return None if math.isnan(scale) else math.sqrt(scale * doubling)


def _seconds(group: Analysis, crossings: pd.DataFrame) -> pd.DataFrame:
    """Seconds to the target by seed and batch size, infinite where it is missed."""
    missed = (crossings["outcome"] == NOT_REACHED).to_numpy(bool)
    # Whatever the network is at its start, a target takes an update.
    updates = np.where(missed, np.inf, np.maximum(crossings["updates"].to_numpy(np.float64), 1))
    each = group.batch_sizes.set_index("batch_size")["seconds_per_update"]
    seconds = updates * crossings["batch_size"].map(each)
    return by_seed(crossings.assign(seconds=seconds), "seconds").dropna(axis="columns")


def _slower(times: pd.DataFrame, wanted: float) -> pd.Series[float]:
    """Logarithm of the time at the size nearest to a wanted one, by that at the fastest other."""
    # The fastest on the other seeds, of those that all seeds reach the target with. Infinite where
    # the size that was named misses it.
    sizes = sizes_of(times)
    within = min(max(wanted, sizes[0]), sizes[-1])
    use = min(sizes, key=lambda size: abs(math.log(size / within)))
    others = times.drop(columns=use).to_numpy(np.float64).T
    others = others[np.isfinite(others).all(axis=1)]
    if min(others.shape) == 0 or len(times) < FEWEST:
        return pd.Series(dtype="float64")
    fastest = others[best_on_others(-np.log(others)), np.arange(len(times))]
    return (times[use] / fastest).map(math.log)


def confirmed(groups: Groups) -> Iterator[Analysis]:
    """Yield the groups that fresh seeds judge, with whole batches and free rates."""
    return (group for group in groups if _usual(group.plan) and group.judged_apart)


def _usual(plan: GroupDescription, optimizers: Sequence[str] = ()) -> bool:
    """Whether batches are whole, rates are free, and the optimizer is one of these, or any."""
    whole = plan.shards == 1 and plan.local_updates == 1 and plan.rate_rule == "none"
    return whole and (not optimizers or plan.optimizer in optimizers)


def sample_of(
    kind: str,
    groups: Groups,
    values: pd.Series[float],
    budget: str = "",
    ends: tuple[int, int] | None = None,
) -> Iterator[Sample]:
    """Yield the sample of one comparison, under the budget of its trials if no other is given."""
    if values.empty:
        return
    tested, first = KINDS[kind], groups[0]
    plan, difference = first.plan, tested.unit == DIFFERENCE
    part = first.part if tested.shown else "validation"
    items = plan.test_items if part == "test" else plan.validation_items
    yield Sample(
        comparison=kind,
        group=" against ".join(group.plan.group for group in groups),
        dataset=plan.dataset,
        budget=budget or _equal_budget(first),
        metric=f"{part} {first.measure.name}",
        measure=first.measure,
        values=values,
        kind=tested,
        margin=first.margin if difference else first.target.margin,
        step=step_of(plan.metric, items) if difference else 0.0,
        ends=ends,
    )


def _equal_budget(group: Analysis) -> str:
    rule = "equal epochs" if group.plan.epochs is not None else "an equal budget"
    return f"{rule}: {group.budget}"


def tuned_values(group: Analysis) -> pd.DataFrame:
    """Return the metric that the report shows, at the tuned rate of each batch size."""
    # The test metric on fresh seeds; where there are none, the validation metric, each seed at
    # the rate that is best on the others. Batch sizes with a failed seed have no column.
    if group.part != "test":
        return cross_fitted(explored(group))
    return by_seed(group.complete, "metric")


def explored(group: Analysis) -> pd.DataFrame:
    """Return the validation metric by seed and tuning cell; where a trial diverged, a guess."""
    trials = group.results.trials
    ended = trials["status"].isin(["ok", "diverged"])
    trials = trials[ended & trials["stage"].isin(TUNING_STAGES)]
    guess = guess_level(group.plan)
    metric = trials["validation_metric"].mask(trials["status"] == "diverged", guess)
    table = trials.assign(metric=metric).pivot_table(
        "metric", "seed", ["batch_size", "learning_rate"]
    )
    return table.reindex([*group.study.seeds])


def round_seconds(group: Analysis) -> dict[str, pd.DataFrame]:
    """Return seconds of one network's update, by engine, then benchmark round and batch size."""
    timing = group.results.timing
    alone = timing[timing["lanes"] == 1]
    seconds = alone.assign(seconds=alone["wall_seconds"] / alone["updates"])
    return {
        str(engine): by_seed(rows, "seconds", seed="round")
        for engine, rows in seconds.groupby("engine")
    }


def cross_fitted(explored: pd.DataFrame, *, fixed: bool = False) -> pd.DataFrame:
    """Return each seed's metric at the learning rate that is best on all other seeds."""
    # With `fixed`, all batch sizes have the best rate of the smallest one, of those that all tried.
    complete = explored.dropna(axis="columns").sort_index(axis="columns")
    if fixed:
        tried = complete.columns.to_frame(index=False).groupby("learning_rate").size()
        common = tried.index[tried == complete.columns.unique("batch_size").size]
        complete = complete.loc[:, complete.columns.isin(common, level="learning_rate")]
    if complete.empty or len(complete) == 1:
        return pd.DataFrame()
    tables = {size: complete[size].to_numpy().T for size in complete.columns.unique("batch_size")}
    best = {size: best_on_others(table) for size, table in tables.items()}
    smallest, seeds = next(iter(best.values())), np.arange(len(complete))
    chosen = {size: tables[size][smallest if fixed else best[size], seeds] for size in tables}
    return pd.DataFrame(chosen, complete.index).rename_axis(columns="batch_size")


def fall(values: pd.DataFrame, best: int | None = None) -> pd.Series[float]:
    """Return the change of a metric from the best smaller batch size to the largest, by seed."""
    # The best is the one that is best on all other seeds, if it isn't given.
    complete = values.dropna()
    if len(complete.columns) < FEWEST:
        return pd.Series(dtype="float64")
    *smaller, largest = sizes_of(complete)
    if best is not None:
        return complete[largest] - complete[best]
    if len(complete) < FEWEST:
        return pd.Series(dtype="float64")
    table = complete[smaller].to_numpy(np.float64).T
    return complete[largest] - table[best_on_others(table), np.arange(len(complete))]

"""What a reader must know before believing the verdict; empty for a study without flaws."""

from __future__ import annotations

from reports.analysis.batch_sizes import SEEDS_FOR_INTERVAL
from reports.analysis.tuning_checks import coarse_grids
from reports.analysis.update_times import UNSTEADY_ABOVE
from reports.recommend.baseline import constant_metric, unlearned
from reports.recommend.record import Analysis
from reports.schema.formats import capitalised, count, percent, plural, rate, sizes, visible
from reports.schema.results import CLASSIFICATION
from reports.text.scaling import target_cautions
from reports.text.verdicts import Statement

DIVERGED_SHARE = 0.1
"""Share of diverged trials from which on it is worth a warning."""
CAUSES_SHOWN = 3
"""Causes of failures named one by one."""
LARGE_BATCH_SHARE = 0.25
"""Share of the training part beyond which a batch is no small sample of it any more."""


def cautions(analysis: Analysis) -> list[Statement]:
    """Return the warnings that apply."""
    texts = {
        "nothing-learned": _nothing_learned(analysis),
        "optimistic": _optimistic(analysis),
        "few-seeds": _few_seeds(analysis),
        "one-split": _one_split(analysis),
        "edge": _edge(analysis),
        "untuned": _untuned(analysis),
        "coarse": _coarse(analysis),
        "no-rate": _no_rate(analysis),
        "unconfirmed": _unconfirmed(analysis),
        "lost-seeds": _lost_seeds(analysis),
        "diverged": _diverged(analysis),
        "failed": _failed(analysis),
        "untimed": _untimed(analysis),
        "contended": _contended(analysis),
        "unsteady": _unsteady(analysis),
        "saturated": _saturated(analysis),
        "large-batch": _large_batch(analysis),
        **target_cautions(analysis),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


def _nothing_learned(analysis: Analysis) -> str:
    """Batch sizes can't be compared by networks that all give the same answer to everything."""
    constant = constant_metric(analysis.plan)
    if constant is None or analysis.measured.empty or not unlearned(analysis):
        return ""
    text, best = analysis.measure.text, float(analysis.measured["metric"].max())
    always = (
        f"Always naming the most frequent class is right in {percent(constant)}"
        if analysis.plan.task == CLASSIFICATION
        else f"Always answering the mean has an {analysis.measure.name} of {text(constant)}"
    )
    return (
        f"{always}, and the best batch size has a {analysis.metric} of {text(best)}: "
        f"{unlearned(analysis)}, so it can't tell which batch size to use. Other features, layers, "
        "learning rates or more epochs may help; the losses may tell more."
    )


def _optimistic(analysis: Analysis) -> str:
    if analysis.part == "test" or analysis.measured.empty:
        return ""
    return (
        f"No trial of the confirm stage has a result. {capitalised(analysis.measure.plural)} are "
        "those of the validation part, on the seeds that chose the learning rates: they are "
        "optimistic."
    )


def _few_seeds(analysis: Analysis) -> str:
    few = analysis.measured[analysis.measured["seeds"] < SEEDS_FOR_INTERVAL]
    if few.empty:
        return ""
    least = plural(int(few["seeds"].min()), "seed")
    return (
        f"There are results of as few as {least} (at batch {sizes(few['batch_size'].tolist())}): "
        f"single values and medians are shown; an interval needs {SEEDS_FOR_INTERVAL} seeds."
    )


def _one_split(analysis: Analysis) -> str:
    if analysis.plan.split_seed is None or analysis.measured.empty:
        return ""
    return (
        "All seeds share one split of the data. Intervals hold the chance of training, but not "
        f"that of which {count(analysis.items)} items are in the {analysis.part} part."
    )


def _edge(analysis: Analysis) -> str:
    edge = analysis.batch_sizes.loc[analysis.batch_sizes["at_edge"], "batch_size"].tolist()
    if not edge:
        return ""
    return (
        f"At batch {sizes(edge)} the best learning rate is the smallest or largest one "
        "tried: a better one may lie beyond, and these batch sizes may be judged too harshly."
        f"{' The fits of updates to a target leave them out.' if analysis.scaling.targets else ''}"
    )


def _untuned(analysis: Analysis) -> str:
    table = analysis.batch_sizes
    single = table.loc[table["tried_rates"] == 1, "batch_size"].tolist()
    if not single or len(table) == 1:
        return ""
    return (
        f"At batch {sizes(single)} a single learning rate was tried. Another may suit that batch "
        "size better: what looks like a difference between batch sizes may be one between rates."
    )


def _coarse(analysis: Analysis) -> str:
    found = coarse_grids(analysis.results.trials, analysis.cells, analysis.batch_sizes)
    if not found:
        return ""
    most = max(found, key=lambda one: one.gain)
    return (
        f"At batch {sizes([one.batch_size for one in found])} the learning rates tried lie far "
        f"apart, by up to a factor of {rate(round(most.factor, 2))}. A better one may lie between: "
        "a parabola through the best and its neighbours rises above it by up to "
        f"{analysis.measure.gap(most.gain)}, more than the standard error over seeds."
    )


def _no_rate(analysis: Analysis) -> str:
    table = analysis.batch_sizes
    none = table.loc[(table["tried_rates"] > 0) & (table["eligible_rates"] == 0), "batch_size"]
    if none.empty:
        return ""
    return (
        f"At batch {sizes(none.tolist())} no learning rate has a result for every seed: "
        "nothing is selected there."
    )


def _unconfirmed(analysis: Analysis) -> str:
    table = analysis.batch_sizes
    absent = table.loc[table["learning_rate"].notna() & (table["seeds"] == 0), "batch_size"]
    if absent.empty:
        return ""
    return (
        f"At batch {sizes(absent.tolist())} the selected rate has no result of the confirm stage: "
        "nothing is shown or ranked there."
    )


def _lost_seeds(analysis: Analysis) -> str:
    if not analysis.lost:
        return ""
    return (
        f"At batch {sizes(analysis.lost)} the selected rate has no value for every seed: one "
        "diverged, failed or has not run. The mean of the others would flatter it, so none is "
        "shown, and nothing is ranked there."
    )


def _diverged(analysis: Analysis) -> str:
    counts = analysis.counts
    if counts.run == 0 or counts.diverged / counts.run < DIVERGED_SHARE:
        return ""
    return (
        f"{percent(counts.diverged / counts.run)} of the trials diverged: that part of the grid of "
        "learning rates lies beyond the usable ones."
    )


def _failed(analysis: Analysis) -> str:
    if analysis.counts.failed == 0:
        return ""
    causes = [
        f"{cause.trials:,} {cause.words}{_quoted(cause.reason)}"
        for cause in analysis.counts.causes[:CAUSES_SHOWN]
    ]
    more = len(analysis.counts.causes) - CAUSES_SHOWN
    rest = f"; {plural(more, 'other cause')} in the table of trials" if more > 0 else ""
    return f"{plural(analysis.counts.failed, 'trial')} failed: {'; '.join(causes)}{rest}."


def _quoted(reason: str) -> str:
    return f" (“{visible(reason)}”)" if reason else ""


def _untimed(analysis: Analysis) -> str:
    timed = set(analysis.alone["batch_size"])
    absent = [b for b in analysis.batch_sizes["batch_size"] if b not in timed]
    if not timed:
        return "The timing pass has not run: nothing is said about time."
    if absent:
        return f"Batch {sizes(absent)}: not timed, so times are missing there."
    return ""


def _contended(analysis: Analysis) -> str:
    contended = analysis.timing[analysis.timing["contended"]]
    if contended.empty:
        return ""
    worst = percent(float(contended["cpu_share"].min()))
    where = sizes(sorted(set(contended["batch_size"].tolist())))
    return (
        f"The timing pass had to share its processor at batch {where}: it had as "
        f"little as {worst} of the wall time. Times may be too long. {_AGAIN}"
    )


def _unsteady(analysis: Analysis) -> str:
    unsteady = analysis.timing[analysis.timing["unsteady"]]
    if unsteady.empty:
        return ""
    where = sizes(sorted(set(unsteady["batch_size"].tolist())))
    return (
        f"The rounds of the timing pass disagree at batch {where}: their quartiles are more than "
        f"{UNSTEADY_ABOVE:.0%} apart. The machine was not quiet. {_AGAIN}"
    )


_AGAIN = "On a quiet machine, `bpsweep time` measures them again."


def _saturated(analysis: Analysis) -> str:
    items = analysis.items
    accurate = analysis.batch_sizes["metric"].max() > 1 - 1 / items
    if analysis.plan.task != CLASSIFICATION or not accurate:
        return ""
    return (
        f"At the best batch size less than one of {count(items)} items is misjudged on average: "
        "the data are too easy to tell good settings apart."
    )


def _large_batch(analysis: Analysis) -> str:
    plan = analysis.plan
    limit = LARGE_BATCH_SHARE * plan.train_items
    large = [b for b in analysis.batch_sizes["batch_size"] if b > limit]
    if not large:
        return ""
    return (
        f"Batch {sizes(large)}: more than a quarter of the {count(plan.train_items)} items to "
        "train on. The gradient of such a batch is nearly that of the whole set; its noise is "
        f"smaller than batch size alone would make it.{_fits_unaware(analysis)}"
    )


def _fits_unaware(analysis: Analysis) -> str:
    main = analysis.scaling.main
    near = main is not None and main.fit.near_all
    return " The fit of updates to the target takes no account of that." if near else ""

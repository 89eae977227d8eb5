"""What a reader must know before believing the verdict; empty for a study without flaws."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reports.analysis import SEEDS_FOR_INTERVAL, UNSTEADY_ABOVE
from reports.analysis.tuning_checks import coarse_grids
from reports.recommend import Analysis
from reports.recommend.record import constant_metric
from reports.schema import CLASSIFICATION, capitalised, count, percent, plural, rate, sizes, visible
from reports.text.reaching_target import target_cautions
from reports.text.verdicts import Statement

SEVEREST = (
    *("nothing-learned", "failed", "lost-seeds", "no-rate", "unconfirmed", "optimistic", "edge"),
    *("untuned", "few-seeds", "contended", "unsteady", "untimed", "coarse", "one-split"),
)
"""Kinds of warnings in the order of what they may do to the answer; all others follow."""
DIVERGED_SHARE = 0.1  # of trials from which on it is worth a warning
CAUSES_SHOWN = 3  # causes of failures named one by one
LARGE_BATCH_SHARE = 0.25  # of the training part from which on a batch is no small sample of it


def cautions(analysis: Analysis) -> list[Statement]:
    """Return the warnings that apply."""
    texts = {
        "nothing-learned": _nothing_learned(analysis),
        "optimistic": _optimistic(analysis),
        "few-seeds": _few_seeds(analysis),
        "one-split": _one_split(analysis),
        **_of_rates(analysis),
        "diverged": _diverged(analysis),
        "failed": _failed(analysis),
        **_of_timing(analysis),
        "saturated": _saturated(analysis),
        "large-batch": _large_batch(analysis),
        **target_cautions(analysis),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


def severest_first(warnings: Iterable[str]) -> list[str]:
    """Return kinds of warnings, those first that may change the answer most."""
    rank = {kind: number for number, kind in enumerate(SEVEREST)}
    return sorted(warnings, key=lambda kind: rank.get(kind, len(rank)))


def _nothing_learned(analysis: Analysis) -> str:
    """Batch sizes can't be compared by networks that all give the same answer to everything."""
    constant = constant_metric(analysis.plan)
    if constant is None or analysis.measured.empty or not analysis.unlearned:
        return ""
    text, best = analysis.measure.text, float(analysis.measured["metric"].max())
    always = (
        f"Always naming the most frequent class is right in {percent(constant)}"
        if analysis.plan.task == CLASSIFICATION
        else f"Always answering the mean has an {analysis.measure.name} of {text(constant)}"
    )
    return (
        f"{always}, and the best batch size has a {analysis.metric} of {text(best)}: "
        f"{analysis.unlearned}, so it can't tell which batch size to use. Other features, layers, "
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


def _of_rates(analysis: Analysis) -> dict[str, str]:
    """Batch sizes to which the learning rates tried, or their seeds, may not do justice."""
    table = analysis.batch_sizes
    tried, selected = table["tried_rates"], table["learning_rate"].notna()
    fits = " The fits of updates to a target leave them out." if analysis.scaling.targets else ""
    return {
        "edge": _at(
            table.loc[table["at_edge"], "batch_size"],
            "the best learning rate is the smallest or largest one tried: a better one may lie "
            f"beyond, and these batch sizes may be judged too harshly.{fits}",
        ),
        "untuned": _at(
            table.loc[(tried == 1) & (len(table) > 1), "batch_size"],
            "a single learning rate was tried. Another may suit that batch size better: what looks "
            "like a difference between batch sizes may be one between rates.",
        ),
        "coarse": _coarse(analysis),
        "no-rate": _at(
            table.loc[(tried > 0) & (table["eligible_rates"] == 0), "batch_size"],
            "no learning rate has a result for every seed: nothing is selected there.",
        ),
        "unconfirmed": _at(
            table.loc[selected & (table["seeds"] == 0), "batch_size"],
            "the selected rate has no result of the confirm stage: nothing is shown or ranked "
            "there.",
        ),
        "lost-seeds": _at(
            analysis.lost,
            "the selected rate has no value for every seed: one diverged, failed or has not run. "
            "The mean of the others would flatter it, so none is shown, and nothing is ranked "
            "there.",
        ),
    }


def _at(batch_sizes: Iterable[int], text: str) -> str:
    where = [*batch_sizes]
    return f"At batch {sizes(where)} {text}" if where else ""


def _coarse(analysis: Analysis) -> str:
    grids = coarse_grids(analysis.results.trials, analysis.cells, analysis.batch_sizes)
    if not grids:
        return ""
    most = max(grids, key=lambda grid: grid.gain)
    return (
        f"At batch {sizes([grid.batch_size for grid in grids])} the learning rates tried lie far "
        f"apart, by up to a factor of {rate(round(most.factor, 2))}. A better one may lie between: "
        "a parabola through the best and its neighbours rises above it by up to "
        f"{analysis.measure.gap(most.gain)}, more than the standard error over seeds."
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
        f"{cause.trials:,} {cause.words}{f' (“{visible(cause.reason)}”)' if cause.reason else ''}"
        for cause in analysis.counts.causes[:CAUSES_SHOWN]
    ]
    more = len(analysis.counts.causes) - CAUSES_SHOWN
    rest = f"; {plural(more, 'other cause')} in the table of trials" if more > 0 else ""
    return f"{plural(analysis.counts.failed, 'trial')} failed: {'; '.join(causes)}{rest}."


def _of_timing(analysis: Analysis) -> dict[str, str]:
    """Times that are missing, or that another machine load may have made."""
    timed, table = {*analysis.alone["batch_size"]}, analysis.timing
    absent = [size for size in analysis.tried if size not in timed]
    untimed = f"Batch {sizes(absent)}: not timed, so times are missing there." if absent else ""
    contended, unsteady = table[table["contended"]], table[table["unsteady"]]
    worst = percent(float(contended["cpu_share"].min()))
    return {
        "untimed": untimed if timed else "The timing pass has not run: nothing is said about time.",
        "contended": f"The timing pass had to share its processor at batch {_where(contended)}: it "
        f"had as little as {worst} of the wall time. Times may be too long. {_AGAIN}"
        if not contended.empty
        else "",
        "unsteady": f"The rounds of the timing pass disagree at batch {_where(unsteady)}: their "
        f"quartiles are more than {UNSTEADY_ABOVE:.0%} apart. The machine was not quiet. {_AGAIN}"
        if not unsteady.empty
        else "",
    }


def _where(timing: pd.DataFrame) -> str:
    return sizes(sorted({*timing["batch_size"].tolist()}))


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
    large = [size for size in analysis.tried if size > limit]
    if not large:
        return ""
    main = analysis.scaling.main
    fits = " The fit of updates to the target takes no account of that."
    return (
        f"Batch {sizes(large)}: more than a quarter of the {count(plan.train_items)} items to "
        "train on. The gradient of such a batch is nearly that of the whole set; its noise is "
        f"smaller than batch size alone would make it.{fits if main and main.fit.near_all else ''}"
    )

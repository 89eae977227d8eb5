"""What a reader must know before believing the answer; empty for a study without flaws."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reports.analysis import SEEDS_FOR_INTERVAL, UNSTEADY_ABOVE, TargetRecord
from reports.analysis.tuning_checks import coarse_grids
from reports.recommend import Analysis
from reports.schema import capitalised, count, percent, plural, rate, sizes, visible
from reports.stats.models import UpdateTimeFit
from reports.text.finished import critical_alone
from reports.text.instruction import edge_sentence, surer, undecided_sentence
from reports.text.reaching_target import no_plateau, not_reached, other_rates, poor_fit
from reports.text.verdicts import Statement

DIVERGED_SHARE = 0.1  # of trials from which on it is worth a warning
CAUSES_SHOWN = 3  # causes of failures named one by one
LARGE_BATCH_SHARE = 0.25  # of the training set from which on a batch is no small sample of it


def cautions(analysis: Analysis) -> list[Statement]:
    """Return the warnings that apply, most severe first."""
    undecided = undecided_sentence(analysis)
    more = [each.text for each in surer(analysis) if each.kind == "seeds"]
    answer = {
        "nothing-learned": _nothing_learned(analysis),
        "answer-edge": edge_sentence(analysis),
        "undecided": " ".join(filter(None, (undecided, *more))) if undecided else "",
        "optimistic": _optimistic(analysis),
    }
    record = analysis.scaling.main
    doubts = {
        "not-reached": not_reached(record) if record else "",
        **_of_seeds(analysis),
        **_of_timing(analysis),
        **_of_missing(analysis),
        "failed": _failed(analysis),
        **(_of_fits(record, analysis.scaling.update_time) if record else {}),
    }
    ordered = ((3, answer), (2, doubts), (1, _of_rates(analysis) | _of_data(analysis)))
    return [
        Statement(kind, text, severity)
        for severity, texts in ordered
        for kind, text in texts.items()
        if text
    ]


def _of_fits(record: TargetRecord, time: UpdateTimeFit) -> dict[str, str]:
    """What weakens the models of training to the hardest target."""
    sum_of_costs = "Predicted times are rough estimates: fixed cost plus cost per example"
    return {
        "no-plateau": no_plateau(record.fit),
        "poor-fit": poor_fit(record.fit, "The critical batch size is a rough estimate: the curve"),
        "target-rate": other_rates(record),
        "poor-time-fit": poor_fit(time, sum_of_costs),
    }


def _nothing_learned(analysis: Analysis) -> str:
    """Batch sizes can't be compared by networks that all give the same answer to everything."""
    if analysis.constant is None or analysis.measured.empty or not analysis.unlearned:
        return ""
    text, best = analysis.measure.text, float(analysis.measured["metric"].max())
    return (
        f"The best constant prediction has {analysis.measure.name} {text(analysis.constant)}; the "
        f"best batch size has {analysis.metric} {text(best)}: {analysis.unlearned}. "
        "Other features, layers, learning rates or more epochs may help."
    )


def _optimistic(analysis: Analysis) -> str:
    if analysis.part == "test" or analysis.measured.empty or analysis.study.finished:
        return ""
    return (
        f"No fresh seed has run. {capitalised(analysis.measure.plural)} are those of the "
        "validation set on the tuning seeds, and hence optimistic."
    )


def _of_seeds(analysis: Analysis) -> dict[str, str]:
    """How many seeds diverged, and where few are left."""
    counts, few = (
        analysis.counts,
        analysis.measured[analysis.measured["seeds"] < SEEDS_FOR_INTERVAL],
    )
    texts = {}
    if counts.run and (share := counts.diverged / counts.run) >= DIVERGED_SHARE:
        rates = "their learning rates are too large"
        texts["diverged"] = f"{percent(share)} of the trials diverged: {rates}."
    if len(few):
        least = plural(int(few["seeds"].min()), "seed")
        texts["few-seeds"] = (
            f"Batch {_where(analysis, few)}: results of as few as {least}. Single values and "
            f"medians are shown; an interval needs {SEEDS_FOR_INTERVAL} seeds."
        )
    return texts


def _of_missing(analysis: Analysis) -> dict[str, str]:
    """Batch sizes without a result that could be ranked."""
    table = analysis.batch_sizes
    if critical_alone(analysis):
        return {}
    tried, selected = table["tried_rates"], table["learning_rate"].notna()
    return {
        "no-rate": _at(
            analysis,
            table.loc[(tried > 0) & (table["eligible_rates"] == 0), "batch_size"],
            "no learning rate has a result for every seed, so none is selected.",
        ),
        "unconfirmed": _at(
            analysis,
            table.loc[selected & (table["seeds"] == 0), "batch_size"],
            "the selected rate has not run on fresh seeds, so it is not ranked.",
        ),
        "failed-seeds": _at(
            analysis,
            analysis.lost,
            "a seed of the selected rate diverged, failed or has not run. The mean of the others "
            "would be too good, so it is not ranked.",
        ),
    }


def _of_rates(analysis: Analysis) -> dict[str, str]:
    """Batch sizes for which better learning rates may exist."""
    table = analysis.batch_sizes
    if not analysis.plan.learning_rates:
        return {}
    edge = table["at_edge"] & (table["batch_size"] != analysis.recommended)
    fits = " Fits of updates to a target leave them out." if analysis.scaling.targets else ""
    return {
        "edge": _at(
            analysis,
            table.loc[edge, "batch_size"],
            f"the best learning rate is the smallest or largest tried; a better one may be beyond."
            f"{fits}",
        ),
        "untuned": _at(
            analysis,
            table.loc[(table["tried_rates"] == 1) & (len(table) > 1), "batch_size"],
            "only one learning rate was tried; another may be better.",
        ),
        "coarse": _coarse(analysis),
    }


def _at(analysis: Analysis, batch_sizes: Iterable[int], text: str) -> str:
    where = [*batch_sizes]
    return f"At batch {sizes(where, analysis.tried)}, {text}" if where else ""


def _coarse(analysis: Analysis) -> str:
    grids = coarse_grids(analysis.results.trials, analysis.cells, analysis.batch_sizes)
    if not grids:
        return ""
    most = max(grids, key=lambda grid: grid.gain)
    return _at(
        analysis,
        [grid.batch_size for grid in grids],
        "a learning rate between those tried may be better by up to "
        f"{analysis.measure.gap(most.gain)}: neighbours differ by up to a factor of "
        f"{rate(round(most.factor, 2))}.",
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
    if analysis.study.finished:
        return {}
    timed, table = {*analysis.alone["batch_size"]}, analysis.timing
    absent = [size for size in analysis.tried if size not in timed]
    untimed = _at(analysis, absent, "update times were not measured.")
    nothing = "Update times have not been measured: nothing is known about time."
    contended = table[table["contended"]]
    least = percent(float(contended["cpu_share"].min()))
    signs = {
        f"it had as little as {least} of a processor": contended,
        f"its rounds differ by more than {UNSTEADY_ABOVE:.0%}": table[table["unsteady"]],
    }
    texts = [f"{s} (batch {_where(analysis, rows)})" for s, rows in signs.items() if len(rows)]
    busy = (
        f"Other programs disturbed the benchmark: {' and '.join(texts)}. Times may be too long; on "
        "a quiet machine, `bpsweep time` measures them again."
    )
    return {"untimed": untimed if timed else nothing, "busy": busy if texts else ""}


def _where(analysis: Analysis, timing: pd.DataFrame) -> str:
    return sizes(sorted({*timing["batch_size"].tolist()}), analysis.tried)


def _of_data(analysis: Analysis) -> dict[str, str]:
    """What these examples, and how they are split, can't show."""
    plan, items, texts = analysis.plan, analysis.items, {}
    if plan.split_seed is not None and len(analysis.measured):
        texts["one-split"] = (
            "All seeds share one split of the data. Intervals cover the randomness of training, "
            f"not which {count(items)} examples are in the {analysis.part} set."
        )
    best = analysis.batch_sizes["metric"].max()
    if plan.metric == "accuracy" and items and best > 1 - 1 / items:
        texts["saturated"] = (
            f"At the best batch size fewer than one of {count(items)} examples is misclassified on "
            "average: the data are too easy to separate good settings."
        )
    large = [size for size in analysis.tried if size > LARGE_BATCH_SHARE * analysis.most_items]
    if large:
        main = analysis.scaling.main
        fits = " The fit of updates to the target ignores that."
        texts["large-batch"] = (
            f"Batch {sizes(large, analysis.tried)}: more than a quarter of the "
            f"{count(plan.train_items)} training examples. Such a batch's gradient has less noise "
            f"than its size implies.{fits if main and main.fit.near_all else ''}"
        )
    return texts

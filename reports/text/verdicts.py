"""What the study says, and what it can't say, in sentences and numbers at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from reports.recommend import Analysis, extreme
from reports.schema import (
    capitalised,
    count,
    listing,
    plural,
    rate,
    seconds,
    significant,
    sizes,
    times,
)
from reports.stats import MAX_SEEDS, Comparison
from reports.stats.intervals import Interval
from reports.text.budget_rules import rules_sentence, shared_sentence
from reports.text.goals import (
    as_good,
    goal_sentence,
    more_sentence,
    sources_sentence,
    span,
)
from reports.text.reaching_target import scaling_sentence


@dataclass(frozen=True)
class Statement:
    """One thing the report says."""

    kind: str  # what it is about: a word for programs, never shown
    text: str


@dataclass(frozen=True)
class Card:
    """One number to see at a glance."""

    label: str
    value: str  # with its unit
    note: str  # what to know about it


ANSWER = ("recommendation", "accuracy", "scaling", "rules")
"""Kinds of statements that are the answer; what else was found stands below it."""


def verdict(analysis: Analysis) -> list[Statement]:
    """Return what was found, most important first: the answer, then the rest."""
    texts = {
        "recommendation": _recommendation(analysis),
        "accuracy": _accuracy(analysis),
        "scaling": scaling_sentence(analysis),
        "rules": rules_sentence(analysis),
        "goal": _goal(analysis),
        "separation": _separation(analysis),
        "budget": _budget(analysis),
        "time": _time(analysis),
        "tensor": _tensor(analysis),
        "outcomes": _outcomes(analysis),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


def cards(analysis: Analysis) -> list[Card]:
    """Return the numbers to see at a glance; those that aren't known are left out."""
    best = analysis.best
    texts = []
    if analysis.recommended is not None:
        row = analysis.row(analysis.recommended)
        note = f"fastest of those not told from the best: {seconds(row['seconds_to_train'])}"
        texts.append(Card("Batch size to use", str(row["batch_size"]), note))
    target = analysis.recommendations[1]
    if target.interval:
        size = span(target.interval) if target.batch_size is None else str(target.batch_size)
        texts.append(Card("Fastest to a target", size, f"{target.sought}{as_good(target)}"))
    if best:
        row = analysis.row(best)
        note = f"{analysis.metric}; batch size {best}, learning rate {rate(row['learning_rate'])}"
        label = "Best on validation" if analysis.judged_apart else "Highest mean"
        texts.append(Card(label, analysis.measure.text(row["metric"]), note))
    if not analysis.timed.empty:
        row = extreme(analysis.timed, "seconds_to_train", largest=False)
        note = f"batch size {row['batch_size']}, {analysis.training}"
        texts.append(Card("Shortest training", seconds(row["seconds_to_train"]), note))
    faster = analysis.batch_sizes.dropna(subset="speedup")
    if not faster.empty:
        row = extreme(faster, "speedup", largest=True)
        note = f"over single items, at batch size {row['batch_size']}"
        texts.append(Card("Tensor speed-up", times(row["speedup"]), note))
    return texts


def _goal(analysis: Analysis) -> str:
    if analysis.comparison is None:
        return ""
    accuracy, to_target, _ = analysis.recommendations
    return f"{goal_sentence(to_target)} {more_sentence((accuracy, to_target))}".strip()


def _recommendation(analysis: Analysis) -> str:
    comparison = analysis.comparison
    if comparison is None:
        return _nothing_to_rank(analysis)
    why = _untold(analysis, comparison)
    if why:
        return why
    best, tied = comparison.best, comparison.tied
    if analysis.recommended is None:
        return (
            f"The {analysis.metric} of batch {sizes(tied)} can't be told from the best. Which of "
            "them trains fastest isn't known: the timing pass has not run."
        )
    row = analysis.row(analysis.recommended)
    time = f"{seconds(row['seconds_to_train'])} for {analysis.training}"
    sources = sources_sentence(analysis.recommendations[0])
    if len(tied) == 1:
        all_ranked = len(analysis.measured) == len(analysis.batch_sizes)
        others = "tried" if all_ranked else "with a result for every seed"
        return (
            f"Batch size {best} is {analysis.measure.better} than every other one {others}; it "
            f"trains in {time}. {sources}"
        )
    written = analysis.measure.text
    highest = written(analysis.row(best)["metric"])
    against = "" if analysis.recommended == best else f" against {highest} of batch size {best}"
    return (
        f"Among the {len(tied)} batch sizes whose {analysis.metric} can't be told from the best "
        f"({listing(tied)}), {analysis.recommended} trains fastest: {time}, at "
        f"{written(row['metric'])}{against}. {sources}"
    )


def _untold(analysis: Analysis, comparison: Comparison) -> str:
    """Return why the ranking says nothing; "" if it does."""
    if analysis.unlearned:
        metric = capitalised(analysis.metric)
        return f"{metric} can't tell here which batch size to use: the first warning says why."
    if analysis.rival is None:
        best = comparison.best
        return f"Only batch size {best} has results; there is nothing to compare it with."
    if not comparison.tested:
        return "With one seed nothing can be told apart: every difference below may be chance."
    return ""


def _nothing_to_rank(analysis: Analysis) -> str:
    counts = analysis.counts
    if counts.run == 0:
        return "No trial has run yet, so nothing can be said."
    if counts.ok == 0:
        return f"None of the {plural(counts.run, 'trial')} has a result, so nothing can be said."
    return "No batch size has a learning rate with a result for every seed, so none can be ranked."


def _accuracy(analysis: Analysis) -> str:
    comparison = analysis.comparison
    if comparison is None:
        return ""
    row, measure = analysis.row(comparison.best), analysis.measure
    statistic = f"mean of {plural(int(row['seeds']), 'seed')}"
    if row.notna()["metric_low"]:
        interval = measure.span(row["metric_low"], row["metric_high"])
        statistic = f"{statistic}; 95% t interval {interval}"
    value = f"{measure.text(row['metric'])} ({statistic})"
    if analysis.rmse_unit:
        error = significant(row["rmse"])
        value = f"{value}, a root mean squared error of {error} in {analysis.rmse_unit}"
    where = f"batch size {comparison.best} at learning rate {rate(row['learning_rate'])}"
    if analysis.rival is None:
        return f"The {analysis.metric} of {where} is {value}."
    if analysis.judged_apart:
        return f"Best on the validation part is {where}; its {analysis.metric} is {value}."
    return f"The highest mean {analysis.metric} has {where}: {value}."


def _separation(analysis: Analysis) -> str:
    comparison, separation = analysis.comparison, analysis.separation
    if comparison is None or separation is None:
        return ""
    gap, signed = separation.difference, analysis.measure.signed
    text = (
        f"Batch size {analysis.rival} differs from batch size {comparison.best} by "
        f"{signed(gap.mean)}{analysis.measure.points} (paired over seeds; 95% t interval "
        f"{signed(gap.low)} to {signed(gap.high)}; "
        f"{_wins(separation.improvement, analysis.measure.better)})"
    )
    if analysis.rival not in comparison.tied:
        return f"{text}, which the tests establish."
    if gap.mean >= 0:
        return f"{text}: no sign of a lower {analysis.measure.name}."
    if separation.more_seeds is None:
        return f"{text}; even {MAX_SEEDS:,} seeds might not establish that."
    more = plural(separation.more_seeds, "more seed")
    # The interval is that of one pair, the tests are of all pairs with the best.
    alone = " As the only pair it would be told apart; of so many, one may be by chance."
    real = f"{text}; about {more} would establish that, if it is real."
    return f"{real}{alone}" if gap.high < 0 else real


def _wins(improvement: Interval, better: str) -> str:
    won = improvement.mean * improvement.count
    return (
        f"{better} on {rate(won)} of {plural(improvement.count, 'seed')}, so with a probability of "
        f"{max(improvement.low, 0):.2f} to {improvement.high:.2f} by Wilson's interval"
    )


def _time(analysis: Analysis) -> str:
    timed = analysis.timed
    if len(timed) < 2:  # noqa: PLR2004
        return ""
    fast, slow = (extreme(timed, "seconds_to_train", largest=largest) for largest in (False, True))
    return (
        f"Training for {analysis.training} takes from {seconds(fast['seconds_to_train'])} at batch "
        f"size {fast['batch_size']} to {seconds(slow['seconds_to_train'])} at batch size "
        f"{slow['batch_size']}: updates multiplied by the median seconds of an update, "
        "timed alone on one thread."
    )


def _tensor(analysis: Analysis) -> str:
    table = analysis.batch_sizes.dropna(subset="speedup")
    if table.empty:
        return ""
    low, high = (extreme(table, "speedup", largest=largest) for largest in (False, True))
    undecided = table.loc[~(table["speedup_low"] > 1), "batch_size"].tolist()
    where = (
        f"not faster in every timing round at batch {sizes(undecided)}"
        if undecided
        else "faster in every timing round"
    )
    ends = (low,) if len(table) == 1 else (low, high)
    ratios = " to ".join(f"{times(e['speedup'])} (batch size {e['batch_size']})" for e in ends)
    return f"By tensor operations an update is {ratios} as fast as one item at a time; {where}."


def _budget(analysis: Analysis) -> str:
    table = analysis.batch_sizes.dropna(subset="updates")
    if len(table) < 2:  # noqa: PLR2004
        return ""
    small, large = table.iloc[0], table.iloc[-1]
    # Trials that stopped early made less of it.
    budget = analysis.plan.budget_updates
    few, many = (budget.get(e["batch_size"], e["updates"]) for e in (large, small))
    if analysis.plan.epochs is not None:
        favours = "Equal epochs favour small batch sizes; equal updates would favour large ones."
    elif many > few:
        favours = (
            "Small batch sizes made more updates of it; equal updates would favour large ones."
        )
    else:
        favours = "Large batch sizes saw more examples; equal epochs would favour small ones."
    others = shared_sentence(analysis) or favours
    return (
        f"Every trial has the same budget, {analysis.budget}: {count(many)} updates "
        f"at batch size {small['batch_size']}, {count(few)} at batch size "
        f"{large['batch_size']}. {others}"
    )


def _outcomes(analysis: Analysis) -> str:
    counts = analysis.counts
    stopped = (
        f"{plural(counts.stopped, 'trial')} stopped before the end of the budget."
        if counts.stopped
        else ""
    )
    if counts.run == counts.ok:
        return stopped
    failures = f" ({counts.failures})" if counts.failed else ""
    return (
        f"Of {plural(counts.run, 'trial')}, {counts.diverged:,} diverged and {counts.failed:,} "
        f"failed{failures}; a learning rate with such a seed is never selected. {stopped}"
    ).strip()

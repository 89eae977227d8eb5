"""What the study says, and what it can't say, in sentences and numbers at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from reports.recommend import Analysis, extreme
from reports.schema import (
    count,
    plural,
    rate,
    seconds,
    significant,
    sizes,
    times,
)
from reports.text.budget_rules import rules_sentence, shared_sentence
from reports.text.instruction import (
    evidence,
    headline,
    near_optimal_sentence,
    price_sentence,
    target_sentence,
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
        "range": _range(analysis),
        "budget": _budget(analysis),
        "time": _time(analysis),
        "tensor": _tensor(analysis),
        "outcomes": _outcomes(analysis),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


def cards(analysis: Analysis) -> list[Card]:
    """Return the numbers to see at a glance; those that aren't known are left out."""
    best, answer, target = analysis.best, analysis.answer, analysis.target
    texts = []
    if answer.batch_size is not None:
        row = analysis.row(answer.batch_size)
        note = f"learning rate {rate(row['learning_rate'])}; {seconds(row['seconds_to_train'])}"
        texts.append(Card("Batch size to use", str(answer.batch_size), note))
    if target.batch_size is not None:
        note = f"learning rate {rate(target.learning_rate or 0)}; {target.sought}"
        texts.append(Card("Fastest to a target", str(target.batch_size), note))
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


def _recommendation(analysis: Analysis) -> str:
    if analysis.reference is None:
        return _nothing_to_rank(analysis)
    return f"{headline(analysis)} {evidence(analysis)}"


def _range(analysis: Analysis) -> str:
    texts = (near_optimal_sentence(analysis), price_sentence(analysis))
    return " ".join(filter(None, texts))


def _goal(analysis: Analysis) -> str:
    return "" if analysis.reference is None else target_sentence(analysis)


def _nothing_to_rank(analysis: Analysis) -> str:
    counts = analysis.counts
    if counts.run == 0:
        return "No trial has run yet, so nothing can be said."
    if counts.ok == 0:
        return f"None of the {plural(counts.run, 'trial')} has a result, so nothing can be said."
    return "No batch size has a learning rate with a result for every seed, so none can be ranked."


def _accuracy(analysis: Analysis) -> str:
    if analysis.reference is None:
        return ""
    row, measure = analysis.row(analysis.reference), analysis.measure
    statistic = f"mean of {plural(int(row['seeds']), 'seed')}"
    if row.notna()["metric_low"]:
        interval = measure.span(row["metric_low"], row["metric_high"])
        statistic = f"{statistic}; 95% t interval {interval}"
    value = f"{measure.text(row['metric'])} ({statistic})"
    if analysis.rmse_unit:
        error = significant(row["rmse"])
        value = f"{value}, a root mean squared error of {error} in {analysis.rmse_unit}"
    where = f"batch size {analysis.reference} with learning rate {rate(row['learning_rate'])}"
    if len(analysis.measured) == 1:
        return f"The {analysis.metric} of {where} is {value}."
    return f"Best on the tuning seeds is {where}; its {analysis.metric} is {value}."


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

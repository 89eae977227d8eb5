"""What the study shows, in sentences and in three cards."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.recommend import Analysis, extreme
from reports.schema import MISSING, capitalised, plural, seconds, significant, sizes, times
from reports.schema.formats import faster
from reports.stats.non_inferiority import WORSE
from reports.text.budget_rules import rules_sentence
from reports.text.finished import critical_alone
from reports.text.instruction import (
    answer_texts,
    evidence,
    seconds_to_target,
    speed_ratio,
    tuned,
    with_rate,
)
from reports.text.reaching_target import range_span, scaling_sentence


@dataclass(frozen=True)
class Statement:
    """One thing the report says."""

    kind: str  # what it is about: a word for programs, never shown
    text: str
    severity: int = 0  # of a warning: 3 may change the answer, 2 makes it less sure, 1 is to know


@dataclass(frozen=True)
class Card:
    """One number to see at a glance."""

    label: str
    value: str  # with its unit
    note: str  # what to know about it


def verdict(analysis: Analysis) -> list[Statement]:
    """Return what the study shows, most important first: the answer, then the rest."""
    error, size = "", analysis.recommended or analysis.reference
    if analysis.rmse_unit and size is not None:
        rmse = f"{significant(analysis.row(size)['rmse'], 3)} in {analysis.rmse_unit}"
        error = f"The root mean squared error is {rmse}, for {tuned(analysis, size)}."
    texts = answer_texts(analysis) | {
        "rules": rules_sentence(analysis),
        "scaling": "" if critical_alone(analysis) else scaling_sentence(analysis),
        "error": error,
        "vectorized": _vectorized(analysis),
        "outcomes": _outcomes(analysis),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


def cards(analysis: Analysis) -> list[Card]:
    """Return three numbers to see at a glance: use, price of going faster, time to the target."""
    if analysis.study.finished and analysis.recommended is None:
        return finished_cards(analysis)
    target, label = analysis.target, "Time to target"
    to_target = Card(label, MISSING, target.reason)
    if target.batch_size is not None:
        note = f"{with_rate(target)}, to {target.sought.removeprefix('the shortest time to ')}"
        to_target = Card(label, seconds(seconds_to_target(analysis)), note)
    return [_use(analysis), _price(analysis), to_target]


def finished_cards(analysis: Analysis) -> list[Card]:
    """Return what finished runs show at a glance: the optimum, the best cell, the critical size."""
    optimum, main = analysis.optimum, analysis.scaling.main
    made = []
    if optimum is not None and not analysis.measured.empty:
        size, interval = optimum.batch_size, optimum.batch_size_interval
        note = optimum.reason or f"95% CI {range_span(interval)}"
        made.append(Card("Optimal batch size", significant(size or math.nan), note))
        row = analysis.row(analysis.best)
        value = f"{analysis.measure.name} {analysis.measure.text(row['metric'])}"
        made.append(Card("Best cell", capitalised(tuned(analysis, analysis.best)), value))
    if main is not None:
        fit = main.fit
        critical = significant(fit.critical_batch_size or math.nan)
        note = fit.reason or f"95% CI {range_span(fit.critical_batch_size_interval)}"
        made.append(Card("Critical batch size", critical, note))
    return made


def _use(analysis: Analysis) -> Card:
    size = analysis.recommended
    if size is None:
        return Card("Use", MISSING, analysis.answer.reason or evidence(analysis))
    row = analysis.row(size)
    duration = row["seconds_to_train"]
    trains = "" if math.isnan(duration) else f"; trains in {seconds(duration)}"
    value = f"{analysis.metric} {analysis.measure.text(row['metric'])}"
    constant = analysis.constant_text and f" ({analysis.constant_text})"
    return Card("Use", capitalised(with_rate(analysis.answer)), f"{value}{constant}{trains}")


def _price(analysis: Analysis) -> Card:
    label, following, measure = "Price of going faster", analysis.answer.next, analysis.measure
    if analysis.recommended is None:
        return Card(label, MISSING, "No batch size is named yet.")
    if following is None:
        unknown = len(analysis.timed) < len(analysis.measured)
        reason = "Update times are missing." if unknown else "No batch size tried trains faster."
        return Card(label, MISSING, reason)
    ratio = speed_ratio(analysis, following)
    note = (
        tuned(analysis, following.batch_size),
        "" if math.isnan(ratio) else f"trains {faster(ratio)}",
        "" if math.isinf(following.upper) else f"loses at most {measure.gap(following.upper)}",
        "shown to be worse" if following.verdict == WORSE else "undecided",
    )
    return Card(label, measure.becomes(-following.mean), "; ".join(filter(None, note)))


def _vectorized(analysis: Analysis) -> str:
    table = analysis.batch_sizes.dropna(subset="speedup")
    if table.empty:
        return ""
    low, high = (extreme(table, "speedup", largest=largest) for largest in (False, True))
    ends = (low,) if len(table) == 1 else (low, high)
    ratios = " to ".join(f"{times(e['speedup'])} (batch size {e['batch_size']})" for e in ends)
    undecided = table.loc[~(table["speedup_low"] > 1), "batch_size"].tolist()
    but = f", but not in every round at batch {sizes(undecided)}" if undecided else ""
    return f"A vectorized update is {ratios} as fast as one example at a time{but}."


def _outcomes(analysis: Analysis) -> str:
    counts, texts = analysis.counts, []
    failures = f" ({counts.failures})" if counts.failed else ""
    if counts.run > counts.ok:
        texts.append(
            f"Of {plural(counts.run, 'trial')}, {counts.diverged:,} diverged and {counts.failed:,} "
            f"failed{failures}. A learning rate with such a seed is never selected."
        )
    if counts.stopped:
        texts.append(f"{plural(counts.stopped, 'trial')} stopped before the end of the budget.")
    return " ".join(texts)

"""The answer in words: what to use, what it costs, how sure it is, and what would make it surer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.recommend import Analysis, Answer
from reports.schema import plural
from reports.schema.formats import MISSING, capitalised, listing, rate, seconds, significant
from reports.stats.non_inferiority import FEWEST_TO_SHOW, UNDECIDED, WORSE, Shortfall

CELL_HEADERS = (
    *("Goal", "Batch size", "Learning rate", "Shown near-optimal", "Loss against the reference"),
    *("Reference", "Fitted model", "Noise scale"),
)
"""What stands in `cell_texts`."""


def headline(analysis: Analysis) -> str:
    """Return the answer as an instruction, or that there is none."""
    answer = analysis.answer
    if answer.batch_size is None:
        return "No batch size can be recommended yet."
    return f"Use {with_rate(answer)}."


def with_rate(answer: Answer) -> str:
    """Return the batch size to use with its learning rate; it has one."""
    if answer.learning_rate is None:
        return f"batch size {answer.batch_size}"
    return f"batch size {answer.batch_size} with learning rate {rate(answer.learning_rate)}"


def evidence(analysis: Analysis) -> str:
    """Return what the batch size to use attains and costs, or why none is named."""
    answer = analysis.answer
    if answer.batch_size is None:
        return f"{answer.reason}{_so_far(analysis)}"
    row, used = analysis.row(answer.batch_size), answer.shortfall(answer.batch_size)
    value = f"{analysis.metric} {analysis.measure.text(row['metric'])}"
    if used.batch_size == answer.reference:
        seeds = f"{value}, {plural(used.seeds, 'seed')}"
        return f"It did best on the tuning seeds{_in_time(analysis)} ({seeds})."
    gap = f"difference {_difference(analysis, used)}, {plural(used.seeds, 'seed')}"
    return f"It trains{_in_time(analysis)} {_loss(analysis, used)} ({value}; {gap})."


def _so_far(analysis: Analysis) -> str:
    if analysis.reference is None or analysis.unlearned:
        return ""
    row = analysis.row(analysis.reference)
    where = f"batch size {analysis.reference} with learning rate {rate(row['learning_rate'])}"
    return f" So far {where} did best on the tuning seeds."


def _in_time(analysis: Analysis) -> str:
    """How long it takes and how much faster that is, to follow a verb."""
    answer = analysis.answer
    own = analysis.row(answer.batch_size or 0)["seconds_to_train"]
    if math.isnan(own):
        return ""
    text = f" in {seconds(own, 2)}"
    if answer.batch_size == answer.reference:
        return f" and trains{text}"
    ratio = analysis.row(analysis.best)["seconds_to_train"] / own
    return f"{text}, {significant(ratio, 2)}x faster than batch size {answer.reference},"


def _loss(analysis: Analysis, used: Shortfall) -> str:
    low, high = used.interval
    if low <= 0 <= high:
        return f"with no measurable loss of {analysis.measure.name}"
    side = "at a loss" if used.mean > 0 else "with a gain"
    return f"{side} of {analysis.measure.gap(used.mean)} of {analysis.measure.name}"


def _difference(analysis: Analysis, used: Shortfall) -> str:
    """Size less reference, with its 95% interval."""
    signed, unit = analysis.measure.signed, analysis.measure.points
    if not used.spread:
        return f"{signed(-used.mean)}{unit}, the same on every seed"
    low, high = used.interval
    return f"{signed(-used.mean)}{unit}, 95% CI {signed(-high)} to {signed(-low)}"


def near_optimal_sentence(analysis: Analysis) -> str:
    """Return which batch sizes are shown to be near-optimal; "" if none is."""
    answer = analysis.answer
    if answer.batch_size is None:
        return ""
    margin = analysis.measure.gap(answer.margin)
    near = [size for size in answer.near_optimal if size != answer.reference]
    if not near:
        return f"No faster batch size is shown to lose at most {margin}."
    return (
        f"Batch {'size' if len(near) == 1 else 'sizes'} {listing(near)} "
        f"{'is' if len(near) == 1 else 'are'} shown to lose at most {margin} against "
        f"batch size {answer.reference}, the best on the tuning seeds."
    )


def price_sentence(analysis: Analysis) -> str:
    """Return what going faster than the batch size to use costs; "" if nothing is faster."""
    answer, following = analysis.answer, analysis.answer.next
    if answer.batch_size is None or following is None:
        return ""
    own, other = (
        analysis.row(size)["seconds_to_train"] for size in (answer.batch_size, following.batch_size)
    )
    faster = "" if math.isnan(other) else f"trains {significant(own / other, 2)}x faster; it "
    gap = analysis.measure.gap
    loses = f"{'loses' if following.mean > 0 else 'gains'} {gap(following.mean)}"
    most = "" if math.isinf(following.upper) else f" (loss of at most {gap(following.upper)})"
    verdict = _verdict(answer, following)
    return f"Batch size {following.batch_size} {faster}{loses}{most}: {verdict}."


def _verdict(answer: Answer, each: Shortfall) -> str:
    if each.verdict == WORSE:
        return "that is shown to be worse"
    if answer.more_seeds is None:
        return "undecided"
    return f"undecided; about {plural(answer.more_seeds, 'more seed')} would decide"


def target_sentence(analysis: Analysis) -> str:
    """Return which batch size reaches a target soonest, or why none can be named."""
    target = analysis.target
    if target.batch_size is None:
        return f"For {target.sought} no batch size can be named. {target.reason}"
    others = [size for size in target.near_optimal if size != target.batch_size]
    also = f" Batch {listing(others)} take at most 10% longer." if others else ""
    return f"For {target.sought}, use {with_rate(target)}.{also}{_estimates(target)}"


def _estimates(target: Answer) -> str:
    """What the models expect, and whether that is what was measured."""
    texts = [
        f"the {each.source} expects {span(each.interval.low, each.interval.high)}"
        f"{' (rough)' if each.weakness else ''}"
        for each in target.estimates
        if each.interval is not None
    ]
    return f" {capitalised(' and '.join(texts))}." if texts else ""


def span(low: float, high: float) -> str:
    """Return a range of batch sizes.

    Example:
        >>> span(16, 64), span(20.4, 20.6), span(8, 8)
        ('16 to 64', '20 to 21', '8')
    """
    first, last = f"{low:.0f}", f"{high:.0f}"
    return first if first == last else f"{first} to {last}"


@dataclass(frozen=True)
class Remedy:
    """What would make the answer surer or better."""

    kind: str  # "time", "seeds" or "larger"
    text: str
    amount: int = 0  # seeds to add, or the batch size to try


def surer(analysis: Analysis) -> list[Remedy]:
    """Return what would make the answer surer or better, the most important first."""
    answer, largest = analysis.answer, analysis.tried[-1]
    remedies, missing = [], _missing_seeds(analysis)
    if missing:
        text = f"Add {plural(missing, 'fresh seed')} (`confirmation_seeds`)."
        remedies.append(Remedy("seeds", text, missing))
    if analysis.timed.empty:
        text = "Measure update times: the fastest size is not known yet."
        remedies.append(Remedy("time", text))
    if answer.next is not None and answer.next.verdict == UNDECIDED and answer.more_seeds:
        more = plural(answer.more_seeds, "fresh seed")
        text = f"Add {more} to decide on batch size {answer.next.batch_size}."
        remedies.append(Remedy("seeds", text, answer.more_seeds))
    if answer.batch_size == largest < analysis.plan.train_items:
        text = f"{largest} is the largest batch size tried; larger ones may be faster."
        remedies.append(Remedy("larger", text, min(2 * largest, analysis.plan.train_items)))
    return remedies


def _missing_seeds(analysis: Analysis) -> int:
    """Fresh seeds without which no size can be named."""
    if analysis.recommended is not None or analysis.reference is None or analysis.unlearned:
        return 0
    fresh = analysis.judged["seed"].nunique() if analysis.part == "test" else 0
    return max(FEWEST_TO_SHOW - fresh, 0) * (1 if analysis.judged_apart or not fresh else 2)


def answer_lines(analysis: Analysis) -> list[str]:
    """Return the answer as at most four lines, the most important first."""
    lines = (
        f"{headline(analysis)} {evidence(analysis)}",
        near_optimal_sentence(analysis),
        price_sentence(analysis),
        target_sentence(analysis),
    )
    return [line for line in lines if line]


def cell_texts(analysis: Analysis, answer: Answer) -> tuple[str, ...]:
    """Return the row of a table, columns `CELL_HEADERS`."""
    used = None if answer.batch_size is None else answer.shortfall(answer.batch_size)
    estimates = [
        MISSING if each.interval is None else span(each.interval.low, each.interval.high)
        for each in answer.estimates
    ]
    return (
        capitalised(answer.sought),
        MISSING if answer.batch_size is None else str(answer.batch_size),
        MISSING if answer.learning_rate is None else rate(answer.learning_rate),
        listing(answer.near_optimal) if used else MISSING,
        MISSING if used is None else _loss_text(analysis, answer, used),
        MISSING if answer.reference is None else str(answer.reference),
        *(estimates or [MISSING, MISSING]),
    )


def _loss_text(analysis: Analysis, answer: Answer, used: Shortfall) -> str:
    if used.batch_size == answer.reference:
        return MISSING
    gap = analysis.measure.gap
    return f"{gap(used.mean)}, at most {gap(used.upper)}"

"""Recommendations in words: a sentence for each goal, who says what, and what would settle it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.recommend.recommendation import (
    AGREE,
    CLOSED_FORM,
    DISAGREE,
    MEASUREMENT,
    NOISE_SCALE,
    Answer,
    Recommendation,
)
from reports.schema.formats import MISSING, capitalised, listing
from reports.stats.bounds import Ends

_WHO = {
    MEASUREMENT: "measurement",
    CLOSED_FORM: "the closed form",
    NOISE_SCALE: "the gradient noise scale",
}


CELL_HEADERS = (
    "Goal",
    "Batch size",
    "Range",
    "Measurement",
    "Closed form",
    "Noise scale",
    "Do they agree",
    "Why this range",
    "It would take",
)
"""What stands in `cell_texts`."""


def cell_texts(found: Recommendation) -> tuple[str, ...]:
    """Return the row of a table, columns `CELL_HEADERS`."""
    return (
        capitalised(found.sought),
        MISSING if found.batch_size is None else str(found.batch_size),
        MISSING if found.interval is None else span(found.interval),
        *map(answer_text, found.answers),
        found.agreement,
        found.reason,
        "; ".join(found.more),
    )


def goal_sentence(found: Recommendation) -> str:
    """Return what is recommended for a goal, who says so and whether they agree."""
    if found.interval is None:
        return f"For {found.sought} no batch size can be named: {_reasons(found.answers)}"
    return f"For {found.sought}: {_named(found)}. {sources_sentence(found)}"


def _named(found: Recommendation) -> str:
    ends = span(found.interval) if found.interval else ""
    if found.batch_size is None:
        return f"a batch size of {ends}"
    alone = ends == str(found.batch_size)
    if alone:
        return f"batch size {found.batch_size}"
    return f"batch size {found.batch_size}; as far as can be told, {ends} are as good"


def sources_sentence(found: Recommendation) -> str:
    """Return what each source says, whether they agree and, if not, which is trusted and why."""
    parts = [f"{_WHO[one.source]} {_says(one)}" for one in found.answers]
    text = listing(parts)
    ending = {AGREE: ": they agree", DISAGREE: ": they disagree"}.get(found.agreement, "")
    reason = _lower(found.reason).removesuffix(".")
    why = f" (trusted is {_WHO[found.trusted]}: {reason})"
    shown = "" if found.agreement == AGREE and found.trusted == MEASUREMENT else why
    return f"{capitalised(text)}{ending}{shown}."


def more_sentence(found: Iterable[Recommendation]) -> str:
    """Return what more data would settle recommendations; "" for nothing."""
    more = list(dict.fromkeys(text for one in found for text in one.more))
    return f"To settle more would take {listing(more)}." if more else ""


def span(ends: Ends) -> str:
    """Return an interval of batch sizes.

    Example:
        >>> span(Ends(16, 64)), span(Ends(20.4, 20.6)), span(Ends(8, 8))
        ('16 to 64', '20 to 21', '8')
    """
    low, high = f"{ends.low:.0f}", f"{ends.high:.0f}"
    return low if low == high else f"{low} to {high}"


def answer_text(answer: Answer) -> str:
    """Return what a source says, for a cell of a table."""
    if answer.interval is None:
        return f"can't say: {_lower(answer.reason)}"
    text = f"up to {answer.interval.high:.0f}" if answer.only_limits else span(answer.interval)
    return f"{text} ({answer.weakness})" if answer.weakness else text


def _says(answer: Answer) -> str:
    if answer.interval is None:
        return "can't say"
    if answer.only_limits:
        return f"says up to {answer.interval.high:.0f}"
    return f"says {span(answer.interval)}"


def _reasons(answers: Sequence[Answer]) -> str:
    told = list(dict.fromkeys(one.reason for one in answers if one.reason))
    return _lower(" ".join(told))


def _lower(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:]}"

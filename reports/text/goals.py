"""Recommendations in words: a sentence for each goal, who says what, and what would settle it."""

from __future__ import annotations

from collections.abc import Iterable

from reports.recommend import Answer, Recommendation
from reports.recommend.recommendation import AGREE, CLOSED_FORM, DISAGREE, MEASUREMENT, NOISE_SCALE
from reports.schema import MISSING, capitalised, listing, lowered
from reports.stats import NOWHERE, Ends

_WHO = {
    MEASUREMENT: "measurement",
    CLOSED_FORM: "the closed form",
    NOISE_SCALE: "the gradient noise scale",
}


CELL_HEADERS = (
    *("Goal", "Batch size", "Range", "Measurement", "Closed form", "Noise scale"),
    *("Do they agree", "Why this range", "It would take"),
)
"""What stands in `cell_texts`."""


def cell_texts(advice: Recommendation) -> tuple[str, ...]:
    """Return the row of a table, columns `CELL_HEADERS`."""
    return (
        capitalised(advice.sought),
        MISSING if advice.batch_size is None else str(advice.batch_size),
        MISSING if advice.interval is None else span(advice.interval),
        *map(answer_text, advice.answers),
        advice.agreement,
        advice.reason,
        "; ".join(advice.more),
    )


def goal_sentence(advice: Recommendation) -> str:
    """Return what is recommended for a goal, who says so and whether they agree."""
    if advice.interval is None:
        reasons = dict.fromkeys(answer.reason for answer in advice.answers if answer.reason)
        return f"For {advice.sought} no batch size can be named: {lowered(' '.join(reasons))}"
    named = (
        f"a batch size of {span(advice.interval)}"
        if advice.batch_size is None
        else f"batch size {advice.batch_size}{as_good(advice)}"
    )
    return f"For {advice.sought}: {named}. {sources_sentence(advice)}"


def as_good(advice: Recommendation) -> str:
    """Return the range around the batch size to use, to follow it; "" for none."""
    ends = span(advice.interval) if advice.interval else ""
    if advice.batch_size is None or ends in {"", str(advice.batch_size)}:
        return ""
    return f"; as far as can be told, {ends} are as good"


def sources_sentence(advice: Recommendation) -> str:
    """Return what each source says, whether they agree and, if not, which is trusted and why."""
    says = {a.source: f"says {_range(a)}" if a.interval else "can't say" for a in advice.answers}
    text = listing([f"{_WHO[source]} {words}" for source, words in says.items()])
    ending = {AGREE: ": they agree", DISAGREE: ": they disagree"}.get(advice.agreement, "")
    reason = lowered(advice.reason).removesuffix(".")
    why = f" (trusted is {_WHO[advice.trusted]}: {reason})"
    shown = "" if advice.agreement == AGREE and advice.trusted == MEASUREMENT else why
    return f"{capitalised(text)}{ending}{shown}."


def more_sentence(recommendations: Iterable[Recommendation]) -> str:
    """Return what more data would settle recommendations; "" for nothing."""
    more = list(dict.fromkeys(text for advice in recommendations for text in advice.more))
    return f"To settle more would take {listing(more)}." if more else ""


def span(ends: Ends) -> str:
    """Return an interval of batch sizes."""
    low, high = f"{ends.low:.0f}", f"{ends.high:.0f}"
    return low if low == high else f"{low} to {high}"


def answer_text(answer: Answer) -> str:
    """Return what a source says, for a cell of a table."""
    if answer.interval is None:
        return f"can't say: {lowered(answer.reason)}"
    return f"{_range(answer)} ({answer.weakness})" if answer.weakness else _range(answer)


def _range(answer: Answer) -> str:
    ends = answer.interval or NOWHERE
    return f"up to {ends.high:.0f}" if answer.only_limits else span(ends)

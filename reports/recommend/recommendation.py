"""One interval of batch sizes for a goal: what three sources say, and which of them is trusted.

Three sources answer, each with an interval of batch sizes or with the reason why it can't:

* **measurement**: the batch sizes that were tried and can't be told from the best;
* **closed form**: what the fitted curves of updates and of seconds per update give;
* **gradient noise scale**: what one number of the gradients predicts.

They agree if their intervals have a point in common. A measured interval ends at batch sizes that
were tried, and what is best among these has its true best anywhere between the next ones on either
side: for this comparison it reaches up to them.

Trusted is the measurement, which assumes no curve, unless it has a weakness that the closed form
hasn't. Where both are sound and agree, the narrower is: a fit pools what all batch sizes show. The
noise scale is never trusted: published ratios of it to the critical batch size run from 0.05 to 8
(McCandlish et al. 2018, table 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from reports.schema.results import Column, as_table
from reports.stats.bounds import Ends

ACCURACY = "accuracy"
"""Goal: the best metric that the study's budget allows."""
TARGET_TIME = "time to target"
"""Goal: a target in the shortest time."""
TIMED_ACCURACY = "accuracy in a given time"
"""Goal: the best metric within a time that all batch sizes train for."""

MEASUREMENT, CLOSED_FORM, NOISE_SCALE = "measurement", "closed form", "gradient noise scale"
SOURCES = (MEASUREMENT, CLOSED_FORM, NOISE_SCALE)
"""What answers, in the order of the report."""

AGREE = "agree"
"""All that answer have a batch size in common."""
DISAGREE = "disagree"
"""Two that answer have none in common."""
ALONE = "alone"
"""Only one answers."""
SILENT = "can't say"
"""None answers that may be trusted."""

_SIDES = ("low", "high", "best")
_SLUGS = {MEASUREMENT: "measured", CLOSED_FORM: "closed_form", NOISE_SCALE: "noise_scale"}
_OF = {
    "low": "smallest batch size as good as the best",
    "high": "largest one",
    "best": "the best one",
}

RECOMMENDATION_COLUMNS = (
    Column("goal", "str", "", f"{ACCURACY}, {TARGET_TIME} or {TIMED_ACCURACY}."),
    Column("sought", "str", "", "The goal in full."),
    Column("batch_size", "Int64", "examples", "Batch size to use; missing if none is named.", True),
    Column("low", "float64", "examples", "Smallest batch size recommended.", volatile=True),
    Column("high", "float64", "examples", "Largest batch size recommended.", volatile=True),
    Column("agreement", "str", "", f"{AGREE}, {DISAGREE}, {ALONE} or {SILENT}.", volatile=True),
    Column("trusted", "str", "", "Whose interval it is.", volatile=True),
    Column("reason", "str", "", "Why it is trusted, or why nothing can be said.", volatile=True),
    *(
        Column(
            f"{_SLUGS[source]}_{side}",
            "float64",
            "examples",
            f"By {source}: {_OF[side]}.",
            volatile=True,
        )
        for source in SOURCES
        for side in _SIDES
    ),
    Column("more", "str", "", "What more data would settle it.", volatile=True),
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one source says.

    Attributes:
        source: One of `SOURCES`.
        interval: Ends of the batch sizes that are as good as the best, as far as it can tell; None
            if it can't say.
        best: The best of them, not rounded; None if it names none.
        reason: Why it can't say; empty if it does.
        weakness: Why it is not to be trusted; empty if it is.
        only_limits: Whether it says no more than which batch sizes are too large.
    """

    source: str
    interval: Ends | None = None
    best: float | None = None
    reason: str = ""
    weakness: str = ""
    only_limits: bool = False


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The batch sizes for one goal.

    Attributes:
        goal: `ACCURACY`, `TARGET_TIME` or `TIMED_ACCURACY`.
        sought: The goal in full, to be read after "for".
        answers: What each source says, in the order of `SOURCES`.
        interval: Ends of the batch sizes recommended; None if nothing can be said.
        batch_size: The one to use, among those tried; None if none is named.
        agreement: `AGREE`, `DISAGREE`, `ALONE` or `SILENT`.
        trusted: The source whose interval it is; empty if there is none.
        reason: Why it is trusted, or why nothing can be said.
        more: What more data would settle it, each to be read after "It would take".
    """

    goal: str
    sought: str
    answers: tuple[Answer, ...]
    interval: Ends | None
    batch_size: int | None
    agreement: str
    trusted: str
    reason: str
    more: tuple[str, ...]

    def answer(self, source: str) -> Answer:
        """Return what a source says."""
        return next(answer for answer in self.answers if answer.source == source)


def reconcile(
    goal: str,
    sought: str,
    batch_sizes: Sequence[int],
    answers: Sequence[Answer],
    more: Iterable[str] = (),
) -> Recommendation:
    """Return the recommendation that answers add up to.

    Example:
        >>> measured = Answer(source=MEASUREMENT, interval=Ends(16, 64), best=32)
        >>> closed = Answer(source=CLOSED_FORM, interval=Ends(20, 45), best=30.0)
        >>> noise = Answer(source=NOISE_SCALE, reason="Gradients were not measured.")
        >>> found = reconcile(TARGET_TIME, "a target", [8, 16, 32, 64], [measured, closed, noise])
        >>> found.interval, found.batch_size, found.agreement, found.trusted
        (Ends(low=20, high=45), 32, 'agree', 'closed form')
    """
    given = [answer for answer in answers if answer.interval is not None]
    trusted, reason = _trusted(given, batch_sizes)
    use = _to_use(trusted, answers, batch_sizes) if trusted else None
    return Recommendation(
        goal=goal,
        sought=sought,
        answers=tuple(answers),
        interval=trusted.interval if trusted else None,
        batch_size=use,
        agreement=_agreement(given, use, batch_sizes) if trusted else SILENT,
        trusted=trusted.source if trusted else "",
        reason=reason,
        more=tuple(more),
    )


def recommendation_table(recommendations: Iterable[Recommendation]) -> pd.DataFrame:
    """Return recommendations as a table.

    Columns `RECOMMENDATION_COLUMNS`.
    """
    rows = [
        {
            **{name: getattr(advice, name) for name in _COPIED},
            "low": advice.interval.low if advice.interval else None,
            "high": advice.interval.high if advice.interval else None,
            **{f"{_SLUGS[a.source]}_{s}": _side(a, s) for a in advice.answers for s in _SIDES},
            "more": "; ".join(advice.more),
        }
        for advice in recommendations
    ]
    names = [column.name for column in RECOMMENDATION_COLUMNS]
    return as_table(pd.DataFrame(rows, columns=names), RECOMMENDATION_COLUMNS)


_COPIED = ("goal", "sought", "batch_size", "agreement", "trusted", "reason")


def _side(answer: Answer, side: str) -> float | None:
    return answer.best if side == "best" else getattr(answer.interval, side, None)


def _trusted(given: Sequence[Answer], batch_sizes: Sequence[int]) -> tuple[Answer | None, str]:
    """Return the answer that is trusted, if any, and why it is, or why none is."""
    usable = [answer for answer in given if answer.source != NOISE_SCALE]
    if not usable:
        return None, (
            "Only the gradient noise scale answers, which alone is no ground to stand on."
            if given
            else "None of the three sources can say."
        )
    # The order among equals is that of `SOURCES`.
    first = min(usable, key=lambda answer: (answer.only_limits, bool(answer.weakness)))
    others = [answer for answer in usable if answer is not first]
    if not others:
        return first, _alone(given)
    (other,) = others
    if other.weakness or other.only_limits:
        return first, _sounder(first, other)
    if first.weakness or not _overlap([first, other], batch_sizes):
        return first, "It is measured and assumes no curve."
    if _width(other) < _width(first):
        return (
            other,
            "It agrees with the measurement and is narrower, as all batch sizes bear on it.",
        )
    return first, "It is measured, assumes no curve and is no wider than the closed form."


def _alone(given: Sequence[Answer]) -> str:
    others = "" if len(given) == 1 else " beside the gradient noise scale, which only confirms"
    return f"Nothing else answers{others}."


def _sounder(first: Answer, other: Answer) -> str:
    if other.only_limits:
        return "It is measured; the others only say which batch sizes are too large."
    if not first.weakness:
        return f"The {other.source} is weak: {other.weakness}."
    return "It is measured and assumes no curve."


def _agreement(given: Sequence[Answer], use: int | None, batch_sizes: Sequence[int]) -> str:
    if len(given) == 1:
        return ALONE
    # A limit is no help to a batch size beyond it, even if smaller ones would do as well.
    limits = [_reach(answer, batch_sizes) for answer in given if answer.only_limits]
    kept = use is None or all(use <= ends.high for ends in limits)
    return AGREE if kept and _overlap(given, batch_sizes) else DISAGREE


def _overlap(given: Sequence[Answer], batch_sizes: Sequence[int]) -> bool:
    reached = [_reach(answer, batch_sizes) for answer in given]
    return max(ends.low for ends in reached) <= min(ends.high for ends in reached)


def _reach(answer: Answer, batch_sizes: Sequence[int]) -> Ends:
    """An answer as far as the sizes tried can tell it from others: to those next to it."""
    ends = answer.interval or Ends(0.0, math.inf)
    if answer.source != MEASUREMENT and not answer.only_limits:
        return ends
    below = max((size for size in batch_sizes if size < ends.low), default=ends.low)
    above = min((size for size in batch_sizes if size > ends.high), default=ends.high)
    return Ends(below, above)


def _width(answer: Answer) -> float:
    ends = answer.interval or Ends(0.0, math.inf)
    return math.inf if ends.low <= 0 else ends.high / ends.low


def _to_use(trusted: Answer, answers: Sequence[Answer], batch_sizes: Sequence[int]) -> int | None:
    """The best measured one if it is recommended too, or else the tried one nearest to the best."""
    ends = trusted.interval or Ends(0.0, math.inf)
    measured = next(answer.best for answer in answers if answer.source == MEASUREMENT)
    if measured is not None and ends.low <= measured <= ends.high:
        return int(measured)
    if trusted.best is None:
        return None
    best = trusted.best
    return min(batch_sizes, key=lambda size: abs(math.log(size / best)))

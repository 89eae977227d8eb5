"""One interval of batch sizes for a goal: what three sources say, and which of them is trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

import pandas as pd

from reports.schema import Column, as_table
from reports.stats import NOWHERE, Ends

ACCURACY = "accuracy"  # the best metric that the study's budget allows
TARGET_TIME = "time to target"  # a target in the shortest time
TIMED_ACCURACY = "accuracy in a given time"  # the best metric within a time that all train for

MEASUREMENT, CLOSED_FORM, NOISE_SCALE = "measurement", "closed form", "gradient noise scale"
SOURCES = (MEASUREMENT, CLOSED_FORM, NOISE_SCALE)
"""What answers: batch sizes not told from the best, fitted curves, one number of the gradients."""

AGREE, DISAGREE = "agree", "disagree"  # whether all that answer have a batch size in common
ALONE = "alone"  # only one answers
SILENT = "can't say"  # none answers that may be trusted

_SLUGS = {MEASUREMENT: "measured", CLOSED_FORM: "closed_form", NOISE_SCALE: "noise_scale"}
_SIDES = {
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
        Column(f"{slug}_{side}", "float64", "examples", f"By {source}: {meaning}.", volatile=True)
        for source, slug in _SLUGS.items()
        for side, meaning in _SIDES.items()
    ),
    Column("more", "str", "", "What more data would settle it.", volatile=True),
)


@dataclass(frozen=True)
class Answer:
    """What one source says: an interval of batch sizes, or the reason why it can't."""

    source: str
    _: KW_ONLY
    interval: Ends | None = None  # of the batch sizes that are as good as the best
    best: float | None = None  # not rounded
    reason: str = ""  # why it can't say
    weakness: str = ""  # why it is not to be trusted
    only_limits: bool = False  # whether it says no more than which batch sizes are too large

    @property
    def several(self) -> bool:
        """Whether its interval is more than one batch size."""
        return self.interval is not None and self.interval.low < self.interval.high


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The batch sizes for one goal."""

    goal: str
    sought: str  # the goal in full, to be read after "for"
    answers: tuple[Answer, ...]  # in the order of `SOURCES`
    interval: Ends | None  # recommended
    batch_size: int | None  # to use, among those tried
    agreement: str
    trusted: str  # the source whose interval it is; "" if there is none
    reason: str  # why it is trusted, or why nothing can be said
    more: tuple[str, ...]  # data that would settle it, each to be read after "It would take"

    def answer(self, source: str) -> Answer:
        """Return what a source says."""
        return self.answers[SOURCES.index(source)]


def reconcile(
    goal: str,
    sought: str,
    batch_sizes: Sequence[int],
    answers: Sequence[Answer],
    more: Iterable[str] = (),
) -> Recommendation:
    """Return the recommendation that answers, in the order of `SOURCES`, add up to.

    Trusted is the measurement, which assumes no curve, unless it has a weakness that the closed
    form hasn't; where both are sound and agree, the narrower. Never the noise scale: published
    ratios of it to the critical batch size run from 0.05 to 8 (McCandlish et al. 2018, table 1).
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
    """Return recommendations as a table: columns `RECOMMENDATION_COLUMNS`."""
    names = [column.name for column in RECOMMENDATION_COLUMNS]
    rows = [_row(advice) for advice in recommendations]
    return as_table(pd.DataFrame(rows, columns=names), RECOMMENDATION_COLUMNS)


def _row(advice: Recommendation) -> dict[str, object]:
    low, high = advice.interval or NOWHERE
    sides = {
        f"{_SLUGS[answer.source]}_{side}": value
        for answer in advice.answers
        for side, value in zip(_SIDES, (*(answer.interval or NOWHERE), answer.best), strict=True)
    }
    return {**vars(advice), "low": low, "high": high, **sides, "more": "; ".join(advice.more)}


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

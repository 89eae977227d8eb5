"""The record of an answer: which batch size to use, with its learning rate, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from reports.schema.results import Column, table_of
from reports.stats import NOWHERE
from reports.stats.bounds import Ends
from reports.stats.non_inferiority import Shortfall

ACCURACY, TARGET_TIME = "accuracy", "time to target"
"""Goals: the best metric that the budget allows, and a target in the shortest time."""
FITTED, NOISE_SCALE = "fitted model", "gradient noise scale"
"""What else speaks of the time to a target: curves of updates and of seconds, and one number of the
gradients. Published ratios of the latter to the critical batch size run from 0.05 to 8 (McCandlish
et al. 2018, table 1)."""


@dataclass(frozen=True)
class Estimate:
    """The batch size that a model expects to reach the target soonest, or why it expects none."""

    source: str
    interval: Ends | None = None
    best: float | None = None  # not rounded
    reason: str = ""  # why there is none
    weakness: str = ""  # why it is rough


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Which batch size to use for a goal, with its learning rate."""

    goal: str
    sought: str  # the goal in full, to be read after "for"
    margin: float  # loss that is accepted: of the metric, or of log seconds
    reference: int | None = None  # the best on the tuning seeds
    batch_size: int | None = None  # to use
    learning_rate: float | None = None
    compared: tuple[Shortfall, ...] = ()  # the reference and what was tested, in that order
    more_seeds: int | None = None  # that would probably decide on the next size in the order
    reason: str = ""  # why no batch size is named
    estimates: tuple[Estimate, ...] = ()

    @property
    def near_optimal(self) -> list[int]:
        """The batch sizes shown to be near-optimal, ascending; the reference is one of them."""
        return sorted(each.batch_size for each in self.compared if each.shown)

    @property
    def next(self) -> Shortfall | None:
        """The first size in the order that isn't shown to be near-optimal."""
        return next((each for each in self.compared if not each.shown), None)

    def shortfall(self, batch_size: int) -> Shortfall:
        """Return what one of the compared batch sizes loses against the reference."""
        return next(each for each in self.compared if each.batch_size == batch_size)


ANSWER_COLUMNS = (
    Column("goal", "str", "", f"{ACCURACY} or {TARGET_TIME}."),
    Column("sought", "str", "", "The goal in full."),
    Column("batch_size", "Int64", "examples", "Batch size to use; missing if none is named.", True),
    Column("learning_rate", "float64", "", "Its learning rate.", True),
    Column("reference", "Int64", "examples", "Batch size that did best on the tuning seeds."),
    Column("margin", "float64", "", "Loss that is accepted: of the metric, or of log seconds."),
    Column("near_low", "float64", "examples", "Smallest batch size shown near-optimal.", True),
    Column("near_high", "float64", "examples", "Largest batch size shown near-optimal.", True),
    Column("seeds", "Int64", "seeds", "Fresh seeds that the size to use is judged by.", True),
    Column("shortfall", "float64", "", "What it loses against the reference: mean.", True),
    Column("shortfall_high", "float64", "", "One-sided 95% limit from above.", True),
    Column("next", "Int64", "examples", "The next size tested, which is not shown.", True),
    Column("more_seeds", "Int64", "seeds", "Seeds that would probably decide on it.", True),
    *(
        Column(f"{slug}_{side}", "float64", "examples", f"By the {source}: {what}.", True)
        for slug, source in (("fitted", FITTED), ("noise_scale", NOISE_SCALE))
        for side, what in (
            ("best", "the fastest to the target"),
            ("low", "lower bound of its interval"),
            ("high", "upper bound of its interval"),
        )
    ),
    Column("reason", "str", "", "Why no batch size is named.", True),
)


def answer_table(answers: Iterable[Answer]) -> pd.DataFrame:
    """Return answers as a table: columns `ANSWER_COLUMNS`."""
    return table_of(map(answer_row, answers), ANSWER_COLUMNS)


def answer_row(answer: Answer) -> dict[str, object]:
    """Return an answer by `ANSWER_COLUMNS`."""
    near = answer.near_optimal if answer.batch_size is not None else []
    used = None if answer.batch_size is None else answer.shortfall(answer.batch_size)
    following = answer.next
    row = vars(answer) | {
        "near_low": near[0] if near else None,
        "near_high": near[-1] if near else None,
        "seeds": used.seeds if used else None,
        "shortfall": used.mean if used else None,
        "shortfall_high": used.upper if used else None,
        "next": following.batch_size if following else None,
    }
    for slug, estimate in zip(("fitted", "noise_scale"), answer.estimates, strict=False):
        low, high = estimate.interval or NOWHERE
        row |= {f"{slug}_best": estimate.best, f"{slug}_low": low, f"{slug}_high": high}
    return row

"""Which batch sizes are shown to be near-optimal: non-inferiority to a reference, in a fixed order.

The reference is chosen on other seeds than those that judge it and the order of the tests is set
beforehand: each test keeps the full level, and the first that fails ends the sequence (Maurer,
Hothorn & Lehmacher 1995, Multiple comparisons in drug clinical trials and preclinical assays).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from reports.schema import FEWEST_TO_SHOW
from reports.stats._differences import sizes_of
from reports.stats.bounds import Ends
from reports.stats.intervals import CONFIDENCE, POWER, t_quantile
from reports.stats.paired_tests import FEWEST

REFERENCE, NEAR_OPTIMAL = "reference", "near-optimal"
UNDECIDED = "undecided"  # not shown to be near-optimal, nor to be worse
WORSE = "worse"  # by more than the margin
SLOWER = "slower"  # than the reference, and not worse: there is no reason to use it


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """What a batch size loses against the reference, in the unit of the values."""

    batch_size: int
    mean: float  # of reference less size over their common seeds; NaN if there are none
    lower: float  # one-sided 95% limit; -inf with fewer than two common seeds
    upper: float  # the same from above
    spread: float  # standard deviation of the differences
    seeds: int
    degrees: int  # of freedom of the spread
    verdict: str

    @property
    def shown(self) -> bool:
        """Whether it is near-optimal: the reference, or shown to be."""
        return self.verdict in {REFERENCE, NEAR_OPTIMAL}

    @property
    def interval(self) -> Ends:
        """The two-sided 95% interval of the mean, infinite with fewer than two common seeds."""
        if math.isnan(self.spread):
            return Ends(-math.inf, math.inf)
        quantile = t_quantile(max(self.degrees, 1), (1 + CONFIDENCE) / 2)
        half = quantile * self.spread / math.sqrt(max(self.seeds, 1))
        return Ends(self.mean - half, self.mean + half)


def compare_in_order(
    values: pd.DataFrame,
    order: Sequence[int],
    margin: float,
    step: float = 0.0,
    *,
    pilot: Collection[int] = (),
) -> tuple[Shortfall, ...]:
    """Compare batch sizes with the first of them, one after the other, until a test fails.

    A size after that is undecided however good it looks, or worse if it is shown to be. No spread
    is below half a `step`, the smallest difference of two values; `pilot`: see `shortfall`.
    """
    reference, *others = order
    first = shortfall(values, reference, reference, margin, step, pilot=pilot)
    compared, intact = [first], True
    for size in others:
        each = shortfall(values, reference, size, margin, step, pilot=pilot)
        intact = intact and each.verdict == NEAR_OPTIMAL
        if each.verdict == NEAR_OPTIMAL and not intact:
            each = replace(each, verdict=UNDECIDED)
        compared.append(each)
    return tuple(compared)


def shortfall(
    values: pd.DataFrame,
    reference: int,
    size: int,
    margin: float,
    step: float = 0.0,
    *,
    pilot: Collection[int] = (),
) -> Shortfall:
    """Return what a batch size loses against another, by a test of its own.

    Where the spread over a pilot decided how many seeds run, its own spread and degrees of freedom
    make the test exact (Stein 1945).
    """
    paired = (values[reference] - values[size]).dropna()
    differences, first = paired.to_numpy(np.float64), paired[paired.index.isin(pilot)]
    seeds = differences.size
    mean = float(differences.mean()) if seeds else math.nan
    spread, half = math.nan, math.inf
    judging = first.to_numpy(np.float64) if len(first) >= FEWEST_TO_SHOW else differences
    degrees = judging.size - 1
    if reference == size:
        spread = half = 0.0
    elif seeds >= FEWEST:
        spread = max(float(judging.std(ddof=1)), step / 2)
        half = t_quantile(degrees, CONFIDENCE) * spread / math.sqrt(seeds)
    verdict = WORSE if mean - half > margin else UNDECIDED
    if reference == size:
        verdict = REFERENCE
    elif seeds >= FEWEST_TO_SHOW and mean + half <= margin:
        verdict = NEAR_OPTIMAL
    return Shortfall(
        batch_size=size,
        mean=mean,
        lower=mean - half,
        upper=mean + half,
        spread=spread,
        seeds=seeds,
        degrees=degrees,
        verdict=verdict,
    )


def seeds_to_show(
    spread: float, distance: float, most: int, power: float = POWER, degrees: float = math.inf
) -> int:
    """Return how many seeds show that a loss is within the margin; `most` if fewer don't.

    By the spread of paired differences and the distance of the true loss from the margin, with at
    most `degrees` of freedom: those of a pilot (Stein 1945, A two-sample test for a linear
    hypothesis whose power is independent of the variance).
    """
    if not spread:
        return FEWEST_TO_SHOW
    counts = np.arange(FEWEST_TO_SHOW, most)
    free = np.minimum(counts - 1, degrees)
    quantiles = special.stdtrit(free, CONFIDENCE)
    missed = special.nctdtr(free, distance / spread * np.sqrt(counts), quantiles)
    enough = np.flatnonzero(missed <= 1 - power)
    return int(counts[enough[0]]) if enough.size else most


def seeds_by_spread(
    compared: Sequence[Shortfall], margin: float, most: int, power: float = POWER
) -> int:
    """Return how many seeds show that a size which loses nothing is within the margin, 0 for none.

    By the median spread of those that aren't shown to be worse; `most` if fewer don't.
    """
    tested = [each for each in compared if each.verdict not in {REFERENCE, WORSE}]
    if not tested:
        return 0
    spreads = [each.spread for each in tested if not math.isnan(each.spread)]
    pilot = min(each.degrees for each in tested)
    degrees = pilot if pilot + 1 >= FEWEST_TO_SHOW else math.inf
    return seeds_to_show(float(np.median(spreads or [0.0])), margin, most, power, degrees)


def possible_best(values: pd.DataFrame, step: float = 0.0) -> tuple[int, ...]:
    """Return the batch sizes among which the true best is, with 95% confidence.

    All but those that another size is shown to beat, by one-sided paired t tests adjusted by
    Bonferroni's method over the others. Source: Hsu 1984, Constrained simultaneous confidence
    intervals for multiple comparisons with the best.
    """
    table = values.to_numpy(np.float64)
    level = (1 - CONFIDENCE) / max(table.shape[1] - 1, 1)
    differences = table[:, :, None] - table[:, None, :]
    counts = (~np.isnan(differences)).sum(axis=0)
    means = np.nansum(differences, axis=0) / np.maximum(counts, 1)
    squares = np.nansum((differences - means) ** 2, axis=0)
    degrees = np.maximum(counts - 1, 1)
    spreads = np.maximum(np.sqrt(squares / degrees), step / 2)
    halves = special.stdtrit(degrees, 1 - level) * spreads / np.sqrt(np.maximum(counts, 1))
    beaten = ((counts >= FEWEST) & (means > halves)).any(axis=0)
    return tuple(size for size, loses in zip(sizes_of(values), beaten, strict=True) if not loses)

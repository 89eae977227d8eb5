"""Comparisons that bear on a claim: what is compared, and how sure one can be of either answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from reports.schema import MISSING, Column, Measure, significant, times
from reports.stats import CONFIDENCE, FEWEST, holm
from reports.stats.intervals import pool, t_quantile

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
MIXED = "depends on the data"
NOT_STUDIED = "not studied here"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, MIXED, UNDECIDED, NOT_STUDIED)

LEVEL = (1 - CONFIDENCE) / 2  # how often comparisons support a claim, or oppose it, by chance

DIFFERENCE, RATIO, SHARE = "difference", "ratio", "share"  # of the metric, times, of the loss
LEAST_SHARE = 1e-6  # shares below this are all written alike

EVIDENCE_COLUMNS = (
    Column("claim", "str", "", "The claim, C1 to C7."),
    Column("comparison", "str", "", "What is compared: see the claim's sentence."),
    Column("group", "str", "", "Where: the configuration, or the two that are compared."),
    Column("dataset", "str", "", "Name of the dataset."),
    Column("judges", "bool", "", "Whether it judges the claim, or is only shown."),
    Column("budget", "str", "", "Budget rule under which it is compared.", volatile=True),
    Column("verdict", "str", "", "Of this comparison, Holm's method over its kind.", volatile=True),
    Column("unit", "str", "", "difference: of the metric; ratio: times; share: of the loss."),
    Column("effect", "float64", "", "Mean over seeds or rounds; of ratios, geometric.", True),
    Column("low", "float64", "", "Lower bound of its 95% t interval.", volatile=True),
    Column("high", "float64", "", "Upper bound.", volatile=True),
    Column("count", "int64", "", "Seeds, or rounds of the benchmark.", volatile=True),
)


@dataclass(frozen=True)
class Mean:
    """A mean with its standard error; NaN where there is none."""

    value: float
    error: float
    degrees: int

    def p_above(self, bound: float) -> float:
        """Return the p value of a t test that the true mean exceeds a bound; 1 without an error."""
        if math.isnan(self.error):
            return 1.0
        gap = self.value - bound
        if self.error == 0:
            return float(gap <= 0)
        return float(special.stdtr(self.degrees, -gap / self.error))


@dataclass(frozen=True)
class Finding:
    """An effect with its interval."""

    unit: str
    effect: float  # mean over seeds or timing rounds, geometric but of differences; may be NaN
    low: float  # of its 95% t interval; NaN with fewer than two seeds
    high: float
    count: int  # seeds or timing rounds behind it


UNKNOWN = Finding(DIFFERENCE, math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class Kind:
    """A kind of comparison: whether its mean lies beyond a bound, and its words."""

    unit: str
    bound: float
    negligible: float | None = None  # where too small effects end; the bound itself, if not given
    below: bool = False  # whether the claim is a mean below the bound, or else above
    in_margins: bool = False  # whether both are multiples of the accepted loss
    timed: bool = False  # whether values are by round of the benchmark, or else by seed
    shown: bool = False  # whether the metric is the one the report shows, or else validation's
    text: str = ""  # in which words it is reported
    ends: str = ""  # between what, if configurations or seeds differ in the batch sizes
    judges: bool = True  # or is only shown


@dataclass(frozen=True)
class Sample:
    """One comparison."""

    comparison: str  # name of its kind: those of one kind are adjusted and averaged together
    group: str  # label of the configuration, or of both
    dataset: str
    budget: str  # the budget rule
    metric: str  # what a difference is of, such as "test accuracy"; only alike ones are averaged
    measure: Measure  # how it is written
    values: pd.Series[float]  # by seed or timing round; logarithms of ratios and shares
    kind: Kind
    margin: float = 1.0  # loss that is accepted, in the unit of the values
    step: float = 0.0  # smallest difference of two values: no spread is below half of it
    ends: tuple[int, int] | None = None  # batch sizes compared, if seeds don't differ in them
    verdict: str = UNDECIDED

    @property
    def unit(self) -> float:
        """What the bounds of its kind are multiples of."""
        return self.margin if self.kind.in_margins else 1.0

    @property
    def finding(self) -> Finding:
        """The effect over seeds or rounds."""
        return finding_of(mean_of(self.values, self.step), self.kind.unit, len(self.values))

    @property
    def finite(self) -> bool:
        """Whether all values are."""
        return bool(np.isfinite(self.values).all())

    def p_values(self, mean: Mean) -> tuple[float, float]:
        """Return the p values, by a mean of such values, of the claim and of its opposite."""
        kind, sign = self.kind, -1 if self.kind.below else 1
        limit = kind.bound if kind.negligible is None else kind.negligible
        claimed, opposite = (replace(mean, value=side * mean.value) for side in (sign, -sign))
        least, most = (sign * bound * self.unit for bound in (kind.bound, limit))
        return claimed.p_above(least), opposite.p_above(-most)

    def text(self, value: float) -> str:
        """Return an effect in its unit."""
        if math.isnan(value):
            return MISSING
        if self.kind.unit == RATIO:
            return times(value)
        if self.kind.unit == SHARE:
            least = f"under {100 * LEAST_SHARE:.4f}%"
            return least if value < LEAST_SHARE else f"{significant(100 * value)}%"
        return self.measure.change(value)

    def span(self, low: float, high: float) -> str:
        """Return an interval in its unit."""
        if math.isnan(low):
            return MISSING
        if self.kind.unit not in {RATIO, SHARE}:
            return f"{self.measure.signed_span(low, high)}{self.measure.points}"
        return f"{self.text(low)} to {self.text(high)}"


def mean_of(values: pd.Series[float], step: float = 0.0) -> Mean:
    """Return the mean of values, whose spread is at least half a step; NaN if one is infinite."""
    count = len(values)
    if not count or not np.isfinite(values).all():
        return Mean(math.nan, math.nan, 0)
    if count < FEWEST:
        return Mean(float(values.mean()), math.nan, 0)
    spread = max(float(values.std()), step / 2)
    return Mean(float(values.mean()), spread / math.sqrt(count), count - 1)


def finding_of(mean: Mean, unit: str, count: int) -> Finding:
    """Return a mean with its interval, logarithms undone."""
    half = math.nan
    if not math.isnan(mean.error):
        half = t_quantile(mean.degrees, 1 - LEVEL) * mean.error
    effect, low, high = mean.value, mean.value - half, mean.value + half
    if unit != DIFFERENCE:
        effect, low, high = (float(np.exp(value)) for value in (effect, low, high))
    return Finding(unit, effect, low, high, count)


def judged(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Judge comparisons kind by kind, adjusted by Holm's method over those of one kind."""
    # Support comes first: an effect that is shown is there, even if it is too small to count.
    evidence: list[Sample] = []
    for kind in dict.fromkeys(sample.comparison for sample in samples):
        alike = [sample for sample in samples if sample.comparison == kind]
        adjusted = map(holm, zip(*map(_p_values, alike), strict=True))
        answers = [_answer(*both) for both in zip(*adjusted, strict=True)]
        evidence += [replace(s, verdict=v) for s, v in zip(alike, answers, strict=True)]
    return tuple(evidence)


def _p_values(sample: Sample) -> tuple[float, float]:
    """By a t test; where values are infinite, by a sign test, which can only support."""
    if not np.isinf(sample.values).any():
        return sample.p_values(mean_of(sample.values, sample.step))
    above = int((sample.values > sample.kind.bound * sample.unit).sum())
    return float(special.bdtrc(above - 1, len(sample.values), 0.5)), 1.0


def _answer(supports: float, opposes: float) -> str:
    if supports <= LEVEL:
        return SUPPORTED
    return NOT_SUPPORTED if opposes <= LEVEL else UNDECIDED


def pooled(evidence: Sequence[Sample]) -> Finding:
    """Return the effect over several comparisons: see `_together`."""
    mean, count = _together([each for each in evidence if each.finite])
    return finding_of(mean, evidence[0].kind.unit, count)


def datasets_of(evidence: Sequence[Sample]) -> list[str]:
    """Return the names of the datasets compared, each once."""
    return [*dict.fromkeys(each.dataset for each in evidence)]


def _together(evidence: Sequence[Sample]) -> tuple[Mean, int]:
    """Return the mean over datasets, and how many seeds or rounds the smallest of them has."""
    # Comparisons of a dataset are averaged within each common seed or round. Several datasets are
    # pooled with the variance between them, as effects differ from one to the other.
    if len({each.metric for each in evidence}) != 1:
        return Mean(math.nan, math.nan, 0), 0
    step = max(each.step for each in evidence)
    values = [
        pd.concat([each.values for each in evidence if each.dataset == name], axis=1)
        .dropna()
        .mean(axis="columns")
        for name in datasets_of(evidence)
    ]
    means, count = [mean_of(each, step) for each in values], min(map(len, values))
    if len(means) == 1:
        return means[0], count
    if any(math.isnan(mean.error) for mean in means):
        return Mean(float(np.mean([mean.value for mean in means])), math.nan, 0), count
    pair = pool([mean.value for mean in means], [mean.error for mean in means])
    return Mean(*pair, len(means) - 1), count


def overall(evidence: Sequence[Sample]) -> str:
    """Return the verdict of several comparisons of one kind."""
    # The one that they share; or else, if none contradicts another, that of their mean.
    verdicts = {each.verdict for each in evidence}
    if {SUPPORTED, NOT_SUPPORTED} <= verdicts:
        return MIXED
    if len(verdicts) == 1 and UNDECIDED not in verdicts:
        return verdicts.pop()
    if not all(each.finite for each in evidence):
        return UNDECIDED
    return _answer(*evidence[0].p_values(_together(evidence)[0]))

"""Comparisons that bear on a claim: what is compared, and how sure one can be of either answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from reports.schema import MISSING, Column, Measure, significant, times
from reports.stats import CONFIDENCE, FEWEST, holm, t_interval

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "can't be told"
MIXED = "depends on the data"
NOT_STUDIED = "not studied here"
VERDICTS = (SUPPORTED, CONTRADICTED, MIXED, UNDECIDED, NOT_STUDIED)

LEVEL = (1 - CONFIDENCE) / 2
"""How often, at most, a claim's comparisons support it, or contradict it, by chance."""

DIFFERENCE, RATIO, SHARE = "difference", "ratio", "share"
"""Units of an effect: of the metric, how many times, or a share of the loss."""
LEAST_SHARE = 1e-6  # shares below this are all written alike

EVIDENCE_COLUMNS = (
    Column("claim", "str", "", "The claim, C1 to C7."),
    Column("comparison", "str", "", "What is compared: see the claim's sentence."),
    Column("group", "str", "", "Where: the group, or the two groups that are compared."),
    Column("dataset", "str", "", "Name of the dataset."),
    Column("judges", "bool", "", "Whether it judges the claim, or is shown beside it."),
    Column("budget", "str", "", "Budget rule under which it is compared.", volatile=True),
    Column("verdict", "str", "", "Of this comparison, Holm's method over its kind.", volatile=True),
    Column(
        "unit", "str", "", "difference: of the metric; ratio: how many times; share: of the loss."
    ),
    Column(
        "effect", "float64", "", "Mean over seeds or rounds, geometric but of differences.", True
    ),
    Column("low", "float64", "", "Lower end of its 95% t interval.", volatile=True),
    Column("high", "float64", "", "Upper end, likewise.", volatile=True),
    Column("count", "int64", "", "Seeds, or rounds of the timing pass.", volatile=True),
)


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
    """A kind of comparison, and the test of a claim that its mean lies beyond a bound.

    Effects from the bound to `negligible` are too small to count: where the mean is established to
    be on this side of that, the claim is contradicted.
    """

    unit: str
    bound: float
    negligible: float | None = None  # the bound itself, if not given
    below: bool = False  # whether the claim is a mean below the bound, or else above
    timed: bool = False  # whether values are by round of the timing pass, or else by seed
    shown: bool = False  # whether the metric is the one the report shows, or else validation's

    def p_values(self, values: pd.Series[float]) -> tuple[float, float]:
        """Return the p values of the claim's opposite and of the claim."""
        sign = -1 if self.below else 1
        limit = self.bound if self.negligible is None else self.negligible
        return p_above(sign * values, sign * self.bound), p_above(-sign * values, -sign * limit)


@dataclass(frozen=True)
class Sample:
    """One comparison before it is judged."""

    comparison: str  # name of its kind: those of one kind are adjusted and averaged together
    group: str  # label of the group, or of both groups
    dataset: str
    budget: str  # the budget rule
    metric: str  # what a difference is of, such as "test accuracy"; only alike ones are averaged
    measure: Measure  # how it is written
    values: pd.Series[float]  # by seed or timing round; logarithms of ratios and shares
    kind: Kind
    ends: tuple[int, int] | None = None  # batch sizes, of a change along all of those between

    def text(self, value: float) -> str:
        """Return an effect in its unit."""
        if math.isnan(value):
            return MISSING
        if self.kind.unit == RATIO:
            return times(value)
        if self.kind.unit == SHARE:
            least = f"under {100 * LEAST_SHARE:.4f}%"
            return least if value < LEAST_SHARE else f"{significant(100 * value)}%"
        return f"{self.measure.signed(value)}{self.measure.points}"

    def span(self, low: float, high: float) -> str:
        """Return an interval in its unit."""
        if math.isnan(low):
            return MISSING
        return f"{self.text(low).removesuffix(self.measure.points)} to {self.text(high)}"


@dataclass(frozen=True)
class Evidence:
    """One comparison, judged."""

    sample: Sample
    verdict: str
    finding: Finding


def p_above(values: pd.Series[float], bound: float) -> float:
    """Return the p value of a t test that the mean exceeds a bound; 1 if it can't be made."""
    if len(values) < FEWEST or not np.isfinite(values).all():
        return 1.0
    gap, error = values.mean() - bound, values.std() / math.sqrt(len(values))
    if error == 0:
        return float(gap <= 0)
    return float(special.stdtr(len(values) - 1, -gap / error))


def finding_of(values: pd.Series[float], unit: str) -> Finding:
    """Return mean and interval of values, logarithms undone."""
    if values.empty or not np.isfinite(values).all():
        return replace(UNKNOWN, unit=unit, count=len(values))
    mean, low, high = float(values.mean()), math.nan, math.nan
    if len(values) >= FEWEST:
        interval = t_interval(values.tolist())
        low, high = interval.low, interval.high
    if unit != DIFFERENCE:
        mean, low, high = math.exp(mean), math.exp(low), math.exp(high)
    return Finding(unit, mean, low, high, len(values))


def judged(samples: Sequence[Sample]) -> tuple[Evidence, ...]:
    """Judge comparisons kind by kind, adjusted by Holm's method over those of one kind.

    Support comes first: an effect that is established is there, even if it is too small to count.
    """
    evidence: list[Evidence] = []
    for kind in dict.fromkeys(sample.comparison for sample in samples):
        alike = [sample for sample in samples if sample.comparison == kind]
        p_values = [sample.kind.p_values(sample.values) for sample in alike]
        supports, contradicts = map(holm, zip(*p_values, strict=True))
        evidence += [
            Evidence(sample, _answer(p, q), finding_of(sample.values, sample.kind.unit))
            for sample, p, q in zip(alike, supports, contradicts, strict=True)
        ]
    return tuple(evidence)


def _answer(supports: float, contradicts: float) -> str:
    if supports <= LEVEL:
        return SUPPORTED
    return CONTRADICTED if contradicts <= LEVEL else UNDECIDED


def pooled(evidence: Sequence[Evidence]) -> Finding:
    """Return the effect over several comparisons: their mean within each common seed or round."""
    return finding_of(_together(finite(evidence)), evidence[0].sample.kind.unit)


def finite(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the comparisons whose values are all finite."""
    return [each for each in evidence if np.isfinite(each.sample.values).all()]


def _together(evidence: Sequence[Evidence]) -> pd.Series[float]:
    if len({each.sample.metric for each in evidence}) != 1:
        return pd.Series(dtype="float64")
    columns = [each.sample.values for each in evidence]
    return pd.concat(columns, axis="columns").dropna().mean(axis="columns")


def overall(evidence: Sequence[Evidence]) -> str:
    """Return the verdict of several comparisons of one kind.

    That of their mean; where it can't be taken, the one that more than half have in common.
    """
    verdicts = [each.verdict for each in evidence]
    if {SUPPORTED, CONTRADICTED} <= {*verdicts}:
        return MIXED
    together = _together(evidence)
    if len(together) >= FEWEST and len(finite(evidence)) == len(evidence):
        return _answer(*evidence[0].sample.kind.p_values(together))
    (common, times), *_ = Counter(verdicts).most_common()
    return common if times > len(verdicts) / 2 else UNDECIDED

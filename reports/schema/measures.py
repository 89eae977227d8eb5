"""How a metric is written: accuracies in percent and points, everything else as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from reports.schema.formats import MISSING, fixed, rate, significant, visible
from reports.schema.results import REGRESSION, GroupDescription

STANDARD_DEVIATIONS = "standard deviations of the target"
"""Unit of errors of targets that were standardised on the training set."""
FINE = 1_000
"""Examples of a test set from which on an accuracy has two digits after the point."""


@dataclass(frozen=True)
class Measure:
    """A metric as a reader meets it."""

    name: str  # in a sentence, such as "accuracy"
    plural: str
    better: str  # having more of it than another
    text: Callable[[float], str]
    signed: Callable[[float], str]  # a difference with its sign, without its unit
    points: str  # the unit of differences, with a space in front; "" if they have none
    gap: Callable[[float], str]  # a difference without its sign
    tick: Callable[[float], str]  # at an axis
    unit: str  # of numbers without it, to be read after "in"; "" for none
    least: float  # values there can be, where intervals end at the latest
    most: float
    margin: float = 0.01
    # Values and differences beyond which, on an axis, something has failed.
    shown: tuple[float, float] = (-1.0, 2.0)
    apart: tuple[float, float] = (-2.0, 2.0)
    # Then all numbers inside are its negative, so that more is better, and the texts here are not.
    lower_is_better: bool = False

    @property
    def best(self) -> str:
        """Where the best value is: highest or lowest."""
        return "lowest" if self.lower_is_better else "highest"

    def span(self, low: float, high: float) -> str:
        """Return the bounds of an interval; a dash if there is none."""
        return MISSING if math.isnan(low) else self._between(self.text, low, high)

    def signed_span(self, low: float, high: float) -> str:
        """Return the bounds of an interval of a difference, with their signs."""
        return self._between(self.signed, low, high)

    def _between(self, written: Callable[[float], str], low: float, high: float) -> str:
        ends = (high, low) if self.lower_is_better else (low, high)
        return " to ".join(map(written, ends))

    def lost(self, loss: float) -> str:
        """Return by how much something is worse, with a minus sign if it is better."""
        return self.signed(-loss if self.lower_is_better else loss)

    def change(self, difference: float) -> str:
        """Return a difference with its sign and unit."""
        return f"{self.signed(difference)}{self.points}"

    def becomes(self, gain: float, of: str = "") -> str:
        """Return what becomes of a metric, such as "loses 0.6 points"; to follow its subject."""
        if self.lower_is_better:
            worse = "worse" if gain < 0 else "better"
            return f"is {self.gap(gain)} {worse}{of and f' in {of}'}"
        return f"{'loses' if gain < 0 else 'gains'} {self.gap(gain)}{of and f' of {of}'}"


NEGATIVE = "neg_"
"""What the names of metrics begin with that are held as their negative."""
RELATIVE_MARGIN = 0.02


def margin_of(metric: str, reference: float, *, known: bool = True) -> float:
    """Return the loss that is accepted by default against a reference with this value.

    It is relative for losses, and for metrics of somebody else's whose scale isn't known.
    """
    relative = metric.startswith(NEGATIVE) or not known
    return RELATIVE_MARGIN * abs(reference) if relative else Measure.margin


_BOUNDLESS: dict[str, Any] = dict.fromkeys(("shown", "apart"), (-math.inf, math.inf))
_NAMES = {
    "neg_log_loss": "log loss",
    "neg_mae": "MAE",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "roc_auc": "ROC AUC",
    "r2": "R\N{SUPERSCRIPT TWO}",
}
"""Names of metrics in a sentence, where they are not those of the engine."""


def step_of(metric: str, items: int) -> float:
    """Return the smallest difference that two values of a metric can have; 0 if it isn't known."""
    return 1 / items if metric == "accuracy" and items else 0.0


def constant_metric(plan: GroupDescription) -> float | None:
    """Return the metric of the best constant prediction; None if it isn't known."""
    # Always answering the mean has an R2 of 0. Always the same class is right about this one alone.
    share, classes = plan.most_frequent, max(plan.outputs, 2)
    if plan.metric.startswith(NEGATIVE):
        return None if plan.constant_loss is None else -plan.constant_loss
    if plan.task == REGRESSION:
        return 0.0
    if plan.metric == "roc_auc":
        return 0.5
    if plan.metric == "balanced_accuracy" or share is None:
        known = plan.metric == "balanced_accuracy" and plan.outputs
        return 1 / classes if known else None
    return 2 * share / (1 + share) / classes if plan.metric == "f1_macro" else share


def measure_of(plan: GroupDescription) -> Measure:
    """Return how the metric of a group is written."""
    name = _NAMES.get(plan.metric.lower()) or visible(plan.metric, most=40)
    name = name.removeprefix(NEGATIVE)
    if plan.metric.startswith(NEGATIVE):
        return _negative(name, digits=3 if plan.metric in _NAMES else 4)
    if plan.task == REGRESSION:
        return _number(name)
    if not plan.task:
        return replace(_number(name), **_BOUNDLESS, most=math.inf)
    if plan.metric in {"f1_macro", "roc_auc"}:
        return replace(_number(name), least=0.0)
    return _share(name, 1 if 0 < plan.test_items < FINE else 2)


def loss_measure() -> Measure:
    """Return how a loss is written."""
    return replace(_number("loss"), text=significant, most=math.inf)


def _share(name: str, digits: int) -> Measure:
    return Measure(
        name=name,
        plural="balanced accuracies" if name == "balanced accuracy" else "accuracies",
        better="more accurate",
        text=lambda share: fixed(100 * float(share), digits, unit="%"),
        signed=lambda difference: fixed(100 * float(difference), digits, sign="+"),
        points=" points",
        gap=lambda difference: fixed(abs(100 * float(difference)), digits, unit=" points"),
        tick=lambda share: f"{rate(100 * float(share))}%",
        unit="percent",
        least=0.0,
        most=1.0,
    )


def _number(name: str) -> Measure:
    return Measure(
        name=name,
        plural=f"values of {name}",
        better="better",
        text=partial(fixed, digits=3),
        signed=partial(fixed, digits=3, sign="+"),
        points="",
        gap=lambda difference: fixed(abs(difference), 3),
        tick=rate,
        unit="",
        least=-math.inf,
        most=1.0,
    )


def _negative(name: str, digits: int) -> Measure:
    """Return how a metric is written that is better the lower it is, from its negative."""
    written = partial(significant, digits=digits)
    return replace(
        _number(name),
        text=lambda value: written(0.0 - value),
        signed=lambda gain: f"{'+' if gain < 0 else ''}{written(0.0 - gain)}",
        gap=lambda difference: written(abs(difference)),
        tick=lambda value: rate(0.0 - value),
        most=0.0,
        **_BOUNDLESS,
        lower_is_better=True,
    )


def rmse(values: pd.DataFrame, plan: GroupDescription) -> pd.Series[float]:
    """Return the root mean squared error of each trial; NaN where it isn't known."""
    # The squared error of an example is half the sum over the outputs of (t - psi)^2, so that
    # RMSE = sqrt(2 loss / outputs), in standard deviations of the target on the training set; times
    # that standard deviation, it is in the target's own unit. `values` has columns loss and seed.
    unit = rmse_unit(plan)
    if not unit:
        return pd.Series(np.nan, index=values.index, dtype="float64")
    standard = (2 * values["loss"] / plan.outputs) ** 0.5
    if unit == STANDARD_DEVIATIONS:
        return standard
    scales = {seed: scale for seed, (scale,) in plan.target_scales.items()}
    return standard * values["seed"].map(scales).astype("float64")


def rmse_unit(plan: GroupDescription) -> str:
    """Return what the RMSE of a group is measured in; "" where it isn't known."""
    if plan.task != REGRESSION or plan.loss != "squared_error":
        return ""
    return target_unit(plan) if plan.target_scales else STANDARD_DEVIATIONS


def target_unit(plan: GroupDescription) -> str:
    """Return what errors of targets are measured in that are turned back to their own unit."""
    if plan.outputs > 1:
        return STANDARD_DEVIATIONS
    names = [visible(name, most=40) for name in plan.target_names]
    return f"the unit of {names[0] if names else 'the target'}"

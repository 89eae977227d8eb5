"""Errors of a regression in units a reader knows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.schema.formats import visible
from reports.schema.results import REGRESSION, GroupDescription

STANDARD_DEVIATIONS = "standard deviations of the target"
"""Unit of errors of targets that were standardised on the training part."""


def rmse(values: pd.DataFrame, plan: GroupDescription) -> pd.Series[float]:
    """Return the root mean squared error of trials of a regression, from their mean loss.

    The squared error of an example is half the sum over the outputs of (t - psi)^2, so that
    RMSE = sqrt(2 loss / outputs), in standard deviations of the target on the training part; times
    that standard deviation, it is in the target's own unit.

    Args:
        values: Columns loss and seed.

    Returns:
        NaN where it can't be told: other tasks, other losses, targets of unknown scale.
    """
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
    if plan.outputs == 1 and plan.target_scales:
        names = [visible(name, most=40) for name in plan.target_names]
        return f"the unit of {names[0] if names else 'the target'}"
    return STANDARD_DEVIATIONS

"""Optima and critical batch sizes, and the power laws that they follow."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reports.analysis.scaling_record import ScalingRecord
from reports.schema import GROUP, Column, GroupDescription
from reports.stats.bounds import bound_columns
from reports.stats.models.optimum import Optimum, fit_optimum
from reports.stats.models.power_law import PowerLaw, fit_power_law

OPTIMUM_COLUMNS = (
    GROUP,
    Column("scale", "float64", "", "What the optimum is to follow, such as the size of the data."),
    Column("cells", "int64", "cells", "Cells that the surface was fitted to."),
    Column("optimum", "float64", "examples", "Batch size with the best metric, by the surface."),
    Column("optimum_low", "float64", "examples", "Lower bound of its 95% interval."),
    Column("optimum_high", "float64", "examples", "Upper bound, infinite where there is no end."),
    Column("learning_rate", "float64", "", "Learning rate with the best metric, by the surface."),
    Column("rate_low", "float64", "", "Lower bound of its 95% interval."),
    Column("rate_high", "float64", "", "Upper bound."),
    Column("lack_of_fit", "float64", "", "Probability that a quadratic surface needs cubic terms."),
    Column("measured", "Int64", "examples", "Batch size of the best cell."),
    Column("measured_rate", "float64", "", "Its learning rate."),
    Column("critical", "float64", "examples", "Critical batch size, of updates to the target."),
    Column("critical_low", "float64", "examples", "Lower bound of its 95% interval."),
    Column("critical_high", "float64", "examples", "Upper bound."),
    Column("reason", "str", "", "Why there is no optimum."),
)
FOLLOWING = {"optimum": "optimal batch size", "critical": "critical batch size"}
"""What may follow a power law, by its column."""


def optimum_of(cells: pd.DataFrame) -> Optimum:
    """Return where the validation metric of a group's cells is best."""
    columns = cells[["batch_size", "learning_rate", "validation_metric"]].to_numpy(np.float64)
    return fit_optimum(columns[:, 0], columns[:, 1], -columns[:, 2])


def optimum_row(
    plan: GroupDescription, cells: pd.DataFrame, optimum: Optimum, scaling: ScalingRecord
) -> dict[str, object]:
    """Return a group's row of the table of optima."""
    best = cells.sort_values("validation_metric", ascending=False).head(1).to_dict("records")
    measured = best[0] if best and not math.isnan(best[0]["validation_metric"]) else {}
    critical = scaling.main.fit if scaling.main else None
    return {
        "group": plan.group,
        "scale": plan.scale,
        "cells": optimum.cells,
        "optimum": optimum.batch_size,
        **bound_columns("optimum", optimum.batch_size_interval),
        "learning_rate": optimum.learning_rate,
        **bound_columns("rate", optimum.learning_rate_interval),
        "lack_of_fit": optimum.lack_of_fit,
        "measured": measured.get("batch_size"),
        "measured_rate": measured.get("learning_rate") if plan.learning_rates else None,
        "critical": critical.critical_batch_size if critical else None,
        **bound_columns("critical", critical.critical_batch_size_interval if critical else None),
        "reason": optimum.reason,
    }


def laws_of(optima: pd.DataFrame, unit_size: float) -> dict[str, PowerLaw]:
    """Return the power laws of what is known of several groups, in the unit of examples."""
    scaled = optima[optima["scale"] > 0]
    known = {name: scaled.dropna(subset=name) for name in FOLLOWING}
    return {
        name: fit_power_law(rows["scale"].to_numpy(), unit_size * rows[name].to_numpy())
        for name, rows in known.items()
        if len(rows) > 1
    }

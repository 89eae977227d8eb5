"""Metrics as a study names them: the store has the negative of log loss and MAE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports.schema.measures import NEGATIVE

VALUES = ("train_metric", "validation_metric", "test_metric")

_NAMED = '"metric":"'


def is_negative(configuration: str) -> bool:
    """Return whether a trial's metrics are stored as their negative."""
    return f"{_NAMED}{NEGATIVE}" in configuration


def as_named(configuration: str) -> str:
    """Return what determines a trial, as JSON, with the metric and the target of its study."""
    if not is_negative(configuration):
        return configuration
    named = configuration.replace(f"{_NAMED}{NEGATIVE}", _NAMED)
    return named.replace('"target":"-', '"target":"')


def turn(frame: pd.DataFrame, rows: pd.Series[bool]) -> None:
    """Replace the metrics of some rows by their negative, in place."""
    names = frame.columns.intersection([*VALUES])
    frame.loc[rows, names] = 0.0 - frame.loc[rows, names]


def unit_of(configuration: Mapping[str, Any]) -> str:
    """Return what the metric of a trial is measured in; "" if it has no unit."""
    if configuration.get("metric") != "mae":
        return ""
    several = configuration.get("widths", [1])[-1] > 1  # a trainer's network is unknown
    return "standard deviations" if several else "the target's unit"

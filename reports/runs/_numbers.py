"""Numbers as other programs write them: percent, infinite, durations, and texts among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_BLOWN = r"(?i)\s*[-+]?(nan|inf|infinity)\s*"
_GROUPED = r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?"
"""Thousands, whose commas are left out where all commas of a column are such."""


@dataclass(frozen=True)
class Numbers:
    """A column of numbers."""

    values: pd.Series[float]  # NaN where there is none
    blown: pd.Series[bool]  # written as infinite or not a number: the run diverged
    strange: pd.Series[bool]  # text that is no number
    percent: bool = False  # whether they were percent, and are shares now


def numbers_of(column: pd.Series[Any]) -> Numbers:
    """Return a column as numbers."""
    none = pd.Series(data=False, index=column.index)
    if pd.api.types.is_timedelta64_dtype(column):
        return Numbers(column.dt.total_seconds(), none, none)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        values = column.astype("float64")
        blown = values.abs() == np.inf
        return Numbers(values.mask(blown), blown, none)
    texts = column.astype("str").str.strip().mask(column.isna(), "")
    blown = texts.str.fullmatch(_BLOWN)
    signs = texts.str.endswith("%")
    digits = texts.str.rstrip("% ")
    if digits[digits.str.contains(",")].str.fullmatch(_GROUPED).all():
        digits = digits.str.replace(",", "")
    values = pd.to_numeric(digits, errors="coerce").astype("float64").where(~blown)
    unread = values.isna() & ~blown & (texts != "")
    if unread.any():
        timed = texts.where(unread & texts.str.contains("[:a-zA-Z]"))
        spans = pd.to_timedelta(timed, errors="coerce").dt.total_seconds()
        values, unread = values.fillna(spans), unread & spans.isna()
    return Numbers(values.where(~signs, values / 100), blown, unread, bool(signs.any()))

"""Numbers as other programs write them: percent, infinite, durations, and texts among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_BLOWN = r"(?i)\s*[-+]?(nan|inf|infinity)\s*"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers."""

    values: pd.Series[float]  # NaN where there is none
    blown: pd.Series[bool]  # written as infinite or not a number: the run diverged
    strange: pd.Series[bool]  # text that is no number
    percent: bool = False  # whether they had percent signs, and are shares now


def numbers_of(column: pd.Series[Any]) -> Numbers:
    """Return a column as numbers."""
    none = pd.Series(data=False, index=column.index)
    if pd.api.types.is_timedelta64_dtype(column):
        return Numbers(column.dt.total_seconds(), none, none)
    if pd.api.types.is_numeric_dtype(column):
        values = column.astype("float64")
        blown = values.abs() == np.inf
        return Numbers(values.mask(blown), blown, none)
    texts = column.astype("str").str.strip().mask(column.isna(), "")
    blown = texts.str.fullmatch(_BLOWN)
    signs = texts.str.endswith("%")
    values = pd.to_numeric(texts.str.rstrip("% ").str.replace(",", ""), errors="coerce")
    values = values.astype("float64").where(~blown)
    unread = values.isna() & ~blown & (texts != "")
    if unread.any():
        spans = pd.to_timedelta(texts.where(unread), errors="coerce").dt.total_seconds()
        values, unread = values.fillna(spans), unread & spans.isna()
    return Numbers(values.where(~signs, values / 100), blown, unread, bool(signs.any()))

"""Dates: texts that are some, and the numbers a network learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import numpy as np

from bpengine.network import Array

_DAYS = (
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m/%d/%y",
    "%d/%m/%y",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_READERS: Mapping[str, Callable[[str], datetime]] = {
    "ISO 8601": datetime.fromisoformat,
    **{
        day + time: partial(lambda form, text: datetime.strptime(text, form), day + time)  # noqa: DTZ007 - the zone is left out
        for day in _DAYS
        for time in _TIMES
    },
}
"""Forms of dates; of several that fit, the first is taken."""


def date_features(texts: Sequence[str]) -> tuple[str, dict[str, Array]]:
    """Return the form of dates that all texts have, and their numbers; nothing if there is none."""
    stripped = [text.strip() for text in texts]
    for form, reader in _READERS.items():
        try:
            dates = [reader(text) for text in stripped]
        except ValueError:
            continue
        return form, _numbers(dates)
    return "", {}


def _numbers(dates: Sequence[datetime]) -> dict[str, Array]:
    seconds = np.array([3600 * date.hour + 60 * date.minute + date.second for date in dates])
    numbers = {
        "year": np.array([float(date.year) for date in dates]),
        "month": np.array([float(date.month) for date in dates]),
        "day of week": np.array([float(date.weekday()) for date in dates]),
    }
    if seconds.any():
        numbers["hour"] = np.array([float(date.hour) for date in dates])
    days = np.array([date.toordinal() for date in dates])
    return numbers | {"days": days + seconds / 86_400}

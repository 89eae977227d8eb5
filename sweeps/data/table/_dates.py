"""Dates: texts that are some, and the numbers a network learns from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

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
_ISO = "ISO 8601"
_FORMS = (_ISO, *(day + time for day in _DAYS for time in _TIMES))
"""Forms of dates; of several that fit, the first is taken."""


def date_features(texts: Sequence[str]) -> tuple[str, dict[str, Array]]:
    """Return the form of dates that all texts have, and their numbers; nothing if there is none."""
    stripped = [text.strip() for text in texts]
    for form in _FORMS:
        with suppress(ValueError):
            return form, _numbers([_date(text, form) for text in stripped])
    return "", {}


def _date(text: str, form: str) -> datetime:
    if form == _ISO:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is left out


def _numbers(dates: Sequence[datetime]) -> dict[str, Array]:
    seconds = np.array([3600 * date.hour + 60 * date.minute + date.second for date in dates])
    parts = [(date.year, date.month, date.weekday(), date.toordinal()) for date in dates]
    year, month, weekday, days = np.array(parts, np.float64).T
    numbers = {"year": year, "month": month, "day of week": weekday}
    if seconds.any():
        numbers["hour"] = seconds // 3600.0
    return numbers | {"days": days + seconds / 86_400}

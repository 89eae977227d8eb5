"""What differs between studies in what was asked for, and in what it was computed with."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reports.schema.formats import MISSING
from reports.schema.results import Column, as_table

VALUE_COLUMNS = (
    Column("key", "str", "", "What differs."),
    Column("study", "str", "", "What the study is called here: its folder."),
    Column("value", "str", "", "Its value in this study; none if it is not given there."),
)

_NAMES = {"name", "title"}


def flat(text: str) -> dict[str, str]:
    r"""Return the keys of a specification with their values as text, without what names it.

    Example:
        >>> flat('name = "a"\nepochs = 5\n[schedule]\nkind = "step"')
        {'epochs': '5', 'schedule.kind': '"step"'}
    """
    try:
        keys = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {"specification": text}
    return {key: value for key, value in _leaves(keys) if key not in _NAMES}


def _leaves(keys: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in keys.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", json.dumps(value, ensure_ascii=False, default=str)


def differing(several: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return the keys whose values are not the same for all studies.

    Columns `VALUE_COLUMNS`; a row for each such key and study.
    """
    keys = dict.fromkeys(key for values in several.values() for key in values)
    rows = [
        {"key": key, "study": name, "value": values.get(key, MISSING)}
        for key in keys
        if len({values.get(key) for values in several.values()}) > 1
        for name, values in several.items()
    ]
    frame = pd.DataFrame(rows, columns=[column.name for column in VALUE_COLUMNS])
    return as_table(frame, VALUE_COLUMNS)

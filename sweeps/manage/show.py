"""One trial of a store, all that is known of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.schema import CURVE_COLUMNS
from sweeps.errors import UsageError, shown
from sweeps.manage._named_metrics import VALUES, as_named, is_negative, unit_of
from sweeps.store import Store, strict
from sweeps.store.rows import Row, points_of

_HEXADECIMAL = re.compile(r"-?0x[01]\.[0-9a-f]+p[+-]\d+|-?inf")

_LISTED = ("trial", "batch_size", "learning_rate", "seed", "status")


def trials_like(folder: Path, start: str = "", **wanted: float | None) -> list[Row]:
    """Return the trials whose identity starts so and that have these settings, if not None.

    Raises:
        UsageError: There is no such trial.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    with Store.read(folder) as store:
        rows = [
            row
            for row in store.rows(start.lower())
            if all(row[name] == value for name, value in given.items())
        ]
    if not rows:
        what = [f"starts with {shown(start)}"] if start else []
        what += [f"has {name.replace('_', ' ')} {value:g}" for name, value in given.items()]
        raise UsageError(
            f"{folder} holds no trial that {' and '.join(what) or 'has ended'}. "
            f"`bpsweep show {folder}` lists all."
        )
    return rows


def listed(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what distinguishes trials, by batch size, learning rate and seed."""
    entries = [{name: row[name] for name in _LISTED} for row in rows]
    return sorted(entries, key=lambda entry: [entry[name] for name in _LISTED[1:4]])


def inspection(row: Row) -> dict[str, Any]:
    """Return all that is known of a trial, as strict JSON knows it."""
    names = [column.name for column in CURVE_COLUMNS[1:]]
    points = [dict(zip(names, point, strict=True)) for point in points_of(row["curve"]).tolist()]
    configuration = _content(as_named(row["configuration"]))
    tried = configuration.get("configuration", {})
    if is_negative(row["configuration"]):
        row, points = _turned(row), [_turned(point) for point in points]
    plain = {name: strict(value) for name, value in row.items()}
    return plain | {
        "metric": tried.get("metric", ""),
        "metric_unit": unit_of(tried),
        "configuration": configuration,
        "curve": [
            {name: int(value) if name in _COUNTS else strict(value) for name, value in p.items()}
            for p in points
        ],
    }


def _turned(values: dict[str, Any]) -> dict[str, Any]:
    metrics = {name: values[name] for name in VALUES if values.get(name) is not None}
    return values | {name: 0.0 - value for name, value in metrics.items()}


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, object_hook=_decimal)
    except (ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {"unreadable": text}


_COUNTS = {column.name for column in CURVE_COLUMNS if column.dtype == "int64"}


def _decimal(values: dict[str, Any]) -> dict[str, Any]:
    numbers = {
        name: strict(float.fromhex(value))
        for name, value in values.items()
        if isinstance(value, str) and _HEXADECIMAL.fullmatch(value)
    }
    return values | numbers


def inspection_lines(trial: dict[str, Any]) -> list[str]:
    """Return an inspection as lines for a terminal."""
    apart = ("configuration", "curve", "error")
    lines = [f"{name}: {_text(value)}" for name, value in trial.items() if name not in apart]
    lines += ["determined by:", *_nested(trial["configuration"], 1)]
    if trial["curve"]:
        table = pd.DataFrame(trial["curve"]).astype(object).where(lambda cell: cell.notna(), "")
        lines += ["curve:", *(f"  {line}" for line in table.to_string(index=False).splitlines())]
    if trial["error"]:
        lines += ["error:", *(f"  {line}" for line in trial["error"].splitlines())]
    return lines


def _nested(values: dict[str, Any], depth: int) -> list[str]:
    lines = []
    for name, value in values.items():
        start = f"{'  ' * depth}{name}:"
        if isinstance(value, dict):
            lines += [start, *_nested(value, depth + 1)]
        else:
            lines.append(f"{start} {_text(value)}")
    return lines


def _text(value: object) -> str:
    return "none" if value is None or value == "" else str(value)

"""What can be named on the command line: studies that ship, datasets, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from reports.figures import NAMES

_AND_DATA = (
    "",
    "And: openml:NAME@VERSION, such as openml:mnist_784@1, downloaded once; files of data, such as",
    ".csv, .xlsx, .json, .parquet, .arff, .db::TABLE, also packed, and .npz.",
    "Parameters of all of them: docs/data.md.",
)


def _studies() -> tuple[list[dict[str, Any]], list[str]]:
    from sweeps.spec.load import preset_names, read_target

    entries = [
        {"name": name, "title": read_target(name)[1].get("title", "")} for name in preset_names()
    ]
    return entries, table_lines(entries)


def _datasets() -> tuple[list[dict[str, Any]], list[str]]:
    from sweeps.data.registry import catalogue

    entries = [asdict(entry) for entry in catalogue()]
    return entries, [*table_lines(entries), *_AND_DATA]


def _figures() -> tuple[list[dict[str, Any]], list[str]]:
    entries = [{"name": name} for name in NAMES]
    return entries, table_lines(entries)


CATALOGUES: Mapping[str, Callable[[], tuple[list[dict[str, Any]], list[str]]]] = {
    "studies": _studies,
    "datasets": _datasets,
    "figures": _figures,
}
"""What is listed, as entries and as lines for a terminal."""


def table_lines(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return entries with the same keys as lines for a terminal; numbers align at the right."""
    columns = [
        _column(name, [entry[name] for entry in entries])
        for name in (entries[0] if entries else ())
    ]
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _column(name: str, values: Sequence[object]) -> list[str]:
    numeric = all(type(value) in {int, float} for value in values)
    texts = [name.replace("_", " "), *map(_text, values)]
    width = max(map(len, texts))
    return [text.rjust(width) if numeric else text.ljust(width) for text in texts]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""What can be named on the command line: studies that ship, datasets, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reports.figures import NAMES

_AND_DATA = (
    "",
    "And: openml:NAME@VERSION, such as openml:mnist_784@1, downloaded once; files of data, such as",
    ".csv, .xlsx, .json, .parquet, .arff, .db::TABLE, also packed, and .npz.",
    "Parameters of all of them: docs/data.md.",
)

Entries = Sequence[Mapping[str, Any]]


def _studies() -> Entries:
    from sweeps.spec.load import preset_names, read_target

    return [
        {"name": name, "title": read_target(name)[1].get("title", "")} for name in preset_names()
    ]


def _datasets() -> Entries:
    from sweeps.data.registry import catalogue

    return catalogue()


CATALOGUES: Mapping[str, Callable[[], Entries]] = {
    "studies": _studies,
    "datasets": _datasets,
    "figures": lambda: [{"name": name} for name in NAMES],
}


def listing(what: str, entries: Entries) -> list[str]:
    """Return one of `CATALOGUES` as lines for a terminal."""
    return [*table_lines(entries), *(_AND_DATA if what == "datasets" else ())]


def table_lines(entries: Entries) -> list[str]:
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

"""What can be chosen for a table, and a refusal that ends with the choices that go on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from sweeps.data.parameters import Limited, OneOf, Text, listed, refuse_repeated
from sweeps.data.splits import CLASSIFICATION, FILLINGS, LEAST_OF_A_CLASS, REGRESSION
from sweeps.data.table._cells import MISSING_MARKERS, TableError
from sweeps.errors import DataError, did_you_mean, shown

REFUSE, DROP, MERGE, CATEGORY = "refuse", "drop", "merge", "category"
OPTIONS = ("target", "ignore", "missing", "task", "sample")  # of commands; others go to `--set`
MOST_PROBLEMS = 10  # of a file, reported at once
_LISTED = 20  # columns in a message
_TARGETS = re.compile(
    r"y|target|class|label|outcome|response|species|diagnosis|survived", re.IGNORECASE
)

_RARE = (
    f"classes of fewer than {LEAST_OF_A_CLASS} examples: refused, or their examples dropped, or "
    "the classes merged"
)
Rare = Annotated[str, OneOf((REFUSE, DROP, MERGE)), Field(description=_RARE)]


def _texts(value: object) -> list[object]:
    """Return a list whose whole numbers and decimals are texts."""
    values = listed(value)
    return [str(v) if type(v) in {int, float} else v for v in values]


Columns = Annotated[
    tuple[Text, ...], BeforeValidator(_texts), Field(strict=False), AfterValidator(refuse_repeated)
]
"""Columns by name or by position from 1."""
_Markers = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(strict=False)]


class DatasetParameters(Limited):
    """How features and targets become a dataset."""

    task: Annotated[str, OneOf((CLASSIFICATION, REGRESSION))] = Field(
        "", description="what is learned; inferred from the target without it"
    )
    missing: Annotated[str, OneOf((*FILLINGS, CATEGORY, DROP, REFUSE))] = Field(
        "median",
        description="missing features: imputed from the training set, a category of their own, "
        "their examples dropped, or refused",
    )
    missing_target: Annotated[str, OneOf((DROP, REFUSE))] = Field(
        DROP, description="examples without a target: dropped, or refused"
    )
    missing_markers: _Markers = Field(
        MISSING_MARKERS, description="what represents a missing value besides an empty cell"
    )
    rare: Rare = REFUSE


class TableParameters(DatasetParameters):
    """How a table is read. Columns are named, or numbered from 1."""

    target: Columns = Field((), description="column to learn; a list of several is a regression")
    ignore: Columns = Field((), description="column to leave out, or a list of them")
    categorical: Columns = Field(
        (), description="column that is categories even if numbers, or a list of them"
    )
    keep: Columns = Field(
        (), description="column to keep though it seems to identify examples, or a list of them"
    )


Chosen = TypeVar("Chosen", bound=TableParameters)


def check_columns(
    name: str, known: Sequence[str], parameters: Chosen
) -> tuple[Chosen, list[str], list[TableError]]:
    """Return choices as the table calls its columns, notes on them, and what is wrong with them.

    They are those that may be meant, so that everything else that is wrong is reported with it.
    """
    columns: dict[str, tuple[str, ...]] = {}
    notes, obstacles = list[str](), list[TableError]()
    for key in ("target", "ignore", "categorical", "keep"):
        meant = {written: _meant(written, known) for written in getattr(parameters, key)}
        notes += [
            f"`{key}`: {shown(written)} is read as the column {shown(column)}."
            for written, column in meant.items()
            if column not in {"", written}
        ]
        obstacles += [
            TableError(f"{name}: `{key}` names {shown(written)}, which is not a column.{hint}")
            for written, column in meant.items()
            if not column
            for hint in [did_you_mean(written, known) or f" Columns: {_listed(known)}."]
        ]
        columns[key] = tuple(dict.fromkeys(column for column in meant.values() if column))
    if not parameters.target:
        text = f"{name}: `target` must name the column to learn. Columns: {_listed(known)}."
        obstacles.append(TableError(text))
    columns["target"] = columns["target"] or (_guess(known, parameters.target),)
    obstacles += _contradictions(name, columns)
    if not set(known) - {*columns["target"], *columns["ignore"]}:
        columns["ignore"] = ()
        obstacles.append(TableError(f"{name} has no columns but the target and ignored ones."))
    if set(known) <= set(columns["target"]):
        raise DataError(f"{name} has no columns but the target: a network needs features.")
    for obstacle in obstacles:
        obstacle.remedy = {"target": columns["target"]}
    return parameters.model_copy(update=columns), notes, obstacles


def _contradictions(name: str, columns: dict[str, tuple[str, ...]]) -> list[TableError]:
    """Return columns that two keys claim, and take them from the first of the keys."""
    obstacles = []
    for key, other in (("ignore", "target"), ("categorical", "target"), ("keep", "ignore")):
        both = [column for column in columns[key] if column in columns[other]]
        columns[key] = tuple(column for column in columns[key] if column not in both)
        obstacles += [
            TableError(f"{name}: `{key}` and `{other}` both name {shown(column)}.")
            for column in both
        ]
    return obstacles


def _meant(written: str, known: Sequence[str]) -> str:
    """Return the column that is meant: by its name, its name in another case, or its position."""
    if written in known:
        return written
    near = [column for column in known if column.strip().casefold() == written.strip().casefold()]
    if len(near) == 1:
        return near[0]
    if written.isdecimal() and 1 <= int(written) <= len(known):
        return known[int(written) - 1]
    return ""


def _guess(known: Sequence[str], wrong: Sequence[str]) -> str:
    """Return the column that is likely to be the target."""
    near = [
        column for column in known for word in wrong if shown(column) in did_you_mean(word, known)
    ]
    named = [column for column in known if _TARGETS.fullmatch(column.strip())]
    return [*near, *named, known[-1]][0]


def _listed(known: Sequence[str]) -> str:
    more = f", and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more


def refuse(problems: Sequence[str]) -> None:
    """Raise a data error that lists the first of the problems, if there are any."""
    if problems:
        raise DataError(*_first(problems))


def _first(problems: Sequence[str]) -> list[str]:
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], *([f"... and {more} more."] if more > 0 else [])]


def refusal(obstacles: Sequence[TableError], parameters: DatasetParameters) -> DataError:
    """Return an error that lists all obstacles and ends with the keys that go on without them."""
    defaults = {key: field.default for key, field in type(parameters).model_fields.items()}
    keys: dict[str, Any] = dict(parameters)
    lines = _first([*dict.fromkeys(map(str, obstacles))])
    remedied = {key for obstacle in obstacles for key in obstacle.remedy}
    if not remedied:
        return DataError(*lines)
    for obstacle in obstacles:
        for key, value in obstacle.remedy.items():
            before = keys[key]
            added = isinstance(value, tuple) and isinstance(before, tuple) and key != "target"
            keys[key] = tuple(dict.fromkeys((*before, *value))) if added else value
    for key in {"keep", "categorical"} & keys.keys():
        keys[key] = tuple(column for column in keys[key] if column not in keys["ignore"])
    keys = {k: value for k, value in keys.items() if k in remedied or value != defaults[k]}
    short = {k: v[0] if isinstance(v, tuple) and len(v) == 1 else v for k, v in keys.items()}
    toml = {key: json.dumps(value, ensure_ascii=False) for key, value in short.items()}
    pairs = ", ".join(f"{key} = {value}" for key, value in toml.items())
    error = DataError(*lines, f"Go on with the keys: {pairs}")
    error.options = tuple(word for key in keys for word in _words(key, keys[key], toml[key]))
    return error


def _words(key: str, value: object, toml: str) -> list[str]:
    """Return a parameter of data as the command line takes it."""
    short = listed(value) if key in OPTIONS else []
    return [f"--{key}={text}" for text in short] or [f"--set={key}={toml}"]

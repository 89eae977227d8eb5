"""The keys of a specification, told from the model: tables for its page, and a new file."""

from __future__ import annotations

import textwrap
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bpengine.optim.optimizers import OPTIMIZERS
from sweeps.data.parameters import OneOf
from sweeps.data.registry import load, read_source
from sweeps.errors import pairs_text
from sweeps.spec.axes import AXES, GrowthChoice, OptimizerChoice, ScheduleChoice
from sweeps.spec.model import StudySpecification, plain, toml_value
from sweeps.spec.types import (
    LARGEST_SEED,
    LogSpace,
    PowersOfTwo,
    SeedRange,
    SimulatedCluster,
)

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "The study": ("name", "title"),
    "Data": ("dataset", "validation", "test", "split_seed", "scaling"),
    "Network": (
        "hidden_layers",
        "activation",
        "output",
        "initialiser",
        "initial_scale",
        "dtype",
    ),
    "Error": ("loss", "reduction"),
    "Updates": (
        "optimizer",
        "memory",
        "learning_rates",
        "rate_rule",
        "reference_batch_size",
        "schedule",
    ),
    "Batches": ("batch_sizes", "growth", "shards", "local_updates"),
    "Budget": (
        "epochs",
        "updates",
        "examples",
        "seconds",
        "target",
        "patience",
        "divergence",
        "trial_seconds",
    ),
    "Combination": ("zip", "include", "exclude"),
    "Stages": (
        "seeds",
        "explore",
        "extensions",
        "confirmation_seeds",
        "refinement_seeds",
        "timing",
        "noise_examples",
    ),
    "Simulation": ("simulated_cluster",),
}
"""Every key, in the order in which it is told."""

TABLES: Mapping[str, type[BaseModel]] = {
    "optimizer": OptimizerChoice,
    "schedule": ScheduleChoice,
    "growth": GrowthChoice,
    "batch_sizes": PowersOfTwo,
    "learning_rates": LogSpace,
    "seeds": SeedRange,
    "simulated_cluster": SimulatedCluster,
}
"""What may stand for a value of a key in the form of a table."""

START, END = "<!-- keys: generated -->", "<!-- keys: end -->"

_EXAMPLES: Mapping[str, str] = {
    "name": '"my-study"',
    "split_seed": "0",
    "reference_batch_size": "32",
    "updates": "2000",
    "examples": "100000",
    "seconds": "60.0",
    "target": "0.95",
    "patience": "5",
    "trial_seconds": "600.0",
    "zip": '["dataset", "hidden_layers"]',
    "include": '[{optimizer = "adam", learning_rates = [0.001, 0.01]}]',
    "exclude": "[{batch_sizes = 1, learning_rates = 8.0}]",
}
"""Values of keys that stand for nothing by default."""

_REQUIRED: Mapping[str, str] = {
    "learning_rates": "{logspace = [0.1, 10.0], count = 5}",
    "epochs": "20",
    "seeds": "{first = 1, count = 5}",
    "confirmation_seeds": "{first = 101, count = 10}",
}
"""Values of keys that a study must have, or better has."""


def with_tables(page: str) -> str:
    """Return a page with fresh tables of all keys between its marks.

    Args:
        page: Holds `START` and, after it, `END`.
    """
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{_tables()}\n{END}{after}"


def _tables() -> str:
    fields = StudySpecification.model_fields
    parts = [
        _table(title, {key: fields[key] for key in keys}, "key") for title, keys in SECTIONS.items()
    ]
    parts.append(_hyperparameters())
    parts += [
        _table(f"Table for a value of `{key}`", model.model_fields, "field")
        for key, model in TABLES.items()
    ]
    return "\n".join(parts)


def _hyperparameters() -> str:
    head = [
        "### Optimizers",
        "",
        "| `optimizer` | hyperparameters with their defaults |",
        "|---|---|",
    ]
    rows = [
        f"| `{name}` | {pairs_text(optimizer.defaults)} |" for name, optimizer in OPTIMIZERS.items()
    ]
    return "\n".join([*head, *rows, ""])


def _table(title: str, fields: Mapping[str, FieldInfo], what: str) -> str:
    rows = [
        f"| `{key}` | {_cell(allowed(field))} | {unit_of(field)} | {_cell(default_of(key, field))} "
        f"| {_cell(field.description or '')} |"
        for key, field in fields.items()
    ]
    head = [f"### {title}", "", f"| {what} | allowed | unit | default | meaning |"]
    return "\n".join([*head, "|---|---|---|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def allowed(field: FieldInfo) -> str:
    """Return what a key may be, in words.

    Args:
        field: The key's field.
    """
    return _allowed(field.annotation, field.metadata)


def _allowed(annotation: Any, metadata: Iterable[Any]) -> str:  # noqa: ANN401 - types of types
    names = [name for extra in metadata if isinstance(extra, OneOf) for name in extra.names]
    if names:
        return ", ".join(f"`{name}`" for name in names)
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        return _allowed(inner, [*metadata, *_flat(extras)])
    if get_origin(annotation) in {types.UnionType, typing.Union}:
        options = [_allowed(option, ()) for option in get_args(annotation) if option is not _NIL]
        return " or ".join(dict.fromkeys(options)) + _bounds(metadata)
    if get_origin(annotation) is tuple:
        return _sequence(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    return _KINDS[annotation] + _bounds(metadata)


def _model(model: type[BaseModel]) -> str:
    """Return what may stand for a table: in some, the name that comes first is enough."""
    first = next(iter(model.model_fields.values()))
    names = any(isinstance(extra, OneOf) for extra in first.metadata)
    return f"{allowed(first)}, table" if names else "table"


_NIL = type(None)
_KINDS: Mapping[Any, str] = {
    bool: "`true`, `false`",
    int: "whole number",
    float: "number",
    str: "text",
    Any: "name or table",
}


def _flat(extras: Iterable[Any]) -> list[Any]:
    return [
        one
        for extra in extras
        for one in (extra.metadata if isinstance(extra, FieldInfo) else [extra])
    ]


def _sequence(annotation: Any) -> str:  # noqa: ANN401 - types of types
    parts = [part for part in get_args(annotation) if part is not Ellipsis]
    texts = list(dict.fromkeys(_allowed(part, ()) for part in parts))
    nested = get_origin(get_args(parts[0])[0] if get_args(parts[0]) else None) is tuple
    return f"list of: {texts[0]}" if nested else " or ".join(texts)


def _bounds(metadata: Iterable[Any]) -> str:
    texts = [
        f"{word} {_number(getattr(bound, name))}"
        for bound in metadata
        for kind, name, word in _WORDS
        if isinstance(bound, kind)
    ]
    return f", {' and '.join(texts)}" if texts else ""


def _number(bound: float) -> str:
    return "2^63 - 1" if bound == LARGEST_SEED else f"{bound:,}"


_WORDS = ((Ge, "ge", "at least"), (Gt, "gt", "above"), (Le, "le", "at most"), (Lt, "lt", "below"))


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a key, nothing if it has none.

    Args:
        field: The key's field.
    """
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def default_of(key: str, field: FieldInfo) -> str:
    """Return the default of a key as TOML.

    Args:
        key: The key.
        field: Its field.
    """
    fields = StudySpecification.model_fields
    if field.is_required() or (key in _MUST and field is fields[key]):
        return "required"
    value = plain(key, field.default)
    return "" if value in (None, "", []) and key != "hidden_layers" else f"`{toml_value(value)}`"


_MUST = ("dataset", "batch_sizes", "learning_rates", "seeds")


def new_specification(dataset: object, written: object = None) -> str:
    """Return a specification for a dataset, ready to run, with every key explained.

    Args:
        dataset: Name of a dataset, a file, or a table with either and parameters.
        written: The same from where the specification will be; as it is if not given.

    Raises:
        DataError: There is no such dataset, or it can't be used.
    """
    examples = len(load(read_source(dataset, folder=Path())).inputs)
    # Six tenths are for training unless the specification says otherwise.
    return new_file(
        written or dataset, 2 ** (min(LARGEST_BATCH, examples * 6 // 10).bit_length() - 1)
    )


LARGEST_BATCH = 1024
"""Largest batch size that a new specification proposes."""


def new_file(dataset: object, largest_batch_size: int) -> str:
    """Return a specification with every key, explained.

    Args:
        dataset: What the specification writes for the data.
        largest_batch_size: A power of two.
    """
    values = {
        **_REQUIRED,
        "dataset": toml_value(dataset),
        "batch_sizes": f"{{powers_of_two = [1, {largest_batch_size}]}}",
    }
    parts = [_HEAD]
    for title, keys in SECTIONS.items():
        parts.append(f"# ---- {title} ----\n")
        parts += [_entry(key, values.get(key)) for key in keys]
    return "\n".join(parts)


_HEAD = """\
# A study of bpsweep. Every key is here, with its default where it has one.
# Axes, marked with *, take one value or a list of values; all their combinations are tried.
"""


def _entry(key: str, value: str | None) -> str:
    field = StudySpecification.model_fields[key]
    default, unit = default_of(key, field), unit_of(field)
    facts = [f"Allowed: {allowed(field)}", unit and f"unit: {unit}", default]
    facts[2] = f"default: {default}" if default not in {"", "required"} else default
    meaning = (field.description or "").replace("`", "")
    star = "* " if key in AXES else ""
    told = "; ".join(filter(None, facts)).replace("`", "")
    text = f"{star}{meaning[0].upper()}{meaning[1:]}. {told}."
    lines = textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ")
    if value is None and key in _EXAMPLES:
        setting = f"# {key} = {_EXAMPLES[key]}"
    else:
        setting = f"{key} = {value or toml_value(plain(key, field.default))}"
    return "\n".join([*lines, setting, ""])

"""The keys of a specification as tables for its page, and as a new file."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bpengine.optim.optimizers import OPTIMIZERS
from sweeps.data.parameters import LARGEST_WHOLE
from sweeps.data.registry import load, read_source
from sweeps.errors import pairs_text
from sweeps.spec.axes import AXES, TABLES
from sweeps.spec.model import StudySpecification, plain, toml_value

Schema = dict[str, Any]
"""A JSON schema, of one key or of what it holds."""

START, END = "<!-- keys: generated -->", "<!-- keys: end -->"

_REQUIRED: Mapping[str, str] = {
    "learning_rates": "{logspace = [0.1, 10.0], count = 5}",
    "epochs": "20",
    "seeds": "{first = 1, count = 5}",
    "confirmation_seeds": "{first = 101, count = 10}",
}
"""Values of keys that a study must have, or better has."""


def with_tables(page: str) -> str:
    """Return a page with fresh tables of all keys between its marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{_tables()}\n{END}{after}"


def with_parameters(page: str, models: Mapping[str, type[BaseModel]]) -> str:
    """Return a page with a fresh table of parameters in the section of each of the names."""

    def section(match: re.Match[str]) -> str:
        model = models.get(match["name"])
        table = _rows(model, model.model_fields, "parameter") if model else match["table"]
        return f"{match['head']}{table}"

    return _SECTION.sub(section, page)


_SECTION = re.compile(
    r"(?P<head>^### `(?P<name>[^`]+)`\n(?:(?![#|]).*\n)*)(?P<table>(?:\|.*\n)+)", re.MULTILINE
)


def _tables() -> str:
    parts = [
        f"### {title}\n\n{_rows(StudySpecification, keys, 'key')}"
        for title, keys in sections().items()
    ]
    parts.append(_hyperparameters())
    parts += [
        f"### Table for a value of `{key}`\n\n{_rows(model, model.model_fields, 'field')}"
        for key, model in TABLES.items()
    ]
    return "\n".join(parts)


def sections() -> dict[str, list[str]]:
    """Return the keys of a specification by section: each stands where the one before it does."""
    title, keys = "The study", dict[str, list[str]]({"The study": []})
    for key, schema in schemas_of(StudySpecification).items():
        title = schema.get("section", title)
        keys.setdefault(title, []).append(key)
    return keys


def _hyperparameters() -> str:
    head = "### Optimizers\n\n| `optimizer` | hyperparameters with their defaults |\n|---|---|\n"
    rows = (f"| `{name}` | {pairs_text(o.defaults)} |\n" for name, o in OPTIMIZERS.items())
    return head + "".join(rows)


def _rows(model: type[BaseModel], keys: Iterable[str], what: str) -> str:
    """Return a table of keys of a model."""
    schemas = schemas_of(model)
    rows = [
        f"| `{key}` | {_cell(allowed(schemas[key]))} | {schemas[key].get('unit', '')} "
        f"| {_cell(default_of(key, model.model_fields[key]))} "
        f"| {_cell(schemas[key].get('description', ''))} |\n"
        for key in keys
    ]
    head = f"| {what} | allowed | unit | default | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@functools.cache
def schemas_of(model: type[BaseModel]) -> dict[str, Schema]:
    """Return the JSON schema of each key; what a reference stands for is told as a table."""
    schema = model.model_json_schema()
    return {
        key: _resolved(value, schema.get("$defs", {}))
        for key, value in schema["properties"].items()
    }


def _resolved(schema: Any, tables: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(schema, list):
        return [_resolved(item, tables) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        # In some tables the name that comes first is enough.
        table = tables[schema["$ref"].rpartition("/")[2]]
        return {**schema, "names": next(iter(table["properties"].values())).get("enum", [])}
    return {key: _resolved(value, tables) for key, value in schema.items()}


def allowed(schema: Schema) -> str:
    """Return what a JSON schema allows, in words."""
    if "$ref" in schema:
        return ", ".join([*map(_name, schema["names"]), "table"])
    if "enum" in schema or "const" in schema:
        return ", ".join(map(_name, schema.get("enum") or [schema["const"]]))
    options = schema.get("oneOf") or schema.get("anyOf") or schema.get("prefixItems")
    if options:
        texts = [allowed(option) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(texts))
    if schema.get("type") == "array":
        nested = schema["items"].get("type") == "array"
        return f"{'list of: ' * nested}{allowed(schema['items'])}"
    return _KINDS[schema.get("type", "")] + _bounds(schema)


def _name(name: str) -> str:
    return f"`{name if re.match(r'[a-z]', name, re.IGNORECASE) else repr(name)}`"


_KINDS = {
    "boolean": "`true`, `false`",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "": "name or table",
}


def _bounds(schema: Schema) -> str:
    # All whole numbers end there: nobody needs to be told.
    bounds = {key: schema[key] for key in _BOUNDS if schema.get(key) not in {None, LARGEST_WHOLE}}
    texts = [f"{_BOUNDS[key]} {bound:,}" for key, bound in bounds.items()]
    return f", {' and '.join(texts)}" if texts else ""


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


def default_of(key: str, field: FieldInfo) -> str:
    """Return the default of a key as TOML."""
    fields = StudySpecification.model_fields
    if field.is_required() or (key in _MUST and field is fields[key]):
        return "required"
    value = plain(key, field.default)
    return "" if value in (None, "", []) and key != "hidden_layers" else f"`{toml_value(value)}`"


_MUST = ("dataset", "batch_sizes", "learning_rates", "seeds")


def new_specification(dataset: object, written: object = None) -> str:
    """Return a specification for a dataset, ready to run, with every key explained.

    `written` names the same data from where the specification will be.
    """
    examples = len(load(read_source(dataset, folder=Path())).inputs)
    # Six tenths are for training unless the specification says otherwise.
    largest = 2 ** (min(LARGEST_BATCH, examples * 6 // 10).bit_length() - 1)
    values = {
        **_REQUIRED,
        "dataset": toml_value(written or dataset),
        "batch_sizes": f"{{powers_of_two = [1, {largest}]}}",
    }
    parts = [_HEAD]
    for title, keys in sections().items():
        parts.append(f"# ---- {title} ----\n")
        parts += [_entry(key, values.get(key)) for key in keys]
    return "\n".join(parts)


LARGEST_BATCH = 1024
"""Largest batch size that a new specification proposes."""

_HEAD = """\
# A study of bpsweep. Every key is here, with its default where it has one.
# Axes, marked with *, take one value or a list of values; all their combinations are tried.
"""


def _entry(key: str, value: str | None) -> str:
    field, schema = StudySpecification.model_fields[key], schemas_of(StudySpecification)[key]
    default, unit = default_of(key, field), schema.get("unit")
    if default not in {"", "required"}:
        default = f"default: {default}"
    facts = [f"Allowed: {allowed(schema)}", unit and f"unit: {unit}", default]
    meaning = schema["description"].lstrip("`")
    star = "* " if key in AXES else ""
    text = f"{star}{meaning[0].upper()}{meaning[1:]}. {'; '.join(filter(None, facts))}."
    lines = textwrap.wrap(text.replace("`", ""), 96, initial_indent="# ", subsequent_indent="# ")
    if value is None and "example" in schema:
        setting = f"# {key} = {schema['example']}"
    else:
        setting = f"{key} = {value or toml_value(plain(key, field.default))}"
    return "\n".join([*lines, setting, ""])

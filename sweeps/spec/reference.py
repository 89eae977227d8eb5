"""The keys of a specification in words, for its page and for a new file."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sweeps.data.parameters import LARGEST_WHOLE
from sweeps.spec.axes import AXES
from sweeps.spec.model import StudySpecification, plain, toml_value

Schema = dict[str, Any]  # a JSON schema, of one key or of what it holds


def sections() -> dict[str, list[str]]:
    """Return the keys of a specification by section: each stands where the one before it does."""
    title, keys = "The study", dict[str, list[str]]({"The study": []})
    for key, schema in schemas_of(StudySpecification).items():
        title = schema.get("section", title)
        keys.setdefault(title, []).append(key)
    return keys


@functools.cache
def schemas_of(model: type[BaseModel]) -> dict[str, Schema]:
    """Return the JSON schema of each key; a reference is replaced by its table."""
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
    "object": "table",
    "": "name or table",
}


def _bounds(schema: Schema) -> str:
    # All whole numbers end there: nobody needs to read that.
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


def new_specification(keys: Mapping[str, Any], *, every_key: bool = False) -> str:
    """Return a specification with these keys, or with every key, each with what it means."""
    values = {key: toml_value(value) for key, value in keys.items()}
    if not every_key:
        return "\n".join([_HEAD, *(_entry(key, value) for key, value in values.items())])
    parts = [_HEAD_OF_ALL]
    for title, names in sections().items():
        parts.append(f"# ---- {title} ----\n")
        parts += [_entry(key, values.get(key)) for key in names]
    return "\n".join(parts)


_HEAD = """\
# A study of bpsweep: `bpsweep run THIS_FILE` runs it. `bpsweep new --all` shows every other key.
# Axes, marked with *, take one value or a list of values; all their combinations are tried.
"""
_HEAD_OF_ALL = """\
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

"""Tables that a specification holds: what each key may be, and every mistake in words."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from sweeps.errors import Problem, did_you_mean, shown

T = TypeVar("T")
Table = TypeVar("Table", bound=BaseModel)


class Strict(BaseModel):
    """A table of a specification: known keys only, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


@dataclass(frozen=True)
class OneOf:
    """A type's annotation: one of these names."""

    names: tuple[str, ...]
    otherwise: str = ""  # what else is allowed, in words

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return pydantic's check of a literal."""
        schema = core_schema.literal_schema(list(self.names))
        if not self.otherwise:
            return schema
        text = f"must be {', '.join(map(repr, self.names))} or {self.otherwise}"
        return core_schema.custom_error_schema(schema, "allowed", custom_error_message=text)


def listed(value: object) -> list[Any]:
    """Return a list: one value represents a list of one."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return [value]
    return list(value)


def refuse_repeated(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return values; raise pydantic's error if one of them is there twice."""
    repeated = [value for number, value in enumerate(values) if value in values[:number]]
    if repeated:
        raise PydanticCustomError("repeated", f"holds {repeated} more than once")
    return values


def _text(value: str) -> str:
    if not value or "\0" in value:
        raise PydanticCustomError("allowed", "must be text")
    return value


def _encoding(value: str) -> str:
    try:
        encoding = codecs.lookup(value)
        "".encode(encoding.name)
    except (LookupError, ValueError):
        # Python also knows codecs that are no encodings of text.
        allowed = "must be a character encoding, such as 'utf-8', 'latin-1' or 'utf-16'"
        raise PydanticCustomError("allowed", allowed) from None
    return encoding.name


def _shares(values: tuple[float, ...]) -> tuple[float, ...]:
    if values and not math.isclose(sum(values), 1):
        raise PydanticCustomError("allowed", "must be numbers that add up to 1")
    return values


LARGEST_WHOLE = 2**63 - 1
"""The largest whole number that any system, and TOML, distinguishes from its neighbours."""

Whole = Annotated[int, Field(le=LARGEST_WHOLE)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, AfterValidator(_text)]
Encoding = Annotated[Text, AfterValidator(_encoding)]
"""A character encoding, read as Python's own name of it."""
Shares = Annotated[
    tuple[Annotated[Number, Field(gt=0)], ...], Field(strict=False), AfterValidator(_shares)
]


class Limited(Strict):
    """Data that are read: from a file, or from scikit-learn's cache."""

    limit_gb: Annotated[Number, Field(gt=0, lt=1_000_000)] = Field(
        4.0,
        description="most memory for the data and copies",
        json_schema_extra={"unit": "10^9 bytes"},
    )


def pairs_of(parameters: BaseModel | None) -> tuple[tuple[str, Any], ...]:
    """Return parameters as what names data holds them: by name, sorted."""
    return tuple(sorted(parameters or ()))


def read_parameters(
    given: Mapping[str, object], model: type[Table], owner: str
) -> tuple[Table | None, list[Problem]]:
    """Return parameters with defaults filled in, or a problem for each mistake."""
    try:
        return model.model_validate(dict(given)), []
    except ValidationError as error:
        known, problems = [*model.model_fields], []
        for details in error.errors():
            name, text = details["loc"][0], text_of(details)
            if details["type"] == "extra_forbidden":
                hint = did_you_mean(name, known) or f" Known: {', '.join(known) or 'none'}."
                text = f"is no parameter of {owner}.{hint}"
            problems.append(Problem(f".{name}", text))
        return None, problems


_ALLOWED: dict[str, str] = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "finite_number": "must be finite",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must hold at least {min_length} value",
    "too_long": "must hold at most {max_length} values",
    "string_pattern_mismatch": "must be a letter or digit, then letters, digits, '.', '_' and '-', "
    "64 at most",
    "literal_error": "must be one of {expected}",
}


def text_of(details: ErrorDetails) -> str:
    """Return what is wrong with a value: what is allowed, what it is, what may be meant."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return "is required, but missing."
    if kind == "allowed":
        return f"{details['msg']}, but is {shown(value)}."
    if kind not in _ALLOWED:
        return f"{details['msg']}."
    allowed = _ALLOWED[kind].format(**context)
    # pydantic quotes what it expects: 'mean' or 'sum'.
    hint = did_you_mean(value, context.get("expected", "").split("'")[1::2])
    return f"{allowed}, but is {shown(value)}.{hint}"

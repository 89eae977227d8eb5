"""Parameters of data: what each may be, and reading them from a table, every mistake at once."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from sweeps.errors import Problem, did_you_mean, shown


class Kind(Protocol):
    """What a parameter may be."""

    @property
    def allowed(self) -> str:
        """What may be written, as it ends "must be ..."."""

    def read(self, value: object) -> object:
        """Return the value in its one form.

        Raises:
            ValueError: It is not allowed.
        """


_LARGEST_WHOLE = 2**63 - 1
"""The largest whole number that any system, and TOML, promises to tell from its neighbours."""


@dataclass(frozen=True)
class Whole:
    """A whole number of 64 bits.

    Attributes:
        least: The smallest allowed.
        most: The largest allowed; None for no limit.
    """

    least: int
    most: int | None = None

    @property
    def allowed(self) -> str:
        """What may be written."""
        return f"a whole number {_between(self.least, self.most)}"

    def read(self, value: object) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError  # noqa: TRY004 - one error for every kind of mistake
        if not self.least <= value <= (_LARGEST_WHOLE if self.most is None else self.most):
            raise ValueError
        return value


@dataclass(frozen=True)
class Number:
    """A finite number.

    Attributes:
        least: The smallest allowed.
        most: The largest allowed; None for no limit.
        open: Whether the two themselves are not allowed.
    """

    least: float
    most: float | None = None
    open: bool = False

    @property
    def allowed(self) -> str:
        """What may be written."""
        if self.least == -math.inf:
            return "a finite number"
        if self.open:
            return f"a number above {self.least:g}" + (
                "" if self.most is None else f" and below {self.most:g}"
            )
        return f"a number {_between(self.least, self.most)}"

    def read(self, value: object) -> float:
        """Return the number as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError  # noqa: TRY004 - one error for every kind of mistake
        try:
            number, most = float(value), math.inf if self.most is None else self.most
        except OverflowError:
            raise ValueError from None
        inside = self.least < number < most if self.open else self.least <= number <= most
        if not (inside and math.isfinite(number)):
            raise ValueError
        return number


@dataclass(frozen=True)
class Choice:
    """One of several texts.

    Attributes:
        names: The texts.
    """

    names: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """What may be written."""
        return "one of " + ", ".join(map(repr, self.names))

    def read(self, value: object) -> str:
        """Return the text."""
        if value not in self.names:
            raise ValueError
        return str(value)


class Flag:
    """True or false."""

    allowed = "true or false"

    def read(self, value: object) -> bool:
        """Return the value."""
        if not isinstance(value, bool):
            raise ValueError  # noqa: TRY004 - one error for every kind of mistake
        return value


class Text:
    """Any text that is not empty."""

    allowed = "text"

    def read(self, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError
        return value


class Texts:
    """One text, or a list of different ones."""

    allowed = "text, or a list of different texts"

    def read(self, value: object) -> tuple[str, ...]:
        """Return the texts."""
        values = (value,) if isinstance(value, str) else value
        if not isinstance(values, list | tuple):
            raise ValueError  # noqa: TRY004 - one error for every kind of mistake
        texts = tuple(Text().read(item) for item in values)
        if len(set(texts)) < len(texts):
            raise ValueError
        return texts


class Shares:
    """A list of numbers above 0 that add up to 1."""

    allowed = "a list of numbers above 0 that add up to 1"

    def read(self, value: object) -> tuple[float, ...]:
        """Return the numbers."""
        if not isinstance(value, list | tuple):
            raise ValueError  # noqa: TRY004 - one error for every kind of mistake
        shares = tuple(Number(0, open=True).read(item) for item in value)
        if not math.isclose(sum(shares), 1):
            raise ValueError
        return shares


class Encoding:
    """A character encoding that Python knows."""

    allowed = "a character encoding, such as 'utf-8', 'latin-1' or 'utf-16'"

    def read(self, value: object) -> str:
        """Return the encoding's own name."""
        try:
            encoding = codecs.lookup(Text().read(value))
            "".encode(encoding.name)
        except LookupError:
            # Python also knows codecs that are no encodings of text.
            raise ValueError from None
        return encoding.name


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: What the user writes.
        kind: What it may be.
        default: Its value where nothing is written; None, or nothing in it, for none.
        meaning: What it does, for the documentation.
    """

    name: str
    kind: Kind
    default: object
    meaning: str


def read_parameters(
    given: Mapping[str, object], parameters: Sequence[Parameter], owner: str
) -> tuple[dict[str, object], list[Problem]]:
    """Read parameters, defaults filled in.

    Args:
        given: What was written.
        parameters: What could have been.
        owner: Whose they are, for messages.

    Returns:
        The values that are right, in the parameters' order, and a problem for each that is not.
    """
    known = {parameter.name: parameter for parameter in parameters}
    problems = [
        Problem(f".{name}", f"is no parameter of {owner}.{_hint(name, known)}")
        for name in given
        if name not in known
    ]
    values: dict[str, object] = {}
    for name, parameter in known.items():
        try:
            values[name] = parameter.kind.read(given[name]) if name in given else parameter.default
        except ValueError:
            problems.append(_refusal(parameter, given[name]))
    return values, problems


def _refusal(parameter: Parameter, value: object) -> Problem:
    kind = parameter.kind
    hint = did_you_mean(value, kind.names) if isinstance(kind, Choice) else ""
    return Problem(f".{parameter.name}", f"must be {kind.allowed}, but is {shown(value)}.{hint}")


def _hint(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, [*known]) or f" Known: {', '.join(known) or 'none'}."


def _between(least: float, most: float | None) -> str:
    return f"of at least {least:.12g}" if most is None else f"from {least:.12g} to {most:.12g}"


class Strict(BaseModel):
    """A table of a specification: known keys only, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True)
class OneOf:
    """A type's annotation: one of these names.

    Attributes:
        names: What is allowed.
        otherwise: What is allowed beside them, in words.
    """

    names: tuple[str, ...]
    otherwise: str = ""

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
    """Return a list: one value stands for a list of one.

    Args:
        value: One value, or a sequence of them.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return [value]
    return list(value)


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
    hint = did_you_mean(value, _choices(context.get("expected", "")))
    return f"{allowed}, but is {shown(value)}.{hint}"


def _choices(expected: str) -> list[str]:
    # pydantic quotes them: 'mean' or 'sum'.
    return expected.split("'")[1::2]

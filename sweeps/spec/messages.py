"""From what pydantic found to messages: path, value, what is allowed, did you mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sweeps.data.parameters import text_of
from sweeps.errors import Problem, did_you_mean
from sweeps.spec.types import LogSpace, SeedRange

RANGES: Mapping[str, type[BaseModel]] = {
    "learning_rates": LogSpace,
    "seeds": SeedRange,
    "confirmation_seeds": SeedRange,
}
"""Keys in whose lists a table stands for several values."""

Place = tuple[int | str, ...]


def problem_of(details: ErrorDetails, keys: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    """Return a mistake as it is told."""
    place = tuple(part for part in details["loc"] if not str(part).startswith("<"))
    path = path_of(place, keys) or details["type"]
    unknown = details["type"] == "extra_forbidden"
    return Problem(path, _unknown_key(place, model) if unknown else text_of(details))


def _unknown_key(place: Place, model: type[BaseModel]) -> str:
    *outside, key = place
    names = [part for part in outside if isinstance(part, str)]
    known = _fields_at(names, model)
    what = f"a key of {names[-1]!r}" if names else "a key of a study"
    hint = did_you_mean(key, known) or f" Known keys: {', '.join(known)}."
    return f"is not {what}.{hint}"


def _fields_at(names: list[str], model: type[BaseModel]) -> tuple[str, ...]:
    for name in names:
        field = model.model_fields.get(name)
        inner = RANGES.get(name) or (field and _model_in(field.annotation))
        model = inner or model
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - types of types
    """Return the first model that an annotation holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)


def path_of(place: Place, keys: Mapping[str, Any]) -> str:
    """Return a path in what was written, such as `optimizer[1].beta1`.

    `place` is a path in the model, where one value may stand as a list of one, a name as a table.
    """
    text, key = "", ""
    inside: Any = keys
    for part in place:
        if isinstance(part, str) and isinstance(inside, Mapping):
            text += f".{part}" if text else part
            inside, key = inside.get(part, ()), part
        elif isinstance(part, int) and isinstance(inside, list | tuple):
            if not _is_expanded(key, inside):
                text += f"[{part}]"
                inside = inside[part] if part < len(inside) else ()
            key = ""
    return text


def _is_expanded(key: str, values: Sequence[Any]) -> bool:
    """Return whether places in the model are no places in what was written."""
    if key in _NESTED:
        # One network, written as the list of its layers; one bundle, as the list of its axes.
        return not any(isinstance(value, list | tuple) for value in values)
    return key in RANGES and any(isinstance(value, Mapping) for value in values)


_NESTED = ("hidden_layers", "zip")

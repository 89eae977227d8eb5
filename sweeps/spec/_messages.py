"""From what pydantic found to messages: path, value, what is allowed, did you mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sweeps.data.parameters import text_of
from sweeps.errors import Problem, did_you_mean
from sweeps.spec.axes import TABLES, Axes

Location = tuple[int | str, ...]


def problem_of(details: ErrorDetails, keys: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    """Return a mistake as the user reads it."""
    location = tuple(part for part in details["loc"] if not str(part).startswith("<"))
    path = path_of(location, keys) or details["type"]
    unknown = details["type"] == "extra_forbidden"
    return Problem(path, _unknown_key(location, model) if unknown else text_of(details))


def _unknown_key(location: Location, study: type[BaseModel]) -> str:
    *outside, key = location
    table = next((part for part in reversed(outside) if isinstance(part, str)), None)
    known = [*(study if table is None else _MODELS[table]).model_fields]
    what = "a key of a study" if table is None else f"a key of {table!r}"
    hint = did_you_mean(key, known) or f" Known keys: {', '.join(known)}."
    return f"is not {what}.{hint}"


_MODELS: Mapping[str, type[BaseModel]] = {
    **TABLES,
    "confirmation_seeds": TABLES["seeds"],
    "include": Axes,
    "exclude": Axes,
}


def path_of(location: Location, keys: Mapping[str, Any]) -> str:
    """Return a path in what was written, such as `optimizer[1].beta1`."""
    # `location` is in the model, where one value may stand as a list of one, a name as a table.
    text, key = "", ""
    inside: Any = keys
    for part in location:
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
    """Return whether locations in the model are no locations in what was written."""
    if key in _NESTED:
        # One network, written as the list of its layers; one bundle, as the list of its axes.
        return not any(isinstance(value, list | tuple) for value in values)
    return key in _RANGES and any(isinstance(value, Mapping) for value in values)


_NESTED = ("hidden_layers", "zip")
_RANGES = ("learning_rates", "seeds", "confirmation_seeds")
"""Keys in whose lists a table represents several values."""

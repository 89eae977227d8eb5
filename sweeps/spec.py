"""The specification of a study: TOML or keywords in, a checked model or every mistake out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from sweeps.errors import Problem, SpecificationError, UsageError, did_you_mean, shown

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
LARGEST_SEED = 2**63 - 1

Width = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=1)]
LearningRate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


# TOML has lists where the model holds tuples; the elements stay strict.
AXIS = Field(strict=False)


class StudySpecification(BaseModel):
    """What a study tries, on which data, with which budget.

    Attributes:
        name: The study's name: letters, digits, `.`, `_` and `-`, at most 64.
        title: One line for the head of the report.
        dataset: Name of a dataset; `bpsweep validate` lists them for an unknown one.
        validation_fraction: Share of the examples that learning rates are chosen on.
        test_fraction: Share of the examples that nothing is chosen on.
        scaling: How features are scaled, fitted on the training part: to mean 0 and standard
            deviation 1, to the range 0 to 1, or not at all.
        hidden_layers: Units of each hidden layer, bias units not counted; none for a single layer.
        activation: Activation of every layer.
        loss: Loss of one example.
        reduction: How a batch's losses become its error: their mean, or their sum, with which a
            step grows with the batch.
        optimizer: Update rule.
        batch_sizes: Examples of an update; none larger than the training part.
        learning_rates: Factors of the gradient; every batch size is tried with each.
        seeds: Seeds of split, initial weights and order on which rates are compared.
        confirmation_seeds: Fresh seeds on which the selected rate of each batch size is trained
            again and its test metric computed; none switches that stage off.
        epochs: Budget of every trial: passes over the training part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern=NAME_PATTERN)
    title: str = ""
    dataset: str
    validation_fraction: Fraction = 0.2
    test_fraction: Fraction = 0.2
    scaling: Literal["standardise", "min-max", "none"] = "standardise"
    hidden_layers: Annotated[tuple[Width, ...], AXIS] = ()
    activation: Literal["sigmoid"] = "sigmoid"
    loss: Literal["squared_error"] = "squared_error"
    reduction: Literal["mean", "sum"] = "mean"
    optimizer: Literal["sgd"] = "sgd"
    batch_sizes: Annotated[tuple[BatchSize, ...], AXIS]
    learning_rates: Annotated[tuple[LearningRate, ...], AXIS]
    seeds: Annotated[tuple[Seed, ...], AXIS]
    confirmation_seeds: Annotated[tuple[Seed, ...], AXIS] = ()
    epochs: int = Field(ge=1)

    @field_validator("batch_sizes", "learning_rates", "seeds")
    @classmethod
    def _refuse_nothing(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not values:
            raise PydanticCustomError("empty", "must hold at least one value")
        return values

    @field_validator("batch_sizes", "learning_rates", "seeds", "confirmation_seeds")
    @classmethod
    def _refuse_repetition(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise PydanticCustomError("repeated", f"holds {repeated} more than once")
        return tuple(sorted(values))


KEYS = tuple(StudySpecification.model_fields)


def preset_names() -> list[str]:
    """Return the names of the studies that ship."""
    folder = resources.files("sweeps") / "presets"
    return sorted(Path(entry.name).stem for entry in folder.iterdir())


def read_target(target: str) -> tuple[str, dict[str, Any]]:
    """Read a specification without checking it.

    Args:
        target: Name of a study that ships, or path of a TOML file.

    Returns:
        What to call the source in messages, and the file's keys with the file's name as the default
        of `name`.

    Raises:
        UsageError: There is no such study or file, or it can't be read.
        SpecificationError: The file is not TOML.
    """
    if target in preset_names():
        text = (resources.files("sweeps") / "presets" / f"{target}.toml").read_text("utf-8")
        return f"preset {target}", {"name": target} | tomllib.loads(text)
    path = Path(target)
    if path.suffix != ".toml":
        raise UsageError(
            f"{shown(target)} is neither a study that ships ({', '.join(preset_names())}) nor a "
            f"TOML file.{did_you_mean(target, preset_names())}"
        )
    return target, {"name": path.stem} | _parse(target, _read(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a TOML file.") from None
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist.") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None


def _parse(source: str, content: bytes) -> dict[str, Any]:
    try:
        keys = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        text = f"is not UTF-8: byte {error.start} is {content[error.start]:#04x}."
        raise SpecificationError(source, [Problem("file", text)]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecificationError(source, [Problem("file", f"is not TOML: {error}.")]) from None
    if not keys:
        raise SpecificationError(source, [Problem("file", "is empty.")])
    return keys


def check(
    keys: Mapping[str, Any],
    source: str,
    about_data: Callable[[Mapping[str, Any]], list[Problem]],
) -> StudySpecification:
    """Return the checked specification.

    Args:
        keys: What was written.
        source: What to call it in messages.
        about_data: Gives the problems that only the data can show. It gets the keys that are right
            in themselves, defaults filled in.

    Raises:
        SpecificationError: With every problem there is.
    """
    problems: list[Problem] = []
    failed: set[int | str] = set()
    try:
        specification = StudySpecification.model_validate(dict(keys))
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
        failed = {details["loc"][0] for details in error.errors() if details["loc"]}
    passed = {key: value for key, value in (_defaults() | dict(keys)).items() if key not in failed}
    problems += _contradictions(passed)
    problems += about_data(passed)
    if problems:
        raise SpecificationError(source, problems)
    return specification


def _contradictions(keys: Mapping[str, Any]) -> list[Problem]:
    problems = []
    shared = sorted({*keys.get("seeds", ())} & {*keys.get("confirmation_seeds", ())})
    if shared:
        text = f"must be fresh seeds, but {shared} are in `seeds` too."
        problems.append(Problem("confirmation_seeds", text))
    held_out = keys.get("validation_fraction", 0) + keys.get("test_fraction", 0)
    if held_out >= 1:
        text = (
            f"`validation_fraction + test_fraction < 1` must hold, but they add up to {held_out:g}."
        )
        problems.append(Problem("test_fraction", text))
    return problems


def _defaults() -> dict[str, Any]:
    fields = StudySpecification.model_fields
    return {name: field.default for name, field in fields.items() if not field.is_required()}


_ALLOWED: dict[str, str] = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "finite_number": "must be finite",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' and '-', at most 64 of them",
    "literal_error": "must be one of {expected}",
}


def _problem(details: ErrorDetails) -> Problem:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    path = _path(details["loc"]) or kind
    if kind == "missing":
        return Problem(path, "is required, but missing.")
    if kind == "extra_forbidden":
        hint = did_you_mean(path, KEYS) or f" Known keys: {', '.join(KEYS)}."
        return Problem(path, f"is not a key of a study.{hint}")
    if kind not in _ALLOWED:
        return Problem(path, f"{details['msg']}.")
    allowed = _ALLOWED[kind].format(**context)
    hint = did_you_mean(value, _choices(context.get("expected", "")))
    return Problem(path, f"{allowed}, but is {shown(value)}.{hint}")


def _choices(expected: str) -> list[str]:
    # pydantic quotes them: 'mean' or 'sum'.
    return expected.split("'")[1::2]


def _path(place: tuple[int | str, ...]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def from_toml(text: str) -> StudySpecification:
    """Return a specification from what `to_toml` wrote.

    Args:
        text: TOML of a checked specification.
    """
    return StudySpecification.model_validate(tomllib.loads(text))


def to_toml(specification: StudySpecification) -> str:
    """Return the specification as TOML, every default written out.

    Args:
        specification: The checked model; reading the text back gives the same one.
    """
    return "".join(
        f"{key} = {_toml_value(value)}\n" for key, value in specification.model_dump().items()
    )


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, str):
        # A TOML basic string escapes as JSON does, DEL apart.
        return json.dumps(value).replace("\x7f", "\\u007f")
    return repr(value)

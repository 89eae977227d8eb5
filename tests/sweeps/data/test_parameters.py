"""Parameters: read in one form, every mistake reported with what is allowed."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
from pydantic import Field, create_model
from refused import states

from sweeps.data.parameters import (
    Encoding,
    Number,
    OneOf,
    Shares,
    Strict,
    Text,
    Whole,
    pairs_of,
    read_parameters,
)
from sweeps.data.table._choices import Columns
from sweeps.errors import Problem


class Parameters(Strict):
    """Parameters of something."""

    noise: Number = Field(default=0.5, ge=0)
    task: Annotated[str, OneOf(("classification", "regression"))] = ""


KINDS = {
    "Whole": Whole,
    "Number": Number,
    "Text": Text,
    "Columns": Columns,
    "Shares": Shares,
    "Encoding": Encoding,
}


def read(kind: str, value: object) -> tuple[Any, list[Problem]]:
    model = create_model("Model", x=(KINDS[kind], ...), __base__=Strict)
    parameters, problems = read_parameters({"x": value}, model, "it")
    return parameters and dict(parameters)["x"], problems


@pytest.mark.parametrize(
    ("kind", "written", "wanted"),
    [
        ("Whole", 2**63 - 1, 2**63 - 1),
        ("Number", 1, 1.0),
        ("Text", "x", "x"),
        ("Columns", "x", ("x",)),
        ("Columns", ["x", "y"], ("x", "y")),
        ("Columns", [], ()),
        ("Shares", [0.25, 0.75], (0.25, 0.75)),
        ("Encoding", "UTF8", "utf-8"),
        ("Encoding", "latin1", "iso8859-1"),
    ],
)
def test_a_value_is_read_in_one_form(kind: str, written: object, wanted: object) -> None:
    value, problems = read(kind, written)
    assert not problems
    assert value == wanted
    assert type(value) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("Whole", 1.0),
        ("Whole", True),
        ("Whole", 2**63),
        ("Number", 10**400),
        ("Number", math.inf),
        ("Number", math.nan),
        ("Number", False),
        ("Number", "1"),
        ("Text", ""),
        ("Text", "a\0"),
        ("Text", 3),
        ("Columns", ["x", "x"]),
        ("Columns", ["x", None]),
        ("Columns", {"x": 1}),
        ("Shares", [0.5, 0.6]),
        ("Shares", [1.0, 0]),
        ("Shares", 1),
        ("Encoding", "rot13"),
        ("Encoding", "uft"),
        ("Encoding", "a\0"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_its_name(kind: str, written: object) -> None:
    _, (problem, *_) = read(kind, written)
    assert problem.path == ".x"
    assert problem.text.startswith(("must be ", "holds "))


def test_defaults_are_filled_in_and_sorted() -> None:
    parameters, problems = read_parameters({"noise": 1}, Parameters, "it")
    assert not problems
    assert pairs_of(parameters) == (("noise", 1.0), ("task", ""))


def test_every_mistake_is_reported_with_what_is_allowed() -> None:
    written = {"nois": 1, "zzz": 1, "noise": -1, "task": "regresion"}
    parameters, problems = read_parameters(written, Parameters, "moons")
    assert parameters is None
    text = {problem.path: problem.text for problem in problems}
    assert [*text] == [".noise", ".task", ".nois", ".zzz"]
    states(text[".noise"], "at least 0.0", "is -1")
    states(text[".task"], "'classification' or 'regression'", "'regresion'", "mean 'regression'?")
    states(text[".nois"], "no parameter of moons", "mean 'noise'?")
    states(text[".zzz"], "Known: noise, task.")


def test_what_has_no_parameters_says_so() -> None:
    (problem,) = read_parameters({"a": 1}, Strict, "iris")[1]
    states(problem.text, "no parameter of iris", "Known: none")

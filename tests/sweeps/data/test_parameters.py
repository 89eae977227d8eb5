"""Parameters: read in one form, every mistake told with what is allowed."""

from __future__ import annotations

import math

import pytest

from sweeps.data.parameters import (
    Choice,
    Encoding,
    Flag,
    Kind,
    Number,
    Parameter,
    Shares,
    Text,
    Texts,
    Whole,
    read_parameters,
)


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        (Whole(1), 1, 1),
        (Whole(0, 5), 5, 5),
        (Number(0), 1, 1.0),
        (Number(0, 1), 0.5, 0.5),
        (Number(-math.inf), -3, -3.0),
        (Choice(("a", "b")), "b", "b"),
        (Flag(), True, True),
        (Text(), "x", "x"),
        (Texts(), "x", ("x",)),
        (Texts(), ["x", "y"], ("x", "y")),
        (Shares(), [0.25, 0.75], (0.25, 0.75)),
        (Encoding(), "UTF8", "utf-8"),
        (Encoding(), "latin1", "iso8859-1"),
    ],
)
def test_a_value_is_read_in_one_form(kind: Kind, written: object, read: object) -> None:
    found = kind.read(written)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("kind", "written", "allowed"),
    [
        (Whole(1), 0, "a whole number of at least 1"),
        (Whole(1), 1.0, "a whole number of at least 1"),
        (Whole(1), True, "a whole number of at least 1"),
        (Whole(0, 5), 6, "a whole number from 0 to 5"),
        (Number(0), -1, "a number of at least 0"),
        (Number(0), math.inf, "a number of at least 0"),
        (Number(0), math.nan, "a number of at least 0"),
        (Number(0), False, "a number of at least 0"),
        (Number(0), "1", "a number of at least 0"),
        (Number(0, 1), 2, "a number from 0 to 1"),
        (Number(0, open=True), 0, "a number above 0"),
        (Number(0, 1, open=True), 1, "a number above 0 and below 1"),
        (Number(-math.inf), math.inf, "a finite number"),
        (Choice(("a", "b")), "c", "one of 'a', 'b'"),
        (Choice(("a", "b")), ["a"], "one of 'a', 'b'"),
        (Flag(), 1, "true or false"),
        (Text(), "", "text"),
        (Text(), "a\0", "text"),
        (Text(), 3, "text"),
        (Texts(), ["x", "x"], "text, or a list of different texts"),
        (Texts(), ["x", 3], "text, or a list of different texts"),
        (Texts(), 3, "text, or a list of different texts"),
        (Shares(), [0.5, 0.6], "a list of numbers above 0 that add up to 1"),
        (Shares(), [1.0, 0], "a list of numbers above 0 that add up to 1"),
        (Shares(), 1, "a list of numbers above 0 that add up to 1"),
        (Encoding(), "rot13", "a character encoding, such as 'utf-8', 'latin-1' or 'utf-16'"),
        (Encoding(), "uft", "a character encoding, such as 'utf-8', 'latin-1' or 'utf-16'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(kind: Kind, written: object, allowed: str) -> None:
    with pytest.raises(ValueError):
        kind.read(written)
    assert kind.allowed == allowed


SOME = (
    Parameter("noise", Number(0), 0.5, "noise"),
    Parameter("task", Choice(("classification", "regression")), "", "task"),
)


def test_defaults_are_filled_in() -> None:
    assert read_parameters({"noise": 1}, SOME, "it") == ({"noise": 1.0, "task": ""}, [])


def test_every_mistake_is_told_with_what_is_allowed() -> None:
    values, problems = read_parameters(
        {"nois": 1, "zzz": 1, "noise": -1, "task": "regresion"}, SOME, "moons"
    )
    assert values == {}
    assert [(problem.path, problem.text) for problem in problems] == [
        (".nois", "is no parameter of moons. Did you mean 'noise'?"),
        (".zzz", "is no parameter of moons. Known: noise, task."),
        (".noise", "must be a number of at least 0, but is -1."),
        (
            ".task",
            (
                "must be one of 'classification', 'regression', but is 'regresion'. Did you mean "
                "'regression'?"
            ),
        ),
    ]


def test_what_has_no_parameters_says_so() -> None:
    (problem,) = read_parameters({"a": 1}, (), "iris")[1]
    assert problem.text == "is no parameter of iris. Known: none."

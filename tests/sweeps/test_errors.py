"""Messages and exit codes."""

from __future__ import annotations

from sweeps.errors import Problem, SpecificationError, did_you_mean, shown


def test_every_problem_has_its_line() -> None:
    problems = [Problem("a", "is 1."), Problem("b[2]", "is 3.")]
    assert str(SpecificationError("x.toml", problems)) == "x.toml: a: is 1.\nx.toml: b[2]: is 3."


def test_only_problems_with_the_data_exit_as_such() -> None:
    of_data, other = Problem("a", "x", about_data=True), Problem("b", "y")
    assert SpecificationError("x", [of_data]).exit_code == 3
    assert SpecificationError("x", [of_data, other]).exit_code == 2


def test_values_are_cut_and_escaped() -> None:
    assert shown("a\x1b[31m") == "'a\\x1b[31m'"
    assert shown("x" * 100) == "'" + "x" * 78 + "…"


def test_no_suggestion_where_nothing_is_close() -> None:
    assert did_you_mean("zzz", ["batch_sizes"]) == ""

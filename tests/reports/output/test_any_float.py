"""A report is made of any store, whatever floats it holds, and any number can be written."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from reports.charts.base import svg
from reports.charts.catalogue import charts
from reports.compare.comparison import build_comparison
from reports.output.build import DOCUMENT, build_report
from reports.output.interactive import Results
from reports.output.manuscript import build_paper
from reports.recommend.analysis import analyse_study
from reports.schema import formats
from reports.schema.measures import measure_of
from reports.schema.results import CONFIRM, REGRESSION, StudyResults
from tests.reports.conftest import DIGITS_GROUP, Sketch, make_results, small

ODD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1.7e308, 5e-324, -2.2e-308, -0.0, 0.0, 1e28)
"""Floats that a store may hold."""
FRAMES = ("trials", "curves", "timing")
LONG = 40
"""Characters that no number takes."""


@pytest.fixture(scope="module")
def base() -> StudyResults:
    """A study of few trials, with everything that a store holds."""
    results = make_results(Sketch(description=small(seeds=(0, 1, 2), confirmation_seeds=(9, 10))))
    kept = results.curves["examples"] % (4 * 1_077) == 0
    return replace(results, curves=results.curves[kept].reset_index(drop=True))


def columns_of(results: StudyResults) -> list[tuple[str, str]]:
    return [
        (frame, column)
        for frame in FRAMES
        for column in getattr(results, frame).select_dtypes("float64")
    ]


def spoilt(
    results: StudyResults, places: list[tuple[int, int, float]], whole: bool = False
) -> StudyResults:
    """Return results with odd floats in some cells, or whole columns, by number of the column."""
    frames = {frame: getattr(results, frame).copy() for frame in FRAMES}
    columns = columns_of(results)
    for column, row, value in places:
        frame, name = columns[column % len(columns)]
        table = frames[frame]
        # A trial that chooses a rate has no test result, not even an odd one.
        rows = table.index[table["stage"] == CONFIRM] if name.startswith("test") else table.index
        table.loc[rows if whole else rows[row % len(rows)], name] = value
    return replace(results, **frames)


cells = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 9_999), st.sampled_from(ODD) | st.floats()),
    min_size=1,
    max_size=12,
)


def strict(text: str) -> object:
    """Parse JSON that has no numbers but JSON's own."""

    def refuse(token: str) -> None:
        raise AssertionError(token)

    return json.loads(text, parse_constant=refuse)


def said(results: StudyResults) -> str:
    """Return everything that a report says of a study, its figures undrawn."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "draw", lambda _chart: "<svg width='1' height='1'>x</svg>")
        page = build_report(results, Path(name))
        strict((Path(name) / DOCUMENT).read_text(encoding="utf-8"))
        for path in (Path(name) / "tables").glob("*.csv"):
            pd.read_csv(path)
        return page.read_text(encoding="utf-8")


@pytest.mark.slow
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(places=cells, whole=st.booleans())
def test_whatever_floats_a_store_holds_a_report_shows_something(
    base: StudyResults, places: list[tuple[int, int, float]], whole: bool
) -> None:
    page = re.sub(r"base64,[^'\"]*", "", said(spoilt(base, places, whole)))
    assert not re.search(r"(?<![\w.#-])\d{40,}", page)
    assert not re.search(r">\s*[+-]?(nan|inf)%?\s*<", page)


@pytest.mark.parametrize(
    "value",
    [math.inf, *(pytest.param(value, marks=pytest.mark.slow) for value in (1e300, 1e28, 5e-324))],
)
def test_a_report_is_drawn_of_every_kind_of_float(
    base: StudyResults, tmp_path: Path, value: float
) -> None:
    """In one cell of each column: the report, the files for a paper and the notebook's."""
    places = [(column, 5 + 7 * column, value) for column in range(len(columns_of(base)))]
    results = spoilt(base, places)
    build_report(results, tmp_path)
    for path in (tmp_path / "figures").glob("*.svg"):
        assert not re.search(r'="[^"]*(nan|inf)\b', path.read_text(encoding="utf-8")), path.name


def test_papers_notebooks_and_comparisons_hold_any_float(
    base: StudyResults, tmp_path: Path
) -> None:
    results = spoilt(base, [(column, 3 * column, math.inf) for column in range(99)])
    assert "<table " in Results.of(results)._repr_html_()
    assert build_paper(results, tmp_path / "paper", names=["rates"])
    build_comparison({"one": base, "other": results}, tmp_path / "both")
    assert (tmp_path / "both" / "report.html").stat().st_size


def test_networks_that_blew_up_leave_the_others_to_be_seen() -> None:
    """An R2 of -1e28 is written as such, and axes end where R2 means something."""
    plan = small(task="regression", metric="R2", outputs=1, seeds=(0, 1, 2))
    results = make_results(Sketch(description=plan, diverges=lambda *_: False))
    blown = (results.trials["batch_size"] == 512) & (results.trials["seed"] % 2 == 0)
    trials = results.trials.copy()
    trials.loc[blown, "validation_metric"] = -1e28
    trials.loc[blown & (trials["stage"] == CONFIRM), "test_metric"] = -5.2e24
    (group,) = analyse_study(replace(results, trials=trials)).groups
    drawn = {chart.name: Figure().add_subplot() for chart in charts(group)}
    for chart in charts(group):
        if chart.name in {"accuracy", "generalization-gap"}:
            low, high = chart.draw(drawn[chart.name]).get_ylim()
            assert -2 <= low < high <= 2, chart.name
    assert "-3.1e24" in {c.name: c for c in charts(group)}["accuracy"].description


NUMBERS: dict[str, Callable[[float], str]] = {
    name: getattr(formats, name)
    for name in ("percent", "seconds", "off_by", "significant", "times", "count", "rate")
}
MEASURES = [measure_of(DIGITS_GROUP), measure_of(replace(DIGITS_GROUP, task=REGRESSION))]


@settings(max_examples=200, deadline=None)
@given(value=st.sampled_from(ODD) | st.floats(), kind=st.sampled_from([float, np.float64]))
def test_every_float_is_written(value: float, kind: Callable[[float], float]) -> None:
    for name, written in NUMBERS.items():
        check(name, written(kind(value)))
    for measure in MEASURES:
        for name in ("text", "signed", "gap", "tick"):
            check(name, getattr(measure, name)(kind(value)))
        check("span", measure.span(kind(value), kind(-value)))


def check(name: str, text: str) -> None:
    assert 0 < len(text) <= LONG, (name, text)
    assert not re.search("nan|inf", text), (name, text)


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int64, np.uint8])
def test_numbers_of_numpy_are_written_as_those_of_python(kind: Callable[[float], float]) -> None:
    for name, written in NUMBERS.items():
        assert written(kind(3)) == written(3.0), name

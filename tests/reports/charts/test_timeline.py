"""The figure of what ran when shows the spans of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.analysis.worker_timeline import TIMED, TIMELINE_COLUMNS, Timeline, timeline_of
from reports.charts import timeline as timeline_figures
from reports.charts.base.style import SIZE_ID
from reports.schema.formats import seconds
from reports.schema.results import StudyResults, as_table

NO_PAUSES = pd.DataFrame({"at": [], "seconds": []})


@pytest.fixture(scope="module")
def history(digits: StudyResults) -> Timeline:
    """The timeline of the study as shipped."""
    return timeline_of(digits)


def made(spans: list[tuple[int, str, int | None, float, float]]) -> pd.DataFrame:
    """Return spans of a row, stage and batch size, from one moment to another."""
    columns = ["row", "stage", "batch_size", "started", "ended"]
    rest = {"dataset": "d", "architecture": "1-1", "optimizer": "sgd", "trials": 1}
    return as_table(pd.DataFrame(spans, columns=columns).assign(**rest), TIMELINE_COLUMNS)


def test_bars_are_the_spans_of_the_table(ax: Axes, history: Timeline) -> None:
    timeline_figures.timeline(ax, history.spans, history.pauses)
    drawn: list[tuple[str, float, float, float]] = []
    for line in ax.lines:
        places = np.asarray(line.get_xydata())
        if line.get_marker() != "|":
            size = str(line.get_gid()).removeprefix(SIZE_ID) if places[0, 1] else TIMED
            pairs = zip(places[::3], places[1::3], strict=True)
            drawn += [(size, begin[1], begin[0], end[0]) for begin, end in pairs]
            assert np.isnan(places[2::3, 0]).all()
    wanted = [
        (TIMED if row["stage"] == TIMED else str(row["batch_size"]), row["row"], *ends)
        for row in history.spans.to_dict("records")
        for ends in [(row["started"], row["ended"])]
    ]
    assert sorted(drawn) == sorted(wanted)
    assert ax.get_legend() is None


def test_begins_are_marked_unless_they_are_too_many(
    ax: Axes, history: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeline_figures.timeline(ax, history.spans, history.pauses)
    (marks,) = (line for line in ax.lines if line.get_marker() == "|")
    cohorts = history.spans[history.spans["stage"] != TIMED]
    assert np.asarray(marks.get_xdata()).tolist() == cohorts["started"].tolist()
    monkeypatch.setattr(timeline_figures, "MOST_MARKED", 21)
    bare = Figure().add_subplot()
    timeline_figures.timeline(bare, history.spans, history.pauses)
    assert all(line.get_marker() != "|" for line in bare.lines)


def test_a_bar_shows_its_batch_size_where_there_is_room(ax: Axes) -> None:
    spans = made([(1, "explore", 2, 0, 5), (1, "explore", 512, 5, 5.2), (1, "explore", 512, 6, 9)])
    timeline_figures.timeline(ax, spans, NO_PAUSES)
    assert [(text.get_text(), text.get_position()) for text in ax.texts] == [
        ("2", (2.5, 1)),
        ("512", (7.5, 1)),
    ]


def test_pauses_are_dotted(ax: Axes) -> None:
    spans = made([(1, "explore", 2, 0, 5), (1, "explore", 4, 5, 6)])
    timeline_figures.timeline(ax, spans, pd.DataFrame({"at": [5.0], "seconds": [60.0]}))
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [list(line.get_xdata()) for line in dotted] == [[5.0, 5.0]]


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (9.0, ["0 s", "2 s", "4 s"]),
        (600.0, ["0 min", "2 min", "4 min"]),
        (7e4, ["0 h", "5 h", "10 h"]),
    ],
)
def test_the_axis_has_a_unit_that_fits(ax: Axes, length: float, labels: list[str]) -> None:
    timeline_figures.timeline(ax, made([(1, "explore", 2, 0, length)]), NO_PAUSES)
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == labels
    low, high = ax.get_xlim()
    assert (low, high) == (0, pytest.approx(1.01 * length))


def test_a_bar_is_read_with_its_trials_and_time(ax: Axes) -> None:
    spans = made([(1, "explore", 2, 0, 5), (0, TIMED, None, 6, 8)])
    timeline_figures.timeline(ax, spans, NO_PAUSES)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["benchmark", "1"]
    (bar,) = ax.texts
    assert str(bar.get_label()).startswith("batch size 2: 1 trial ")
    assert seconds(5) in str(bar.get_label())


def test_very_many_bars_become_a_picture(tmp_path: Path) -> None:
    number = timeline_figures.MOST_SHAPES + 1
    sizes = {}
    for bars in (number, 100):
        figure = Figure((6.6, 3))
        spans = made([(1, "explore", 2 ** (n % 8), n, n + 1) for n in range(bars)])
        timeline_figures.timeline(figure.add_subplot(), spans, NO_PAUSES)
        figure.savefig(tmp_path / "drawn.svg")
        text = (tmp_path / "drawn.svg").read_text()
        assert ("<image" in text) is (bars == number)
        sizes[bars] = len(text)
    assert sizes[number] < 40_000

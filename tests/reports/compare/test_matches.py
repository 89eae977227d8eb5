"""Studies side by side: what matches, how far apart it is, what has no counterpart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from reports.charts.base.style import Marks
from reports.compare._figures import match_charts
from reports.compare._findings import cautions_of, findings, method_of
from reports.compare._matches import Matches, match_studies
from reports.compare.comparison import COLUMNS, MOST_DRAWN, match_frames, match_tables
from reports.recommend.analysis import analyse_study
from reports.recommend.record import StudyAnalysis
from reports.schema.results import EXPLORE, StudyDescription, StudyResults
from reports.stats._differences import PAIRED, UNPAIRED
from reports.stats.paired_tests import holm
from tests.reports.conftest import (
    Sketch,
    keep,
    make_results,
    nothing_run,
    several,
    small,
    without_timing,
)

pytestmark = pytest.mark.slow

AXES = {"batch_sizes": (8, 64), "learning_rates": (0.3, 1.0), "epochs": 2}
WORSE = 0.02


def analysed(plan: StudyDescription, *, worse: float = 0.0) -> StudyAnalysis:
    accuracy = Sketch().accuracy
    return analyse_study(
        make_results(
            Sketch(plan, accuracy=lambda size, rate, epochs: accuracy(size, rate, epochs) - worse)
        )
    )


def matched(first: StudyAnalysis, *others: StudyAnalysis) -> Matches:
    names = ["first", "second", "third", "fourth", "fifth", "sixth"]
    return match_studies(dict(zip(names, (first, *others), strict=False)))


@pytest.fixture(scope="module")
def first() -> StudyAnalysis:
    """A small study."""
    return analysed(small())


@pytest.fixture(scope="module")
def worse(first: StudyAnalysis) -> Matches:
    """It, and one that is two points worse, on another machine, with other batch sizes."""
    plan = small(
        batch_sizes=(8, 64, 128),
        activation="relu",
        provenance={"numpy": "2.4.6", "processor": "another"},
    )
    return matched(first, analysed(plan, worse=WORSE))


def said(matches: Matches) -> dict[str, str]:
    return {
        statement.kind: statement.text for statement in (*findings(matches), *cautions_of(matches))
    }


def test_cells_are_matched_and_their_differences_are_those_of_the_seeds(
    worse: Matches, first: StudyAnalysis
) -> None:
    assert worse.cells["batch_size"].tolist() == [8, 64]
    assert worse.groups["machine"].tolist() == ["a processor", "another"]
    former, other = (group.seeds for group in (first.groups[0], worse.studies["second"].groups[0]))
    for row in worse.cells.to_dict("records"):
        gaps = [
            float(np.mean(seeds.loc[seeds["batch_size"] == row["batch_size"], "metric"]))
            for seeds in (former, other)
        ]
        assert row["difference"] == pytest.approx(gaps[1] - gaps[0])
        assert (row["first_metric"], row["metric"]) == tuple(pytest.approx(gap) for gap in gaps)
        assert row["difference_low"] < row["difference"] < row["difference_high"]
        assert (row["method"], row["seeds"]) == (PAIRED, 5)


def test_p_values_are_adjusted_over_all_cells_of_a_study(worse: Matches) -> None:
    adjusted = worse.cells["p_value"].tolist()
    assert adjusted == sorted(adjusted, reverse=adjusted[0] > adjusted[1])
    assert worse.cells["established"].tolist() == [p <= 0.05 for p in adjusted]
    raw = [p / 2 for p in adjusted]
    assert max(holm(raw)) <= max(adjusted)


def test_seeds_that_differ_are_not_paired(first: StudyAnalysis) -> None:
    others = analysed(small(confirmation_seeds=(200, 201, 202)))
    cells = matched(first, others).cells
    assert set(cells["method"]) == {UNPAIRED}
    assert set(cells["seeds"]) == {8}


def test_what_has_no_counterpart_is_listed(worse: Matches) -> None:
    assert worse.unmatched.to_dict("records") == [
        {"study": "first", "group": "digits", "batch_sizes": "512", "against": "second"},
        {"study": "second", "group": "digits", "batch_sizes": "128", "against": "first"},
    ]
    text = said(worse)["unmatched"]
    assert "batch sizes of 2 groups" in text


def test_other_settings_of_a_match_are_a_warning(worse: Matches) -> None:
    text = said(worse)["settings"]
    assert "“digits” has other settings in “second”: activation: relu, not sigmoid" in text


def test_established_differences_are_named(worse: Matches) -> None:
    text = said(worse)["differences"]
    assert text.startswith("Of 2 matched cells, the test accuracy of “second” differs")
    row = worse.cells.sort_values("difference", key=abs).iloc[-1]
    assert f"at batch size {row['batch_size']}: by {100 * row['difference']:+.1f} points" in text


def test_a_study_compared_with_itself_is_the_same(first: StudyAnalysis) -> None:
    same = matched(first, first)
    texts = said(same)
    assert "in none by these tests" in texts["differences"]
    assert "an update takes 1.0x as long" in texts["times"].lower()
    assert "both on a processor" in texts["times"]
    assert same.unmatched.empty
    names = {table.name for table in match_tables(same)}
    assert names == {"studies", "matched"}


def test_other_data_have_no_matching_cell(first: StudyAnalysis) -> None:
    other = analysed(small(dataset="wine", fingerprint="77", group="wine"))
    unlike = matched(first, other)
    texts = said(unlike)
    assert unlike.cells.empty
    assert match_charts(unlike) == []
    assert "no cell in common" in texts["differences"]
    assert "times" not in texts
    first_use, other_use = (study.groups[0].recommended for study in unlike.studies.values())
    assert f"“first”, use batch size {first_use} with learning rate" in texts["recommendations"]
    assert f"“second”, use batch size {other_use} with learning rate" in texts["recommendations"]


def test_groups_match_by_all_settings_before_they_match_by_fewer() -> None:
    plans = [{"group": "a"}, {"group": "b", "activation": "relu"}]
    former = analysed(several(*plans, **AXES))
    latter = analysed(
        several(*({**plan, "group": f"{plan['group']}2"} for plan in plans[::-1]), **AXES)
    )
    assert [(p.first.plan.group, p.other.plan.group) for p in matched(former, latter).pairs] == [
        ("a", "a2"),
        ("b", "b2"),
    ]
    third = analysed(several({"group": "c", "activation": "tanh"}, **AXES))
    assert matched(former, third).pairs == ()  # either could be meant
    text = said(matched(former, latter))["recommendations"]
    assert "for “a”" in text
    assert "for “b2”" in text


def test_sets_that_differ_are_not_compared(first: StudyAnalysis) -> None:
    explored = keep(first.results, first.results.trials["stage"] == EXPLORE)
    partial = matched(first, analyse_study(explored))
    texts = said(partial)
    assert partial.cells["difference"].isna().all()
    assert partial.cells["metric"].notna().all()
    assert "can't be compared: the first study shows its test accuracy on 360" in texts["parts"]
    assert "“second” is not complete: 15 planned trials" in texts["partial"]
    assert [chart.name for chart in match_charts(partial)] == ["update-1"]


@pytest.mark.parametrize("change", [nothing_run, without_timing])
def test_a_study_with_less_in_it_is_compared_too(
    first: StudyAnalysis, change: type[StudyResults]
) -> None:
    less = matched(first, analyse_study(change(first.results)))  # type: ignore[arg-type, call-arg]
    if change is nothing_run:
        assert "in “second”, none can be recommended yet" in said(less)["recommendations"]
    assert "times" not in said(less)
    assert match_tables(less)


def test_the_method_names_the_first_study_and_the_tests(worse: Matches) -> None:
    text = " ".join(method_of(worse))
    for word in ("“first”", "paired t", "Welch's t", "Holm", "95%"):
        assert word in text


def test_frames_have_the_columns_that_are_documented(worse: Matches) -> None:
    frames = match_frames(worse)
    for name, columns in COLUMNS.items():
        types = {column.name: column.dtype for column in columns}
        assert frames[name].dtypes.astype("str").to_dict() == types
    assert len(frames["columns"]) == sum(map(len, COLUMNS.values()))


def test_the_page_s_table_shows_the_frame_s_numbers(worse: Matches) -> None:
    table = next(table for table in match_tables(worse) if table.name == "matched")
    for cells, row in zip(table.rows, worse.cells.to_dict("records"), strict=True):
        assert cells[7].key == repr(row["difference"])
        assert cells[7].strong == row["established"]


def test_figures_draw_the_tables(worse: Matches) -> None:
    metric, difference, update = match_charts(worse)
    for chart, column in ((metric, "metric"), (update, "seconds_per_update")):
        ax = chart.draw(Figure().add_subplot())
        curves = [line for line in ax.lines if not isinstance(line, Marks)]
        for line, study in zip(curves, worse.studies.values(), strict=True):
            table = study.groups[0].batch_sizes.dropna(subset=column)
            np.testing.assert_allclose(line.get_ydata(), table[column], rtol=1e-12)
    ax = difference.draw(Figure().add_subplot())
    shown = [line for line in ax.lines if isinstance(line, Marks)]
    values = sorted(value for line in shown for value in line.get_ydata())
    np.testing.assert_array_equal(values, sorted(worse.cells["difference"]))
    assert all("second" in text for line in shown for text in line.readings)
    assert not ax.texts


def test_more_studies_than_styles_are_not_drawn_together(first: StudyAnalysis) -> None:
    many = matched(*[first] * 6)
    assert match_charts(many)[0].name == "difference-1"
    assert len(match_charts(many)) == 1
    ax = match_charts(many)[0].draw(Figure().add_subplot())
    assert {text.get_text() for text in ax.texts} == {*many.others}
    size = many.cells["batch_size"].iloc[0]
    marks = [(line, line.sizes.index(size)) for line in ax.lines if isinstance(line, Marks)]
    assert len({float(np.asarray(line.get_xdata())[at]) for line, at in marks}) == 5


def test_many_groups_are_not_all_drawn() -> None:
    plans = [{"group": f"g{number}", "optimizer": f"o{number}"} for number in range(9)]
    study = analysed(several(*plans, batch_sizes=(8,), learning_rates=(0.3,), epochs=1))
    same = matched(study, study)
    assert len(match_charts(same)) == 27 > MOST_DRAWN
    assert match_charts(same)[0].heading.endswith(", g0")


def test_what_is_missing_sorts_last(first: StudyAnalysis) -> None:
    less = matched(first, analyse_study(nothing_run(first.results)))
    table = next(table for table in match_tables(less) if table.name == "studies")
    assert [cell.key for cell in table.rows[1]][3:13] == [""] * 10
    assert pd.isna(less.groups["recommended"].iloc[1])

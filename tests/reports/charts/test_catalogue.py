"""Which figures there are, and what their titles say."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from reports.charts.base import svg
from reports.charts.base._chart import Chart
from reports.charts.catalogue import charts
from reports.figures import CHARTS
from reports.schema.results import EXPLORE, StudyResults
from tests.reports.conftest import (
    Sketch,
    keep,
    make_results,
    nothing_run,
    numbers,
    of_seeds,
    small,
    without_timing,
)


def made(results: StudyResults) -> dict[str, Chart]:
    return {chart.name: chart for chart in charts(numbers(results))}


@pytest.fixture(scope="module")
def whole(digits: StudyResults) -> dict[str, Chart]:
    """The figures of the study as shipped, by name."""
    return made(digits)


def test_a_complete_study_has_every_figure(whole: dict[str, Chart]) -> None:
    assert tuple(whole) == CHARTS


def test_without_times_the_figures_about_time_are_left_out(digits: StudyResults) -> None:
    assert set(made(without_timing(digits))) == {
        "accuracy",
        "rates",
        "curves",
        "budgets",
        "generalization-gap",
        "steps-to-target",
        "noise-scale",
    }


def test_a_study_that_has_not_begun_has_no_figure(digits: StudyResults) -> None:
    assert made(nothing_run(digits)) == {}


def test_all_diverged_leaves_the_timing() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: True))
    assert set(made(results)) == {"seconds-per-update"}


def test_one_batch_size_has_nothing_to_compare() -> None:
    results = make_results(Sketch(description=small(batch_sizes=(8,))))
    assert set(made(results)) == {
        "accuracy",
        "rates",
        "curves",
        "generalization-gap",
        "steps-to-target",
        "time-to-target",
        "noise-scale",
        "seconds-per-update",
    }


def test_no_other_title_recommends(whole: dict[str, Chart]) -> None:
    for name, chart in whole.items():
        for word in ("best batch", "fastest", "recommend", "Use "):
            assert word not in chart.finding, name


def test_figures_mark_the_recommended_size(whole: dict[str, Chart], digits: StudyResults) -> None:
    size = numbers(digits).recommended
    for name, chart in whole.items():
        if name not in {"noise-scale", "workers"}:
            assert f"{size}" in re.findall(r">[^<]*recommended[^<]*<", svg.draw(chart))[0], name


def test_every_mark_of_a_batch_size_names_it(whole: dict[str, Chart], digits: StudyResults) -> None:
    sizes = {str(size) for size in numbers(digits).plan.batch_sizes}
    for name, chart in whole.items():
        drawn = svg.draw(chart)
        assert "legend" not in drawn
        assert {*re.findall(r'data-batch-size="(\d+)"', drawn)} <= sizes, name
        points = json.loads(re.findall(r"data-marks='([^']*)'", drawn)[0])["points"]
        assert all("batch size" in text and str(size) in text for *_, text, size in points), name
        if name not in {"workers", "noise-scale", "steps-to-target", "time-to-target"}:
            assert {str(point[3]) for point in points} == sizes, name


def test_few_seeds_are_captioned_as_medians(digits: StudyResults) -> None:
    few = of_seeds(keep(digits, _not_all(digits)), 0, 1, 100, 101)
    caption = made(few)["accuracy"].caption
    assert caption.startswith("Median test accuracy of 2 seeds")
    assert "Left out: batch size 8" in caption


def _not_all(results: StudyResults) -> pd.Series[bool]:
    return ~((results.trials["batch_size"] == 8) & (results.trials["seed"] == 101))


def test_rates_that_all_have_a_failed_seed_are_reported() -> None:
    sketch = Sketch(description=small(), diverges=lambda _batch, _rate, seed: seed == 0)
    drawn = made(make_results(sketch))
    assert "every seed" in drawn["rates"].finding
    assert "accuracy" not in drawn


def test_a_study_with_failed_seeds_everywhere_has_no_chart_of_accuracy() -> None:
    results = make_results(Sketch(description=small()))
    confirmed = results.trials["stage"] != EXPLORE
    results.trials.loc[confirmed & (results.trials["seed"] == 100), "status"] = "diverged"
    drawn = made(results)
    assert {"accuracy", "accuracy-time"}.isdisjoint(drawn)


def test_curves_are_compared_only_where_all_batch_sizes_were_evaluated() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    large = results.trials.loc[results.trials["batch_size"] == 512, "trial"]
    early = results.curves["trial"].isin(large) & (results.curves["examples"] < 1077)
    later = replace(results, curves=results.curves[~early].reset_index(drop=True))
    assert made(results)["curves"].finding.startswith("After 0.25 of 20 epochs, ")
    finding = made(later)["curves"].finding
    assert finding.startswith("After 1 of 20 epochs, ")
    assert " at batch size 8 and " in finding
    assert finding.endswith(" at batch size 512")


def test_curves_without_a_common_point_have_no_leader() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    large = results.trials.loc[results.trials["batch_size"] == 512, "trial"]
    moved = results.curves["examples"] + results.curves["trial"].isin(large)
    apart = replace(results, curves=results.curves.assign(examples=moved))
    assert "batch size" not in made(apart)["curves"].finding


@pytest.mark.parametrize("name", CHARTS)
def test_every_description_has_the_values_of_the_table(whole: dict[str, Chart], name: str) -> None:
    assert not whole[name].table.empty
    description = whole[name].description
    assert description.count("batch size ") == {"budgets": 33, "workers": 13}.get(name, 11)
    assert any(character.isdigit() for character in description)


def test_the_budget_chart_shows_which_batch_size_is_best_under_each_rule(
    whole: dict[str, Chart],
) -> None:
    drawn = whole["budgets"].finding
    assert re.search(
        r"\d+ with equal epochs, \d+ with equal updates and \d+ with equal time", drawn
    )
    same = Sketch(description=small(), accuracy=lambda b, *_: 1 / b, diverges=lambda *_: False)
    assert made(make_results(same))["budgets"].finding.endswith("is at batch size 8")


def test_no_more_charts_are_made_than_asked(digits: StudyResults) -> None:
    analysed = numbers(digits)
    names = [chart.name for chart in charts(analysed)]
    assert len(names) > 2
    assert [chart.name for chart in charts(analysed, 2)] == names[:2]
    assert charts(analysed, 0) == []

"""Which figures there are, and what their titles say."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from reports.charts.base._chart import Chart
from reports.charts.catalogue import NAMES, charts
from reports.schema.formats import percent
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
    assert tuple(whole) == NAMES


def test_without_times_the_figures_about_time_are_left_out(digits: StudyResults) -> None:
    assert set(made(without_timing(digits))) == {
        "accuracy",
        "rates",
        "curves",
        "budgets",
        "seeds",
        "best-rates",
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
        "seeds",
        "generalization-gap",
        "steps-to-target",
        "time-to-target",
        "noise-scale",
        "seconds-per-update",
    }


def test_one_seed_has_no_spread(digits: StudyResults) -> None:
    assert "seeds" not in made(of_seeds(digits, 0, 100))


def test_titles_state_the_finding(digits: StudyResults, whole: dict[str, Chart]) -> None:
    analysis, drawn = numbers(digits), whole
    assert analysis.comparison is not None
    best = analysis.row(analysis.comparison.best)
    where = f"{percent(best['metric'])} at batch size {best['batch_size']}, "
    assert where in drawn["accuracy"].finding


def test_a_best_that_was_not_confirmed_is_only_the_highest(digits: StudyResults) -> None:
    explored = made(keep(digits, digits.trials["stage"] == EXPLORE))["accuracy"]
    assert "mean validation accuracy" in explored.finding
    assert "Holm over all pairs" in explored.caption


def test_few_tied_batch_sizes_are_named() -> None:
    sketch = Sketch(
        description=small(), accuracy=lambda *_: 0.9, diverges=lambda *_: False, noise=0.01
    )
    finding = made(make_results(sketch))["accuracy"].finding
    assert "can't be told from it" in finding
    assert "others" not in finding


def test_a_batch_size_without_rival_has_no_list_of_rivals() -> None:
    results = make_results(Sketch(description=small(batch_sizes=(8,))))
    assert made(results)["accuracy"].finding.endswith("at batch size 8")


def test_captions_name_statistic_seeds_interval_tuning_and_budget(whole: dict[str, Chart]) -> None:
    caption = whole["accuracy"].caption
    for part in ("Mean test accuracy", "5 seeds", "95% t interval", "learning rate", "20 epochs"):
        assert part in caption


def test_few_seeds_are_captioned_as_medians(digits: StudyResults) -> None:
    few = of_seeds(keep(digits, _not_all(digits)), 0, 1, 100, 101)
    caption = made(few)["accuracy"].caption
    assert caption.startswith("Median test accuracy of 2 seeds")
    assert "Left out: batch size 8" in caption
    assert "batch size 8 a seed has no value" in made(few)["seeds"].caption


def _not_all(results: StudyResults) -> pd.Series[bool]:
    return ~((results.trials["batch_size"] == 8) & (results.trials["seed"] == 101))


def test_rates_that_all_lost_a_seed_are_said_to() -> None:
    sketch = Sketch(description=small(), diverges=lambda _batch, _rate, seed: seed == 0)
    drawn = made(make_results(sketch))
    assert "every seed" in drawn["rates"].finding
    assert "accuracy" not in drawn


def test_a_study_that_lost_a_seed_everywhere_shows_its_seeds_alone() -> None:
    results = make_results(Sketch(description=small()))
    confirmed = results.trials["stage"] != EXPLORE
    results.trials.loc[confirmed & (results.trials["seed"] == 100), "status"] = "diverged"
    drawn = made(results)
    assert {"accuracy", "accuracy-time"}.isdisjoint(drawn)
    assert "At batch sizes 8, 64 and 512 a seed has no value." in drawn["seeds"].caption


def test_a_curve_leads_only_where_all_batch_sizes_were_evaluated() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    large = results.trials.loc[results.trials["batch_size"] == 512, "trial"]
    early = results.curves["trial"].isin(large) & (results.curves["examples"] < 1077)
    later = replace(results, curves=results.curves[~early].reset_index(drop=True))
    assert made(results)["curves"].finding.startswith("After 0.25 of 20 epochs batch size 8 ")
    assert made(later)["curves"].finding.startswith("After 1 of 20 epochs batch size 8 ")


def test_curves_without_a_common_point_have_no_leader() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    large = results.trials.loc[results.trials["batch_size"] == 512, "trial"]
    moved = results.curves["examples"] + results.curves["trial"].isin(large)
    apart = replace(results, curves=results.curves.assign(examples=moved))
    assert "batch size" not in made(apart)["curves"].finding


@pytest.mark.parametrize("name", NAMES)
def test_every_description_has_the_values_of_the_table(whole: dict[str, Chart], name: str) -> None:
    assert not whole[name].table.empty
    description = whole[name].description
    assert description.count("batch size ") == {"budgets": 33, "workers": 13}.get(name, 11)
    assert any(character.isdigit() for character in description)


def test_the_budget_chart_says_which_batch_size_is_best_under_each_rule(
    whole: dict[str, Chart],
) -> None:
    drawn = whole["budgets"].finding
    assert re.search(
        r"\d+ with equal epochs, \d+ with equal updates and \d+ with equal time", drawn
    )
    same = Sketch(description=small(), accuracy=lambda b, *_: 1 / b, diverges=lambda *_: False)
    assert "Batch size 8 " in made(make_results(same))["budgets"].finding

"""One record of all numbers: what is shown, of which part, and what is ranked."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.batch_sizes import BATCH_SIZE_COLUMNS, SEED_COLUMNS
from reports.analysis.selection import select_rates, summarise_cells
from reports.recommend.record import MEAN_CURVE_COLUMNS
from reports.schema.results import CONFIRM, EXPLORE, EXTEND, REFINE, Column, StudyResults
from reports.stats.intervals import t_interval
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE
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


def with_trials(results: StudyResults, rows: pd.Series, **values: object) -> StudyResults:
    """Return the results with some columns of these trials changed."""
    trials = results.trials.copy()
    for column, value in values.items():
        trials.loc[rows, column] = value
    return replace(results, trials=trials)


@pytest.mark.parametrize(
    ("attribute", "columns"),
    [
        ("batch_sizes", BATCH_SIZE_COLUMNS),
        ("seeds", SEED_COLUMNS),
        ("mean_curves", MEAN_CURVE_COLUMNS),
    ],
)
def test_every_table_has_the_columns_it_documents(
    digits: StudyResults, attribute: str, columns: tuple[Column, ...]
) -> None:
    for results in (digits, nothing_run(digits), without_timing(digits)):
        dtypes = getattr(numbers(results), attribute).dtypes.astype("str").to_dict()
        assert dtypes == {column.name: column.dtype for column in columns}


def test_the_metric_shown_is_the_test_metric_of_the_confirm_stage(digits: StudyResults) -> None:
    analysis = numbers(digits)
    selection = select_rates(summarise_cells(digits.trials, digits.description.tuning_seeds))
    rate = selection.set_index("batch_size").loc[8, "learning_rate"]
    trials = digits.trials.query(
        "stage == @CONFIRM and batch_size == 8 and learning_rate == @rate",
        local_dict={"CONFIRM": CONFIRM, "rate": rate},
    )
    interval = t_interval(trials["test_metric"].tolist())
    row = analysis.row(8)
    assert analysis.part == "test"
    assert row["metric"] == pytest.approx(interval.mean)
    assert row["metric_low"] == pytest.approx(interval.low)
    assert row["metric_high"] == pytest.approx(interval.high)


def test_without_a_confirm_stage_the_validation_set_is_shown(digits: StudyResults) -> None:
    analysis = numbers(keep(digits, digits.trials["stage"] == EXPLORE))
    assert analysis.part == "validation"
    pd.testing.assert_series_equal(
        analysis.batch_sizes["metric"], analysis.batch_sizes["validation_metric"], check_names=False
    )


def test_a_confirmed_rate_that_is_no_longer_selected_is_not_shown(digits: StudyResults) -> None:
    confirmed = (digits.trials["stage"] == CONFIRM) & (digits.trials["batch_size"] == 8)
    changed = with_trials(digits, confirmed, learning_rate=0.123)
    assert numbers(changed).row(8)["seeds"] == 0


def test_time_to_train_is_updates_by_seconds_of_the_benchmark(digits: StudyResults) -> None:
    row = numbers(digits).row(64)
    rounds = digits.timing.query("engine == 'tensor' and batch_size == 64")
    seconds = (rounds["wall_seconds"] / rounds["updates"]).median()
    assert row["updates"] == 20 * 17
    assert row["seconds_to_train"] == pytest.approx(340 * seconds)


def test_the_recommended_batch_size_is_the_fastest_near_optimal(digits: StudyResults) -> None:
    analysis = numbers(digits)
    near = analysis.batch_sizes[analysis.batch_sizes["verdict"].isin([REFERENCE, NEAR_OPTIMAL])]
    fastest = near.loc[near["seconds_to_train"].idxmin(), "batch_size"]
    assert analysis.recommended == fastest


def test_the_reference_is_the_best_on_the_tuning_seeds(digits: StudyResults) -> None:
    analysis = numbers(digits)
    best = analysis.row(analysis.best)
    assert best["validation_metric"] == analysis.batch_sizes["validation_metric"].max()


def test_the_pareto_set_is_what_nothing_beats_on_both_counts(digits: StudyResults) -> None:
    table = numbers(digits).batch_sizes
    for row in table.to_dict("records"):
        beaten = (table["seconds_to_train"] <= row["seconds_to_train"]) & (
            table["metric"] > row["metric"]
        )
        assert row["pareto"] == (not beaten.any())


def test_planned_batch_sizes_without_trials_have_a_row(digits: StudyResults) -> None:
    partial = keep(digits, digits.trials["batch_size"] < 64)
    planned = [*digits.description.groups[0].batch_sizes]
    assert numbers(partial).batch_sizes["batch_size"].tolist() == planned


def test_all_diverged_leaves_nothing_to_rank() -> None:
    analysis = numbers(make_results(Sketch(description=small(), diverges=lambda *_: True)))
    assert analysis.reference is None
    assert (analysis.counts.ok, analysis.counts.diverged) == (0, 45)


def test_mean_curves_are_means_over_the_seeds_of_the_tuned_rate(digits: StudyResults) -> None:
    curves = numbers(digits).mean_curves
    last = curves[curves["batch_size"] == 32].iloc[-1]
    assert last["epochs"] == 20
    assert last["validation_metric"] == pytest.approx(numbers(digits).row(32)["validation_metric"])
    rate = numbers(digits).row(32)["learning_rate"]
    tuning = digits.trials.query("stage == 'explore' and batch_size == 32")
    seeds = tuning[tuning["learning_rate"] == rate]["validation_metric"]
    interval = t_interval(seeds.tolist())
    bounds = (interval.low, min(interval.high, 1))
    assert (last["validation_low"], last["validation_high"]) == pytest.approx(bounds)
    few = numbers(of_seeds(digits, 0, 1, 100, 101)).mean_curves
    assert few["validation_low"].isna().all()


def test_refined_seeds_count_as_fresh_ones(digits: StudyResults) -> None:
    later = (digits.trials["stage"] == CONFIRM) & (digits.trials["seed"] > 102)
    refined = with_trials(digits, later, stage=REFINE)
    pd.testing.assert_frame_equal(numbers(refined).batch_sizes, numbers(digits).batch_sizes)


def test_further_rates_count_as_explored(digits: StudyResults) -> None:
    top = (digits.trials["stage"] == EXPLORE) & (digits.trials["learning_rate"] == 30)
    extended = with_trials(digits, top, stage=EXTEND)
    pd.testing.assert_frame_equal(numbers(extended).batch_sizes, numbers(digits).batch_sizes)
    pd.testing.assert_frame_equal(numbers(extended).cells, numbers(digits).cells)


def test_updates_are_those_of_the_trials_shown(digits: StudyResults) -> None:
    shown = (digits.trials["stage"] == CONFIRM) & (digits.trials["batch_size"] == 64)
    stopped = with_trials(digits, shown, updates=100, stopped_at_update=100)
    row = numbers(stopped).row(64)
    assert row["updates"] == 100
    assert row["seconds_to_train"] == pytest.approx(100 * row["seconds_per_update"])


def test_the_loss_is_the_mean_over_the_seeds_shown(digits: StudyResults) -> None:
    analysis = numbers(digits)
    rate = analysis.row(8)["learning_rate"]
    confirmed = (digits.trials["stage"] == CONFIRM) & (digits.trials["batch_size"] == 8)
    shown = digits.trials[confirmed & (digits.trials["learning_rate"] == rate)]
    assert analysis.row(8)["loss"] == pytest.approx(shown["test_loss"].mean())

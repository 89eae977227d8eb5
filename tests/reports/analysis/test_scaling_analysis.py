"""The way to the targets: who sets them, who is measured, what is fitted and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.scaling_record import (
    NOISE_RATIO_COLUMNS,
    TO_TARGET_COLUMNS,
    ScalingRecord,
    TargetRecord,
)
from reports.recommend.analysis import analyse
from reports.schema.results import EXPLORE, Column, StudyResults
from reports.stats.models.noise_scale import NOISE_CURVE_COLUMNS
from tests.helpers.claim_studies import FAST, FRESH, SEEDS, Truth, study
from tests.reports.conftest import keep, nothing_run, numbers, without_timing

pytestmark = pytest.mark.slow

SIZES = (1, 4, 16, 64, 256)
CRITICAL = 25.0
GUESS, END = 0.1, 0.9


def hyperbola(size: int, _stage: str) -> float:
    """Epochs to the end of a straight line, of 12 (1 + 25 / B) updates."""
    return 12 * (1 + CRITICAL / size) / math.ceil(1077 / size)


HYPERBOLIC = Truth(
    accuracy=lambda _plan, _size, rate: END if rate == 1 else 0.8,
    noise=1e-4,
    epochs_needed=hyperbola,
    seconds=FAST,
    jitter=0,
)


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B, and whose update takes 40 + B us."""
    return study(HYPERBOLIC, {"batch_sizes": SIZES})


@pytest.fixture(scope="module")
def record(results: StudyResults) -> ScalingRecord:
    """Its only group's."""
    return numbers(results).scaling


def main(record: ScalingRecord) -> TargetRecord:
    """The hardest target's."""
    assert record.main is not None
    return record.main


def test_there_are_several_targets_and_the_hardest_is_the_main_one(record: ScalingRecord) -> None:
    targets = [row.target for row in record.targets]
    assert [target.share for target in targets] == [0.5, 0.75, 0.9]
    for target in targets:
        level = GUESS + target.share * (END - GUESS)
        assert target.level == pytest.approx(level, abs=1e-3)
    assert main(record).target.share == 0.9


def test_fresh_seeds_are_measured_by_targets_of_the_tuning_seeds(record: ScalingRecord) -> None:
    assert record.fresh
    assert {*main(record).crossings["seed"]} == {*FRESH}
    assert {*main(record).tuning["seed"]} == {*SEEDS}


def test_without_fresh_seeds_the_tuning_runs_are_measured(results: StudyResults) -> None:
    alone = numbers(keep(results, results.trials["stage"] == EXPLORE)).scaling
    assert not alone.fresh
    pd.testing.assert_frame_equal(main(alone).crossings, main(alone).tuning)


def test_the_fits_find_what_is_true(record: ScalingRecord) -> None:
    fit = main(record).fit
    assert fit.critical_batch_size == pytest.approx(CRITICAL, rel=0.1)
    assert record.update_time.doubling_batch_size == pytest.approx(40, rel=1e-3)
    best = main(record).best
    assert best.batch_size == pytest.approx(math.sqrt(CRITICAL * 40), rel=0.1)
    assert main(record).named == pytest.approx(best.batch_size, rel=0.1)
    assert main(record).fastest in {16, 64}


def test_a_row_says_what_a_batch_size_takes(record: ScalingRecord) -> None:
    row = main(record).batch_sizes.set_index("batch_size").loc[16]
    runs = main(record).crossings.query("batch_size == 16")["updates"]
    assert (row["runs"], row["reached"]) == (len(FRESH), len(FRESH))
    assert row["updates"] == runs.median()
    assert row["updates_low"] <= row["updates"] <= row["updates_high"]
    assert row["examples"] == row["updates"] * 16
    assert row["seconds"] == pytest.approx(row["updates"] * 56e-6)
    # The learning curve has a bend between two evaluations, near the target.
    assert row["predicted_updates"] == pytest.approx(row["updates"], rel=0.3)
    assert row["predicted_seconds"] == pytest.approx(row["predicted_updates"] * 56e-6)
    assert not row["near_all"]


@pytest.mark.parametrize(
    ("attribute", "columns"),
    [("batch_sizes", TO_TARGET_COLUMNS), ("noise", NOISE_RATIO_COLUMNS)],
)
def test_tables_have_the_columns_they_document(
    record: ScalingRecord, attribute: str, columns: tuple[Column, ...]
) -> None:
    dtypes = getattr(main(record), attribute).dtypes.astype("str").to_dict()
    assert dtypes == {column.name: column.dtype for column in columns}


def test_a_batch_size_that_misses_the_target_is_kept_as_a_bound() -> None:
    def late(size: int, stage: str) -> float:
        return 1e3 if size == 1 else hyperbola(size, stage)

    truth = replace(HYPERBOLIC, epochs_needed=late)
    hardest = main(numbers(study(truth, {"batch_sizes": SIZES})).scaling)
    row = hardest.batch_sizes.iloc[0]
    assert (row["batch_size"], row["reached"], row["runs"]) == (1, 0, len(FRESH))
    assert np.isnan(row["updates"])
    assert np.isnan(row["seconds"])
    assert np.isnan(row["predicted_updates"])
    assert hardest.fit.censored == len(FRESH)
    assert hardest.fit.batch_sizes[0] == 4


def test_a_diverged_run_is_a_bound_of_the_updates_it_made(results: StudyResults) -> None:
    trials, curves = results.trials.copy(), results.curves
    row = trials.index[(trials["stage"] != EXPLORE) & (trials["batch_size"] == 16)][0]
    trials.loc[row, ["status", "updates", "examples"]] = ["diverged", 7, 7 * 16]
    gone = curves[curves["trial"] != trials.loc[row, "trial"]].reset_index(drop=True)
    hardest = main(numbers(replace(results, trials=trials, curves=gone)).scaling)
    lost = hardest.crossings[hardest.crossings["outcome"] == "not reached"]
    assert lost[["batch_size", "updates"]].to_numpy().tolist() == [[16, 7]]
    assert hardest.fit.censored == 1


def test_a_rate_at_the_edge_is_left_out_of_the_fit() -> None:
    truth = replace(
        HYPERBOLIC,
        accuracy=lambda _plan, size, rate: END if rate == (10 if size == 4 else 1) else 0.8,
    )
    hardest = main(numbers(study(truth, {"batch_sizes": SIZES})).scaling)
    assert hardest.left_out == (4,)
    assert hardest.batch_sizes.set_index("batch_size")["fitted"].to_dict() == {
        size: size != 4 for size in SIZES
    }
    assert hardest.fit.batch_sizes == (1, 16, 64, 256)


def test_rates_that_are_all_at_edges_are_the_reason_for_no_fit() -> None:
    hardest = main(
        numbers(study(HYPERBOLIC, {"batch_sizes": SIZES, "learning_rates": (1.0,)})).scaling
    )
    assert hardest.left_out == SIZES
    assert "at the edge" in hardest.fit.reason


def test_batch_sizes_near_all_items_are_told() -> None:
    hardest = main(numbers(study(HYPERBOLIC, {"batch_sizes": (1, 16, 512)})).scaling)
    assert hardest.batch_sizes["near_all"].tolist() == [False, False, True]


def test_without_times_updates_are_told_alone(results: StudyResults) -> None:
    record = numbers(without_timing(results)).scaling
    assert main(record).best.reason == record.update_time.reason
    assert main(record).named is None
    assert main(record).fastest is None
    assert main(record).batch_sizes[["seconds", "predicted_seconds"]].isna().all(axis=None)
    assert main(record).fit.critical_batch_size is not None


def test_the_table_of_targets_has_numbers_or_reasons(
    record: ScalingRecord, results: StudyResults
) -> None:
    table = record.table
    assert (table["critical_low"] < table["critical_batch_size"]).all()
    assert (table["critical_batch_size"] < table["critical_high"]).all()
    assert (table["overhead_reference"] == SIZES[0]).all()
    assert table[["reason", "why_no_prediction"]].eq("").all(axis=None)
    untimed = numbers(without_timing(results)).scaling.table
    assert untimed[["predicted_best", "predicted_low", "near_high"]].isna().all(axis=None)
    assert untimed["why_no_prediction"].ne("").all()


def test_why_there_is_no_target(results: StudyResults) -> None:
    empty = numbers(nothing_run(results)).scaling
    assert (empty.targets, empty.main) == ((), None)
    assert empty.reason.startswith("No run of the tuning seeds has a learning curve")
    flat = replace(results, curves=results.curves.assign(validation_metric=0.5))
    assert numbers(flat).scaling.reason.startswith("The tuning seeds make no progress")


def test_groups_have_records_of_their_own() -> None:
    slow = {"b": 2.0}

    truth = replace(
        HYPERBOLIC,
        accuracy=lambda plan, _size, rate: END / slow.get(plan.group, 1) if rate == 1 else 0.3,
    )
    groups = analyse(
        study(truth, {"group": "a", "batch_sizes": SIZES}, {"group": "b", "batch_sizes": SIZES})
    )
    levels = [main(group.scaling).target.level for group in groups]
    assert levels == pytest.approx([0.82, 0.415], abs=1e-3)


def noisy(results: StudyResults, squared_norm: float) -> StudyResults:
    """Return the results with a trace of 50 at every evaluation, 1% more or less by trial."""
    rng = np.random.default_rng(0)
    trials = results.curves["trial"].unique()
    factor = results.curves["trial"].map(
        dict(zip(trials, rng.normal(1, 0.01, len(trials)), strict=True))
    )
    curves = results.curves.assign(
        gradient_trace=50 * factor, gradient_squared_norm=squared_norm + 0.01 * (factor - 1)
    )
    return replace(results, curves=curves)


def test_the_noise_scale_is_told_along_training_and_beside_the_critical_batch_size(
    results: StudyResults,
) -> None:
    record = numbers(noisy(results, 1.0)).scaling
    assert record.noise["noise_scale"].to_numpy() == pytest.approx(50, rel=0.02)
    assert {*record.noise["batch_size"]} == {*SIZES}
    table = main(record).noise
    assert table["ratio"].to_numpy() == pytest.approx(50 / CRITICAL, rel=0.1)
    assert (table["ratio_low"] < table["ratio"]).all()
    assert (table["ratio"] < table["ratio_high"]).all()


def test_noise_that_is_not_told_has_no_ratio(results: StudyResults) -> None:
    table = main(numbers(noisy(results, -1.0)).scaling).noise
    assert (table["status"] == "unresolved").all()
    assert table["ratio"].isna().all()


def test_noise_that_was_not_measured_is_absent(record: ScalingRecord) -> None:
    assert record.noise.empty
    assert record.noise.columns.tolist() == [column.name for column in NOISE_CURVE_COLUMNS]
    assert main(record).noise.empty

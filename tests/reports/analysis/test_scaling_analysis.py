"""Training to the targets: who sets them, who is measured, what is fitted and what is left out."""

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
from reports.analysis.target_rates import reaching
from reports.recommend.analysis import analyse
from reports.schema.results import EXPLORE, TARGET, Column, StudyResults
from reports.stats.models.first_passage import AT_START, NOT_REACHED, REACHED
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
    assert [target.share for target in targets] == [0.8, 0.9, 0.95]
    for target in targets:
        level = GUESS + target.share * (END - GUESS)
        assert target.level == pytest.approx(level, abs=1e-3)
    assert main(record).target.share == 0.95


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


def test_a_row_shows_what_a_batch_size_takes(record: ScalingRecord) -> None:
    row = main(record).batch_sizes.set_index("batch_size").loc[16]
    runs = main(record).crossings.query("batch_size == 16")["updates"]
    assert (row["runs"], row["reached"]) == (len(FRESH), len(FRESH))
    assert row["updates"] == runs.median()
    assert row["updates_low"] <= row["updates"] <= row["updates_high"]
    assert row["examples"] == row["updates"] * 16
    assert row["seconds"] == pytest.approx(row["updates"] * 56e-6)
    # The learning curve has a bend between two evaluations, near the target.
    assert row["predicted_updates"] == pytest.approx(row["updates"], rel=0.3)
    assert row["predicted_seconds"] == pytest.approx(row["predicted_updates"] * 56e-6, rel=1e-4)
    assert not row["near_all"]


@pytest.mark.parametrize(
    ("attribute", "columns"), [("batch_sizes", TO_TARGET_COLUMNS), ("noise", NOISE_RATIO_COLUMNS)]
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
    assert hardest.batch_sizes.set_index("batch_size")["fitted"].to_dict() == {
        size: size != 4 for size in SIZES
    }
    assert hardest.fit.batch_sizes == (1, 16, 64, 256)


def test_rates_that_are_all_at_edges_are_the_reason_for_no_fit() -> None:
    hardest = main(
        numbers(study(HYPERBOLIC, {"batch_sizes": SIZES, "learning_rates": (1.0,)})).scaling
    )
    assert not hardest.batch_sizes["fitted"].any()
    assert "at the edge" in hardest.fit.reason


def test_batch_sizes_near_all_examples_are_reported() -> None:
    hardest = main(numbers(study(HYPERBOLIC, {"batch_sizes": (1, 16, 512)})).scaling)
    assert hardest.batch_sizes["near_all"].tolist() == [False, False, True]


def test_without_times_updates_are_reported_alone(results: StudyResults) -> None:
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


def asking(results: StudyResults, **target: float) -> ScalingRecord:
    """Return the record of a study that sets its target."""
    return numbers(
        replace(results, description=replace(results.description, **target))  # type: ignore[arg-type]
    ).scaling


def test_the_study_may_set_a_metric(results: StudyResults) -> None:
    (target,) = asking(results, target_metric=0.7).targets
    assert target.target.level == 0.7
    assert math.isnan(target.target.share)
    assert target.batch_sizes["share"].isna().all()
    assert target.fit.critical_batch_size == pytest.approx(CRITICAL, rel=0.1)
    assert {*target.tuning["seed"]} == {*SEEDS}


def test_the_study_may_set_a_loss(results: StudyResults) -> None:
    curves = results.curves
    losses = replace(results, curves=curves.assign(validation_loss=1 - curves["validation_metric"]))
    by_loss, by_metric = (
        main(asking(losses, **target)) for target in ({"target_loss": 0.3}, {"target_metric": 0.7})
    )
    # Losses are interpolated in logarithms.
    np.testing.assert_allclose(
        by_loss.crossings["updates"], by_metric.crossings["updates"], rtol=0.15
    )
    unrecorded = asking(results, target_loss=0.3)
    assert not unrecorded.fresh
    assert main(unrecorded).batch_sizes["reached"].eq(0).all()


def test_a_target_that_is_set_needs_no_tuning_seeds(results: StudyResults) -> None:
    alone = keep(results, results.trials["stage"] != EXPLORE)
    record = asking(alone, target_metric=0.7)
    assert main(record).tuning.empty
    assert main(record).batch_sizes["target_rate"].isna().all()
    assert main(record).fit.critical_batch_size == pytest.approx(CRITICAL, rel=0.1)


@pytest.mark.parametrize(("weak", "share"), [((64, 256), 0.95), ((16, 64, 256), 0.9)])
def test_the_main_target_is_the_strictest_that_half_of_the_sizes_reach(
    weak: tuple[int, ...], share: float
) -> None:
    truth = replace(
        HYPERBOLIC,
        accuracy=lambda _plan, size, rate: (0.84 if size in weak else END) if rate == 1 else 0.5,
    )
    record = numbers(study(truth, {"batch_sizes": SIZES})).scaling
    assert main(record).target.share == share
    assert record.targets[-1].target.share == 0.95


def test_a_run_that_begins_beyond_a_target_does_not_reach_it() -> None:
    runs = [(1, REACHED), (1, REACHED), (2, REACHED), (2, AT_START), (4, NOT_REACHED)]
    crossings = pd.DataFrame(runs, columns=["batch_size", "outcome"])
    assert reaching(crossings) == [1]


@pytest.fixture(scope="module")
def impatient() -> StudyResults:
    """A study whose rate 3 reaches targets in half of the updates, and ends a little lower."""
    truth = replace(
        HYPERBOLIC, accuracy=lambda _plan, _size, rate: {1: END, 3: END - 0.01}.get(rate, 0.8)
    )
    made = study(truth, {"batch_sizes": SIZES, "learning_rates": (0.3, 1.0, 3.0, 10.0)})
    quick = made.trials.loc[made.trials["learning_rate"] == 3, "trial"]
    curves = made.curves.copy()
    rows = curves["trial"].isin(quick)
    curves.loc[rows, ["updates", "examples"]] //= 2
    return replace(made, curves=curves)


def test_rates_are_tuned_for_the_target(impatient: StudyResults) -> None:
    record = main(numbers(impatient).scaling)
    assert (record.batch_sizes["target_rate"] == 3).all()
    assert (record.tuning["learning_rate"] == 3).all()
    # Fresh seeds have the rate of the highest metric.
    assert (record.batch_sizes["learning_rate"] == 1).all()
    assert (record.crossings["learning_rate"] == 1).all()
    assert record.other_rates["batch_size"].tolist() == [*SIZES]
    alone = main(numbers(keep(impatient, impatient.trials["stage"] == EXPLORE)).scaling)
    assert (alone.batch_sizes["learning_rate"] == 3).all()
    assert alone.other_rates.empty
    ratio = record.batch_sizes["updates"] / alone.batch_sizes["updates"]
    assert ratio.to_numpy() == pytest.approx(2, rel=0.15)


def test_the_curve_is_that_of_rates_tuned_for_the_target(
    impatient: StudyResults, record: ScalingRecord
) -> None:
    fit = main(numbers(impatient).scaling).fit
    assert fit.runs == len(SIZES) * len(SEEDS)
    usual = main(record).fit
    assert usual.runs == len(SIZES) * len(FRESH)
    assert fit.min_updates is not None
    assert usual.min_updates == pytest.approx(2 * fit.min_updates, rel=0.15)
    assert fit.critical_batch_size == pytest.approx(CRITICAL, rel=0.2)


def test_fresh_seeds_at_the_rate_of_the_target_are_measured_there(impatient: StudyResults) -> None:
    """Where there are some, at batch size 4."""
    trials, curves = impatient.trials, impatient.curves
    source = trials[
        (trials["stage"] == EXPLORE) & (trials["batch_size"] == 4) & (trials["learning_rate"] == 3)
    ]
    more = pd.concat([source, source]).head(len(FRESH))
    names = [f"again {seed}" for seed in FRESH]
    added = more.assign(trial=names, stage=TARGET, seed=list(FRESH))
    copies = [
        curves[curves["trial"] == old].assign(trial=new)
        for old, new in zip(more["trial"], names, strict=True)
    ]
    aimed = replace(
        impatient,
        trials=pd.concat([trials, added], ignore_index=True),
        curves=pd.concat([curves, *copies], ignore_index=True),
    )
    record = main(numbers(aimed).scaling)
    rates = record.batch_sizes.set_index("batch_size")["learning_rate"]
    assert rates.to_dict() == {size: 3 if size == 4 else 1 for size in SIZES}
    assert record.other_rates["batch_size"].tolist() == [1, 16, 64, 256]
    assert record.batch_sizes["runs"].eq(len(FRESH)).all()
    # What lacks a seed isn't measured.
    partial = main(numbers(keep(aimed, aimed.trials["trial"] != names[0])).scaling)
    assert (partial.batch_sizes["learning_rate"] == 1).all()


def test_a_target_that_no_rate_reaches_keeps_the_selected_one(results: StudyResults) -> None:
    record = main(asking(results, target_metric=0.99))
    assert (record.batch_sizes["target_rate"] == 1).all()
    assert record.batch_sizes["reached"].eq(0).all()


def test_a_rate_that_misses_the_target_with_a_seed_is_not_the_quickest(
    impatient: StudyResults,
) -> None:
    curves = impatient.curves.copy()
    lost = curves["trial"].str.contains(r"explore 4 3\.0 2$")
    curves.loc[lost, "validation_metric"] = 0.1
    record = main(numbers(replace(impatient, curves=curves)).scaling)
    rates = record.batch_sizes.set_index("batch_size")["target_rate"]
    assert rates.to_dict() == {size: 1 if size == 4 else 3 for size in SIZES}


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
    assert levels == pytest.approx([0.86, 0.4325], abs=1e-3)


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


def test_the_noise_scale_is_reported_along_training_and_next_to_the_critical_batch_size(
    results: StudyResults,
) -> None:
    record = numbers(noisy(results, 1.0)).scaling
    assert record.noise["noise_scale"].to_numpy() == pytest.approx(50, rel=0.02)
    assert {*record.noise["batch_size"]} == {*SIZES}
    table = main(record).noise
    assert table["ratio"].to_numpy() == pytest.approx(50 / CRITICAL, rel=0.1)
    assert (table["ratio_low"] < table["ratio"]).all()
    assert (table["ratio"] < table["ratio_high"]).all()


def test_noise_that_is_unknown_has_no_ratio(results: StudyResults) -> None:
    table = main(numbers(noisy(results, -1.0)).scaling).noise
    assert (table["status"] == "unresolved").all()
    assert table["ratio"].isna().all()


def test_noise_that_was_not_measured_is_absent(record: ScalingRecord) -> None:
    assert record.noise.empty
    assert record.noise.columns.tolist() == [column.name for column in NOISE_CURVE_COLUMNS]
    assert main(record).noise.empty

"""Noise scales are ratios of averages with an interval, or unresolved; never a clipped number."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from bpengine import Architecture
from bpengine.diagnostics.gradient_noise import gradient_statistics
from reports.schema.results import empty_table
from reports.stats.bounds import Ends
from reports.stats.intervals import fieller_interval
from reports.stats.models.noise_scale import (
    FURTHER,
    NOISE_COLUMNS,
    NOISE_CURVE_COLUMNS,
    RESOLVED,
    SQUARED_NORM,
    TRACE,
    UNRESOLVED,
    average_noise,
    compare_with_critical,
    noise_along_training,
    of_distribution,
)
from reports.stats.models.steps_to_target import StepsToTargetFit, fit_steps_to_target
from tests.bpengine.problems import make_examples, make_parameters

TRACES = [9.0, 10.0, 11.0, 12.0]
NORMS = [0.9, 1.1, 1.0, 1.2]

further = pytest.mark.parametrize("name", FURTHER)


def measurements(
    norms: list[float], *, traces: list[float] = TRACES, size: int = 8, examples: int = 64
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "batch_size": size,
            "seed": range(len(norms)),
            "examples": examples,
            TRACE: traces[: len(norms)],
            SQUARED_NORM: norms,
        }
    )


def test_the_noise_scale_is_the_ratio_of_averages_over_seeds_with_fiellers_interval() -> None:
    row = noise_along_training(measurements(NORMS)).iloc[0]
    expected = fieller_interval(TRACES, NORMS)
    assert row["noise_scale"] == pytest.approx(10.5 / 1.05)
    assert (row["low"], row["high"]) == (expected.low, expected.high)
    assert (row["seeds"], row["status"]) == (4, RESOLVED)


def test_a_negative_measurement_is_averaged_not_clipped() -> None:
    norms = [1.0, 1.1, -0.05, 1.0]
    row = noise_along_training(measurements(norms)).iloc[0]
    expected = fieller_interval(TRACES, norms)
    assert expected.ratio == pytest.approx(10.5 / np.mean(norms))
    assert row["low"] == expected.low


def test_an_unresolved_noise_scale_is_a_lower_end_and_no_number() -> None:
    row = noise_along_training(measurements([2.0, -1.0, 0.5, 1.0])).iloc[0]
    assert math.isnan(row["noise_scale"])
    assert row["low"] > 0
    assert (row["high"], row["status"]) == (math.inf, UNRESOLVED)


@pytest.mark.parametrize(
    ("norms", "traces"),
    [([-0.9, -1.1, -1.0, -1.2], TRACES), ([2.0, -1.0], [-50.0, 60.0]), ([1.0], TRACES)],
    ids=["a squared length below zero", "neither part is resolved", "one seed"],
)
def test_nothing_is_known_of_the_noise_scale(norms: list[float], traces: list[float]) -> None:
    row = noise_along_training(measurements(norms, traces=traces)).iloc[0]
    assert math.isnan(row["noise_scale"])
    assert (row["seeds"], row["low"], row["high"]) == (len(norms), 0, math.inf)
    assert row["status"] == UNRESOLVED


def test_the_lower_end_is_not_below_zero() -> None:
    row = noise_along_training(measurements(NORMS, traces=[-5.0, 10.0, 8.0, 1.0])).iloc[0]
    assert (row["low"], row["status"]) == (0, RESOLVED)


@further
def test_a_noise_scale_in_another_metric_is_the_ratio_of_its_parts(name: str) -> None:
    trace, norm = FURTHER[name]
    measured = {trace: [40.0, 44.0, 38.0, 42.0], norm: NORMS}
    row = noise_along_training(measurements(NORMS).assign(**measured)).iloc[0]
    expected = fieller_interval(measured[trace], NORMS)
    assert row["noise_scale"] == pytest.approx(10)
    actual = (row[name], row[f"{name}_low"], row[f"{name}_high"])
    assert actual == pytest.approx((expected.ratio, expected.low, expected.high))
    average = average_noise(measurements(NORMS).assign(**measured)).iloc[0]
    assert average[name] == pytest.approx(expected.ratio)


@further
def test_a_metric_that_was_not_measured_has_no_noise_scale(name: str) -> None:
    row = noise_along_training(measurements(NORMS)).iloc[0]
    assert row[[name, f"{name}_low", f"{name}_high"]].isna().all()


@further
def test_where_a_length_is_below_zero_there_is_no_noise_scale(name: str) -> None:
    """The loss curves downwards along the gradient, or the estimate is lost in noise."""
    parts = dict(zip(FURTHER[name], ([-40.0, -44.0, -38.0, -42.0], -np.array(NORMS)), strict=True))
    row = noise_along_training(measurements(NORMS).assign(**parts)).iloc[0]
    assert math.isnan(row[name])
    assert (row[f"{name}_low"], row[f"{name}_high"]) == (0, math.inf)


@pytest.mark.parametrize("drawn", [2, 7, 20])
def test_statistics_of_the_distribution_are_those_without_a_population(drawn: int) -> None:
    architecture = Architecture((3, 2))
    args = (architecture, make_parameters(architecture), [make_examples(architecture, drawn)])
    finite, expected = (gradient_statistics(*args, population=number) for number in (20, None))
    stored = {TRACE: [finite.trace.item()], SQUARED_NORM: [finite.squared_norm.item()]}
    actual = of_distribution(pd.DataFrame(stored), 20)
    assert actual[TRACE].item() == pytest.approx(expected.trace.item(), rel=1e-12)
    assert actual[SQUARED_NORM].item() == pytest.approx(expected.squared_norm.item(), rel=1e-12)


def test_points_along_training_stand_alone() -> None:
    late = measurements(NORMS, traces=[10 * trace for trace in TRACES], examples=640)
    other = measurements(NORMS, size=4)
    missing = measurements([math.nan] * 4, examples=1_280)
    table = noise_along_training(pd.concat([late, measurements(NORMS), other, missing]))
    assert table.columns.tolist() == [column.name for column in NOISE_CURVE_COLUMNS]
    assert table["batch_size"].tolist() == [4, 8, 8]
    assert table["examples"].tolist() == [64, 64, 640]
    assert table["noise_scale"].tolist() == pytest.approx([10, 10, 100])


def test_the_average_over_training_weighs_every_seed_alike() -> None:
    late = measurements(NORMS, traces=[30.0] * 4, examples=640)
    early = measurements(NORMS)
    table = average_noise(pd.concat([early, late[late["seed"] == 0]]))
    assert table.columns.tolist() == [column.name for column in NOISE_COLUMNS]
    assert table["noise_scale"].tolist() == pytest.approx([np.mean([19.5, 10, 11, 12]) / 1.05])


def test_the_average_leaves_out_the_evaluation_before_the_first_update() -> None:
    start = measurements([1e9] * 4, examples=0)
    table = average_noise(pd.concat([start, measurements(NORMS)]))
    assert table["noise_scale"].tolist() == pytest.approx([10])
    assert average_noise(start).empty
    assert len(noise_along_training(start)) == 1


def test_without_measurements_there_are_no_rows_but_all_columns() -> None:
    none = measurements([math.nan] * 4)
    pd.testing.assert_frame_equal(noise_along_training(none), empty_table(NOISE_CURVE_COLUMNS))
    pd.testing.assert_frame_equal(average_noise(none), empty_table(NOISE_COLUMNS))


def test_the_noise_scale_of_known_gradients_is_found() -> None:
    # Linear regression without noise in 20 dimensions: B_simple = d + 1, whatever the weights.
    rng, rows = np.random.default_rng(0), []
    for seed in range(10):
        x = rng.normal(size=(256, 20))
        gradients = x * x.sum(axis=1, keepdims=True) * 0.1
        q, mean = np.square(gradients).sum(axis=1).mean(), gradients.mean(axis=0)
        p = mean @ mean
        rows.append((8, seed, 0, (q - p) * 256 / 255, (256 * p - q) / 255))
    curves = pd.DataFrame(rows, columns=["batch_size", "seed", "examples", TRACE, SQUARED_NORM])
    row = noise_along_training(curves).iloc[0]
    assert row["low"] < 21 < row["high"]
    assert row["noise_scale"] == pytest.approx(21, rel=0.1)


SIZES = 2.0 ** np.arange(2, 12)


def hyperbola(noise: float = 0.0, plateau: float = 50) -> StepsToTargetFit:
    errors = np.exp(np.random.default_rng(1).normal(0, noise, SIZES.size))
    return fit_steps_to_target(SIZES, (plateau + 5_000 / SIZES) * errors)


def test_noise_scale_by_critical_batch_size_has_the_errors_of_both() -> None:
    ratio, bounds = compare_with_critical(50.0, Ends(40, 70), hyperbola(0.05))
    assert ratio == pytest.approx(0.5, rel=0.1)
    assert bounds.low < 0.4
    assert bounds.high > 0.7
    _, sure = compare_with_critical(50.0, Ends(40, 70), hyperbola())
    assert sure == pytest.approx((0.4, 0.7), rel=1e-2)


def test_an_unresolved_noise_scale_bounds_the_ratio_from_below() -> None:
    ratio, bounds = compare_with_critical(math.nan, Ends(40, math.inf), hyperbola())
    assert ratio is None
    assert bounds == pytest.approx((0.4, math.inf), rel=1e-2)


def test_without_a_plateau_the_ratio_is_bounded_from_above() -> None:
    ratio, bounds = compare_with_critical(50.0, Ends(40, 70), hyperbola(0.03, plateau=0))
    assert ratio is None
    assert bounds.low == 0
    assert bounds.high < 70 / SIZES[-1] * 2


def test_without_a_fit_nothing_is_known() -> None:
    fit = fit_steps_to_target([8], [100])
    assert compare_with_critical(50.0, Ends(40, 70), fit) == (None, (0, math.inf))

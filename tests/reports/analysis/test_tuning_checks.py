"""What tuning changes, and where the grid of rates is too coarse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.tuning_checks import CoarseGrid, coarse_grids, fixed_rate, peak_of
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, keep, make_results, nothing_run, numbers, small

pytestmark = pytest.mark.slow

RATES = (0.3, 1.0, 3.0)
MOVING = Sketch(
    description=small(learning_rates=RATES),
    accuracy=lambda batch, rate, _epochs: (
        0.9 - 0.05 * abs(math.log(rate / {8: 0.3, 64: 1.0, 512: 3.0}[batch])) + batch / 1e5
    ),
    diverges=lambda *_: False,
    noise=1e-4,
)
"""The best rate moves with the batch size, and the largest batch is best at its own."""


def grids(analysis: Analysis) -> list[CoarseGrid]:
    return coarse_grids(analysis.results.trials, analysis.cells, analysis.batch_sizes)


def test_one_rate_for_all_says_something_else_than_rates_of_their_own() -> None:
    fixed = fixed_rate(numbers(make_results(MOVING)).cells)
    assert fixed is not None
    assert (fixed.rate, fixed.best, fixed.tuned_best) == (1.0, 64, 512)
    assert fixed.gap == pytest.approx(0.05 * math.log(1 / 0.3), abs=0.005)
    assert fixed.tuned_gap == pytest.approx(504 / 1e5, abs=0.005)


def test_a_rate_that_fails_somewhere_is_no_rate_for_all() -> None:
    sketch = replace(MOVING, diverges=lambda batch, rate, _: batch == 8 and rate == 1.0)
    fixed = fixed_rate(numbers(make_results(sketch)).cells)
    assert fixed is not None
    assert fixed.rate != 1.0


def one_batch_size(results: StudyResults) -> StudyResults:
    return keep(results, results.trials["batch_size"] == 8)


def one_rate(results: StudyResults) -> StudyResults:
    return keep(results, results.trials["learning_rate"] == 1.0)


def none_for_all(results: StudyResults) -> StudyResults:
    scaled = results.trials["batch_size"] * 1.0
    return replace(results, trials=results.trials.assign(learning_rate=scaled))


@pytest.mark.parametrize("change", [one_batch_size, one_rate, none_for_all, nothing_run])
def test_without_two_batch_sizes_and_rates_there_is_no_contrast(change: object) -> None:
    assert callable(change)
    assert fixed_rate(numbers(change(make_results(MOVING))).cells) is None


def peaked(factor: float, noise: float) -> Sketch:
    """Accuracies whose best rate lies between two of a grid with this ratio."""
    rates = tuple(factor**power for power in (-1, 0, 1))
    return Sketch(
        description=small(learning_rates=rates, batch_sizes=(8, 64)),
        accuracy=lambda _, rate, __: 0.9 - 0.01 * (math.log(rate) - 0.4 * math.log(factor)) ** 2,
        diverges=lambda *_: False,
        noise=noise,
    )


def test_a_grid_is_coarse_where_a_rate_between_would_gain_more_than_the_noise() -> None:
    coarse = grids(numbers(make_results(peaked(20, noise=1e-4))))
    assert [grid.batch_size for grid in coarse] == [8, 64]
    for grid in coarse:
        assert grid.factor == pytest.approx(20)
        assert grid.gain == pytest.approx(0.01 * (0.4 * math.log(20)) ** 2, abs=0.002)
        assert grid.rate == pytest.approx(20**0.4, rel=0.1)


@pytest.mark.parametrize(("factor", "noise"), [(2, 0.004), (20, 0.1)], ids=["fine", "noisy"])
def test_a_grid_is_fine_enough_where_it_would_not(factor: float, noise: float) -> None:
    assert grids(numbers(make_results(peaked(factor, noise)))) == []


@pytest.mark.parametrize("kept", ["edge", "seed", "diverged"])
def test_what_cannot_be_judged_is_not(kept: str) -> None:
    sketch = peaked(20, noise=1e-4)
    if kept == "diverged":
        sketch = replace(sketch, diverges=lambda _, rate, seed: rate > 2 and seed == 0)
    results = make_results(sketch)
    if kept == "edge":
        results = keep(results, results.trials["learning_rate"] > 0.5)
    if kept == "seed":
        results = keep(results, results.trials["seed"].isin([0, 100]))
    assert grids(numbers(results)) == []


def test_a_flat_top_has_no_peak_above_it() -> None:
    assert peak_of(np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5])) == (1.0, 0.0)


def test_the_parabola_through_three_points_peaks_where_it_does() -> None:
    x = np.array([0.0, 1.0, 3.0])
    peak, gain = peak_of(x, 2 - (x - 1.4) ** 2)
    assert (peak, gain) == (pytest.approx(1.4), pytest.approx(0.16))

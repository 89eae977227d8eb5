"""Random streams are named, independent and stable."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bpengine.network._arrays import Array
from bpengine.network.streams import (
    CACHED,
    permutation,
    standard_normal,
    standard_uniform,
    uniform,
)

Draw = Callable[[int, str, int], Array]


def test_streams_are_pinned_by_recorded_numbers() -> None:
    # Recorded with NumPy 2.4.6. A change here changes every result of every study.
    assert uniform(7, "initial weights", 2).tolist() == [0.05954094079322669, 0.37355895909426395]
    assert permutation(7, "order", 8, part=3).tolist() == [7, 5, 2, 4, 6, 1, 3, 0]


def test_normal_numbers_are_box_and_mullers_of_the_uniform_stream() -> None:
    first, second = uniform(7, "initial weights", 6).reshape(2, 3).tolist()
    expected = [
        math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)
        for u, v in zip(first, second, strict=True)
    ]
    assert standard_normal(7, "initial weights", 3) == pytest.approx(expected, rel=1e-13)


def test_seed_purpose_and_part_each_give_another_stream() -> None:
    actual = {
        tuple(permutation(seed, purpose, 20, part=part))
        for seed in (0, 1)
        for purpose in ("order", "split")
        for part in (0, 1)
    }
    assert len(actual) == 8


def test_every_place_is_as_likely_at_every_position() -> None:
    orders = np.array([permutation(seed, "order", 5) for seed in range(4000)])
    counts = np.array([np.bincount(column, minlength=5) for column in orders.T])
    # Four standard deviations of a count with mean 800.
    assert np.abs(counts - 800).max() < 4 * math.sqrt(4000 * 0.2 * 0.8)


@pytest.mark.parametrize(
    ("draw", "low", "high"), [(uniform, 0, 1), (standard_uniform, -math.sqrt(3), math.sqrt(3))]
)
def test_uniform_numbers_fill_their_interval(draw: Draw, low: float, high: float) -> None:
    actual = draw(1, "a", 20_000)
    assert low <= actual.min() < low + 0.002
    assert high - 0.002 < actual.max() < high
    assert abs(actual.mean() - (low + high) / 2) < 0.02


@pytest.mark.parametrize(
    ("draw", "fourth"), [(standard_uniform, 9 / 5), (standard_normal, 3)], ids=["uniform", "normal"]
)
def test_standard_numbers_have_the_moments_of_their_distribution(draw: Draw, fourth: float) -> None:
    count = 200_000
    actual = draw(1, "a", count)
    assert actual.dtype == np.float64
    moments = [float((actual**power).mean()) for power in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, fourth], abs=5 * math.sqrt(96 / count))
    neighbours = float((actual[1:] * actual[:-1]).mean())
    assert neighbours == pytest.approx(0, abs=5 / math.sqrt(count))


def test_normal_numbers_have_the_normal_distribution_function() -> None:
    # Kolmogorov's distance, whose 99.9% point is 1.95 / sqrt n.
    actual = np.sort(standard_normal(2, "a", 20_000))
    exact = [(1 + math.erf(number / math.sqrt(2))) / 2 for number in actual]
    steps = np.arange(20_001) / 20_000
    distance = max(np.abs(exact - steps[1:]).max(), np.abs(exact - steps[:-1]).max())
    assert distance < 1.95 / math.sqrt(20_000)


@pytest.mark.parametrize("count", [1, CACHED, CACHED + 1])
def test_every_number_is_in_a_permutation_once(count: int) -> None:
    assert sorted(permutation(1, "order", count)) == [*range(count)]


def test_normal_numbers_are_those_of_box_and_muller() -> None:
    first, second = uniform(3, "weights", 2000).reshape(2, 1000)
    wanted = np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * math.pi * second)
    np.testing.assert_allclose(standard_normal(3, "weights", 1000), wanted, rtol=1e-12, atol=1e-14)

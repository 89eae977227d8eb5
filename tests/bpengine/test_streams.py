"""Random streams are named, independent and stable."""

from __future__ import annotations

import numpy as np

from bpengine.streams import permutation, uniform


def test_a_stream_is_the_same_every_time() -> None:
    np.testing.assert_array_equal(uniform(7, "a", 5), uniform(7, "a", 5))


def test_streams_are_pinned_by_recorded_numbers() -> None:
    # Recorded with NumPy 2.4.6. A change here changes every result of every study.
    assert uniform(7, "initial weights", 2).tolist() == [0.05954094079322669, 0.37355895909426395]
    assert permutation(7, "order", 8, part=3).tolist() == [7, 5, 2, 4, 6, 1, 3, 0]


def test_seed_purpose_and_part_each_give_another_stream() -> None:
    draws = {
        tuple(permutation(seed, purpose, 20, part=part))
        for seed in (0, 1)
        for purpose in ("order", "split")
        for part in (0, 1)
    }
    assert len(draws) == 8


def test_a_permutation_holds_every_place_once() -> None:
    assert sorted(permutation(1, "order", 100)) == list(range(100))


def test_uniform_numbers_fill_the_unit_interval() -> None:
    draw = uniform(1, "a", 20_000)
    assert 0 <= draw.min() < 0.001
    assert 0.999 < draw.max() < 1
    assert abs(draw.mean() - 0.5) < 0.01

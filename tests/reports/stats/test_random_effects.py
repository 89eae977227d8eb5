"""Effects that differ between datasets are known less well than each of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.stats.random_effects import pool


def test_effects_that_agree_have_the_error_of_equal_true_effects() -> None:
    mean, error = pool([0.1, 0.1, 0.1], [0.01, 0.02, 0.02])
    assert mean == pytest.approx(0.1)
    assert error == pytest.approx(1 / math.sqrt(10_000 + 2 * 2_500))


def test_effects_that_differ_have_the_error_of_their_own_spread() -> None:
    effects = [0.1, 0.2, 0.6]
    mean, error = pool(effects, [1e-4] * 3)
    assert mean == pytest.approx(0.3, rel=1e-3)
    assert error == pytest.approx(np.std(effects, ddof=1) / math.sqrt(3), rel=1e-3)


def test_a_vague_effect_counts_little() -> None:
    mean, _ = pool([0.1, 0.1, 0.9], [0.01, 0.01, 5.0])
    assert mean == pytest.approx(0.1, abs=1e-3)


def test_effects_without_errors_are_averaged() -> None:
    assert pool([0.0, 1.0], [0.0, 0.0]) == pytest.approx((0.5, 0.5))
    assert pool([0.3, 0.3], [0.0, 0.0])[0] == pytest.approx(0.3)

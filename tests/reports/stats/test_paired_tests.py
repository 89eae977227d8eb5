"""Many paired tests at a time are each what it would be alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reports.stats.intervals import compare_with_best
from reports.stats.paired_tests import best_and_tied, holm


def test_holm_adjusts_step_by_step_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_many_cases_are_judged_as_each_alone() -> None:
    values = np.random.default_rng(0).normal([[0.0, 0.0, 1.5, 4.0]] * 5, 1.0, (5, 4))
    cases = np.dstack([values, values * 2 + 1, values[::-1]])
    cases[:, 3, 1] = np.nan
    cases[0, 1, 2] = np.nan
    best, tied = best_and_tied(cases, 0.05)
    for case in range(3):
        table = pd.DataFrame(cases[:, :, case], columns=[1, 2, 4, 8]).dropna(axis=1, how="all")
        alone = compare_with_best(table)
        sizes = np.array([1, 2, 4, 8])
        assert sizes[best[case]] == alone.best
        assert tuple(sizes[tied[:, case]].tolist()) == alone.tied
    assert not tied[:, 0].all()

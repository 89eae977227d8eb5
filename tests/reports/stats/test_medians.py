"""Medians hold lower bounds; their intervals cover without a distribution."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reports.stats.medians import medians, rank_of_end


def test_every_group_has_its_median_and_the_values_that_end_its_interval() -> None:
    few, many = [3.0, 1.0, 2.0], [9.0, 1, 8, 2, 7, 3, 6, 4, 5, math.inf]
    runs = pd.DataFrame({"size": [8] * 3 + [16] * 10, "updates": few + many})
    table = medians(runs, ["size"], "updates")
    assert table["median"].tolist() == [2.0, 5.5]
    assert table["low"].isna().tolist() == [True, False]
    assert table.loc[16, ["low", "high"]].tolist() == [2.0, 9.0]


def test_a_median_of_mostly_missing_runs_is_infinite() -> None:
    runs = pd.DataFrame({"size": 8, "updates": [1.0, 2.0, 3.0, *[math.inf] * 3]})
    assert medians(runs, ["size"], "updates")["median"].tolist() == [math.inf]


@pytest.mark.parametrize("count", [6, 10, 25])
def test_the_interval_covers_the_median_as_often_as_it_says(count: int) -> None:
    samples = np.sort(np.random.default_rng(0).exponential(size=(20_000, count)), axis=1)
    rank, median = rank_of_end(count), math.log(2)
    covered = ((samples[:, rank - 1] <= median) & (median <= samples[:, count - rank])).mean()
    narrower = ((samples[:, rank] <= median) & (median <= samples[:, count - rank - 1])).mean()
    assert covered >= 0.945
    assert narrower < 0.95

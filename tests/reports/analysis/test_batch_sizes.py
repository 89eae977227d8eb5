"""The rows of all groups at once are those of each group by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.batch_sizes import _grown_seconds, shown_trials
from reports.analysis.selection import select_rates, summarise_cells
from reports.recommend.analysis import analyse, by_group
from reports.schema.results import CONFIRM
from reports.stats.intervals import t_interval
from tests.reports.conftest import DIGITS_GROUP, Sketch, keep, make_results, numbers, several

AXES = {"batch_sizes": (8, 64, 512), "learning_rates": (0.3, 1.0, 3.0), "epochs": 2}


def test_groups_that_are_tested_and_groups_that_are_not_are_shown_side_by_side() -> None:
    results = make_results(Sketch(several({"group": "sgd"}, {"group": "adam"}, **AXES)))
    untested = (results.trials["group"] == "adam") & (results.trials["stage"] == CONFIRM)
    mixed = keep(results, ~untested)
    shown = shown_trials(
        mixed, select_rates(summarise_cells(mixed.trials, mixed.description.tuning_seeds))
    )
    assert shown.parts == {"sgd": "test", "adam": "validation"}
    for analysis, alone in zip(analyse(mixed), by_group(mixed), strict=True):
        expected = numbers(alone)
        assert analysis.part == expected.part == shown.parts[analysis.plan.group]
        pd.testing.assert_frame_equal(analysis.seeds, expected.seeds)
        pd.testing.assert_frame_equal(analysis.batch_sizes, expected.batch_sizes)


def test_seeds_lost_in_one_group_are_not_lost_in_another() -> None:
    plan = several({"group": "sgd"}, {"group": "adam"}, **AXES)
    results = make_results(Sketch(plan))
    fresh = (results.trials["group"] == "adam") & (results.trials["stage"] == CONFIRM)
    trials = results.trials
    index = trials.index[fresh & (trials["batch_size"] == 8)][0]
    trials.loc[index, ["status", "test_metric", "test_loss"]] = ["diverged", None, None]
    sgd, adam = analyse(results)
    assert sgd.batch_sizes["lost_seeds"].tolist() == [0, 0, 0]
    assert adam.batch_sizes["lost_seeds"].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("task", "metric", "values", "low", "high"),
    [
        ("classification", "accuracy", [0.0, 0.0, 0.0, 0.0, 0.1], 0.0, None),
        ("classification", "accuracy", [1.0, 1.0, 1.0, 1.0, 0.9], None, 1.0),
        ("regression", "R2", [1.0, 1.0, 1.0, 1.0, 0.9], None, 1.0),
        ("regression", "R2", [-3.0, -2.0, 0.0, 0.0, 0.1], None, None),
    ],
)
def test_an_interval_ends_where_the_metric_does(
    task: str, metric: str, values: list[float], low: float | None, high: float | None
) -> None:
    results = make_results(Sketch(several({"task": task, "metric": metric}, **AXES)))
    fresh = (results.trials["stage"] == CONFIRM) & (results.trials["batch_size"] == 8)
    results.trials.loc[fresh, "test_metric"] = values
    (analysis,) = analyse(results)
    row, whole = analysis.row(8), t_interval(values)
    assert row["metric_low"] == pytest.approx(whole.low if low is None else low)
    assert row["metric_high"] == pytest.approx(whole.high if high is None else high)


def test_the_time_of_growing_batches_is_that_of_their_mean_size() -> None:
    rows = pd.DataFrame(
        {
            "batch_size": [8, 64, 512],
            "updates": [100.0, 20.0, 4.0],
            "seconds_per_update": [1.0, 2.0, 10.0],
        }
    )
    plan = replace(DIGITS_GROUP, growth="seesaw", budget_examples=dict.fromkeys((8, 64, 512), 3600))
    # Means of 36, 180 and 900 examples; none as large as the last was timed.
    seconds = _grown_seconds(rows, plan)
    assert seconds[0] == pytest.approx(100 * (1 + 28 / 56))
    assert seconds[1] == pytest.approx(20 * (2 + 8 * 116 / 448))
    assert np.isnan(seconds[2])

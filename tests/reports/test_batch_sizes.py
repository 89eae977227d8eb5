"""The rows of all groups at once are those of each group by itself."""

from __future__ import annotations

import pandas as pd

from reports.analysis import analyse, by_group
from reports.batch_sizes import shown_trials
from reports.results import CONFIRM
from reports.selection import select_rates
from tests.reports.conftest import Sketch, keep, make_results, numbers, several

AXES = {"batch_sizes": (8, 64, 512), "learning_rates": (0.3, 1.0, 3.0), "epochs": 2}


def test_groups_that_are_tested_and_groups_that_are_not_are_shown_side_by_side() -> None:
    results = make_results(Sketch(several({"group": "sgd"}, {"group": "adam"}, **AXES)))
    untested = (results.trials["group"] == "adam") & (results.trials["stage"] == CONFIRM)
    mixed = keep(results, ~untested)
    shown = shown_trials(mixed, select_rates(mixed.trials))
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
    place = trials.index[fresh & (trials["batch_size"] == 8)][0]
    trials.loc[place, ["status", "test_metric", "test_loss"]] = ["diverged", None, None]
    sgd, adam = analyse(results)
    assert sgd.batch_sizes["lost_seeds"].tolist() == [0, 0, 0]
    assert adam.batch_sizes["lost_seeds"].tolist() == [1, 0, 0]

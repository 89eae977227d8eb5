"""Crossings are brackets, and runs that miss a level lower bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from reports.stats.models.first_passage import (
    AT_START,
    CROSSING_COLUMNS,
    NOT_REACHED,
    REACHED,
    Target,
    crossings_by_group,
    updates_to_target,
)
from tests.reports.stats.models.test_target_levels import TUNING, curves_of


def first_crossing(
    updates: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray, level: float
) -> tuple[str, float, float]:
    """Return outcome, updates and half width of one run whose measure rises."""
    curve = pd.DataFrame({"batch_size": 8, "seed": 0, "updates": updates, "gain": values})
    table = updates_to_target(curve, "gain", [Target(1, level)], lower_is_better=False)
    return tuple(table[["outcome", "updates", "half_width"]].iloc[0])


def test_a_crossing_is_interpolated_between_the_evaluations_around_it() -> None:
    assert first_crossing([0, 10, 30], [0.0, 0.5, 0.9], 0.6) == (REACHED, 15.0, 10.0)
    assert first_crossing([0, 10, 30], [0.0, 0.5, 0.9], 0.5) == (REACHED, 10.0, 5.0)


def test_the_first_crossing_counts() -> None:
    assert first_crossing([0, 10, 20, 30], [0.0, 1.0, 0.0, 1.0], 0.5) == (REACHED, 5.0, 5.0)


def test_a_run_that_does_not_cross_is_a_lower_bound() -> None:
    assert first_crossing([0, 10, 20], [0.0, 0.5, 0.4], 0.6) == (NOT_REACHED, 20.0, 0.0)


def test_a_run_that_diverged_is_a_lower_bound_of_the_updates_it_made() -> None:
    assert first_crossing([0, 10, 20], [0.0, 0.5, math.nan], 0.6) == (NOT_REACHED, 20.0, 0.0)
    assert first_crossing([0, 10], [math.nan, math.nan], 0.6) == (NOT_REACHED, 10.0, 0.0)


def test_a_target_met_before_the_first_evaluation_lies_anywhere_before_it() -> None:
    assert first_crossing([10, 20], [0.7, 0.8], 0.6) == (REACHED, 5.0, 5.0)
    assert first_crossing([0, 20], [0.7, 0.8], 0.6) == (AT_START, 0.0, 0.0)


def test_the_bracket_holds_the_true_crossing() -> None:
    rng, curves, true = np.random.default_rng(0), [], []
    for seed in range(100):
        updates = np.concatenate([[0], np.sort(rng.choice(np.arange(1, 200), 8, replace=False))])
        decay = rng.uniform(0.01, 0.2)
        gain = -np.exp(-decay * updates)
        curves.append(
            pd.DataFrame({"batch_size": 8, "seed": seed, "updates": updates, "gain": gain})
        )
        true.append(-math.log(0.3) / decay)
    targets = [Target(1, -0.3)]
    table = updates_to_target(pd.concat(curves), "gain", targets, lower_is_better=False)
    missed, off = table["outcome"] != REACHED, true - table["updates"]
    assert (off.abs() <= 2 * table["half_width"])[~missed].all()
    assert (off > 0)[missed].all()


def test_a_loss_that_falls_exponentially_is_read_exactly() -> None:
    losses = [2 * math.exp(-0.1 * 10 * point) for point in range(4)]
    table = updates_to_target(curves_of({(8, 0): losses}), "loss", [Target(0.5, 0.3)])
    assert table["updates"].tolist() == pytest.approx([10 * math.log(2 / 0.3)])


def test_a_loss_that_reaches_zero_is_read_on_a_straight_line() -> None:
    table = updates_to_target(curves_of({(8, 0): [2.0, 0.0]}), "loss", [Target(0.5, 0.5)])
    assert table["updates"].tolist() == pytest.approx([7.5])


def test_every_run_has_a_row_for_every_target() -> None:
    table = updates_to_target(TUNING, "loss", [Target(0.5, 1.5), Target(0.9, 0.45)])
    assert table.columns.tolist() == [column.name for column in CROSSING_COLUMNS]
    assert len(table) == 10
    easy, hard = (table[table["target"] == level] for level in (1.5, 0.45))
    assert easy["outcome"].tolist() == [REACHED] * 4 + [NOT_REACHED]
    assert hard["outcome"].tolist() == [REACHED, REACHED, NOT_REACHED, NOT_REACHED, NOT_REACHED]
    assert easy["updates"].tolist()[:2] == pytest.approx(
        [10 * math.log(2 / 1.5) / math.log(2 / 1.0), 10 * math.log(2 / 1.5) / math.log(2 / 0.6)]
    )


def test_a_metric_crosses_upwards() -> None:
    curves = curves_of({(8, 0): [0.1, 0.5, 0.9]}).rename(columns={"loss": "accuracy"})
    table = updates_to_target(curves, "accuracy", [Target(1, 0.7)], lower_is_better=False)
    assert table["updates"].tolist() == pytest.approx([15])


def test_every_group_has_targets_of_its_own() -> None:
    curves = curves_of({(8, 0): [2.0, 1.0, 0.2]})
    groups = pd.concat([curves.assign(group=name) for name in ("a", "b", "c")])
    targets = {"a": [Target(0.5, 1.5), Target(0.9, 0.6)], "b": [Target(0.5, 1.0)], "c": []}
    table = crossings_by_group(groups, "loss", targets)
    assert table["group"].tolist() == ["a", "a", "b"]
    nine_tenths = 10 + 10 * math.log(1 / 0.6) / math.log(1 / 0.2)
    expected = [10 * math.log(2 / 1.5) / math.log(2), nine_tenths, 10]
    assert table["updates"].tolist() == pytest.approx(expected)

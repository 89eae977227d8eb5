"""Targets come from other runs, crossings are brackets, and runs that miss one are kept in fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.schema.results import empty_table
from reports.stats.models.first_passage import (
    AT_START,
    CROSSING_COLUMNS,
    NOT_REACHED,
    REACHED,
    SHARES,
    Target,
    crossings_by_group,
    fit_target,
    targets_by_group,
    updates_to_target,
)


def set_targets(curves: pd.DataFrame, measure: str, **options: Any) -> tuple[Target, ...]:
    """Return the targets of a single group."""
    return targets_by_group(curves.assign(group=""), measure, **options).get("", ())


def curves_of(runs: dict[tuple[int, int], list[float]], every: int = 10) -> pd.DataFrame:
    """Return runs, by batch size and seed, evaluated at a fixed number of updates."""
    rows = [
        {"batch_size": size, "seed": seed, "updates": every * number, "loss": loss}
        for (size, seed), losses in runs.items()
        for number, loss in enumerate(losses)
    ]
    return pd.DataFrame(rows)


TUNING = curves_of(
    {
        (8, 0): [2.0, 1.0, 0.2],
        (8, 1): [2.0, 0.6, 0.4],
        (8, 2): [2.0, 0.5, 0.9],
        (16, 0): [2.2, 1.0, 1.0],
        (32, 0): [2.0, 1.9, 1.8],
    }
)


def first_crossing(
    updates: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray, level: float
) -> tuple[str, float, float]:
    """Return outcome, updates and half width of one run whose measure rises."""
    curve = pd.DataFrame({"batch_size": 8, "seed": 0, "updates": updates, "gain": values})
    table = updates_to_target(curve, "gain", [Target(1, level)], lower_is_better=False)
    return tuple(table[["outcome", "updates", "half_width"]].iloc[0])


@pytest.mark.parametrize(
    ("updates", "values", "level", "expected"),
    [
        ([0, 10, 30], [0.0, 0.5, 0.9], 0.6, (REACHED, 15.0, 10.0)),
        ([0, 10, 30], [0.0, 0.5, 0.9], 0.5, (REACHED, 10.0, 5.0)),
        ([0, 10, 20, 30], [0.0, 1.0, 0.0, 1.0], 0.5, (REACHED, 5.0, 5.0)),
        ([0, 10, 20], [0.0, 0.5, 0.4], 0.6, (NOT_REACHED, 20.0, 0.0)),
        ([0, 10, 20], [0.0, 0.5, math.nan], 0.6, (NOT_REACHED, 20.0, 0.0)),
        ([0, 10], [math.nan, math.nan], 0.6, (NOT_REACHED, 10.0, 0.0)),
        ([10, 20], [0.7, 0.8], 0.6, (REACHED, 5.0, 5.0)),
        ([0, 20], [0.7, 0.8], 0.6, (AT_START, 0.0, 0.0)),
    ],
    ids=["between", "at", "twice", "never", "diverged", "lost at once", "before", "at start"],
)
def test_the_first_crossing_is_interpolated_and_a_run_without_one_is_a_lower_bound(
    updates: list[float], values: list[float], level: float, expected: tuple[str, float, float]
) -> None:
    assert first_crossing(updates, values, level) == expected


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


@pytest.mark.parametrize(
    ("losses", "level", "updates"),
    [
        ([2 * math.exp(-point) for point in range(4)], 0.3, 10 * math.log(2 / 0.3)),
        ([2.0, 0.0], 0.5, 7.5),
    ],
    ids=["exponential", "to zero, on a straight line"],
)
def test_a_loss_that_falls_is_read_between_evaluations(
    losses: list[float], level: float, updates: float
) -> None:
    table = updates_to_target(curves_of({(8, 0): losses}), "loss", [Target(0.5, level)])
    assert table["updates"].tolist() == pytest.approx([updates])


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


def test_every_group_has_targets_of_its_own() -> None:
    curves = curves_of({(8, 0): [2.0, 1.0, 0.2]})
    groups = pd.concat([curves.assign(group=name) for name in ("a", "b", "c")])
    targets = {"a": [Target(0.5, 1.5), Target(0.9, 0.6)], "b": [Target(0.5, 1.0)], "c": []}
    table = crossings_by_group(groups, "loss", targets)
    assert table["group"].tolist() == ["a", "a", "b"]
    nine_tenths = 10 + 10 * math.log(1 / 0.6) / math.log(1 / 0.2)
    expected = [10 * math.log(2 / 1.5) / math.log(2), nine_tenths, 10]
    assert table["updates"].tolist() == pytest.approx(expected)


def test_targets_are_shares_of_what_the_best_batch_size_attains() -> None:
    # Best values: 0.4 at batch size 8, the median of three seeds; 1.0 at 16; 1.8 at 32.
    half, end = set_targets(TUNING, "loss", shares=[0.5, 1])
    assert (half.level, end.level) == pytest.approx((1.2, 0.4))
    assert [target.share for target in set_targets(TUNING, "loss")] == list(SHARES)


def test_targets_of_a_metric_rise() -> None:
    curves = TUNING.assign(accuracy=1 - TUNING["loss"] / 4)
    targets = set_targets(curves, "accuracy", lower_is_better=False, shares=[0.5])
    assert targets == (Target(0.5, 1 - 1.2 / 4),)


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = TUNING.sample(frac=1, random_state=1)
    assert set_targets(shuffled, "loss") == set_targets(TUNING, "loss")
    targets = set_targets(TUNING, "loss")
    pd.testing.assert_frame_equal(
        updates_to_target(shuffled, "loss", targets), updates_to_target(TUNING, "loss", targets)
    )


@pytest.mark.parametrize("losses", [[1.0, 1.0], [1.0, 2.0], [math.nan, math.nan]])
def test_runs_without_progress_set_no_target(losses: list[float]) -> None:
    assert set_targets(curves_of({(8, 0): losses}), "loss") == ()


def hyperbolic(seeds: int = 5, noise: float = 0.03) -> pd.DataFrame:
    """Return curves whose updates to a loss of exp(-d) are d (20 + 4000/B), times noise."""
    rng, frames = np.random.default_rng(0), []
    for size in 2 ** np.arange(3, 11):
        for seed in range(seeds):
            unit = (20 + 4_000 / size) * math.exp(rng.normal(0, noise))
            updates = np.unique(np.linspace(0, 3_000 if size < 16 else 2_000, 400).astype(int))
            frames.append(
                pd.DataFrame(
                    {
                        "batch_size": size,
                        "seed": seed,
                        "updates": updates,
                        "loss": np.exp(-updates / unit),
                    }
                )
            )
    return pd.concat(frames)


def test_recorded_curves_give_the_critical_batch_size_of_every_target() -> None:
    curves = hyperbolic()
    targets = [Target(0.5, math.exp(-1)), Target(0.9, math.exp(-5))]
    crossings = updates_to_target(curves, "loss", targets)
    for share, distance in ((0.5, 1), (0.9, 5)):
        fit = fit_target(crossings[crossings["share"] == share], items=2_000)
        assert fit.min_updates == pytest.approx(20 * distance, rel=0.05)
        assert fit.critical_batch_size == pytest.approx(200, rel=0.05)
        assert fit.near_all == (512, 1024)


def test_runs_that_miss_a_target_are_kept_in_its_fit() -> None:
    crossings = updates_to_target(hyperbolic(), "loss", [Target(0.99, math.exp(-7))])
    fit = fit_target(crossings)
    assert fit.censored == 5
    assert fit.critical_batch_size == pytest.approx(200, rel=0.05)


def test_a_target_met_at_the_start_is_refused_with_a_reason() -> None:
    curves = curves_of({(8, 0): [0.1, 0.0], (16, 0): [1.0, 0.0], (32, 0): [1.0, 0.9]})
    fit = fit_target(updates_to_target(curves, "loss", [Target(0.5, 0.2)]))
    assert "before their first update: 1 of 3" in fit.reason
    assert (fit.runs, fit.censored, fit.critical_batch_size) == (3, 1, None)


def test_a_target_reached_before_the_first_evaluations_is_refused_with_a_reason() -> None:
    # Read off straight lines from the start, all of them take about as many examples.
    sizes = (4, 16, 64, 256)
    curves = pd.DataFrame(
        [
            {"batch_size": size, "seed": seed, "updates": at * 1024 // size, "loss": loss}
            for size in sizes
            for seed in range(5)
            for at, loss in enumerate([1.0, 0.3, 0.1 + seed / 1000, 0.01])
        ]
    )
    early, late = (Target(share, 1 - share) for share in (0.5, 0.95))
    fit = fit_target(updates_to_target(curves, "loss", [early]))
    assert "20 of 20" in fit.reason
    assert fit.curve is None
    fit = fit_target(updates_to_target(curves, "loss", [late]))
    assert fit.min_examples == pytest.approx(2.2 * 1024, rel=0.05)


def test_a_run_that_diverged_at_once_bounds_nothing() -> None:
    curves = hyperbolic(seeds=1)
    dead = pd.DataFrame({"batch_size": [8], "seed": [9], "updates": [0], "loss": [math.nan]})
    crossings = updates_to_target(pd.concat([curves, dead]), "loss", [Target(0.5, 0.3)])
    assert len(crossings) == 9
    fit = fit_target(crossings)
    assert fit.runs == 8


def test_without_crossings_there_are_no_rows_but_all_columns() -> None:
    empty = updates_to_target(hyperbolic(seeds=1), "loss", [])
    pd.testing.assert_frame_equal(empty, empty_table(CROSSING_COLUMNS))
    assert fit_target(empty).reason == "There are no runs."

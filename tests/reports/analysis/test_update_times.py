"""Medians over rounds, ratios of medians, and whether the processor was shared."""

from __future__ import annotations

import pandas as pd
import pytest

from reports.analysis.update_times import (
    SHARD_COST_COLUMNS,
    TIMING_SUMMARY_COLUMNS,
    one_network,
    shard_costs,
    speedups,
    summarise_timing,
)
from reports.schema.results import TIMING_COLUMNS, StudyResults, empty_table
from tests.reports.conftest import table


def timing_of(seconds: dict[tuple[str, int], list[float]], cpu: float = 1.0) -> pd.DataFrame:
    """Return rounds of 10 updates with these wall seconds."""
    rows = [
        {
            "group": "g",
            "engine": engine,
            "lanes": 1,
            "batch_size": batch,
            "round": number,
            "updates": 10,
            "wall_seconds": wall,
            "cpu_seconds": cpu * wall,
        }
        for (engine, batch), rounds in seconds.items()
        for number, wall in enumerate(rounds)
    ]
    return table(rows, TIMING_COLUMNS)


def test_seconds_per_update_are_the_median_of_the_rounds() -> None:
    row = summarise_timing(timing_of({("tensor", 8): [1.0, 2.0, 3.0, 4.0, 90.0]})).iloc[0]
    assert row["seconds_per_update"] == pytest.approx(0.3)
    assert (row["lower_quartile"], row["upper_quartile"]) == pytest.approx((0.2, 0.4))
    assert row["rounds"] == 5


@pytest.mark.parametrize(("share", "contended"), [(0.89, True), (0.91, False)])
def test_a_shared_processor_is_flagged(share: float, contended: bool) -> None:
    row = summarise_timing(timing_of({("tensor", 8): [1.0, 3.0]}, cpu=share)).iloc[0]
    assert row["cpu_share"] == pytest.approx(share)
    assert bool(row["contended"]) is contended


@pytest.mark.parametrize(("longest", "unsteady"), [(1.39, False), (1.41, True)])
def test_rounds_that_disagree_are_flagged(longest: float, unsteady: bool) -> None:
    row = summarise_timing(timing_of({("tensor", 8): [1.0, 1.0, longest]})).iloc[0]
    assert bool(row["unsteady"]) is unsteady


def test_tensor_operations_come_first(digits: StudyResults) -> None:
    summary = summarise_timing(digits.timing)
    assert summary["engine"].drop_duplicates().tolist() == ["tensor", "per-item"]
    assert summary["batch_size"].tolist() == [*digits.description.groups[0].batch_sizes] * 2


def test_the_speedup_is_a_ratio_of_medians_with_the_range_of_the_rounds() -> None:
    timing = timing_of({("tensor", 8): [1.0, 2.0, 4.0], ("per-item", 8): [10.0, 10.0, 60.0]})
    row = speedups(timing).iloc[0]
    assert (row["speedup"], row["speedup_low"], row["speedup_high"]) == pytest.approx((5, 5, 15))


def test_the_cost_of_shards_is_a_ratio_of_medians_with_the_range_of_the_rounds() -> None:
    timing = timing_of({("tensor", 8): [2.0, 3.0, 4.0], ("one-piece", 8): [1.0, 2.0, 2.0]})
    costs = shard_costs(timing)
    assert costs.columns.tolist() == [column.name for column in SHARD_COST_COLUMNS]
    assert costs.iloc[0].tolist() == pytest.approx([8, 0.3, 0.2, 1.5, 1.5, 2.0])
    assert shard_costs(timing[timing["engine"] == "tensor"]).empty
    # Nothing else takes the whole batch for the study's own.
    assert one_network(summarise_timing(timing))["seconds_per_update"].tolist() == [0.3]


def test_a_batch_size_timed_with_one_engine_has_no_speedup() -> None:
    timing = timing_of({("tensor", 8): [1.0], ("tensor", 16): [1.0], ("per-item", 8): [2.0]})
    assert speedups(timing)["batch_size"].tolist() == [8]


def test_without_a_benchmark_there_are_no_rows_but_all_columns() -> None:
    empty = empty_table(TIMING_COLUMNS)
    assert speedups(empty).columns.tolist() == [
        "group",
        "batch_size",
        "speedup",
        "speedup_low",
        "speedup_high",
    ]
    assert summarise_timing(empty).columns.tolist() == [c.name for c in TIMING_SUMMARY_COLUMNS]
    assert speedups(empty).empty


def test_the_time_of_a_cohort_is_divided_by_its_networks() -> None:
    alone = timing_of({("tensor", 8): [1.0], ("per-item", 8): [4.0]})
    cohort = timing_of({("tensor", 8): [6.0]}).assign(lanes=15)
    timing = pd.concat([alone, cohort])
    summary = summarise_timing(timing)
    assert summary["lanes"].tolist() == [1, 15, 1]
    assert summary["seconds_per_update"].tolist() == pytest.approx([0.1, 0.04, 0.4])
    assert one_network(summary)["seconds_per_update"].tolist() == pytest.approx([0.1])
    assert speedups(timing)["speedup"].tolist() == pytest.approx([4.0])

"""The simulated time on many workers: message by message, and never called measured."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.schema.results import Cluster, empty_table
from reports.stats.models.simulated_workers import (
    COMBINE,
    SIMULATION_COLUMNS,
    combining_seconds,
    computing_seconds,
    simulate_group,
    simulate_time_to_target,
)
from reports.stats.models.steps_to_target import fit_steps_to_target
from reports.stats.models.update_cost import fit_update_time
from sweeps.spec.types import COMBINING
from tests.reports.conftest import DIGITS_GROUP

SIZES = 2.0 ** np.arange(2, 13)
FIT = fit_steps_to_target(SIZES, 50 * (1 + 400 / SIZES))
TIMING = fit_update_time(SIZES, 20e-6 + 1e-6 * SIZES)
NO_FIT, NO_TIMING = fit_steps_to_target([8], [9]), fit_update_time([8], [1e-6])
CLUSTER = Cluster(latency=5e-6, bandwidth=1e9, combine="ring", workers=(1, 8, 64))
HALVING = replace(CLUSTER, combine="halving")
BYTES = 1e4


def send_ring(workers: int, latency: float, transfer: float) -> float:
    """Pass pieces of W gradients around a ring until all hold the sum; return when all do."""
    held = [{(worker, piece) for piece in range(workers)} for worker in range(workers)]
    now = 0.0
    full = {(worker, piece) for worker in range(workers) for piece in range(workers)}
    for step in range(2 * (workers - 1)):
        sent = []
        for worker in range(workers):
            piece = (worker - step) % workers
            sent.append({entry for entry in held[worker] if entry[1] == piece})
        for worker in range(workers):
            held[(worker + 1) % workers] |= sent[worker]
        now += latency + transfer / workers
    assert all(each == full for each in held)
    return now


def send_halving(workers: int, latency: float, transfer: float) -> float:
    """Exchange halves, quarters, ... with partners, and back; W is a power of two."""
    now, part = 0.0, transfer
    exchanges = round(math.log2(workers))
    for _ in range(exchanges):
        part /= 2
        now += latency + part
    for _ in range(exchanges):
        now += latency + part
        part *= 2
    return now


def send_central(workers: int, latency: float, transfer: float) -> float:
    """Let one worker receive all gradients through one wire, and send the sum back."""
    free = 0.0
    for _ in range(workers - 1):
        free += transfer
    return 2 * (free + latency)


ORACLES = {"ring": send_ring, "halving": send_halving, "central": send_central}


@pytest.mark.parametrize("combine", COMBINE)
@pytest.mark.parametrize("workers", [2, 4, 16])
def test_combining_takes_as_long_as_its_messages(combine: str, workers: int) -> None:
    cluster = Cluster(latency=3e-6, bandwidth=1e8, combine=combine, workers=(workers,))
    expected = ORACLES[combine](workers, 3e-6, 5e-4)
    assert combining_seconds(cluster, 5e4, workers) == pytest.approx(expected)


@pytest.mark.parametrize("combine", COMBINE)
def test_one_worker_combines_nothing(combine: str) -> None:
    assert combining_seconds(Cluster(1.0, 1.0, combine, (1,)), 1.0, 1) == 0


@pytest.mark.parametrize(
    ("size", "workers", "shards", "seconds"),
    [
        (64, 1, None, 20e-6 + 64e-6),
        (64, 4, None, 20e-6 + 16e-6),
        (64, 3, None, 20e-6 + 22e-6),
        (64, 2, 8, 4 * (20e-6 + 8e-6)),
        (64, 3, 8, 3 * (20e-6 + 8e-6)),
        (4, 1_000, None, 20e-6 + 1e-6),
    ],
)
def test_workers_process_their_shards_in_turn(
    size: float, workers: int, shards: int | None, seconds: float
) -> None:
    assert TIMING.curve is not None
    assert computing_seconds(TIMING.curve, size, workers, shards) == pytest.approx(
        seconds, rel=1e-4
    )


def test_without_a_network_the_best_batch_grows_with_the_square_root_of_the_workers() -> None:
    # alpha + (beta/W) B: B* = sqrt(B_crit alpha W / beta).
    free = Cluster(latency=0, bandwidth=1, combine="ring", workers=(1, 16))
    table = simulate_time_to_target(FIT, TIMING, free, gradient_bytes=0)
    best = [math.sqrt(400 * 20 * workers) for workers in (1, 16)]
    for size, expected in zip(table["batch_size"], best, strict=True):
        assert expected / math.sqrt(2) <= size <= expected * math.sqrt(2)


def test_more_workers_gain_until_messages_take_the_time() -> None:
    counts = (1, 4, 64, 1_024, 16_384)
    table = simulate_time_to_target(FIT, TIMING, replace(HALVING, workers=counts), BYTES)
    assert table.columns.tolist() == [column.name for column in SIMULATION_COLUMNS]
    assert table["source"].tolist() == ["simulated"] * len(counts)
    assert table["workers"].tolist() == [*counts]
    assert table["speedup"].iloc[0] == 1
    assert table["speedup"].max() < 64
    assert table["communication_share"].is_monotonic_increasing
    ring = simulate_time_to_target(FIT, TIMING, replace(CLUSTER, workers=counts), BYTES)
    assert ring["speedup"].iloc[-1] < 0.01
    assert ring["batch_size"].iloc[-1] == SIZES[-1]
    assert bool(ring["at_edge"].iloc[-1])
    assert not bool(table["at_edge"].iloc[0])


def test_time_is_updates_by_seconds_of_each() -> None:
    eight, alone = replace(HALVING, workers=(8,)), replace(HALVING, workers=(1,))
    row = simulate_time_to_target(FIT, TIMING, eight, BYTES, shards=4).iloc[0]
    assert TIMING.curve is not None
    computing = computing_seconds(TIMING.curve, row["batch_size"], 8, 4)
    seconds = computing + combining_seconds(HALVING, BYTES, 8)
    assert row["seconds_per_update"] == pytest.approx(seconds)
    updates = 50 * (1 + 400 / row["batch_size"])
    assert row["seconds_to_target"] == pytest.approx(updates * seconds, rel=1e-4)
    single = simulate_time_to_target(FIT, TIMING, alone, BYTES, shards=4)["seconds_to_target"]
    assert row["speedup"] == pytest.approx(single.iloc[0] / row["seconds_to_target"])


def test_without_a_curve_nothing_is_simulated() -> None:
    for fit, timing in ((NO_FIT, TIMING), (FIT, NO_TIMING)):
        table = simulate_time_to_target(fit, timing, CLUSTER, BYTES)
        pd.testing.assert_frame_equal(table, empty_table(SIMULATION_COLUMNS))


def test_a_group_is_simulated_with_its_own_gradient() -> None:
    simulation = simulate_group(DIGITS_GROUP, CLUSTER, FIT, TIMING, NO_TIMING)
    expected = simulate_time_to_target(FIT, TIMING, CLUSTER, 9_640)
    assert simulation.reason == ""
    pd.testing.assert_frame_equal(simulation.table, expected)


def test_a_group_with_shards_is_simulated_with_them_at_the_cost_of_whole_batches() -> None:
    slower = fit_update_time(SIZES, 80e-6 + 1e-6 * SIZES)
    simulation = simulate_group(replace(DIGITS_GROUP, shards=4), CLUSTER, FIT, slower, TIMING)
    expected = simulate_time_to_target(FIT, TIMING, CLUSTER, 9_640, shards=4)
    pd.testing.assert_frame_equal(simulation.table, expected)
    # Workers beyond the shards have nothing to do.
    seconds = simulation.table["seconds_to_target"].tolist()
    assert seconds[0] > seconds[1]
    assert seconds[1] < seconds[2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cluster": None}, ""),
        ({"fit": None}, ""),
        ({"plan": replace(DIGITS_GROUP, gradient_bytes=None)}, "size of a gradient"),
        ({"plan": replace(DIGITS_GROUP, local_updates=4)}, "updates of their own"),
        (
            {"plan": replace(DIGITS_GROUP, growth="batches times 2 every 5 epochs up to 64")},
            "Batches that grow",
        ),
        (
            {"plan": replace(DIGITS_GROUP, shards=4), "whole": NO_TIMING},
            "three batch sizes are timed: 1",
        ),
        ({"fit": NO_FIT}, NO_FIT.reason),
        ({"timing": NO_TIMING}, "three batch sizes are timed: 1"),
    ],
)
def test_a_group_that_cannot_be_simulated_has_a_reason(change: dict[str, Any], reason: str) -> None:
    given = {"plan": DIGITS_GROUP, "cluster": CLUSTER, "fit": FIT, "timing": TIMING}
    given["whole"] = TIMING
    simulation = simulate_group(**given | change)
    assert reason in simulation.reason
    assert bool(reason) == bool(simulation.reason)
    pd.testing.assert_frame_equal(simulation.table, empty_table(SIMULATION_COLUMNS))


def test_specifications_name_the_ways_to_combine_that_there_are() -> None:
    assert COMBINE == COMBINING

"""Seconds per update, from the benchmark alone, and what tensor operations gain.

The benchmark runs by itself, in interleaved rounds: medians are robust against a disturbed one.
"""

from __future__ import annotations

import pandas as pd

from reports.schema import (
    BATCH_SIZE,
    ONE_PIECE,
    PER_ITEM,
    SIZE,
    TENSOR,
    Column,
    as_table,
    empty_table,
)

CONTENDED_BELOW = 0.9  # share of the wall time on the processor below which it was shared
UNSTEADY_ABOVE = 0.2  # distance of the quartiles, by the median, above which the rounds disagree

TIMING_SUMMARY_COLUMNS = (
    Column("group", "str", "", "What was timed: all but batch size, rate and seed."),
    Column("engine", "str", "", "tensor, per-item, or one-piece: tensor without the shards."),
    Column("lanes", "int64", "", "Networks updated at once."),
    BATCH_SIZE,
    Column("rounds", "int64", "rounds", "Measurement rounds."),
    Column("seconds_per_update", "float64", "s", "One network's; median of rounds.", volatile=True),
    Column("lower_quartile", "float64", "s", "First quartile over rounds.", volatile=True),
    Column("upper_quartile", "float64", "s", "Third quartile over rounds.", volatile=True),
    Column("cpu_share", "float64", "", "Processor time by wall time, all rounds.", volatile=True),
    Column("contended", "bool", "", f"cpu_share below {CONTENDED_BELOW}.", volatile=True),
    Column("unsteady", "bool", "", f"Quartiles {UNSTEADY_ABOVE:.0%} apart or more.", volatile=True),
)


SHARD_COST_COLUMNS = (
    BATCH_SIZE,
    Column("seconds_in_shards", "float64", "s", "Of an update, the batch in shards; median.", True),
    Column("seconds_whole", "float64", "s", "Of an update, the batch unsharded; median.", True),
    Column("cost", "float64", "", "The former by the latter.", volatile=True),
    Column("cost_low", "float64", "", "Smallest ratio within a round.", volatile=True),
    Column("cost_high", "float64", "", "Largest ratio within a round.", volatile=True),
)


def summarise_timing(timing: pd.DataFrame) -> pd.DataFrame:
    """Return seconds per update of one network, tensor first: `TIMING_SUMMARY_COLUMNS`."""
    seconds = timing.assign(seconds=timing["wall_seconds"] / timing["updates"] / timing["lanes"])
    order = ["group", "engine", "lanes", "batch_size"]
    groups = seconds.groupby(order)
    summary = pd.DataFrame(
        {
            "rounds": groups.size(),
            "seconds_per_update": groups["seconds"].median(),
            "lower_quartile": groups["seconds"].quantile(0.25),
            "upper_quartile": groups["seconds"].quantile(0.75),
            "cpu_share": groups["cpu_seconds"].sum() / groups["wall_seconds"].sum(),
        }
    ).reset_index()
    summary["contended"] = summary["cpu_share"] < CONTENDED_BELOW
    spread = summary["upper_quartile"] - summary["lower_quartile"]
    summary["unsteady"] = spread > UNSTEADY_ABOVE * summary["seconds_per_update"]
    ordered = summary.sort_values(order, ascending=[True, False, True, True])
    return as_table(ordered, TIMING_SUMMARY_COLUMNS)


def one_network(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of tensor operations that train one network by itself."""
    return summary[(summary["engine"] == TENSOR) & (summary["lanes"] == 1)]


def shard_costs(timing: pd.DataFrame) -> pd.DataFrame:
    """Return what a batch in shards costs relative to the whole batch: `SHARD_COST_COLUMNS`."""
    if not (timing["engine"] == ONE_PIECE).any():
        # Nearly all groups; to find nothing costs as much as to find something.
        return empty_table(SHARD_COST_COLUMNS)
    names = {TENSOR: "seconds_in_shards", ONE_PIECE: "seconds_whole"}
    ratios = _ratios(timing, TENSOR, ONE_PIECE, "cost")
    return as_table(ratios.rename(columns=names), SHARD_COST_COLUMNS)


def speedups(timing: pd.DataFrame) -> pd.DataFrame:
    """Return how many times faster tensor operations are than iterating over the examples."""
    ratios = _ratios(timing, PER_ITEM, TENSOR, "speedup")
    return ratios.drop(columns=[PER_ITEM, TENSOR])


def _ratios(timing: pd.DataFrame, first: str, second: str, name: str) -> pd.DataFrame:
    """Return one network's median seconds by two engines, their ratio, and its range of rounds."""
    alone = timing[timing["lanes"] == 1]
    seconds = alone.assign(seconds=alone["wall_seconds"] / alone["updates"])
    wide = seconds.pivot_table(index=[*SIZE, "round"], columns="engine", values="seconds")
    wide = wide.reindex(columns=[first, second]).dropna()
    table, by_round = wide.groupby(SIZE).median(), (wide[first] / wide[second]).groupby(SIZE)
    ratios = {name: table[first] / table[second]}
    ratios |= {f"{name}_low": by_round.min(), f"{name}_high": by_round.max()}
    return table.assign(**ratios).reset_index().rename_axis(columns=None)

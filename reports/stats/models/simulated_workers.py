"""Time to a target on many workers, by a stated model: always simulated, never measured.

An update's batch of B examples is split into K shards, which W workers process in turn. Then all
workers combine their gradients. Seconds of an update:

    ceil(K/W) (alpha + beta ceil(B/K)) + combine(W)

alpha and beta are those measured on one worker. Combining takes time for messages and for bytes; of
n bytes of gradient, with latency l and bandwidth b:

    ring      2 (W - 1) l + 2 (W - 1)/W n/b    (Patarasu & Yuan 2009)
    halving   2 ceil(log2 W) l + 2 (W - 1)/W n/b    (Rabenseifner 2004)
    central   2 l + 2 (W - 1) n/b    one worker collects and sends back, a message at a time

The model leaves out stragglers, contention and the overlap of messages with computation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.schema import Cluster, Column, GroupDescription, as_table, empty_table
from reports.stats._two_terms import Curve
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.models.update_cost import UpdateTimeFit

SIMULATED = "simulated"  # what every row says of its origin
COMBINE = ("ring", "halving", "central")  # ways to combine gradients

SIMULATION_COLUMNS = (
    Column("source", "str", "", f"Always {SIMULATED}: predicted by a model, not measured."),
    Column("workers", "int64", "workers", "Workers that share an update."),
    Column("batch_size", "float64", "examples", "The fastest batch size of those given.", True),
    Column("at_edge", "bool", "", "Whether it is the smallest or largest of those given.", True),
    Column("seconds_per_update", "float64", "s", "Computing and combining.", True),
    Column("communication_share", "float64", "", "Share of combining in it.", True),
    Column("seconds_to_target", "float64", "s", "Updates to the target times seconds.", True),
    Column("speedup", "float64", "", "Time on one worker by this; each at its best batch.", True),
)


@dataclass(frozen=True)
class Simulation:
    """What is simulated of a group: columns `SIMULATION_COLUMNS`, or why nothing can be."""

    table: pd.DataFrame
    reason: str = ""


def combining_seconds(cluster: Cluster, gradient_bytes: float, workers: int) -> float:
    """Return the simulated seconds in which workers combine their gradients."""
    if workers == 1:
        return 0.0
    others = workers - 1
    messages = {"ring": others, "halving": math.ceil(math.log2(workers)), "central": 1}
    gradients = others if cluster.combine == "central" else others / workers
    transfer = gradient_bytes / cluster.bandwidth
    return 2 * (messages[cluster.combine] * cluster.latency + gradients * transfer)


def computing_seconds(
    update: Curve, batch_size: float, workers: int, shards: int | None = None
) -> float:
    """Return the simulated seconds in which workers process the shards of a batch."""
    pieces = shards if shards is not None else min(workers, math.floor(batch_size))
    each = math.ceil(batch_size / pieces)
    rounds = math.ceil(pieces / workers)
    return rounds * (update.intercept + update.slope * each)


def simulate_time_to_target(
    fit: StepsToTargetFit,
    timing: UpdateTimeFit,
    cluster: Cluster,
    gradient_bytes: float,
    shards: int | None = None,
) -> pd.DataFrame:
    """Return the simulated time to target for each number of workers: `SIMULATION_COLUMNS`.

    At the best of the batch sizes that reached the target: nothing is extrapolated beyond them. A
    batch is split into as many shards, or else into one for each worker that gets examples.
    """
    if fit.curve is None or timing.curve is None:
        return empty_table(SIMULATION_COLUMNS)
    sizes = np.unique(fit.batch_sizes)
    updates, update = fit.curve.at(1 / sizes), timing.curve

    def row(count: int) -> dict[str, float | str | bool]:
        communication = combining_seconds(cluster, gradient_bytes, count)
        computing = np.array([computing_seconds(update, size, count, shards) for size in sizes])
        seconds = computing + communication
        best = int(np.argmin(updates * seconds))
        return {
            "source": SIMULATED,
            "workers": count,
            "batch_size": sizes[best],
            "at_edge": best in {0, sizes.size - 1},
            "seconds_per_update": seconds[best],
            "communication_share": communication / seconds[best],
            "seconds_to_target": updates[best] * seconds[best],
        }

    table = pd.DataFrame([row(count) for count in sorted({1, *cluster.workers})])
    table["speedup"] = table["seconds_to_target"].iloc[0] / table["seconds_to_target"]
    return as_table(table[table["workers"].isin(cluster.workers)], SIMULATION_COLUMNS)


def simulate_group(
    plan: GroupDescription,
    cluster: Cluster | None,
    fit: StepsToTargetFit | None,
    timing: UpdateTimeFit,
    whole: UpdateTimeFit,
) -> Simulation:
    """Return the simulated time of a group to its hardest target, or why there is none."""
    nothing = empty_table(SIMULATION_COLUMNS)
    if cluster is None or fit is None:
        return Simulation(nothing)
    # A shard is a batch of its own: it takes the seconds of unsharded batches.
    shards, timing = (plan.shards, whole) if plan.shards > 1 else (None, timing)
    reason = _missing(plan, fit, timing)
    if plan.gradient_bytes is None or reason:
        return Simulation(nothing, reason)
    return Simulation(simulate_time_to_target(fit, timing, cluster, plan.gradient_bytes, shards))


def _missing(plan: GroupDescription, fit: StepsToTargetFit, timing: UpdateTimeFit) -> str:
    """Return what a simulation lacks, or why the model doesn't hold; "" if it can be made."""
    if plan.gradient_bytes is None:
        return "The size of a gradient isn't known."
    if plan.local_updates > 1:
        return "Workers that make updates of their own before they combine are not in the model."
    if plan.growth:
        return "Batches that grow along training are not in the model."
    if fit.curve is None:
        return fit.reason
    return timing.reason if timing.curve is None else ""

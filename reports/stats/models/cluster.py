"""Time to a target on many workers, by a stated model: always simulated, never measured.

An update's batch of B examples is split into K shards, which W workers process in turn. Then all
workers combine their gradients. Seconds of an update:

    ceil(K/W) (alpha + beta ceil(B/K)) + combine(W)

alpha and beta are those measured on one worker. Combining takes time for messages and for bytes; of
n bytes of gradient, with latency l and bandwidth b:

    ring      2 (W - 1) l + 2 (W - 1)/W n/b    (Patarasu & Yuan 2009)
    halving   2 ceil(log2 W) l + 2 (W - 1)/W n/b    (Rabenseifner 2004)
    central   2 l + 2 (W - 1) n/b    one worker collects and sends back, a message at a time

The model leaves out stragglers, contention and the overlap of messages with computation, and takes
the line of alpha and beta for shards of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.schema.results import Cluster, Column, GroupDescription, as_table, empty_table
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.models.update_cost import UpdateTimeFit

SIMULATED = "simulated"
"""What every row says of its origin."""

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
class Network:
    """What joins the workers.

    Attributes:
        latency: Seconds until a message of no bytes arrives, at least 0.
        bandwidth: Bytes a second, above 0.
        gradient_bytes: Bytes of one gradient, at least 0.
        combine: Name in `COMBINE`.

    Raises:
        ValueError: A value is out of its range.
    """

    latency: float
    bandwidth: float
    gradient_bytes: float
    combine: str = "halving"

    def __post_init__(self) -> None:
        """Check every value."""
        if not (self.latency >= 0 and self.bandwidth > 0 and self.gradient_bytes >= 0):
            raise ValueError(
                "`latency >= 0`, `bandwidth > 0` and `gradient_bytes >= 0` must hold, but got "
                f"{self.latency}, {self.bandwidth} and {self.gradient_bytes}."
            )
        if self.combine not in COMBINE:
            raise ValueError(f"`combine` must be one of {list(COMBINE)}, but got {self.combine!r}.")


@dataclass(frozen=True)
class Simulation:
    """What is simulated of a group.

    Attributes:
        network: What joins the workers; None if that isn't known or doesn't apply.
        table: Columns `SIMULATION_COLUMNS`; empty if nothing can be simulated.
        reason: Why nothing can be; empty if something is, or if the study describes no cluster.
        shards: Into how many a batch is split; None for one for each worker that gets examples.
    """

    network: Network | None
    table: pd.DataFrame
    reason: str = ""
    shards: int | None = None


def _ring(workers: int, latency: float, transfer: float) -> float:
    return 2 * (workers - 1) * latency + 2 * (workers - 1) / workers * transfer


def _halving(workers: int, latency: float, transfer: float) -> float:
    return 2 * math.ceil(math.log2(workers)) * latency + 2 * (workers - 1) / workers * transfer


def _central(workers: int, latency: float, transfer: float) -> float:
    return 2 * latency + 2 * (workers - 1) * transfer


COMBINE: dict[str, Callable[[int, float, float], float]] = {
    "ring": _ring,
    "halving": _halving,
    "central": _central,
}
"""Seconds to combine gradients over more than one worker, from latency and seconds of transfer."""


def combining_seconds(network: Network, workers: int) -> float:
    """Return the simulated seconds in which workers combine their gradients.

    Args:
        network: What joins them.
        workers: At least 1; a single one combines nothing.

    Example:
        >>> network = Network(latency=1e-5, bandwidth=1e9, gradient_bytes=1e6)
        >>> combining_seconds(network, 1), round(combining_seconds(network, 4), 5)
        (0.0, 0.00154)
    """
    if workers == 1:
        return 0.0
    transfer = network.gradient_bytes / network.bandwidth
    return COMBINE[network.combine](workers, network.latency, transfer)


def computing_seconds(
    timing: UpdateTimeFit, batch_size: float, workers: int, shards: int | None = None
) -> float:
    """Return the simulated seconds in which workers process the shards of a batch.

    Args:
        timing: Seconds of an update on one worker, with a curve.
        batch_size: Examples of the whole batch.
        workers: At least 1.
        shards: Into how many the batch is split; None for one for each worker that gets examples.

    Raises:
        ValueError: The timings have no curve.
    """
    if timing.curve is None:
        raise ValueError(f"`timing` must have a curve, but: {timing.reason}")
    pieces = shards if shards is not None else min(workers, math.floor(batch_size))
    each = math.ceil(batch_size / pieces)
    rounds = math.ceil(pieces / workers)
    return rounds * (timing.curve.intercept + timing.curve.slope * each)


def simulate_time_to_target(
    fit: StepsToTargetFit,
    timing: UpdateTimeFit,
    network: Network,
    workers: Sequence[int],
    *,
    shards: int | None = None,
    batch_sizes: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Return the simulated time to target for each number of workers, at its best batch size.

    Args:
        fit: Updates to the target.
        timing: Seconds of an update on one worker.
        network: What joins the workers.
        workers: Numbers of workers, each at least 1.
        shards: Into how many a batch is split; None for one for each worker that gets examples.
        batch_sizes: Those to choose from; None for those that reached the target. Updates are not
            extrapolated beyond them.

    Returns:
        Columns `SIMULATION_COLUMNS`, by workers; empty if the fit or the timings say nothing.

    Raises:
        ValueError: A number of workers or shards is below 1, or a batch size is out of range.
    """
    if fit.curve is None or timing.curve is None:
        return empty_table(SIMULATION_COLUMNS)
    sizes = np.unique(fit.batch_sizes if batch_sizes is None else batch_sizes)
    _check(fit, sizes, workers, shards)
    updates = fit.curve.at(1 / sizes)

    def row(count: int) -> dict[str, float | str | bool]:
        communication = combining_seconds(network, count)
        computing = np.array([computing_seconds(timing, size, count, shards) for size in sizes])
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

    counts = sorted({1, *workers})
    table = pd.DataFrame([row(count) for count in counts])
    table["speedup"] = table["seconds_to_target"].iloc[0] / table["seconds_to_target"]
    return as_table(table[table["workers"].isin(workers)], SIMULATION_COLUMNS)


def simulate_group(
    plan: GroupDescription,
    cluster: Cluster | None,
    fit: StepsToTargetFit | None,
    timing: UpdateTimeFit,
    whole: UpdateTimeFit,
) -> Simulation:
    """Return the simulated time of a group to its hardest target, or why there is none.

    Args:
        plan: The group.
        cluster: The workers; None for none.
        fit: Updates to the target; None if there is no target.
        timing: Seconds of an update on one worker.
        whole: The same with batches in one piece, of a group whose batches are split into shards: a
            shard is a batch of its own.
    """
    nothing = Simulation(None, empty_table(SIMULATION_COLUMNS))
    if cluster is None or fit is None:
        return nothing
    if plan.gradient_bytes is None:
        return replace(nothing, reason="The size of a gradient isn't known.")
    if plan.local_updates > 1:
        text = "Workers that make updates of their own before they combine are not in the model."
        return replace(nothing, reason=text)
    if plan.growth:
        return replace(nothing, reason="Batches that grow along training are not in the model.")
    shards, timing = (plan.shards, whole) if plan.shards > 1 else (None, timing)
    if fit.curve is None or timing.curve is None:
        return replace(nothing, reason=fit.reason if fit.curve is None else timing.reason)
    network = Network(cluster.latency, cluster.bandwidth, plan.gradient_bytes, cluster.combine)
    table = simulate_time_to_target(fit, timing, network, cluster.workers, shards=shards)
    return Simulation(network, table, shards=shards)


def _check(
    fit: StepsToTargetFit, sizes: np.ndarray, workers: Sequence[int], shards: int | None
) -> None:
    if not workers or min(workers) < 1:
        raise ValueError(f"`workers` must be at least 1 each, and one at least, but got {workers}.")
    if shards is not None and not 1 <= shards <= sizes.min():
        raise ValueError(
            "`shards` must be at least 1 and at most the smallest batch size, "
            f"but got {shards} for {sizes.min():g}."
        )
    low, high = fit.batch_sizes[0], fit.batch_sizes[-1]
    if sizes.min() < low or sizes.max() > high:
        raise ValueError(
            f"`batch_sizes` must be from {low:g} to {high:g}, which reached the target, "
            f"but range from {sizes.min():g} to {sizes.max():g}."
        )

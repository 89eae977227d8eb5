"""Where recorded curves first cross a level, in updates.

The number of updates is interpolated between two evaluations: by the logarithm of a loss, as losses
fall exponentially, and by metrics as they are. A run that never reaches the level has made a number
of updates that weren't enough: a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.schema import BATCH_SIZE, GROUP, SEED, Column, as_table

REACHED = "reached"  # the run crossed the target between two evaluations
NOT_REACHED = "not reached"  # the run ended, or diverged, before it reached the target
AT_START = "at start"  # the run met the target before its first update: the target says nothing

CROSSING_COLUMNS = (
    Column(
        "share", "float64", "", "Share of the tuning runs' progress; missing for the study's own."
    ),
    Column("target", "float64", "", "The level to reach."),
    BATCH_SIZE,
    SEED,
    Column("outcome", "str", "", f"{REACHED}, {NOT_REACHED} or {AT_START}."),
    Column("updates", "float64", "updates", "Updates to the target; made, if not reached."),
    Column("half_width", "float64", "updates", "Half the updates between the two evaluations."),
)

RUN = ["group", "batch_size", "seed"]  # what identifies a run
RATE = Column("learning_rate", "float64", "", "The runs' learning rate.")


@dataclass(frozen=True)
class Target:
    """A level of the measure to reach, and the share of the tuning runs' progress that it is."""

    share: float  # not a number if the study sets the level
    level: float


def updates_to_target(
    curves: pd.DataFrame, measure: str, targets: Sequence[Target], *, lower_is_better: bool = True
) -> pd.DataFrame:
    """Return where each run first crosses each target.

    Args:
        curves: As for `set_targets`, of other runs; NaN where a network was not finite.
        measure: Column in which the target is to be reached.
        targets: Levels.
        lower_is_better: True for losses, False for metrics such as accuracy.

    Returns:
        Columns `CROSSING_COLUMNS`, by target, batch size and seed.
    """
    table = crossings_by_group(
        curves.assign(group=""), measure, {"": targets}, lower_is_better=lower_is_better
    )
    return as_table(table, CROSSING_COLUMNS)


def crossings_by_group(
    curves: pd.DataFrame,
    measure: str,
    targets: Mapping[str, Sequence[Target]],
    *,
    lower_is_better: bool = True,
) -> pd.DataFrame:
    """Return what `updates_to_target` does, by columns group and, where curves have it, rate."""
    rates = [RATE] if RATE.name in curves else []
    identity = [*RUN, *(column.name for column in rates)]
    columns = (GROUP, *CROSSING_COLUMNS, *rates)
    sign = -1 if lower_is_better else 1
    wanted = [(g, t.share, t.level) for g, levels in targets.items() for t in levels]
    levels = pd.DataFrame(wanted, columns=["group", "share", "target"])
    points = curves.assign(run=curves.groupby(identity).ngroup(), gain=sign * curves[measure])
    points = points.sort_values(["run", "updates"], kind="stable")
    runs = points.drop_duplicates("run")[[*identity, "run"]].merge(levels, on="group")
    parts = [
        rows.assign(**_first_crossings(points, rows, sign))
        for _, rows in runs.groupby(runs.groupby("run").cumcount())
    ]
    names = [column.name for column in columns]
    table = pd.concat([runs.reindex(columns=names)[:0], *parts])
    order = sign * table["target"]
    table = table.assign(order=order).sort_values(["group", "order", "batch_size", "seed"])
    return as_table(table, columns)


def _first_crossings(points: pd.DataFrame, runs: pd.DataFrame, sign: int) -> dict[str, np.ndarray]:
    """Return outcome, updates and half width of each of the runs, which have a target each."""
    # Points are by run, then by updates; if the sign is negative their gain is a loss times -1.
    run = points["run"].to_numpy()
    gain, updates = points["gain"].to_numpy(np.float64), points["updates"].to_numpy(np.float64)
    levels = np.full(run[-1] + 1, np.inf)
    levels[runs["run"]] = sign * runs["target"]
    made = updates[np.append(np.flatnonzero(np.diff(run)), run.size - 1)]
    known = ~np.isnan(gain)
    run, updates, gain = run[known], updates[known], gain[known]
    above = np.flatnonzero(gain >= levels[run])
    reached, first = np.unique(run[above], return_index=True)
    after = above[first]
    before = np.maximum(after - 1, 0)
    bracketed = (after > 0) & (run[before] == reached)
    start = np.where(bracketed, updates[before], 0.0)
    width = updates[after] - start
    share = np.full(reached.size, 0.5)
    ends = gain[before][bracketed], gain[after][bracketed], levels[reached][bracketed]
    share[bracketed] = _shares(*ends, exponential=sign < 0)
    outcome = np.full(levels.size, NOT_REACHED, object)
    half_width = np.zeros(levels.size)
    outcome[reached] = np.where(updates[after] == 0, AT_START, REACHED)
    made[reached] = start + share * width
    half_width[reached] = width / 2
    crossings = {"outcome": outcome, "updates": made, "half_width": half_width}
    return {name: values[runs["run"]] for name, values in crossings.items()}


def _shares(
    start: np.ndarray, end: np.ndarray, level: np.ndarray, *, exponential: bool
) -> np.ndarray:
    """Return where the levels lie on the way between two evaluations, from 0 to 1."""
    share = (level - start) / (end - start)
    # The logarithm of a loss of 0 says nothing of its way there.
    positive = exponential & (end < 0) & (level < 0)
    share[positive] = np.log(level[positive] / start[positive]) / np.log(
        end[positive] / start[positive]
    )
    return share

"""The record of a group's way to its targets: steps, examples and time, and what they follow."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.cost import UpdateTimeFit
from reports.crossings import CROSSING_COLUMNS, Target
from reports.noise_scale import NOISE_COLUMNS
from reports.results import Column
from reports.scaling import BestBatch, StepsToTargetFit

TO_TARGET_COLUMNS = (
    *CROSSING_COLUMNS[:3],
    Column("runs", "int64", "runs", "Runs at the tuned rate, one for each seed."),
    Column("reached", "int64", "runs", "Those that reached the target."),
    Column("updates", "float64", "updates", "Median; missing if half of the runs missed it."),
    Column("updates_low", "float64", "updates", "Lower end of its 95% interval; 6 runs or more."),
    Column("updates_high", "float64", "updates", "Upper end; infinite if too many runs missed it."),
    Column("half_width", "float64", "updates", "Half the updates between evaluations; median."),
    Column("examples", "float64", "examples", "updates by batch_size."),
    Column("seconds", "float64", "s", "updates by the median seconds of an update.", True),
    Column("fitted", "bool", "", "Whether it counts in the fit: its rate lies within those tried."),
    Column("near_all", "bool", "", "Whether it is more than a quarter of the training items."),
    Column("predicted_updates", "float64", "updates", "By the fit, within its range."),
    Column("predicted_seconds", "float64", "s", "By both fits, within their range.", True),
)

NOISE_RATIO_COLUMNS = (
    *NOISE_COLUMNS,
    Column("ratio", "float64", "", "noise_scale by the critical batch size; missing if unknown."),
    Column("ratio_low", "float64", "", "Lower end of its interval, from those of both."),
    Column("ratio_high", "float64", "", "Upper end, likewise; may be infinite."),
)


@dataclass(frozen=True)
class TargetRecord:
    """The way to one target.

    Attributes:
        target: The level of the validation metric, set by the runs that tuned the rates.
        batch_sizes: Columns `TO_TARGET_COLUMNS`.
        crossings: Columns `reports.crossings.CROSSING_COLUMNS`: the runs measured, one by one.
        tuning: The same of the runs that tuned the rates.
        left_out: Batch sizes without a part in the fit: their rate lies at the edge of those tried.
        fit: Updates to the target against batch size.
        best: The batch size that reaches the target in the shortest time, by the closed form.
        named: What the closed form gives from the tuning runs alone, `sqrt(B_crit alpha / beta)`;
            None if they say nothing. It can be held against the runs measured.
        noise: Columns `NOISE_RATIO_COLUMNS`: the noise scale on the way to the target, beside the
            critical batch size; empty if it wasn't measured.
    """

    target: Target
    batch_sizes: pd.DataFrame
    crossings: pd.DataFrame
    tuning: pd.DataFrame
    left_out: tuple[int, ...]
    fit: StepsToTargetFit
    best: BestBatch
    named: float | None
    noise: pd.DataFrame

    @property
    def fastest(self) -> int | None:
        """The batch size with the shortest measured time; None if there is none."""
        timed = self.batch_sizes.dropna(subset="seconds")
        if timed.empty:
            return None
        return int(timed.sort_values(["seconds", "batch_size"])["batch_size"].iloc[0])


@dataclass(frozen=True)
class ScalingRecord:
    """The way of a group to its targets.

    Attributes:
        fresh: Whether the runs measured are those of fresh seeds; otherwise the tuning runs are,
            which set the targets and chose the rates.
        targets: Easiest first; empty if no target can be set.
        reason: Why there is none; empty if there are some.
        update_time: Seconds of an update against batch size: fixed cost and cost of an example.
        noise: Columns `reports.noise_scale.NOISE_CURVE_COLUMNS`, of the runs measured; empty if
            gradients weren't measured.
    """

    fresh: bool
    targets: tuple[TargetRecord, ...]
    reason: str
    update_time: UpdateTimeFit
    noise: pd.DataFrame

    @property
    def main(self) -> TargetRecord | None:
        """The hardest target, which the figures show; None if there is none."""
        return self.targets[-1] if self.targets else None

"""How the learning rate, or the batch size, changes along training.

A schedule gives a factor of every lane's own learning rate. Its clock counts updates or epochs: at
another batch size an epoch has another number of updates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bpengine.network import check_name


@dataclass(frozen=True)
class Schedule:
    """A factor of the learning rate along training.

    Attributes:
        kind: Name in `SCHEDULES`.
        per: What the clock `t` counts, from 0: "update" or "epoch".
        warmup: For that many of these the factor rises linearly, `(t + 1) / warmup`, and multiplies
            what the schedule gives; 0 for none (Goyal et al. 2017).
        decay: Of `step` and `exponential`: the factor at each decay, above 0 and at most 1. Of
            `inverse`: the coefficient of t, finite and at least 0.
        every: Of `step`: how much of the clock lies between two decays, at least 1.

    Raises:
        ValueError: A value is out of range.
    """

    kind: str = "constant"
    per: str = "update"
    warmup: int = 0
    decay: float = 0.1
    every: int = 1

    def __post_init__(self) -> None:
        check_name("kind", self.kind, SCHEDULES)
        check_name("per", self.per, ["update", "epoch"])
        if self.warmup < 0 or self.every < 1:
            raise ValueError(
                "`0 <= warmup` and `1 <= every` must hold, "
                f"but got warmup={self.warmup}, every={self.every}."
            )
        if not (0 <= self.decay < math.inf if self.kind == "inverse" else 0 < self.decay <= 1):
            raise ValueError(
                "`decay` must be above 0 and at most 1, for 'inverse' finite and at least 0, "
                f"but got {self.decay}."
            )

    def factor(self, t: int, total: int) -> float:
        """Return the factor of the learning rate.

        Args:
            t: Updates, or whole epochs, that have ended.
            total: Updates, or epochs, of the whole budget.

        Example:
            >>> Schedule("step", per="epoch", decay=0.5, every=10).factor(25, 30)
            0.25
            >>> Schedule("constant", warmup=4).factor(0, 100)
            0.25
        """
        warm = min(1.0, (t + 1) / self.warmup) if self.warmup else 1.0
        return warm * SCHEDULES[self.kind](self, t, total)


SCHEDULES: Mapping[str, Callable[[Schedule, int, int], float]] = {
    "constant": lambda _schedule, _t, _total: 1.0,
    "step": lambda schedule, t, _total: schedule.decay ** (t // schedule.every),
    "exponential": lambda schedule, t, _total: schedule.decay**t,
    "cosine": lambda _schedule, t, total: (1 + math.cos(math.pi * min(t / total, 1.0))) / 2,
    "inverse": lambda schedule, t, _total: 1 / (1 + schedule.decay * t),
}
"""Every schedule by name: constant; `decay^(t // every)`; `decay^t`; half a cosine from 1 to 0
(Loshchilov and Hutter 2017); `1 / (1 + decay t)` (Robbins and Monro 1951)."""


@dataclass(frozen=True)
class BatchGrowth:
    """Growing batches in place of a falling learning rate (Smith et al. 2017).

    Attributes:
        factor: By what the batch size is multiplied, at least 2.
        every: Epochs between two multiplications, at least 1.
        limit: Largest batch size; growth stops below or at it.

    Raises:
        ValueError: A value is out of range.
    """

    factor: int
    every: int
    limit: int

    def __post_init__(self) -> None:
        if self.factor < 2 or self.every < 1 or self.limit < 1:  # noqa: PLR2004
            raise ValueError(
                "`factor >= 2`, `every >= 1` and `limit >= 1` must hold, "
                f"but got factor={self.factor}, every={self.every}, limit={self.limit}."
            )

    def batch_size(self, first: int, epoch: int) -> int:
        """Return the batch size of an epoch.

        Args:
            first: Batch size of the first epoch.
            epoch: Number of the epoch, from 0.

        Example:
            >>> growth = BatchGrowth(factor=4, every=10, limit=256)
            >>> [growth.batch_size(16, epoch) for epoch in (0, 9, 10, 20, 30)]
            [16, 16, 64, 256, 256]
        """
        size = first
        for _ in range(epoch // self.every):
            if size * self.factor > self.limit:
                break
            size *= self.factor
        return size

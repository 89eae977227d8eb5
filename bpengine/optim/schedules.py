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


RATE_RULES: Mapping[str, Callable[[float], float]] = {
    "none": lambda _ratio: 1.0,
    "linear": lambda ratio: ratio,
    "sqrt": math.sqrt,
}
"""By what the learning rate is multiplied where the batch size is multiplied by a ratio: linear
(Goyal et al. 2017), or its square root (Krizhevsky 2014; for Adam Malladi et al. 2022)."""


@dataclass(frozen=True)
class BatchGrowth:
    """Batches that grow along training.

    In place of a falling rate (Smith et al. 2017), or with the critical batch size (Merrill et al.
    2025).

    Attributes:
        steps: Epochs, ascending and above 0, each with the batch size from then on.
        rate_rule: Name in `RATE_RULES`: how the learning rate follows the batch size.

    Raises:
        ValueError: A value is out of range.
    """

    steps: tuple[tuple[int, int], ...]
    rate_rule: str = "none"

    def __post_init__(self) -> None:
        check_name("rate_rule", self.rate_rule, RATE_RULES)
        epochs, sizes = zip(*self.steps, strict=True) if self.steps else ((), ())
        if not epochs or list(epochs) != sorted({*epochs}) or min(*epochs, *sizes) < 1:
            raise ValueError(
                "`steps` must be ascending epochs and batch sizes, both at least 1, "
                f"but got {self.steps}."
            )

    @classmethod
    def repeated(cls, first: int, factor: int, every: int, limit: int) -> BatchGrowth | None:
        """Return the growth from a first batch size by a factor, as often as a limit allows.

        Args:
            first: Batch size of the first epoch.
            factor: By what it is multiplied, at least 2.
            every: Epochs between two multiplications, at least 1.
            limit: Largest batch size; growth stops below or at it.

        Returns:
            The growth; None if the limit allows none.
        """
        steps: list[tuple[int, int]] = []
        while (first := first * factor) <= limit:
            steps.append((every * (len(steps) + 1), first))
        return cls(tuple(steps)) if steps else None

    @property
    def limit(self) -> int:
        """The largest batch size."""
        return max(size for _, size in self.steps)

    def batch_size(self, first: int, epoch: int) -> int:
        """Return the batch size of an epoch.

        Args:
            first: Batch size of the first epoch.
            epoch: Number of the epoch, from 0.

        Example:
            >>> growth = BatchGrowth(((10, 64), (20, 256)))
            >>> [growth.batch_size(16, epoch) for epoch in (0, 9, 10, 20, 30)]
            [16, 16, 64, 256, 256]
        """
        return next((size for start, size in reversed(self.steps) if start <= epoch), first)

    def rate_factor(self, first: int, epoch: int) -> float:
        """Return the factor of the learning rate in an epoch; arguments as for `batch_size`."""
        return RATE_RULES[self.rate_rule](self.batch_size(first, epoch) / first)

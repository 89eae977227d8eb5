"""Choices as text: schedules, growth, budgets."""

from __future__ import annotations

from bpengine import BatchGrowth, Budget, Schedule
from sweeps.errors import counted


def schedule_text(schedule: Schedule) -> str:
    """Return a schedule in words, nothing for a constant rate.

    Example:
        >>> schedule_text(Schedule("step", per="epoch", decay=0.5, every=10, warmup=5))
        'times 0.5 every 10 epochs, after a warm-up of 5 epochs'
    """
    text = {
        "constant": "",
        "step": f"times {schedule.decay:g} every {counted(schedule.every, schedule.per)}",
        "exponential": f"times {schedule.decay:g} every {schedule.per}",
        "cosine": f"cosine by {schedule.per}s",
        "inverse": f"1 / (1 + {schedule.decay:g} {schedule.per}s)",
    }[schedule.kind]
    warmup = f"a warm-up of {counted(schedule.warmup, schedule.per)}" if schedule.warmup else ""
    return ", after ".join(filter(None, (text, warmup)))


def growth_text(growth: BatchGrowth | None) -> str:
    """Return a growth of the batch size in words, nothing if there is none."""
    if growth is None:
        return ""
    every = counted(growth.every, "epoch")
    return f"batches times {growth.factor} every {every} up to {growth.limit}"


def budget_text(budget: Budget) -> str:
    """Return a budget in words, such as "20 epochs".

    Example:
        >>> budget_text(Budget(updates=1000, seconds=60.0))
        '1000 updates or 60 s, whichever comes first'
    """
    limits = [
        counted(value, name.removesuffix("s"))
        for name, value in vars(budget).items()
        if value is not None and name != "seconds"
    ]
    if budget.seconds is not None:
        limits.append(f"{budget.seconds:g} s")
    return " or ".join(limits) + (", whichever comes first" if len(limits) > 1 else "")

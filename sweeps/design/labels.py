"""Names of a study's groups, made of what differs between them, and choices as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bpengine import BatchGrowth, Budget, Schedule
from sweeps.design.families import Family
from sweeps.errors import pairs_text

Texts = Callable[[Sequence[Family]], list[str]]
"""What each family says of an aspect."""


def labels_of(families: Sequence[Family], name: str) -> list[str]:
    """Return a label for each family: unique, made of what differs.

    Args:
        families: All of a study, no two alike.
        name: The study's name, which is the label of a family that is alone.
    """
    parts: list[tuple[str, ...]] = [()] * len(families)
    for texts in _ASPECTS:
        longer = [(*part, text) for part, text in zip(parts, texts(families), strict=True)]
        if len(set(longer)) > len(set(parts)):
            parts = longer
    full = [", ".join(filter(None, part)) for part in parts]
    # What a choice leaves as it is anyway is told only where a label needs it.
    short = [", ".join(text for text in part if text and text not in _PLAIN) for part in parts]
    return [
        (some if some and short.count(some) == 1 else every) or name
        for some, every in zip(short, full, strict=True)
    ]


def schedule_text(schedule: Schedule) -> str:
    """Return a schedule in words, nothing for a constant rate.

    Args:
        schedule: The schedule.

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

    Args:
        budget: The budget.

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


def counted(count: int, thing: str) -> str:
    """Return a count with its unit, in the plural if need be."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _hidden(family: Family) -> str:
    hidden = family.shared.widths[1:-1]
    return f"hidden {'-'.join(map(str, hidden))}" if hidden else "no hidden layer"


def _each(text: Callable[[Family], str]) -> Texts:
    return lambda families: [text(family) for family in families]


def _differing(values: Callable[[Family], Mapping[str, object]]) -> Texts:
    def texts(families: Sequence[Family]) -> list[str]:
        found = [values(family) for family in families]
        names = {name for one in found for name in one}
        same = {
            name for name in names if len({repr(one[name]) for one in found if name in one}) == 1
        }
        return [
            pairs_text({name: value for name, value in one.items() if name not in same})
            for one in found
        ]

    return texts


_CONSTANT_RATE, _CONSTANT_BATCHES = "constant rate", "constant batches"
_RULES = {"none": "one grid of rates", "linear": "linear rates", "sqrt": "sqrt rates"}
_MEMORY = "memory in updates"
_PLAIN = (_CONSTANT_RATE, _CONSTANT_BATCHES, _RULES["none"], _MEMORY, "1 shard", "1 local update")

_ASPECTS: tuple[Texts, ...] = (
    _each(lambda family: family.facts.source.name),
    _differing(lambda family: dict(family.facts.source.parameters)),
    _each(lambda family: family.facts.fingerprint[:8]),
    _each(_hidden),
    _each(lambda family: family.shared.activation),
    _each(lambda family: f"{family.shared.output} output"),
    _each(lambda family: family.shared.initialiser),
    _each(lambda family: f"initial scale {family.shared.initial_scale:g}"),
    _each(lambda family: family.shared.loss),
    _each(lambda family: f"{family.shared.reduction} of losses"),
    _each(lambda family: family.shared.optimizer),
    _differing(lambda family: dict(family.hyperparameters)),
    _each(lambda family: schedule_text(family.shared.schedule) or _CONSTANT_RATE),
    _each(lambda family: growth_text(family.shared.growth) or _CONSTANT_BATCHES),
    _each(lambda family: _RULES[family.rate_rule]),
    _each(lambda family: "memory in examples" if family.memory_reference else _MEMORY),
    _each(lambda family: counted(family.shared.shards, "shard")),
    _each(lambda family: counted(family.shared.local_updates, "local update")),
    _each(lambda family: budget_text(family.shared.budget)),
    _each(lambda family: family.shared.dtype),
)
"""What may differ between families, in the order in which a label tells it."""

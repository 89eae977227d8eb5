"""What counts updates although batch sizes differ in their examples: memory, and the last batch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from reports.schema import GroupDescription, listing, rate, significant, sizes, visible

MEMORIES = ("momentum", "alpha", "beta1", "beta2")
"""Hyperparameters that are the share of the past kept at an update."""


def share_at(batch_size: int, share: float, reference: int) -> float:
    """Return the share kept at an update where the half-life is the same in examples.

    Source: Busbridge et al. 2023, How to scale your EMA (arXiv 2307.13813), definition 1.2.
    """
    return share ** (batch_size / reference)


def memory(plan: GroupDescription) -> str:
    """Return how long the optimizer remembers, in updates and examples; "" if it doesn't."""
    kept = {
        name: plan.hyperparameters[name]
        for name in MEMORIES
        if 0 < plan.hyperparameters.get(name, 0) < 1
    }
    if not kept:
        return ""
    if plan.memory_reference is not None:
        return _in_examples(plan, kept, plan.memory_reference)
    return _in_updates(plan, kept)


def _in_updates(plan: GroupDescription, kept: Mapping[str, float]) -> str:
    texts = []
    for name, share in kept.items():
        updates = _updates(share)
        examples = [
            f"{significant(updates * size)} examples at batch size {size}" for size in _ends(plan)
        ]
        texts.append(
            f"with {visible(name)} {rate(share)} a gradient's weight halves in "
            f"{significant(updates)} updates, {listing(examples)}"
        )
    return (
        f"What the optimizer remembers counts updates, not examples: {listing(texts)}. Batch sizes "
        "differ in that too."
    )


def _in_examples(plan: GroupDescription, kept: Mapping[str, float], reference: int) -> str:
    texts = []
    for name, share in kept.items():
        shares = {size: significant(share_at(size, share, reference)) for size in _ends(plan)}
        used = [f"{text} is kept at batch size {size}" for size, text in shares.items()]
        texts.append(
            f"with {visible(name)} {rate(share)} at batch size {reference} a gradient's weight "
            f"halves in {significant(_updates(share) * reference)} examples, so that "
            f"{listing(used)}"
        )
    return (
        f"What the optimizer remembers counts examples, the same at all batch sizes: "
        f"{listing(texts)}. A share is raised to the power of the batch size by {reference} "
        "(Busbridge et al. 2023)."
    )


def _updates(share: float) -> float:
    return math.log(0.5) / math.log(share)


def _ends(plan: GroupDescription) -> list[int]:
    return [*dict.fromkeys((min(plan.batch_sizes), max(plan.batch_sizes)))]


def last_batch(plan: GroupDescription) -> str:
    """Return where the last batch of an epoch is smaller, and what it counts; "" if nowhere."""
    ragged = [size for size in plan.batch_sizes if plan.train_items % size]
    if not ragged:
        return ""
    return (
        f"At batch {sizes(ragged)} the last batch of an epoch is smaller: it makes one update like "
        f"the others, its error being the {visible(plan.reduction)} over its own items. Losses and "
        "metrics weigh every item alike."
    )

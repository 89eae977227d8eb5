"""What counts updates although batch sizes differ in their examples: memory, and the last batch."""

from __future__ import annotations

import math

from reports.schema import GroupDescription, listing, rate, significant, sizes, visible


def memory(plan: GroupDescription) -> str:
    """Return how long the optimizer remembers, in updates and examples; "" if it doesn't."""
    kept = {
        name: plan.hyperparameters[name]
        for name in plan.memories
        if 0 < plan.hyperparameters.get(name, 0) < 1
    }
    if not kept:
        return ""
    if plan.memory_reference is None:
        texts = [_in_updates(plan, name, share) for name, share in kept.items()]
        return f"The optimizer's memory is fixed in updates: {listing(texts)}."
    texts = [_in_examples(plan, name, share) for name, share in kept.items()]
    return (
        f"The optimizer's memory is fixed in examples, the same at all batch sizes (Busbridge et "
        f"al. 2023): {listing(texts)}."
    )


def _in_updates(plan: GroupDescription, name: str, share: float) -> str:
    updates = _updates(share)
    examples = [
        f"{significant(updates * size)} examples at batch size {size}" for size in _ends(plan)
    ]
    return (
        f"with {visible(name)} {rate(share)}, a gradient's weight halves in "
        f"{significant(updates)} updates, {listing(examples)}"
    )


def _in_examples(plan: GroupDescription, name: str, share: float) -> str:
    reference = plan.memory_reference or 1
    used = [
        f"{significant(share ** (size / reference), 3)} at batch size {size}"
        for size in _ends(plan)
    ]
    return (
        f"with {visible(name)} {rate(share)} at batch size {reference}, a gradient's weight halves "
        f"in {significant(_updates(share) * reference)} examples ({visible(name)} is "
        f"{listing(used)})"
    )


def _updates(share: float) -> float:
    return math.log(0.5) / math.log(share)


def _ends(plan: GroupDescription) -> list[int]:
    return [*dict.fromkeys((min(plan.batch_sizes), max(plan.batch_sizes)))]


def last_batch(plan: GroupDescription) -> str:
    """Return where the last batch of an epoch is smaller; "" if nowhere."""
    ragged = [size for size in plan.batch_sizes if plan.train_items % size]
    if not ragged:
        return ""
    return f"At batch {sizes(ragged, plan.batch_sizes)} the last batch of an epoch is smaller."

"""Branches of a run: continued with larger batches from where it was, for a while each.

Merrill et al. 2025, Critical batch size revisited, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bpengine import Budget, Trainer, Training
from bpengine.network import Array
from bpengine.optim import RATE_RULES
from sweeps.design import Configuration

LOOKS = 4  # evaluations of a branch, over its second half: their mean loss is less noisy


class Branch(NamedTuple):
    """One continuation of a run."""

    at: int  # examples after which it leaves the run
    batch_size: int
    rate_factor: float
    points: tuple[int, ...]  # examples at which it is evaluated; it ends at the last


def branches_at(configuration: Configuration, at: int, most: int) -> list[Branch]:
    """Return the branches that leave a run after some examples, the run's own batch size first.

    No batch holds more than `most` examples, or more than the window. All branches are evaluated
    after the same examples: a falling loss would favour the one that is looked at later.
    """
    branching, size = configuration.branching, configuration.batch_size
    assert branching is not None  # noqa: S101 - who asks knows
    window = max(branching.window * at, size)
    factors = [factor for factor in branching.factors if factor * size <= min(window, most)]
    largest = size * max(factors, default=1)
    updates = round(window / largest)
    looks = {math.ceil(updates * (LOOKS + look) / (2 * LOOKS)) for look in range(1, LOOKS + 1)}
    points = tuple(at + largest * look for look in sorted(looks))
    rule = RATE_RULES[branching.rate_rule]
    return [Branch(at, factor * size, rule(float(factor)), points) for factor in factors or [1]]


def branch_runs(
    trainer: Trainer, configuration: Configuration, settings: Sequence[Mapping[str, float]]
) -> Iterator[tuple[Branch, Training]]:
    """Train a cohort, and yield its branches with what they gave."""
    branching = configuration.branching
    assert branching is not None  # noqa: S101 - who asks knows
    for point in branching.at:
        trainer.run(until_examples=point)
        if not trainer.networks.active.any():
            return
        for branch in branches_at(configuration, trainer.examples, configuration.train_items):
            continued = trainer.branch(
                [
                    {**setting, "learning_rate": branch.rate_factor * setting["learning_rate"]}
                    for setting in settings
                ],
                batch_size=branch.batch_size,
                budget=Budget(examples=branch.points[-1]),
                evaluate_at=branch.points,
                noise_examples=0,
                noise_curvature=False,
                noise_geometry=False,
            )
            continued.run()
            yield branch, continued.result()


def in_branch(curve: Array, branch: Branch | None = None, *, diverged: bool = False) -> Array:
    """Return rows of a curve as they are stored: with where their branch left, if they have one.

    A branch that diverged is a row whose loss is infinite.
    """
    left = (np.nan, np.nan)
    if branch:
        left = (branch.at, branch.batch_size)
        curve = curve[curve[:, 0] > branch.at]
    if diverged:
        curve = np.full((1, curve.shape[1]), np.nan)
        curve[0, :3] = branch.points[-1] if branch else 0, 0, np.inf
    return np.column_stack([curve, np.broadcast_to(left, (len(curve), 2))])

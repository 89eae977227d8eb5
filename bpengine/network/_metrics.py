"""Metrics of a network on examples: larger is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from bpengine.network._arrays import Array

Score = Callable[[Array, Array], Array]


def _accuracy(psi: Array, t: Array) -> Annotated[Array, "*lane item"]:
    """Return 1 for each example classified right: largest output, or single one above 1/2."""
    if psi.shape[-1] == 1:
        return (psi[..., 0] > 0.5) == (t[..., 0] > 0.5)  # noqa: PLR2004
    right: Array = psi.argmax(axis=-1) == t.argmax(axis=-1)
    return right


def _residuals(psi: Array, t: Array) -> Annotated[Array, "*lane item"]:
    """Return each example's squared error, summed over the outputs."""
    return np.add.reduce(np.square(psi - t), axis=-1)


def _mean(scores: Array, _targets: Array) -> Annotated[Array, "*lane"]:
    return scores.mean(axis=-1)


def _r2(scores: Array, targets: Array) -> Annotated[Array, "*lane"]:
    """Return 1 - residual / total sum of squares over all outputs together."""
    # For targets that don't vary: 1 if they are met exactly, 0 otherwise.
    centred = targets - targets.mean(axis=-2, keepdims=True)
    total = np.square(centred, dtype=np.float64).sum(axis=(-2, -1))
    residual = scores.sum(axis=-1)
    # The mean of equal numbers may differ from them in the last bit, and the total from 0.
    varies = (total > 0) & (targets != targets[..., :1, :]).any(axis=(-2, -1))
    return 1 - np.where(varies, residual / np.where(varies, total, 1), np.sign(residual))


METRICS: dict[str, tuple[Score, Score]] = {
    "accuracy": (_accuracy, _mean),
    "r2": (_residuals, _r2),
}
"""Each metric by name: a score of every example, and what the scores of a part become."""

"""Metrics of a network on examples: larger is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np

from bpengine.network._arrays import Array, BoolArray, IntArray

Score = Callable[[Array, Array], Any]


def _classes(values: Array) -> Annotated[IntArray, "*lane example"]:
    """Return the class of each example: largest output, or whether a single one is above 1/2."""
    if values.shape[-1] == 1:
        return (values[..., 0] > 0.5).astype(np.int64)  # noqa: PLR2004
    return values.argmax(axis=-1)


def _accuracy(psi: Array, t: Array) -> Annotated[BoolArray, "*lane example"]:
    """Return whether each example is classified right."""
    return _classes(psi) == _classes(t)


def _residuals(psi: Array, t: Array) -> Annotated[Array, "*lane example"]:
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


def _each_class(targets: Array) -> Iterator[Annotated[BoolArray, "*lane example"]]:
    """Yield for each class which examples are of it."""
    wanted = _classes(targets)
    return (wanted == label for label in range(max(targets.shape[-1], 2)))


def _mean_of_known(numerators: list[Array], denominators: list[Array]) -> Annotated[Array, "*lane"]:
    """Return the mean of the ratios whose denominator is not 0; NaN where all are."""
    # Ratios of whole and half numbers, whose sums are exact in every order.
    tops = np.stack(np.broadcast_arrays(*numerators), axis=-1).astype(np.float64)
    bottoms = np.stack(np.broadcast_arrays(*denominators), axis=-1)
    known = np.broadcast_to(bottoms > 0, tops.shape)
    ratios = np.divide(tops, bottoms, out=np.zeros_like(tops), where=known)
    number = known.sum(axis=-1)
    mean = ratios.sum(axis=-1) / np.maximum(number, 1)
    return np.asarray(np.where(number > 0, mean, np.nan))


def _balanced_accuracy(hits: Array, targets: Array) -> Annotated[Array, "*lane"]:
    """Return the mean recall of the classes that there are."""
    members = [*_each_class(targets)]
    right = [(hits * each).sum(axis=-1) for each in members]
    return _mean_of_known(right, [each.sum(axis=-1) for each in members])


def _f1_macro(named: Array, targets: Array) -> Annotated[Array, "*lane"]:
    """Return the mean F1 of the classes that there are or that are named."""
    # 2 TP / (2 TP + FP + FN): the last sum is that of those named and those there are.
    members = [*_each_class(targets)]
    answers = [named == label for label in range(len(members))]
    both = list(zip(members, answers, strict=True))
    twice = [2 * (each & answer).sum(axis=-1) for each, answer in both]
    return _mean_of_known(twice, [each.sum(axis=-1) + answer.sum(axis=-1) for each, answer in both])


def _rankings(psi: Array, _targets: Array) -> Annotated[Array, "*lane fan_out example"]:
    """Return what ranks the examples: each output or, of two, that of the second class."""
    ranked = psi[..., 1:] if psi.shape[-1] == 2 else psi  # noqa: PLR2004
    return ranked.swapaxes(-1, -2)


def _roc_auc(rankings: Array, targets: Array) -> Annotated[Array, "*lane"]:
    """Return the mean area under the ROC curve of one class against the rest.

    The share of pairs of an example of the class and another one that the output ranks right, ties
    counting one half. A class without a pair is left out.
    """
    members = [*_each_class(targets)]
    members = members[1:] if rankings.shape[-2] == 1 else members
    wins, pairs = [], []
    for output, each in enumerate(members):
        inside = each.sum(axis=-1)
        ranks = np.apply_along_axis(_ranks, -1, rankings[..., output, :])
        wins.append((ranks * each).sum(axis=-1) - inside * (inside + 1) / 2)
        pairs.append(inside * (each.shape[-1] - inside))
    return _mean_of_known(wins, pairs)


def _ranks(values: Array) -> Annotated[Array, "example"]:
    """Return ranks from 1, the mean rank for equal values."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


def _minus_log_loss(psi: Array, t: Array) -> Annotated[Array, "*lane example"]:
    """Return the logarithm of the share that the right class has of each example's outputs."""
    least = np.finfo(psi.dtype).eps
    outputs = np.clip(psi.astype(np.float64), least, 1 - least)
    if psi.shape[-1] == 1:
        return np.log(np.where(t > 0.5, outputs, 1 - outputs)[..., 0])  # noqa: PLR2004
    right = np.take_along_axis(outputs, _classes(t)[..., None], axis=-1)[..., 0]
    return np.asarray(np.log(right / np.add.reduce(outputs, axis=-1)))


def _minus_absolute_errors(psi: Array, t: Array) -> Annotated[Array, "*lane example"]:
    """Return each example's negative absolute error, the mean over the outputs."""
    return -np.abs(psi - t, dtype=np.float64).mean(axis=-1)


METRICS: dict[str, tuple[Score, Score]] = {
    "accuracy": (_accuracy, _mean),
    "balanced_accuracy": (_accuracy, _balanced_accuracy),
    "f1_macro": (lambda psi, _targets: _classes(psi), _f1_macro),
    "roc_auc": (_rankings, _roc_auc),
    "neg_log_loss": (_minus_log_loss, _mean),
    "r2": (_residuals, _r2),
    "neg_mae": (_minus_absolute_errors, _mean),
}
"""Each metric by name: a score of every example, or of its every output, and what the scores of a
part become. Losses are negative, so that larger is better; what has no value is NaN."""

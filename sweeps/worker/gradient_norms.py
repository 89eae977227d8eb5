"""Squared norms of gradients at two batch sizes, which give the noise scale of a trainer.

They work on the arrays of NumPy, PyTorch and JAX alike, and import none of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def gradient_norms(gradients: Iterable[Iterable[Any]], *, batch_size: int) -> dict[int, float]:
    """Return squared norms of the gradient of a small and of a large batch, by their sizes.

    The large batch is all micro-batches together: the norm is that of the mean of their gradients.
    The norm of the small batch is the mean of theirs (McCandlish et al. 2018, appendix A.1). What
    an evaluation makes of both is unbiased for examples that are drawn independently.

    Args:
        gradients: Of each micro-batch the gradient of its mean loss: one array a parameter, of
            float32 or float64. A generator keeps only two gradients in memory.
        batch_size: Examples of a micro-batch; all have as many.

    Returns:
        Squared norms, summed over parameters, as `trial.evaluation(gradient_norms=...)` takes
        them.

    Raises:
        ValueError: There are fewer than two micro-batches, or their gradients differ in length.

    Example:
        With PyTorch, and with JAX, whose gradients are trees of arrays:

        >>> def of_torch(losses, model):
        ...     return (torch.autograd.grad(loss, [*model.parameters()]) for loss in losses)
        >>> def of_jax(loss, weights, batches):
        ...     return (jax.tree.leaves(jax.grad(loss)(weights, batch)) for batch in batches)

        With NumPy, for two micro-batches of 8 examples and one parameter:

        >>> import numpy as np
        >>> gradient_norms([[np.array([1.0, 2.0])], [np.array([3.0, 0.0])]], batch_size=8)
        {8: 7.0, 16: 5.0}
    """
    total: list[Any] = []
    norms: list[float] = []
    for gradient in gradients:
        arrays = [*gradient]
        # An array of its own: that of a parameter may be used again for the next gradient.
        total = [s + g for s, g in zip(total or [0] * len(arrays), arrays, strict=True)]
        norms.append(_squared_norm(arrays))
    count = len(norms)
    if count < 2:  # noqa: PLR2004
        raise ValueError(f"`gradients` must be of at least two micro-batches, but are of {count}.")
    return {
        batch_size: sum(norms) / count,
        count * batch_size: _squared_norm(total) / count**2,
    }


def _squared_norm(arrays: Iterable[Any]) -> float:
    return sum(float((array * array).sum()) for array in arrays)

"""Gradient noise: how much the gradients of examples differ, and how long their mean is.

Every quantity is that of the examples' own losses, summed over the outputs and not divided by the
batch; it holds no weight penalty. All is computed in float64; NaN where weights are not finite.

`G` is the mean and `Sigma` the covariance of the gradients of independent examples or, with a
population of N examples from which they are drawn without replacement, of these N (divided by N).
The mean gradient of B examples has `E|mean|^2 = |G|^2 + tr(Sigma)/B (N - B)/(N - 1)` (Cochran
1977, theorem 2.2), which is `|G|^2 + c (1/B - 1/N)` with `c = tr(Sigma) N/(N - 1)`: linear in 1/B,
1/N being 0 without a population. Two batch sizes give the line, its slope `c` and its value at 1/N,
`|G|^2`. Batches of 1 and B examples give the U-statistic; shards and the whole batch the two-batch
form of McCandlish et al. 2018, appendix A.1. Both are unbiased, which is why `|G|^2` may come out
negative: it is never clipped.

With the Hessian `H` of the mean loss in between, `E[mean' H mean]` follows the same line, of value
`G' H G` and slope `tr(H Sigma) N/(N - 1)`: the parts of `B_noise`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine.diagnostics.sharpness import Surface
from bpengine.network import Architecture, Array, Examples, Parameters, PerLane
from bpengine.passes import shard_slices, slices_of
from bpengine.passes.compiled import default_numerics


@dataclass(frozen=True)
class GradientStatistics:
    """One measurement of gradient noise, unbiased; single values may be negative."""

    trace: PerLane  # tr(Sigma), the variance of an example's gradient, summed over parameters
    squared_norm: PerLane  # |G|^2
    examples: int  # of each seed that went into it


def noise_scale(measurements: Sequence[GradientStatistics]) -> PerLane:
    """Return `B_simple = tr(Sigma) / |G|^2`, or `B_noise`, in examples: a ratio of averages.

    The averages are over measurements of the same lanes, each weighted by its examples (McCandlish
    et al. 2018, equation 2.9). The ratio is negative or huge when the measurements together don't
    resolve `|G|^2`.
    """
    if not measurements:
        raise ValueError("`measurements` must not be empty.")
    with np.errstate(divide="ignore", invalid="ignore"):
        # Built-in sums: the order in which NumPy adds depends on the number of lanes.
        return np.asarray(
            sum(point.examples * point.trace for point in measurements)
            / sum(point.examples * point.squared_norm for point in measurements)
        )


def two_batch_statistics(
    small: PerLane,
    big: PerLane,
    *,
    small_examples: float,
    big_examples: int,
    population: int | None = None,
) -> GradientStatistics:
    """Return unbiased statistics from the mean gradients of batches of two sizes.

    `small` and `big` are their squared norms, or averages of several. Of small batches of different
    sizes `small_examples` is the harmonic mean, the expectation being linear in 1/B.
    """
    if not 0 < small_examples < big_examples:
        raise ValueError(
            "`0 < small_examples < big_examples` must hold, "
            f"but got {small_examples=}, {big_examples=}."
        )
    if population is not None and population < big_examples:
        raise ValueError(
            "`population` must hold all examples drawn from it, "
            f"but got {population=}, {big_examples=}."
        )
    whole = 0.0 if population is None else 1 / population
    slope = (small - big) / (1 / small_examples - 1 / big_examples)
    return GradientStatistics(
        slope * (1 - whole), big - slope * (1 / big_examples - whole), big_examples
    )


def gradient_statistics(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
    shards: int | None = None,
    population: int | None = None,
    numerics: str = "",
) -> GradientStatistics:
    """Return the statistics of every lane, from per-example gradient norms or from shards.

    Arguments as for `evaluate`, and: `shards`, into how many each set is split, at least 2, None
    for norms, which are more precise; `population`, the number from which a seed's examples are
    drawn without replacement, None for independent draws; `numerics` as in a `Recipe`.
    """
    surface = Surface(architecture, parameters, examples, loss, numerics or default_numerics())
    count = surface.data.examples
    with np.errstate(over="ignore", invalid="ignore"):
        if shards is None:
            small, big, size = _of_examples(surface)
        else:
            small, big, size = _of_shards(surface, shards, lambda dW: dW)
        return two_batch_statistics(
            small, big, small_examples=size, big_examples=count, population=population
        )


def curvature_statistics(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    hessian_examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
    shards: int = 16,
    population: int | None = None,
) -> GradientStatistics:
    """Return tr(H Sigma) and G'HG of every lane, in place of tr(Sigma) and `|G|^2`.

    Their ratio is `B_noise` (McCandlish et al. 2018, equation 2.8). The Hessian is that of
    `hessian_examples`; drawn independently of `examples` they leave both parts unbiased. Other
    arguments as for `gradient_statistics`; each shard costs a Hessian product.
    """
    surface = Surface(architecture, parameters, examples, loss)
    count = surface.data.examples
    curved = Surface(architecture, parameters, hessian_examples, loss)
    with np.errstate(over="ignore", invalid="ignore"):
        small, big, size = _of_shards(surface, shards, curved.curvature)
        return two_batch_statistics(
            small, big, small_examples=size, big_examples=count, population=population
        )


def _of_examples(surface: Surface) -> tuple[PerLane, PerLane, float]:
    """Return `|G|^2`, the examples' mean and the whole batch's, and 1 for an example."""
    passes, data = surface.passes, surface.data
    if passes.kernel:
        norms, total = passes.kernel.gradient_norms(surface.parameters, data)
    else:
        total = np.zeros_like(surface.parameters)
        norms, dW = np.zeros((*total.shape[:2], data.examples)), surface.layers(total)
        for rows, phi, t in slices_of(data):
            # An example's gradient is the outer product of its phi and delta, whose squared norm is
            # the product of theirs.
            layers, deltas = passes.deltas(surface.W, phi, t)
            for number, (layer, delta) in enumerate(zip(layers, deltas, strict=True)):
                dW[number] += layer.phi.mT @ delta
                norms[..., rows] += _inner(layer.phi, layer.phi) * _inner(delta, delta)
    mean = total / data.examples
    return norms.mean(axis=-1), _inner(mean, mean), 1.0


def _of_shards(
    surface: Surface, shards: int, product: Callable[[Parameters], Parameters]
) -> tuple[PerLane, PerLane, float]:
    """Return `G' product(G)`, the shards' mean and the whole batch's, and a shard's examples."""
    # The segmented batch of the paper's section 3, used twice: each shard alone, and combined.
    data, slices = surface.data, shard_slices(surface.data.examples, shards)
    small, whole, whole_product, inverse = np.zeros(()), np.zeros(()), np.zeros(()), 0.0
    for rows in slices:
        size = rows.stop - rows.start
        phi, t = data.inputs[:, :, rows], data.targets[:, :, rows]
        dW = surface.passes.gradient(surface.W, phi, t, weight=1 / size)
        of_shard = product(dW)
        small = small + _inner(dW, of_shard)
        whole, whole_product = whole + size * dW, whole_product + size * of_shard
        inverse += 1 / size
    big = _inner(whole / data.examples, whole_product / data.examples)
    return small / len(slices), big, len(slices) / inverse


def _inner(
    first: Annotated[Array, "*axes parameter"], second: Annotated[Array, "*axes parameter"]
) -> Annotated[Array, "*axes"]:
    return np.add.reduce(first * second, axis=-1)

"""Gradient noise: how much the gradients of examples differ, and how long their mean is.

Every quantity is that of the examples' own losses `E_hat`, summed over the outputs and not divided
by the batch: it is the same for the reductions `sum` and `mean`, and holds no weight penalty. All
is computed in float64, for networks trained in float32 too. NaN where weights are not finite.

What is estimated:
    Without a population the examples are independent draws from a distribution; `G` is the mean of
    their gradients and `Sigma` the covariance. With a population of N items, from which the
    examples are drawn without replacement, `G` is the mean over the N items and `Sigma` their
    covariance, divided by N: that of the gradient of one item drawn at random.

How, with one formula for all forms:
    The mean gradient of B examples has `E|mean|^2 = |G|^2 + tr(Sigma)/B (N - B)/(N - 1)`, the last
    factor being that of sampling without replacement (Cochran 1977, theorem 2.2). With
    `c = tr(Sigma) N/(N - 1)` this is `|G|^2 + c (1/B - 1/N)`: linear in 1/B. Two batch sizes give
    the line, its slope `c` and `|G|^2`, its value at 1/N, the full population; without a
    population 1/N is 0. Batches of one example and of B examples give the U-statistic,
    `tr(Sigma) = (q - p) B/(B - 1)` and `|G|^2 = (B p - q)/(B - 1)`; shards and the whole batch give
    the two-batch form of McCandlish et al. 2018, appendix A.1.

Both estimates are unbiased, which is why `|G|^2` may come out negative: it is never clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine.network.architecture import Architecture
from bpengine.network.arrays import Array
from bpengine.network.examples import Examples, Stack, stack
from bpengine.passes.backprop import ROWS, Backprop, Inputs, Weights, shard_bounds

Parameters = Annotated[Array, "seed setting parameter"]
PerLane = Annotated[Array, "seed setting"]


@dataclass(frozen=True)
class GradientStatistics:
    """One measurement of gradient noise, unbiased; single values may be negative.

    Attributes:
        trace: Estimate of tr(Sigma), the variance of an example's gradient, summed over parameters.
        squared_norm: Estimate of |G|^2, the squared length of the true gradient.
        examples: Examples of each seed that went into it.
    """

    trace: PerLane
    squared_norm: PerLane
    examples: int


def noise_scale(measurements: Sequence[GradientStatistics]) -> PerLane:
    """Return `B_simple = tr(Sigma) / |G|^2`, in examples: a ratio of averages.

    The averages are over measurements, each weighted by its examples; nothing is clipped. The ratio
    is negative or huge when the measurements together don't resolve `|G|^2`.

    Args:
        measurements: At least one, all of the same lanes.

    Raises:
        ValueError: There is no measurement.

    Source:
        McCandlish et al. 2018, equation 2.9.

    Example:
        >>> few = [GradientStatistics(np.array([[6.0]]), np.array([[g]]), 8) for g in (-1.0, 2.0)]
        >>> noise_scale(few).item()
        12.0
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

    Args:
        small: Squared norm of the mean gradient of `small_examples` examples, or the average of
            several such norms.
        big: Squared norm of the mean gradient of `big_examples` examples.
        small_examples: Examples of the small batch; of small batches of different sizes, the
            harmonic mean, since the expectation is linear in 1/B.
        big_examples: Examples of the big batch.
        population: Items from which either batch is drawn without replacement; None for independent
            draws.

    Raises:
        ValueError: The sizes don't grow from small to big to population.

    Source:
        McCandlish et al. 2018, appendix A.1; the population as derived above.
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
) -> GradientStatistics:
    """Return the statistics of every lane, from per-example gradient norms or from shards.

    Args:
        architecture: The network of every lane.
        parameters: Weights, as in `Training.parameters`.
        examples: One set per seed, all of the same shapes, of at least 2 examples.
        loss: Name in `LOSSES`.
        shards: None for per-example norms, which tell more; otherwise into how many shards each set
            is split, at least 2, their sizes differing by at most one.
        population: Items from which a seed's examples are drawn without replacement; None for
            independent draws.

    Raises:
        ValueError: There are fewer than 2 examples or shards, or fewer items than examples.
    """
    passes, W, data = _in_float64(architecture, parameters, examples, loss)
    with np.errstate(over="ignore", invalid="ignore"):
        if shards is None:
            norms, mean = _norms_and_mean(passes, W, data)
            small, small_examples = norms.mean(axis=-1), 1.0
        else:
            small, mean, small_examples = _of_shards(passes, W, data, shards)
        return two_batch_statistics(
            small,
            _squared_norm(mean),
            small_examples=small_examples,
            big_examples=data.items,
            population=population,
        )


def example_norms(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
) -> Annotated[Array, "seed setting item"]:
    """Return `|g_i|^2` of every example without computing a gradient of its own.

    An example's `dW = phi . delta` of a layer is an outer product, so `|dW|^2` is
    `|phi|^2 |delta|^2`, `phi` with its leading 1; summed over the layers.

    Args:
        architecture: The network of every lane.
        parameters: Weights, as in `Training.parameters`.
        examples: One set per seed, all of the same shapes.
        loss: Name in `LOSSES`.

    Source:
        Goodfellow 2015, Efficient per-example gradient computations.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _norms_and_mean(*_in_float64(architecture, parameters, examples, loss))[0]


def _norms_and_mean(
    passes: Backprop, W: Weights, data: Stack
) -> tuple[Annotated[Array, "seed setting item"], Parameters]:
    # One pass gives both: the mean gradient, and in the layers' buffers phi and delta.
    norms = np.empty((*passes.total.shape[:2], data.items))
    total, unit = np.zeros_like(passes.total), np.ones((*passes.total.shape[:2], 1, 1))
    for start in range(0, data.items, ROWS):
        rows = slice(start, start + ROWS)
        phi, t = data.inputs[:, :, rows], data.targets[:, :, rows]
        np.add(total, passes.gradient(W, phi, t, weight=unit), out=total)
        norms[..., rows] = _row_norms(passes, phi)
    return norms, total / data.items


def _of_shards(
    passes: Backprop, W: Weights, data: Stack, shards: int
) -> tuple[PerLane, Parameters, float]:
    """Return the shards' mean squared norm, the whole mean gradient, and a shard's examples.

    The segmented batch of the paper's section 3, used twice: each shard alone, and combined.
    """
    bounds = shard_bounds(data.items, shards)
    norms, total, inverse = np.zeros(()), np.zeros(()), 0.0
    for start, stop in bounds:
        phi, t = data.inputs[:, :, start:stop], data.targets[:, :, start:stop]
        weight = np.full((*passes.total.shape[:2], 1, 1), 1 / (stop - start))
        dW = passes.gradient(W, phi, t, weight=weight)
        norms = norms + _squared_norm(dW)
        total = total + (stop - start) * dW
        inverse += 1 / (stop - start)
    return norms / len(bounds), total / data.items, len(bounds) / inverse


def _in_float64(
    architecture: Architecture, parameters: Parameters, examples: Sequence[Examples], loss: str
) -> tuple[Backprop, Weights, Stack]:
    seeds, settings = parameters.shape[:2]
    passes = Backprop(architecture, loss, (seeds, settings), np.float64)
    return passes, architecture.layers(parameters.astype(np.float64)), stack(examples, np.float64)


def _row_norms(passes: Backprop, phi: Inputs) -> Annotated[Array, "seed setting batch"]:
    norms = np.zeros(())
    for layer in passes.layers(phi.shape[-2]):
        norms = norms + _squared_norm(phi) * _squared_norm(layer.fed_delta)
        phi = layer.psi
    return norms


def _squared_norm(values: Annotated[Array, "*axes parameter"]) -> Annotated[Array, "*axes"]:
    return np.add.reduce(np.square(values), axis=-1)

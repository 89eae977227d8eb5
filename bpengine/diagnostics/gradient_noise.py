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
`G' H G` and slope `tr(H Sigma) N/(N - 1)`: the parts of `B_noise`; any matrix does.
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

    def total(self) -> GradientStatistics:
        """Return the sums over the first axis, that of the layers, in their order."""
        trace, squared_norm = (np.asarray(sum(part)) for part in (self.trace, self.squared_norm))
        return GradientStatistics(trace, squared_norm, self.examples)


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


def preconditioned_statistics(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    preconditioner: Parameters,
    *,
    loss: str = "squared_error",
    population: int | None = None,
) -> GradientStatistics:
    """Return tr(P Sigma) and G'PG of every layer and lane, layers first.

    `preconditioner` is the diagonal of `P`, laid out as the parameters: of Adam and its kind
    `1 / (sqrt(v) + epsilon)`. With ones the layers are those of Gray et al. 2024 (arXiv 2411.00999)
    and their `total()` is what `gradient_statistics` returns, whose other arguments these are.

    The ratio is `B_simple` as the optimizer sees it: a step `P g` in `w` is gradient descent in
    `P^(-1/2) w`, where the gradient is `P^(1/2) g` (Zhang et al. 2019, arXiv 1907.04164, treat
    preconditioning so). Like `B_simple` it takes the loss to curve alike in all directions, but
    there, which is what preconditioning is for. Pollux (Qiao et al. 2021, equation 5) has
    `tr(P Sigma P') / |PG|^2` for descent on `L(P w)`, whose step is `P^2 g`: its `P` is the square
    root of this one. The unit of `P` makes no difference.

    Example:
        >>> from bpengine import Budget, Recipe, Split, Trainer
        >>> inputs = np.random.default_rng(0).normal(size=(64, 2))
        >>> data = Examples(inputs, np.eye(2)[(inputs[:, 0] > 0).astype(int)])
        >>> network = Architecture((2, 4, 2))
        >>> recipe = Recipe(batch_size=8, budget=Budget(epochs=9), optimizer="adam")
        >>> trainer = Trainer(network, [Split(data, data, 1)], [{"learning_rate": 0.01}], recipe)
        >>> trainer.run()
        >>> W, P = trainer.networks.parameters, trainer.networks.preconditioner()
        >>> layers = preconditioned_statistics(network, W, [data], P, population=64)
        >>> noise_scale([layers])[:, 0, 0].round(1).tolist()
        [11.9, 30.7]
    """
    surface = Surface(architecture, parameters, examples, loss)
    with np.errstate(over="ignore", invalid="ignore"):
        weighted = (preconditioner * squares for squares in _mean_squares(surface))
        small, big = (_by_layer(architecture, squares) for squares in weighted)
        return two_batch_statistics(
            small, big, small_examples=1, big_examples=surface.data.examples, population=population
        )


def sign_statistics(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
    population: int | None = None,
) -> GradientStatistics:
    """Return `(sum sigma_i)^2` and `(sum |G_i|)^2` over a layer's parameters, layers first.

    Their ratio is the noise scale of sign descent: a step is as long as its largest coordinate, and
    the dual norm, of gradient and noise alike, is the sum of absolute values (Bernstein et al.
    2018, signSGD, theorem 1; as a noise scale arXiv 2602.03001). For a whole network add the roots.

    Over the whole population the values are exact. From a sample they are plugged in, and biased: a
    root of the unbiased `sigma_i^2` is too small, by a share of the order of 1/examples, and
    `|G_i|` of the mean too large, where `G_i` is 0 by `sqrt(2 / pi)` standard errors. The noise
    scale is too small then, and without any signal about `pi / 2` times the independent examples.

    Example:
        >>> inputs = np.array([[1.0], [-1.0], [2.0]])
        >>> data, line = Examples(inputs, np.zeros((3, 1))), Architecture((1, 1), "identity")
        >>> weights = np.ones((1, 1, 2))  # outputs and errors 2, 0, 3
        >>> signs = sign_statistics(line, weights, [data], population=3)
        >>> noise_scale([signs]).round(2).tolist()
        [[[0.75]]]
    """
    surface = Surface(architecture, parameters, examples, loss)
    with np.errstate(over="ignore", invalid="ignore"):
        count, (small, big) = surface.data.examples, _mean_squares(surface)
        variances = two_batch_statistics(
            small, big, small_examples=1, big_examples=count, population=population
        ).trace
        roots = (np.sqrt(np.maximum(each, 0)) for each in (variances, big))  # rounding goes below
        noise, signal = (_by_layer(architecture, root) ** 2 for root in roots)
        return GradientStatistics(noise, signal, count)


def _mean_squares(surface: Surface) -> tuple[Parameters, Parameters]:
    """Return the examples' mean of each parameter's squared gradient, and their mean's square."""
    totals = np.zeros((2, *surface.parameters.shape))
    into, count = surface.layers(totals), surface.data.examples
    for _, phi, t in slices_of(surface.data):
        layers, deltas = surface.passes.deltas(surface.W, phi, t)
        for number, (layer, delta) in enumerate(zip(layers, deltas, strict=True)):
            # An example's gradient is an outer product, and its square that of the squares.
            into[number][0] += np.square(layer.phi).mT @ np.square(delta)
            into[number][1] += layer.phi.mT @ delta
    return totals[0] / count, np.square(totals[1] / count)


def _by_layer(
    architecture: Architecture, values: Annotated[Array, "seed setting parameter"]
) -> Annotated[Array, "layer seed setting"]:
    return np.stack([np.add.reduce(values[..., part], axis=-1) for part in architecture.slices])


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

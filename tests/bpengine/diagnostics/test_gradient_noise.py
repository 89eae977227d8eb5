"""Gradient noise: norms equal materialised ones, estimates unbiased by enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from refused import refused

from bpengine import Architecture, Examples
from bpengine.diagnostics.gradient_noise import (
    GradientStatistics,
    curvature_statistics,
    gradient_statistics,
    noise_scale,
    preconditioned_statistics,
    sign_statistics,
    two_batch_statistics,
)
from bpengine.network._arrays import Array
from bpengine.network.examples import stack
from bpengine.passes.backprop import ROWS, Backprop
from bpengine.passes.compiled import KERNEL, NUMPY
from tests.bpengine.diagnostics.test_sharpness import dense_hessian
from tests.bpengine.problems import make_examples, make_parameters

ARCHITECTURE = Architecture((3, 5, 4, 2), "tanh", "softmax")
LOSS = "cross_entropy"
POPULATION = 6


def one_by_one(
    architecture: Architecture, parameters: Array, examples: Examples, loss: str
) -> Array:
    """Return the gradient of every example of a single lane, each computed alone."""
    data = stack([examples], np.float64)
    passes = Backprop(architecture, loss, np.float64)
    W = architecture.layers(parameters.astype(np.float64))
    rows = [(data.inputs[:, :, [row]], data.targets[:, :, [row]]) for row in range(data.examples)]
    return np.array([passes.gradient(W, phi, t, weight=1.0)[0, 0] for phi, t in rows])


def population_of(gradients: Array) -> tuple[float, float]:
    """Return tr(Sigma) and |G|^2 of a population of gradients, by definition."""
    G = gradients.mean(axis=0)
    return float(np.square(gradients - G).sum(axis=1).mean()), float(np.square(G).sum())


def statistics_of_draws(
    parameters: Array, examples: Examples, draws: Sequence[Sequence[int]], **options: Any
) -> GradientStatistics:
    """Return the statistics of draws from the examples, each in a lane of its own."""
    lanes = np.repeat(parameters, len(draws), axis=0)
    drawn = [Examples(examples.inputs[rows], examples.targets[rows]) for rows in map(list, draws)]
    return gradient_statistics(ARCHITECTURE, lanes, drawn, loss=LOSS, **options)


def every_draw(*, size: int, replacement: bool) -> list[tuple[int, ...]]:
    items = range(POPULATION)
    if replacement:
        return list(itertools.product(items, repeat=size))
    return list(itertools.permutations(items, size))


@pytest.mark.parametrize("numerics", [KERNEL, NUMPY])
@pytest.mark.parametrize("items", [2, ROWS + 1, ROWS + 20])
def test_statistics_are_those_of_materialised_gradients(
    every_network: tuple[Architecture, str], items: int, numerics: str
) -> None:
    architecture, loss = every_network
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, items)
    gradients = one_by_one(architecture, parameters, examples, loss)
    trace, squared_norm = population_of(gradients)
    statistics = gradient_statistics(
        architecture, parameters, [examples], loss=loss, population=items, numerics=numerics
    )
    assert statistics.trace.item() == pytest.approx(trace, rel=1e-10)
    assert statistics.squared_norm.item() == pytest.approx(squared_norm, rel=1e-10)
    assert statistics.examples == items


@pytest.mark.parametrize("shards", [None, 2, 3])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("size", [3, 4])
def test_the_average_over_all_draws_is_the_populations_value(
    shards: int | None, replacement: bool, size: int
) -> None:
    """Shards of 4 and 3 examples are equal and ragged."""
    parameters = make_parameters(ARCHITECTURE)
    examples = make_examples(ARCHITECTURE, POPULATION)
    draws = every_draw(size=size, replacement=replacement)
    whole = None if replacement else POPULATION
    actual = statistics_of_draws(parameters, examples, draws, shards=shards, population=whole)
    trace, squared_norm = population_of(one_by_one(ARCHITECTURE, parameters, examples, LOSS))
    assert actual.trace.mean() == pytest.approx(trace, rel=1e-11)
    assert actual.squared_norm.mean() == pytest.approx(squared_norm, rel=1e-11)


def test_shards_of_one_example_are_the_u_statistic() -> None:
    parameters = make_parameters(ARCHITECTURE, (2, 3))
    examples = [make_examples(ARCHITECTURE, 9, seed) for seed in range(2)]
    for population in (None, 9, 40):
        options: dict[str, Any] = {"loss": LOSS, "population": population}
        from_norms = gradient_statistics(ARCHITECTURE, parameters, examples, **options)
        from_shards = gradient_statistics(ARCHITECTURE, parameters, examples, shards=9, **options)
        np.testing.assert_allclose(from_shards.trace, from_norms.trace, rtol=1e-12)
        np.testing.assert_allclose(from_shards.squared_norm, from_norms.squared_norm, rtol=1e-10)


@pytest.mark.parametrize(("b", "B"), [(8, 64), (1, 16)], ids=["two batches", "norms of examples"])
def test_two_batch_sizes_give_the_published_estimates(b: int, B: int) -> None:
    """McCandlish et al. 2018, appendix A.1, written out; for b = 1 it is the U-statistic."""
    small, big = np.array([[3.0]]), np.array([[1.25]])
    actual = two_batch_statistics(small, big, small_examples=b, big_examples=B)
    assert actual.squared_norm.item() == pytest.approx((B * 1.25 - b * 3.0) / (B - b), rel=1e-14)
    assert actual.trace.item() == pytest.approx((3.0 - 1.25) / (1 / b - 1 / B), rel=1e-14)


def test_the_noise_scale_is_a_ratio_of_averages_weighted_by_examples() -> None:
    first = GradientStatistics(np.array([[6.0, 1.0]]), np.array([[-1.0, 1.0]]), 10)
    second = GradientStatistics(np.array([[3.0, 1.0]]), np.array([[2.0, 0.0]]), 30)
    np.testing.assert_allclose(noise_scale([first, second]), [[150 / 50, 40 / 10]])


def test_a_gradient_of_zero_has_an_infinite_noise_scale() -> None:
    actual = noise_scale([GradientStatistics(np.array([[2.0]]), np.array([[0.0]]), 4)])
    assert actual.item() == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shards", [None, 9])
@pytest.mark.parametrize("items", [9, ROWS + 1])
def test_a_lane_has_the_same_bits_alone_and_in_a_cohort(
    dtype: type[np.floating], shards: int | None, items: int
) -> None:
    architecture = Architecture((13, 8, 5))
    parameters = make_parameters(architecture, (3, 4)).astype(dtype)
    examples = [make_examples(architecture, items, seed) for seed in range(3)]
    together = gradient_statistics(architecture, parameters, examples, shards=shards)
    for seed, setting in np.ndindex(3, 4):
        lane = parameters[seed : seed + 1, setting : setting + 1]
        alone = gradient_statistics(architecture, lane, [examples[seed]], shards=shards)
        assert together.trace[seed, setting] == alone.trace.item()
        assert together.squared_norm[seed, setting] == alone.squared_norm.item()


def test_a_ratio_has_the_same_bits_alone_and_in_a_cohort() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(20, 2, 3, 4))
    together = noise_scale([GradientStatistics(*values, 8) for values in drawn])
    alone = noise_scale([GradientStatistics(*values[:, 1:2, 2:3], 8) for values in drawn])
    assert together[1, 2] == alone.item()


def test_float32_networks_are_measured_in_float64() -> None:
    single = make_parameters(ARCHITECTURE).astype(np.float32)
    examples = [make_examples(ARCHITECTURE, 7)]
    actual = gradient_statistics(ARCHITECTURE, single, examples, loss=LOSS)
    wide = gradient_statistics(ARCHITECTURE, single.astype(np.float64), examples, loss=LOSS)
    assert actual.trace.dtype == np.float64
    np.testing.assert_array_equal(actual.trace, wide.trace)


@pytest.mark.parametrize("shards", [None, 2])
def test_a_diverged_lane_is_nan_and_harms_no_neighbour(shards: int | None) -> None:
    parameters = make_parameters(ARCHITECTURE, (1, 2))
    examples = [make_examples(ARCHITECTURE, 7)]
    alone = gradient_statistics(ARCHITECTURE, parameters[:, :1], examples, loss=LOSS, shards=shards)
    parameters[0, 1] = np.nan
    actual = gradient_statistics(ARCHITECTURE, parameters, examples, loss=LOSS, shards=shards)
    np.testing.assert_array_equal(actual.trace[0], [alone.trace.item(), np.nan])
    np.testing.assert_array_equal(actual.squared_norm[0], [alone.squared_norm.item(), np.nan])


def test_curvature_statistics_are_those_of_the_dense_hessian_and_covariance(
    every_network: tuple[Architecture, str],
) -> None:
    architecture, loss = every_network
    parameters, examples = make_parameters(architecture), make_examples(architecture, 11)
    H = dense_hessian(architecture, parameters, examples, loss)
    gradients = one_by_one(architecture, parameters, examples, loss)
    G, Sigma = gradients.mean(axis=0), np.cov(gradients.T, bias=True)
    actual = curvature_statistics(
        architecture, parameters, [examples], [examples], loss=loss, population=11
    )
    assert actual.trace.item() == pytest.approx(np.trace(H @ Sigma), rel=1e-6)
    assert actual.squared_norm.item() == pytest.approx(G @ H @ G, rel=1e-6)


@pytest.mark.parametrize("shards", [2, 3])
def test_the_average_of_curvature_over_all_pairs_of_draws_is_the_populations_value(
    shards: int,
) -> None:
    """Each draw of gradients meets each draw of the examples of the Hessian."""
    parameters = make_parameters(ARCHITECTURE)
    examples = make_examples(ARCHITECTURE, POPULATION)
    subsets = [list(rows) for rows in itertools.combinations(range(POPULATION), 4)]
    draws = [list(rows) for rows in every_draw(size=3, replacement=False)]
    pairs = [
        [Examples(examples.inputs[rows], examples.targets[rows]) for rows in pair]
        for pair in itertools.product(draws, subsets)
    ]
    actual = curvature_statistics(
        ARCHITECTURE,
        np.repeat(parameters, len(pairs), axis=0),
        [first for first, _ in pairs],
        [second for _, second in pairs],
        loss=LOSS,
        shards=shards,
        population=POPULATION,
    )
    exact = curvature_statistics(
        ARCHITECTURE, parameters, [examples], [examples], loss=LOSS, population=POPULATION
    )
    assert actual.trace.mean() == pytest.approx(exact.trace.item(), rel=1e-11)
    assert actual.squared_norm.mean() == pytest.approx(exact.squared_norm.item(), rel=1e-11)


def test_b_noise_of_a_quadratic_is_that_of_the_closed_form() -> None:
    """Inputs of all signs, scaled by `s`: `H = diag(s^2)`, and `G = H delta` for an error delta."""
    s, delta = np.array([1.0, 0.5, 2.0, 3.0]), np.array([1.0, 2.0, -0.5, 0.25])
    inputs = s[1:] * np.array(list(itertools.product((-1, 1), repeat=3)))
    examples = [Examples(inputs, np.zeros((8, 1)))]
    actual = curvature_statistics(
        Architecture((3, 1), "identity"), delta[None, None], examples, examples, population=8
    )
    variances = s**2 * np.sum(s**2 * delta**2) - s**4 * delta**2
    assert actual.trace.item() == pytest.approx(np.sum(s**2 * variances), rel=1e-12)
    assert actual.squared_norm.item() == pytest.approx(np.sum(s**6 * delta**2), rel=1e-12)


def test_curvature_has_the_same_bits_alone_and_next_to_a_diverged_lane() -> None:
    architecture = Architecture((13, 8, 5))
    parameters = make_parameters(architecture, (3, 4)).astype(np.float32)
    parameters[0, 1] = np.nan
    sets = [
        [make_examples(architecture, 40, seed + start) for seed in range(3)] for start in (0, 9)
    ]
    together = curvature_statistics(architecture, parameters, *sets)
    assert np.isnan(together.trace[0, 1])
    for seed, setting in np.ndindex(3, 4):
        lane = parameters[seed : seed + 1, setting : setting + 1]
        alone = curvature_statistics(architecture, lane, *([each[seed]] for each in sets))
        np.testing.assert_array_equal(together.trace[seed, setting], alone.trace.item())
        np.testing.assert_array_equal(
            together.squared_norm[seed, setting], alone.squared_norm.item()
        )


def weights_of(architecture: Architecture) -> Array:
    """Return the diagonal of a preconditioner, of four orders of magnitude."""
    return 10 ** np.random.default_rng(3).uniform(-2, 2, size=(1, 1, architecture.parameter_count))


@pytest.mark.parametrize("population", [None, 200])
@pytest.mark.parametrize("items", [2, ROWS + 20])
def test_layers_in_any_geometry_are_those_of_materialised_gradients(
    every_network: tuple[Architecture, str], items: int, population: int | None
) -> None:
    """The line of `gradient_statistics`, parameter by parameter: variances over n - 1 examples."""
    architecture, loss = every_network
    parameters, P = make_parameters(architecture), weights_of(architecture)
    examples = make_examples(architecture, items)
    gradients = one_by_one(architecture, parameters, examples, loss)
    G, variances = gradients.mean(axis=0), gradients.var(axis=0, ddof=1)
    whole = 0 if population is None else 1 / population
    sigma, squares = variances * (1 - whole), G**2 - variances * (1 / items - whole)
    arguments = (architecture, parameters, [examples])
    actual = preconditioned_statistics(*arguments, P, loss=loss, population=population)
    signs = sign_statistics(*arguments, loss=loss, population=population)
    for layer, part in enumerate(architecture.slices):
        expected = [np.sum(P[0, 0, part] * values[part]) for values in (sigma, squares)]
        parts = [values[layer].item() for values in (actual.trace, actual.squared_norm)]
        assert parts == pytest.approx(expected, rel=1e-10)
        noise, signal = np.sqrt(sigma[part]).sum() ** 2, np.abs(G[part]).sum() ** 2
        assert signs.trace[layer].item() == pytest.approx(noise, rel=1e-10)
        assert signs.squared_norm[layer].item() == pytest.approx(signal, rel=1e-10)
    plain = preconditioned_statistics(*arguments, np.ones_like(P), loss=loss, population=population)
    expected = gradient_statistics(*arguments, loss=loss, population=population)
    np.testing.assert_allclose(plain.total().trace, expected.trace, rtol=1e-10)
    np.testing.assert_allclose(plain.total().squared_norm, expected.squared_norm, rtol=1e-10)


@pytest.mark.parametrize("replacement", [False, True])
def test_the_average_in_a_geometry_over_all_draws_is_the_populations_value(
    replacement: bool,
) -> None:
    parameters, P = make_parameters(ARCHITECTURE), weights_of(ARCHITECTURE)
    examples = make_examples(ARCHITECTURE, POPULATION)
    draws = [list(rows) for rows in every_draw(size=3, replacement=replacement)]
    actual = preconditioned_statistics(
        ARCHITECTURE,
        np.repeat(parameters, len(draws), axis=0),
        [Examples(examples.inputs[rows], examples.targets[rows]) for rows in draws],
        P,
        loss=LOSS,
        population=None if replacement else POPULATION,
    )
    exact = preconditioned_statistics(
        ARCHITECTURE, parameters, [examples], P, loss=LOSS, population=POPULATION
    )
    np.testing.assert_allclose(actual.trace.mean(axis=1), exact.trace[:, 0], rtol=1e-11)
    np.testing.assert_allclose(
        actual.squared_norm.mean(axis=1), exact.squared_norm[:, 0], rtol=1e-11
    )


def test_signs_without_a_signal_show_half_pi_times_the_examples() -> None:
    """The bias that the docstring states: targets that have nothing to do with the inputs."""
    rng, drawn, features = np.random.default_rng(0), 40, 300
    seeds = [Examples(rng.normal(size=(drawn, features)), rng.choice([-1.0, 1.0], size=(drawn, 1)))
             for _ in range(30)]  # fmt: skip
    network = Architecture((features, 1), "identity")
    signs = sign_statistics(network, np.zeros((30, 1, features + 1)), seeds)
    actual = signs.trace.mean() / signs.squared_norm.mean()
    assert actual == pytest.approx(np.pi / 2 * drawn, rel=0.03)


def test_layers_have_the_same_bits_alone_and_next_to_a_diverged_lane() -> None:
    architecture = Architecture((13, *[8] * 9, 5))
    parameters = make_parameters(architecture, (3, 4)).astype(np.float32)
    parameters[0, 1] = np.nan
    examples = [make_examples(architecture, ROWS + 1, seed) for seed in range(3)]
    P = np.repeat(np.repeat(weights_of(architecture), 3, axis=0), 4, axis=1)
    together = preconditioned_statistics(architecture, parameters, examples, P)
    signs = sign_statistics(architecture, parameters, examples)
    assert np.isnan(together.trace[:, 0, 1]).all()
    for seed, setting in np.ndindex(3, 4):
        lane = slice(seed, seed + 1), slice(setting, setting + 1)
        alone = preconditioned_statistics(architecture, parameters[lane], [examples[seed]], P[lane])
        of_signs = sign_statistics(architecture, parameters[lane], [examples[seed]])
        pairs = [(together.total(), alone.total()), (together, alone), (signs, of_signs)]
        for cohort, single in pairs:
            for name in ("trace", "squared_norm"):
                actual = getattr(cohort, name)[..., seed, setting]
                np.testing.assert_array_equal(actual, getattr(single, name)[..., 0, 0])


ONE = np.ones((1, 1))


def statistics_of_ones(items: int, **options: Any) -> GradientStatistics:
    ones = np.ones((items, 1))
    network = Architecture((1, 1)), np.ones((1, 1, 2))
    return gradient_statistics(*network, [Examples(ones, ones)], **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics_of_ones(1), "small_examples=1.0, big_examples=1"),
        (lambda: statistics_of_ones(8, shards=1), "small_examples=8.0, big_examples=8"),
        (
            lambda: two_batch_statistics(ONE, ONE, small_examples=1, big_examples=4, population=3),
            "population=3, big_examples=4",
        ),
        (lambda: noise_scale([]), "`measurements` must not be empty"),
    ],
    ids=["a single example", "a single shard", "more than the population", "no measurement"],
)
def test_what_has_no_noise_is_refused(call: Callable[[], Any], message: str) -> None:
    refused(call, message)

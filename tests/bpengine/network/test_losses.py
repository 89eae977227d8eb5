"""Every loss keeps the contract of its table."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bpengine.network._arrays import Array
from bpengine.network._losses import LOSSES, Loss
from bpengine.network.activations import ACTIVATIONS

NAMES = {loss: name for name, loss in LOSSES.items()}
losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

SHAPE = (2, 3, 5, 4)
RNG = np.random.default_rng(1)
NET = RNG.normal(scale=2, size=SHAPE)
T = np.eye(4)[RNG.integers(4, size=SHAPE[:-1])]
SOFT_T = RNG.dirichlet(np.ones(4), size=SHAPE[:-1])
"""Targets between 0 and 1 that sum to 1: probabilities of classes."""

LARGE = np.array(
    [
        [1000.0, -1000.0, 0.0, 999.0],
        [-1000.0, 1000.0, 1000.0, -999.0],
        [30.0, 0.0, -30.0, -60.0],
        [-1000.0, -1000.0, -1000.0, -1000.0],
    ]
)
"""Net inputs whose outputs are 0 or 1 to the last bit."""


def squared_error(psi: Sequence[float], _net: Sequence[float], t: Sequence[float]) -> float:
    return math.fsum((wanted - output) ** 2 for wanted, output in zip(t, psi, strict=True)) / 2


def cross_entropy(_psi: Sequence[float], net: Sequence[float], t: Sequence[float]) -> float:
    # -log psi of an output, with psi = exp(net) / sum exp(net), from differences of net inputs:
    # no power is above 1, and the largest, which is 1, is left to log1p.
    def surprise(output: float) -> float:
        differences = sorted(other - output for other in net)
        top = differences.pop()
        return top + math.log1p(math.fsum(math.exp(other - top) for other in differences))

    return math.fsum(wanted * surprise(output) for wanted, output in zip(t, net, strict=True))


def binary_cross_entropy(_psi: Sequence[float], net: Sequence[float], t: Sequence[float]) -> float:
    # -t log psi - (1 - t) log(1 - psi), where -log psi = log(1 + exp(-net)) for the sigmoid.
    def softplus(number: float) -> float:
        return max(number, 0.0) + math.log1p(math.exp(-abs(number)))

    return math.fsum(
        wanted * softplus(-output) + (1 - wanted) * softplus(output)
        for wanted, output in zip(t, net, strict=True)
    )


SCALAR = {
    "squared_error": squared_error,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}
"""The textbook definition of each loss of one example, in stable form, with Python's floats."""


def outputs(loss: Loss, net: Array) -> Array:
    """Return psi of the activation that goes with a loss: tanh if any does."""
    return ACTIVATIONS[loss.output or "tanh"].apply(net)


def value(loss: Loss, net: Array, t: Array) -> Array:
    return loss.value(net, outputs(loss, net), t)


def scalar_values(loss: Loss, net: Array, t: Array) -> Array:
    psi = outputs(loss, net)
    return np.array(
        [
            SCALAR[NAMES[loss]](psi[index].tolist(), net[index].tolist(), t[index].tolist())
            for index in np.ndindex(net.shape[:-1])
        ]
    ).reshape(net.shape[:-1])


@losses
@pytest.mark.parametrize("t", [T, SOFT_T], ids=["hard", "soft"])
def test_the_value_sums_over_the_outputs_and_nothing_else(loss: Loss, t: Array) -> None:
    np.testing.assert_allclose(value(loss, NET, t), scalar_values(loss, NET, t), rtol=1e-13)


@losses
@pytest.mark.parametrize("t", [T, SOFT_T], ids=["hard", "soft"])
def test_the_gradient_is_that_of_central_differences(loss: Loss, t: Array) -> None:
    # With respect to the outputs; with respect to the net inputs for a loss with its own output.
    step = 1e-5
    psi = outputs(loss, NET)
    exact = psi - t
    for output in range(SHAPE[-1]):
        shift = step * np.eye(SHAPE[-1])[output]
        if loss.output is None:
            sides = [loss.value(NET, psi + s, t) for s in (shift, -shift)]
        else:
            sides = [value(loss, NET + s, t) for s in (shift, -shift)]
        numeric = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(exact[..., output], numeric, rtol=1e-7, atol=1e-9)


@losses
@dtypes
def test_the_dtype_is_kept(loss: Loss, dtype: type[np.floating]) -> None:
    net, t = NET.astype(dtype), T.astype(dtype)
    assert value(loss, net, t).dtype == dtype


@losses
def test_inputs_are_left_alone(loss: Loss) -> None:
    net, psi, t = NET.copy(), outputs(loss, NET), T.copy()
    before = psi.copy()
    loss.value(net, psi, t)
    np.testing.assert_array_equal(net, NET)
    np.testing.assert_array_equal(psi, before)
    np.testing.assert_array_equal(t, T)


@losses
@dtypes
def test_an_example_does_not_depend_on_its_neighbours(loss: Loss, dtype: type[np.floating]) -> None:
    net, t = NET.astype(dtype), SOFT_T.astype(dtype)
    together = value(loss, net, t)
    for seed, setting, row in np.ndindex(SHAPE[:-1]):
        lane = slice(seed, seed + 1), slice(setting, setting + 1), slice(row, row + 1)
        np.testing.assert_array_equal(value(loss, net[lane], t[lane]), together[lane])


@losses
@dtypes
def test_the_targets_of_a_seed_are_shared_by_its_settings(
    loss: Loss, dtype: type[np.floating]
) -> None:
    net, t = NET.astype(dtype), T[:, :1].astype(dtype)
    repeated = np.repeat(t, SHAPE[1], axis=1)
    np.testing.assert_array_equal(value(loss, net, t), value(loss, net, repeated))


@losses
@dtypes
@pytest.mark.parametrize("wanted", range(4))
def test_the_value_is_right_where_outputs_have_underflowed(
    loss: Loss, dtype: type[np.floating], wanted: int
) -> None:
    t = np.zeros_like(LARGE)
    t[:, wanted] = 1
    np.testing.assert_allclose(
        value(loss, LARGE.astype(dtype), t.astype(dtype)),
        scalar_values(loss, LARGE, t),
        rtol=8 * np.finfo(dtype).eps,
        atol=1e-4 if dtype is np.float32 else 1e-12,
    )


@losses
@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_a_float32_value_is_right_to_rounding(loss: Loss, scale: float) -> None:
    # However large the net inputs are; outputs and sums of powers are rounded at 1.
    net, t = (scale * NET).astype(np.float32), T.astype(np.float32)
    exact, eps = scalar_values(loss, net.astype(np.float64), T), np.finfo(np.float32).eps
    np.testing.assert_allclose(value(loss, net, t), exact, rtol=4 * eps, atol=4 * eps)


def test_binary_cross_entropy_is_right_however_small_it_is() -> None:
    # The loss of clearly separated classes is far below the rounding of their net inputs.
    net = np.array([[[[-30.0, 30.0, -60.0], [80.0, -80.0, 5.0]]]], np.float32)
    t = (net > 0).astype(np.float32)
    exact = scalar_values(LOSSES["binary_cross_entropy"], net.astype(np.float64), t)
    actual = value(LOSSES["binary_cross_entropy"], net, t)
    np.testing.assert_allclose(actual, exact, rtol=8 * np.finfo(np.float32).eps)


@losses
def test_the_loss_of_the_best_constant_is_what_no_constant_falls_below(loss: Loss) -> None:
    t = SOFT_T[0, 0]
    mean = t.mean(axis=0, dtype=np.float64)
    net = {
        "squared_error": mean,
        "cross_entropy": np.log(mean),
        "binary_cross_entropy": np.log(mean / (1 - mean)),
    }[NAMES[loss]]

    def mean_loss(net: Array) -> float:
        nets = np.tile(net, (len(t), 1))
        psi = ACTIVATIONS[loss.output or "identity"].apply(nets)
        return float(loss.value(nets, psi, t).mean())

    least = loss.of_constant(t)
    assert mean_loss(net) == pytest.approx(least, rel=1e-12)
    for step in RNG.normal(scale=0.1, size=(20, len(net))):
        assert mean_loss(net + step) >= least


@losses
def test_constant_targets_are_predicted_without_loss(loss: Loss) -> None:
    assert loss.of_constant(np.eye(4)[[2, 2, 2]]) == 0

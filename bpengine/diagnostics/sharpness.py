"""Curvature of the loss around a network: Hessian products, top eigenvalue, Keskar's sharpness.

Everything is that of the mean loss over the examples, without weight penalty, computed in float64;
NaN where weights are not finite. Arguments are those of `evaluate` and what is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine.network import (
    LOSSES,
    Architecture,
    Array,
    Examples,
    Parameters,
    PerLane,
    stack,
)
from bpengine.network.streams import standard_normal
from bpengine.passes import Backprop, Inputs, Weights, slices_of
from bpengine.passes.backprop import Layer, Targets
from bpengine.passes.compiled import NUMPY


@dataclass(frozen=True)
class TopEigenvalue:
    """Largest eigenvalue of each lane's Hessian, and how well it is known."""

    value: PerLane  # largest Ritz value: at most the largest eigenvalue, but for rounding
    residual: PerLane  # |H v - value v|: an eigenvalue lies this close, usually closer


def hessian_vector_product(
    architecture: Architecture,
    parameters: Parameters,
    vectors: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
) -> Parameters:
    """Return `H v` of each lane, exact but for rounding, at the cost of two or three gradients.

    Pearlmutter 1994, Fast exact multiplication by the Hessian. `vectors` are laid out as the
    parameters.
    """
    surface = Surface(architecture, parameters, examples, loss)
    with np.errstate(over="ignore", invalid="ignore"):
        return surface.curvature(vectors.astype(np.float64))


def top_eigenvalue(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
    tolerance: float = 1e-4,
    products: int = 200,
) -> TopEigenvalue:
    """Return the largest (not the largest absolute) eigenvalue of each lane's Hessian.

    Lanczos without reorthogonalisation: four vectors whatever the number of products. Rounding then
    repeats eigenvalues, which leaves the largest one right (Paige 1980). Every lane starts from the
    same random vector and ends when `residual <= tolerance |value|`, the error of the value being
    of the tolerance's square, or after that many products.
    """
    surface = Surface(architecture, parameters, examples, loss)
    start = standard_normal(0, "top eigenvalue", parameters.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.broadcast_to(start / _norm(start), parameters.shape)
        return _lanczos(surface.curvature, v, tolerance, products)


def sharpness(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
    epsilon: float = 1e-3,
    iterations: int = 10,
) -> PerLane:
    """Return `100 (max f(x + z) - f(x)) / (1 + f(x))` over the box `|z_i| <= epsilon (|x_i| + 1)`.

    Metric 2.1 with A = I of Keskar et al. 2017, On large-batch training for deep learning; they use
    all training examples and an epsilon of 1e-3 and 5e-4, and approximate the maximum by 10
    iterations of L-BFGS-B. Here each iteration goes towards the corner of the box to which the
    gradient of the mean loss `f` points, all the way, or by half as much as before where that
    gained nothing (Frank and Wolfe 1956): in so small a box `f` is nearly linear or convex, and a
    convex function has its maximum in a corner. Both methods give a lower bound; they are not
    expected to agree in every digit.
    """
    surface = Surface(architecture, parameters, examples, loss)
    x = surface.parameters
    radius, z, step = epsilon * (np.abs(x) + 1), np.zeros_like(x), np.ones((*x.shape[:2], 1))
    with np.errstate(over="ignore", invalid="ignore"):
        start = best = surface.loss(x)
        for _ in range(iterations):
            corner = np.where(surface.gradient(x + z) < 0, -radius, radius)
            trial = z + step * (corner - z)
            value = surface.loss(x + trial)
            better = (value > best)[..., None]
            z, best = np.where(better, trial, z), np.fmax(value, best)
            step = np.where(better, np.minimum(2 * step, 1), step / 2)
        return 100 * (best - start) / (1 + start)


class Surface:
    """The mean loss of every lane over its examples, around the lanes' parameters."""

    def __init__(
        self,
        architecture: Architecture,
        parameters: Parameters,
        examples: Sequence[Examples],
        loss: str,
        numerics: str = NUMPY,
    ) -> None:
        self.parameters = parameters.astype(np.float64)
        self.W = architecture.layers(self.parameters)
        self.data = stack(examples, np.float64)
        self.passes = Backprop(architecture, loss, np.float64, numerics)
        self.layers = architecture.layers
        self._output = LOSSES[loss].output

    def loss(self, parameters: Parameters) -> PerLane:
        """Return the mean loss at other parameters."""
        W = self.layers(parameters)
        losses = [self.passes.loss(W, phi, t)[0] for _, phi, t in slices_of(self.data)]
        return np.concatenate(losses, axis=-1).mean(axis=-1)

    def gradient(self, parameters: Parameters) -> Parameters:
        """Return the gradient at other parameters."""
        W, data = self.layers(parameters), self.data
        return self.passes.gradient(W, data.inputs, data.targets, weight=1 / data.examples)

    def curvature(self, vectors: Parameters) -> Parameters:
        """Return `H v` of each lane."""
        V, total = self.layers(vectors), np.zeros_like(self.parameters)
        for _, phi, t in slices_of(self.data):
            # Kept until the next are made: else the allocator gives memory back at every slice.
            products = self._products(V, phi, t)
            for layer, product in zip(self.layers(total), products, strict=True):
                np.add(layer, product, out=layer)
        return total / self.data.examples

    def _products(self, V: Weights, phi: Inputs, t: Targets) -> list[Array]:
        # R{.} is the derivative in the direction V (Pearlmutter 1994): applied to the equations of
        # the forward pass, then to those of the backward pass.
        layers, deltas = self.passes.deltas(self.W, phi, t)
        slopes, bends = zip(*map(self._slope_and_bend, range(len(V)), layers), strict=True)
        upper_W = [W[..., 1:, :] for W in self.W]
        R_net, R_psi = [phi @ V[0]], []
        for above in range(1, len(V)):
            R_psi.append(slopes[above - 1] * R_net[-1])
            R_net.append(layers[above].phi @ V[above] + R_psi[-1] @ upper_W[above])
        psi = layers[-1].psi
        R_delta = self._output_delta(psi - t, psi, slopes[-1], bends[-1], R_net[-1])
        products: list[Array] = []
        for above in range(len(V) - 1, 0, -1):
            delta, below = deltas[above], above - 1
            product = layers[above].phi.mT @ R_delta
            product[..., 1:, :] += R_psi[below].mT @ delta
            products.insert(0, product)
            E_psi = delta @ upper_W[above].mT
            R_E_psi = R_delta @ upper_W[above].mT + delta @ V[above][..., 1:, :].mT
            R_delta = R_E_psi * slopes[below] + E_psi * bends[below] * R_net[below]
        return [phi.mT @ R_delta, *products]

    def _slope_and_bend(self, number: int, layer: Layer) -> tuple[Array, Array]:
        """Return f' and f'' of each unit of a layer; 0 for softmax."""
        bend = self.passes.activations[number].bend
        if bend is None:
            return np.zeros(()), np.zeros(())
        slope = self.passes.slope(number, layer)
        return slope, bend(layer.net, layer.psi, slope)

    def _output_delta(
        self, error: Array, psi: Array, slope: Array, bend: Array, R_net: Array
    ) -> Array:
        # Every loss has the gradient psi - t, in psi or for its own output in net: R{psi - t} is
        # R{psi}. Softmax is the one output without a slope.
        if self._output == "softmax":
            return psi * (R_net - np.add.reduce(psi * R_net, axis=-1, keepdims=True))
        R_psi = slope * R_net
        return R_psi if self._output else R_psi * slope + error * bend * R_net


def _lanczos(
    product: Callable[[Parameters], Parameters], v: Parameters, tolerance: float, products: int
) -> TopEigenvalue:
    lanes = v.shape[:2]
    T = np.zeros((*lanes, products + 1, products + 1))
    value, residual, done = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes, np.bool_)
    before, beta = np.zeros_like(v), np.zeros((*lanes, 1))
    for k in range(products):
        w = product(v)
        lost = np.logical_not(np.isfinite(w).all(axis=-1))
        w = w - beta * before
        alpha = np.add.reduce(w * v, axis=-1, keepdims=True)
        w = w - alpha * v
        w[lost], alpha[lost] = 0, 0
        T[..., k, k], beta = alpha[..., 0], _norm(w)
        # The residual of a Ritz vector is beta times its last component (Paige 1980).
        values, vectors = np.linalg.eigh(T[..., : k + 1, : k + 1])
        theta, bound = values[..., -1].copy(), beta[..., 0] * np.abs(vectors[..., -1, -1])
        theta[lost] = np.nan
        value, residual = np.where(done, value, theta), np.where(done, residual, bound)
        done |= lost | (bound <= tolerance * np.abs(theta))
        if done.all():
            break
        T[..., k, k + 1] = T[..., k + 1, k] = beta[..., 0]
        before, v = v, np.divide(w, beta, out=np.zeros_like(w), where=beta > 0)
    return TopEigenvalue(value, residual)


def _norm(values: Annotated[Array, "*lane parameter"]) -> Annotated[Array, "*lane 1"]:
    return np.sqrt(np.add.reduce(np.square(values), axis=-1, keepdims=True))

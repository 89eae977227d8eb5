"""Curvature of the loss around a network: Hessian products, top eigenvalue, Keskar's sharpness.

Everything is that of the mean loss over the examples, without weight penalty, computed in float64;
NaN where weights are not finite. Arguments are those of `evaluate` and what is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    at_once,
    stack,
)
from bpengine.network.streams import standard_normal
from bpengine.passes import Backprop, Inputs, Weights, cache_slices
from bpengine.passes.backprop import Targets


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
    surface = _Surface(architecture, parameters, examples, loss)
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
    surface = _Surface(architecture, parameters, examples, loss)
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
    surface = _Surface(architecture, parameters, examples, loss)
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


class _Surface:
    """The mean loss of every lane over its examples, around the lanes' parameters."""

    def __init__(
        self,
        architecture: Architecture,
        parameters: Parameters,
        examples: Sequence[Examples],
        loss: str,
    ) -> None:
        seeds, settings = parameters.shape[:2]
        self.parameters = parameters.astype(np.float64)
        self._architecture = architecture
        self._data = stack(examples, np.float64)
        self._passes = Backprop(architecture, loss, (seeds, settings), np.float64)
        self._loss = LOSSES[loss]
        self._one = np.ones((seeds, settings, 1, 1))

    def loss(self, parameters: Parameters) -> PerLane:
        W = self._architecture.layers(parameters)
        losses = [self._passes.loss(W, phi, t)[0] for phi, t in self._slices()]
        return np.concatenate(losses, axis=-1).mean(axis=-1)

    def gradient(self, parameters: Parameters) -> Parameters:
        W, data = self._architecture.layers(parameters), self._data
        weight = self._one / data.items
        return self._passes.gradient(W, data.inputs, data.targets, weight=weight)

    def curvature(self, vectors: Parameters) -> Parameters:
        W, V = (self._architecture.layers(each) for each in (self.parameters, vectors))
        total = np.zeros_like(self.parameters)
        for phi, t in self._slices():
            products = self._products(W, V, self._linearise(W, phi, t), t)
            for layer, product in zip(self._architecture.layers(total), products, strict=True):
                np.add(layer, product, out=layer)
        return total / self._data.items

    def _slices(self) -> Iterator[tuple[Inputs, Targets]]:
        for rows in cache_slices(self._data.items):
            yield self._data.inputs[:, :, rows], self._data.targets[:, :, rows]

    def _products(self, W: Weights, V: Weights, layers: list[_Linear], t: Targets) -> list[Array]:
        # R{.} is the derivative in the direction V (Pearlmutter 1994): applied to the equations of
        # the forward pass, then to those of the backward pass.
        R_net, R_psi = [layers[0].phi @ V[0]], []
        for layer_number in range(1, len(W)):
            R_psi.append(layers[layer_number - 1].slope * R_net[-1])
            R_net.append(
                layers[layer_number].phi @ V[layer_number] + R_psi[-1] @ W[layer_number][..., 1:, :]
            )
        R_delta = self._output_delta(layers[-1], R_net[-1], t)
        products: list[Array] = []
        for layer_number in range(len(W) - 1, 0, -1):
            layer, below = layers[layer_number], layers[layer_number - 1]
            fed_W = W[layer_number][..., 1:, :]
            product = layer.phi.mT @ R_delta
            product[..., 1:, :] += R_psi[layer_number - 1].mT @ layer.delta
            products.insert(0, product)
            E_psi = layer.delta @ fed_W.mT
            R_E_psi = R_delta @ fed_W.mT + layer.delta @ V[layer_number][..., 1:, :].mT
            R_delta = R_E_psi * below.slope + E_psi * below.bend * R_net[layer_number - 1]
        return [layers[0].phi.mT @ R_delta, *products]

    def _linearise(self, W: Weights, phi: Inputs, t: Targets) -> list[_Linear]:
        linear = []
        for layer in self._passes.deltas(W, phi, t, self._one):
            # Without the bias unit's column.
            fed = layer.fed_delta.shape[-1]
            slope: Array = np.zeros(())
            bend = slope
            if layer.activation.bend is not None:
                slope = layer.differentiate(at_once)[..., -fed:]
                bend = layer.activation.bend(layer.net[..., -fed:], layer.psi[..., -fed:], slope)
            linear.append(_Linear(phi, layer.psi, layer.fed_delta, slope, bend))
            phi = layer.psi
        return linear

    def _output_delta(self, last: _Linear, R_net: Array, t: Targets) -> Array:
        # Every loss has the gradient psi - t, in psi or for its own output in net: R{psi - t} is
        # R{psi}. Softmax is the one output without a slope.
        if self._loss.output == "softmax":
            R_net = R_net - np.add.reduce(last.psi * R_net, axis=-1, keepdims=True)
            return last.psi * R_net
        R_psi = last.slope * R_net
        if self._loss.output is not None:
            return R_psi
        return R_psi * last.slope + (last.psi - t) * last.bend * R_net


@dataclass(frozen=True)
class _Linear:
    """A layer at its input: what it was fed, what came out, delta, f' and f'' of each unit."""

    phi: Annotated[Array, "seed setting batch fan_in"]
    psi: Annotated[Array, "seed setting batch fan_out"]
    delta: Annotated[Array, "seed setting batch fan_out"]
    slope: Annotated[Array, "seed setting batch fan_out"]
    bend: Annotated[Array, "seed setting batch fan_out"]


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
        theta, bound = _top_ritz(T[..., : k + 1, : k + 1], beta[..., 0])
        theta[lost] = np.nan
        value, residual = np.where(done, value, theta), np.where(done, residual, bound)
        done |= lost | (bound <= tolerance * np.abs(theta))
        if done.all():
            break
        T[..., k, k + 1] = T[..., k + 1, k] = beta[..., 0]
        before, v = v, np.divide(w, beta, out=np.zeros_like(w), where=beta > 0)
    return TopEigenvalue(value, residual)


def _top_ritz(T: Array, beta: PerLane) -> tuple[PerLane, PerLane]:
    # The residual of a Ritz vector is beta times its last component (Paige 1980).
    values, vectors = np.linalg.eigh(T)
    return values[..., -1].copy(), beta * np.abs(vectors[..., -1, -1])


def _norm(values: Annotated[Array, "*lane parameter"]) -> Annotated[Array, "*lane 1"]:
    return np.sqrt(np.add.reduce(np.square(values), axis=-1, keepdims=True))

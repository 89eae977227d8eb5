"""Optimizers: from a gradient and explicit state to a step, `W := W - step`.

Every optimizer is an entry of `OPTIMIZERS`. Its function works on all lanes at once and writes over
the gradient; lanes differ in any hyperparameter. Adding weight decay and clipping is the same for
all and happens in `Stepper`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine.arrays import Array, BoolArray
from bpengine.network import Architecture, check_name

COMMON: Mapping[str, float] = {"l2": 0.0, "weight_decay": 0.0, "clip_norm": float("inf")}
"""Hyperparameters of every optimizer, beside `learning_rate`, with their defaults.

* `l2` adds `l2 W` to the gradient of the mean loss, bias rows included. Under the reduction `sum`
  it adds `n l2 W`, n being the examples of the batch: the minimised objective, mean loss plus
  `l2 / 2 |W|^2`, is the same for every batch size and reduction.
* `weight_decay` is decoupled: the step gains `learning_rate * weight_decay * W`, divided by
  nothing, as in AdamW. Over an epoch it therefore acts once for each update.
* `clip_norm` scales a lane's whole gradient down to this norm where it is larger, before anything
  else is done with it.
"""


@dataclass(frozen=True)
class Step:
    """What an optimizer's function works on.

    Attributes:
        gradient: `dE/dW`; the function writes the step over it.
        parameters: The weights, not to be changed.
        slots: The optimizer's state, zero at the start.
        scratch: Anything may be written here.
        rate: Learning rate of each lane at this update, schedule included.
        settings: The optimizer's own hyperparameters by name: one value for each setting, or a
            single one that they share.
        columns: The same, always one value for each setting.
        update: Number of the update, from 1.
        layers: Cuts an array of parameters into layers, for optimizers that treat them apart.
    """

    gradient: Annotated[Array, "seed setting parameter"]
    parameters: Annotated[Array, "seed setting parameter"]
    slots: Sequence[Annotated[Array, "seed setting parameter"]]
    scratch: Annotated[Array, "seed setting parameter"]
    rate: Annotated[Array, "seed setting 1"]
    settings: Mapping[str, Array]
    columns: Mapping[str, Annotated[Array, "setting 1"]]
    update: int
    layers: Callable[[Array], list[Annotated[Array, "seed setting fan_in fan_out"]]]


@dataclass(frozen=True)
class Optimizer:
    """A rule that turns gradients into steps.

    Attributes:
        name: The key in `OPTIMIZERS`.
        defaults: Its hyperparameters, those in `COMMON` included, with their defaults.
        slots: Arrays of state it keeps, each of the size of the parameters.
        step: Writes the step over the gradient and updates the slots.
    """

    name: str
    defaults: Mapping[str, float]
    slots: int
    step: Callable[[Step], None]


def _sgd(_step: Step) -> None:
    """`step = eta g` (paper, section 2.4). The gradient comes with the rate in it."""


def _momentum(step: Step) -> None:
    """`v := mu v + g; step = eta v` (Polyak 1964, in the form of Sutskever et al. 2013)."""
    g, (v,) = step.gradient, step.slots
    np.multiply(v, step.settings["momentum"], out=v)
    np.add(v, g, out=v)
    np.multiply(v, step.rate, out=g)


def _nesterov(step: Step) -> None:
    """`v := mu v + g; step = eta (g + mu v)` (Nesterov 1983, in the usual rewritten form)."""
    g, (v,), mu = step.gradient, step.slots, step.settings["momentum"]
    np.multiply(v, mu, out=v)
    np.add(v, g, out=v)
    np.multiply(v, mu, out=step.scratch)
    np.add(g, step.scratch, out=g)
    np.multiply(g, step.rate, out=g)


def _adagrad(step: Step) -> None:
    """`G := G + g^2; step = eta g / (sqrt G + eps)` (Duchi et al. 2011)."""
    g, (total,), scratch = step.gradient, step.slots, step.scratch
    np.multiply(g, g, out=scratch)
    np.add(total, scratch, out=total)
    np.sqrt(total, out=scratch)
    np.add(scratch, step.settings["epsilon"], out=scratch)
    np.divide(g, scratch, out=g)
    np.multiply(g, step.rate, out=g)


def _rmsprop(step: Step) -> None:
    """`v := a v + (1 - a) g^2; step = eta g / (sqrt v + eps)` (Tieleman and Hinton 2012)."""
    g, (v,), scratch, alpha = step.gradient, step.slots, step.scratch, step.settings["alpha"]
    np.multiply(v, alpha, out=v)
    np.multiply(g, g, out=scratch)
    np.multiply(scratch, 1 - alpha, out=scratch)
    np.add(v, scratch, out=v)
    np.sqrt(v, out=scratch)
    np.add(scratch, step.settings["epsilon"], out=scratch)
    np.divide(g, scratch, out=g)
    np.multiply(g, step.rate, out=g)


def _adam(step: Step) -> None:
    """`m := b1 m + (1 - b1) g; v := b2 v + (1 - b2) g^2; step = eta m^ / (sqrt v^ + eps)`.

    `m^ = m / (1 - b1^t)` and `v^ = v / (1 - b2^t)` (Kingma and Ba 2015, algorithm 1).
    """
    factor = _adam_direction(step)
    np.multiply(step.gradient, step.rate * factor, out=step.gradient)


def _adam_direction(step: Step) -> Array:
    # Writes m^ / (sqrt v^ + eps) up to the factor it returns. The slots hold m / (1 - b1) and
    # v / (1 - b2), which saves passes over the parameters: with a and b below, the direction is
    # a m' / (sqrt v' + eps b).
    #
    # The scalars are computed from columns always: NumPy's power of a number and of an array may
    # differ in the last bit, and a lane must not depend on what its neighbours share.
    g, (m, v), columns = step.gradient, step.slots, step.columns
    b1, b2 = columns["beta1"], columns["beta2"]
    b = np.sqrt((1 - b2**step.update) / (1 - b2))
    a = b * (1 - b1) / (1 - b1**step.update)
    np.multiply(m, step.settings["beta1"], out=m)
    np.add(m, g, out=m)
    np.multiply(g, g, out=g)
    np.multiply(v, step.settings["beta2"], out=v)
    np.add(v, g, out=v)
    np.sqrt(v, out=g)
    np.add(g, shared(columns["epsilon"] * b), out=g)
    np.divide(m, g, out=g)
    return a


def _lars(step: Step) -> None:
    """`v := mu v + eta l (g + w_d W); step = v`, with `l = c |W| / (|g| + w_d |W|)` for each layer.

    A layer with |W| = 0 or |g| = 0 has l = 1 (You, Gitman and Ginsburg 2017, algorithm 1). The
    weight decay is part of the direction here, not added afterwards.
    """
    settings, (v,) = step.settings, step.slots
    decay, trust = settings["weight_decay"][..., None], settings["trust"][..., None]
    layers = zip(step.layers(step.gradient), step.layers(step.parameters), strict=True)
    scratch = step.layers(step.scratch)
    for (g, W), layer_scratch in zip(layers, scratch, strict=True):
        weights, gradients = _norm(W, layer_scratch), _norm(g, layer_scratch)
        known = (weights > 0) & (gradients > 0)
        local = np.divide(
            trust * weights, gradients + decay * weights, out=np.ones_like(weights), where=known
        )
        np.multiply(W, decay, out=layer_scratch)
        np.add(g, layer_scratch, out=g)
        np.multiply(g, local * step.rate[..., None], out=g)
    np.multiply(v, settings["momentum"], out=v)
    np.add(v, step.gradient, out=v)
    np.copyto(step.gradient, v)


def _lamb(step: Step) -> None:
    """`step = eta |W| / |u| u` for each layer, with `u = m^ / (sqrt v^ + eps) + w_d W`.

    A layer with |W| = 0 or |u| = 0 has the factor 1 (You et al. 2020, algorithm 2, with phi the
    identity). The weight decay is part of the direction here, not added afterwards.
    """
    np.multiply(step.gradient, _adam_direction(step), out=step.gradient)
    decay = step.settings["weight_decay"][..., None]
    layers = zip(step.layers(step.gradient), step.layers(step.parameters), strict=True)
    scratch = step.layers(step.scratch)
    for (u, W), layer_scratch in zip(layers, scratch, strict=True):
        np.multiply(W, decay, out=layer_scratch)
        np.add(u, layer_scratch, out=u)
        weights, directions = _norm(W, layer_scratch), _norm(u, layer_scratch)
        known = (weights > 0) & (directions > 0)
        ratio = np.divide(weights, directions, out=np.ones_like(weights), where=known)
        np.multiply(u, ratio * step.rate[..., None], out=u)


def _norm(layer: Array, scratch: Array) -> Annotated[Array, "seed setting 1 1"]:
    # Row by row, then over the rows: an order that does not depend on the number of lanes.
    np.multiply(layer, layer, out=scratch)
    rows = np.add.reduce(scratch, axis=-1)
    return np.sqrt(np.add.reduce(rows, axis=-1))[..., None, None]


_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("sgd", {**COMMON}, 0, _sgd),
        Optimizer("momentum", {**COMMON, "momentum": 0.9}, 1, _momentum),
        Optimizer("nesterov", {**COMMON, "momentum": 0.9}, 1, _nesterov),
        Optimizer("adagrad", {**COMMON, "epsilon": 1e-10}, 1, _adagrad),
        Optimizer("rmsprop", {**COMMON, "alpha": 0.99, "epsilon": 1e-8}, 1, _rmsprop),
        Optimizer("adam", {**COMMON, **_ADAM}, 2, _adam),
        Optimizer("adamw", {**COMMON, **_ADAM, "weight_decay": 0.01}, 2, _adam),
        Optimizer("lars", {**COMMON, "momentum": 0.9, "trust": 0.001}, 1, _lars),
        Optimizer("lamb", {**COMMON, **_ADAM, "epsilon": 1e-6, "weight_decay": 0.01}, 2, _lamb),
    )
}
"""Every optimizer by name."""

_DECAYS_BY_ITSELF = ("lars", "lamb")


class Stepper:
    """An optimizer with the state and the hyperparameters of every lane.

    Args:
        name: Name in `OPTIMIZERS`.
        settings: Hyperparameters of each setting; `learning_rate` is required, the others default
            to those of the optimizer.
        architecture: The network of every lane.
        parameters: The lanes' weights, which `apply` changes.

    Attributes:
        rate: Learning rate of each lane, before any schedule.
        slots: The optimizer's state.
        update: Updates made so far.
        folds: Whether gradients must come with the scheduled rate in them, as for sgd, whose step
            is their product: whoever computes the gradient gets it for nothing.

    Raises:
        ValueError: The name or a hyperparameter is unknown, missing or out of range.
    """

    def __init__(
        self,
        name: str,
        settings: Sequence[Mapping[str, float]],
        architecture: Architecture,
        parameters: Annotated[Array, "seed setting parameter"],
    ) -> None:
        check_settings(name, settings)
        self._optimizer = OPTIMIZERS[name]
        self._parameters = parameters
        self._layers = architecture.layers
        full = [{**self._optimizer.defaults, **setting} for setting in settings]
        dtype = parameters.dtype
        self._columns = {
            key: np.array([[setting[key]] for setting in full], dtype)
            for key in self._optimizer.defaults
        }
        self._settings = {key: shared(column) for key, column in self._columns.items()}
        rates = np.array([[setting["learning_rate"]] for setting in full], dtype)
        self.rate = np.tile(rates, (parameters.shape[0], 1, 1))
        self.slots = [np.zeros_like(parameters) for _ in range(self._optimizer.slots)]
        self.update = 0
        self._scratch = np.empty_like(parameters)
        self._scheduled = np.empty_like(self.rate)
        self._has_l2 = bool(self._columns["l2"].any())
        self._clips = bool(np.isfinite(self._columns["clip_norm"]).any())
        self._decays = name not in _DECAYS_BY_ITSELF and bool(self._columns["weight_decay"].any())
        self.folds = name == "sgd"
        # Rounding must not depend on what other settings ask for: a lane that neither clips nor
        # decays is multiplied by 1 and added 0, and sgd's gradient has the rate in it always.
        self._in_gradient = self._scheduled if self.folds else np.ones_like(self.rate)

    def halt(self, lanes: Annotated[BoolArray, "seed setting"]) -> None:
        """Let lanes stand still from now on: no rate, and no momentum that outlives it.

        Args:
            lanes: Which.
        """
        self.rate[lanes] = 0
        for slot in self.slots:
            slot[lanes] = 0

    def apply(
        self,
        gradient: Annotated[Array, "seed setting parameter"],
        factor: float,
        *,
        total_weight: float,
    ) -> None:
        """Change the parameters by one step.

        Args:
            gradient: `dE/dW`, which is written over; with the scheduled rate in it if `folds`.
            factor: What the schedule makes of the learning rates.
            total_weight: Sum of the examples' weights in `E`: 1 for their mean, n for their sum.
        """
        self.update += 1
        np.multiply(self.rate, self.rate.dtype.type(factor), out=self._scheduled)
        self._optimize(gradient, total_weight)
        np.subtract(self._parameters, gradient, out=self._parameters)

    def _optimize(self, gradient: Array, total_weight: float) -> None:
        parameters, scratch = self._parameters, self._scratch
        if self._clips:
            _clip(gradient, self._columns["clip_norm"], self._in_gradient, scratch)
        if self._has_l2:
            penalty = self._columns["l2"] * parameters.dtype.type(total_weight)
            np.multiply(parameters, penalty * self._in_gradient, out=scratch)
            np.add(gradient, scratch, out=gradient)
        self._optimizer.step(
            Step(
                gradient,
                parameters,
                self.slots,
                scratch,
                self._scheduled,
                self._settings,
                self._columns,
                self.update,
                self._layers,
            )
        )
        if self._decays:
            np.multiply(parameters, self._settings["weight_decay"] * self._scheduled, out=scratch)
            np.add(gradient, scratch, out=gradient)


def shared(column: Annotated[Array, "setting 1"]) -> Array:
    """Return a column of one value for each setting, or the single value that they share.

    NumPy multiplies an array by a single number twice as fast as by a column.
    """
    return column[0, 0, ...] if (column == column[0]).all() else column


def _clip(
    gradient: Array,
    limit: Annotated[Array, "setting 1"],
    scale: Annotated[Array, "seed setting 1"],
    scratch: Array,
) -> None:
    np.multiply(gradient, gradient, out=scratch)
    norm = np.sqrt(np.add.reduce(scratch, axis=-1, keepdims=True))
    most = np.multiply(limit, scale, out=np.full_like(norm, np.inf), where=np.isfinite(limit))
    # The factor is 1 where the norm is within the limit.
    factor = np.divide(most, norm, out=np.ones_like(norm), where=norm > most)
    np.multiply(gradient, factor, out=gradient)


def check_settings(name: str, settings: Sequence[Mapping[str, float]]) -> None:
    """Refuse hyperparameters that an optimizer does not have or that are out of range.

    Args:
        name: Name in `OPTIMIZERS`.
        settings: Hyperparameters of each setting.

    Raises:
        ValueError: With the first that is wrong, its value and what is allowed.
    """
    check_name("optimizer", name, OPTIMIZERS)
    known = {"learning_rate", *OPTIMIZERS[name].defaults}
    if not settings:
        raise ValueError("`settings` must not be empty.")
    for setting in settings:
        if not {"learning_rate"} <= setting.keys() <= known:
            raise ValueError(
                f"A setting of {name} must hold 'learning_rate' and may hold "
                f"{sorted(known - {'learning_rate'})}, but got {sorted(setting)}."
            )
        for key, value in setting.items():
            low, high, text = _RANGES.get(key, _POSITIVE)
            if not low <= value <= high:
                raise ValueError(f"`{key}` must be {text}, but got {value}.")


_TINY = float(np.nextafter(0, 1))
_LARGE = float(np.finfo(np.float64).max)
_BELOW_ONE = float(np.nextafter(1, 0))
_POSITIVE = (_TINY, _LARGE, "finite and above 0")
_NOT_NEGATIVE = (0.0, _LARGE, "finite and at least 0")
_SHARE = (0.0, _BELOW_ONE, "at least 0 and below 1")
_RANGES = {
    "momentum": _SHARE,
    "alpha": _SHARE,
    "beta1": _SHARE,
    "beta2": _SHARE,
    "l2": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "epsilon": _NOT_NEGATIVE,
    "clip_norm": (_TINY, float("inf"), "above 0"),
}

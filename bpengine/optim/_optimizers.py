"""Optimizers: from a gradient and explicit state to a step, `W := W - step`.

Each works on all lanes at once, which may differ in any hyperparameter, and writes the step over
the gradient. Penalties and clipping are the stepper's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine.network import Array, Call, Parameters, check_name

COMMON: Mapping[str, float] = {"l2": 0.0, "weight_decay": 0.0, "clip_norm": float("inf")}
"""Hyperparameters of every optimizer, in addition to `learning_rate`, with their defaults.

* `l2` adds `l2 W` to the gradient of the mean loss, bias rows included. Under the reduction `sum`
  it adds `n l2 W`, n being the examples of the batch: the minimised objective, mean loss plus
  `l2 / 2 |W|^2`, is the same for every batch size and reduction.
* `weight_decay` is decoupled: the step gains `learning_rate * weight_decay * W`, divided by
  nothing, as in AdamW. Over an epoch it therefore acts once for each update.
* `clip_norm` scales a lane's whole gradient down to this norm where it is larger, before anything
  else is done with it.
"""


MEMORIES = ("momentum", "alpha", "beta1", "beta2")
"""Hyperparameters that are the share of the past kept at an update."""


def share_at(batch_size: int, share: float, reference: int) -> float:
    """Return the share kept at an update where the half-life is the same in examples.

    Source: Busbridge et al. 2023, How to scale your EMA (arXiv 2307.13813), definition 1.2.
    """
    return share ** (batch_size / reference)


@dataclass(frozen=True)
class Step:
    """What an optimizer's function works on; it writes the step over `gradient`."""

    gradient: Parameters
    parameters: Parameters
    slots: Sequence[Parameters]  # state, zero at the start
    scratch: Parameters
    rate: Annotated[Array, "seed setting 1"]  # schedule included
    length: Annotated[Array, "setting 1"]  # factor of Adam's direction at this update
    move: Annotated[Array, "seed setting 1"]  # rate * length
    floor: Array  # what stands for Adam's epsilon at this update
    settings: Mapping[str, Array]  # hyperparameters, one value per setting or for all
    layers: Callable[[Array], list[Annotated[Array, "seed setting fan_in fan_out"]]]


@dataclass(frozen=True)
class Optimizer:
    """A rule that turns gradients into steps."""

    defaults: Mapping[str, float]
    slots: int  # arrays of state, each of the size of the parameters
    step: Callable[[Call, Step], None]


def _sgd(_call: Call, _step: Step) -> None:
    """`step = eta g` (paper, section 2.4). The gradient comes with the rate in it."""


def _momentum(call: Call, step: Step) -> None:
    """`v := mu v + g; step = eta v` (Polyak 1964, in the form of Sutskever et al. 2013)."""
    g, (v,) = step.gradient, step.slots
    call(np.multiply, v, step.settings["momentum"], v)
    call(np.add, v, g, v)
    call(np.multiply, v, step.rate, g)


def _nesterov(call: Call, step: Step) -> None:
    """`v := mu v + g; step = eta (g + mu v)` (Nesterov 1983, in the usual rewritten form)."""
    g, (v,), mu = step.gradient, step.slots, step.settings["momentum"]
    call(np.multiply, v, mu, v)
    call(np.add, v, g, v)
    call(np.multiply, v, mu, step.scratch)
    call(np.add, g, step.scratch, g)
    call(np.multiply, g, step.rate, g)


def _adagrad(call: Call, step: Step) -> None:
    """`G := G + g^2; step = eta g / (sqrt G + eps)` (Duchi et al. 2011)."""
    g, (total,), scratch = step.gradient, step.slots, step.scratch
    call(np.multiply, g, g, scratch)
    call(np.add, total, scratch, total)
    _divide_by_root(call, step, total)


def _rmsprop(call: Call, step: Step) -> None:
    """`v := a v + (1 - a) g^2; step = eta g / (sqrt v + eps)` (Tieleman and Hinton 2012)."""
    g, (v,), scratch, alpha = step.gradient, step.slots, step.scratch, step.settings["alpha"]
    call(np.multiply, v, alpha, v)
    call(np.multiply, g, g, scratch)
    call(np.multiply, scratch, 1 - alpha, scratch)
    call(np.add, v, scratch, v)
    _divide_by_root(call, step, v)


def _divide_by_root(call: Call, step: Step, squares: Parameters) -> None:
    g, scratch = step.gradient, step.scratch
    call(np.sqrt, squares, scratch)
    call(np.add, scratch, step.settings["epsilon"], scratch)
    call(np.divide, g, scratch, g)
    call(np.multiply, g, step.rate, g)


def _adam(call: Call, step: Step) -> None:
    """`m := b1 m + (1 - b1) g; v := b2 v + (1 - b2) g^2; step = eta m^ / (sqrt v^ + eps)`."""
    # `m^ = m / (1 - b1^t)` and `v^ = v / (1 - b2^t)` (Kingma and Ba 2015, algorithm 1).
    _adam_direction(call, step)
    call(np.multiply, step.gradient, step.move, step.gradient)


def _adam_direction(call: Call, step: Step) -> None:
    # Writes m^ / (sqrt v^ + eps) but for the factor `length`. The slots hold m / (1 - b1) and
    # v / (1 - b2), which saves passes over the parameters; see `_corrections`.
    g, (m, v) = step.gradient, step.slots
    call(np.multiply, m, step.settings["beta1"], m)
    call(np.add, m, g, m)
    call(np.multiply, g, g, g)
    call(np.multiply, v, step.settings["beta2"], v)
    call(np.add, v, g, v)
    call(np.sqrt, v, g)
    call(np.add, g, step.floor, g)
    call(np.divide, m, g, g)


def _lars(call: Call, step: Step) -> None:
    """`v := mu v + eta l (g + w_d W); step = v`, `l = c |W| / (|g| + w_d |W|)` for each layer."""
    # A layer with |W| = 0 or |g| = 0 has l = 1 (You, Gitman and Ginsburg 2017, algorithm 1). The
    # weight decay is part of the direction here, not added afterwards.
    settings, (v,) = step.settings, step.slots
    decay, trust = settings["weight_decay"][..., None], settings["trust"][..., None]
    for g, W, scratch in _layers(step):
        weights, gradients = _norm(call, W, scratch), _norm(call, g, scratch)
        local = np.empty_like(weights)
        rate = step.rate[..., None]
        call(_trust_ratio, weights, gradients, rate, trust=trust, decay=decay, out=local)
        call(np.multiply, W, decay, scratch)
        call(np.add, g, scratch, g)
        call(np.multiply, g, local, g)
    call(np.multiply, v, settings["momentum"], v)
    call(np.add, v, step.gradient, v)
    call(np.copyto, step.gradient, v)


def _lamb(call: Call, step: Step) -> None:
    """`step = eta |W| / |u| u` for each layer, with `u = m^ / (sqrt v^ + eps) + w_d W`."""
    # A layer with |W| = 0 or |u| = 0 has the factor 1 (You et al. 2020, algorithm 2, with phi the
    # identity). The weight decay is part of the direction here, not added afterwards.
    _adam_direction(call, step)
    call(np.multiply, step.gradient, step.length, step.gradient)
    decay, unit, none = step.settings["weight_decay"][..., None], np.ones(()), np.zeros(())
    for u, W, scratch in _layers(step):
        call(np.multiply, W, decay, scratch)
        call(np.add, u, scratch, u)
        weights, directions = _norm(call, W, scratch), _norm(call, u, scratch)
        ratio = np.empty_like(weights)
        rate = step.rate[..., None]
        call(_trust_ratio, weights, directions, rate, trust=unit, decay=none, out=ratio)
        call(np.multiply, u, ratio, u)


def _layers(step: Step) -> Iterator[tuple[Array, Array, Array]]:
    yield from zip(*map(step.layers, (step.gradient, step.parameters, step.scratch)), strict=True)


def _trust_ratio(
    weights: Array, directions: Array, rate: Array, *, trust: Array, decay: Array, out: Array
) -> None:
    # rate c |W| / (|g| + w_d |W|), or the rate where a norm is 0
    known = (weights > 0) & (directions > 0)
    out.fill(1)
    np.divide(trust * weights, directions + decay * weights, out=out, where=known)
    np.multiply(out, rate, out=out)


def _norm(call: Call, layer: Array, scratch: Array) -> Annotated[Array, "seed setting 1 1"]:
    # Row by row, then over the rows: an order that does not depend on the number of lanes.
    rows = np.empty(layer.shape[:-1], layer.dtype)
    norm = np.empty(layer.shape[:-2], layer.dtype)
    call(np.multiply, layer, layer, scratch)
    call(np.add.reduce, scratch, axis=-1, out=rows)
    call(np.add.reduce, rows, axis=-1, out=norm)
    call(np.sqrt, norm, norm)
    return norm[..., None, None]


_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

OPTIMIZERS = {
    "sgd": Optimizer({**COMMON}, 0, _sgd),
    "momentum": Optimizer({**COMMON, "momentum": 0.9}, 1, _momentum),
    "nesterov": Optimizer({**COMMON, "momentum": 0.9}, 1, _nesterov),
    "adagrad": Optimizer({**COMMON, "epsilon": 1e-10}, 1, _adagrad),
    "rmsprop": Optimizer({**COMMON, "alpha": 0.99, "epsilon": 1e-8}, 1, _rmsprop),
    "adam": Optimizer({**COMMON, **_ADAM}, 2, _adam),
    "adamw": Optimizer({**COMMON, **_ADAM, "weight_decay": 0.01}, 2, _adam),
    "lars": Optimizer({**COMMON, "momentum": 0.9, "trust": 0.001}, 1, _lars),
    "lamb": Optimizer({**COMMON, **_ADAM, "epsilon": 1e-6, "weight_decay": 0.01}, 2, _lamb),
}
"""Every optimizer by name."""

DECAYS_BY_ITSELF = ("lars", "lamb")
"""Optimizers whose own direction holds the weight decay."""


def check_settings(name: str, settings: Sequence[Mapping[str, float]]) -> None:
    """Refuse hyperparameters that an optimizer does not have or that are out of range."""
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
    if len({frozenset(setting) for setting in settings}) > 1:
        raise ValueError(
            "All `settings` must hold the same hyperparameters, but got "
            f"{[sorted(setting) for setting in settings]}."
        )


_TINY = float(np.nextafter(0, 1))
_LARGE = float(np.finfo(np.float64).max)
_BELOW_ONE = float(np.nextafter(1, 0))
_POSITIVE = (_TINY, _LARGE, "finite and above 0")
_NOT_NEGATIVE = (0.0, _LARGE, "finite and at least 0")
_SHARE = (0.0, _BELOW_ONE, "at least 0 and below 1")
_RANGES = {
    **dict.fromkeys(("momentum", "alpha", "beta1", "beta2"), _SHARE),
    **dict.fromkeys(("l2", "weight_decay"), _NOT_NEGATIVE),
    "clip_norm": (_TINY, float("inf"), "above 0"),
}

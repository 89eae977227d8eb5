"""Optimizers: from a gradient and explicit state to a step, `W := W - step`.

Each works on all lanes at once, which may differ in any hyperparameter. Penalties and clipping are
the stepper's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine.network import Array, Parameters, check_name

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


Numbers = Mapping[str, Annotated[Array, "setting 1"]]
"""Hyperparameters; `rate`, the learning rate with the schedule's factor; `length` and `floor`, the
factor of Adam's direction at this update and its epsilon."""


@dataclass(frozen=True)
class Optimizer:
    """A rule that turns gradients into steps."""

    defaults: Mapping[str, float]
    slots: int  # arrays of state, each of the size of the parameters and zero at the start
    # (gradient, parameters, slots, numbers): the step; the slots are written over
    step: Callable[[Parameters, Parameters, Sequence[Parameters], Numbers], Parameters]
    # whether it works on each layer by itself; its direction holds the weight decay then
    by_layer: bool = False


def _sgd(g: Array, _W: Array, _slots: Sequence[Array], numbers: Numbers) -> Array:
    """`step = eta g` (paper, section 2.4)."""
    return numbers["rate"] * g


def _momentum(g: Array, _W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`v := mu v + g; step = eta v` (Polyak 1964, in the form of Sutskever et al. 2013)."""
    (v,) = slots
    v[:] = numbers["momentum"] * v + g
    return numbers["rate"] * v


def _nesterov(g: Array, _W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`v := mu v + g; step = eta (g + mu v)` (Nesterov 1983, in the usual rewritten form)."""
    (v,), mu = slots, numbers["momentum"]
    v[:] = mu * v + g
    return numbers["rate"] * (g + mu * v)


def _adagrad(g: Array, _W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`G := G + g^2; step = eta g / (sqrt G + eps)` (Duchi et al. 2011)."""
    (G,) = slots
    G += g * g
    return numbers["rate"] * (g / (np.sqrt(G) + numbers["epsilon"]))


def _rmsprop(g: Array, _W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`v := a v + (1 - a) g^2; step = eta g / (sqrt v + eps)` (Tieleman and Hinton 2012)."""
    (v,), a = slots, numbers["alpha"]
    v[:] = a * v + (1 - a) * (g * g)
    return numbers["rate"] * (g / (np.sqrt(v) + numbers["epsilon"]))


def _adam(g: Array, _W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`m := b1 m + (1 - b1) g; v := b2 v + (1 - b2) g^2; step = eta m^ / (sqrt v^ + eps)`."""
    # `m^ = m / (1 - b1^t)` and `v^ = v / (1 - b2^t)` (Kingma and Ba 2015, algorithm 1).
    return numbers["rate"] * numbers["length"] * _adam_direction(g, slots, numbers)


def _adam_direction(g: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """Return `m^ / (sqrt v^ + eps)` but for the factor `length`."""
    # The slots hold m / (1 - b1) and v / (1 - b2), which saves two products; see `_corrections`.
    m, v = slots
    m[:] = numbers["beta1"] * m + g
    v[:] = numbers["beta2"] * v + g * g
    return m / (np.sqrt(v) + numbers["floor"])


def _lars(g: Array, W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`v := mu v + eta l (g + w_d W); step = v`, `l = c |W| / (|g| + w_d |W|)` for each layer."""
    # A layer with |W| = 0 or |g| = 0 has l = 1 (You, Gitman and Ginsburg 2017, algorithm 1). The
    # weight decay is part of the direction here, not added afterwards.
    (v,), decay = slots, numbers["weight_decay"]
    local = _trust(_norm(W), _norm(g), numbers["trust"], decay)
    v[:] = numbers["momentum"] * v + numbers["rate"] * local * (g + decay * W)
    return v


def _lamb(g: Array, W: Array, slots: Sequence[Array], numbers: Numbers) -> Array:
    """`step = eta |W| / |u| u` for each layer, with `u = m^ / (sqrt v^ + eps) + w_d W`."""
    # A layer with |W| = 0 or |u| = 0 has the factor 1 (You et al. 2020, algorithm 2, with phi the
    # identity). The weight decay is part of the direction here, not added afterwards.
    u = numbers["length"] * _adam_direction(g, slots, numbers) + numbers["weight_decay"] * W
    return numbers["rate"] * _trust(_norm(W), _norm(u)) * u


def _trust(
    weights: Array, directions: Array, trust: Array | float = 1.0, decay: Array | float = 0.0
) -> Array:
    """Return `c |W| / (|g| + w_d |W|)`, or 1 where a norm is 0."""
    known = (weights > 0) & (directions > 0)
    ratio = np.ones_like(weights)
    return np.divide(trust * weights, directions + decay * weights, out=ratio, where=known)


def _norm(layer: Parameters) -> Annotated[Array, "seed setting 1"]:
    return np.sqrt(np.add.reduce(layer * layer, axis=-1, keepdims=True))


_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

OPTIMIZERS = {
    "sgd": Optimizer({**COMMON}, 0, _sgd),
    "momentum": Optimizer({**COMMON, "momentum": 0.9}, 1, _momentum),
    "nesterov": Optimizer({**COMMON, "momentum": 0.9}, 1, _nesterov),
    "adagrad": Optimizer({**COMMON, "epsilon": 1e-10}, 1, _adagrad),
    "rmsprop": Optimizer({**COMMON, "alpha": 0.99, "epsilon": 1e-8}, 1, _rmsprop),
    "adam": Optimizer({**COMMON, **_ADAM}, 2, _adam),
    "adamw": Optimizer({**COMMON, **_ADAM, "weight_decay": 0.01}, 2, _adam),
    "lars": Optimizer({**COMMON, "momentum": 0.9, "trust": 0.001}, 1, _lars, by_layer=True),
    "lamb": Optimizer(
        {**COMMON, **_ADAM, "epsilon": 1e-6, "weight_decay": 0.01}, 2, _lamb, by_layer=True
    ),
}
"""Every optimizer by name."""


def usual_rate_rule(optimizer: str) -> str:
    """Return the name in `RATE_RULES` that theory gives: `sqrt` where gradients are normalised."""
    # Goyal et al. 2017 for SGD; You et al. 2020 for LAMB, Malladi et al. 2022 for Adam and RMSprop.
    return "sqrt" if "epsilon" in OPTIMIZERS[optimizer].defaults else "linear"


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

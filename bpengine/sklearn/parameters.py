"""What each parameter of an estimator may be, and how that is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from types import UnionType
from typing import Any

import numpy as np

from bpengine.network.activations import ACTIVATIONS
from bpengine.optim.optimizers import OPTIMIZERS

Rule = tuple[Callable[[Any], bool], str]
"""Whether a value is allowed, and what is, in words."""

_INT, _NUMBER = int | np.integer, int | float | np.integer | np.floating
_TINY, _LARGE = math.ulp(0.0), math.nextafter(math.inf, 0.0)


def _is(kind: type | UnionType, low: float, high: float = _LARGE) -> Callable[[Any], bool]:
    def allows(value: Any) -> bool:  # noqa: ANN401 - a parameter may be anything
        number = value.item() if isinstance(value, np.generic) else value
        return isinstance(value, kind) and not isinstance(value, bool) and low <= number <= high

    return allows


def one_of(names: Collection[str]) -> Rule:
    """Return the rule of a parameter that is one of some names.

    Args:
        names: The names.
    """
    return lambda value: isinstance(value, str) and value in names, f"one of {sorted(names)}"


_is_count, _is_seed = _is(_INT, 1), _is(_INT, 0, 2**32 - 1)
RULES: Mapping[str, Rule] = {
    "hidden_layer_sizes": (
        lambda value: isinstance(value, tuple | list) and all(map(_is_count, value)),
        "a tuple or list of ints of at least 1",
    ),
    "activation": one_of(ACTIVATIONS.keys() - {"softmax"}),
    "optimizer": one_of(OPTIMIZERS),
    "learning_rate": (_is(_NUMBER, _TINY), "a number, finite and above 0"),
    "batch_size": (
        lambda value: _is_count(value) or (isinstance(value, str) and value == "auto"),
        "an int of at least 1 or 'auto'",
    ),
    "epochs": (_is_count, "an int of at least 1"),
    "l2": (_is(_NUMBER, 0), "a number, finite and at least 0"),
    "patience": (lambda value: value is None or _is_count(value), "an int of at least 1 or None"),
    "validation_fraction": (
        _is(_NUMBER, _TINY, math.nextafter(1.0, 0.0)),
        "a number above 0 and below 1",
    ),
    "random_state": (
        lambda value: isinstance(value, np.random.RandomState | None) or _is_seed(value),
        "an int from 0 to 2**32 - 1, a RandomState or None",
    ),
}
"""Rules of the parameters, but for the loss, of which every estimator has its own."""

"""A wrong parameter is refused, and the message says what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refused import refused

from bpengine.optim._optimizers import OPTIMIZERS
from tests.bpengine.fitted import IRIS_X, IRIS_Y, classifier, fitted

COUNT = "an int of at least 1"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("hidden_layer_sizes", (3, 0), "a tuple or list of ints of at least 1"),
        ("hidden_layer_sizes", 3, "a tuple or list of ints of at least 1"),
        (
            "activation",
            "softmax",
            "one of ['gelu', 'identity', 'leaky_relu', 'relu', 'sigmoid', 'tanh']",
        ),
        ("loss", "hinge", "one of ['cross_entropy', 'squared_error']"),
        ("optimizer", None, f"one of {sorted(OPTIMIZERS)}"),
        ("learning_rate", 0, "a number, finite and above 0"),
        ("learning_rate", "fast", "a number, finite and above 0"),
        ("learning_rate", float("inf"), "a number, finite and above 0"),
        ("batch_size", 0, f"{COUNT} or 'auto'"),
        ("batch_size", "all", f"{COUNT} or 'auto'"),
        ("batch_size", 151, "at most the 150 examples to train on, or 'auto' for a fitting one"),
        ("epochs", 2.0, COUNT),
        ("epochs", True, COUNT),
        ("epochs", 10**400, COUNT),
        ("l2", False, "a number, finite and at least 0"),
        ("l2", np.float32(-1), "a number, finite and at least 0"),
        ("l2", -1.0, "a number, finite and at least 0"),
        ("l2", float("nan"), "a number, finite and at least 0"),
        ("patience", 0, f"{COUNT} or None"),
        ("validation_fraction", 1.0, "a number above 0 and below 1"),
        ("random_state", -1, "an int from 0 to 2**32 - 1, a RandomState or None"),
        ("random_state", 0.5, "an int from 0 to 2**32 - 1, a RandomState or None"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_what_is_allowed(
    name: str, value: Any, allowed: str
) -> None:
    estimator = classifier(**{name: value})
    parts = (f"{name!r} parameter of BackpropClassifier", f"{allowed}. Got {value!r}")
    refused(lambda: estimator.fit(IRIS_X, IRIS_Y), *parts)


def test_a_regressor_has_no_other_loss() -> None:
    parts = ("'loss'", "one of ['squared_error']", "'cross_entropy'")
    refused(lambda: fitted("regressor", loss="cross_entropy"), *parts)

"""Every network with every loss that goes with it."""

from __future__ import annotations

import pytest

from bpengine import Architecture
from bpengine.network.activations import ACTIVATIONS

LOSSES_AND_OUTPUTS = [
    ("squared_error", "sigmoid"),
    ("squared_error", "identity"),
    ("squared_error", "gelu"),
    ("cross_entropy", "softmax"),
    ("binary_cross_entropy", "sigmoid"),
]


@pytest.fixture(params=LOSSES_AND_OUTPUTS, ids=" and ".join)
def loss_and_output(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a loss and an output activation that go together: every loss, bent outputs too."""
    return request.param


@pytest.fixture(params=[name for name in ACTIVATIONS if name != "softmax"])
def every_network(
    request: pytest.FixtureRequest, loss_and_output: tuple[str, str]
) -> tuple[Architecture, str]:
    """Return a network and its loss: each activation of hidden layers with each loss."""
    loss, output = loss_and_output
    return Architecture((3, 5, 4, 2), request.param, output), loss

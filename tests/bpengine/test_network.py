"""Architecture, parameter layout and initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bpengine import Architecture
from bpengine.network import initial_parameters


def test_the_papers_network_has_3_by_2_weights() -> None:
    assert Architecture((2, 2, 2)).weight_shapes == ((3, 2), (3, 2))


def test_a_name_lists_the_widths() -> None:
    assert str(Architecture((64, 32, 10))) == "64-32-10"


def test_layers_are_views_of_the_parameters() -> None:
    architecture = Architecture((3, 4, 2))
    parameters = np.zeros((5, architecture.parameter_count))
    for number, W in enumerate(architecture.layers(parameters), 1):
        W[...] = number
    np.testing.assert_array_equal(parameters, [[1] * 16 + [2] * 10] * 5)


@pytest.mark.parametrize("widths", [(), (3,), (3, 0), (3, -1, 2)])
def test_what_is_no_network_is_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError) as refused:
        Architecture(widths)
    assert str(refused.value) == (
        f"`widths` must hold inputs and outputs, each at least 1, but got {widths}."
    )


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError) as refused:
        Architecture((2, 2), activation="sigmund")
    assert str(refused.value) == "`activation` must be one of ['sigmoid'], but got 'sigmund'."


def test_initial_weights_are_glorot_uniform_with_zero_biases() -> None:
    architecture = Architecture((64, 300, 10))
    for W in architecture.layers(initial_parameters(architecture, 3, np.float64)):
        limit = math.sqrt(6 / (W.shape[0] - 1 + W.shape[1]))
        assert not W[0].any()
        assert np.abs(W[1:]).max() <= limit
        assert W[1:].std() == pytest.approx(limit / math.sqrt(3), rel=0.03)


def test_float32_and_float64_start_from_the_same_network() -> None:
    architecture = Architecture((5, 4, 3))
    double = initial_parameters(architecture, 3, np.float64)
    np.testing.assert_array_equal(
        initial_parameters(architecture, 3, np.float32), double.astype(np.float32)
    )


def test_seeds_start_from_different_networks() -> None:
    architecture = Architecture((5, 4, 3))
    first, second = (initial_parameters(architecture, seed, np.float64) for seed in (1, 2))
    assert not np.array_equal(first, second)

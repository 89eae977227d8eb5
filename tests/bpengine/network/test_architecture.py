"""Architecture, parameter layout and initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from refused import refused

from bpengine import Architecture
from bpengine.network.architecture import INITIALISERS, NARROW, initial_parameters

initialisers = pytest.mark.parametrize("name", INITIALISERS)

WIDE = Architecture((64, 300, 10))
VARIANCES = {
    "glorot": lambda inputs, outputs: 2 / (inputs + outputs),
    "he": lambda inputs, _outputs: 2 / inputs,
    "lecun": lambda inputs, _outputs: 1 / inputs,
    "": lambda _inputs, _outputs: 1,
}
"""Variance of a weight by family, as their papers give it."""


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


def test_layers_keep_every_lane_axis() -> None:
    architecture = Architecture((3, 4, 2))
    parameters = np.arange(2.0 * 5 * 26).reshape(2, 5, 26)
    first, second = architecture.layers(parameters)
    assert (first.shape, second.shape) == ((2, 5, 4, 4), (2, 5, 5, 2))
    assert second[1, 3].T.ravel().tolist() == parameters[1, 3, 16:].tolist()


def test_wide_layers_are_kept_row_by_row_and_narrow_ones_column_by_column() -> None:
    architecture = Architecture((2, NARROW, NARROW - 1))
    wide, narrow = architecture.layers(np.zeros(architecture.parameter_count))
    assert wide.flags.c_contiguous
    assert narrow.flags.f_contiguous


def test_hidden_and_output_layers_have_their_activations() -> None:
    architecture = Architecture((3, 4, 2), activation="relu", output="softmax")
    assert architecture.activations == ("relu", "softmax")
    assert Architecture((3, 2), activation="tanh").activations == ("tanh",)


@pytest.mark.parametrize("widths", [(), (3,), (3, 0), (3, -1, 2)])
def test_what_is_no_network_is_refused(widths: tuple[int, ...]) -> None:
    refused(lambda: Architecture(widths), "`widths`", "at least 1", widths)


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"activation": "sigmund"}, []),
        ({"activation": ""}, []),
        ({"activation": "softmax"}, []),
        ({"output": "sigmund"}, ["", "softmax"]),
    ],
)
def test_an_unknown_activation_or_softmax_between_layers_is_refused(
    options: dict[str, str], more: list[str]
) -> None:
    ((key, value),) = options.items()
    known = sorted(["gelu", "identity", "leaky_relu", "relu", "sigmoid", "tanh", *more])
    refused(lambda: Architecture((2, 2), **options), f"`{key}`", known, repr(value))


@initialisers
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_initial_weights_have_the_papers_variance_and_mean_0(name: str, scale: float) -> None:
    family = name.rpartition("_")[0]
    parameters = initial_parameters(WIDE, 3, np.float64, initialiser=name, scale=scale)
    for W in WIDE.layers(parameters):
        deviation = scale * math.sqrt(VARIANCES[family](W.shape[0] - 1, W.shape[1]))
        assert W[1:].std() == pytest.approx(deviation, rel=0.03)
        assert W[1:].mean() == pytest.approx(0, abs=4 * deviation / math.sqrt(W[1:].size))


@initialisers
def test_initial_weights_have_the_shape_of_their_distribution(name: str) -> None:
    # A uniform distribution ends at sqrt 3 deviations; within 1 lie 57.7% of it, 68.3% of a normal.
    family, _, distribution = name.rpartition("_")
    for W in WIDE.layers(initial_parameters(WIDE, 3, np.float64, initialiser=name)):
        size = np.abs(W[1:]) / math.sqrt(VARIANCES[family](W.shape[0] - 1, W.shape[1]))
        limit = math.sqrt(3) * (1 + 1e-12)
        share = {"uniform": 1 / math.sqrt(3), "normal": math.erf(math.sqrt(0.5))}[distribution]
        assert (size < 1).mean() == pytest.approx(share, abs=0.03)
        assert (size.max() <= limit) == (distribution == "uniform")
        assert size.max() > 0.999 * limit


@initialisers
def test_biases_start_at_zero_and_weights_do_not(name: str) -> None:
    for W in WIDE.layers(initial_parameters(WIDE, 3, np.float64, initialiser=name)):
        assert not W[0].any()
        assert W[1:].all()


@initialisers
def test_float32_and_float64_start_from_the_same_network(name: str) -> None:
    double = initial_parameters(WIDE, 3, np.float64, initialiser=name)
    single = initial_parameters(WIDE, 3, np.float32, initialiser=name)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))


@initialisers
def test_seeds_start_from_different_networks(name: str) -> None:
    first, second = (
        initial_parameters(WIDE, seed, np.float64, initialiser=name) for seed in (1, 2)
    )
    assert not (first[first != 0] == second[second != 0]).any()


def test_glorot_uniform_is_the_default() -> None:
    np.testing.assert_array_equal(
        initial_parameters(WIDE, 3, np.float64),
        initial_parameters(WIDE, 3, np.float64, initialiser="glorot_uniform"),
    )

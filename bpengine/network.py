"""The architecture of a network and the layout of its parameters.

The bias is row 0 of each layer's `W`, and every layer input starts with a 1 (paper, section 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.activations import ACTIVATIONS, Activation
from bpengine.arrays import Array
from bpengine.streams import uniform

MINIMUM_WIDTHS = 2


@dataclass(frozen=True)
class Architecture:
    """Widths and activation of a fully connected network.

    Attributes:
        widths: Units of each layer without its bias unit: inputs, hidden layers, outputs.
        activation: Name in `ACTIVATIONS`, used by every layer.

    Raises:
        ValueError: Fewer than two widths, a width below 1, or an unknown activation.

    Example:
        >>> architecture = Architecture((64, 32, 10))
        >>> architecture.weight_shapes
        ((65, 32), (33, 10))
        >>> architecture.parameter_count
        2410
    """

    widths: tuple[int, ...]
    activation: str = "sigmoid"

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        if len(self.widths) < MINIMUM_WIDTHS or min(self.widths) < 1:
            raise ValueError(
                f"`widths` must hold inputs and outputs, each at least 1, but got {self.widths}."
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {sorted(ACTIVATIONS)}, but got {self.activation!r}."
            )

    def __str__(self) -> str:
        return "-".join(map(str, self.widths))

    @property
    def function(self) -> Activation:
        """The activation itself."""
        return ACTIVATIONS[self.activation]

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape (fan_in, fan_out) of each layer's `W`, fan_in counting the bias unit."""
        return tuple((i + 1, o) for i, o in zip(self.widths, self.widths[1:], strict=False))

    @property
    def parameter_count(self) -> int:
        """Length of the parameter axis: the weights of all layers."""
        return sum(i * o for i, o in self.weight_shapes)

    def layers(
        self, parameters: Annotated[Array, "*lane parameter"]
    ) -> list[Annotated[Array, "*lane fan_in fan_out"]]:
        """Return each layer's `W` as a view of the parameters.

        Args:
            parameters: The networks' weights, layer after layer, each row by row.
        """
        views = []
        start = 0
        for i, o in self.weight_shapes:
            stop = start + i * o
            views.append(parameters[..., start:stop].reshape(*parameters.shape[:-1], i, o))
            start = stop
        return views


def initial_parameters(
    architecture: Architecture, seed: int, dtype: npt.DTypeLike
) -> Annotated[Array, "parameter"]:
    """Return Glorot-uniform weights and zero biases for one network.

    Weights of a layer are uniform in +-sqrt(6 / (inputs + outputs)), the bias unit not counted.

    Args:
        architecture: The network.
        seed: Seed of the network's random streams.
        dtype: float32 or float64; the draw is made in float64, so both hold the same network.

    Source:
        Glorot and Bengio 2010, equation 16.
    """
    parameters = np.zeros(architecture.parameter_count)
    draw = iter(uniform(seed, "initial weights", parameters.size))
    for W in architecture.layers(parameters):
        i, o = W.shape
        limit = math.sqrt(6 / (i - 1 + o))
        W[1:] = limit * (2 * np.fromiter(draw, float, (i - 1) * o).reshape(i - 1, o) - 1)
    return parameters.astype(dtype)

"""The architecture of a network and the layout of its parameters.

The bias is row 0 of each layer's `W`, and every layer input starts with a 1 (paper, section 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise, starmap
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.network._arrays import Array
from bpengine.network.activations import ACTIVATIONS
from bpengine.network.streams import standard_normal, standard_uniform

MINIMUM_WIDTHS = 2
NARROW = 16
"""Outputs below which the weights of a layer are kept column by column."""


@dataclass(frozen=True)
class Architecture:
    """Widths and activations of a fully connected network.

    Attributes:
        widths: Units of each layer without its bias unit: inputs, hidden layers, outputs.
        activation: Name in `ACTIVATIONS`, used by every hidden layer.
        output: Name in `ACTIVATIONS` of the output layer's; "" for that of the hidden layers.

    Raises:
        ValueError: Fewer than two widths, a width below 1, an unknown activation, or softmax
            between layers.

    Example:
        >>> architecture = Architecture((64, 32, 10))
        >>> architecture.weight_shapes
        ((65, 32), (33, 10))
        >>> architecture.parameter_count
        2410
    """

    widths: tuple[int, ...]
    activation: str = "sigmoid"
    output: str = ""

    def __post_init__(self) -> None:
        if len(self.widths) < MINIMUM_WIDTHS or min(self.widths) < 1:
            raise ValueError(
                f"`widths` must hold inputs and outputs, each at least 1, but got {self.widths}."
            )
        check_name("activation", self.activation, [n for n in ACTIVATIONS if n != "softmax"])
        check_name("output", self.output, ["", *ACTIVATIONS])

    def __str__(self) -> str:
        return "-".join(map(str, self.widths))

    @property
    def activations(self) -> tuple[str, ...]:
        """Name of each layer's activation, the output layer's last."""
        return (self.activation,) * (len(self.widths) - 2) + (self.output or self.activation,)

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape (fan_in, fan_out) of each layer's `W`, fan_in counting the bias unit."""
        return tuple((i + 1, o) for i, o in zip(self.widths, self.widths[1:], strict=False))

    @property
    def parameter_count(self) -> int:
        """Length of the parameter axis: the weights of all layers."""
        return sum(i * o for i, o in self.weight_shapes)

    @property
    def slices(self) -> tuple[slice[int, int, None], ...]:
        """Where on the parameter axis the weights of each layer are."""
        bounds = accumulate((i * o for i, o in self.weight_shapes), initial=0)
        return tuple(starmap(slice, pairwise(bounds)))

    def layers(
        self, parameters: Annotated[Array, "*lane parameter"]
    ) -> list[Annotated[Array, "*lane fan_in fan_out"]]:
        """Return each layer's `W` as a view of the parameters, which hold layer after layer."""
        # A layer with fewer than `NARROW` outputs is stored column by column, because products need
        # long rows; the others row by row.
        views, lanes = [], parameters.shape[:-1]
        for (i, o), where in zip(self.weight_shapes, self.slices, strict=True):
            layer, narrow = parameters[..., where], o < NARROW
            views.append(layer.reshape(*lanes, o, i).mT if narrow else layer.reshape(*lanes, i, o))
        return views


Deviation = Callable[[int, int], float]
"""From a layer's inputs, without bias, and outputs to the standard deviation of its weights."""

_DEVIATIONS: Mapping[str, Deviation] = {
    "glorot_": lambda inputs, outputs: math.sqrt(2 / (inputs + outputs)),
    "he_": lambda inputs, _outputs: math.sqrt(2 / inputs),
    "lecun_": lambda inputs, _outputs: math.sqrt(1 / inputs),
    "": lambda _inputs, _outputs: 1.0,
}

INITIALISERS = {
    f"{family}{distribution}": (deviation, draw)
    for family, deviation in _DEVIATIONS.items()
    for distribution, draw in (("uniform", standard_uniform), ("normal", standard_normal))
}
"""Every initialiser by name. Biases start at zero.

`glorot_*`: Glorot and Bengio 2010, equations 12 and 16. `he_*`: He et al. 2015, equation 10.
`lecun_*`: LeCun et al. 1998, section 4.6. `uniform` and `normal` have standard deviation 1, to be
used with a scale.
"""


@np.errstate(over="ignore")  # what float32 can't hold is infinite, and the trial diverges
def initial_parameters(
    architecture: Architecture,
    seed: int,
    dtype: npt.DTypeLike,
    *,
    initialiser: str = "glorot_uniform",
    scale: float = 1.0,
) -> Annotated[Array, "parameter"]:
    """Return random weights and zero biases for one network."""
    # The draw is made in float64, so that both precisions hold the same network; `scale` multiplies
    # the initialiser's standard deviation.
    deviation_of, draw = INITIALISERS[initialiser]
    parameters = np.zeros(architecture.parameter_count)
    drawn, start = draw(seed, "initial weights", parameters.size), 0
    for W in architecture.layers(parameters):
        fan_in, outputs = W.shape
        stop = start + (fan_in - 1) * outputs
        deviation = scale * deviation_of(fan_in - 1, outputs)
        W[1:] = deviation * drawn[start:stop].reshape(fan_in - 1, outputs)
        start = stop
    return parameters.astype(dtype)


def check_name(parameter: str, value: str, allowed: Collection[str]) -> None:
    """Refuse a name that is not in its table."""
    if value not in allowed:
        raise ValueError(f"`{parameter}` must be one of {sorted(allowed)}, but got {value!r}.")

"""The array type of the engine and its axis vocabulary.

Shapes are annotations, `Annotated[Array, "seed setting batch fan_in"]`, from these axes:

    seed      networks that differ in data split, initial weights and order
    setting   networks that differ in hyperparameters
    lane      seed and setting together: a network's place in its cohort; always leading
    batch     examples of one batch, or of the rows of it that are processed at once
    fan_in    inputs of a layer, the bias unit first
    fan_out   outputs of a layer, without a bias unit
    parameter all weights of a network, layer after layer
    example   examples of a training, validation or test set
    point     evaluation points along training
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
"""An array of float32 or float64."""

Parameters = Annotated[Array, "seed setting parameter"]
PerLane = Annotated[Array, "seed setting"]

IntArray = npt.NDArray[np.int64]
"""An array of counts or indices."""

BoolArray = npt.NDArray[np.bool_]
"""An array of flags."""

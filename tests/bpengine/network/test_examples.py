"""Examples that would spoil sums unnoticed are refused."""

from __future__ import annotations

import numpy as np
from refused import refused

from bpengine import Examples


def test_examples_that_would_broadcast_are_refused() -> None:
    inputs = np.zeros((3, 2))
    refused(lambda: Examples(inputs, np.zeros(3)), "matrices", ((3, 2), (3,)))
    refused(lambda: Examples(inputs, np.zeros((1, 2))), "as many rows", ((3, 2), (1, 2)))
    refused(lambda: Examples(np.array([[np.nan]]), np.zeros((1, 2))), "finite")

"""Examples that would spoil sums unnoticed are refused."""

from __future__ import annotations

import numpy as np
import pytest

from bpengine import Examples


def test_examples_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError) as refused:
        Examples(np.zeros((3, 2)), np.zeros(3))
    assert str(refused.value) == (
        "`inputs` and `targets` must be matrices with rows, but are ((3, 2), (3,))."
    )
    with pytest.raises(ValueError) as refused:
        Examples(np.zeros((3, 2)), np.zeros((1, 2)))
    assert str(refused.value) == (
        "`inputs` and `targets` must have as many rows, but are ((3, 2), (1, 2))."
    )
    with pytest.raises(ValueError) as refused:
        Examples(np.array([[np.nan]]), np.zeros((1, 2)))
    assert str(refused.value) == "`inputs` and `targets` must be finite."

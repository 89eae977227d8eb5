"""Every loss keeps the contract of its table."""

from __future__ import annotations

import numpy as np
import pytest

from bpengine.losses import LOSSES, REDUCTIONS, Loss

losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)

PSI = np.random.default_rng(1).uniform(0.05, 0.95, (2, 3, 4))
T = np.eye(4)[np.random.default_rng(2).integers(4, size=(2, 3))]

SCALAR = {"squared_error": lambda psi, t: (t - psi) ** 2 / 2}
"""The textbook definition of each loss, one output at a time."""


@losses
def test_the_value_sums_over_the_outputs_and_nothing_else(loss: Loss) -> None:
    value = loss.value(PSI, T, np.empty_like(PSI))
    for place in np.ndindex(2, 3):
        expected = sum(SCALAR[loss.name](PSI[place][o], T[place][o]) for o in range(4))
        assert value[place] == pytest.approx(expected, rel=1e-14)


@losses
def test_the_gradient_is_that_of_central_differences(loss: Loss) -> None:
    step = 1e-6
    exact = loss.gradient(PSI, T, np.empty_like(PSI))
    for output in range(4):
        shift = step * np.eye(4)[output]
        scratch = np.empty_like(PSI)
        numeric = loss.value(PSI + shift, T, scratch) - loss.value(PSI - shift, T, scratch)
        np.testing.assert_allclose(exact[..., output], numeric / (2 * step), rtol=1e-7)


@losses
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(loss: Loss, dtype: type[np.floating]) -> None:
    psi, t = PSI.astype(dtype), T.astype(dtype)
    assert loss.value(psi, t, np.empty_like(psi)).dtype == dtype
    assert loss.gradient(psi, t, np.empty_like(psi)).dtype == dtype


def test_reductions_weigh_an_example() -> None:
    assert {name: weight(8) for name, weight in REDUCTIONS.items()} == {"sum": 1.0, "mean": 0.125}

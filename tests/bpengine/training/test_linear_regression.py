"""Linear regression without noise, in closed form: an oracle of the whole engine.

Setup:
    One linear layer, the mean of `1/2 (psi - t)^2`, inputs `x ~ N(0, I_d)`, targets `t = w* . phi`
    with `phi = [1 x]`. With `delta = w - w*`, split into the bias unit's `delta_0` and the others'
    `delta_x`, an example has the error `e = delta_0 + x . delta_x` and the gradient `g = e phi`.
    Since `E[phi phi^T] = I`, the loss is `|delta|^2 / 2` and the true gradient `G = delta`.

Without a bias unit (the textbook case):
    `E|g|^2 = E[|x|^2 (x . delta)^2] = (d + 2) |delta|^2`, so `tr(Sigma) = (d + 1) |delta|^2` and
    `B_simple = d + 1` for any delta. An update with the rate a and the mean of B fresh gradients
    gives `E|delta'|^2 = (1 - a)^2 |delta|^2 + a^2/B tr(Sigma)`.

With it:
    The bias unit's input is 1, not normal, and phi isn't isotropic in its fourth moments. Odd
    moments of x vanish, `E|x|^2 = d` and `E[|x|^2 (x . delta_x)^2] = (d + 2) |delta_x|^2` leave

        Var(g_0)      = |delta_x|^2
        tr Var(g_x)   = d delta_0^2 + (d + 1) |delta_x|^2
        B_simple      = (d delta_0^2 + (d + 2) |delta_x|^2) / |delta|^2

    so that the noise scale depends on where delta points: d for an error in the bias alone, d + 2
    for one in the weights alone. An update takes `s = (E delta_0^2, E|delta_x|^2)` to

        s' = ((1 - a)^2 I + a^2/B K) s,   K = [[0, 1], [d, d + 1]]

    whose noise K has the eigenvalue `k = ((d + 1) + sqrt((d + 1)^2 + 4 d)) / 2` with eigenvector
    (1, k). Start there, with `delta_0^2 : |delta_x|^2 = 1 : k`, and s keeps its direction. Then the
    textbook's results hold for every update with k in the place of d + 1:

        B_simple = k,   best rate = B/(B + k),   contraction of E|delta|^2 = k/(B + k) per update,
        updates to reduce it to rho: S(B) = ln(1/rho) / ln(1 + B/k)

    For d = 20, k = 21.913 instead of 21.

Held-out examples:
    The 2d inputs `+-sqrt(d) e_i` have the mean 0 and the second moment I, so the mean loss over
    them is `|delta|^2 / 2` exactly: the engine's own curve gives what the formulas speak of.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from bpengine import Architecture, Budget, Examples, Recipe, Split, train
from bpengine.diagnostics.gradient_noise import gradient_statistics
from bpengine.network._arrays import Array
from bpengine.network.architecture import initial_parameters

D = 20
K = (D + 1 + math.sqrt((D + 1) ** 2 + 4 * D)) / 2
ARCHITECTURE = Architecture((D, 1), "identity")
SEEDS = 400
RHO = 0.2
GRID = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3])
BATCH_SIZES = [1, 4, 16, 64]


def direction(seed: int) -> Array:
    """Return a random delta of length 1 with `delta_0^2 : |delta_x|^2 = 1 : K`."""
    rng = np.random.default_rng((seed, 0))
    delta_x = rng.normal(size=D)
    delta_0 = math.copysign(math.sqrt(1 / (1 + K)), rng.normal())
    return np.array([delta_0, *(delta_x * math.sqrt(K / (1 + K)) / np.linalg.norm(delta_x))])


def examples_for(w: Array, inputs: Array) -> Examples:
    return Examples(inputs, (w[0] + inputs @ w[1:])[:, None])


def fresh_inputs(seed: int, items: int) -> Array:
    return np.random.default_rng((seed, items)).normal(size=(items, D))


def fresh_split(seed: int, items: int) -> Split:
    """Return fresh examples whose `w*` is off the initial weights by `direction(seed)`."""
    w = initial_parameters(ARCHITECTURE, seed, np.float64) - direction(seed)
    axes = math.sqrt(D) * np.concatenate([np.eye(D), -np.eye(D)])
    return Split(examples_for(w, fresh_inputs(seed, items)), examples_for(w, axes), seed)


def squared_errors(batch_size: int, updates: int) -> Array:
    """Return E|delta|^2 after each update, from 0, for the rates of the grid."""
    best = batch_size / (batch_size + K)
    recipe = Recipe(
        batch_size=batch_size,
        budget=Budget(epochs=1),
        metric="r2",
        evaluate_at=tuple(batch_size * update for update in range(updates + 1)),
        dtype=np.float64,
    )
    splits = [fresh_split(seed, batch_size * updates) for seed in range(SEEDS)]
    trained = train(
        ARCHITECTURE, splits, [{"learning_rate": best * factor} for factor in GRID], recipe
    )
    return 2 * trained.curves.held_out_loss.mean(axis=1)


def updates_to(fraction: float, batch_size: int) -> float:
    """Return S(B) of the closed form."""
    return math.log(1 / fraction) / math.log(1 + batch_size / K)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (np.array([1.0] + [0.0] * D), D),
        (np.array([0.0] + [1.0] * D), D + 2),
        (direction(0), K),
        (np.array([2.0, 1.0] + [0.0] * (D - 1)), (4 * D + D + 2) / 5),
    ],
    ids=["bias", "weights", "eigenvector", "both"],
)
def test_the_noise_scale_is_that_of_the_closed_form(delta: Array, expected: float) -> None:
    inputs = [fresh_inputs(seed, 1024) for seed in range(SEEDS)]
    actual = gradient_statistics(
        ARCHITECTURE,
        np.tile(delta, (SEEDS, 1, 1)),
        [examples_for(np.zeros(D + 1), x) for x in inputs],
    )
    assert actual.squared_norm.mean() == pytest.approx(delta @ delta, rel=0.02)
    assert actual.trace.mean() / actual.squared_norm.mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_sgd_on_fresh_examples_is_that_of_the_closed_form(batch_size: int) -> None:
    updates = math.ceil(updates_to(RHO, batch_size)) + 2
    errors = squared_errors(batch_size, updates)
    np.testing.assert_allclose(errors[0], 1, rtol=1e-12)
    chosen = int(np.argmin(errors[-1]))
    best = int(np.flatnonzero(GRID == 1).item())
    assert abs(chosen - best) <= 1
    curve = errors[:, best]
    contraction = curve[-1] ** (1 / updates)
    assert contraction == pytest.approx(K / (batch_size + K), rel=0.02)
    reached = np.interp(math.log(RHO), np.log(curve[::-1]), np.arange(updates, -1, -1))
    assert reached == pytest.approx(updates_to(RHO, batch_size), rel=0.03)

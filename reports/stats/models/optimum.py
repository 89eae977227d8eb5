"""The best batch size and learning rate of a grid, between its cells, with an interval.

Near its minimum a loss is about quadratic in the logarithms of both. The surface is fitted to the
cells around the best one, with cubic terms as losses rise faster above the best learning rate than
below. How much of these terms is error is drawn, not tested: a test that keeps or drops them hides
its own doubt, and intervals come out too narrow. What a cell deviates from the surface by is the
error of the fit, whatever its cause. A value that the data don't show is None, with the reason: a
number is never made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import special

from reports.stats.bounds import Ends
from reports.stats.intervals import CONFIDENCE

REACH = 2  # steps of the grid from the best cell up to which cells are fitted
FAR_ABOVE = 10.0
"""A loss this many times as far above the least as its neighbours' is not near the minimum."""
FEWEST_STEPS = 3  # different values of an axis that a parabola takes
MOST_STEPS = 12  # different values of an axis up to which they are a grid
ROUNDING = 1e-12  # relative differences of losses up to which they are equal
QUADRATIC, CUBIC = 2, 3
SPARE = 2  # cells beyond the number of coefficients, to judge the surface by
_DRAWS, _SEED, _MOVES = 2_000, 0, 10
_POINTS = (45, 25)  # of a grid within the cells fitted: along batch sizes, along rates
_PASSES, _DRAWN_PASSES = 3, 2  # over ever finer grids: for the optimum, for all that is drawn


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """Where the least loss lies; None where the cells can't say."""

    cells: int  # that were fitted
    reason: str  # why a value below is None; empty if none is
    batch_size: float | None = None  # with the least loss, not rounded
    batch_size_interval: Ends | None = None  # of 0 and infinity where it has no end
    learning_rate: float | None = None  # at that batch size; None without an axis of rates too
    learning_rate_interval: Ends | None = None
    loss: float | None = None  # the least, by the surface
    # Probability that cubic terms explain so much, were the surface quadratic; None for few cells.
    lack_of_fit: float | None = None


def fit_optimum(
    batch_sizes: Sequence[float] | np.ndarray,
    learning_rates: Sequence[float] | np.ndarray,
    losses: Sequence[float] | np.ndarray,
) -> Optimum:
    """Fit a quadratic surface to the losses around the least one.

    With fewer than three learning rates it is a parabola over the best cell of each batch size.
    Rates are a constant where they are not known; losses of runs that diverged are NaN or infinite.

    Example:
        >>> sizes, rates = np.meshgrid([8, 16, 32, 64, 128], [0.01, 0.02, 0.04, 0.08])
        >>> losses = np.log(sizes / 30) ** 2 + np.log(rates / 0.025) ** 2
        >>> optimum = fit_optimum(sizes.ravel(), rates.ravel(), losses.ravel())
        >>> round(optimum.batch_size), round(optimum.learning_rate, 3)
        (30, 0.025)
    """
    sizes, rates, values = (
        np.asarray(each, np.float64).ravel() for each in (batch_sizes, learning_rates, losses)
    )
    ended = np.isfinite(values)
    places, values = np.log(np.stack([sizes, rates], 1)[ended]), values[ended]
    if np.unique(places[:, 1].round(9)).size < FEWEST_STEPS:
        least = pd.Series(values).groupby(places[:, 0].round(9)).min()
        places, values = least.index.to_numpy()[:, None], np.asarray(least)
    if any(np.unique(axis.round(9)).size < FEWEST_STEPS for axis in places.T):
        return Optimum(cells=values.size, reason="Fewer than three batch sizes have a result.")
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        return Optimum(cells=values.size, reason="All cells have the same loss.")
    surface = _around_the_least(places, values)
    if surface is None:
        return Optimum(cells=values.size, reason="Too few cells lie around the best one.")
    return _read(surface)


@dataclass(frozen=True)
class _Surface:
    """A polynomial around a centre, fitted to cells near it."""

    centre: np.ndarray
    offsets: np.ndarray  # cell by axis
    values: np.ndarray  # of the cells
    degree: int = QUADRATIC

    @cached_property
    def powers(self) -> np.ndarray:
        """Exponents of the terms: coefficient by axis."""
        axes = self.offsets.shape[1]
        grid = np.stack(np.meshgrid(*[np.arange(self.degree + 1)] * axes), -1).reshape(-1, axes)
        return grid[np.argsort(grid.sum(1), kind="stable")][: (grid.sum(1) <= self.degree).sum()]

    def terms(self, offsets: np.ndarray) -> np.ndarray:
        """Return the terms at some points: point by coefficient."""
        return np.prod(offsets[:, None] ** self.powers, -1)

    @cached_property
    def fitted(self) -> np.ndarray:
        """Terms of the cells: cell by coefficient."""
        return self.terms(self.offsets)

    @cached_property
    def coefficients(self) -> np.ndarray:
        """By least squares."""
        return np.linalg.lstsq(self.fitted, self.values)[0]

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest offset of the cells, by axis."""
        return self.offsets.min(0), self.offsets.max(0)

    @property
    def unexplained(self) -> float:
        """Sum of the squared residuals."""
        residuals = self.values - self.fitted @ self.coefficients
        return float(residuals @ residuals)

    @property
    def free(self) -> int:
        """Cells beyond the number of coefficients."""
        return self.values.size - len(self.powers)

    @property
    def determined(self) -> bool:
        """Whether the cells suffice for the coefficients, and to judge them by."""
        return self.free >= SPARE and np.linalg.matrix_rank(self.fitted) == len(self.powers)

    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients to expect, and draws of all that the residuals allow.

        Errors alone would let cubic terms explain a gain of the F distribution. It is drawn, up to
        the gain that there is; its share in that shrinks the terms, and it counts as residual.
        """
        random = np.random.default_rng(_SEED)
        basis, triangle = np.linalg.qr(self.fitted)
        along, cubic = basis.T @ self.values, self.powers.sum(1) > QUADRATIC
        added, gain, left = int(cubic.sum()), float((along[cubic] ** 2).sum()), self.unexplained
        by_error = np.zeros(_DRAWS)
        if gain > 0:
            ratio = gain / added * self.free / max(left, np.finfo(float).tiny)
            below = random.random(_DRAWS) * special.fdtr(added, self.free, ratio)
            by_error = np.minimum(special.fdtri(added, self.free, below) / ratio, 1)
        kept = np.where(cubic[:, None], 1 - by_error, 1.0)
        spread = np.sqrt((left + by_error * gain) / random.chisquare(self.free + added, _DRAWS))
        normal = random.standard_normal(kept.shape) * spread * np.sqrt(kept)
        drawn = np.linalg.solve(triangle, along[:, None] * kept + normal).T
        return np.linalg.solve(triangle, along * kept.mean(1)), drawn

    def lowest(self, coefficients: np.ndarray, passes: int) -> np.ndarray:
        """Return where some surfaces are lowest within the box: surface by axis.

        Each pass is over a grid that spans the places of the one before, and a step around them.
        """
        first, last = low, high = self.box
        for _ in range(passes):
            sides = [np.linspace(*side) for side in zip(low, high, _POINTS, strict=False)]
            points = np.stack(np.meshgrid(*sides), -1).reshape(-1, len(sides))
            at = points[(coefficients @ self.terms(points).T).argmin(1)]
            step = (high - low) / (np.array(_POINTS[: len(sides)]) - 1)
            low, high = np.maximum(at.min(0) - step, first), np.minimum(at.max(0) + step, last)
        return at


def _around_the_least(places: np.ndarray, values: np.ndarray) -> _Surface | None:
    """Fit the cells around the least; then around the surface's own minimum, until it stays."""
    axes = [_axis(axis) for axis in places.T]
    steps = _steps(axes, places)
    centre, surface = steps[values.argmin()], None
    for _ in range(_MOVES):
        # Which cells lie near the minimum: on the grid, and by their loss.
        distance, above = np.abs(steps - centre).max(1), values - values.min()
        neighbours = above[(distance <= 1) & (above > 0)]
        limit = FAR_ABOVE * np.median(neighbours) if neighbours.size else np.inf
        near = (distance <= REACH) & (above <= limit)
        middle = np.array([axis[step] for axis, step in zip(axes, centre, strict=True)])
        fitted = _Surface(middle, places[near] - middle, values[near])
        if not fitted.determined:
            break
        surface = fitted
        lowest = middle + surface.lowest(surface.coefficients[None], 1)
        moved = _steps(axes, lowest)[0]
        if (moved == centre).all():
            break
        centre = moved
    return surface


def _axis(values: np.ndarray) -> np.ndarray:
    """Return the steps of an axis: the values tried or, of values drawn at random, a few."""
    different = np.unique(values.round(9))
    if different.size <= MOST_STEPS:
        return different
    return np.linspace(different[0], different[-1], MOST_STEPS)


def _steps(axes: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
    """Return the places on a grid that points are nearest to: point by axis."""
    nearest = [
        np.abs(axis - position[:, None]).argmin(1)
        for axis, position in zip(axes, places.T, strict=True)
    ]
    return np.stack(nearest, 1)


def _read(surface: _Surface) -> Optimum:
    lack, cubic = _lack_of_fit(surface), replace(surface, degree=CUBIC)
    if cubic.determined:
        surface = cubic
    box, (expected, draws) = surface.box, surface.drawn()
    drawn = surface.lowest(draws, _DRAWN_PASSES)
    at = surface.lowest(expected[None], _PASSES)[0]
    beyond = (1 - CONFIDENCE) / 2
    middle = np.quantile(drawn, [beyond, 1 - beyond], axis=0, method="nearest")
    # Draws and optimum lie on grids: an interval holds its optimum, however narrow it is.
    within = np.minimum(middle[0], at), np.maximum(middle[1], at)
    # A bound at an end of the cells fitted lies anywhere beyond.
    first, last = np.exp(surface.centre + within)
    low, high = np.where(within[0] > box[0], first, 0.0), np.where(within[1] < box[1], last, np.inf)
    ends = [Ends(*each) for each in zip(low.tolist(), high.tolist(), strict=True)]
    known = Optimum(
        cells=surface.values.size,
        reason=_at_an_edge(at, *box),
        batch_size_interval=ends[0],
        learning_rate_interval=ends[1] if len(ends) > 1 else None,
        lack_of_fit=lack,
    )
    if known.reason:
        return known
    values = np.exp(surface.centre + at)
    return replace(
        known,
        batch_size=float(values[0]),
        learning_rate=float(values[1]) if values.size > 1 else None,
        loss=float((surface.terms(at[None]) @ expected)[0]),
    )


def _at_an_edge(at: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return why there is no minimum within the cells fitted; empty if there is."""
    for name, position, *ends in zip(("batch size", "learning rate"), at, low, high, strict=False):
        for word, end in zip(("smallest", "largest"), ends, strict=True):
            if position == end:
                return f"Results still improve at the {word} {name} near the best cell."
    return ""


def _lack_of_fit(surface: _Surface) -> float | None:
    """Return the probability of the gain from cubic terms by an F test."""
    cubic = replace(surface, degree=CUBIC)
    added = np.linalg.matrix_rank(cubic.fitted) - len(surface.powers)
    free = surface.free - added
    if added < 1 or free < 1:
        return None
    left = cubic.unexplained
    if left <= 0:
        return 1.0
    ratio = (surface.unexplained - left) / added / (left / free)
    return float(special.fdtrc(added, free, max(ratio, 0.0)))

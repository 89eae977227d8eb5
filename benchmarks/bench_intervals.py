"""How often are the statistics right? Coverage, false alarms and power, over many simulations.

The tests of `reports.stats.intervals` and `reports.stats._two_terms` simulate a few
hundred studies each; this counts many more, from known truths, and prints what was found with its
own exact 95% interval (Clopper & Pearson 1934). Exits with 1 if a share lies outside the range it
should have. Ways that are known to be wrong are counted beside the right ones: theirs is the range
below. Then how often the fits of updates to a target cover, on simulated studies, and how many of
MLPerf's reference convergence points lie outside of what the other batch sizes predict.

    python benchmarks/bench_intervals.py
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from reports.analysis.equal_budgets import best_on_others
from reports.stats._two_terms import FREE_BEND, Curve, fit_two_terms, means_of, shapes_at
from reports.stats.bounds import Ends
from reports.stats.intervals import (
    CONFIDENCE,
    fieller_interval,
    t_interval,
)
from reports.stats.models.steps_to_target import StepsToTargetFit, fit_steps_to_target
from reports.stats.paired_tests import best_and_tied

NOISE_SCALE = 201.0
"""True ratio of the simulated gradient noise."""
CRITICAL = 100.0
"""True critical batch size of the simulated sweeps."""
SIZES = 2.0 ** np.arange(2, 12)
QUANTITIES = ("B_crit", "S_min", "E_min")
COVERED = (0.92, 0.98)
"""Shares of 95% intervals of a fit that may hold the truth."""
POINTS = Path(__file__).with_name("mlperf_reference_points.csv")
"""What MLPerf's benchmarks take to their targets; the source is at its top."""
OUTSIDE = 0.12
"""Share of those points that may lie outside of what the other batch sizes predict."""
TAIL = 0.025

Trial = Callable[[np.random.Generator], bool]
"""Simulates one study, and returns whether what is counted happened."""


class Case(NamedTuple):
    """What is counted, the share it should have, and how many studies are simulated."""

    name: str
    low: float
    high: float
    simulations: int
    happened: Trial


def main() -> int:
    """Count every case, print a row for each, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--share", type=float, default=1.0, help="of the simulations")
    parser.add_argument("--fits", action="store_true", help="only of updates to a target")
    options = parser.parse_args()
    share = options.share
    if options.fits:
        return int(any([_fits(share), _left_out()]))
    print("| what | studies | share | its 95% interval | should be | |")
    print("|---|---|---|---|---|---|")
    broken = [_count(number, case, share) for number, case in enumerate(_cases())]
    return int(any([*broken, _fits(share), _left_out()]))


def _count(number: int, case: Case, share: float) -> bool:
    """Print a row, and return whether the share is certainly outside of its range."""
    rng = np.random.default_rng(number)
    studies = max(round(share * case.simulations), 10)
    test = stats.binomtest(sum(case.happened(rng) for _ in range(studies)), studies)
    ends = test.proportion_ci(0.95)
    broken = bool(ends.high < case.low or ends.low > case.high)
    print(
        f"| {case.name} | {studies:,} | {test.statistic:.4f} "
        f"| {ends.low:.4f} to {ends.high:.4f} "
        f"| {case.low:.3f} to {case.high:.3f} | {'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _cases() -> Iterator[Case]:
    for seeds in (2, 5, 20):
        yield Case(f"t interval, {seeds} normal seeds, covers", 0.95, 0.95, 10_000, _t(seeds))
    for seeds, noise in ((5, 0.3), (20, 0.5), (5, 2.0), (10, 6.0), (3, 1.0)):
        name = f"{seeds} seeds, noise {noise:g}"
        yield Case(f"Fieller, {name}, covers", 0.93, 0.97, 10_000, _fieller(seeds, noise))
    yield Case("linearised ratio, 5 seeds, noise 2, covers", 0, 0.93, 10_000, _linearised)
    yield Case("clipped ratio, 400 values, is within 20%", 0, 0.05, 2_000, _clipped)
    for seeds in (5, 10):
        null = _apart(seeds, 2, 0.0)
        yield Case(f"one cell, two names, {seeds} seeds, told apart", 0, 0.05, 10_000, null)
    yield Case("one cell, eleven names, told apart", 0, 0.05, 4_000, _apart(5, 11, 0.0))
    for seeds in (2, 3):
        name = f"one cell, eleven names, shares of 36 items, {seeds} seeds, told apart"
        yield Case(name, 0, 0.05, 2_000, _shares(seeds))
    for seeds, low, high in ((5, 0.05, 0.12), (10, 0.12, 0.3)):
        name = f"eight cells of three equal rates chosen on other seeds, {seeds} seeds, told apart"
        yield Case(name, low, high, 1_000, _chosen_on_others(seeds))
    for seeds in (5, 10):
        for shift in (2.0, 4.0):
            critical = stats.t.ppf(1 - TAIL, seeds - 1)
            power = float(stats.nct.sf(critical, seeds - 1, shift))
            name = f"{shift:g} standard errors, {seeds} seeds, found"
            yield Case(name, power, power, 10_000, _apart(seeds, 2, shift))


def _covers(ends: Ends, truth: float) -> bool:
    return ends.low <= truth <= ends.high


def _t(seeds: int) -> Trial:
    def covered(rng: np.random.Generator) -> bool:
        interval = t_interval(rng.normal(3, 2, seeds).tolist())
        return _covers(Ends(interval.low, interval.high), 3)

    return covered


def _measured(rng: np.random.Generator, count: int, noise: float) -> np.ndarray:
    """Return traces and squared norms, with the covariance of estimates from two batches."""
    covariance = [[20.0**2, -0.3 * 20 * noise], [-0.3 * 20 * noise, noise**2]]
    return rng.multivariate_normal([NOISE_SCALE, 1.0], covariance, count).T


def _fieller(count: int, noise: float) -> Trial:
    def covered(rng: np.random.Generator) -> bool:
        interval = fieller_interval(*_measured(rng, count, noise))
        return _covers(Ends(interval.low, interval.high), NOISE_SCALE)

    return covered


def _linearised(rng: np.random.Generator) -> bool:
    traces, norms = _measured(rng, 5, 2.0)
    ratio = traces.mean() / norms.mean()
    residuals = (traces - ratio * norms) / norms.mean()
    interval = t_interval((ratio + residuals - residuals.mean()).tolist())
    return _covers(Ends(interval.low, interval.high), NOISE_SCALE)


def _clipped(rng: np.random.Generator) -> bool:
    traces, norms = _measured(rng, 400, 2.0)
    return bool(abs(traces.mean() / np.maximum(norms, 0).mean() / NOISE_SCALE - 1) < 0.2)  # noqa: PLR2004


def _apart(seeds: int, columns: int, shift: float) -> Trial:
    """Batch sizes that share their seeds; the last one differs by so many standard errors."""

    def differs(rng: np.random.Generator) -> bool:
        values = rng.normal(0, 3, (seeds, 1)) + rng.normal(size=(seeds, columns))
        values[:, -1] += shift * math.sqrt(2 / seeds)
        return _told_apart(values)

    return differs


def _shares(seeds: int) -> Trial:
    def differs(rng: np.random.Generator) -> bool:
        return _told_apart(rng.binomial(36, 0.95, (seeds, 11)) / 36)

    return differs


def _told_apart(values: np.ndarray) -> bool:
    return not best_and_tied(values[:, :, None], 1 - CONFIDENCE)[1].all()


def _chosen_on_others(seeds: int) -> Trial:
    """Each seed at the rate that is best on the others, where no rate is: the worst case."""

    def differs(rng: np.random.Generator) -> bool:
        values = rng.normal(size=(8, 3, seeds))
        chosen = np.stack([cell[best_on_others(cell), np.arange(seeds)] for cell in values], axis=1)
        return not best_and_tied(chosen[:, :, None], 0.05)[1].all()

    return differs


@dataclass(frozen=True)
class Sweep:
    """A simulated study's updates to a target.

    Attributes:
        seeds: Runs at each batch size.
        sizes: Batch sizes.
        power: Bend of the true curve.
        shared: Standard deviation, in logarithms, of what all seeds of a batch size share: the
            error of its learning rate.
        scatter: Standard deviation of the logarithm of a seed's updates.
        heavy: Whether seeds scatter with Student's distribution of 3 degrees of freedom.
    """

    seeds: int = 5
    sizes: tuple[float, ...] = tuple(SIZES)
    power: float = 1.0
    shared: float = 0.0
    scatter: float = 0.05
    heavy: bool = False

    @property
    def truth(self) -> Curve:
        """What the updates are without noise, against 1/B."""
        return Curve(50.0, 50.0 * CRITICAL, self.power)

    def fit(self, rng: np.random.Generator) -> StepsToTargetFit:
        """Return the fit of one simulated study."""
        sizes = np.tile(self.sizes, self.seeds)
        noise = (
            rng.standard_t(3, sizes.size) / math.sqrt(3)
            if self.heavy
            else rng.normal(size=sizes.size)
        )
        shared = np.tile(rng.normal(0, self.shared, len(self.sizes)), self.seeds)
        return fit_steps_to_target(
            sizes, self.truth.at(1 / sizes) * np.exp(shared + self.scatter * noise)
        )

    def covered(self, fit: StepsToTargetFit) -> tuple[bool, ...]:
        """Return whether the intervals of B_crit, S_min and E_min hold the truth."""
        truth = self.truth
        pairs = (
            (fit.critical_batch_size_interval, truth.ratio),
            (fit.min_updates_interval, truth.intercept),
            (fit.min_examples_interval, truth.slope),
        )
        return tuple(ends is not None and _covers(ends, value) for ends, value in pairs)


SWEEPS: Mapping[str, Sweep] = {
    "3 seeds": Sweep(seeds=3),
    "5 seeds": Sweep(),
    "10 seeds": Sweep(seeds=10),
    "3 seeds that scatter by 20%": Sweep(seeds=3, scatter=0.2),
    "4 batch sizes": Sweep(sizes=(4, 32, 256, 2048)),
    "6 batch sizes": Sweep(sizes=(4, 16, 64, 256, 1024, 2048)),
    "heavy tails": Sweep(heavy=True),
    "rates 5% off": Sweep(shared=0.05),
    "rates 15% off": Sweep(shared=0.15),
    "p = 0.7": Sweep(power=0.7),
    "p = 1.4": Sweep(power=1.4),
}


def _fits(share: float) -> bool:
    """Print how often the fits' intervals cover, and return whether they do so too rarely."""
    print(f"\n| updates to a target | studies | {' | '.join(QUANTITIES)} | called rough | |")
    print("|---|---|---|---|---|---|---|")
    studies = max(round(share * 1_000), 10)
    return sum(_sweep(name, sweep, studies) for name, sweep in SWEEPS.items()) > 0


def _sweep(name: str, sweep: Sweep, studies: int) -> bool:
    rng = np.random.default_rng(1)
    fits = [sweep.fit(rng) for _ in range(studies)]
    counts = np.array([sweep.covered(fit) for fit in fits]).sum(axis=0).tolist()
    ends = [stats.binomtest(count, studies).proportion_ci(0.95) for count in counts]
    broken = any(end.high < COVERED[0] or end.low > COVERED[1] for end in ends)
    # Rates that are off by 15% are no noise of seeds: rough is what such a curve is.
    rough = sum(fit.poor_fit for fit in fits) / studies
    shares = " | ".join(f"{count / studies:.3f}" for count in counts)
    print(
        f"| {name} | {studies:,} | {shares} | {rough:.3f} | {'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _left_out() -> bool:
    """Print how many reference points lie outside of what the others predict; True if too many."""
    points = pd.read_csv(POINTS, comment="#")
    print("\n| benchmark | release | batch sizes | B_crit | bend p | outside |")
    print("|---|---|---|---|---|---|")
    outside = 0
    for (name, release), rows in points.groupby(["benchmark", "release"]):
        z = 1 / rows["batch_size"].to_numpy(np.float64)
        updates = rows["mean"].to_numpy() * z
        missed = [_outside(z, updates, number) for number in range(z.size)]
        outside += sum(missed)
        fit = fit_steps_to_target(1 / z, updates)
        power = "" if fit.curve is None else f"{fit.curve.power:.2f}"
        print(f"| {name} | {release} | {z.size} | {_critical(fit)} | {power} | {sum(missed)} |")
    share = outside / len(points)
    print(f"\n{outside} of {len(points)} points ({share:.1%}) lie outside; {OUTSIDE:.0%} may.")
    return share > OUTSIDE


def _critical(fit: StepsToTargetFit) -> str:
    ends = fit.critical_batch_size_interval
    value = fit.critical_batch_size
    if ends is None or value is None:
        return "not in range"
    return f"{value:,.0f} ({ends.low:,.0f} to {ends.high:,.0f})"


def _outside(z: np.ndarray, y: np.ndarray, number: int) -> bool:
    """Whether a point lies outside of the 95% prediction interval of the fit of the others."""
    others = np.arange(z.size) != number
    low, high = _prediction(z[others], y[others], z[number])
    return not low <= math.log(y[number]) <= high


def _prediction(z: np.ndarray, y: np.ndarray, new: float) -> Ends:
    """The interval of log y at another z: of all curves that fit nearly as well, and a mean's."""
    fit = fit_two_terms(means_of(z, y), 0.95)
    degrees = z.size - 2 - (z.size >= FREE_BEND)
    limit = fit.noise**2 * (degrees + stats.t.ppf(0.975, degrees) ** 2)
    gaps = np.log(y) - np.log(shapes_at(z, fit.shapes))
    means = gaps.mean(axis=1)
    squares = ((gaps - means[:, None]) ** 2).sum(axis=1)
    slack = np.sqrt(np.maximum(limit - squares, 0) * (z.size + 1) / z.size)
    middle = means + np.log(shapes_at(np.array([new]), fit.shapes))[:, 0]
    return Ends(float((middle - slack).min()), float((middle + slack).max()))


if __name__ == "__main__":
    sys.exit(main())

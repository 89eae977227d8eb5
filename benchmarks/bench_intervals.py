"""How often are the statistics right? Coverage, false alarms and power, over many simulations.

The tests of `reports.stats.intervals` and `reports.stats.models.optimal_batch` simulate a few
hundred studies each; this counts many more, from known truths, and prints what was found with its
own exact 95% interval (Clopper & Pearson 1934). Exits with 1 if a share lies outside the range it
should have. Ways that are known to be wrong are counted beside the right ones: theirs is the range
below.

    python benchmarks/bench_intervals.py
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from reports.analysis.equal_budgets import best_on_others
from reports.stats.bounds import Ends
from reports.stats.intervals import (
    bootstrap_interval,
    compare_with_best,
    fieller_interval,
    probability_of_improvement,
    t_interval,
)
from reports.stats.models.optimal_batch import fit_steps_to_target
from reports.stats.paired_tests import best_and_tied
from reports.stats.power import power_to_detect

NOISE_SCALE = 201.0
"""True ratio of the simulated gradient noise."""
CRITICAL = 100.0
"""True critical batch size of the simulated sweeps."""
SIZES = 2.0 ** np.arange(2, 12)
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
    share = parser.parse_args().share
    print("| what | studies | share | its 95% interval | should be | |")
    print("|---|---|---|---|---|---|")
    broken = [_count(number, case, share) for number, case in enumerate(_cases())]
    return int(any(broken))


def _count(number: int, case: Case, share: float) -> bool:
    """Print a row, and return whether the share is certainly outside of its range."""
    rng = np.random.default_rng(number)
    studies = max(round(share * case.simulations), 10)
    found = stats.binomtest(sum(case.happened(rng) for _ in range(studies)), studies)
    ends = found.proportion_ci(0.95)
    broken = bool(ends.high < case.low or ends.low > case.high)
    print(
        f"| {case.name} | {studies:,} | {found.statistic:.4f} | {ends.low:.4f} to {ends.high:.4f} "
        f"| {case.low:.3f} to {case.high:.3f} | {'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _cases() -> Iterator[Case]:
    for seeds in (2, 5, 20):
        yield Case(f"t interval, {seeds} normal seeds, covers", 0.95, 0.95, 10_000, _t(seeds))
    yield Case("BCa bootstrap, 40 exponential seeds, covers", 0.92, 0.96, 1_000, _bca)
    yield Case("Wilson's interval of an improvement, 20 seeds, covers", 0.93, 0.97, 10_000, _wilson)
    for seeds, noise in ((5, 0.3), (20, 0.5), (5, 2.0), (10, 6.0), (3, 1.0)):
        name = f"{seeds} seeds, noise {noise:g}"
        yield Case(f"Fieller, {name}, covers", 0.93, 0.97, 10_000, _fieller(seeds, noise))
    yield Case("linearised ratio, 5 seeds, noise 2, covers", 0, 0.93, 10_000, _linearised)
    yield Case("clipped ratio, 400 values, is within 20%", 0, 0.05, 2_000, _clipped)
    for seeds in (5, 10):
        null = _apart(seeds, 2, 0.0, None)
        yield Case(f"one cell, two names, {seeds} seeds, told apart", 0, 0.05, 10_000, null)
    for best, how in ((1, "chosen before"), (None, "chosen here")):
        null = _apart(5, 11, 0.0, best)
        yield Case(f"one cell, eleven names, best {how}, told apart", 0, 0.05, 4_000, null)
    for seeds in (2, 3):
        name = f"one cell, eleven names, shares of 36 items, {seeds} seeds, told apart"
        yield Case(name, 0, 0.05, 2_000, _shares(seeds))
    for seeds, low, high in ((5, 0.05, 0.12), (10, 0.12, 0.3)):
        name = f"eight cells of three equal rates chosen on other seeds, {seeds} seeds, told apart"
        yield Case(name, low, high, 1_000, _chosen_on_others(seeds))
    for seeds in (5, 10):
        for shift in (2.0, 4.0):
            power = power_to_detect(shift, seeds, TAIL)
            name = f"{shift:g} standard errors, {seeds} seeds, found"
            yield Case(name, power, power, 10_000, _apart(seeds, 2, shift, None))
    for seeds in (3, 5, 10):
        name = f"interval of a critical batch size, {seeds} seeds, covers"
        yield Case(name, 0.92, 0.98, 400, _critical(seeds))


def _covers(ends: Ends, truth: float) -> bool:
    return ends.low <= truth <= ends.high


def _t(seeds: int) -> Trial:
    def covered(rng: np.random.Generator) -> bool:
        found = t_interval(rng.normal(3, 2, seeds).tolist())
        return _covers(Ends(found.low, found.high), 3)

    return covered


def _bca(rng: np.random.Generator) -> bool:
    found = bootstrap_interval(rng.exponential(size=40).tolist())
    return _covers(Ends(found.low, found.high), 1)


def _wilson(rng: np.random.Generator) -> bool:
    shift = 0.5
    first = pd.Series(rng.normal(shift, 1, 20))
    found = probability_of_improvement(first, pd.Series(np.zeros(20)))
    return _covers(Ends(found.low, found.high), float(stats.norm.cdf(shift)))


def _measured(rng: np.random.Generator, count: int, noise: float) -> np.ndarray:
    """Return traces and squared norms, with the covariance of estimates from two batches."""
    covariance = [[20.0**2, -0.3 * 20 * noise], [-0.3 * 20 * noise, noise**2]]
    return rng.multivariate_normal([NOISE_SCALE, 1.0], covariance, count).T


def _fieller(count: int, noise: float) -> Trial:
    def covered(rng: np.random.Generator) -> bool:
        found = fieller_interval(*_measured(rng, count, noise))
        return _covers(Ends(found.low, found.high), NOISE_SCALE)

    return covered


def _linearised(rng: np.random.Generator) -> bool:
    traces, norms = _measured(rng, 5, 2.0)
    ratio = traces.mean() / norms.mean()
    residuals = (traces - ratio * norms) / norms.mean()
    found = t_interval((ratio + residuals - residuals.mean()).tolist())
    return _covers(Ends(found.low, found.high), NOISE_SCALE)


def _clipped(rng: np.random.Generator) -> bool:
    traces, norms = _measured(rng, 400, 2.0)
    return bool(abs(traces.mean() / np.maximum(norms, 0).mean() / NOISE_SCALE - 1) < 0.2)  # noqa: PLR2004


def _apart(seeds: int, columns: int, shift: float, best: int | None) -> Trial:
    """Batch sizes that share their seeds; the last one differs by so many standard errors."""

    def told(rng: np.random.Generator) -> bool:
        values = rng.normal(0, 3, (seeds, 1)) + rng.normal(size=(seeds, columns))
        values[:, -1] += shift * math.sqrt(2 / seeds)
        table = pd.DataFrame(values, columns=[2**power for power in range(columns)])
        return len(compare_with_best(table, best).tied) < columns

    return told


def _shares(seeds: int) -> Trial:
    def told(rng: np.random.Generator) -> bool:
        table = pd.DataFrame(rng.binomial(36, 0.95, (seeds, 11)) / 36, columns=range(1, 12))
        return len(compare_with_best(table).tied) < table.columns.size

    return told


def _chosen_on_others(seeds: int) -> Trial:
    """Each seed at the rate that is best on the others, where no rate is: the worst case."""

    def told(rng: np.random.Generator) -> bool:
        values = rng.normal(size=(8, 3, seeds))
        chosen = np.stack([cell[best_on_others(cell), np.arange(seeds)] for cell in values], axis=1)
        return not best_and_tied(chosen[:, :, None], 0.05)[1].all()

    return told


def _critical(seeds: int) -> Trial:
    def covered(rng: np.random.Generator) -> bool:
        sizes, labels = np.tile(SIZES, seeds), np.repeat(np.arange(seeds), SIZES.size)
        updates = 50 * (1 + CRITICAL / sizes) * np.exp(rng.normal(0, 0.05, sizes.size))
        fit = fit_steps_to_target(sizes, updates, groups=labels)
        ends = fit.critical_batch_size_interval
        return ends is not None and _covers(ends, CRITICAL)

    return covered


if __name__ == "__main__":
    sys.exit(main())

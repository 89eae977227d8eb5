"""Does the optimum of a finished sweep lie where it is said to, and does its interval cover it?

Simulated tables of one run a cell have a known surface, some of them steeper above the best rate
than below, with little noise or much, on grids and drawn at random. The interval of the optimal
batch size must cover it in 92 to 98% of the tables that have one; the same is counted for the power
law of 16 configurations that share errors. Nothing is allowed for chance: with 2,000 tables a
standard error is half a percent. With the path of Step Law's table of its mixture-of-experts runs
its answer follows, as docs/analyze.md shows it. Exits with 1 if a row fails.

    python benchmarks/bench_analyze.py
    python benchmarks/bench_analyze.py --steplaw steplaw_moe_lr_bs_loss.csv
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from reports.stats.models.optimum import fit_optimum
from reports.stats.models.power_law import fit_power_law
from reports.text import across
from sweeps import analyze

TABLES = 2_000
LEAST, MOST = 0.92, 0.98
EXPONENT = 0.5  # of the law
MIDDLE = (0.25, 0.75)  # where the optimum lies among the sizes tried
STEP_LAW = "653d585244a7b227423007e8b796bc16d76f6d24eb87b1919b8f048a91897b92"
"""Digest of the table that docs/analyze.md shows."""
SURFACES = {  # sizes, rates, noise, skew, whether cells are drawn at random
    "5 sizes, 9 rates": (5, 9, 0.003, 0.0, False),
    "5 sizes, 9 rates, noisy": (5, 9, 0.02, 0.0, False),
    "8 sizes, 5 rates": (8, 5, 0.01, 0.0, False),
    "8 sizes, 5 rates, steep above": (8, 5, 0.005, 0.0075, False),
    "5 sizes, 9 rates, steep above": (5, 9, 0.003, 0.004, False),
    "6 sizes, 3 rates": (6, 3, 0.005, 0.0, False),
    "8 sizes, one rate": (8, 1, 0.005, 0.0, False),
    "60 cells at random": (8, 60, 0.004, 0.0, True),
}


def covered(name: str, random: np.random.Generator) -> tuple[float, float, float, float]:
    """Return the share of intervals that cover, then of tables: interval, two ends, value."""
    sizes, rates, noise, skew, drawn = SURFACES[name]
    hits = intervals = ends = values = 0
    for _ in range(TABLES):
        x, y = _places(sizes, rates, random, drawn=drawn)
        at = np.log(16 * 2 ** ((sizes - 1) * random.uniform(*MIDDLE))), np.log(0.01)
        dx, dy = x - at[0], y - at[1]
        losses = 0.03 * dx**2 + 0.05 * dy**2 - 0.03 * dx * dy + skew * dy**3
        optimum = fit_optimum(np.exp(x), np.exp(y), losses + random.normal(0, noise, x.size))
        interval = optimum.batch_size_interval
        if interval is not None:
            intervals += 1
            hits += interval.low <= np.exp(at[0]) <= interval.high
            ends += interval.low > 0 and np.isfinite(interval.high)
        values += optimum.batch_size is not None
    return hits / intervals, intervals / TABLES, ends / TABLES, values / TABLES


def _places(
    sizes: int, rates: int, random: np.random.Generator, *, drawn: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of batch size and rate of each cell."""
    grid = np.log(16 * 2.0 ** np.arange(sizes))
    if drawn:
        return random.choice(grid, rates), random.uniform(np.log(0.001), np.log(0.1), rates)
    steps = np.linspace(np.log(0.001), np.log(0.1), rates) if rates > 1 else np.log([0.01])
    x, y = np.meshgrid(grid, steps, indexing="ij")
    return x.ravel(), y.ravel()


def law_covered(random: np.random.Generator) -> int:
    """Return in how many simulated laws the interval of the exponent covers."""
    x, hits = np.repeat([2.0, 4.0, 8.0, 20.0], 4), 0
    for _ in range(TABLES):
        shared, single = np.repeat(random.normal(0, 0.1, 4), 4), random.normal(0, 0.2, 16)
        interval = fit_power_law(x, np.sqrt(x) * np.exp(shared + single)).exponent_interval
        hits += interval is not None and interval.low <= EXPONENT <= interval.high
    return hits


def step_law(path: Path) -> None:
    """Print the answer to Step Law's table, and its optima by amount of data."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != STEP_LAW:
        print(f"{path} is not the table that docs/analyze.md shows: its digest differs.")
    results = analyze(
        path,
        batch_size="bs",
        learning_rate="lr",
        loss="smooth loss",
        by=["Na", "D"],
        scale_with="D",
        unit="tokens",
        examples_per_item=2048,
    )
    print(*results.description.groups[0].notes, sep="\n")
    print(*(statement.text for statement in across(results.analysis)), sep="\n")
    optima = results.analysis.optima
    for scale, rows in optima.groupby("scale"):
        published = 0.58 * float(str(scale)) ** 0.571 / 2048
        print(f"{scale:g}: {published:.0f}", *rows["optimum"].round(), *rows["measured"])


def main() -> int:
    """Print one line a surface and return whether all are within the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steplaw", type=Path, help="Step Law's table")
    options = parser.parse_args()
    rows = [(name, *covered(name, np.random.default_rng(0))) for name in SURFACES]
    law = law_covered(np.random.default_rng(0)) / TABLES
    rows.append(("power law, 16 configurations", law, 1, 1, 1))
    table = pd.DataFrame(rows, columns=["surface", "covered", "interval", "two ends", "value"])
    table["passes"] = table["covered"].between(LEAST, MOST)
    print(table.to_string(index=False))
    if options.steplaw:
        step_law(options.steplaw)
    return int(not table["passes"].all())


if __name__ == "__main__":
    sys.exit(main())

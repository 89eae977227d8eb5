"""What does the driver cost for each trial, and how well do two workers share a study?

Overhead: 10,000 tiny trials on iris. The time of the whole run, identities, plan, store and tables
included, less the time the trials trained, for each trial. Once in cohorts as they are planned, and
once with a cohort for each trial, the worst there can be.

Efficiency: the trials of the `digits` study, without its timing pass and report, with one worker
and with two, in turn. 100% is half the time. Starting the workers counts; importing libraries does
not.

    python benchmarks/bench_runner.py --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from sweeps import Study, runner
from sweeps.plan import plan
from sweeps.tasks import one_by_one
from sweeps.trials import Cohort, Trial

TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": "iris",
    "hidden_layers": [2],
    "batch_sizes": [10, 20, 30, 40, 50],
    "learning_rates": [0.1 * number for number in range(1, 21)],
    "seeds": list(range(100)),
    "extensions": 0,
    "epochs": 1,
    "timing": False,
}


def run_seconds(study: Study, jobs: int, backend: str) -> tuple[float, float, int]:
    """Run a study and return its wall time, the time its trials trained, and their number."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        found = study.run(Path(folder) / "study", n_jobs=jobs, backend=backend, timing=False)
        wall = time.perf_counter() - started
    if not found.trials["status"].isin(["ok", "diverged"]).all():
        raise RuntimeError("A trial failed.")
    return wall, float(found.trials["train_seconds"].sum()), len(found.trials)


def alone(trials: Sequence[Trial], jobs: int) -> list[Cohort]:
    """Return a cohort for each trial."""
    return [one for cohort in plan(trials, jobs) for one in one_by_one(cohort)]


def overhead() -> None:
    """Print what the driver costs for each tiny trial."""
    study = Study(**TINY)
    print("overhead: 10,000 tiny trials, driver's ms a trial")
    for how, planned in (("cohorts as planned", plan), ("a cohort for each trial", alone)):
        for backend, jobs in (("sequential", 1), ("loky", 1), ("loky", 2)):
            with mock.patch.object(runner, "plan", planned):
                wall, trained, count = run_seconds(study, jobs, backend)
            each = 1000 * (wall - trained / jobs) / count
            print(f"  {how:24} {backend:10} {jobs} job(s): {each:.3f} (whole run {wall:.1f} s)")


def efficiency(rounds: int) -> None:
    """Print how well two workers share the digits study."""
    study = Study.preset("digits")
    walls: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for jobs, times in walls.items():
            times.append(run_seconds(study, jobs, "loky")[0])
    one, two = (statistics.median(times) for times in walls.values())
    print(f"digits: {one:.2f} s with one worker, {two:.2f} s with two: {one / two / 2:.0%}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    overhead()
    efficiency(options.rounds)


if __name__ == "__main__":
    main()

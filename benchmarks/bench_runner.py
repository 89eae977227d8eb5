"""What does the driver cost for each trial, and how well do two workers share a study?

Overhead: tiny trials on iris, 10,000 unless other numbers are given, once in cohorts as they are
planned, and once with a cohort for each trial, the worst there can be. Each run has a process of
its own and prints the driver's processor time for each trial, identities, plan, store and tables
included; the wall time less what the trials trained; how much memory the driver held after a tenth
of the trials and at the end, and for each trial between; and the most it held, tables included.
With `--scheduler` the trials run on that Dask cluster, where such tiny cohorts travel together.

Efficiency: the trials of the `digits` study, without its timing pass and report, with one worker
and with two, in turn. 100% is half the time. Starting the workers counts; importing libraries does
not. Wall times mean little while other programs run: then look at the share of the workers' time in
which they trained.

    python benchmarks/bench_runner.py --rounds 5
    python benchmarks/bench_runner.py --rounds 0 --trials 10000 100000 --jobs 2
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

from sweeps import Study
from sweeps.design.cohorts import plan
from sweeps.design.trials import Cohort, Trial
from sweeps.run import driver as runner
from sweeps.run._scheduler import Dispatch, Ended

TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": "iris",
    "hidden_layers": [2],
    "batch_sizes": [10, 20, 30, 40, 50],
    "learning_rates": [0.1 * number for number in range(1, 21)],
    "extensions": 0,
    "epochs": 1,
    "timing": False,
}


@dataclass(frozen=True)
class Ran:
    """What a run took.

    Attributes:
        wall: Seconds.
        driver: Processor seconds of the driver; with threads or without workers, of the trials too.
        trained: Seconds that trials trained, over all workers.
        trials: How many.
        early: Memory of the driver after a tenth of the trials had ended, in bytes.
        late: When the last had ended.
        peak: The most it held, tables of results included.
    """

    wall: float
    driver: float
    trained: float
    trials: int
    early: int
    late: int
    peak: int


def memory(kind: str = "VmRSS") -> int:
    """Return how many bytes this process holds, or has held at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(kind))
    return 1024 * int(line.split()[1])


def ran(study: Study, jobs: int, backend: str = "loky", scheduler: str | None = None) -> Ran:
    """Run a study and return what it took."""
    held: list[int] = []

    class Watched(Dispatch):
        """A dispatch that is looked at after a tenth of the trials and at the end."""

        def run(self, cohorts: Sequence[Cohort], *arguments: Any) -> Iterator[Ended]:
            """Run cohorts."""
            early = sum(len(cohort.trials) for cohort in cohorts) / 10
            for ended in super().run(cohorts, *arguments):
                early -= sum(len(outcomes) for _, outcomes in ended)
                if early <= 0 and not held:
                    held.append(memory())
                yield ended
            held.append(memory())

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(runner, "Dispatch", Watched),
        redirect_stderr(io.StringIO()),
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        results = study.run(
            Path(folder) / "study",
            n_jobs=jobs,
            backend=backend,
            scheduler=scheduler,
            timing=False,
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if not results.trials["status"].isin(["ok", "diverged"]).all():
        raise RuntimeError("A trial failed.")
    trained = float(results.trials["train_seconds"].sum())
    trials = len(results.trials)
    return Ran(wall, cpu, trained, trials, held[0], held[-1], memory("VmHWM"))


def alone(trials: Sequence[Trial], jobs: int) -> list[Cohort]:
    """Return a cohort for each trial."""
    ordered = [trial for cohort in plan(trials, jobs) for trial in cohort.trials]
    return [Cohort(trial.configuration, (trial.seed,), (trial.settings,)) for trial in ordered]


def ran_tiny(trials: int, jobs: int, scheduler: str | None, *, in_cohorts: bool) -> Ran:
    """Run tiny trials and return what they took."""
    study = Study(**TINY, seeds=list(range(trials // 100)))
    backend = "dask" if scheduler else "loky"
    with mock.patch.object(runner, "plan", plan if in_cohorts else alone):
        return ran(study, jobs, backend, scheduler)


def overhead(trials: int, workers: Sequence[int], scheduler: str | None) -> None:
    """Print what the driver costs for each tiny trial."""
    print(f"overhead of {trials:,} tiny trials, for each: driver's processor, wall beside training")
    for in_cohorts, jobs in itertools.product((True, False), workers):
        # What an earlier run left behind would not be this one's memory.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            took = pool.submit(ran_tiny, trials, jobs, scheduler, in_cohorts=in_cohorts).result()
        driver = 1000 * took.driver / took.trials
        beside = 1000 * (took.wall - took.trained / jobs) / took.trials
        growth = (took.late - took.early) / (0.9 * took.trials)
        print(
            f"  {'cohorts as planned' if in_cohorts else 'a cohort for each trial':24} {jobs} "
            f"job(s): {driver:.3f} ms, {beside:.3f} ms (whole run {took.wall:.1f} s); driver's "
            f"memory {took.early / 1e6:.0f} MB, then {took.late / 1e6:.0f} MB, {growth:.0f} bytes "
            f"for each trial between; {took.peak / 1e6:.0f} MB at most",
            flush=True,
        )


def efficiency(rounds: int) -> None:
    """Print how well two workers share the digits study, round by round, and the medians."""
    study = Study.from_target("digits")
    took: dict[int, list[Ran]] = {1: [], 2: []}
    for number in range(rounds):
        for jobs, runs in took.items():
            runs.append(ran(study, jobs))
        single, double = (runs[-1].wall for runs in took.values())
        shared = f"{single:.2f} s, {double:.2f} s with two: {single / double / 2:.0%}"
        print(f"digits, round {number + 1}: {shared}")
    for jobs, runs in took.items():
        share = statistics.median(took.trained / took.wall / jobs for took in runs)
        print(f"  share of the time in which {jobs} worker(s) trained: {share:.0%}")
    single, double = (statistics.median(run.wall for run in runs) for runs in took.values())
    shared = f"{single:.2f} s, {double:.2f} s with two: efficiency {single / double / 2:.0%}"
    print(f"digits, medians: {shared}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, nargs="+", default=[10_000])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--scheduler", help="address of a Dask scheduler with so many workers")
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for trials in options.trials:
        overhead(trials, options.jobs, options.scheduler)
    if options.rounds:
        efficiency(options.rounds)
    print(f"load average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

"""What does the driver cost for each trial, and how well do two workers share a study?

Overhead: 10,000 tiny trials on iris, once in cohorts as they are planned, and once with a cohort
for each trial, the worst there can be. Told are the driver's processor time for each trial,
identities, plan, store and tables included; the wall time less what the trials trained; and how
much memory the driver held after a tenth of the trials and at the end.

Efficiency: the trials of the `digits` study, without its timing pass and report, with one worker
and with two, in turn. 100% is half the time. Starting the workers counts; importing libraries does
not. Wall times mean little while other programs run: then look at the share of the workers' time in
which they trained.

    python benchmarks/bench_runner.py --rounds 5
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
from contextlib import redirect_stderr
from dataclasses import dataclass
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
    "seeds": list(range(100)),
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
        early: Memory of the driver after a tenth of the trials had ended, in MB.
        late: When the last had ended.
    """

    wall: float
    driver: float
    trained: float
    trials: int
    early: float
    late: float


def resident() -> float:
    """Return how much memory this process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ran(study: Study, jobs: int, backend: str) -> Ran:
    """Run a study and return what it took."""
    memory: list[tuple[int, float]] = []

    class Watched(Dispatch):
        """A dispatch that is looked at whenever trials end."""

        def run(self, *arguments: Any) -> Iterator[Ended]:
            """Run cohorts."""
            for ended in super().run(*arguments):
                memory.append((sum(len(trials) for _, trials in ended), resident()))
                yield ended

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(runner, "Dispatch", Watched),
        redirect_stderr(io.StringIO()),
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        results = study.run(Path(folder) / "study", n_jobs=jobs, backend=backend, timing=False)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if not results.trials["status"].isin(["ok", "diverged"]).all():
        raise RuntimeError("A trial failed.")
    ended = list(itertools.accumulate(count for count, _ in memory))
    tenth = next(index for index, count in enumerate(ended) if count >= ended[-1] / 10)
    trained = float(results.trials["train_seconds"].sum())
    return Ran(wall, cpu, trained, len(results.trials), memory[tenth][1], memory[-1][1])


def alone(trials: Sequence[Trial], jobs: int) -> list[Cohort]:
    """Return a cohort for each trial."""
    ordered = [trial for cohort in plan(trials, jobs) for trial in cohort.trials]
    return [Cohort(trial.configuration, (trial.seed,), (trial.settings,)) for trial in ordered]


def overhead() -> None:
    """Print what the driver costs for each tiny trial."""
    study = Study(**TINY)
    print("overhead of 10,000 tiny trials, for each: driver's processor, wall beside training")
    for how, planned in (("cohorts as planned", plan), ("a cohort for each trial", alone)):
        for jobs in (1, 2):
            with mock.patch.object(runner, "plan", planned):
                took = ran(study, jobs, "loky")
            driver = 1000 * took.driver / took.trials
            beside = 1000 * (took.wall - took.trained / jobs) / took.trials
            print(
                f"  {how:24} {jobs} job(s): {driver:.3f} ms, {beside:.3f} ms (whole run "
                f"{took.wall:.1f} s); driver's memory {took.early:.0f} MB, then {took.late:.0f} MB"
            )


def efficiency(rounds: int) -> None:
    """Print how well two workers share the digits study, round by round, and the medians."""
    study = Study.preset("digits")
    took: dict[int, list[Ran]] = {1: [], 2: []}
    for number in range(rounds):
        for jobs, runs in took.items():
            runs.append(ran(study, jobs, "loky"))
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
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    overhead()
    efficiency(options.rounds)
    print(f"load average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

"""What does the store cost: adding results, looking for what is missing, making tables?

Trials with 30 evaluations each, added ten at a time. Adding waits for the disk once for each
transaction: the processor's time is told apart, and so is what one such wait takes here. Wall times
mean little while other programs run.

    python benchmarks/bench_store.py --trials 10000
    python benchmarks/bench_store.py --trials 100000 --no-export
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sweeps import Study
from sweeps.design.trials import Trial
from sweeps.manage.export import export
from sweeps.store import FILE, Store
from sweeps.worker.train import CURVE_WIDTH, Outcome

POINTS, TOGETHER, RATES = 30, 10, 10


@contextmanager
def measured(what: str, count: int = 0) -> Iterator[None]:
    """Print wall and processor time, in seconds, or in milliseconds for each of a count."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    scale, unit = (1000 / count, "ms each") if count else (1.0, "s")
    print(f"{what:32} {scale * wall:8.3f} {unit}, processor {scale * cpu:8.3f}")


def study_of(trials: int, **keys: Any) -> Study:
    """Return a study with so many trials."""
    return Study(
        "bench",
        dataset="iris",
        batch_sizes=[10, 20, 30, 40, 50],
        learning_rates=[0.1 * number for number in range(1, RATES + 1)],
        seeds=list(range(trials // (5 * RATES))),
        epochs=1,
        **keys,
    )


def outcome(trial: Trial, rng: np.random.Generator) -> Outcome:
    """Return a made-up result."""
    curve = rng.random((POINTS, CURVE_WIDTH))
    curve[:, 0] = 100 * np.arange(POINTS)
    curve[:, 1] = 10 * np.arange(POINTS)
    last = POINTS - 1
    started = 1.7e9 + 0.1 * trial.seed
    return Outcome(
        trial=trial.identity,
        status="ok",
        diverged_at_update=-1,
        stopped_at_update=-1,
        updates=10 * last,
        examples=100 * last,
        judged_at_update=10 * last,
        train_loss=curve[-1, 2],
        train_metric=curve[-1, 3],
        validation_loss=curve[-1, 4],
        validation_metric=curve[-1, 5],
        test_loss=np.nan,
        test_metric=np.nan,
        error="",
        train_seconds=0.1,
        started=started,
        ended=started + 0.1,
        curve=curve,
    )


def fsync_seconds(folder: Path) -> float:
    """Return what it takes to have a page on the disk."""
    times = []
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return float(np.median(times))


def add(store: Store, results: Sequence[tuple[Trial, Outcome]]) -> None:
    """Add results ten at a time, and print how long the transactions took."""
    times = []
    for start in range(0, len(results), TOGETHER):
        trials, outcomes = zip(*results[start : start + TOGETHER], strict=True)
        started = time.perf_counter()
        store.add(trials, outcomes)
        times.append(1000 * (time.perf_counter() - started))
    half, most, longest = np.percentile(times, [50, 99, 100])
    print(f"a transaction of {TOGETHER}: median {half:.1f}, p99 {most:.1f}, max {longest:.1f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--no-export", action="store_true", help="leave the export out")
    options = parser.parse_args()
    study = study_of(options.trials)
    planned = study.experiment.explored
    rng = np.random.default_rng(0)
    results = [(trial, outcome(trial, rng)) for _, trial in planned]
    with tempfile.TemporaryDirectory() as name:
        scratch, folder = Path(name), Path(name) / "study"
        print(f"{len(results)} trials; a wait for the disk: {1000 * fsync_seconds(scratch):.2f} ms")
        with Store.write(folder, "bench") as store, measured("adding", len(results)):
            add(store, results)
        with measured("opening, looking for what is done"), Store.write(folder, "bench") as store:
            store.done()
        with measured("opening to read, as it was kept"), Store.read(folder):
            pass
        (folder / ".checked").unlink()
        with measured("opening to read, rows checked"), Store.read(folder):
            pass
        with Store.read(folder, checked=False) as store:
            with measured("table of trials"):
                stored = store.trials_table({"explore": planned})
            with measured("table of curves"):
                store.curves_table(stored["trial"])
        for kind in () if options.no_export else ("csv", "jsonl", "parquet"):
            with measured(f"export as {kind}"):
                export(folder, scratch / kind, kind)
        print(f"file: {(folder / FILE).stat().st_size / 1e6:.1f} MB")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"largest memory of this process: {most:.0f} MB")


if __name__ == "__main__":
    main()

"""What does a report cost? Seconds, memory and the size of its page, for large and small studies.

Synthetic studies of about 10,000 trials with 30 evaluation points each, of one group and of many,
and a study of the size of `digits`. Each report is made in a process of its own that starts from
the imports; its memory is the largest it ever had. Exits with 1 if a limit is broken, where the
seconds are the processor's: other work of the machine doesn't count.

    python benchmarks/bench_report.py
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

POINTS = 30
TRAIN_ITEMS = 8_192


@dataclass(frozen=True)
class Case:
    """A synthetic study and what its report may cost.

    Attributes:
        groups: Families of cells.
        batch_sizes: Of each group, powers of two from 1.
        rates: Learning rates tried at each batch size.
        seeds: Of each cell; as many again are fresh.
        points: Evaluations of each trial.
        seconds: Most processor time that the report may take, imports included.
        megabytes: Most that its process may ever hold.
        page_bytes: Most that its page may have.
    """

    groups: int
    batch_sizes: int
    rates: int
    seeds: int
    points: int
    seconds: float
    megabytes: int
    page_bytes: int


CASES = {
    "digits": Case(1, 11, 6, 5, 23, 5, 1_500, 600_000),
    "one group": Case(1, 14, 20, 34, POINTS, 20, 1_500, 1_500_000),
    "many rates": Case(1, 14, 140, 5, POINTS, 20, 1_500, 1_500_000),
    "9 groups": Case(9, 12, 15, 6, POINTS, 20, 1_500, 1_500_000),
    "40 groups": Case(40, 8, 6, 5, POINTS, 20, 1_500, 1_500_000),
    "150 groups": Case(150, 4, 4, 4, POINTS, 20, 1_500, 1_500_000),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every case, or make the report of one, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--case", choices=CASES, help="make this report only, in this process")
    options = parser.parse_args(arguments)
    if options.case:
        _report(CASES[options.case])
        return 0
    print("| study | trials | seconds | of a processor | importing | memory, MB | page, kB |  |")
    print("|---|---|---|---|---|---|---|---|")
    broken = [_measure(name, case) for name, case in CASES.items()]
    return int(any(broken))


def _measure(name: str, case: Case) -> bool:
    """Print a row, and return whether a limit was broken."""
    command = [sys.executable, __file__, "--case", name]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    trials, wall, taken, importing, held, size = map(float, run.stdout.split())
    broken = taken > case.seconds or held > case.megabytes or size > case.page_bytes
    print(
        f"| {name} | {trials:,.0f} | {wall:.1f} | {taken:.1f} | {importing:.1f} | {held:,.0f} | "
        f"{size / 1000:,.0f} | {'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _report(case: Case) -> None:
    started = _clocks()
    from reports import build_report  # noqa: PLC0415 - the imports are measured too

    imported = _clocks()
    from synthetic_study import synthetic_study  # noqa: PLC0415

    results = synthetic_study(
        groups=case.groups,
        batch_sizes=case.batch_sizes,
        rates=case.rates,
        seeds=case.seeds,
        points=case.points,
        train_items=TRAIN_ITEMS,
    )
    made = _clocks()
    with tempfile.TemporaryDirectory() as folder:
        size = build_report(results, Path(folder)).stat().st_size
    ended = _clocks()
    importing = imported - started
    wall, processor = importing + ended - made
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(len(results.trials), wall, processor, importing[1], held, size)


def _clocks() -> np.ndarray:
    """Wall time and processor time, seconds."""
    return np.array([time.perf_counter(), time.process_time()])


if __name__ == "__main__":
    sys.exit(main())

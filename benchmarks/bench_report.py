"""What does a report cost? Seconds, memory, size of its page and time to open it in Chromium.

Synthetic studies of about 10,000 trials with 30 evaluation points each, of one group and of many,
and a study of the size of `digits`. Each report is made in a process of its own that starts from
the imports; its memory is the largest it ever had. The page is opened once in a fresh Chromium, if
there is one: from the start of loading until its script has run. Exits with 1 if a limit is broken,
where the seconds of the report are the processor's: other work of the machine doesn't count.

    python benchmarks/bench_report.py
"""

from __future__ import annotations

import argparse
import math
import resource
import shutil
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
PAGE = "report.html"
OPENS_WITHIN = 2.0
"""Seconds in which a page must be open."""


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
    parser.add_argument("--folder", type=Path, help="where to write it")
    options = parser.parse_args(arguments)
    if bool(options.case) != bool(options.folder):
        parser.error("--case and --folder belong together")
    if options.case:
        _report(CASES[options.case], options.folder)
        return 0
    head = ("study", "trials", "seconds", "of a processor", "importing", "memory, MB", "page, kB")
    print("|", " | ".join(head), "| opens, s |  |")
    print(f"|{'---|' * (len(head) + 2)}")
    broken = [_measure(name, case) for name, case in CASES.items()]
    return int(any(broken))


def _measure(name: str, case: Case) -> bool:
    """Print a row, and return whether a limit was broken."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--case", name, "--folder", folder]
        run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        opens = _seconds_to_open(Path(folder) / PAGE)
    trials, wall, taken, importing, held, size = map(float, run.stdout.split())
    limits = (case.seconds, case.megabytes, case.page_bytes, OPENS_WITHIN)
    broken = any(np.greater((taken, held, size, opens), limits))
    print(
        f"| {name} | {trials:,.0f} | {wall:.1f} | {taken:.1f} | {importing:.1f} | {held:,.0f} | "
        f"{size / 1000:,.0f} | {opens:.2f} | {'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _seconds_to_open(page: Path) -> float:
    """Wall time until the page is loaded and its script has run; NaN without Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return math.nan
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - needed with Chromium only

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page()
        shown.goto(page.as_uri(), wait_until="load")
        ended = shown.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        browser.close()
    return float(ended) / 1000


def _report(case: Case, folder: Path) -> None:
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
    size = build_report(results, folder).stat().st_size
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

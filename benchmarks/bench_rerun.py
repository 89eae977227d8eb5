"""What does it cost to run a finished study again, against another checkout of bpsweep?

Both checkouts run the study to its end in folders of their own; then each runs it again, in turn.
Counted is the processor time of all processes: other work of the machine doesn't count. Prints both
medians and their ratio.

With `--stored`, each has a store of so many made-up trials instead, and what is measured is
`bpsweep status`, a run until it hands out its first task, as a trial is missing, and a run that
finds nothing to do until it would write its report; the time of importing libraries apart.

    git worktree add ../before ae18710
    python benchmarks/bench_rerun.py ../before . --rounds 5
    python benchmarks/bench_rerun.py ../before . --rounds 5 --stored 100000
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

STEPS = ("status", "start", "nothing")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("before", type=Path, help="a checkout to compare with")
    parser.add_argument("after", type=Path, help="the checkout of interest")
    parser.add_argument("--study", default="digits")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stored", type=int, metavar="TRIALS", help="made-up trials")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            checkout.resolve(): Path(folder, str(number))
            for number, checkout in enumerate((options.before, options.after))
        }
        if options.stored:
            _compare_stores(runs, options.stored, options.rounds)
            return 0
        for checkout, out in runs.items():
            _seconds(checkout, options.study, out)
        rounds = [
            [_seconds(checkout, options.study, out) for checkout, out in runs.items()]
            for _ in range(options.rounds)
        ]
    before, after = map(statistics.median, zip(*rounds, strict=True))
    print(f"before {before:.2f} s, after {after:.2f} s of a processor: {after / before:.0%}")
    return 0


def _compare_stores(runs: dict[Path, Path], trials: int, rounds: int) -> None:
    for checkout, out in runs.items():
        out.mkdir()
        _measured(checkout, "make", out, trials)
    for step in STEPS:
        measured = [
            [_measured(checkout, step, out, trials) for checkout, out in runs.items()]
            for _ in range(rounds)
        ]
        for name, sides in zip(("before", "after"), zip(*measured, strict=True), strict=True):
            imports, seconds, memory = map(statistics.median, zip(*sides, strict=True))
            print(
                f"{step}, {name}: {seconds:.2f} s of a processor and {imports:.2f} s to import, "
                f"{memory:.0f} MB"
            )


def _measured(checkout: Path, step: str, out: Path, trials: int) -> list[float]:
    """Have a step done with the code of a checkout; return what it prints."""
    script = Path(__file__).with_name("stored_study.py").resolve()
    command = [sys.executable, str(script), step, str(out), str(trials)]
    path = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(  # noqa: S603
        command, cwd=checkout, env=path, capture_output=True, check=True
    )
    return [float(number) for number in done.stdout.split()[-3:]]


def _seconds(checkout: Path, study: str, out: Path) -> float:
    """Run a study with the code of a checkout, and return the processor time that it took."""
    started = _clock()
    command = [sys.executable, "-m", "sweeps", "run", study, "--out", str(out), "--no-timing"]
    path = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run(command, cwd=checkout, env=path, capture_output=True, check=True)  # noqa: S603
    return _clock() - started


def _clock() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())

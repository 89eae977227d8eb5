"""Progress on standard error: a bar on a terminal, a plain line from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from reports.schema import BRANCH, CONFIRM, EXPLORE, REFINE, TARGET
from reports.schema.results import EXTEND
from sweeps.errors import write
from sweeps.spec import StudySpecification
from sweeps.spec.types import NONE

LINE_SECONDS = 30.0
LINE_SHARE = 0.05
LEAST_SECONDS = 2.0
"""A plain line comes this long after the last, or after so much more work, but never sooner."""


TUNING, CONFIRMING = "Tuning learning rates", "Confirming on fresh seeds"
BRANCHING, MEASURING = "Measuring critical batch sizes", "Measuring update times"
_STEPS = {
    **dict.fromkeys((EXPLORE, EXTEND), TUNING),
    BRANCH: BRANCHING,
    **dict.fromkeys((CONFIRM, REFINE, TARGET), CONFIRMING),
}


def step_title(specification: StudySpecification, stage: str = "") -> str:
    """Return what a stage, or else the benchmark, is for a reader, and which step of how many."""
    wanted = {
        TUNING: specification.explore,
        BRANCHING: specification.branch != NONE,
        CONFIRMING: bool(specification.confirmation_seeds),
        MEASURING: specification.timing,
    }
    steps, title = [step for step in wanted if wanted[step]], _STEPS.get(stage, MEASURING)
    return f"{steps.index(title) + 1}/{len(steps)} {title}" if title in steps else title


Advance = Callable[[Sequence[float], int], None]
"""Takes the costs of work that has been done, and the number of things."""


class Done:
    """What is done, and when the rest will be, from its predicted cost and the time so far."""

    def __init__(self, costs: Iterable[float]) -> None:
        self._cost, self._done, self.ended = sum(costs), 0.0, 0
        self._began = time.monotonic()

    @property
    def share(self) -> float:
        """Share of the predicted cost that is done."""
        return min(1.0, self._done / self._cost) if self._cost else 1.0

    def add(self, costs: Iterable[float], count: int) -> None:
        """Add finished work."""
        self._done += sum(costs)
        self.ended += count

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def left(self) -> str:
        """The seconds left, in words; nothing before anything has ended."""
        return f"about {self.seconds * (1 / self.share - 1):.0f} s left" if self._done else ""


@contextmanager
def progress(
    what: str, costs: Iterable[float], count: int, stream: TextIO | None = None
) -> Iterator[Advance]:
    """Show the progress of one stage of work; costs are in any unit."""
    stream, done = stream or sys.stderr, Done(costs)
    shown = _bar if stream.isatty() else _lines
    with shown(what, done, count, stream) as show:

        def advance(costs: Sequence[float], count: int) -> None:
            done.add(costs, count)
            show()

        yield advance


@contextmanager
def _bar(what: str, done: Done, count: int, stream: TextIO) -> Iterator[Callable[[], None]]:
    # Most runs have no terminal, or nothing to run: rich takes a fifth of a second.
    from rich import console  # noqa: PLC0415
    from rich import progress as bars  # noqa: PLC0415

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.fields[ended]}/{task.fields[count]}"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.fields[left]}"),
    )
    with bars.Progress(*columns, console=console.Console(file=stream)) as bar:
        task = bar.add_task(what, total=1.0, ended=0, count=count, left="")
        yield lambda: bar.update(task, completed=done.share, ended=done.ended, left=done.left)


@contextmanager
def _lines(what: str, done: Done, count: int, stream: TextIO) -> Iterator[Callable[[], None]]:
    last_seconds = last_share = 0.0

    def show() -> None:
        nonlocal last_seconds, last_share
        waited, gained = done.seconds - last_seconds, done.share - last_share
        if waited >= LINE_SECONDS or (gained >= LINE_SHARE and waited >= LEAST_SECONDS):
            last_seconds, last_share = last_seconds + waited, done.share
            left = filter(None, (f"({done.share:.0%})", done.left))
            write(f"{what}: {done.ended}/{count} {', '.join(left)}", stream=stream)

    yield show
    write(f"{what}: {done.ended}/{count} in {done.seconds:.1f} s", stream=stream)

"""Progress on standard error: a bar on a terminal, a plain line from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from reports.schema import CONFIRM, EXPLORE, REFINE, TARGET
from reports.schema.results import EXTEND
from sweeps.errors import write
from sweeps.spec import StudySpecification

LINE_SECONDS = 30.0
LINE_SHARE = 0.05
LEAST_SECONDS = 2.0
"""A plain line comes this long after the last, or after so much more work, but never sooner."""


TUNING, CONFIRMING = "Tuning learning rates", "Confirming on fresh seeds"
MEASURING = "Measuring update times"
_STEPS = dict.fromkeys((EXPLORE, EXTEND), TUNING) | dict.fromkeys(
    (CONFIRM, REFINE, TARGET), CONFIRMING
)


def step_title(specification: StudySpecification, stage: str = "") -> str:
    """Return what a stage, or else the benchmark, is for a reader, and which step of how many."""
    wanted = {
        TUNING: specification.explore,
        CONFIRMING: bool(specification.confirmation_seeds),
        MEASURING: specification.timing,
    }
    steps, title = [step for step in wanted if wanted[step]], _STEPS.get(stage, MEASURING)
    return f"{steps.index(title) + 1}/{len(steps)} {title}" if title in steps else title


Advance = Callable[[Sequence[float], int], None]
"""Takes the costs of work that has been done, and the number of things."""


class Remaining:
    """Predicts when work will be done, from its predicted cost and the time its done part took."""

    def __init__(self, costs: Iterable[float]) -> None:
        self._cost = sum(costs)
        self._done = 0.0
        self._began = time.monotonic()

    @property
    def share(self) -> float:
        """Share of the predicted cost that is done."""
        return min(1.0, self._done / self._cost) if self._cost else 1.0

    def add(self, costs: Iterable[float]) -> None:
        """Add finished work."""
        self._done += sum(costs)

    @property
    def text(self) -> str:
        """The seconds left, in words; nothing before anything has ended."""
        if not self._done:
            return ""
        elapsed = time.monotonic() - self._began
        return f"about {elapsed * (1 / self.share - 1):.0f} s left"


@contextmanager
def progress(
    what: str, costs: Iterable[float], count: int, stream: TextIO | None = None
) -> Iterator[Advance]:
    """Show the progress of one stage of work; costs are in any unit."""
    stream = stream or sys.stderr
    show = _bar if stream.isatty() else _lines
    with show(what, Remaining(costs), count, stream) as advance:
        yield advance


@contextmanager
def _bar(what: str, remaining: Remaining, things: int, stream: TextIO) -> Iterator[Advance]:
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
    ended = 0
    with bars.Progress(*columns, console=console.Console(file=stream)) as bar:
        task = bar.add_task(what, total=1.0, ended=0, count=things, left="")

        def advance(costs: Sequence[float], count: int) -> None:
            nonlocal ended
            ended += count
            remaining.add(costs)
            bar.update(task, completed=remaining.share, ended=ended, left=remaining.text)

        yield advance


@contextmanager
def _lines(what: str, remaining: Remaining, things: int, stream: TextIO) -> Iterator[Advance]:
    started = last_time = time.monotonic()
    last_share, ended = 0.0, 0

    def advance(costs: Sequence[float], count: int) -> None:
        nonlocal ended, last_time, last_share
        ended += count
        remaining.add(costs)
        share, now = remaining.share, time.monotonic()
        waited, gained = now - last_time, share - last_share
        if waited >= LINE_SECONDS or (gained >= LINE_SHARE and waited >= LEAST_SECONDS):
            last_time, last_share = now, share
            left = filter(None, (f"({share:.0%})", remaining.text))
            write(f"{what}: {ended}/{things} {', '.join(left)}", stream=stream)

    yield advance
    write(f"{what}: {ended}/{things} in {time.monotonic() - started:.1f} s", stream=stream)

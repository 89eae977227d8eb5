"""Progress on standard error: a bar on a terminal, a plain line from time to time elsewhere."""

from __future__ import annotations

import bisect
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from reports.schema import CONFIRM, EXPLORE, REFINE
from reports.schema.results import EXTEND
from sweeps.errors import write
from sweeps.spec import StudySpecification

LINE_SECONDS = 30.0
LINE_SHARE = 0.05
LEAST_SECONDS = 2.0
"""A plain line comes this long after the last, or after so much more work, but never sooner."""


TUNING, CONFIRMING = "Tuning learning rates", "Confirming on fresh seeds"
MEASURING = "Measuring update times"
_STEPS = {EXPLORE: TUNING, EXTEND: TUNING, CONFIRM: CONFIRMING, REFINE: CONFIRMING}


def step_title(specification: StudySpecification, stage: str = "") -> str:
    """Return what a stage, or else the benchmark, is for a reader, and which step of how many."""
    wanted = {
        TUNING: specification.explore,
        CONFIRMING: bool(specification.confirmation_seeds),
        MEASURING: specification.timing,
    }
    steps, title = [step for step in wanted if wanted[step]], _STEPS.get(stage, MEASURING)
    return f"{steps.index(title) + 1}/{len(steps)} {title}" if title in steps else title


Advance = Callable[[Sequence[float], int, float], None]
"""Takes the costs of work that has been done, the number of things and the seconds it took."""


class Remaining:
    """Predicts when work will be done, from its predicted cost, and better the more of it is done.

    The prediction is scaled by what the finished work cost indeed. Long cohorts, which start first
    and end late, are counted as far as they have got: by the time of all workers less that of the
    finished work, but no more than the costliest pieces that can be under way.
    """

    def __init__(self, costs: Iterable[float], workers: int) -> None:
        self._left = sorted(costs)
        self._cost = sum(self._left)
        self._workers = workers
        self._done = self._spent = 0.0

    @property
    def share(self) -> float:
        """Share of the predicted cost that is done."""
        return min(1.0, self._done / self._cost) if self._cost else 1.0

    @property
    def known(self) -> bool:
        """Whether anything has ended that a prediction can be made from."""
        return self._done > 0

    def add(self, costs: Iterable[float], seconds: float) -> None:
        """Add finished work."""
        for cost in costs:
            self._done += cost
            position = bisect.bisect_left(self._left, cost)
            # A cohort that was split is not found: its parts count as they are.
            if self._left[position : position + 1] == [cost]:
                del self._left[position]
        self._spent += seconds

    def seconds(self, elapsed: float) -> float:
        """Return the seconds until all is done."""
        at_work = elapsed * self._workers
        scale = self._spent / self._done if self._done else 1.0
        most = scale * sum(self._left[-self._workers :])
        under_way = min(most, max(0.0, at_work - self._spent))
        if self._done:
            scale = max(self._spent, at_work - under_way) / self._done
        to_do = scale * max(0.0, self._cost - self._done)
        return max(0.0, to_do - under_way) / self._workers


@contextmanager
def progress(
    what: str, costs: Iterable[float], count: int, workers: int = 1, stream: TextIO | None = None
) -> Iterator[Advance]:
    """Show the progress of one stage of work; costs are in seconds on one worker."""
    stream = stream or sys.stderr
    show = _bar if stream.isatty() else _lines
    with show(what, Remaining(costs, workers), count, stream) as advance:
        yield advance


class _Left(ProgressColumn):
    """The predicted time left, counting down between two ends of work."""

    def __init__(self, remaining: Remaining) -> None:
        super().__init__()
        self._remaining = remaining

    def render(self, task: Task) -> Text:
        return Text(_left(self._remaining, task.elapsed or 0.0))


def _left(remaining: Remaining, elapsed: float) -> str:
    return f"about {remaining.seconds(elapsed):.0f} s left" if remaining.known else ""


@contextmanager
def _bar(what: str, remaining: Remaining, things: int, stream: TextIO) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[ended]}/{task.fields[count]}"),
        TimeElapsedColumn(),
        _Left(remaining),
    )
    ended = 0
    with Progress(*columns, console=Console(file=stream)) as bar:
        task = bar.add_task(what, total=1.0, ended=0, count=things)

        def advance(costs: Sequence[float], count: int, seconds: float) -> None:
            nonlocal ended
            ended += count
            remaining.add(costs, seconds)
            bar.update(task, completed=remaining.share, ended=ended)

        yield advance


@contextmanager
def _lines(what: str, remaining: Remaining, things: int, stream: TextIO) -> Iterator[Advance]:
    started = last_time = time.monotonic()
    last_share, ended = 0.0, 0

    def advance(costs: Sequence[float], count: int, seconds: float) -> None:
        nonlocal ended, last_time, last_share
        ended += count
        remaining.add(costs, seconds)
        share, now = remaining.share, time.monotonic()
        waited, gained = now - last_time, share - last_share
        if waited >= LINE_SECONDS or (gained >= LINE_SHARE and waited >= LEAST_SECONDS):
            last_time, last_share = now, share
            left = filter(None, (f"({share:.0%})", _left(remaining, now - started)))
            write(f"{what}: {ended}/{things} {', '.join(left)}", stream=stream)

    yield advance
    write(f"{what}: {ended}/{things} in {time.monotonic() - started:.1f} s", stream=stream)

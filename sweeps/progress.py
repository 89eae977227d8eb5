"""Progress on standard error: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_SECONDS = 30.0
LINE_SHARE = 0.05
LEAST_SECONDS = 2.0
"""A plain line comes this long after the last, or after so much more work, but never sooner."""


class Advance(Protocol):
    """Tells the progress display that work has been done."""

    def __call__(self, cost: float, count: int) -> None:
        """Add finished work.

        Args:
            cost: Its predicted cost.
            count: How many things ended.
        """


@contextmanager
def progress(what: str, cost: float, count: int, stream: TextIO | None = None) -> Iterator[Advance]:
    """Show the progress of one stage of work.

    Args:
        what: What the things are, such as "trials".
        cost: Predicted cost of all of it, in any unit; shares and the remaining time come from it.
        count: How many things there are.
        stream: Where to show it; standard error if not given.

    Yields:
        A function to call with the cost and count of finished work.
    """
    stream = stream or sys.stderr
    show = _bar if stream.isatty() else _lines
    with show(what, cost, count, stream) as advance:
        yield advance


@contextmanager
def _bar(what: str, total: float, things: int, stream: TextIO) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[ended]}/{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    ended = 0
    with Progress(*columns, console=Console(file=stream)) as bar:
        task = bar.add_task(what, total=total, ended=0, count=things)

        def advance(cost: float, count: int) -> None:
            nonlocal ended
            ended += count
            bar.update(task, advance=cost, ended=ended)

        yield advance


@contextmanager
def _lines(what: str, total: float, things: int, stream: TextIO) -> Iterator[Advance]:
    started = last_time = time.monotonic()
    done = last_share = 0.0
    ended = 0

    def advance(cost: float, count: int) -> None:
        nonlocal done, ended, last_time, last_share
        done += cost
        ended += count
        share, now = min(1.0, done / total), time.monotonic()
        waited, gained = now - last_time, share - last_share
        if waited >= LINE_SECONDS or (gained >= LINE_SHARE and waited >= LEAST_SECONDS):
            last_time, last_share = now, share
            left = (now - started) * (1 - share) / share
            stream.write(f"{what}: {ended}/{things} ({share:.0%}), about {left:.0f} s left\n")
            stream.flush()

    yield advance
    stream.write(f"{what}: {ended}/{things} in {time.monotonic() - started:.1f} s\n")

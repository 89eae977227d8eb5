"""Progress: plain lines now and then, a bar on a terminal."""

from __future__ import annotations

import io
import itertools

import pytest

from sweeps.progress import progress


def test_plain_lines_come_when_enough_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 1.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    with progress("trials", 10.0, 4, stream) as advance:
        for cost in (0.1, 4.9, 2.5, 2.5):
            advance(cost, 1)
    assert stream.getvalue().splitlines() == [
        "trials: 2/4 (50%), about 2 s left",
        "trials: 4/4 (100%), about 0 s left",
        "trials: 4/4 in 5.0 s",
    ]


def test_a_long_wait_gets_a_line_without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 40.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    with progress("trials", 100.0, 2, stream) as advance:
        advance(1.0, 1)
    assert stream.getvalue().splitlines()[0] == "trials: 1/2 (1%), about 3960 s left"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    with progress("trials", 10.0, 4, stream) as advance:
        advance(10.0, 4)
    assert "4/4" in stream.getvalue()
    assert "100%" in stream.getvalue()

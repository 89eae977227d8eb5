"""Ctrl-C once: finish what runs. Twice, SIGTERM or SIGHUP: stop at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

_STANDARD_ERROR = 2

_NOTE = (
    b"\nStopping: what runs is finished and kept. Press Ctrl-C again to stop at once; long trials "
    b"go on from their last checkpoint then.\n"
)
_NOTE_AT_ONCE = b"\nStopping.\n"


class Interrupted(KeyboardInterrupt):
    """The user or, by another signal, the system asked for an end."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.exit_code = 128 + number  # of the command


class Finished(Interrupted):
    """The user asked for an end, and what ran then was finished first."""


class Interruption:
    """What has been asked for so far."""

    def __init__(self) -> None:
        self.stopping = False  # whether nothing more is to be started
        self._at_once = False

    def check(self) -> None:
        """Raise Finished if an end was asked for."""
        if self.stopping:
            raise Finished

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let the first Ctrl-C end what runs meanwhile: it is of no use before it is whole."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            raise Interrupted
        self.stopping = True
        # A signal may come in the middle of a write to the buffered stream.
        with suppress(OSError):  # nobody may be there to read it
            os.write(_STANDARD_ERROR, _NOTE_AT_ONCE if self._at_once else _NOTE)
        if self._at_once:
            raise Finished

    def _terminate(self, number: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted(number)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take signals over, if this is the main thread, which alone can."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    handlers: dict[int, Any] = {
        signal.SIGINT: interruption._interrupt,  # noqa: SLF001
        signal.SIGTERM: interruption._terminate,  # noqa: SLF001
    }
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        handlers[signal.SIGHUP] = interruption._terminate  # noqa: SLF001
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

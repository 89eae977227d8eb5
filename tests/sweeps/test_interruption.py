"""Signals: the first Ctrl-C asks, the second and SIGTERM don't."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sweeps.interruption import Finished, Interrupted, Interruption, Terminated, interruptible

pytestmark = pytest.mark.slow


def test_the_first_ctrl_c_asks(capfd: pytest.CaptureFixture[str]) -> None:
    with interruptible() as interruption:
        interruption.check()
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.stopping
        with pytest.raises(Finished):
            interruption.check()
    assert "Press Ctrl-C again to stop at once" in capfd.readouterr().err


def test_the_second_ctrl_c_stops() -> None:
    with interruptible():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted) as stopped:
            os.kill(os.getpid(), signal.SIGINT)
    assert stopped.value.exit_code == 130


def test_sigterm_stops() -> None:
    with pytest.raises(Terminated) as stopped, interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.exit_code == 143


def test_afterwards_signals_mean_what_they_meant() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruptible():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_threads_leave_signals_alone() -> None:
    seen: list[Interruption] = []

    def run() -> None:
        with interruptible() as interruption:
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            seen.append(interruption)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [interruption.stopping for interruption in seen] == [False]

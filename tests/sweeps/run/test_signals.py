"""Signals: the first Ctrl-C asks; the second, SIGTERM and SIGHUP don't."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sweeps.run import signals as interruption_module
from sweeps.run.signals import Finished, Interrupted, Interruption, interruptible

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


def test_the_first_ctrl_c_ends_what_is_of_no_use_unfinished(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with interruptible() as interruption:
        with pytest.raises(Finished), interruption.at_once():
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Finished), interruption.at_once():
            pytest.fail("an end was asked for before")
    assert capfd.readouterr().err == "\nStopping.\n"


def test_ctrl_c_is_heard_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption_module, "_STANDARD_ERROR", -1)
    with interruptible() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.stopping


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_system_s_signals_stop_at_once(number: int, code: int) -> None:
    with pytest.raises(Interrupted) as stopped, interruptible():
        os.kill(os.getpid(), number)
    assert stopped.value.exit_code == code


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_afterwards_signals_mean_what_they_meant() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with interruptible():
        pass
    assert [signal.getsignal(number) for number in numbers] == before


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

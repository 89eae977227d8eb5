"""Recorded calls."""

from __future__ import annotations

import numpy as np
import pytest

from bpengine.network.tape import Tape, at_once


def test_recorded_calls_are_made_in_their_order_at_every_replay_and_not_before() -> None:
    tape, value = Tape(np.float64), np.array([3.0])
    tape(np.multiply, value, 2.0, value)
    tape(np.add, value, 1.0, out=value)
    assert value.tolist() == [3.0]
    tape.replay()
    tape.replay()
    assert value.tolist() == [15.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_have_the_dtype_of_the_tape(dtype: type[np.floating]) -> None:
    seen: list[np.ndarray] = []
    tape = Tape(dtype)
    tape(seen.append, 0.1)
    tape.replay()
    assert seen[0].dtype == dtype
    assert seen[0] == dtype(0.1)


def test_a_call_at_once_is_made_at_once() -> None:
    total = np.ones(2)
    at_once(np.add, total, 1.0, out=total)
    assert total.tolist() == [2.0, 2.0]

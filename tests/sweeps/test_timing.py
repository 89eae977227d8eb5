"""The timing pass: both engines, every batch size, in turn."""

from __future__ import annotations

import pytest

from sweeps import timing
from sweeps.spec import StudySpecification
from sweeps.splits import Dataset, prepare
from sweeps.stages import architecture_of, preparation_of
from sweeps.trials import DataFacts


def test_rounds_take_turns_over_batch_sizes_and_engines(
    monkeypatch: pytest.MonkeyPatch,
    specification: StudySpecification,
    facts: DataFacts,
    dataset: Dataset,
) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)
    split, _ = prepare(dataset, preparation_of(specification), 1)
    rounds = list(
        timing.time_updates(architecture_of(specification, facts), split, (1, 40), "mean")
    )
    turn = [("tensor", 1), ("per-item", 1), ("tensor", 40), ("per-item", 40)]
    assert [(r.engine, r.batch_size) for r in rounds] == turn * timing.ROUNDS
    assert [r.number for r in rounds[::4]] == list(range(timing.ROUNDS))
    for measured in rounds:
        assert measured.wall_seconds > 0
        assert measured.cpu_seconds >= 0
        # An epoch of 90 training examples has 90 batches of 1 and 2 whole batches of 40.
        assert measured.updates % {1: 90, 40: 2}[measured.batch_size] == 0

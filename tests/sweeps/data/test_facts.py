"""Facts of data, and of the sessions that a store knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error

from sweeps.data.facts import DataFacts, Sessions, facts_of, key_of, sessions_of, summary_lines
from sweeps.data.registry import load
from sweeps.data.splits import Preparation, Source


@pytest.fixture
def facts() -> DataFacts:
    """Return facts of iris."""
    return facts_of(
        load(Source("iris")), Source("iris"), Preparation(0.2, 30, "none", split_seed=4)
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobs", "-1"),
        ("jobs", "2.5"),
        ("jobs", "9" * 400),
        ("jobs", '"2"'),
        ("jobs", '2, "sweep_seconds": 9'),
        ("sweep_seconds", "inf"),
        ("sweep_seconds", "1e999"),
        ("sweep_seconds", "-0.5"),
        ("sweep_seconds", "soon"),
        ("provenance", "[1]"),
        ("provenance", '{"numpy": 2}'),
        ("provenance", "{" * 10_000),
    ],
)
def test_a_fact_of_sessions_that_cannot_be_is_unknown(key: str, value: str) -> None:
    stored = {"jobs": "2", "sweep_seconds": "1.5", "provenance": '{"numpy": "2"}', "name": "x"}
    right = sessions_of(stored)
    assert right == Sessions(jobs=2, sweep_seconds=1.5, provenance={"numpy": "2"})
    known = sessions_of(stored | {key: value})
    assert getattr(known, key) == getattr(Sessions(), key)
    assert known.model_copy(update={key: getattr(right, key)}) == right


def test_what_was_read_takes_six_lines_at_most(facts: DataFacts) -> None:
    few, many = replace(facts, notes=("a", "b")), replace(facts, notes=(*"abcdefgh",))
    assert summary_lines([few]) == [facts.summary(), "a", "b"]
    lines = summary_lines([few, many])
    assert len(lines) == 6
    assert lines[-1].startswith("7 more notes")


@pytest.mark.parametrize(
    ("metric", "said"),
    [(None, "balanced_accuracy"), ("accuracy", "balanced_accuracy"), ("roc_auc", "is roc_auc")],
)
def test_a_class_of_most_examples_is_told_with_the_metric(
    facts: DataFacts, metric: str | None, said: str
) -> None:
    _, note = summary_lines([replace(facts, most_frequent=0.91, notes=())], metric)
    assert "91.0%" in note
    assert said in note
    assert len(summary_lines([replace(facts, most_frequent=0.8, notes=())], metric)) == 1


def test_a_sample_is_told_in_the_first_line(facts: DataFacts) -> None:
    assert "150 of 9,000 rows, sampled" in replace(facts, sampled_rows=9000).summary()
    assert "sampled" not in facts.summary()


def test_shares_become_counts(facts: DataFacts) -> None:
    assert facts.preparation == Preparation(30, 30, "none", split_seed=4)
    assert facts.train_items == 90


def test_the_most_frequent_class_is_known_of_classes_only(facts: DataFacts) -> None:
    assert facts.most_frequent == pytest.approx(1 / 3)
    diabetes = Source("diabetes")
    assert facts_of(load(diabetes), diabetes, facts.preparation).most_frequent is None


def test_a_dataset_has_one_key_however_its_table_is_ordered() -> None:
    first, second = {"name": "moons", "noise": 0.1}, {"noise": 0.1, "name": "moons"}
    assert key_of(first) == key_of(second) != key_of("moons")


def test_the_best_constant_prediction_is_the_shares_of_the_classes_or_the_median(
    facts: DataFacts,
) -> None:
    assert facts.constant_loss == pytest.approx(log_loss([0, 1, 2], np.full((3, 3), 1 / 3)))
    source = Source("diabetes")
    targets = load(source).targets
    expected = mean_absolute_error(targets, np.full_like(targets, np.median(targets)))
    assert facts_of(load(source), source, facts.preparation).constant_loss == pytest.approx(
        expected
    )

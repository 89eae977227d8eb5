"""C7: the batch size that a number names, held against the best by the time to a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.claims.evidence import (
    CONTRADICTED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
)
from reports.schema.results import CONFIRM, StudyResults
from tests.reports.claim_studies import Truth, study
from tests.reports.judged import FLAT, verdicts

pytestmark = pytest.mark.slow


def needed(critical: float, slow: Mapping[tuple[int, str], float] | None = None) -> Truth:
    """Updates to the target follow 4 (1 + critical / B), times a factor for some."""

    def epochs(size: int, stage: str) -> float:
        updates = 4 * (1 + critical / size) * (slow or {}).get((size, stage), 1.0)
        return updates / -(-1077 // size)

    best = replace(FLAT, accuracy=lambda _plan, _size, rate: 0.9 if rate == 1 else 0.8)
    return replace(best, epochs_needed=epochs)


def by_kind(results: StudyResults) -> dict[str, Evidence]:
    return {e.sample.comparison: e for e in verdicts(results)["C7"].evidence}


def test_a_number_that_names_the_best_batch_size_contradicts_c7() -> None:
    # sqrt(25 * 4e-5 / 1e-6) = 31.6
    results = study(needed(25))
    one = verdicts(results)["C7"]
    assert one.verdict == CONTRADICTED
    assert one.finding.effect == pytest.approx(1)
    assert "as good as the best within 15%" in one.why
    assert one.budget.startswith("time to a target: 90% of the tuning seeds' way")
    closed = by_kind(results)["closed form"]
    assert (closed.verdict, closed.finding.effect) == (CONTRADICTED, pytest.approx(1))


def test_the_closed_form_is_held_against_what_is_measured() -> None:
    # On fresh seeds batch size 32 takes ten times the updates that the tuning seeds tell.
    slow = {(32, CONFIRM): 10.0}
    found = by_kind(study(needed(25, slow)))
    times = {size: 4 * (1 + 25 / size) * (4e-5 + 1e-6 * size) for size in (1, 32, 1024)}
    expected = 10 * times[32] / min(times[1], times[1024])
    assert found["closed form"].finding.effect == pytest.approx(expected, rel=0.2)
    assert found["closed form"].verdict == SUPPORTED
    assert found["measured"].finding.effect == found["closed form"].finding.effect


def test_a_batch_size_that_is_slow_on_fresh_seeds_supports_c7() -> None:
    one = verdicts(study(needed(25, {(32, CONFIRM): 10.0})))["C7"]
    assert one.verdict == SUPPORTED
    assert one.finding.low > 1.15


def test_two_batch_sizes_are_too_few_for_a_closed_form() -> None:
    assert [*by_kind(study(needed(25), {"batch_sizes": (1, 32)}))] == ["measured"]


def test_a_named_batch_size_that_misses_the_target_has_no_time() -> None:
    one = verdicts(study(needed(25, {(32, CONFIRM): 1e6})))["C7"]
    assert one.verdict == UNDECIDED
    assert "an unknown amount" in one.sentence
    assert "(no interval)" in one.sentence


def test_a_target_that_every_batch_size_misses_on_fresh_seeds_says_nothing() -> None:
    never = {(size, CONFIRM): 1e6 for size in (1, 32, 1024)}
    assert verdicts(study(needed(25, never)))["C7"].verdict == UNDECIDED


def test_comparisons_without_a_value_are_counted_but_not_averaged() -> None:
    results = study(needed(25), {"group": "a"}, {"group": "b"})
    one = verdicts(_late(results, "b"))["C7"]
    assert "mean of 2 comparisons, 1 of them without a value: 0 for" in one.sentence
    assert one.finding.effect == pytest.approx(1)
    assert one.verdict == UNDECIDED


def _late(results: StudyResults, group: str) -> StudyResults:
    """The study with one fresh trial of batch size 32 that never learns."""
    trial = f"{group} {CONFIRM} 32 "
    curves = results.curves
    late = curves["trial"].str.startswith(trial) & curves["trial"].str.endswith(" 101")
    metric = curves["validation_metric"].mask(late, 0.1)
    return replace(results, curves=curves.assign(validation_metric=metric))


def test_trials_without_a_curve_never_reach_a_target() -> None:
    results = study(needed(25))
    assert verdicts(replace(results, curves=results.curves[:0]))["C7"].verdict == NOT_STUDIED

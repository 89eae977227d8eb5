"""How trials ended is counted, and what failed is grouped by its cause."""

from __future__ import annotations

import pandas as pd

from reports.schema.outcomes import Cause, count_outcomes
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, nothing_run, numbers, small

TRACE = 'Traceback (most recent call last):\n  File "x.py", line {}\nValueError: no\n'


def failing(*ends: tuple[str, str]) -> pd.DataFrame:
    """Return trials of which the first ended so, with status and error."""
    trials = make_results(Sketch(description=small())).trials
    for row, (status, error) in enumerate(ends):
        trials.loc[row, ["status", "error"]] = [status, error]
    return trials


def test_every_trial_is_of_one_kind() -> None:
    trials = failing(("crashed", "signal 9"), ("timeout", ""))
    counts = count_outcomes(trials)
    assert counts.run == len(trials) == counts.ok + counts.diverged + counts.failed
    assert counts.failed == 2


def test_failures_are_grouped_by_their_last_line() -> None:
    counts = count_outcomes(
        failing(("error", TRACE.format(1)), ("error", TRACE.format(2)), ("crashed", "signal 9"))
    )
    assert counts.causes == (Cause("error", "ValueError: no", 2), Cause("crashed", "signal 9", 1))


def test_failures_are_counted_in_words() -> None:
    counts = count_outcomes(
        failing(("error", "a"), ("error", "b"), ("crashed", ""), ("timeout", ""), ("odd", ""))
    )
    assert counts.failures == "2 ended in an error, 1 crashed, 1 odd and 1 ran out of time"


def test_trials_that_stopped_early_have_a_result() -> None:
    trials = failing()
    trials.loc[0, "stopped_at_update"] = 40
    counts = count_outcomes(trials)
    assert (counts.stopped, counts.failed) == (1, 0)
    assert count_outcomes(failing()).stopped == 0


def test_a_study_that_has_not_begun_has_no_outcomes(digits: StudyResults) -> None:
    counts = numbers(nothing_run(digits)).counts
    assert (counts.run, counts.failed, counts.causes, counts.failures) == (0, 0, (), "")

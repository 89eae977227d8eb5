"""Forecasts: as many trials as a run has, what is done, predicted time and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweeps import Study
from sweeps.manage.forecast import Forecast, GroupForecast, forecast_lines
from sweeps.worker import measure as timing


def forecast(folder: Path | None = None, **keys: Any) -> Forecast:
    return Study(**keys).plan(folder, n_jobs=2)


def test_a_forecast_counts_what_a_run_will_do(keys: dict[str, Any]) -> None:
    expected = forecast(**keys | {"extensions": 2, "refinement_seeds": 7})
    assert expected.groups == (
        GroupForecast(
            group="small", explore=8, confirm=4, most_extend=16, most_refine=14, most_target=4
        ),
    )
    assert (expected.trials, expected.duplicates, expected.done) == (12, 0, 0)
    assert [*expected.seconds_by_batch_size] == [5, 40]
    assert expected.seconds_by_batch_size[5] > expected.seconds_by_batch_size[40] > 0
    assert 0 < expected.seconds < sum(expected.seconds_by_batch_size.values())
    assert expected.largest_cohort_bytes > 0


def test_stages_that_are_off_count_nothing(keys: dict[str, Any]) -> None:
    expected = forecast(**keys | {"explore": False, "learning_rates": 1.0, "extensions": 2})
    assert expected.groups == (
        GroupForecast(
            group="small", explore=0, confirm=4, most_extend=0, most_refine=0, most_target=0
        ),
    )
    assert expected.trials == 4


def test_trials_that_groups_share_are_counted_once(keys: dict[str, Any]) -> None:
    rules = {"rate_rule": ["none", "linear"], "reference_batch_size": 5, "confirmation_seeds": []}
    expected = forecast(**keys | rules)
    assert (expected.trials, expected.duplicates) == (12, 4)


def test_what_a_folder_holds_is_done(
    keys: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)
    Study(**keys).run(tmp_path / "study", n_jobs=1, backend="sequential")
    expected = forecast(tmp_path / "study", **keys)
    assert (expected.trials, expected.done, expected.cohorts, expected.seconds) == (12, 12, 0, 0.0)
    assert expected.seconds_by_batch_size == {}
    more = forecast(tmp_path / "study", **keys | {"batch_sizes": [5, 8, 40]})
    # Until the new rates are explored, the old ones stand for what will be confirmed.
    assert (more.trials, more.done) == (18, 12)
    assert [*more.seconds_by_batch_size] == [8]


def test_an_empty_folder_holds_nothing(keys: dict[str, Any], tmp_path: Path) -> None:
    assert forecast(tmp_path / "nowhere", **keys) == forecast(**keys)


def test_a_forecast_is_reported_in_lines(keys: dict[str, Any]) -> None:
    expected = forecast(**keys)
    lines = forecast_lines(expected)
    assert lines[:6] == [
        "small: 12 trials in 1 group",
        "  small: explore 8, extend at most 0, confirm 4, refine at most 0, target at most 4",
        "shared by groups, run once: 0",
        "done already: 0",
        f"to run: 12 in {expected.cohorts} cohorts",
        "predicted seconds on one core, by batch size:",
    ]
    assert lines[-2].startswith("predicted seconds with 2 jobs: ")
    assert (
        lines[-1] == f"memory of the largest cohort: {expected.largest_cohort_bytes / 1e6:.1f} MB"
    )


def test_long_times_are_rounded(keys: dict[str, Any]) -> None:
    expected = forecast(**keys | {"epochs": 10**5})
    assert "." not in forecast_lines(expected)[-2]

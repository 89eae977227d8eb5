"""Each flaw of a study is named; a study without flaws has no warnings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.schema.results import CONFIRM, StudyResults
from reports.text.cautions import cautions
from tests.reports.conftest import (
    Sketch,
    keep,
    make_results,
    numbers,
    small,
    without_timing,
)

pytestmark = pytest.mark.slow


def bent(batch: int, rate: float, epochs: float) -> float:
    """Accuracy with its best rate inside the grid, and updates that follow 1 + 100/B."""
    progress = min(1.0, epochs / (4 + 0.04 * batch))
    return 0.3 + 0.4 * progress - 0.1 * abs(np.log(rate)) - 0.0001 * batch


FLAWLESS = Sketch(
    description=small(batch_sizes=(8, 64, 256)), accuracy=bent, diverges=lambda *_: False
)


def warned(results: StudyResults) -> dict[str, str]:
    return {caution.kind: caution.text for caution in cautions(numbers(results))}


def test_the_most_severe_warnings_come_first(digits: StudyResults) -> None:
    severities = [caution.severity for caution in cautions(numbers(digits))]
    assert severities == sorted(severities, reverse=True)
    assert {*severities} <= {1, 2, 3}


def test_a_study_without_flaws_has_no_warnings() -> None:
    # At batch size 256 the budget ends before the strictest target.
    assert set(warned(make_results(FLAWLESS))) == {"not-reached"}


def test_networks_that_know_no_more_than_the_most_frequent_class_are_named() -> None:
    def with_share(share: float | None) -> StudyResults:
        plan = small(batch_sizes=(8, 64, 256), most_frequent=share)
        return make_results(replace(FLAWLESS, description=plan))

    results = with_share(None)
    best = numbers(results).batch_sizes["metric"].max()
    assert "nothing-learned" not in warned(results)
    assert "nothing-learned" not in warned(with_share(best - 0.05))
    text = warned(with_share(best + 0.001))["nothing-learned"]
    for part in (f"{best + 0.001:.1%}", f"test accuracy {best:.1%}", "the networks have"):
        assert part in text


def test_a_best_rate_at_the_edge_is_named() -> None:
    sketch = replace(FLAWLESS, accuracy=lambda _batch, rate, _epochs: 0.2 + 0.1 * rate)
    texts = warned(make_results(sketch))
    named = [size for size in ("8", "64", "256") if size in texts["edge"].split(",")[0]]
    assert "Learning rate 3" in texts["answer-edge"]
    assert len(named) == 2


def test_a_batch_size_without_a_rate_is_named() -> None:
    sketch = replace(FLAWLESS, diverges=lambda batch, _rate, seed: batch == 8 and seed == 0)
    assert warned(make_results(sketch))["no-rate"].startswith("At batch size 8, no learning rate")


def test_a_batch_size_that_is_not_confirmed_is_named() -> None:
    results = make_results(FLAWLESS)
    waiting = (results.trials["stage"] == CONFIRM) & (results.trials["batch_size"] == 64)
    assert warned(keep(results, ~waiting))["unconfirmed"].startswith(
        "At batch size 64, the selected rate"
    )


def test_a_seed_lost_at_the_selected_rate_is_named() -> None:
    results = make_results(FLAWLESS)
    lost = (results.trials["stage"] == CONFIRM) & (results.trials["batch_size"] == 64)
    results.trials.loc[lost & (results.trials["seed"] == 100), "status"] = "diverged"
    assert warned(results)["failed-seeds"].startswith("At batch size 64, a seed")


def test_a_failed_trial_is_quoted() -> None:
    text = warned(make_results(replace(FLAWLESS, error="boom\n<script>")))["failed"]
    assert "1 ended in an error (“<script>”)" in text


def test_a_missing_benchmark_is_named() -> None:
    results = make_results(FLAWLESS)
    assert "not been measured" in warned(without_timing(results))["untimed"]
    partly = replace(results, timing=results.timing[results.timing["batch_size"] > 8])
    assert warned(partly)["untimed"].startswith("At batch size 8,")


def test_rounds_that_disagree_are_named() -> None:
    results = make_results(FLAWLESS)
    rows = (results.timing["batch_size"] == 64) & (results.timing["round"] < 2)
    results.timing.loc[rows, ["wall_seconds", "cpu_seconds"]] *= 2
    text = warned(results)["busy"]
    assert "rounds differ by more than 20% (batch size 64)" in text


def test_data_too_easy_are_named() -> None:
    sketch = replace(FLAWLESS, accuracy=lambda *_: 1.0, noise=0)
    results = make_results(sketch)
    results.trials["test_metric"] = results.trials["test_metric"].where(
        results.trials["test_metric"].isna(), 1.0
    )
    assert "fewer than one of 360 examples" in warned(results)["saturated"]


def test_failures_are_grouped_by_cause_and_many_causes_are_counted() -> None:
    results = make_results(FLAWLESS)
    ends = [("crashed", "signal 9")] * 2 + [("timeout", "")] + [("error", e) for e in "abc"]
    for row, (status, error) in enumerate(ends):
        results.trials.loc[row, ["status", "error"]] = [status, error]
    text = warned(results)["failed"]
    for part in ("6 trials", "2 crashed (“signal 9”)", "error (“a”)", "error (“b”)", "2 other"):
        assert part in text
    assert "“c”" not in text

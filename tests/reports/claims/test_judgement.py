"""Claims are judged by the data: either way, or not at all where the data can't show it."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from reports.claims.evidence import (
    EVIDENCE_COLUMNS,
    LEVEL,
    MIXED,
    NOT_STUDIED,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    mean_of,
)
from reports.claims.judgement import CLAIM_COLUMNS, ClaimVerdict, claims_table, evidence_table
from reports.schema.results import CONFIRM, REGRESSION, StudyResults
from tests.helpers.claim_studies import FAST, Truth, study
from tests.helpers.judged import FALLING, FLAT, PAIR, SUM, by_size, judge, verdicts
from tests.reports.conftest import keep, nothing_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def falling() -> dict[str, ClaimVerdict]:
    """Verdicts on a study whose accuracy falls with the batch size."""
    return verdicts(study(FALLING))


def test_every_claim_of_the_paper_gets_a_verdict_in_its_order(
    falling: dict[str, ClaimVerdict],
) -> None:
    assert [*falling] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]
    places = {judged.claim.section for judged in falling.values()}
    assert places == {"abstract", "section 3"}


def test_without_trials_nothing_is_judged_and_every_claim_shows_what_it_needs(
    digits: StudyResults,
) -> None:
    for judged in judge(nothing_run(digits)):
        assert judged.verdict == NOT_STUDIED
        assert judged.claim.needs in judged.why
        assert (judged.sentence, judged.budget, judged.evidence) == ("", "", ())
        assert math.isnan(judged.finding.effect)


def test_accuracy_that_falls_with_the_batch_supports_c3() -> None:
    judged = verdicts(study(by_size({1: 0.95, 32: 0.9, 1024: 0.85})))["C3"]
    assert judged.verdict == SUPPORTED
    assert judged.finding.effect == pytest.approx(-0.1, abs=0.002)
    assert judged.finding.low < judged.finding.effect < judged.finding.high < 0
    assert judged.finding.count == 8
    assert judged.budget == "equal epochs: 4 epochs"
    assert not judged.why
    for part in ("test accuracy", "batch size 1 to 1024", "8 seeds"):
        assert part in judged.sentence


def test_a_change_names_the_batch_sizes_that_have_every_seed() -> None:
    results = study(FALLING)
    lost = (results.trials["batch_size"] == 1024) & (results.trials["seed"] == 1)
    judged = verdicts(keep(results, ~lost))["C3"]
    assert "batch size 1 to 32 (" in judged.sentence


def test_accuracy_that_stays_does_not_support_c3() -> None:
    judged = verdicts(study(FLAT))["C3"]
    assert judged.verdict == NOT_SUPPORTED
    assert -0.01 < judged.finding.low < 0 < judged.finding.high


def test_an_inverted_u_supports_c3_by_its_fall_from_the_best_batch_size() -> None:
    # A straight line through it rises.
    judged = verdicts(study(by_size({1: 0.6, 32: 0.95, 1024: 0.78})))["C3"]
    assert judged.verdict == SUPPORTED
    assert judged.finding.effect == pytest.approx(-0.17, abs=0.002)
    assert "batch size 32 to 1024" in judged.sentence


def test_accuracy_that_rises_to_the_largest_batch_does_not_support_c3() -> None:
    judged = verdicts(study(by_size({1: 0.8, 32: 0.85, 1024: 0.9})))["C3"]
    assert judged.verdict == NOT_SUPPORTED
    assert judged.finding.effect == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize(("change", "wrong"), [(0.0, 0), (-0.01, 1)], ids=["flat", "margin"])
def test_c3_is_wrong_as_rarely_as_promised(change: float, wrong: int) -> None:
    # With no change nothing may be supported; with one of the accepted loss, nothing refuted.
    truth = replace(by_size({1: 0.85, 32: 0.9, 1024: 0.9 + change}), noise=0.02)
    groups = [{"group": f"configuration {number}"} for number in range(10)]
    judged = verdicts(study(truth, *groups))["C3"]
    p_values = [
        each.p_values(mean_of(each.values, each.step))[wrong]
        for each in judged.evidence
        if each.comparison == "tuned rate"
    ]
    # 10 times 2.5% is 0.25.
    assert len(p_values) == 10
    assert sum(p <= LEVEL for p in p_values) <= 2


def test_accuracy_that_is_too_noisy_leaves_c3_open() -> None:
    judged = verdicts(study(replace(FLAT, noise=0.1)))["C3"]
    assert judged.verdict == UNDECIDED


def test_a_fall_too_small_to_count_is_a_fall_all_the_same() -> None:
    judged = verdicts(study(by_size({1: 0.904, 32: 0.902, 1024: 0.9})))["C3"]
    assert judged.verdict == SUPPORTED


def test_a_claim_that_holds_for_some_data_only_depends_on_them() -> None:
    truth = replace(
        FLAT, accuracy=lambda plan, size, _: 0.9 if plan.dataset == "wine" else 0.9 - size / 1e4
    )
    judged = verdicts(study(truth, {"group": "a"}, {"group": "b", "dataset": "wine"}))["C3"]
    assert judged.verdict == MIXED
    assert "supported on digits (1 of 1), not supported on wine (1 of 1)" in judged.why


def test_the_fixed_rate_is_that_of_the_smallest_batch() -> None:
    best = {1: 0.1, 32: 1.0, 1024: 10.0}
    truth = Truth(
        accuracy=lambda _, size, rate: 0.9 - 0.1 * abs(math.log10(rate / best[size])), seconds=FAST
    )
    judged = verdicts(study(truth, SUM))["C3"]
    by_kind = {e.comparison: e for e in judged.evidence}
    assert by_kind["tuned rate"].finding.effect == pytest.approx(0, abs=0.003)
    assert by_kind["fixed rate, sum"].finding.effect == pytest.approx(-0.2, abs=0.003)
    assert judged.verdict == NOT_SUPPORTED


def test_without_fresh_seeds_a_seed_never_judges_the_rate_it_chose() -> None:
    noisy = Truth(noise=0.05)
    judged = verdicts(study(noisy, fresh=()))["C3"]
    assert judged.evidence[0].metric == "validation accuracy"
    assert judged.finding.count == 6


def test_a_batch_size_with_a_failed_seed_is_not_compared() -> None:
    results = study(FALLING)
    trials = results.trials
    lost = (trials["stage"] == CONFIRM) & (trials["batch_size"] == 1024) & (trials["seed"] == 101)
    changed = trials.assign(status=trials["status"].mask(lost, "error"))
    # Whether it failed, or has not run yet.
    for without in (replace(results, trials=changed), keep(results, ~lost)):
        effect = verdicts(without)["C3"].finding.effect
        assert effect == pytest.approx(-0.05, abs=0.005)


def test_a_trial_of_two_groups_counts_in_both() -> None:
    results = study(FALLING, {"group": "a"})
    twice = study(FALLING, {"group": "a"}, {"group": "b"})
    trials = pd.concat([results.trials, results.trials.assign(group="b")], ignore_index=True)
    timing = pd.concat([results.timing, results.timing.assign(group="b")], ignore_index=True)
    judged = verdicts(StudyResults(twice.description, trials, results.curves, timing))["C3"]
    by_kind = {(e.comparison, e.group): e.finding for e in judged.evidence}
    assert by_kind["tuned rate", "b"] == by_kind["tuned rate", "a"]


def test_different_metrics_are_not_averaged() -> None:
    regression = {"group": "b", "task": REGRESSION, "metric": "r2"}
    judged = verdicts(study(FALLING, {"group": "a"}, regression))["C3"]
    assert judged.verdict == SUPPORTED
    assert math.isnan(judged.finding.effect)
    assert "accuracy and test R" in judged.sentence
    differing = replace(
        FALLING,
        noise=0.03,
        accuracy=lambda plan, size, _: 0.9 if plan.task == REGRESSION else 0.9 - size / 1e4,
    )
    assert verdicts(study(differing, {"group": "a"}, regression))["C3"].verdict == UNDECIDED


def test_the_tables_have_their_columns_and_a_row_each() -> None:
    by_kind = judge(study(FALLING, *PAIR))
    table, evidence = claims_table(by_kind), evidence_table(by_kind)
    assert {c.name: c.dtype for c in CLAIM_COLUMNS} == table.dtypes.astype(str).to_dict()
    assert {c.name: c.dtype for c in EVIDENCE_COLUMNS} == evidence.dtypes.astype(str).to_dict()
    assert table["claim"].tolist() == [judged.claim.name for judged in by_kind]
    assert len(evidence) == sum(len(judged.evidence) for judged in by_kind)
    first = evidence[(evidence["claim"] == "C3") & evidence["judges"]].iloc[0]
    assert (first["comparison"], first["group"]) == ("tuned rate", "plain")
    assert first["effect"] == by_kind[2].finding.effect
    judging = evidence.groupby("claim")["judges"].any()
    assert judging.all()


def test_the_table_of_evidence_of_nothing_is_empty(digits: StudyResults) -> None:
    table = evidence_table(judge(nothing_run(digits)))
    assert table.empty
    assert table.columns.tolist() == [column.name for column in EVIDENCE_COLUMNS]

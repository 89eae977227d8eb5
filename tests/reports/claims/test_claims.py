"""Claims are judged by the data: either way, or not at all where the data can't tell."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from reports.claims.claims import (
    CLAIM_COLUMNS,
    ClaimVerdict,
    claims_table,
    evidence_table,
    judge_claims,
)
from reports.claims.evidence import (
    CONTRADICTED,
    EVIDENCE_COLUMNS,
    MIXED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
)
from reports.schema.results import CONFIRM, REGRESSION, StudyResults
from tests.reports.claim_studies import FAST, Truth, study
from tests.reports.conftest import keep, nothing_run
from tests.reports.judged import FALLING, FLAT, PAIR, SUM, by_size, verdicts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def falling() -> dict[str, ClaimVerdict]:
    """Verdicts on a study whose accuracy falls with the batch size."""
    return verdicts(study(FALLING))


def test_every_claim_of_the_paper_gets_a_verdict_in_its_order(
    falling: dict[str, ClaimVerdict],
) -> None:
    assert [*falling] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]
    places = {one.claim.place for one in falling.values()}
    assert places == {"abstract", "section 3", "abstract and section 3"}


def test_without_trials_nothing_is_judged_and_every_claim_says_what_it_needs(
    digits: StudyResults,
) -> None:
    for one in judge_claims(nothing_run(digits)):
        assert one.verdict == NOT_STUDIED
        assert one.why == f"It would need {one.claim.needs}."
        assert (one.sentence, one.budget, one.evidence) == ("", "", ())
        assert math.isnan(one.finding.effect)


def test_accuracy_that_falls_with_the_batch_supports_c3() -> None:
    one = verdicts(study(by_size({1: 0.95, 32: 0.9, 1024: 0.85})))["C3"]
    assert one.verdict == SUPPORTED
    assert one.finding.effect == pytest.approx(-0.1, abs=0.002)
    assert one.finding.low < one.finding.effect < one.finding.high < 0
    assert one.finding.count == 8
    assert one.budget == "equal epochs: 4 epochs"
    assert not one.why
    sentence = one.sentence.replace("-9.9", "-10.")
    assert "along the fitted line, test accuracy changes by -10." in sentence
    assert "points from batch size 1 to 1024 (95%" in sentence


def test_a_change_names_the_batch_sizes_that_have_every_seed() -> None:
    results = study(FALLING)
    lost = (results.trials["batch_size"] == 1024) & (results.trials["seed"] == 1)
    one = verdicts(keep(results, ~lost))["C3"]
    assert "points from batch size 1 to 32 (95%" in one.sentence


def test_accuracy_that_stays_contradicts_c3_and_the_verdict_says_why() -> None:
    one = verdicts(study(FLAT))["C3"]
    assert one.verdict == CONTRADICTED
    assert -0.01 < one.finding.low < 0 < one.finding.high
    assert "a learning rate that is too large for the batch" in one.why


def test_accuracy_that_is_too_noisy_leaves_c3_open() -> None:
    one = verdicts(study(replace(FLAT, noise=0.1)))["C3"]
    assert one.verdict == UNDECIDED


def test_a_fall_too_small_to_count_is_a_fall_all_the_same() -> None:
    one = verdicts(study(by_size({1: 0.904, 32: 0.902, 1024: 0.9})))["C3"]
    assert one.verdict == SUPPORTED


def test_a_claim_that_holds_for_some_data_only_depends_on_them() -> None:
    truth = replace(
        FLAT, accuracy=lambda plan, size, _: 0.9 if plan.dataset == "wine" else 0.9 - size / 1e4
    )
    one = verdicts(study(truth, {"group": "a"}, {"group": "b", "dataset": "wine"}))["C3"]
    assert one.verdict == MIXED
    assert one.why == "It depends: supported on digits (1 of 1), contradicted on wine (1 of 1)."


def test_the_rate_of_the_smallest_batch_is_what_is_kept() -> None:
    best = {1: 0.1, 32: 1.0, 1024: 10.0}
    truth = Truth(
        accuracy=lambda _, size, rate: 0.9 - 0.1 * abs(math.log10(rate / best[size])), seconds=FAST
    )
    one = verdicts(study(truth, SUM))["C3"]
    found = {e.sample.comparison: e for e in one.evidence}
    assert found["tuned rate"].finding.effect == pytest.approx(0, abs=0.003)
    assert found["kept rate, sum"].finding.effect == pytest.approx(-0.2, abs=0.003)
    assert one.verdict == CONTRADICTED
    assert "With the summed error and the smallest batch's rate kept" in one.sentence


def test_equal_updates_turn_the_order_of_batch_sizes_round(
    falling: dict[str, ClaimVerdict],
) -> None:
    one = falling["C3"]
    found = {e.sample.comparison: e for e in one.evidence}
    # In the 8 updates of the largest batch, the smallest sees 8 of its examples.
    assert found["equal updates"].sample.budget == "equal updates: 8"
    assert found["equal updates"].finding.effect > 0.6
    assert found["equal updates"].verdict == CONTRADICTED
    assert found["equal time"].sample.budget == "equal time: the shortest training"


def test_equal_time_is_judged_only_where_every_batch_size_was_timed() -> None:
    results = study(FALLING)
    timing = results.timing[results.timing["batch_size"] != 32].reset_index(drop=True)
    one = verdicts(replace(results, timing=timing))["C3"]
    assert "equal time" not in {e.sample.comparison for e in one.evidence}


def test_without_fresh_seeds_a_seed_never_judges_the_rate_it_chose() -> None:
    noisy = Truth(noise=0.05)
    one = verdicts(study(noisy, fresh=()))["C3"]
    assert one.evidence[0].sample.metric == "validation accuracy"
    assert one.finding.count == 6


def test_a_batch_size_that_lost_a_seed_is_not_compared() -> None:
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
    one = verdicts(StudyResults(twice.description, trials, results.curves, timing))["C3"]
    found = {(e.sample.comparison, e.sample.group): e.finding for e in one.evidence}
    assert found["equal updates", "b"] == found["equal updates", "a"]


def test_different_metrics_are_not_averaged() -> None:
    regression = {"group": "b", "task": REGRESSION, "metric": "r2"}
    one = verdicts(study(FALLING, {"group": "a"}, regression))["C3"]
    assert one.verdict == SUPPORTED
    assert math.isnan(one.finding.effect)
    assert "accuracy and test R" in one.sentence
    differing = replace(
        FALLING,
        noise=0.03,
        accuracy=lambda plan, size, _: 0.9 if plan.task == REGRESSION else 0.9 - size / 1e4,
    )
    assert verdicts(study(differing, {"group": "a"}, regression))["C3"].verdict == UNDECIDED


def test_the_tables_have_their_columns_and_a_row_each() -> None:
    found = judge_claims(study(FALLING, *PAIR))
    table, evidence = claims_table(found), evidence_table(found)
    assert {c.name: c.dtype for c in CLAIM_COLUMNS} == table.dtypes.astype(str).to_dict()
    assert {c.name: c.dtype for c in EVIDENCE_COLUMNS} == evidence.dtypes.astype(str).to_dict()
    assert table["claim"].tolist() == [one.claim.name for one in found]
    assert len(evidence) == sum(len(one.evidence) for one in found)
    first = evidence[(evidence["claim"] == "C3") & evidence["judges"]].iloc[0]
    assert (first["comparison"], first["group"]) == ("tuned rate", "plain")
    assert first["effect"] == found[2].finding.effect
    judging = evidence.groupby("claim")["judges"].any()
    assert judging.all()


def test_the_table_of_evidence_of_nothing_is_empty(digits: StudyResults) -> None:
    table = evidence_table(judge_claims(nothing_run(digits)))
    assert table.empty
    assert table.columns.tolist() == [column.name for column in EVIDENCE_COLUMNS]

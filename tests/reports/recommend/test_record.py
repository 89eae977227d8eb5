"""Networks are compared with the answer that needs no learning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.claims.evidence import NOT_STUDIED, SUPPORTED
from reports.recommend.record import Analysis, constant_metric
from reports.schema.formats import MISSING
from reports.schema.results import REGRESSION, StudyResults
from reports.text.cautions import cautions
from reports.text.verdicts import cards, verdict
from tests.helpers.claim_studies import study
from tests.helpers.judged import FALLING, verdicts
from tests.reports.conftest import Sketch, make_results, nothing_run, numbers, small

pytestmark = pytest.mark.slow


def at(level: float, share: float | None, noise: float = 0.002) -> Analysis:
    """Return the numbers of a study whose networks all attain a level."""
    plan = small(most_frequent=share)
    sketch = Sketch(plan, accuracy=lambda *_: level, noise=noise, diverges=lambda *_: False)
    return numbers(make_results(sketch))


def test_the_constant_answer_is_the_most_frequent_class_or_the_mean() -> None:
    (plan,) = small(most_frequent=0.6).groups
    assert constant_metric(plan) == 0.6
    assert constant_metric(replace(plan, task=REGRESSION)) == 0


@pytest.mark.parametrize(
    ("level", "share", "noise", "why"),
    [
        (0.9, None, 0.002, ""),
        (0.9, 0.6, 0.002, ""),
        (0.6, 0.6, 0.002, "little or nothing"),
        (0.5, 0.6, 0.002, "little or nothing"),
        (0.7, 0.6, 0.5, "95% t interval"),
    ],
    ids=["unknown", "learned", "as good", "worse", "noise"],
)
def test_networks_have_learned_if_they_surely_do_better(
    level: float, share: float | None, noise: float, why: str
) -> None:
    analysis = at(level, share, noise)
    assert why in analysis.unlearned
    assert analysis.learned == (not why) == (not analysis.unlearned)


def test_the_first_warning_explains_why_no_batch_size_is_named() -> None:
    assert cautions(at(0.6, 0.6))[0].kind == "nothing-learned"
    assert "one answer for everything" in verdict(at(0.6, 0.6))[0].text
    assert "one answer for everything" not in verdict(at(0.9, 0.6))[0].text


def test_no_batch_size_is_named_by_networks_that_learned_nothing() -> None:
    analysis = at(0.6, 0.6)
    assert analysis.recommended is None
    assert cards(analysis)[0].value == MISSING
    assert at(0.9, 0.6).recommended is not None


def test_a_group_without_a_metric_has_not_learned(digits: StudyResults) -> None:
    assert not numbers(nothing_run(digits)).learned


def test_claims_on_accuracy_are_not_judged_by_networks_that_learned_nothing() -> None:
    shared = {"batch_sizes": (1, 32, 1024)}
    learned = verdicts(study(FALLING, shared))
    assert learned["C3"].verdict == SUPPORTED
    alike = study(FALLING, shared | {"most_frequent": 0.99})
    judged = verdicts(alike)
    for name in ("C3", "C4", "C5", "C6", "C7"):
        assert judged[name].verdict == NOT_STUDIED
        assert judged[name].claim.needs.startswith("networks that learn something, ")
    assert not judged["C2"].claim.needs.startswith("networks")


def test_trials_that_all_diverged_judge_no_claim_on_accuracy(digits: StudyResults) -> None:
    trials = digits.trials.assign(
        status="diverged",
        **{f"{part}_metric": float("nan") for part in ("train", "validation", "test")},
    )
    judged = verdicts(replace(digits, trials=trials))
    assert judged["C3"].verdict == NOT_STUDIED

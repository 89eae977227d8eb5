"""Three answers add up to one recommendation: which is trusted, whether they agree, and why."""

from __future__ import annotations

import math

import pytest

from reports.recommend.recommendation import (
    AGREE,
    ALONE,
    CLOSED_FORM,
    DISAGREE,
    MEASUREMENT,
    NOISE_SCALE,
    RECOMMENDATION_COLUMNS,
    SILENT,
    TARGET_TIME,
    Answer,
    Recommendation,
    recommendation_table,
    reconcile,
)
from reports.stats.bounds import Ends

SIZES = (1, 4, 16, 64, 256)


def measured(low: float = 16, high: float = 64, best: float = 16, weakness: str = "") -> Answer:
    return Answer(source=MEASUREMENT, interval=Ends(low, high), best=best, weakness=weakness)


def closed(low: float = 20, high: float = 45, weakness: str = "", *, limit: bool = False) -> Answer:
    ends, best = Ends(low, high), None if limit else 30.0
    return Answer(
        source=CLOSED_FORM, interval=ends, best=best, weakness=weakness, only_limits=limit
    )


def noise(low: float = 10, high: float = 60) -> Answer:
    return Answer(source=NOISE_SCALE, interval=Ends(low, high), best=25.0)


def silent(source: str) -> Answer:
    return Answer(source=source, reason="It isn't known.")


def reconciled(*answers: Answer) -> Recommendation:
    given = {advice.source: advice for advice in answers}
    sources = (MEASUREMENT, CLOSED_FORM, NOISE_SCALE)
    return reconcile(TARGET_TIME, "a target", SIZES, [given.get(s, silent(s)) for s in sources])


CASES = {
    "the narrower of two that are sound and agree": (
        (measured(), closed(), noise()),
        (CLOSED_FORM, AGREE, Ends(20, 45), 16),
    ),
    "the measurement if it is the narrower": (
        (measured(16, 16), closed(), noise()),
        (MEASUREMENT, AGREE, Ends(16, 16), 16),
    ),
    "the measurement if they disagree": (
        (measured(), closed(257, 300), noise()),
        (MEASUREMENT, DISAGREE, Ends(16, 64), 16),
    ),
    "the measurement if both are weak": (
        (measured(weakness="few seeds"), closed(weakness="a poor fit")),
        (MEASUREMENT, AGREE, Ends(16, 64), 16),
    ),
    "the measurement if the closed form is weak": (
        (measured(), closed(weakness="a poor fit")),
        (MEASUREMENT, AGREE, Ends(16, 64), 16),
    ),
    "the closed form if the measurement is weak": (
        (measured(weakness="few seeds"), closed(257, 300)),
        (CLOSED_FORM, DISAGREE, Ends(257, 300), 16),
    ),
    "the measurement, however weak, if the other only limits": (
        (measured(weakness="few seeds"), closed(1, 20, limit=True)),
        (MEASUREMENT, AGREE, Ends(16, 64), 16),
    ),
    "the closed form alone": ((closed(),), (CLOSED_FORM, ALONE, Ends(20, 45), 16)),
    "a limit alone, which names no batch size": (
        (closed(1, 20, limit=True),),
        (CLOSED_FORM, ALONE, Ends(1, 20), None),
    ),
    "the measurement, which the noise scale contradicts": (
        (measured(), noise(1, 3)),
        (MEASUREMENT, DISAGREE, Ends(16, 64), 16),
    ),
    "none if only the noise scale answers": ((noise(),), ("", SILENT, None, None)),
    "none if none answers": ((), ("", SILENT, None, None)),
}


@pytest.mark.parametrize(("answers", "expected"), CASES.values(), ids=CASES)
def test_the_one_that_is_trusted_is(
    answers: tuple[Answer, ...], expected: tuple[str, str, Ends | None, int | None]
) -> None:
    advice = reconciled(*answers)
    trusted, agreement, interval, size = expected
    # The closed form's best is 30: of the tried ones 16 is nearest by ratio.
    assert (advice.trusted, advice.agreement, advice.interval) == (trusted, agreement, interval)
    assert advice.batch_size == size
    assert advice.reason


def test_the_measured_best_is_used_if_the_trusted_range_holds_it() -> None:
    assert reconciled(measured(16, 64, best=64), closed(20, 70)).batch_size == 16 + 48
    assert reconciled(measured(16, 64, best=64), closed(20, 45)).batch_size == 16


def test_a_batch_size_beyond_a_limit_has_no_agreement() -> None:
    limit = Answer(source=NOISE_SCALE, interval=Ends(0, 2), only_limits=True)
    assert reconciled(measured(2, 64, best=64), limit).agreement == DISAGREE
    assert reconciled(measured(2, 64, best=4), limit).agreement == AGREE


def test_a_measured_range_counts_up_to_the_next_sizes_tried() -> None:
    assert reconciled(measured(16, 16), closed(2, 3.9)).agreement == DISAGREE
    assert reconciled(measured(16, 16), closed(2, 4.1)).agreement == AGREE
    assert reconciled(measured(16, 16), closed(63, 80)).agreement == AGREE
    assert reconciled(measured(16, 16), closed(65, 80)).agreement == DISAGREE
    # Beyond the last one nothing was tried.
    assert reconciled(measured(256, 256), closed(257, 300)).agreement == DISAGREE


def test_an_answer_can_be_asked_for_by_its_source() -> None:
    assert reconciled(noise()).answer(NOISE_SCALE) == noise()
    assert reconciled(noise()).answer(MEASUREMENT).reason == "It isn't known."


def test_a_range_from_nothing_is_wider_than_any_other() -> None:
    assert reconciled(measured(), closed(0, 45)).trusted == MEASUREMENT


def test_the_table_has_what_each_source_says() -> None:
    table = recommendation_table([reconciled(measured(), closed()), reconciled()])
    dtypes = table.dtypes.astype("str").to_dict()
    assert dtypes == {column.name: column.dtype for column in RECOMMENDATION_COLUMNS}
    first, second = table.to_dict("records")
    assert (first["measured_low"], first["closed_form_high"], first["low"]) == (16, 45, 20)
    assert math.isnan(first["noise_scale_best"])
    assert second["agreement"] == SILENT
    assert math.isnan(second["low"])

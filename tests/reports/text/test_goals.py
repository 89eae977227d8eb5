"""Recommendations in words: who says what, whether they agree, and what would settle it."""

from __future__ import annotations

from dataclasses import replace

from reports.recommend.recommendation import (
    CLOSED_FORM,
    MEASUREMENT,
    NOISE_SCALE,
    TARGET_TIME,
    Answer,
    Recommendation,
    reconcile,
)
from reports.stats.bounds import Ends
from reports.text.goals import (
    CELL_HEADERS,
    answer_text,
    cell_texts,
    goal_sentence,
    more_sentence,
    span,
)

MEASURED = Answer(source=MEASUREMENT, interval=Ends(16, 64), best=16)
CLOSED = Answer(source=CLOSED_FORM, interval=Ends(20.2, 44.8), best=30.0)
NOISE = Answer(source=NOISE_SCALE, reason="Gradients were not measured.")


def advice(*answers: Answer, more: tuple[str, ...] = ()) -> Recommendation:
    return reconcile(TARGET_TIME, "the shortest time", (4, 16, 64, 256), answers, more)


def test_a_goal_has_its_batch_size_its_range_and_its_sources() -> None:
    text = goal_sentence(advice(MEASURED, CLOSED, NOISE))
    for part in (
        *("the shortest time: batch size 16;", "20 to 45 are as good", "Measurement says 16 to 64"),
        *("noise scale can't say", "they agree (trusted is the closed form"),
    ):
        assert part in text


def test_a_single_batch_size_is_no_range() -> None:
    assert [span(Ends(*ends)) for ends in ((20.4, 20.6), (8, 8))] == ["20 to 21", "8"]
    single = replace(MEASURED, interval=Ends(16, 16))
    text = goal_sentence(advice(single, CLOSED, NOISE))
    assert text.startswith("For the shortest time: batch size 16. Measurement says 16,")
    assert text.endswith("they agree.")


def test_a_disagreement_is_told_with_the_one_that_is_trusted() -> None:
    text = goal_sentence(advice(MEASURED, replace(CLOSED, interval=Ends(257, 300)), NOISE))
    assert "they disagree (trusted is measurement" in text


def test_a_limit_is_told_as_one() -> None:
    limit = Answer(source=CLOSED_FORM, interval=Ends(4, 100), only_limits=True)
    silent = Answer(source=MEASUREMENT, reason="The timing pass has not run.")
    text = goal_sentence(advice(silent, limit, NOISE))
    assert text.startswith("For the shortest time: a batch size of 4 to 100. Measurement can't say")
    assert "the closed form says up to 100" in text
    assert answer_text(limit) == "up to 100"


def test_why_nothing_can_be_said_is_told_once() -> None:
    silent = Answer(source=MEASUREMENT, reason="Gradients were not measured.")
    text = goal_sentence(advice(silent, NOISE))
    assert "no batch size" in text
    assert text.count("gradients were not measured") == 1


def test_what_would_settle_it_is_told_once() -> None:
    first = advice(MEASURED, CLOSED, NOISE, more=("a quiet machine", "5 more seeds"))
    other = advice(MEASURED, CLOSED, NOISE, more=("a quiet machine",))
    assert "a quiet machine and 5 more seeds" in more_sentence([first, other])
    assert more_sentence([advice(MEASURED, CLOSED, NOISE)]) == ""


def test_a_row_has_a_cell_for_each_header() -> None:
    weak = replace(CLOSED, weakness="a poor fit")
    row = dict(zip(CELL_HEADERS, cell_texts(advice(MEASURED, weak, NOISE)), strict=True))
    assert row["Goal"] == "The shortest time"
    assert row["Range"] == "16 to 64"
    assert row["Closed form"] == "20 to 45 (a poor fit)"
    assert row["Noise scale"] == "can't say: gradients were not measured."
    assert "a poor fit" in row["Why this range"]
    nothing = dict(zip(CELL_HEADERS, cell_texts(advice(NOISE, NOISE, NOISE)), strict=True))
    assert (nothing["Batch size"], nothing["Range"]) == ("none", "none")

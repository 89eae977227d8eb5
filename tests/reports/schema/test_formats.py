"""Numbers are rounded in one place, and foreign text stays on its line."""

from __future__ import annotations

import math

import pytest

from reports.schema import formats


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (3.21e-6, "3.21 µs"),
        (9.994e-4, "999 µs"),
        (9.996e-4, "1.00 ms"),
        (0.99996, "1.00 s"),
        (0.0421, "42.1 ms"),
        (12.34, "12.3 s"),
        (59.9, "59.9 s"),
        (60.0, "1 min 0 s"),
        (3725.0, "62 min 5 s"),
        (0.0, "0 s"),
    ],
)
def test_a_duration_has_a_unit_that_fits(duration: float, text: str) -> None:
    assert formats.seconds(duration).replace("\xa0", " ") == text


def test_a_value_never_breaks_from_its_unit() -> None:
    assert " " not in formats.seconds(0.5)


def test_a_missing_number_is_named() -> None:
    written = (
        formats.percent,
        formats.seconds,
        formats.times,
        formats.count,
        formats.rate,
        formats.decimal,
    )
    assert {write(math.nan) for write in written} == {"none"}


def test_text_that_could_mislead_is_made_visible() -> None:
    hostile = "a\x00b\x1b[31m\u202ec\ud800\r\nd"
    assert formats.visible(hostile) == "a\\x00b\\x1b[31m\\x202ec\\xd800\\x0d\\x0ad"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    text = "Größe 大小 حجم 👩\u200d🔬 a$x^$b"
    assert formats.visible(text) == text


def test_long_text_is_cut() -> None:
    assert formats.visible("x" * 1000) == "x" * 200 + "…"


def test_line_breaks_of_a_text_block_survive() -> None:
    assert formats.visible_lines("a\tb\n\x07c") == "a\\x09b\n\\x07c"


def test_an_empty_text_block_stays_empty() -> None:
    assert formats.visible_lines("") == ""

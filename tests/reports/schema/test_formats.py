"""Numbers are rounded in one place, and foreign text stays on its line."""

from __future__ import annotations

import math

import pytest

from reports.schema import formats
from reports.schema.measures import measure_of
from tests.reports.conftest import DIGITS_GROUP

ACCURACY = measure_of(DIGITS_GROUP)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (3.21e-6, "3.2 µs"),
        (9.94e-4, "994 µs"),
        (9.96e-4, "1.0 ms"),
        (0.99996, "1.0 s"),
        (0.0421, "42 ms"),
        (12.34, "12 s"),
        (59.4, "59 s"),
        (60.0, "1 min 0 s"),
        (3725.0, "62 min 5 s"),
        (0.0, "0 s"),
    ],
)
def test_a_duration_has_a_unit_that_fits(duration: float, text: str) -> None:
    assert formats.seconds(duration).replace("\xa0", " ") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formats.percent(0.97216), "97%"),
        (formats.percent(0.0028), "0.28%"),
        (formats.fixed(0.87216, 3), "0.872"),
        (formats.fixed(5239775605878207444680704.0, 3), "5.2e24"),
        (formats.fixed(-0.0, 1), "0.0"),
        (ACCURACY.text(0.97216), "97.2%"),
        (ACCURACY.gap(-0.0056), "0.6 points"),
        (ACCURACY.signed(-0.0056), "-0.6"),
        (formats.fixed(0.25, 1, sign="+"), "+0.2"),
        (formats.fixed(-math.inf, 1, unit="%"), "-\N{INFINITY}%"),
        (formats.off_by(0.2616), "30%"),
        (formats.significant(0.9), "0.90"),
        (formats.significant(9.96), "10"),
        (formats.significant(1234.5), "1,200"),
        (formats.significant(1e28), "1.0e28"),
        (formats.times(55.21), "55x"),
        (formats.faster(21.3), "21x faster"),
        (formats.faster(0.97), "no faster"),
        (formats.faster(1 / 5.2), "5.2x slower"),
        (formats.count(28740), "28,740"),
        (formats.count(2_812_345), "2.8 million"),
        (formats.count(12_400_000_000), "12 billion"),
        (formats.rate(0.3), "0.3"),
        (formats.rate(30.0), "30"),
        (formats.plural(1, "seed"), "1 seed"),
        (formats.plural(1200, "trial"), "1,200 trials"),
        (formats.sizes([8]), "size 8"),
        (formats.sizes([8, 1024]), "sizes 8 and 1024"),
        (formats.sizes([2, 4, 8, 16], [1, 2, 4, 8, 16, 32]), "sizes 2 to 16"),
        (formats.sizes([2, 4, 8, 32], [1, 2, 4, 8, 16, 32]), "sizes 2, 4, 8 and 32"),
        (formats.sizes([2, 4, 8], [2, 4, 8]), "sizes 2, 4 and 8"),
        (formats.listing([8, 16, 32]), "8, 16 and 32"),
        (formats.listing(range(9), most=3), "0, 1, 2 and 6 more"),
        (formats.capitalised("test R2"), "Test R2"),
    ],
)
def test_numbers_and_lists_are_written_as_a_reader_expects(text: str, expected: str) -> None:
    assert text == expected


def test_a_value_never_breaks_from_its_unit() -> None:
    assert " " not in formats.seconds(0.5)


def test_a_missing_number_is_a_dash() -> None:
    written = (
        formats.percent,
        formats.seconds,
        formats.times,
        formats.count,
        formats.rate,
        formats.significant,
        formats.off_by,
    )
    assert {write(math.nan) for write in written} == {"\N{EN DASH}"}


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

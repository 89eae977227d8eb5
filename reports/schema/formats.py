"""How numbers and foreign text are written; the only place where numbers are rounded.

Any float of Python or NumPy can be written: missing, infinite, too large or too small as well.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

MISSING = "none"  # stands for a number that isn't there
INFINITE = "\N{INFINITY}"  # stands for a number without end; a minus sign may come before it
PLAIN, COUNTABLE, SMALL = 1e7, 1e15, 1e-9
"""From here on numbers with decimals, and whole ones, are written in powers of ten; and below."""
TIMES = "\N{MULTIPLICATION SIGN}"  # between factors, and after a ratio

_LARGEST_LOG = 700.0  # numbers of larger logarithms are larger than any
_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def percent(share: float) -> str:
    """Return a share as a percentage, such as "97.22%"."""
    return fixed(100 * float(share), 2, unit="%")


def decimal(value: float) -> str:
    """Return a number with four digits after the point."""
    return fixed(value, 4)


def fixed(value: float, digits: int, *, sign: str = "", unit: str = "") -> str:
    """Return a number with so many digits after the point, its unit behind it."""
    number = float(value)
    if math.isnan(number):
        return MISSING
    if abs(number) >= PLAIN:
        return f"{_powers(number, 1, sign)}{unit}"
    return f"{number:{sign}z.{digits}f}{unit}"


def _powers(number: float, digits: int, sign: str = "") -> str:
    """A number in powers of ten, or without end."""
    if math.isinf(number):
        return f"{'-' if number < 0 else sign}{INFINITE}"
    return f"{number:{sign}.{digits}e}".replace("e+", "e")


def points(difference: float) -> str:
    """Return a difference of shares without its sign, such as "0.56 points"."""
    return fixed(abs(100 * float(difference)), 2, unit=" points")


def signed(difference: float) -> str:
    """Return a difference of shares in percentage points with its sign, such as "-0.56"."""
    return fixed(100 * float(difference), 2, sign="+")


def seconds(duration: float, digits: int = 3) -> str:
    """Return a duration with a unit that fits, such as "3 min 20 s"; its spaces don't break."""
    duration = float(duration)
    if math.isnan(duration):
        return MISSING
    if duration < 0:
        return f"-{seconds(-duration, digits)}"
    if duration >= COUNTABLE:
        return f"{_powers(duration, 1)}\xa0s"
    if duration >= 60:  # noqa: PLR2004
        minutes, rest = divmod(round(duration), 60)
        return f"{minutes:,}\xa0min {rest}\xa0s"
    if duration == 0:
        return "0\xa0s"
    # A thousand of a unit, once rounded, is one of the next.
    rounded = duration / (1 - 0.5 * 10.0**-digits)
    factor, unit = next(
        ((f, u) for limit, f, u in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")) if rounded < limit),
        (1.0, "s"),
    )
    return f"{significant(duration * factor, digits)}\xa0{unit}"


def off_by(log_residual: float) -> str:
    """Return by how much a value lies off a curve that was fitted to logarithms."""
    log = float(log_residual)
    return percent(math.inf if log > _LARGEST_LOG else math.expm1(log))


def significant(value: float, digits: int = 3) -> str:
    """Return a number with that many significant digits; in powers of ten if it has too many."""
    number = float(value)
    if math.isnan(number):
        return MISSING
    if abs(number) >= COUNTABLE or 0 < abs(number) < SMALL:
        return _powers(number, digits - 1)
    exponent = int(f"{number:.{digits - 1}e}".partition("e")[2]) if number else 0
    return f"{number:z,.{max(0, digits - 1 - exponent)}f}"


def times(ratio: float) -> str:
    """Return a ratio."""
    return MISSING if math.isnan(ratio) else f"{significant(ratio)}{TIMES}"


def count(number: float) -> str:
    """Return a whole number with thousands separated."""
    if math.isnan(number):
        return MISSING
    whole = float(number)
    return _powers(whole, 1) if abs(whole) >= COUNTABLE else f"{whole:z,.0f}"


def rate(value: float) -> str:
    """Return a learning rate as briefly as possible."""
    number = float(value) + 0.0
    if math.isinf(number):
        return _powers(number, 0)
    return MISSING if math.isnan(number) else f"{number:g}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1,200 trials"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sizes(batch_sizes: Sequence[int]) -> str:
    """Return batch sizes to be read after "batch", such as "sizes 8 and 1024"."""
    return f"{'size' if len(batch_sizes) == 1 else 'sizes'} {listing(batch_sizes)}"


def listing(items: Sequence[object], most: int = 12) -> str:
    """Return items as an enumeration; long ones end with how many more there are."""
    if not items:
        return ""
    shown = [str(item) for item in items[:most]]
    if len(items) > most:
        shown.append(f"{len(items) - most} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def capitalised(text: str) -> str:
    """Return a text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def lowered(sentence: str) -> str:
    """Return a sentence with its first letter in lower case, to be read within another."""
    return sentence[:1].lower() + sentence[1:]


def visible(text: str, most: int = 200) -> str:
    """Return foreign text on one line: control characters escaped, long text cut."""
    cut = text if len(text) <= most else f"{text[:most]}…"
    if cut.isprintable():
        return cut
    return "".join(_escaped(character) for character in cut)


def visible_lines(text: str) -> str:
    """Return foreign text with its line breaks, other control characters escaped."""
    return "\n".join(visible(line, most=10_000) for line in text.splitlines())


def _escaped(character: str) -> str:
    harmless = unicodedata.category(character) not in {"Cc", "Cs"}
    if harmless and character not in _BIDI_CONTROLS:
        return character
    return f"\\x{ord(character):02x}"

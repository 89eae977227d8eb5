"""How numbers and foreign text are written; the only place where numbers are rounded.

Any float of Python or NumPy can be written: missing, infinite, too large or too small as well.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

MISSING = "\N{EN DASH}"  # for a number that is missing
INFINITE = "\N{INFINITY}"  # for an infinite number; a minus sign may come before it
PLAIN, COUNTABLE, SMALL = 1e7, 1e15, 1e-9
"""From here on numbers with decimals, and whole ones, are written in powers of ten; and below."""
TIMES = "\N{MULTIPLICATION SIGN}"  # between factors
MILLION, BILLION = 1e6, 1e9

_THOUSAND = 999.5  # what is written with a thousand or more

_LARGEST_LOG = 700.0  # numbers of larger logarithms are larger than any
_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def percent(share: float) -> str:
    """Return a share as a percentage of two significant digits, such as "97%" or "0.28%"."""
    return f"{text}%" if (text := significant(100 * float(share))) != MISSING else MISSING


def fixed(value: float, digits: int, *, sign: str = "", unit: str = "") -> str:
    """Return a number with that many digits after the point, its unit behind it."""
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


def seconds(duration: float, digits: int = 2) -> str:
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


def significant(value: float, digits: int = 2) -> str:
    """Return a number with that many significant digits, or up to 999 all before its point.

    Millions are written as such, and what is too large or too small in powers of ten.
    """
    number = float(value)
    if math.isnan(number):
        return MISSING
    if _THOUSAND <= abs(number) < COUNTABLE:
        return count(float(f"{number:.{digits - 1}e}"))
    if abs(number) >= COUNTABLE or 0 < abs(number) < SMALL:
        return _powers(number, digits - 1)
    exponent = int(f"{number:.{digits - 1}e}".partition("e")[2]) if number else 0
    return f"{number:z,.{max(0, digits - 1 - exponent)}f}"


def times(ratio: float) -> str:
    """Return a ratio, such as "21x"."""
    return MISSING if math.isnan(ratio) else f"{significant(ratio)}x"


def faster(ratio: float) -> str:
    """Return how the speeds of two compare, such as "21x faster", "5.2x slower" or "no faster"."""
    if times(max(ratio, 1 / ratio)) == times(1.0):
        return "no faster"
    return f"{times(ratio)} faster" if not ratio < 1 else f"{times(1 / ratio)} slower"


def count(number: float) -> str:
    """Return a whole number with thousands separated; of millions two significant digits."""
    if math.isnan(number):
        return MISSING
    whole = float(number)
    if abs(whole) >= COUNTABLE:
        return _powers(whole, 1)
    for unit, word in ((BILLION, "billion"), (MILLION, "million")):
        if abs(whole) >= unit:
            return f"{significant(whole / unit)} {word}"
    return f"{whole:z,.0f}"


def rate(value: float) -> str:
    """Return a learning rate as briefly as possible."""
    number = float(value) + 0.0
    if math.isinf(number):
        return _powers(number, 0)
    return MISSING if math.isnan(number) else f"{number:g}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1,200 trials"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sizes(batch_sizes: Sequence[int], tried: Sequence[int] = ()) -> str:
    """Return batch sizes to be read after "batch", such as "sizes 8 and 1024"."""
    # More than three neighbours among those tried are a range, such as "sizes 8 to 1024".
    few, first = 3, batch_sizes[0] if batch_sizes else 0
    start = tried.index(first) if first in tried else 0
    if len(batch_sizes) > few and [*tried[start : start + len(batch_sizes)]] == [*batch_sizes]:
        return f"sizes {first} to {batch_sizes[-1]}"
    return f"{'size' if len(batch_sizes) == 1 else 'sizes'} {listing(batch_sizes)}"


def listing(things: Sequence[object], most: int = 12) -> str:
    """Return an enumeration; long ones end with how many more there are."""
    if not things:
        return ""
    shown = [str(each) for each in things[:most]]
    if len(things) > most:
        shown.append(f"{len(things) - most} more")
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

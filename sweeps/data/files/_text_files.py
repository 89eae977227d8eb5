"""Tables written as text: encoding, separator, quotes, decimal sign and header by their content."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sweeps.data.files._rows import HEAD_ROWS, Row, Rows, layout_of
from sweeps.data.files.file_sources import HEAD_BYTES, Contents, FileParameters
from sweeps.errors import DataError

MOST_LINE = 20_000_000  # characters
_HEAD_CHARACTERS = 1_000_000
_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}
"""What separates columns; of those that suit a file equally well the first."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_SINGLE_QUOTED = re.compile(r"(?:^|[,;\t| ])'[^'\n]*'(?=[,;\t| \r\n]|$)", re.MULTILINE)
_COMMA = re.compile(r"\s*[-+]?(\d+,(\d{1,2}|\d{4,})|0,\d+)\s*", re.ASCII)
_POINT = re.compile(r"\s*[-+]?(\d*\.(\d{1,2}|\d{4,})|0\.\d+)\s*", re.ASCII)
_ESCAPED = re.compile(r"""\\["'](?![,;|\s])""")
_ATTRIBUTE = re.compile(
    r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s""", re.IGNORECASE
)


@dataclass(frozen=True)
class _Form:
    """How rows are written."""

    separator: str
    quote: str = '"'
    spaced: bool = False  # whether blanks follow separators
    escape: str | None = None

    def rows(self, name: str, lines: Iterable[str], first: int) -> Iterator[tuple[list[str], int]]:
        """Yield the fields of each row, and the line that it begins in."""
        if self.separator == " ":
            lines = (line.replace("\t", " ").strip() + "\n" for line in lines)
        reader = csv.reader(
            lines,
            delimiter=self.separator,
            quotechar=None if self.quote == "none" else self.quote,
            quoting=csv.QUOTE_NONE if self.quote == "none" else csv.QUOTE_MINIMAL,
            skipinitialspace=self.spaced or self.separator == " ",
            escapechar=self.escape,
            strict=True,
        )
        line = first
        try:
            for fields in reader:
                if fields:
                    yield fields, line
                line = first + reader.line_num
        except csv.Error as error:
            raise DataError(f"{name}, what begins in line {line}: {error}.") from None

    def sample(self, lines: Sequence[str]) -> list[tuple[list[str], int]]:
        """Return the rows of some lines, as far as they can be read."""
        rows: list[tuple[list[str], int]] = []
        with suppress(DataError):
            rows.extend(self.rows("", lines, 1))
        return rows


def read(contents: Contents, parameters: FileParameters) -> Rows:
    """Return the rows of a file of text."""
    name = contents.name
    encoding = parameters.encoding or _encoding(contents)
    head = _head(_lines(contents, encoding))
    form = _form(head, parameters)
    rows = form.sample(head) or [*form.rows(name, head, 1)]
    if not rows:
        raise DataError(f"{name} is empty.")
    names, start, names_note = layout_of(rows, parameters.header)
    # A first row of data that nothing follows is not there.
    line = rows[start][1] if start < len(rows) else len(head) + 1
    decimal = parameters.decimal or _decimal(fields for fields, _ in rows[start:])
    note = (
        f"Read as: text in {encoding}, columns separated by {_SEPARATORS[form.separator]}, "
        f"decimal sign {decimal!r}, {names_note}."
    )

    def again() -> Iterator[Row]:
        return form.rows(name, _lines(contents, encoding, line), line)

    return Rows(names, again, (note,), "line", decimal)


def read_arff(contents: Contents, parameters: FileParameters) -> Rows:
    """Return the rows of an ARFF file: attributes, then lines of cells with commas between."""
    name, names, line = contents.name, list[str](), 1
    encoding = parameters.encoding or _encoding(contents)
    lines = _lines(contents, encoding)
    for text in lines:
        line += 1
        if attribute := _ATTRIBUTE.match(text.strip() + " "):
            names.append(attribute[1].strip("'\""))
        elif text.strip().lower() == "@data":
            break
    head = _head(text for text in lines if text.strip() and not text.startswith("%"))
    if head and head[0].startswith("{"):
        raise DataError(f"{name} is a sparse ARFF file: write it with all values.")
    form = _Form(",", parameters.quote or _quote(head), spaced=True, escape="\\")

    def again() -> Iterator[Row]:
        rows = form.rows(name, _lines(contents, encoding, line), line)
        return (row for row in rows if not row[0][0].startswith("%"))

    return Rows(names, again, (f"Read as: ARFF in {encoding}.",), "line", ".")


def _encoding(contents: Contents) -> str:
    """Return the encoding of a text by its first bytes; UTF-8, or else that of Windows."""
    with contents.path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    zeros = head[::2].count(0), head[1::2].count(0)
    if max(zeros) * 3 > len(head) and min(zeros) * 10 < max(zeros):
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    position, is_utf8 = 0, False
    with contents.path.open("rb") as stream:
        while chunk := stream.read(1 << 20) + stream.readline(MOST_LINE):
            try:
                chunk.decode()
            except UnicodeDecodeError as error:
                if is_utf8 or not chunk[: error.start].isascii():
                    byte = f"byte {position + error.start} is {chunk[error.start]:#04x}"
                    raise DataError(
                        f"{contents.name} is UTF-8 up to where {byte}. If it is of another "
                        'encoding, say which, such as `encoding = "cp1252"`.'
                    ) from None
                rest = itertools.chain([chunk], iter(lambda: stream.read(1 << 20), b""))
                return "latin-1" if any(map(_NOT_CP1252.search, rest)) else "cp1252"
            is_utf8 = is_utf8 or not chunk.isascii()
            position += len(chunk)
    return "utf-8"


def _lines(contents: Contents, encoding: str, first: int = 1) -> Iterator[str]:
    """Yield lines, from one of them on."""
    # Decoded bit by bit: as one text with characters beyond Latin-1 a file would take several
    # times itself.
    # The mark that some programs put before UTF-8 is no part of the first column's name.
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with contents.path.open(encoding=codec, newline="") as text:
        try:
            for number, line in enumerate(iter(lambda: text.readline(MOST_LINE), ""), 1):
                if "\0" in line or len(line) == MOST_LINE:
                    what = "holds a NUL character" if "\0" in line else "is endless"
                    raise DataError(f"{contents.name}, line {number}: {what}: that is no table.")
                if number >= first:
                    yield line
        except UnicodeError as error:
            raise DataError(
                f"{contents.name} is not {encoding}: {error}. Leave out `encoding` to have it "
                "inferred."
            ) from None


def _head(lines: Iterable[str]) -> list[str]:
    """Return the first lines, as many as a look takes."""
    head, characters = list[str](), 0
    for line in itertools.islice(lines, HEAD_ROWS):
        head.append(line)
        characters += len(line)
        if characters > _HEAD_CHARACTERS:
            break
    return head


def _form(head: Sequence[str], parameters: FileParameters) -> _Form:
    quote = parameters.quote or _quote(head)
    separator = parameters.separator or max(
        _SEPARATORS, key=lambda sign: _agreement(head, _Form(sign, quote, escape=_escape(head)))
    )
    text = "".join(head)
    spaced = 0 < 0.9 * text.count(separator) <= text.count(f"{separator} ")
    return _Form(separator, quote, spaced, _escape(head))


def _escape(head: Sequence[str]) -> str | None:
    """Return a backslash if it comes before quotes within text; at its end it may be a path's."""
    return "\\" if _ESCAPED.search("".join(head)) else None


def _quote(head: Sequence[str]) -> str:
    text = "".join(head)
    single = '"' not in text and 2 * len(_SINGLE_QUOTED.findall(text)) >= len(head)
    return "'" if single else '"'


def _agreement(head: Sequence[str], form: _Form) -> float:
    """Return the share of rows that have the most frequent number of columns, if that is many."""
    rows = form.sample(head)
    if not rows:
        return 0.0
    width, often = Counter(len(fields) for fields, _ in rows).most_common(1)[0]
    unread = len(head) - rows[-1][1]
    # Fields that hold runs of blanks are several columns, as where the last one follows a tab.
    several = sum(any("  " in field.strip() for field in fields) for fields, _ in rows)
    return (often - several / 2) / (len(rows) + unread) if width > 1 else 0.0


def _decimal(rows: Iterable[Sequence[str]]) -> str:
    cells = [cell for fields in rows for cell in fields]
    has_comma = any(map(_COMMA.fullmatch, cells))
    return "," if has_comma and not any(map(_POINT.fullmatch, cells)) else "."

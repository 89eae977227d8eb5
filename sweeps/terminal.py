"""What reaches the terminal: every command's lines, with nothing in them that acts on it."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from contextlib import suppress
from typing import TextIO

from sweeps.errors import ResourceError


def open_streams() -> None:
    """Give standard streams that are closed a place where what is written to them is lost.

    Otherwise the next file that is opened would be taken for one, by whatever writes to its number.
    """
    for number, (name, mode) in enumerate({"stdin": "r", "stdout": "w", "stderr": "w"}.items()):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def write(*lines: str, stream: TextIO | None = None) -> None:
    """Write lines; a command's results, unless a stream is given.

    Names, texts of files and messages of libraries may hold anything. Characters that end a line,
    steer a terminal, change the direction of text or can't be encoded are written as escapes, so
    that what is one line here is one line there.

    Args:
        *lines: Without their ends.
        stream: Where to; standard output if not given.

    Raises:
        ResourceError: Standard output takes no more.
    """
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write("".join(f"{_encodable(line, encoding)}\n" for line in lines))
        stream.flush()
    except OSError as error:
        _lose(stream)
        # A reader that leaves has seen enough, and where nobody hears of errors nothing helps.
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise ResourceError(f"Results can't be written: {error.strerror or error}.") from None


def tell(*lines: str) -> None:
    """Write lines to standard error: progress, notes, errors.

    Args:
        *lines: As for `write`.
    """
    write(*lines, stream=sys.stderr)


def _lose(stream: TextIO) -> None:
    """Lose what is still to be written to a stream, which would fail again when Python ends."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def _encodable(line: str, encoding: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(escaped(character, encoding) for character in line)


def escaped(character: str, encoding: str = "utf-8") -> str:
    r"""Return a character as it can be shown: as it is, or as an escape.

    Args:
        character: Any one.
        encoding: Of where it is shown.

    Example:
        >>> escaped("ä"), escaped("ä", "ascii"), escaped("\x1b"), escaped("\u202e")
        ('ä', '\\u00e4', '\\u001b', '\\u202e')
    """
    # Spaces of all kinds are harmless, although Python takes only one for printable.
    if character.isprintable() or unicodedata.category(character) == "Zs":
        with suppress(UnicodeEncodeError):
            character.encode(encoding)
            return character
    number = ord(character)
    # TOML, JSON and Python read these alike.
    return json.dumps(character)[1:-1] if number <= _PLANE else f"\\U{number:08x}"


_PLANE = 0xFFFF

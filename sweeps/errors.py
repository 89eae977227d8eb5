"""What a user reads: mistakes that can be mended, with exit codes, and lines of the terminal."""

from __future__ import annotations

import difflib
import errno
import json
import os
import resource
import shlex
import stat
import sys
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TextIO

MOST_PROBLEMS = 100  # how many mistakes of a specification are told at once
KEPT = "Every trial that had ended is kept: run the same command again"
"""What a user needs to know when a run ends early."""

_SHOWN_CHARACTERS = 80
_LAST_OF_FOUR_DIGITS = 0xFFFF
_NO_THREAD = "can't start new thread"
_REFUSALS = {
    errno.EAGAIN: "Raise the limit of processes (`ulimit -u`, or pids.max of the container).",
    errno.EMFILE: "Raise the limit (`ulimit -n`).",
    errno.ENFILE: "The whole machine has too many files open.",
    errno.ENOMEM: "`bpsweep plan` says how much memory a study needs.",
    errno.ENOSPC: "Make room.",
    errno.EDQUOT: "Make room.",
    errno.ELOOP: "Nothing but files and folders is used there.",
}
"""What the system may refuse to anybody at any time, and the remedy."""
_DENIALS = {
    errno.EACCES: "You have no right to it.",
    errno.EPERM: "You have no right to it.",
    errno.EROFS: "It is on a file system that can't be written to.",
    errno.ENAMETOOLONG: "Choose a shorter one.",
    errno.ELOOP: "Its links lead in a circle.",
    errno.ENOTDIR: "A part of it is a file, not a folder.",
}
"""What the system says of a path that can't be used, and what is meant."""


class UserError(Exception):
    """Something the user can mend. What it is made of are the lines that are shown."""

    exit_code: ClassVar[int] = 2  # of the command
    options: tuple[str, ...] = ()  # with which the command goes on

    @property
    def lines(self) -> tuple[str, ...]:
        """Each is shown on a line of its own; there may be anything in them."""
        return tuple(map(str, self.args))

    def __str__(self) -> str:
        return "\n".join(self.lines)


class UsageError(UserError):
    """The command was called in a way it can't carry out."""


class DataError(UserError):
    """A dataset is unknown or unusable."""

    exit_code = 3


class StoreError(UserError):
    """A study's folder or store can't be used."""

    exit_code = 4


class OwnedError(UserError):
    """Another run is writing to the study's folder."""

    exit_code = 5


class ResourceError(UserError):
    """The system refused: no space, no permission, no memory, too many open files."""

    exit_code = 6


class EnvironmentFailedError(UserError):
    """Workers could not start or died."""

    exit_code = 7


@dataclass(frozen=True)
class Problem:
    """One mistake of a specification, or of its data."""

    path: str  # such as `batch_sizes[3]`
    text: str  # the value, what is allowed, and a suggestion if there is one
    about_data: bool = False
    options: tuple[str, ...] = ()  # with which the command goes on


class SpecificationError(UserError):
    """All mistakes of a specification."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        shown = self.problems[:MOST_PROBLEMS]
        lines = [f"{source}: {problem.path}: {problem.text}" for problem in shown]
        if len(lines) < len(self.problems):
            lines.append(f"{source}: There may be more mistakes than these {len(lines)}.")
        super().__init__(*lines)
        self.options = tuple(dict.fromkeys(option for p in self.problems for option in p.options))
        if all(problem.about_data for problem in self.problems):
            self.exit_code = DataError.exit_code  # type: ignore[misc]


def refusal(error: BaseException) -> str:
    """Return what the system refused, with a remedy; nothing if it is an error of another kind."""
    # Where the address space is limited, libraries fail to load in many ways.
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    if isinstance(error, (MemoryError, ImportError, SystemError) if limited else MemoryError):
        return f"There is not enough memory. `bpsweep plan` says how much a study needs. {KEPT}."
    if isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
        error = OSError(errno.EAGAIN, _NO_THREAD)
    if not isinstance(error, OSError):
        return ""
    where = f"{error.filename}: " if error.filename else ""
    if where and error.errno in _DENIALS:
        return f"{where}{error.strerror}. {_DENIALS[error.errno]}"
    if error.errno not in _REFUSALS:
        return ""
    return f"{where}{error.strerror}. {_REFUSALS[error.errno]} {KEPT}."


def refuse_links(*paths: Path) -> None:
    """Refuse what is not a file or folder where a study keeps its own: others' files, maybe."""
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            continue
        what = "a symbolic link" if stat.S_ISLNK(mode) else "a pipe or a device"
        raise StoreError(
            f"{path} is {what}, which is not used in a study's folder: what is behind it may not "
            "be the study's. Put the file or folder itself there, or remove it "
            f"(`rm {shlex.quote(str(path))}`), and run the same command again."
        )


def shown(value: object) -> str:
    """Return a value as it is quoted in a message: cut, control characters escaped."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def gigabytes(size: int) -> str:
    """Return a number of bytes in units of 10^9, however large it is: "0.0025 GB"."""
    return f"{min(size, 10**300) / 1e9:.3g} GB"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def joined(names: Sequence[str], most: int = 5) -> str:
    """Return names with commas between them, the first ones if there are more."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def did_you_mean(word: object, known: Collection[str]) -> str:
    """Return a suggestion ready to be appended to a message, or nothing."""
    close = difflib.get_close_matches(str(word), known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def did_you_mean_path(path: Path, holding: str = "") -> str:
    """Suggest a neighbour of a missing path, or of a folder that isn't `holding` its file."""
    with suppress(OSError):
        beside = [entry.name for entry in path.parent.iterdir() if (entry / holding).exists()]
        return did_you_mean(path.name, beside)
    return ""


def refuse_missing(path: str) -> None:
    """Refuse a file, or a table `file::table`, that isn't there."""
    file = Path(path.partition("::")[0]).expanduser()
    if not file.exists():
        raise DataError(f"{file} does not exist.{did_you_mean_path(file)}")


def pairs_text(pairs: Mapping[str, object]) -> str:
    """Return names with their values, such as "momentum=0.9, l2=0.001"."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in pairs.items()
    )


def open_streams() -> None:
    """Open standard streams that are closed, or the next file would get the number of one."""
    for number, (name, mode) in enumerate({"stdin": "r", "stdout": "w", "stderr": "w"}.items()):
        if not is_open(number):
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def is_open(descriptor: int) -> bool:
    """Return whether a number is that of an open file."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def write(*lines: str, stream: TextIO | None = None) -> None:
    """Write lines, each as one line whatever it holds; a command's results by default."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write("".join(f"{_encodable(line, encoding)}\n" for line in lines))
        stream.flush()
    except OSError as error:
        # What is still to be written would fail again when Python ends.
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
        # A reader that leaves has seen enough, and where nobody hears of errors nothing helps.
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise ResourceError(f"Results can't be written: {error.strerror or error}.") from None


def tell(*lines: str) -> None:
    """Write lines to standard error: progress, notes, errors."""
    write(*lines, stream=sys.stderr)


def _encodable(line: str, encoding: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(escaped(character, encoding) for character in line)


def escaped(character: str, encoding: str = "utf-8") -> str:
    """Return a character as it can be shown: as it is, or as an escape."""
    # Spaces of all kinds are harmless, although Python takes only one for printable.
    if character.isprintable() or unicodedata.category(character) == "Zs":
        with suppress(UnicodeEncodeError):
            character.encode(encoding)
            return character
    number = ord(character)
    # TOML, JSON and Python read these alike.
    return json.dumps(character)[1:-1] if number <= _LAST_OF_FOUR_DIGITS else f"\\U{number:08x}"

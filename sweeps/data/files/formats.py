"""Files of the user's: what they are, read within a limit, nothing in them executed."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.data.parameters import Choice, Encoding, Parameter, Text, Texts, read_parameters
from sweeps.data.splits import Source
from sweeps.data.table.assembly import CATEGORICAL, IGNORE, LIMIT, MISSING, RARE, TASK
from sweeps.errors import DataError, Problem, shown

_TARGET = Parameter("target", Texts(), (), "column to learn; several are a regression; required")
_TABLE = (_TARGET, TASK, MISSING, RARE, IGNORE, CATEGORICAL)


FORMATS: dict[str, tuple[Parameter, ...]] = {
    ".csv": (
        *_TABLE,
        Parameter("separator", Choice((",", ";", "\t", "|", " ")), ",", "what parts columns"),
        Parameter("decimal", Choice((".", ",")), ".", "decimal sign"),
        Parameter("encoding", Encoding(), "utf-8", "character encoding"),
        LIMIT,
    ),
    ".parquet": (*_TABLE, LIMIT),
    ".npz": (
        Parameter("inputs", Text(), "X", "array of features, example by feature"),
        Parameter("target", Text(), "y", "array to learn; several columns are a regression"),
        TASK,
        MISSING,
        RARE,
        LIMIT,
    ),
}
"""What can be chosen for each format, by the end of the file's name."""


_UNREAD = (".gz", ".zip", ".txt", ".tsv", ".xls", ".xlsx", ".json")
"""Endings of files that people have, and that are refused as what they are."""


def is_file(text: str) -> bool:
    """Return whether a text is meant as a file's path: it has a folder, or an end as files have."""
    return "/" in text or Path(text).suffix.lower() in {*FORMATS, *_UNREAD}


def read_file_source(given: Mapping[str, object], folder: Path) -> tuple[Source, list[Problem]]:
    """Read what a specification says about a file, and the file for its fingerprint.

    Args:
        given: `path` and parameters.
        folder: What a relative path is relative to.

    Returns:
        The source, and every problem; without a problem the source is usable.
    """
    path = given["path"]
    if not isinstance(path, str) or not path or "\0" in path:
        return Source(""), [Problem(".path", f"must be text, but is {shown(path)}.")]
    written = Path(path).expanduser()
    found = FORMATS.get(written.suffix.lower())
    if found is None:
        known = ", ".join(FORMATS)
        text = f"{shown(path)} is no file of a known format: its name must end in {known}."
        return Source(""), [Problem(".path", text, about_data=True)]
    rest = {name: value for name, value in given.items() if name != "path"}
    values, problems = read_parameters(rest, found, f"a {written.suffix} file")
    if values.get("target") == ():
        problems.append(Problem(".target", "is required: the column to learn, or a list of them."))
    # Symbolic links are followed when it is opened: what counts is the content.
    place, content = folder.absolute() / written, ""
    if "limit_gb" in values:
        try:
            content = _hash(read_bytes(place, _limit(values)))
        except DataError as error:
            problems.append(Problem("", str(error), about_data=True))
    parameters = tuple(sorted(values.items()))
    return Source(written.name, parameters, content, str(place)), problems


def content_of(source: Source) -> bytes:
    """Return the content of a file, which must be what it was when its source was read."""
    content = read_bytes(Path(source.path), _limit(dict(source.parameters)))
    if _hash(content) != source.content:
        raise DataError(f"{source.path} has changed since it was first read.")
    return content


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a regular file that is not too large.

    Args:
        path: The file.
        limit: Its largest size in bytes.

    Raises:
        DataError: It is no such file, is empty, or can't be read.
    """
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise DataError(f"{path} is a folder, not a file.")
        if not stat.S_ISREG(about.st_mode):
            raise DataError(f"{path} is not a regular file.")
        if about.st_size > limit:
            raise DataError(
                f"{path} has {about.st_size / 1e9:.3g} GB, more than the limit of "
                f"{limit / 1e9:.3g} GB; raise `limit_gb` to read it."
            )
        # No more than was checked, should it grow meanwhile; room for as much is taken at once.
        with path.open("rb") as file:
            content = file.read(about.st_size)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from None
    if not content:
        raise DataError(f"{path} is empty.")
    return content


def _limit(parameters: Mapping[str, Any]) -> int:
    return int(parameters["limit_gb"] * 1e9)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]

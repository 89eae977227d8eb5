"""Files of the user's: what they are, read within a limit, nothing in them executed."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sweeps.data.parameters import Encoding, Limited, OneOf, Text, pairs_of, read_parameters
from sweeps.data.splits import Source
from sweeps.data.table._choices import DatasetParameters, TableParameters
from sweeps.data.table._features import Room
from sweeps.errors import DataError, Problem, UserError, did_you_mean_path, shown


class CsvParameters(TableParameters):
    """A CSV file."""

    separator: Annotated[str, OneOf((",", ";", "\t", "|", " "))] = Field(
        ",", description="what parts columns"
    )
    decimal: Annotated[str, OneOf((".", ","))] = Field(".", description="decimal sign")
    encoding: Encoding = Field(
        "utf-8", description="character encoding, such as `latin-1` or `utf-16`"
    )


class NpzParameters(DatasetParameters):
    """An archive of arrays."""

    inputs: Text = Field("X", description="array of features, example by feature")
    target: Text = Field("y", description="array to learn; several columns are a regression")


FORMATS: dict[str, type[Limited]] = {
    ".csv": CsvParameters,
    ".parquet": TableParameters,
    ".npz": NpzParameters,
}
"""What can be chosen for each format, by the end of the file's name."""

_UNREAD = (".gz", ".zip", ".txt", ".tsv", ".xls", ".xlsx", ".json")  # refused as what they are


def is_file(text: str) -> bool:
    """Return whether a text is meant as a file's path: it has a folder, or an end as files have."""
    return "/" in text or Path(text).suffix.lower() in {*FORMATS, *_UNREAD}


def read_file_source(given: Mapping[str, object], folder: Path) -> tuple[Source, list[Problem]]:
    """Read what a specification says about a file, and the file for its fingerprint."""
    path = given["path"]
    if not isinstance(path, str) or not path or "\0" in path:
        return Source(""), [Problem(".path", f"must be text, but is {shown(path)}.")]
    written = Path(path).expanduser()
    known_format = FORMATS.get(written.suffix.lower())
    if known_format is None:
        known = ", ".join(FORMATS)
        text = f"{shown(path)} is not a file of a known format: its name must end in {known}."
        return Source(""), [Problem(".path", text, about_data=True)]
    rest = {name: value for name, value in given.items() if name != "path"}
    parameters, problems = read_parameters(rest, known_format, f"a {written.suffix} file")
    # The file is looked at even if other parameters are wrong, but not with a wrong limit.
    limited, _ = read_parameters({k: v for k, v in rest.items() if k == "limit_gb"}, Limited, "")
    # Symbolic links are followed when it is opened: what counts is the content.
    full_path, content = folder.absolute() / written, ""
    if limited is not None:
        try:
            content = _hash(read_bytes(full_path, Room.of(limited).limit))
        except DataError as error:
            problems.append(Problem("", str(error), about_data=True))
    return Source(written.name, pairs_of(parameters), content, str(full_path)), problems


def content_of(source: Source, parameters: Limited) -> bytes:
    """Return the content of a file, which must be what it was when its source was read."""
    content = read_bytes(Path(source.path), Room.of(parameters).limit)
    if _hash(content) != source.content:
        raise DataError(f"{source.path} has changed since it was first read.")
    return content


def read_bytes(
    path: Path,
    limit: int,
    error: type[UserError] = DataError,
    advice: str = "raise `limit_gb` to read it",
) -> bytes:
    """Return the content of a regular file that is not too large."""
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise error(f"{path} is a folder, not a file.")
        if not stat.S_ISREG(about.st_mode):
            raise error(f"{path} is not a regular file. Copy its content to one.")
        if about.st_size > limit:
            sizes = f"{about.st_size:,} bytes, more than the limit of {limit:,}"
            raise error(f"{path} has {sizes}; {advice}.")
        # No more than was checked, should it grow meanwhile; room for as much is taken at once.
        with path.open("rb") as file:
            content = file.read(about.st_size)
    except FileNotFoundError:
        raise error(f"{path} does not exist.{did_you_mean_path(path)}") from None
    except OSError as refused:
        raise error(f"{path} can't be read: {refused.strerror}.") from None
    if not content:
        raise error(f"{path} is empty.")
    return content


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]

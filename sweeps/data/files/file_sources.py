"""Files of the user's: what they are, opened within a limit, nothing in them executed."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import stat_result
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sweeps.data.parameters import Encoding, OneOf, Text, Whole, pairs_of, read_parameters
from sweeps.data.splits import Source
from sweeps.data.table._choices import DatasetParameters, TableParameters
from sweeps.errors import DataError, Problem, UserError, did_you_mean_path, shown

INSIDE = "::"
"""What separates a file from the table or sheet in it that is meant: `file.db::table`."""


class FileParameters(TableParameters):
    """A table in a file."""

    sample: Whole = Field(
        0,
        ge=0,
        description="most examples to draw; without it 200,000, or as many as `limit_gb` holds",
    )
    separator: Annotated[str, OneOf((",", ";", "\t", "|", " "))] = Field(
        "", description="what separates columns of text, `' '` for any blanks; inferred without it"
    )
    quote: Annotated[str, OneOf(('"', "'", "none"))] = Field(
        "", description="what encloses text that holds a separator; inferred without it"
    )
    decimal: Annotated[str, OneOf((".", ","))] = Field(
        "", description="decimal sign of text; inferred without it"
    )
    header: Annotated[str, OneOf(("yes", "no"))] = Field(
        "", description="whether a first row names the columns; inferred without it"
    )
    encoding: Encoding | None = Field(
        None, description="character encoding, such as `cp1252`; inferred without it"
    )


class NpzParameters(DatasetParameters):
    """An archive of arrays."""

    inputs: Text = Field("X", description="array of features, example by feature")
    target: Text = Field("y", description="array to learn; several columns are a regression")


FORMATS: dict[str, type[DatasetParameters]] = {".csv": FileParameters, ".npz": NpzParameters}
"""What can be chosen, by the end of a file's name. All other tables have what `.csv` has."""

_ENDINGS = (
    *(".csv", ".tsv", ".txt", ".data", ".gz", ".bz2", ".xz", ".zip", ".xlsx", ".xls"),
    *(".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".arff"),
    *(".db", ".sqlite", ".sqlite3", ".npz"),
)


def is_file(text: str) -> bool:
    """Return whether a text is meant as a file's path: it has a folder, or an end as files have."""
    path = text.partition(INSIDE)[0]
    return "/" in path or Path(path).suffix.lower() in _ENDINGS


def parameters_of_file(name: str) -> type[DatasetParameters]:
    """Return what can be chosen for a file of that name."""
    return FORMATS.get(Path(name).suffix.lower(), FileParameters)


def read_file_source(given: Mapping[str, object], folder: Path) -> tuple[Source, list[Problem]]:
    """Read what a specification says about a file, and the file for its fingerprint."""
    path = given["path"]
    if not isinstance(path, str) or not path or "\0" in path:
        return Source(""), [Problem(".path", f"must be text, but is {shown(path)}.")]
    written = Path(path).expanduser()
    model = parameters_of_file(written.name)
    rest = {name: value for name, value in given.items() if name != "path"}
    parameters, problems = read_parameters(rest, model, f"a {written.suffix} file")
    # Symbolic links are followed when it is opened: what counts is the content.
    full_path, content = str(folder.absolute() / written), ""
    try:
        content = _digest(file_of(full_path)[0])
    except DataError as error:
        problems.append(Problem("", str(error), about_data=True))
    return Source(written.name, pairs_of(parameters), content, full_path), problems


def file_of(path: str) -> tuple[Path, str]:
    """Return a path to a file, and the name of what is meant in it, if there is one."""
    file, _, inside = path.partition(INSIDE)
    return Path(file), inside


@contextmanager
def unchanged(source: Source) -> Iterator[tuple[Path, str]]:
    """Give a source's file, which must be what it was when the source was read."""
    path, inside = file_of(source.path)
    changed = DataError(f"{path} has changed since it was first read.")
    before = _state(_regular(path, DataError))
    if _digest(path) != source.content:
        raise changed
    yield path, inside
    if _state(_regular(path, DataError)) != before:
        raise changed


def read_bytes(
    path: Path,
    limit: int,
    error: type[UserError] = DataError,
    advice: str = "raise `limit_gb` to read it",
) -> bytes:
    """Return the content of a regular file that is not too large."""
    size = _regular(path, error).st_size
    if size > limit:
        sizes = f"{size:,} bytes, more than the limit of {limit:,}"
        raise error(f"{path} has {sizes}; {advice}.")
    # No more than was checked, should it grow meanwhile; room for as much is taken at once.
    with _readable(path, error), path.open("rb") as file:
        return file.read(size)


def _digest(path: Path) -> str:
    """Return a hash of a file's content."""
    _regular(path, DataError)
    with _readable(path, DataError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _regular(path: Path, error: type[UserError]) -> stat_result:
    with _readable(path, error):
        about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise error(f"{path} is a folder, not a file.")
    if not stat.S_ISREG(about.st_mode):
        raise error(f"{path} is not a regular file. Copy its content to one.")
    if not about.st_size:
        raise error(f"{path} is empty.")
    return about


def _state(about: stat_result) -> tuple[int, int, int]:
    return about.st_ino, about.st_size, about.st_mtime_ns


@contextmanager
def _readable(path: Path, error: type[UserError]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise error(f"{path} does not exist.{did_you_mean_path(path)}") from None
    except OSError as refused:
        raise error(f"{path} can't be read: {refused.strerror}.") from None

"""Files of the user's: what they hold, unpacked within a limit, nothing in them executed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from os import stat_result
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from pydantic import Field

from sweeps.data.parameters import Encoding, OneOf, Text, Whole, pairs_of, read_parameters
from sweeps.data.splits import Source
from sweeps.data.table._choices import DatasetParameters, TableParameters
from sweeps.errors import DataError, Problem, UserError, did_you_mean_path, gigabytes, shown

INSIDE = "::"
"""What separates a file from the table or sheet in it that is meant: `file.db::table`."""

HEAD_BYTES = 4096
Kind = Literal["text", "arff", "json", "excel", "sqlite", "parquet", "arrow"]

_UNPACKERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_KINDS: dict[bytes, Kind] = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"SQLite format 3\0": "sqlite",
    b"@relation": "arff",
    b"{": "json",
    b"[": "json",
}
_STRANGE = {
    b"PK\x03\x04": "an archive in an archive: unpack it",
    b"\x1f\x8b": "compressed twice: decompress it",
    b"FEA1": "of Feather's first version: write it with a newer one",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as .xlsx",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program",
    b"\x89HDF": "an HDF5 file: write the table as Parquet",
    b"\x93NUMPY": "one NumPy array: write features and target with numpy.savez",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"version https://git-lfs": "a pointer to a file that Git LFS has not fetched",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "an XML document",
}
_TAR = slice(257, 262)  # where an archive of tar's says that it is one
_PACKAGES = {"parquet": "pyarrow", "excel": "openpyxl"}  # by the extra that installs them
_state = attrgetter("st_ino", "st_size", "st_mtime_ns")  # of a file that stays as it is
_RAISE = "raise `limit_gb` to read it"


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
    path: Path, limit: int, error: type[UserError] = DataError, advice: str = _RAISE
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


@contextmanager
def _readable(path: Path, error: type[UserError]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise error(f"{path} does not exist.{did_you_mean_path(path)}") from None
    except OSError as refused:
        raise error(f"{path} can't be read: {refused.strerror}.") from None


@dataclass(frozen=True)
class Contents:
    """A file's content, unpacked."""

    name: str
    path: Path
    limit: int  # bytes, of what is unpacked or read at once
    inside: str  # table or sheet that is meant
    kind: Kind

    def read(self, copies: int = 1) -> bytes:
        """Return the content at once, if that many copies of it are not too large."""
        if copies * self.path.stat().st_size > self.limit:
            most = gigabytes(self.limit // copies)
            raise DataError(f"{self.name} has more than {most}: {_RAISE}.")
        return self.path.read_bytes()


@contextmanager
def contents_of(name: str, path: Path, limit: int, inside: str = "") -> Iterator[Contents]:
    """Give what a file holds; refuse what is no table."""
    head = _head(path)
    unpackers = (partial(u, path) for magic, u in _UNPACKERS.items() if head.startswith(magic))
    unpack = next(unpackers, None)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if (member := _member(name, path)) is None:
            yield Contents(name, path, limit, inside, "excel")
            return
        unpack = partial(zipfile.ZipFile(path).open, member)
    if unpack is None:
        yield Contents(name, path, limit, inside, _kind(name, head))
        return
    with TemporaryDirectory() as folder:
        unpacked = Path(folder, "unpacked")
        with read_safely(name, "packed file"), unpack() as stream, unpacked.open("wb") as file:
            while chunk := stream.read(1 << 20):
                file.write(chunk)
                if file.tell() > limit:
                    raise DataError(f"{name} unpacks to more than {gigabytes(limit)}: {_RAISE}.")
        yield Contents(name, unpacked, limit, inside, _kind(name, _head(unpacked)))


@contextmanager
def read_safely(name: str, kind: str, extra: str = "") -> Iterator[None]:
    """Make a data error of whatever is wrong with a file of somebody else's."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except ImportError:
        package = f"{_PACKAGES[extra]} is not installed: pip install 'bpsweep[{extra}]'"
        raise DataError(f"{name} is a {kind}, and {package}.") from None
    except Exception as error:  # noqa: BLE001 - any reader's
        raise DataError(f"{name} is damaged, or no {kind}: {error}.") from None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _kind(name: str, head: bytes) -> Kind:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, what in _STRANGE.items():
        if (start if magic[:1] in b"<v" else head).startswith(magic):
            raise DataError(f"{name} is no table but {what}.")
    if head[_TAR] == b"ustar":
        raise DataError(f"{name} is no table but an archive of tar: unpack it.")
    # An ARFF file may begin with comments.
    lines = (line for line in start.splitlines() if line.strip() and not line.startswith(b"%"))
    line = next(lines, b"")
    kinds = (k for magic, k in _KINDS.items() if head.startswith(magic) or line.startswith(magic))
    return next(kinds, "text")


def _member(name: str, path: Path) -> str | None:
    """Return the one file in a ZIP archive; nothing if the archive is a workbook of Excel."""
    with read_safely(name, "ZIP file"), zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    names = [info.filename for info in infos if not info.filename.startswith("__MACOSX/")]
    if "xl/workbook.xml" in names:
        return None
    if any(member.endswith(".npy") for member in names):
        raise DataError(f"{name} is an archive of NumPy's: its name must end in .npz.")
    if len(names) != 1:
        listed = ", ".join(map(shown, names[:10])) or "none"
        raise DataError(f"{name} must hold one file, but holds {len(names)}: {listed}. Unpack it.")
    return names[0]

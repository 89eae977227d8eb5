"""What a file holds, known by its first bytes, unpacked within a limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal

from sweeps.errors import DataError, UserError, gigabytes, shown

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
_RAISE = "raise `limit_gb` to read it."


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
            raise DataError(f"{self.name} has more than {most}: {_RAISE}")
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
        _unpack(name, unpack, unpacked, limit)
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


def _unpack(name: str, packed: Callable[[], IO[bytes]], path: Path, limit: int) -> None:
    """Write what is packed to a file, as far as the limit lets it."""
    with read_safely(name, "packed file"), packed() as stream, path.open("wb") as unpacked:
        while chunk := stream.read(1 << 20):
            unpacked.write(chunk)
            if unpacked.tell() > limit:
                raise DataError(f"{name} unpacks to more than {gigabytes(limit)}: {_RAISE}")


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

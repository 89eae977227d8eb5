"""That a store was whole when its last run ended: to the bit, and on this machine alone.

To check each row takes longer than to see that no byte has changed since each was checked.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import closing, suppress
from pathlib import Path

from sweeps.store.folder import CHECKED, SAFELY

_BLOCK, _LONGEST = 2**18, 1000


def is_checked(path: Path) -> bool:
    """Return whether each byte of an open store is as `note_checked` knew it."""
    where, _, content = _noted(path).rpartition(" ")
    with suppress(OSError):
        # A store of another place was checked by somebody else.
        return bool(content) and where == place_of(path) and content == content_of(path)
    return False


def is_noted(path: Path) -> bool:
    """Return whether nobody has written to a store since it was checked."""
    return _noted(path).startswith(f"{place_of(path)} ")


def _noted(path: Path) -> str:
    with suppress(OSError):
        handle = os.open(path.with_name(CHECKED), os.O_RDONLY | SAFELY)
        with closing(os.fdopen(handle, "rb")) as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    return ""


def note_checked(path: Path, where: str, content: str) -> None:
    """Keep that all rows of a store were sound; failing to is no failure: it saves time."""
    note = path.with_name(CHECKED)
    with suppress(OSError):
        note.unlink(missing_ok=True)
        with note.open("x", encoding="utf-8") as file:
            file.write(f"{where} {content}")


def place_of(path: Path) -> str:
    """Return which file of this machine a store is, and when it was changed; an OSError if none."""
    # Nobody else knows when a file will be changed here, to the nanosecond: no archive brings a
    # note of its own that fits.
    about = path.stat()
    return f"{about.st_dev} {about.st_ino} {about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}"


def content_of(path: Path) -> str:
    """Return a hash of all bytes of an open store."""
    handle, at, digest = _handle_of(path), 0, hashlib.sha256()
    while block := os.pread(handle, _BLOCK, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def _handle_of(path: Path) -> int:
    """Return SQLite's own handle of a store: who closes another one drops SQLite's locks."""
    about = path.stat()
    for opened in Path("/dev/fd").iterdir():
        handle = int(opened.name)
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), about):
                return handle
    raise FileNotFoundError(path)

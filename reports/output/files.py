"""Files of a report: written whole or not at all, and nothing left behind."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = "report.html"  # name of the page's file

_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")


def write(path: Path, content: str | bytes) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    with whole(path) as temporary, temporary.open("xb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which then takes the place of another as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # What is there already may be a link to somewhere else.
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes left behind that were killed while they wrote a report."""
    refuse_links(folder, "tables", "figures", "figures/*")
    for pattern in (".*.tmp", "tables/.*.tmp", "figures/.*.tmp", "figures/*/.*.tmp"):
        for path in folder.glob(pattern):
            writer = _TEMPORARY.fullmatch(path.name)
            if writer and not _alive(int(writer[1])):
                path.unlink(missing_ok=True)


def refuse_links(folder: Path, *patterns: str) -> None:
    """Refuse folders that lead elsewhere: what is written and removed there is not a report's."""
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        if path.is_symlink() and path.is_dir():
            text = f"it is a symbolic link, remove it (`rm {shlex.quote(str(path))}`)"
            raise OSError(errno.ELOOP, text, str(path))


def chart_folder(number: int, label: str) -> str:
    """Return the name of a group's folder: safe everywhere, unique by its number."""
    return f"{number:02d}-{re.sub('[^a-z0-9]+', '-', label.lower()).strip('-')[:40]}".rstrip("-")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        pass  # somebody else's, or no process's: not ours to judge
    return True

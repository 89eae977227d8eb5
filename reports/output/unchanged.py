"""Whether a report is what it would become: then nothing has to be drawn again."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from reports.output.files import PAGE, write
from reports.schema import StudyResults

SEAL = ".report.seal"  # file with the digest of what a report was made of, and of its files

_LIBRARIES = ("jinja2", "matplotlib", "numpy", "pandas", "scipy", "seaborn")
_WRITTEN = ("report.*", "tables/*", "figures/**/*.svg")


def seal(results: StudyResults, folder: Path) -> None:
    """Note that the report in a folder, just written, is that of these results."""
    write(folder / SEAL, _digest(results, folder))


def unchanged(results: StudyResults, folder: Path) -> Path | None:
    """Return the page of a folder's report if it would be written again as it is, or else None.

    A copy counts as changed: whoever made it could have sealed anything, but not with its inodes.
    """
    seals = [path.read_bytes() for path in _files(folder, SEAL)]
    return folder / PAGE if seals == [_digest(results, folder).encode()] else None


def _digest(results: StudyResults, folder: Path) -> str:
    digest = hashlib.sha256(repr((sys.version, *map(version, _LIBRARIES))).encode())
    digest.update(repr(results.description).encode())
    for table in (results.trials, results.curves, results.timing):
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    code = Path(__file__).parents[1]
    for path in _files(code, "**/*"):
        if path.suffix != ".pyc":
            digest.update(f"{path.relative_to(code)}\0".encode() + path.read_bytes())
    for path in _files(folder, *_WRITTEN):
        state = path.stat()
        identity = (str(path.relative_to(folder)), state.st_ino, state.st_ctime_ns, state.st_size)
        digest.update(repr(identity).encode())
    return digest.hexdigest()


def _files(folder: Path, *patterns: str) -> Iterator[Path]:
    paths = {path for pattern in patterns for path in folder.glob(pattern)}
    return (path for path in sorted(paths) if path.is_file() and not path.is_symlink())

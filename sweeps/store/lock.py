"""One run at a time in a study's folder."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sweeps.errors import OwnedError, ResourceError, refuse_links, shown
from sweeps.store.folder import LOCK, SAFELY

_TRIES, _TRY_SECONDS = 5, 0.05
"""Who asks whether a run is under way holds the lock for an instant; a run waits longer."""

_LONGEST = 1000


@dataclass(frozen=True)
class Owner:
    """The process that holds a folder, as it names itself."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against every other process that wants to run its study."""
    refuse_links(folder / LOCK)
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | SAFELY, 0o644)
    except OSError as error:
        raise ResourceError(f"{folder} can't be written to: {error.strerror}.") from None
    with closing(os.fdopen(handle, "r+b", buffering=0)) as file:
        # The kernel frees the lock when its process ends, however it ends: what the file says
        # afterwards is of no consequence.
        _lock(file.fileno(), folder)
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        owner = Owner(os.getpid(), platform.node() or "unknown", since)
        file.truncate(0)
        with suppress(OSError):  # a full disk is the store's to tell
            file.write(json.dumps(asdict(owner)).encode())
        try:
            yield
        finally:
            file.truncate(0)


def owner_of(folder: Path) -> Owner | None:
    """Return the process that runs the study in a folder now; None if there is none."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | SAFELY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(handle)
    finally:
        os.close(handle)
    return None


def _lock(handle: int, folder: Path) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_TRY_SECONDS)
        except OSError as error:
            raise ResourceError(f"{folder} can't be locked: {error.strerror}.") from None
        else:
            return
    raise OwnedError(f"{folder} is in use by another run: {_read(handle)}.")


def _read(handle: int) -> Owner:
    try:
        content = json.loads(os.pread(handle, _LONGEST, 0))
        host, since = (shown(str(content[key])).strip("'") for key in ("host", "since"))
        return Owner(int(content["pid"]), host, since)
    except (OSError, ValueError, KeyError, TypeError):
        return Owner(0, "an unknown machine", "an unknown time")

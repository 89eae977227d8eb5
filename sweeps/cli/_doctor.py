"""What a machine and a folder have for studies: versions, cores, memory, locks."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from joblib import cpu_count

from bpengine.passes.compiled import why_not
from sweeps.machine import load_average, provenance, threads

OPTIONAL = {"distributed": "dask", "pyarrow": "parquet"}
"""Packages that not everybody needs, and the extra of bpsweep that brings them."""

BUSY_SHARE = 0.25  # load of a core, by other programs, from which on times mean little
NETWORK_FILE_SYSTEMS = ("9p", "afs", "ceph", "cifs", "lustre", "nfs", "nfs4", "smb3", "smbfs")
"""File systems whose locks and shared memory SQLite's log can't rely on."""

_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Examination:
    """What there is, by name; what a run would fail at, and what else to know, a sentence each."""

    facts: Mapping[str, str]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def examine(folder: Path | None = None) -> Examination:
    """Return what this machine and a folder have; what is made in it to try it is removed."""
    optional = {name: _version(name, extra) for name, extra in OPTIONAL.items()}
    load, cores = load_average(), cpu_count()
    blas = [lib["num_threads"] for lib in threads().info() if lib["user_api"] == "blas"]
    facts = provenance() | optional
    facts["BLAS threads outside of studies"] = ", ".join(map(str, blas))
    facts["load average"] = load
    problems, notes = list[str](), list[str]()
    if why_not():
        notes.append(f"NumPy computes in place of the compiled kernel, and is slower: {why_not()}.")
    if float(load) >= BUSY_SHARE * cores:
        busy = f"Other programs use the processor: its load is {load} on {cores} cores."
        notes.append(f"{busy} Results don't change, but times would be too long.")
    if folder is not None:
        path = folder.absolute()
        existing = next(parent for parent in (path, *path.parents) if parent.is_dir())
        facts["file system"] = kind = file_system_of(existing)
        facts["free space"] = f"{shutil.disk_usage(existing).free / 1e9:.1f} GB"
        problems += _folder_problems(existing)
        if kind in NETWORK_FILE_SYSTEMS:
            where = f"{existing} is on {kind}, a network file system"
            notes.append(f"{where}: keep a study's folder on a disk of the machine that runs it.")
    return Examination(facts, tuple(problems), tuple(notes))


def _version(name: str, extra: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return f"not installed: pip install 'bpsweep[{extra}]'"


def file_system_of(folder: Path) -> str:
    """Return the kind of file system that a folder is on, as the system names it."""
    try:
        lines = _MOUNTS.read_text("utf-8").splitlines()
    except OSError:
        return "unknown"
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = [line.split(" - ") for line in lines if line.split()[2] == number]
    return mounts[-1][1].split()[0] if mounts else "unknown"


def _folder_problems(folder: Path) -> list[str]:
    try:
        with tempfile.TemporaryDirectory(prefix=".bpsweep-", dir=folder) as name:
            return _lock_problems(Path(name))
    except OSError as error:
        return [f"{folder} can't be written to: {error.strerror}."]


def _lock_problems(scratch: Path) -> list[str]:
    with (scratch / "lock").open("wb") as first, (scratch / "lock").open("wb") as other:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []
        except OSError as error:
            return [f"{scratch.parent} has no file locks: {error.strerror}."]
    return [f"{scratch.parent} has file locks that keep nobody out: two runs could share a study."]


def examination_lines(examination: Examination) -> list[str]:
    """Return an examination as lines for a terminal."""
    lines = [f"{name}: {value}" for name, value in examination.facts.items()]
    lines += [f"problem: {problem}" for problem in examination.problems]
    lines += [f"note: {note}" for note in examination.notes]
    return [*lines, *([] if examination.problems else ["Nothing is in a study's way."])]

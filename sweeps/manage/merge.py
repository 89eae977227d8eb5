"""One store from several of the same study, parts of which ran on several machines."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sweeps.data.facts import sessions_of
from sweeps.errors import ResourceError, StoreError, UsageError, counted
from sweeps.machine import combined
from sweeps.store import Store


@dataclass(frozen=True)
class Merged:
    """What became of several stores."""

    trials: int
    conflicts: tuple[str, ...]  # trials with different results, of which the first was kept
    notes: tuple[str, ...]  # what else a user should know, a sentence each


def merge(folders: Sequence[Path], out: Path) -> Merged:
    """Make a store that holds what several hold: results win over failures."""
    # Times of several machines can't be compared: those of the first store that has any are kept.
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UsageError(f"{out} is not empty. Choose another --out.")
    unfinished = out.absolute().with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        merged = _merge(folders, unfinished)
        unfinished.rename(out)
    except OSError as error:
        raise ResourceError(f"{out} can't be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return merged


def _merge(folders: Sequence[Path], out: Path) -> Merged:
    with ExitStack() as stack:
        stores = [stack.enter_context(Store.read(folder)) for folder in folders]
        name = _common_name(folders, stores)
        target = stack.enter_context(Store.write(out, name))
        target.set_facts(_facts(stores))
        conflicts = dict.fromkeys(trial for store in stores for trial in target.take(store.rows()))
        timings = [store.timing_rows() for store in stores]
        target.take_timing(next(filter(None, timings), []))
        notes = _notes(folders, stores, [len(rounds) for rounds in timings])
        return Merged(len(target.statuses()), tuple(conflicts), tuple(notes))


def _common_name(folders: Sequence[Path], stores: Sequence[Store]) -> str:
    names = [store.fact("name") for store in stores]
    for folder, name in zip(folders, names, strict=True):
        if name != names[0]:
            raise StoreError(
                f"{folder} holds the study {name!r}, but {folders[0]} holds {names[0]!r}: only "
                "parts of the same study can be merged."
            )
    return names[0]


def _facts(stores: Sequence[Store]) -> dict[str, str]:
    stored = [store.facts() for store in stores]
    facts = {key: value for part in reversed(stored) for key, value in part.items()}
    sessions = [sessions_of(part) for part in stored]
    seconds = sum(session.sweep_seconds for session in sessions)
    provenance = json.dumps(combined(session.provenance for session in sessions))
    return facts | {"sweep_seconds": repr(seconds), "provenance": provenance}


def _notes(folders: Sequence[Path], stores: Sequence[Store], rounds: Sequence[int]) -> list[str]:
    notes = []
    if len({store.facts().get("specification") for store in stores}) > 1:
        notes.append(
            f"Their specifications differ: that of {folders[0]} is kept. Run the whole study's "
            "into the new folder to go on."
        )
    if sum(map(bool, rounds)) > 1:
        notes.append(
            "Times of several machines can't be compared: only the first benchmark is kept."
        )
    notes += [
        f"{counted(store.damaged(), 'damaged row')} of {folder} left out: a run repeats them."
        for folder, store in zip(folders, stores, strict=True)
        if store.damaged()
    ]
    return notes

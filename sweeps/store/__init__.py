"""The study's store: one SQLite file."""

from __future__ import annotations

from sweeps.store._store import FILE, Store
from sweeps.store.lock import owner_of
from sweeps.store.rows import strict
from sweeps.store.study_results import (
    Plan,
    read_experiment,
    results,
    save_experiment,
    stored_experiment,
)

__all__ = [
    "FILE",
    "Plan",
    "Store",
    "owner_of",
    "read_experiment",
    "results",
    "save_experiment",
    "stored_experiment",
    "strict",
]


def __dir__() -> list[str]:
    return __all__

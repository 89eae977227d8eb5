"""The study's store: one SQLite file. What reads it is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.store._store import Store
    from sweeps.store.folder import FILE
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


_MODULES = {"FILE": "folder", "Store": "_store", "owner_of": "lock", "strict": "rows"}
"""Where names are defined that are not in `study_results`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES.get(name, 'study_results')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__

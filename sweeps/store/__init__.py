"""The study's store: one SQLite file. What reads it is loaded when it is asked for."""

from __future__ import annotations

from types import ModuleType
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


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home: ModuleType
    if name == "FILE":
        from sweeps.store import folder as home
    elif name == "Store":
        from sweeps.store import _store as home
    elif name == "owner_of":
        from sweeps.store import lock as home
    elif name == "strict":
        from sweeps.store import rows as home
    else:
        from sweeps.store import study_results as home
    return getattr(home, name)


def __dir__() -> list[str]:
    return __all__

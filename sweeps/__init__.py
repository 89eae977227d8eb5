"""The experiment: what to run, running it, keeping it, telling it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.store.study_results import results as results
    from sweeps.study import Study as Study

__all__ = ["Study", "results"]

_HOMES = {"Study": "sweeps.study", "results": "sweeps.store.study_results"}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    # `import sweeps` stays light: a command's help and the workers don't pay for pandas.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

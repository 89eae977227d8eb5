"""The experiment: what to run, running it, keeping it, reading it.

Importing this package is light: a command's help and the workers don't pay for pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.store.study_results import results as results
    from sweeps.study import Study as Study

__all__ = ["Study", "results"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "Study":
        from sweeps import study

        return study.Study
    if name == "results":
        from sweeps.store import study_results

        return study_results.results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

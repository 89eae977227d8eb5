"""The experiment: what to run, running it, keeping it, reading it.

Importing this package is light: a command's help and the workers don't pay for pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.study import Study, analyze, recommend, results
    from sweeps.worker.gradient_norms import gradient_norms

__all__ = ["Study", "analyze", "gradient_norms", "recommend", "results"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "gradient_norms":
        from sweeps.worker.gradient_norms import gradient_norms

        return gradient_norms
    if name in __all__:
        from sweeps import study

        return getattr(study, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

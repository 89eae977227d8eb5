"""The experiment: what to run, running it, keeping it, telling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.study import Study as Study
    from sweeps.study import results as results

__all__ = ["Study", "results"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    # `import sweeps` stays light: a command's help and the workers don't pay for pandas.
    if name in __all__:
        from sweeps import study  # noqa: PLC0415

        return getattr(study, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

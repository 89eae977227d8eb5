"""The page, tables, figures and files of a report; nothing is drawn with before it is needed."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.output.build import build_report
    from reports.output.manuscript import build_paper

__all__ = ["build_paper", "build_report"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home: ModuleType
    if name == "build_report":
        from reports.output import build as home
    else:
        from reports.output import manuscript as home
    return getattr(home, name)


def __dir__() -> list[str]:
    return __all__

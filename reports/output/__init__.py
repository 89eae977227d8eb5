"""The page, tables, figures and files of a report; nothing is drawn with before it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.output.build import build_report
    from reports.output.manuscript import build_paper

__all__ = ["build_paper", "build_report"]

_MODULES = {"build_paper": "manuscript", "build_report": "build"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

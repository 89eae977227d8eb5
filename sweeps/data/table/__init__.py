"""From a table to a dataset."""

from __future__ import annotations

from sweeps.data.table._cells import Cells

__all__ = ["Cells"]


def __dir__() -> list[str]:
    return __all__

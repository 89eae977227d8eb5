"""Datasets: where they come from, how they are read and split."""

from __future__ import annotations

from sweeps.data.splits import REGRESSION, Dataset, Preparation, Source, prepare

__all__ = ["REGRESSION", "Dataset", "Preparation", "Source", "prepare"]


def __dir__() -> list[str]:
    return __all__

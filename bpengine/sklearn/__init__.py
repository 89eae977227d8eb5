"""Estimators with scikit-learn's interface."""

from __future__ import annotations

from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor

__all__ = ["BackpropClassifier", "BackpropRegressor"]


def __dir__() -> list[str]:
    return __all__

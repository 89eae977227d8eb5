"""The answer: which batch size to use."""

from __future__ import annotations

from reports.recommend.analysis import analyse_study
from reports.recommend.recommendation import Answer, Recommendation
from reports.recommend.record import GROUP_COLUMNS, Analysis, StudyAnalysis, extreme

__all__ = [
    "GROUP_COLUMNS",
    "Analysis",
    "Answer",
    "Recommendation",
    "StudyAnalysis",
    "analyse_study",
    "extreme",
]


def __dir__() -> list[str]:
    return __all__

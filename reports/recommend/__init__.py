"""The answer: which batch size to use."""

from __future__ import annotations

from reports.recommend.analysis import analyse_study
from reports.recommend.answer import ANSWER_COLUMNS, Answer, answer_table
from reports.recommend.record import GROUP_COLUMNS, Analysis, StudyAnalysis, extreme

__all__ = [
    "ANSWER_COLUMNS",
    "GROUP_COLUMNS",
    "Analysis",
    "Answer",
    "StudyAnalysis",
    "analyse_study",
    "answer_table",
    "extreme",
]


def __dir__() -> list[str]:
    return __all__

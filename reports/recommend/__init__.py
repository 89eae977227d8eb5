"""The answer: which batch size to use."""

from reports.recommend.analysis import analyse_study
from reports.recommend.answer import ANSWER_COLUMNS, Answer, answer_table
from reports.recommend.record import GROUP_COLUMNS, Analysis, StudyAnalysis, extreme

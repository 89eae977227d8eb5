"""The sentences of a page."""

from __future__ import annotations

from reports.text.across import across
from reports.text.budget_rules import RULE_WORDS, amount
from reports.text.cautions import cautions
from reports.text.reaching_target import level
from reports.text.verdicts import Statement

__all__ = [
    "RULE_WORDS",
    "Statement",
    "across",
    "amount",
    "cautions",
    "level",
]


def __dir__() -> list[str]:
    return __all__

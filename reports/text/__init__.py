"""The sentences of a page."""

from reports.text.across import across
from reports.text.budget_rules import RULE_WORDS, amount
from reports.text.cautions import cautions
from reports.text.clocks import MEMORIES
from reports.text.instruction import confidence
from reports.text.reaching_target import level
from reports.text.verdicts import Statement

"""Sentences about budgets follow from the table of budgets."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.equal_budgets import EPOCHS, SECONDS, UPDATES
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from reports.text.budgets import amount, budget_sentence, rules_sentence, shared_sentence
from tests.reports.conftest import numbers

SHARED = "On the validation part, with 5 seeds, batch "
FEW = (
    " can't be told from the best under any budget rule: few seeds establish only large "
    "differences."
)


@pytest.fixture(scope="module")
def analysis(digits: StudyResults) -> Analysis:
    """The numbers of the study as shipped."""
    return numbers(digits)


def table(rows: dict[str, tuple[int, tuple[int, ...]]]) -> pd.DataFrame:
    """Return a table of three batch sizes: of each rule the best one and those that tie with it."""
    budgets = {EPOCHS: 20.0, UPDATES: 40.0, SECONDS: 0.25}
    return pd.DataFrame(
        [
            {
                "rule": rule,
                "budget": budgets[rule],
                "batch_size": size,
                "seeds": 5,
                "metric": 0.9 if size == best else 0.5,
                "best": size == best,
                "tied": size in tied,
                "early": False,
                "common": True,
            }
            for rule, (best, tied) in rows.items()
            for size in (8, 64, 512)
        ]
    )


def test_one_budget_names_the_best_and_those_that_tie(analysis: Analysis) -> None:
    rows = table({EPOCHS: (8, (8, 64))})
    assert budget_sentence(analysis, rows) == (
        "With equal epochs, 20 epochs, the highest mean is 90.00% at batch size 8. With 5 seeds, "
        "batch size 64 can't be told from it."
    )


def test_one_budget_names_who_ended_before_and_who_is_read_early(analysis: Analysis) -> None:
    rows = table({UPDATES: (64, (64,))})
    rows.loc[rows["batch_size"] == 512, "metric"] = None
    rows["early"] = rows["batch_size"] == 8
    assert budget_sentence(analysis, rows) == (
        "With equal updates, 40 updates, the highest mean is 90.00% at batch size 64. All others "
        "can be told from it. Training ended before that at batch size 512. Read before the first "
        "evaluation: batch size 8."
    )


@pytest.mark.parametrize(
    ("rows", "said", "shared"),
    [
        (
            {EPOCHS: (8, (8,)), UPDATES: (8, (8, 64)), SECONDS: (8, (8,))},
            (
                "The highest mean has batch size 8 under each budget rule: with equal epochs, "
                "equal updates and equal time."
            ),
            f"{SHARED}size 8{FEW}",
        ),
        (
            {EPOCHS: (8, (8,)), UPDATES: (512, (512,)), SECONDS: (64, (64,))},
            (
                "Another budget rule changes the order of batch sizes: highest on the validation "
                "part is 8 with equal epochs (20 epochs), 512 with equal updates (40 updates) and "
                "64 with equal time (250 ms), which the tests establish."
            ),
            "No batch size is among the best under all budget rules.",
        ),
        (
            {EPOCHS: (8, (8, 64)), UPDATES: (64, (8, 64))},
            (
                "Another budget rule may change the order of batch sizes: highest on the "
                "validation part is 8 with equal epochs (20 epochs) and 64 with equal updates (40 "
                "updates); the tests do not establish that."
            ),
            f"{SHARED}sizes 8 and 64{FEW}",
        ),
        ({EPOCHS: (8, (8,))}, "", ""),
    ],
    ids=["same", "established", "not established", "one rule"],
)
def test_the_rules_are_held_against_each_other(
    analysis: Analysis, rows: dict[str, tuple[int, tuple[int, ...]]], said: str, shared: str
) -> None:
    changed = replace(analysis, budgets=table(rows))
    assert rules_sentence(changed).replace("\xa0", " ") == said
    assert shared_sentence(changed) == shared


def test_amounts_have_their_unit() -> None:
    assert [amount(EPOCHS, 0.15625), amount(EPOCHS, 1.0)] == ["0.156 epochs", "1 epoch"]
    assert amount(UPDATES, 1280.0) == "1,280 updates"

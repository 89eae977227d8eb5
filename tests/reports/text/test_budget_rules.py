"""Sentences about budgets follow from the table of budgets."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.equal_budgets import EPOCHS, SECONDS, UPDATES
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from reports.text.budget_rules import amount, budget_sentence, rules_sentence, shared_sentence
from tests.reports.conftest import numbers


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
    text = budget_sentence(analysis, rows)
    for part in ("20 epochs", "90.00% at batch size 8", "5 seeds, batch size 64"):
        assert part in text


def test_one_budget_names_who_ended_before_and_who_is_read_early(analysis: Analysis) -> None:
    rows = table({UPDATES: (64, (64,))})
    rows.loc[rows["batch_size"] == 512, "metric"] = None
    rows["early"] = rows["batch_size"] == 8
    text = budget_sentence(analysis, rows)
    for part in ("40 updates", "at batch size 64", "ended before that at batch size 512", "size 8"):
        assert part in text


@pytest.mark.parametrize(
    ("rows", "said", "shared"),
    [
        (
            {EPOCHS: (8, (8,)), UPDATES: (8, (8, 64)), SECONDS: (8, (8,))},
            "batch size 8 under each budget rule",
            "5 seeds, batch size 8 ",
        ),
        (
            {EPOCHS: (8, (8,)), UPDATES: (512, (512,)), SECONDS: (64, (64,))},
            "512 with equal updates (40 updates) and 64 with equal time (250 ms), which the tests",
            "No batch size",
        ),
        (
            {EPOCHS: (8, (8, 64)), UPDATES: (64, (8, 64))},
            "(20 epochs) and 64 with equal updates (40 updates); the tests do not",
            "5 seeds, batch sizes 8 and 64 ",
        ),
        ({EPOCHS: (8, (8,))}, "", ""),
    ],
    ids=["same", "established", "not established", "one rule"],
)
def test_the_rules_are_held_against_each_other(
    analysis: Analysis, rows: dict[str, tuple[int, tuple[int, ...]]], said: str, shared: str
) -> None:
    changed = replace(analysis, budgets=table(rows))
    assert said in rules_sentence(changed).replace("\xa0", " ")
    assert shared in shared_sentence(changed)
    assert bool(said) == bool(rules_sentence(changed)) == bool(shared_sentence(changed))


def test_amounts_have_their_unit() -> None:
    assert [amount(EPOCHS, 0.15625), amount(EPOCHS, 1.0)] == ["0.156 epochs", "1 epoch"]
    assert amount(UPDATES, 1280.0) == "1,280 updates"

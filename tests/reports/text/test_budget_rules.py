"""Sentences about budgets follow from the table of budgets."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.equal_budgets import EPOCHS, SECONDS, UPDATES
from reports.recommend.record import Analysis
from reports.text.budget_rules import amount, budget_sentence, rules_sentence


def table(rows: dict[str, tuple[int, tuple[int, ...]]]) -> pd.DataFrame:
    """Return a table of three batch sizes: of each rule the best and those close to it."""
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


def test_one_budget_names_the_best_and_those_not_significantly_lower(analysis: Analysis) -> None:
    rows = table({EPOCHS: (8, (8, 64))})
    text = budget_sentence(analysis, rows)
    for part in ("20 epochs", "90.0% at batch size 8", "(5 seeds): batch size 64"):
        assert part in text


def test_one_budget_names_who_ended_before_and_who_is_read_early(analysis: Analysis) -> None:
    rows = table({UPDATES: (64, (64,))})
    rows.loc[rows["batch_size"] == 512, "metric"] = None
    rows["early"] = rows["batch_size"] == 8
    text = budget_sentence(analysis, rows)
    for part in ("40 updates", "at batch size 64", "ended before that at batch size 512", "size 8"):
        assert part in text


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (
            {EPOCHS: (8, (8,)), UPDATES: (8, (8, 64)), SECONDS: (8, (8,))},
            ("same batch size", "8 for equal epochs"),
        ),
        (
            {EPOCHS: (8, (8,)), UPDATES: (512, (512,)), SECONDS: (64, (64,))},
            ("depends", "batch size 8 for equal epochs", "512 for equal updates", "64 for equal"),
        ),
        (
            {EPOCHS: (8, (8, 64)), UPDATES: (64, (8, 64))},
            ("8 for equal epochs and 64 for equal updates", "not significant"),
        ),
    ],
    ids=["same", "different", "not significant"],
)
def test_the_winner_of_each_rule_is_named(
    analysis: Analysis, rows: dict[str, tuple[int, tuple[int, ...]]], parts: tuple[str, ...]
) -> None:
    text = rules_sentence(replace(analysis, budgets=table(rows)))
    for part in parts:
        assert part in text


def test_one_rule_has_nothing_to_compare_with(analysis: Analysis) -> None:
    assert rules_sentence(replace(analysis, budgets=table({EPOCHS: (8, (8,))}))) == ""


def test_amounts_have_their_unit() -> None:
    assert [amount(EPOCHS, 0.15625), amount(EPOCHS, 1.0)] == ["0.156 epochs", "1 epoch"]
    assert amount(UPDATES, 1280.0) == "1,280 updates"

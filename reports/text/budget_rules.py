"""Budgets and their rules in words: a sentence for each budget, and one over the rules."""

from __future__ import annotations

import pandas as pd

from reports.analysis import SECONDS, by_rule
from reports.analysis.equal_budgets import EPOCHS, UPDATES
from reports.recommend import Analysis
from reports.schema import count, listing, plural, rate, seconds, sizes

RULE_WORDS = {EPOCHS: "equal epochs", UPDATES: "equal updates", SECONDS: "equal time"}
"""The rules, to be read after "with"."""


def amount(rule: str, budget: float) -> str:
    """Return how much a budget allows."""
    if rule == SECONDS:
        return seconds(budget)
    number = rate(round(budget, 3)) if rule == EPOCHS else count(budget)
    return f"{number} {rule[:-1] if budget == 1 else rule}"


def budget_sentence(analysis: Analysis, rows: pd.DataFrame) -> str:
    """Return what is found with one budget."""
    first, best = rows.iloc[0], rows[rows["best"]].iloc[0]
    tied = rows.loc[rows["tied"] & ~rows["best"], "batch_size"].tolist()
    ended = rows.loc[rows["metric"].isna(), "batch_size"].tolist()
    early = rows.loc[rows["early"], "batch_size"].tolist()
    budget = f"{RULE_WORDS[first['rule']]}, {amount(first['rule'], first['budget'])}"
    highest = f"{analysis.measure.text(best['metric'])} at batch size {best['batch_size']}"
    texts = (
        f"With {budget}, the highest mean is {highest}.",
        f"With {plural(int(best['seeds']), 'seed')}, batch {sizes(tied)} can't be told from it."
        if tied
        else "All others can be told from it.",
        f"Training ended before that at batch {sizes(ended)}." if ended else "",
        f"Read before the first evaluation: batch {sizes(early)}." if early else "",
    )
    return " ".join(filter(None, texts))


def stopped_note(analysis: Analysis) -> str:
    """Return what trials that stopped early count as, to follow a caption; "" without any."""
    if not analysis.counts.stopped:
        return ""
    return " A trial that stopped early counts with the value it stopped with from there on."


def rules_sentence(analysis: Analysis) -> str:
    """Return whether the best batch size changes with the budget rule; "" if it isn't known."""
    parts = _common(analysis)
    if len(parts) < 2:  # noqa: PLR2004
        return ""
    best = {rule: int(rows.loc[rows["best"], "batch_size"].iloc[0]) for rule, rows in parts.items()}
    if len({*best.values()}) == 1:
        words = listing([RULE_WORDS[rule] for rule in parts])
        size = next(iter(best.values()))
        return f"The highest mean has batch size {size} under each budget rule: with {words}."
    tied = {rule: set(rows.loc[rows["tied"], "batch_size"]) for rule, rows in parts.items()}
    named = [
        f"{best[rule]} with {RULE_WORDS[rule]} ({amount(rule, rows['budget'].iloc[0])})"
        for rule, rows in parts.items()
    ]
    established = any(best[rule] not in tied[other] for rule in parts for other in parts)
    changes, tests = (
        ("changes", ", which the tests establish")
        if established
        else ("may change", "; the tests do not establish that")
    )
    return (
        f"Another budget rule {changes} the order of batch sizes: highest on the validation part "
        f"is {listing(named)}{tests}."
    )


def shared_sentence(analysis: Analysis) -> str:
    """Return which batch sizes are among the best under all rules; "" if it isn't known."""
    parts = _common(analysis)
    if len(parts) < 2:  # noqa: PLR2004
        return ""
    tied = [set(rows.loc[rows["tied"], "batch_size"]) for rows in parts.values()]
    shared = sorted(set.intersection(*tied))
    if not shared:
        return "No batch size is among the best under all budget rules."
    seeds = max(int(rows["seeds"].max()) for rows in parts.values())
    return (
        f"On the validation part, with {plural(seeds, 'seed')}, batch {sizes(shared)} can't be "
        "told from the best under any budget rule: few seeds establish only large differences."
    )


def _common(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Rows of the largest budget that all batch sizes reach, by rule."""
    return by_rule(analysis.budgets[analysis.budgets["common"]])

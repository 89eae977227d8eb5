"""Budgets and their rules in words: a sentence for each budget, and one over the rules."""

from __future__ import annotations

import pandas as pd

from reports.analysis import SECONDS, by_rule
from reports.analysis.equal_budgets import EPOCHS, UPDATES
from reports.recommend import Analysis
from reports.schema import count, listing, plural, rate, seconds, sizes

RULE_WORDS = {EPOCHS: "equal epochs", UPDATES: "equal updates", SECONDS: "equal time"}
"""The rules, to be read after "with" or "for"."""


def amount(rule: str, budget: float) -> str:
    """Return how much a budget allows."""
    if rule == SECONDS:
        return seconds(budget)
    number = rate(round(budget, 3)) if rule == EPOCHS else count(budget)
    return f"{number} {rule[:-1] if budget == 1 else rule}"


def budget_sentence(analysis: Analysis, rows: pd.DataFrame) -> str:
    """Return what the batch sizes attain with one budget."""
    first, best = rows.iloc[0], rows[rows["best"]].iloc[0]
    close = rows[rows["tied"] & ~rows["best"]]
    ended = rows.loc[rows["metric"].isna(), "batch_size"].tolist()
    early = rows.loc[rows["early"], "batch_size"].tolist()
    budget = f"{RULE_WORDS[first['rule']]}, {amount(first['rule'], first['budget'])}"
    highest = f"{analysis.measure.text(best['metric'])} at batch size {best['batch_size']}"
    seeds = plural(int(best["seeds"]), "seed")
    other = "higher" if analysis.measure.lower_is_better else "lower"
    gap = analysis.measure.gap(best["metric"] - close["metric"].min())
    where = sizes(close["batch_size"].tolist(), analysis.tried)
    texts = [f"With {budget}, the {analysis.measure.best} mean is {highest}."]
    if len(close):
        text = f"by at most {gap}, but not significantly ({seeds}): batch {where}."
        texts.append(f"{other.capitalize()} {text}")
    else:
        texts.append(f"All others are significantly {other} ({seeds}).")
    texts += [f"Training ended before that at batch {sizes(ended)}."] * bool(ended)
    texts += [f"Read before the first evaluation: batch {sizes(early)}."] * bool(early)
    return " ".join(texts)


def stopped_note(analysis: Analysis) -> str:
    """Return how trials that stopped early are counted, to follow a caption; "" without any."""
    if not analysis.counts.stopped:
        return ""
    return " A trial that stopped early keeps the value at which it stopped."


def rules_sentence(analysis: Analysis) -> str:
    """Return whether the best batch size changes with the budget rule; "" if it isn't known."""
    parts = by_rule(analysis.budgets[analysis.budgets["common"]])
    if len(parts) < 2:  # noqa: PLR2004
        return ""
    best = {rule: int(rows.loc[rows["best"], "batch_size"].iloc[0]) for rule, rows in parts.items()}
    if len({*best.values()}) == 1:
        words, size = listing([RULE_WORDS[rule] for rule in parts]), next(iter(best.values()))
        return f"The same batch size wins whatever you hold fixed: {size} for {words}."
    close = {rule: {*rows.loc[rows["tied"], "batch_size"]} for rule, rows in parts.items()}
    named = [f"{size} for {RULE_WORDS[rule]}" for rule, size in best.items()]
    if any(best[rule] not in close[other] for rule in parts for other in parts):
        return f"The winner depends on what you hold fixed: batch size {listing(named)}."
    return (
        f"The {analysis.measure.best} validation {analysis.measure.name} is at batch size "
        f"{listing(named)}, but these differences are not significant."
    )

"""What each batch size attains with equal epochs, equal updates and equal time.

Every rule is applied to the same validation curves. Each tuning seed is read at the rate that is
best on the other seeds *with that budget*: no seed chooses what it judges. A trial that stopped
before the end of its budget keeps the value it stopped with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis.update_times import one_network
from reports.schema import (
    BATCH_SIZE,
    CELL,
    CLASSIFICATION,
    GROUP,
    SIZE,
    TUNING_STAGES,
    Column,
    GroupDescription,
    StudyResults,
    as_table,
    empty_table,
    measure_of,
)
from reports.schema.measures import constant_metric
from reports.stats import CONFIDENCE, FEWEST
from reports.stats.intervals import t_quantile
from reports.stats.paired_tests import best_and_tied

EPOCHS, UPDATES, SECONDS = "epochs", "updates", "seconds"  # what may be used equally much of
RULES = (EPOCHS, UPDATES, SECONDS)  # in the order of the report
HALVINGS = 4  # budgets below the largest that all batch sizes reach: each half of the one above
MOST_BUDGETS = 16  # budgets of a rule; of more doublings, every second or third is taken
FEWEST_FOR_INTERVAL = 5  # seeds, as everywhere in the report

BUDGET_COLUMNS = (
    Column("rule", "str", "", "What all batch sizes use equally much of: epochs, updates, time."),
    Column("budget", "float64", "", "How much: epochs, updates or seconds."),
    BATCH_SIZE,
    Column("epochs", "float64", "epochs", "Passes over the training set within the budget."),
    Column("updates", "float64", "updates", "Updates within the budget."),
    Column("seconds", "float64", "s", "updates by the seconds of an update, benchmark.", True),
    Column("metric", "float64", "", "Mean validation metric; missing if training ended before."),
    Column("metric_low", "float64", "", "Lower bound of the 95% t interval; 5 seeds or more."),
    Column("metric_high", "float64", "", "Upper bound, too."),
    Column("seeds", "int64", "seeds", "Tuning seeds behind metric, each at others' best rate."),
    Column("best", "bool", "", "Whether it has the highest mean with this budget."),
    Column("tied", "bool", "", "Not significantly different from the best; paired t, Holm."),
    Column("early", "bool", "", "Whether it is read before the first evaluation of training."),
    Column("common", "bool", "", "Whether it is the largest budget that all batch sizes reach."),
)


@dataclass(frozen=True)
class _Budgets:
    """Budgets of a group: one column for each, of all rules one after the other."""

    rules: np.ndarray
    levels: np.ndarray  # how much each allows
    share: np.ndarray  # of the whole training, of shape (batch sizes, budgets)

    @property
    def reached(self) -> np.ndarray:
        """Whether a batch size trained as long."""
        return self.share <= 1 + 1e-9

    def common(self, known: np.ndarray) -> np.ndarray:
        """Whether a budget is the largest of its rule with which all batch sizes have a value."""
        shared = np.where(known.all(axis=0), self.levels, -math.inf)
        most = [shared[self.rules == rule].max() for rule in self.rules]
        return np.asarray(shared == most)


def budget_table(results: StudyResults, timing: pd.DataFrame) -> pd.DataFrame:
    """Return group and `BUDGET_COLUMNS`, by rule, then budget, then batch size."""
    # A group has no rows with fewer than two tuning seeds or two batch sizes that have a rate with
    # all of them, and none of equal time unless all its batch sizes are timed.
    tuning = results.trials[results.trials["stage"].isin(TUNING_STAGES)]
    recorded = results.curves[results.curves["trial"].isin(tuning["trial"])]
    curves = [evaluations(recorded, along) for along in ("examples", "updates")]
    ok = (tuning["status"] == "ok") & tuning["trial"].isin(curves[1].keys())
    ended = tuning[ok | (tuning["status"] == "diverged")]
    seeds = ended.groupby(CELL)["seed"].transform("size")
    complete = ended[seeds == len(results.description.seeds)].sort_values([*CELL, "seed"])
    by_group = dict(list(complete.groupby("group")))
    seconds: dict[Any, float] = one_network(timing).set_index(SIZE)["seconds_per_update"].to_dict()
    parts = [
        pd.DataFrame(_of_group(plan, by_group[plan.group], curves, seconds))
        for plan in results.description.groups
        if plan.group in by_group
    ]
    filled, columns = [part for part in parts if len(part)], (GROUP, *BUDGET_COLUMNS)
    return as_table(pd.concat(filled), columns) if filled else empty_table(columns)


def by_rule(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each rule that there are, in the order of `RULES`."""
    return {rule: table[table["rule"] == rule] for rule in RULES if rule in set(table["rule"])}


def _of_group(
    plan: GroupDescription,
    trials: pd.DataFrame,
    curves: Sequence[Mapping[str, np.ndarray]],
    seconds: Mapping[tuple[str, int], float],
) -> dict[str, np.ndarray]:
    names, batch_sizes = trials["trial"].to_numpy(), trials["batch_size"].to_numpy()
    ended = (trials["status"] == "ok").to_numpy(bool)
    number, (sizes, used) = trials["seed"].nunique(), _training(plan, trials, seconds)
    if min(number, sizes.size) < FEWEST:
        return {}
    budgets = _budgets(used)
    by_epochs = budgets.rules == EPOCHS
    values, first = [], []  # first: the latest first evaluation after the start, by the training
    for index, size in enumerate(sizes):
        rows, updates = batch_sizes == size, used[UPDATES][index]
        points = np.where(
            by_epochs, budgets.levels * plan.train_items, budgets.share[index] * updates
        )
        chosen, points = names[rows].tolist(), np.tile(points, (int(rows.sum()), 1))
        metric = np.where(by_epochs, *(read(along, chosen, points) for along in curves))
        metric[~ended[rows]] = guess_level(plan)
        cells = metric.reshape(-1, number, by_epochs.size)
        # Where a seed has no value, its rate has none.
        cells[np.isnan(cells).any(axis=1, keepdims=True).repeat(number, axis=1)] = np.nan
        values.append(np.take_along_axis(cells, best_on_others(cells)[None], axis=0)[0])
        recorded = [curves[1][trial][0] for trial in chosen if trial in curves[1]]
        first.append(max(made[made > 0].min(initial=math.inf) for made in recorded) / updates)
    known, shown = np.array(values), _comparable(budgets, np.array(values))
    if not shown.any():
        return {}
    budgets = _Budgets(budgets.rules[shown], budgets.levels[shown], budgets.share[:, shown])
    training = {rule: budgets.share * most[:, None] for rule, most in used.items()}
    table = _rows(budgets, known[..., shown], np.array(first)) | training
    table |= {"batch_size": np.broadcast_to(sizes[:, None], budgets.share.shape)}
    measure, columns = measure_of(plan), {name: array.T.ravel() for name, array in table.items()}
    for bound in ("metric_low", "metric_high"):
        columns[bound] = columns[bound].clip(measure.least, measure.most)
    return columns | {"group": np.full(budgets.share.size, plan.group, object)}


def _comparable(budgets: _Budgets, values: np.ndarray) -> np.ndarray:
    """Whether two batch sizes have a value with a budget, and all of them with one of its rule."""
    known = budgets.reached & ~np.isnan(values).any(axis=1)
    whole = {rule: known[:, budgets.rules == rule].all(axis=0).any() for rule in {*budgets.rules}}
    several = known.sum(axis=0) >= FEWEST
    return np.asarray(several & np.array([whole[rule] for rule in budgets.rules], np.bool_))


def _training(
    plan: GroupDescription, trials: pd.DataFrame, seconds: Mapping[tuple[str, int], float]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Batch sizes that have a rate with an end for every seed, and all they use by rule."""
    ok = (trials["status"] == "ok").to_numpy(bool)
    batch_sizes = trials["batch_size"].to_numpy()[ok]
    sizes = np.unique(batch_sizes)

    def whole(name: str, budget: Mapping[int, int]) -> np.ndarray:
        made = trials[name].to_numpy()[ok]
        most = [budget.get(n, int(made[batch_sizes == n].max())) for n in sizes.tolist()]
        return np.array(most, np.int64)

    updates = whole("updates", plan.budget_updates)
    cost = [seconds.get((plan.group, size), math.nan) for size in sizes.tolist()]
    used = {
        EPOCHS: whole("examples", plan.budget_examples) / (plan.train_items or math.nan),
        UPDATES: updates,
        SECONDS: updates * np.array(cost, np.float64),
    }
    # A rule that can't be applied is absent.
    return sizes, {rule: most for rule, most in used.items() if not np.isnan(most).any()}


def _budgets(used: Mapping[str, np.ndarray]) -> _Budgets:
    pairs = [(rule, level) for rule, most in used.items() for level in _levels(rule, most)]
    rules, levels = [rule for rule, _ in pairs], np.array([level for _, level in pairs])
    return _Budgets(np.array(rules), levels, levels / np.stack([used[r] for r in rules], axis=1))


def _levels(rule: str, used: np.ndarray) -> list[float]:
    """Doublings up and down from what all batch sizes reach, up to what two of them reach."""
    common, second = float(used.min()), float(np.sort(used)[-2])
    up = math.floor(math.log2(second / common) + 1e-9)
    step = math.ceil((HALVINGS + up + 1) / MOST_BUDGETS)
    powers = sorted({*range(0, -HALVINGS - 1, -step), *range(0, up + 1, step)})
    levels = [common * 2.0**power for power in powers]
    if rule != UPDATES:
        return levels
    return list(dict.fromkeys(float(round(level)) for level in levels if level >= 1))


def _rows(budgets: _Budgets, values: np.ndarray, first: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the table of values that have the shape (batch sizes, seeds, budgets)."""
    sizes, number, _ = values.shape
    mean = values.mean(axis=1)
    reached = budgets.reached & ~np.isnan(mean)
    half = np.full_like(mean, np.nan)
    if number >= FEWEST_FOR_INTERVAL:
        quantile = t_quantile(number - 1, (1 + CONFIDENCE) / 2)
        half = quantile * values.std(axis=1, ddof=1) / math.sqrt(number)
    shown = np.where(reached[:, None], values, np.nan)
    best, tied = best_and_tied(shown.swapaxes(0, 1), 1 - CONFIDENCE)
    shape = mean.shape
    return {
        "rule": np.broadcast_to(budgets.rules, shape),
        "budget": np.broadcast_to(budgets.levels, shape),
        **dict.fromkeys((EPOCHS, SECONDS), np.full(shape, np.nan)),
        "metric": np.where(reached, mean, np.nan),
        "metric_low": np.where(reached, mean - half, np.nan),
        "metric_high": np.where(reached, mean + half, np.nan),
        "seeds": np.where(reached, number, 0),
        "best": np.arange(sizes)[:, None] == best,
        "tied": tied,
        "early": reached & (budgets.share < first[:, None]),
        "common": np.broadcast_to(budgets.common(reached), shape),
    }


def guess_level(plan: GroupDescription) -> float:
    """Return the metric that a network reaches by guessing: what a diverged one counts as."""
    # One class in as many as there are, and otherwise what the best constant prediction has.
    if plan.task == CLASSIFICATION and plan.metric == "accuracy":
        return 1 / max(plan.outputs, 2)
    constant = constant_metric(plan)
    # Of runs that ended elsewhere, nobody knows.
    unknown = 0.0 if plan.task else math.nan
    return unknown if constant is None else constant


def evaluations(curves: pd.DataFrame, along: str) -> dict[str, np.ndarray]:
    """Return where the evaluations of each trial were made, and the validation metric there."""
    columns = curves[[along, "validation_metric"]].to_numpy(np.float64)
    rows_of = curves.groupby("trial", sort=False).indices
    return {str(trial): columns[rows].T for trial, rows in rows_of.items()}


def read(
    evaluated: Mapping[str, np.ndarray], trials: Sequence[str], points: np.ndarray
) -> np.ndarray:
    """Return the metric of trials at points of their curves, linearly between evaluations."""
    values = np.full(points.shape, np.nan)
    for row, trial in enumerate(trials):
        if trial in evaluated:
            values[row] = np.interp(points[row], *evaluated[trial])
    return values


def best_on_others(values: np.ndarray) -> np.ndarray:
    """Return for each seed the index of the rate that is best on all other seeds.

    Values have the shape (rates, seeds, ...); of equal rates the smallest counts.
    """
    others = (values.sum(axis=1, keepdims=True) - values) / (values.shape[1] - 1)
    # Means that differ by rounding only are equal, and one of some seeds is none.
    return np.asarray(np.where(np.isnan(others), -np.inf, others.round(12)).argmax(axis=0))

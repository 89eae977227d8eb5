"""Three rules, the same curves: what is read where, and who ties with the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.equal_budgets import (
    BUDGET_COLUMNS,
    EPOCHS,
    MOST_BUDGETS,
    RULES,
    SECONDS,
    UPDATES,
    best_on_others,
    evaluations,
    read,
)
from reports.claims._samples import cross_fitted, explored
from reports.recommend.analysis import analyse
from reports.recommend.record import Analysis
from reports.schema.results import CURVE_COLUMNS, StudyResults, empty_table
from tests.reports.conftest import (
    Sketch,
    make_results,
    nothing_run,
    numbers,
    of_seeds,
    several,
    small,
    without_timing,
)

pytestmark = pytest.mark.slow


def common(analysis: Analysis, rule: str) -> pd.DataFrame:
    """Return the rows of the largest budget that all batch sizes reach."""
    table = analysis.budgets
    return table[table["common"] & (table["rule"] == rule)].set_index("batch_size")


def test_the_table_has_its_columns_and_all_rules_in_order(analysis: Analysis) -> None:
    expected = {column.name: column.dtype for column in BUDGET_COLUMNS}
    assert {name: str(dtype) for name, dtype in analysis.budgets.dtypes.items()} == expected
    assert tuple(analysis.budgets["rule"].unique()) == RULES
    order = ["rule", "budget", "batch_size"]
    again = analysis.budgets.sort_values(
        order, key=lambda c: c.map(RULES.index) if c.name == "rule" else c
    )
    assert again.index.tolist() == analysis.budgets.index.tolist()


def test_each_rule_gives_every_batch_size_equally_much(analysis: Analysis) -> None:
    table = analysis.budgets
    for rule in RULES:
        rows = table[table["rule"] == rule]
        np.testing.assert_allclose(rows[rule], rows["budget"])
    assert (common(analysis, EPOCHS)["epochs"] == 20).all()
    assert (common(analysis, UPDATES)["updates"] == 40).all()
    times = analysis.batch_sizes.set_index("batch_size")["seconds_to_train"]
    np.testing.assert_allclose(common(analysis, SECONDS)["seconds"], times.min())


def test_values_are_those_of_seeds_that_did_not_choose_their_rate(analysis: Analysis) -> None:
    whole = cross_fitted(explored(analysis))
    np.testing.assert_allclose(common(analysis, EPOCHS)["metric"], whole.mean())


def test_a_batch_size_that_trained_for_less_is_absent(analysis: Analysis) -> None:
    rows = analysis.budgets[analysis.budgets["rule"] == UPDATES]
    made = analysis.batch_sizes.set_index("batch_size")["updates"]
    absent = rows["metric"].isna()
    assert absent.tolist() == (rows["budget"] > rows["batch_size"].map(made)).tolist()
    assert absent.any()
    assert not rows.loc[absent, ["best", "tied", "early"]].any(axis=None)
    assert (rows.loc[absent, "seeds"] == 0).all()
    assert (rows[~absent].groupby("budget").size() >= 2).all()


def test_what_is_read_before_the_first_evaluation_is_marked(analysis: Analysis) -> None:
    # The first evaluation is at a quarter of an epoch.
    rows = analysis.budgets[analysis.budgets["metric"].notna()]
    assert rows["early"].tolist() == (rows["updates"] < -(-269 // rows["batch_size"])).tolist()
    assert rows["early"].any()


def test_the_best_has_the_highest_mean_and_ties_with_itself(analysis: Analysis) -> None:
    for _, rows in analysis.budgets.groupby(["rule", "budget"]):
        assert rows["best"].sum() == 1
        assert rows.loc[rows["best"], "metric"].item() == rows["metric"].max()
        assert rows.loc[rows["best"], "tied"].item()


def test_intervals_are_t_intervals_over_the_seeds(analysis: Analysis) -> None:
    rows = common(analysis, EPOCHS)
    spread = cross_fitted(explored(analysis)).std() / np.sqrt(5)
    half = 2.7764451 * spread.to_numpy()
    np.testing.assert_allclose(rows["metric_high"], np.minimum(rows["metric"] + half, 1))
    np.testing.assert_allclose(rows["metric_low"], rows["metric"] - half)
    few = numbers(of_seeds(analysis.results, 0, 1, 2))
    assert few.budgets["metric_low"].isna().all()
    assert few.budgets["metric"].notna().any()


def test_an_interval_ends_where_the_metric_does() -> None:
    results = make_results(Sketch(description=small()))
    ended = results.curves["validation_metric"] > 0.9
    results.curves.loc[ended, "validation_metric"] = 1.0
    later = results.curves["trial"].isin(results.trials["trial"][results.trials["seed"] == 3])
    results.curves.loc[ended & later, "validation_metric"] = 0.98
    rows = numbers(results).budgets.dropna(subset="metric_high")
    assert rows["metric_high"].max() == 1.0
    assert ((rows["metric_high"] == 1.0) & (rows["metric"] < 1.0)).any()


def test_a_diverged_trial_counts_as_a_guess() -> None:
    sketch = Sketch(description=small(), diverges=lambda batch, _rate, _seed: batch == 8)
    analysis = numbers(make_results(sketch))
    assert set(analysis.budgets["batch_size"]) == {64, 512}
    half = Sketch(
        description=small(learning_rates=(1.0,)), diverges=lambda b, _r, s: b == 8 and s == 0
    )
    analysis = numbers(make_results(half))
    values = explored(analysis)[(8, 1.0)]
    assert values.iloc[0] == 0.1
    assert common(analysis, EPOCHS).loc[8, "metric"] == pytest.approx(values.mean())


def test_without_times_there_is_no_equal_time(digits: StudyResults) -> None:
    assert set(numbers(without_timing(digits)).budgets["rule"]) == {EPOCHS, UPDATES}
    assert numbers(without_timing(digits)).budgets["seconds"].isna().all()


@pytest.mark.parametrize(
    "results",
    [
        nothing_run(make_results(Sketch(description=small()))),
        make_results(Sketch(description=small(batch_sizes=(8,)))),
        make_results(Sketch(description=small(seeds=(0,)))),
        make_results(Sketch(description=small(), diverges=lambda *_: True)),
        replace(make_results(Sketch(description=small())), curves=empty_table(CURVE_COLUMNS)),
    ],
    ids=["nothing", "one batch size", "one seed", "diverged", "no curves"],
)
def test_where_nothing_can_be_said_there_is_no_row(results: StudyResults) -> None:
    assert numbers(results).budgets.empty


def test_the_range_of_batch_sizes_does_not_multiply_budgets() -> None:
    plan = small(batch_sizes=(1, 2, 100_000), learning_rates=(1.0,), train_items=100_000)
    table = numbers(make_results(Sketch(description=plan))).budgets
    updates = table.loc[table["rule"] == UPDATES, "budget"].unique()
    assert len(updates) <= MOST_BUDGETS
    assert common(numbers(make_results(Sketch(description=plan))), UPDATES)["budget"].max() == 20


def test_every_group_has_its_own_budgets() -> None:
    plan = several(
        {"group": "a"}, {"group": "b", "epochs": 5.0}, batch_sizes=(8, 64), learning_rates=(1.0,)
    )
    first, second = analyse(make_results(Sketch(description=plan)))
    assert common(first, EPOCHS)["budget"].unique().tolist() == [20]
    assert common(second, EPOCHS)["budget"].unique().tolist() == [5]


def curve(trial: str, points: dict[int, float]) -> pd.DataFrame:
    """Return a curve of batches of two."""
    updates = [*points]
    return pd.DataFrame(
        {
            "trial": trial,
            "updates": updates,
            "examples": [2 * number for number in updates],
            "validation_metric": [*points.values()],
        }
    )


CURVES = pd.concat([curve("a", {0: 0.1, 10: 0.5, 20: 0.6}), curve("b", {0: 0.2, 5: 0.4})])


@pytest.mark.parametrize(
    ("along", "trials", "points", "expected"),
    [
        ("updates", ["b", "a"], [[2.5, 5.0], [5.0, 12.0]], [[0.3, 0.4], [0.3, 0.52]]),
        ("updates", ["b"], [[-1.0, 99.0]], [[0.2, 0.4]]),
        ("examples", ["a"], [[10.0, 24.0]], [[0.3, 0.52]]),
        ("updates", ["c"], [[1.0]], [[np.nan]]),
    ],
    ids=["between", "beyond its ends", "by examples", "no curve"],
)
def test_a_curve_is_read_on_the_line_between_two_evaluations(
    along: str, trials: list[str], points: list[list[float]], expected: list[list[float]]
) -> None:
    metric = read(evaluations(CURVES, along), trials, np.array(points))
    np.testing.assert_allclose(metric, expected)


EARLY, LATE = [[0.6, 0.6], [0.2, 0.2]], [[0.7, 0.7], [0.9, 0.9]]


@pytest.mark.parametrize(
    ("values", "rates"),
    [
        ([[0.9, 0.1, 0.1], [0.5, 0.5, 0.5]], [1, 0, 0]),
        (np.dstack([EARLY, LATE]), [[0, 1], [0, 1]]),
        ([[0.3, 0.3], [0.1 + 0.2, 0.1 + 0.2]], [0, 0]),
    ],
    ids=["without the seed itself", "for every budget", "but for rounding"],
)
def test_a_rate_is_the_best_on_other_seeds(values: list[object], rates: list[object]) -> None:
    assert best_on_others(np.array(values)).tolist() == rates

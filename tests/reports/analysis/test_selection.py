"""The rate of each batch size: on validation, over seeds, without survivors' luck."""

from __future__ import annotations

import pandas as pd
import pytest

from reports.analysis.selection import (
    CELL_COLUMNS,
    SELECTION_COLUMNS,
    select_rates,
    summarise_cells,
    with_given_rates,
)
from reports.schema.results import (
    CONFIRM,
    EXPLORE,
    EXTEND,
    REFINE,
    TRIAL_COLUMNS,
    TUNING_STAGES,
    StudyResults,
)
from tests.reports.conftest import DIGITS, nothing_run, table

Values = dict[tuple[int, float], list[float | str]]


def trials_of(values: Values, stage: str = EXPLORE, loss: float = 1.0) -> pd.DataFrame:
    """Return trials of (batch size, rate): a metric for each seed, or a status."""
    rows = [
        {
            "trial": f"{batch} {rate} {seed}",
            "group": "g",
            "stage": stage,
            "dataset": "d",
            "architecture": "2-2",
            "optimizer": "sgd",
            "batch_size": batch,
            "learning_rate": rate,
            "seed": seed,
            "status": value if isinstance(value, str) else "ok",
            "shards": 1,
            "local_updates": 1,
            "updates": 1,
            "examples": 1,
            "validation_metric": None if isinstance(value, str) else value,
            "validation_loss": loss,
        }
        for (batch, rate), seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    return table(rows, TRIAL_COLUMNS)


def cells_of(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of a study that planned the seeds that ran at any of its rates."""
    tuning = trials[trials["stage"].isin(TUNING_STAGES)]
    planned = tuning.groupby(["group", "batch_size"])["seed"].nunique()
    return summarise_cells(trials, DIGITS.tuning_seeds if planned.empty else planned)


def selected(trials: pd.DataFrame) -> pd.DataFrame:
    return select_rates(cells_of(trials))


def rate_of(values: Values) -> float:
    return float(selected(trials_of(values))["learning_rate"].item())


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({(8, 0.1): [0.9, 0.5], (8, 1.0): [0.8, 0.7], (8, 9.0): [0.1, 0.2]}, 1.0),
        ({(8, 0.1): [0.5, 0.5], (8, 1.0): [0.99, "diverged"]}, 0.1),
        ({(8, 0.1): [0.5, 0.5], (8, 1.0): [0.9, "failed"]}, 0.1),
        ({(8, 0.1): [0.5, 0.5], (8, 1.0): [0.9]}, 0.1),
        ({(8, 3.0): [0.5], (8, 1.0): [0.5]}, 1.0),
        # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ by rounding.
        ({(8, 1.0): [0.3, 0.2, 0.1], (8, 3.0): [0.1, 0.2, 0.3]}, 1.0),
        ({(8, 1.0): [0.1, 0.2, 0.3], (8, 3.0): [0.3, 0.2, 0.1]}, 1.0),
    ],
    ids=["mean", "lucky survivor", "failed", "fewer seeds", "smaller rate", "down", "up"],
)
def test_the_highest_mean_over_all_seeds_is_selected(values: Values, rate: float) -> None:
    assert rate_of(values) == rate


def test_equal_metrics_are_decided_by_loss() -> None:
    low = trials_of({(8, 3.0): [0.5]}, loss=0.1)
    high = trials_of({(8, 1.0): [0.5]}, loss=0.2)
    assert selected(pd.concat([high, low]))["learning_rate"].item() == 3.0


@pytest.mark.parametrize(
    ("best", "at_edge"), [(0.1, True), (1.0, False), (10.0, True)], ids=["low", "inside", "high"]
)
def test_the_edge_of_the_grid_is_flagged(best: float, at_edge: bool) -> None:
    values: Values = {(8, rate): [0.9 if rate == best else 0.5] for rate in (0.1, 1.0, 10.0)}
    assert selected(trials_of(values))["at_edge"].item() is at_edge


def test_what_could_not_be_selected_is_counted_and_brackets_the_best() -> None:
    row = selected(trials_of({(8, 0.1): [0.5], (8, 1.0): [0.9], (8, 10.0): ["diverged"]})).iloc[0]
    assert (row["seeds"], row["eligible_rates"]) == (1, 2)
    assert not row["at_edge"]


def test_a_batch_size_where_all_diverged_has_no_row() -> None:
    values: Values = {(8, 0.1): ["diverged"], (16, 0.1): [0.5]}
    assert selected(trials_of(values))["batch_size"].tolist() == [16]


@pytest.mark.parametrize("stage", [CONFIRM, REFINE])
def test_fresh_seeds_select_nothing(stage: str) -> None:
    explore = trials_of({(8, 0.1): [0.5], (8, 1.0): [0.6]})
    fresh = trials_of({(8, 0.1): [1.0]}, stage=stage)
    assert selected(pd.concat([explore, fresh]))["learning_rate"].item() == 1.0


def test_groups_are_selected_separately() -> None:
    first = trials_of({(8, 0.1): [0.9], (8, 1.0): [0.5]})
    second = trials_of({(8, 0.1): [0.5], (8, 1.0): [0.9]}).assign(group="adam")
    chosen = selected(pd.concat([first, second]))
    assert dict(zip(chosen["group"], chosen["learning_rate"], strict=True)) == {
        "adam": 1.0,
        "g": 0.1,
    }


def test_the_order_of_trials_does_not_matter(digits: StudyResults) -> None:
    shuffled = digits.trials.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(selected(shuffled), selected(digits.trials))


def test_cells_count_every_outcome() -> None:
    cell = cells_of(trials_of({(8, 1.0): [0.4, "diverged", "failed", 0.6]})).iloc[0]
    assert cell[["trials", "ok", "diverged", "failed"]].tolist() == [4, 2, 1, 1]
    assert cell[["validation_metric", "validation_loss"]].isna().all()
    assert not cell["eligible"]


def test_without_trials_there_are_no_rows_but_all_columns(digits: StudyResults) -> None:
    trials = nothing_run(digits).trials
    assert cells_of(trials).columns.tolist() == [c.name for c in CELL_COLUMNS]
    assert selected(trials).columns.tolist() == [c.name for c in SELECTION_COLUMNS]
    assert selected(trials).empty


def test_further_rates_are_chosen_from_too() -> None:
    explore = trials_of({(8, 0.1): [0.5, 0.5], (8, 1.0): [0.6, 0.6]})
    extend = trials_of({(8, 10.0): [0.9, 0.9], (8, 100.0): [0.2, 0.2]}, stage=EXTEND)
    row = selected(pd.concat([explore, extend])).iloc[0]
    assert (row["learning_rate"], row["at_edge"], row["eligible_rates"]) == (10.0, False, 4)


def test_a_best_rate_at_the_end_of_the_further_ones_is_at_the_edge() -> None:
    explore = trials_of({(8, 0.1): [0.5], (8, 1.0): [0.6]})
    extend = trials_of({(8, 10.0): [0.9]}, stage=EXTEND)
    assert selected(pd.concat([explore, extend]))["at_edge"].item()


def test_a_rate_that_was_given_needs_no_selection() -> None:
    tuned = {(8, 0.1): [0.9, 0.8], (8, 1.0): [0.5, 0.6]}
    given = trials_of({(4, 0.3): [0.7, 0.7], (8, 0.1): [0.9, 0.9]}, CONFIRM)
    trials = pd.concat([trials_of(tuned), given], ignore_index=True)
    selection = with_given_rates(selected(trials), trials)
    assert selection["batch_size"].tolist() == [4, 8]
    assert selection["learning_rate"].tolist() == [0.3, 0.1]
    assert selection["seeds"].tolist() == [0, 2]
    assert selection["validation_metric"].isna().tolist() == [True, False]


def test_of_two_fresh_rates_neither_was_given() -> None:
    trials = trials_of({(4, 0.3): [0.7], (4, 0.6): [0.7]}, CONFIRM)
    assert with_given_rates(selected(trials), trials).empty

"""A mean over some of the seeds is never taken for the mean of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from reports.charts.catalogue import charts
from reports.claims._samples import explored, tuned_values
from reports.compare._matches import match_studies
from reports.recommend.analysis import analyse_study
from reports.schema.outcomes import count_seeds, has_value
from reports.schema.results import CONFIRM, EXPLORE, REFINE, StudyResults
from reports.text.cautions import cautions
from reports.text.verdicts import verdict
from tests.reports.conftest import Sketch, keep, make_results, numbers, small

Lose = Callable[[StudyResults, "pd.Series[bool]"], StudyResults]
"""Takes the value of some trials."""
SIZE = 64
PLAN = small(seeds=(0, 1, 2, 3, 4), confirmation_seeds=(100, 101, 102, 103, 104))


@cache
def whole() -> StudyResults:
    return make_results(Sketch(description=PLAN, diverges=lambda *_: False))


def of(results: StudyResults, stage: str, seed: int) -> pd.Series[bool]:
    """Return which trials are those of one seed of a stage at one batch size."""
    trials = results.trials
    return (trials["stage"] == stage) & (trials["seed"] == seed) & (trials["batch_size"] == SIZE)


def with_status(status: str) -> Lose:
    def changed(results: StudyResults, which: pd.Series[bool]) -> StudyResults:
        return replace(
            results,
            trials=results.trials.assign(status=results.trials["status"].mask(which, status)),
        )

    return changed


def with_number(column: str, value: float) -> Lose:
    def changed(results: StudyResults, which: pd.Series[bool]) -> StudyResults:
        parts = [f"{part}_{column}" for part in ("validation", "test")]
        numbers = {name: results.trials[name].mask(which, value) for name in parts}
        numbers["test_" + column] = numbers["test_" + column].where(
            results.trials["stage"] == CONFIRM
        )
        return replace(results, trials=results.trials.assign(**numbers))

    return changed


LOSSES = {
    "failed": with_status("error"),
    "crashed": with_status("crashed"),
    "timed out": with_status("timeout"),
    "diverged": with_status("diverged"),
    "still missing": lambda results, which: keep(results, ~which),
    "no number": with_number("metric", np.nan),
    "infinite loss": with_number("loss", np.inf),
    "absurd metric": with_number("metric", -1e300),
}
"""Ways for a seed to have no value."""
QUICK = ("failed", "diverged", "still missing")


@pytest.fixture(
    params=[
        pytest.param(loss, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, loss in LOSSES.items()
    ]
)
def lose(request: pytest.FixtureRequest) -> Lose:
    made: Lose = request.param
    return made


def test_a_rate_that_lacks_a_tuning_seed_has_no_mean(lose: Lose) -> None:
    results = whole()
    best = numbers(results).row(SIZE)["learning_rate"]
    at_best = of(results, EXPLORE, 3) & (results.trials["learning_rate"] == best)
    analysis = numbers(lose(results, at_best))
    cell = analysis.cells.query("batch_size == @SIZE and learning_rate == @best").iloc[0]
    assert (cell["planned"], cell["ok"], cell["eligible"]) == (5, 4, False)
    assert cell[["validation_metric", "validation_loss"]].isna().all()
    assert analysis.row(SIZE)["learning_rate"] != best


def test_a_batch_size_that_lacks_a_fresh_seed_has_no_mean(lose: Lose) -> None:
    results = whole()
    analysis = numbers(lose(results, of(results, CONFIRM, 103)))
    row = analysis.row(SIZE)
    assert (row["seeds"], row["lost_seeds"]) == (4, 1)
    assert row[["metric", "metric_median", "metric_low", "loss", "gap"]].isna().all()
    assert row["verdict"] == ""
    assert not row["pareto"]
    assert analysis.reference != SIZE
    assert SIZE not in {each.batch_size for each in analysis.answer.compared}
    assert SIZE not in tuned_values(analysis).columns
    texts = {
        statement.kind: statement.text for statement in [*verdict(analysis), *cautions(analysis)]
    }
    assert texts["failed-seeds"].startswith("At batch size 64, a seed")
    drawn = {chart.name: chart for chart in charts(analysis)}
    assert "Left out: batch size 64," in drawn["accuracy"].caption
    assert "batch size 64:" not in drawn["accuracy"].description


def test_every_batch_size_may_lack_a_fresh_seed(lose: Lose) -> None:
    results = whole()
    trials = results.trials
    analysis = numbers(lose(results, (trials["stage"] == CONFIRM) & (trials["seed"] == 103)))
    assert analysis.reference is None
    assert analysis.measured.empty
    assert {"accuracy", "accuracy-time"}.isdisjoint(chart.name for chart in charts(analysis))


def test_a_seed_that_has_not_run_anywhere_is_missing() -> None:
    """The seeds of an unfinished run are not all that were planned."""
    results = whole()
    analysis = numbers(keep(results, results.trials["seed"] != 4))
    assert not analysis.cells["eligible"].any()
    assert analysis.budgets.empty
    assert explored(analysis).loc[4].isna().all()


def test_more_seeds_for_some_batch_sizes_are_no_loss_for_the_others() -> None:
    results = whole()
    refined = results.trials["stage"].eq(CONFIRM) & results.trials["seed"].gt(102)
    trials = results.trials.assign(stage=results.trials["stage"].mask(refined, REFINE))
    few = trials[~(refined & (trials["batch_size"] == 8))].reset_index(drop=True)
    (group,) = PLAN.groups
    more = dict.fromkeys((64, 512), (103, 104))
    plan = replace(
        PLAN, groups=(replace(group, refinement_seeds=more),), confirmation_seeds=(100, 101, 102)
    )
    analysis = numbers(replace(results, description=plan, trials=few))
    assert analysis.batch_sizes["seeds"].tolist() == [3, 5, 5]
    assert analysis.batch_sizes["lost_seeds"].tolist() == [0, 0, 0]
    half = few[~((few["batch_size"] == 512) & (few["seed"] == 104))].reset_index(drop=True)
    analysis = numbers(replace(results, description=plan, trials=half))
    assert analysis.batch_sizes["lost_seeds"].tolist() == [0, 0, 1]
    assert analysis.measured["batch_size"].tolist() == [8, 64]


def test_a_mean_curve_ends_where_its_first_seed_stops() -> None:
    results = whole()
    rate = numbers(results).row(SIZE)["learning_rate"]
    at_best = of(results, EXPLORE, 2) & (results.trials["learning_rate"] == rate)
    stopped = results.trials.loc[at_best, "trial"].item()
    after = results.curves["trial"].eq(stopped) & results.curves["examples"].gt(10 * 1_077)
    trials = results.trials.assign(
        stopped_at_update=results.trials["stopped_at_update"].mask(at_best, 170),
        updates=results.trials["updates"].mask(at_best, 170),
    )
    changed = replace(results, trials=trials, curves=results.curves[~after].reset_index(drop=True))
    analysis = numbers(changed)
    ends = analysis.mean_curves.groupby("batch_size")["epochs"].max()
    assert ends.to_dict() == {8: 20, SIZE: 10, 512: 20}
    drawn = {chart.name: chart for chart in charts(analysis)}
    assert drawn["curves"].caption.endswith("the first of its seeds stopped.")
    assert "keeps the value at which it stopped" in drawn["budgets"].caption
    # No less was planned for it.
    assert set(analysis.budgets["batch_size"]) == {8, SIZE, 512}


def test_a_run_without_an_end_leaves_its_batch_size_without_steps_to_a_target() -> None:
    results = whole()
    failed = with_status("error")(results, of(results, CONFIRM, 103))
    sizes = {
        size
        for target in numbers(failed).scaling.targets
        for size in target.batch_sizes["batch_size"]
    }
    assert sizes == {8, 512}
    diverged = with_status("diverged")(results, of(results, CONFIRM, 103))
    main = numbers(diverged).scaling.main
    assert main is not None
    assert main.batch_sizes["runs"].tolist() == [5, 5, 5]


def test_studies_are_not_compared_where_one_lacks_a_seed() -> None:
    results = whole()
    failed = with_status("error")(results, of(results, CONFIRM, 103))
    cells = match_studies({"one": analyse_study(results), "two": analyse_study(failed)}).cells
    assert cells["difference"].notna().tolist() == [True, False, True]


def test_seeds_are_counted_cell_by_cell() -> None:
    results = whole()
    trials = results.trials[results.trials["stage"] == EXPLORE]
    counted = count_seeds(trials, "validation", PLAN.tuning_seeds)
    assert counted["complete"].all()
    assert (counted["planned"] == 5).all()
    assert has_value(trials, "validation").all()
    assert not has_value(trials, "test").any()

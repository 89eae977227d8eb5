"""A regression is reported in its own words: R2 as a number, errors in a unit with a name."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import f1_score

from reports.charts.catalogue import charts
from reports.output.build import build_report
from reports.output.csv import tables
from reports.output.page._tables import page_tables
from reports.recommend.analysis import analyse, analyse_study
from reports.recommend.record import Analysis, StudyAnalysis
from reports.schema.formats import significant
from reports.schema.measures import (
    STANDARD_DEVIATIONS,
    constant_metric,
    margin_of,
    measure_of,
    rmse,
    rmse_unit,
)
from reports.schema.results import GroupDescription, StudyResults
from reports.text.cautions import cautions
from reports.text.method import limits, method
from reports.text.verdicts import cards, verdict
from tests.reports.conftest import DIGITS_GROUP, Sketch, make_results, numbers, small

TARGET = replace(
    DIGITS_GROUP,
    group="diabetes",
    dataset="diabetes",
    task="regression",
    metric="r2",
    outputs=1,
    target_names=("progression",),
    output="identity",
)
NOTHING = "nothing-learned"
SCALES = {seed: (70.0 + seed,) for seed in (*range(5), *range(100, 105))}


def sketch(group: GroupDescription = TARGET) -> Sketch:
    axes = {"batch_sizes": (8, 64, 512), "learning_rates": (0.3, 1.0, 3.0)}
    plan = replace(small(), groups=(replace(group, **axes),))  # type: ignore[arg-type]
    return Sketch(description=plan, diverges=lambda *_: False)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """The numbers of a regression whose target's scale is known."""
    return numbers(make_results(sketch(replace(TARGET, target_scales=SCALES))))


def seeds_of(losses: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame({"seed": list(losses), "loss": list(losses.values())})


def test_a_regression_that_is_no_better_than_the_mean_is_warned_of() -> None:
    poor = replace(sketch(), accuracy=lambda *_: 0.0, noise=0.001)
    (text,) = [
        caution.text for caution in cautions(numbers(make_results(poor))) if caution.kind == NOTHING
    ]
    assert "R² 0.000;" in text


def test_the_rmse_is_that_of_the_residuals_in_the_targets_unit() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(150, 70, size=80)
    answer = target + rng.normal(0, 30, size=80)
    scale, mean = float(target.std()), float(target.mean())
    standard, answered = (target - mean) / scale, (answer - mean) / scale
    loss = float(np.mean((standard - answered) ** 2 / 2))
    plan = replace(TARGET, target_scales={3: (scale,)})
    expected = math.sqrt(float(np.mean((target - answer) ** 2)))
    assert rmse(seeds_of({3: loss}), plan).item() == pytest.approx(expected)


def test_without_a_scale_the_rmse_is_in_standard_deviations() -> None:
    assert rmse_unit(TARGET) == STANDARD_DEVIATIONS
    assert rmse(seeds_of({0: 0.125}), TARGET).item() == 0.5


def test_several_targets_are_pooled_in_standard_deviations() -> None:
    plan = replace(TARGET, outputs=2, target_names=("a", "b"), target_scales={0: (1.0, 9.0)})
    assert rmse_unit(plan) == STANDARD_DEVIATIONS
    assert rmse(seeds_of({0: 0.25}), plan).item() == 0.5


def test_a_seed_without_a_scale_has_no_rmse() -> None:
    plan = replace(TARGET, target_scales={0: (2.0,)})
    assert rmse(seeds_of({0: 0.5, 1: 0.5}), plan).tolist() == pytest.approx(
        [2.0, math.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    "plan", [DIGITS_GROUP, replace(TARGET, loss="binary_cross_entropy")], ids=["task", "loss"]
)
def test_where_it_is_unknown_there_is_no_rmse(plan: GroupDescription) -> None:
    assert rmse_unit(plan) == ""
    assert rmse(seeds_of({0: 0.5}), plan).isna().all()


def test_a_target_without_a_name_is_the_target() -> None:
    plan = replace(TARGET, target_names=(), target_scales=SCALES)
    assert rmse_unit(plan) == "the unit of the target"


def test_the_table_has_the_mean_rmse_of_the_seeds(analysis: Analysis) -> None:
    row, seeds = analysis.row(8), analysis.seeds[analysis.seeds["batch_size"] == 8]
    expected = np.mean([math.sqrt(2 * s.loss) * SCALES[s.seed][0] for s in seeds.itertuples()])
    assert row["rmse"] == pytest.approx(expected)
    table = next(t for t in page_tables(analysis) if t.name == "batch-size-details")
    column = table.headers.index("RMSE")
    assert float(table.rows[0][column].key) == row["rmse"]
    assert "RMSE in the unit of progression." in table.note


def test_a_classification_has_no_column_of_errors() -> None:
    tables = page_tables(numbers(make_results(Sketch(description=small()))))
    assert "RMSE" not in [header for table in tables for header in table.headers]


def test_sentences_use_numbers_and_the_name_of_the_metric(analysis: Analysis) -> None:
    text = " ".join(statement.text for statement in verdict(analysis))
    text += " ".join(card.value + card.note for card in cards(analysis))
    assert "test R²" in text
    assert "root mean squared error is" in text
    # Certainty and time are the only shares that are left.
    shares = re.sub(r"95% CI|\d+% longer", "", text)
    for word in ("%", "points", "accura"):
        assert word not in shares


def test_titles_and_captions_speak_of_the_metric(analysis: Analysis) -> None:
    for chart in charts(analysis):
        words = f"{chart.heading} {chart.finding} {chart.caption} {chart.description}".lower()
        assert "accura" not in words, chart.name
        assert "percent" not in words, chart.name


def test_axes_are_numbers(analysis: Analysis) -> None:
    for chart in charts(analysis):
        if chart.name in {"accuracy", "accuracy-time", "curves"}:
            figure = Figure()
            ax = chart.draw(figure.add_subplot())
            figure.draw_without_rendering()
            assert "R²" in ax.get_ylabel()
            assert not any("%" in label.get_text() for label in ax.get_yticklabels())


def test_the_grid_prints_errors(analysis: Analysis) -> None:
    chart = next(chart for chart in charts(analysis) if chart.name == "rates")
    ax = chart.draw(Figure().add_subplot())
    errors = 1 - analysis.cells["validation_metric"].dropna()
    printed = sorted(text.get_text() for text in ax.texts if text.get_label())
    assert printed == sorted(significant(error, 2) for error in errors)


def test_the_method_states_what_the_metric_is(analysis: Analysis) -> None:
    text = " ".join(method(analysis))
    assert "share of the targets' variance" in text
    assert "identity at the output" in text
    assert "half the squared error" in text
    assert "in the unit of progression" in text
    assert "a single outlier" in " ".join(limits(analysis))


def test_without_an_rmse_the_method_has_none() -> None:
    plan = replace(TARGET, loss="binary_cross_entropy")
    text = " ".join(method(numbers(make_results(sketch(plan)))))
    assert "RMSE" not in text
    assert "binary cross-entropy" in text


def test_a_metric_of_another_name_keeps_it() -> None:
    assert measure_of(replace(TARGET, metric="explained variance")).name == "explained variance"


def test_one_batch_size_that_stands_out_is_the_one_to_use() -> None:
    levels = {8: 0.8, 64: 0.6, 512: 0.4}
    apart = replace(sketch(), accuracy=lambda batch, _rate, epochs: levels[batch] * min(1, epochs))
    first = verdict(numbers(make_results(apart)))[0].text
    assert first.startswith("Use batch size 8 with learning rate ")


def test_the_page_of_a_regression_is_a_page(tmp_path: Path) -> None:
    page = build_report(make_results(sketch()), tmp_path).read_text(encoding="utf-8")
    assert "Test R²" in html.unescape(page)
    assert page.endswith("</html>\n")


def test_tasks_of_one_study_are_written_each_in_its_way() -> None:
    plan = replace(small(), groups=(*sketch().description.groups, *small().groups))
    first, second = analyse(make_results(Sketch(description=plan)))
    assert first.metric == "test R²"
    assert second.metric == "test accuracy"


CONSTANT = {
    "accuracy": (0.9, "90.0%"),
    "balanced_accuracy": (0.5, "50.0%"),
    "f1_macro": (f1_score([0] * 90 + [1] * 10, [0] * 100, average="macro"), "0.474"),
    "roc_auc": (0.5, "0.500"),
}


@pytest.mark.parametrize("metric", CONSTANT)
def test_the_constant_predictor_stands_beside_the_metric(metric: str, tmp_path: Path) -> None:
    value, text = CONSTANT[metric]
    plan = small(metric=metric, outputs=2, most_frequent=0.9)
    assert constant_metric(plan.groups[0]) == pytest.approx(value)
    results = make_results(Sketch(description=plan, accuracy=lambda *_: 0.97))
    assert f"constant prediction {text}" in cards(numbers(results))[0].note
    assert f"Constant prediction {text}" in build_report(results, tmp_path).read_text("utf-8")


def lowered(results: StudyResults, metric: str) -> StudyResults:
    """Return results whose accuracy has become the negative of a loss, the error."""
    plans = tuple(
        replace(plan, metric=metric, constant_loss=0.9) for plan in results.description.groups
    )
    trials, curves = (
        table.assign(**{name: table[name] - 1 for name in table if str(name).endswith("_metric")})
        for table in (results.trials, results.curves)
    )
    return replace(
        results,
        description=replace(results.description, groups=plans),
        trials=trials,
        curves=curves,
    )


@pytest.fixture(scope="module")
def both() -> tuple[StudyAnalysis, StudyAnalysis]:
    """One study told by accuracy, and told by an error that is better the lower it is."""
    results = make_results(Sketch(description=small(margin=0.01, claims=False)))
    return analyse_study(results), analyse_study(lowered(results, "neg_log_loss"))


def test_what_is_better_the_lower_it_is_decides_as_its_negative(
    both: tuple[StudyAnalysis, StudyAnalysis],
) -> None:
    (usual,), (lower,) = (study.groups for study in both)
    assert lower.answer.batch_size == usual.answer.batch_size is not None
    assert lower.answer.near_optimal == usual.answer.near_optimal
    assert lower.reference == usual.reference
    assert lower.batch_sizes["verdict"].tolist() == usual.batch_sizes["verdict"].tolist()


def test_tables_hold_what_is_better_the_lower_it_is_as_it_is(
    both: tuple[StudyAnalysis, StudyAnalysis],
) -> None:
    usual, lower = (tables(study, []) for study in both)
    columns = {
        "batch-sizes": ("metric", "metric_median", "validation_metric"),
        "trials": ("train_metric", "validation_metric", "test_metric"),
        "curves": ("train_metric", "validation_metric"),
        "cells": ("validation_metric",),
        "budgets": ("metric",),
        "groups": ("metric",),
        "targets": ("target",),
        "to-target": ("target",),
        "crossings": ("target",),
        "expected-best": ("expected_best",),
    }
    for table, names in columns.items():
        for name in names:
            error, share = lower[table][name], usual[table][name]
            assert error.to_numpy(float) == pytest.approx(1 - share.to_numpy(float), nan_ok=True)
    assert set(columns) == {
        name
        for name, frame in lower.items()
        if {*frame} & {name for names in columns.values() for name in names}
    } - {"noise-ratio", "mean-curves", "noise"}
    ends = lower["batch-sizes"][["metric_low", "metric", "metric_high"]].to_numpy()
    assert (np.diff(ends, axis=1) > 0).all()
    assert lower["batch-sizes"]["gap"].tolist() == pytest.approx(
        (-usual["batch-sizes"]["gap"]).tolist()
    )
    shortfalls = [frames["batch-sizes"]["shortfall"].tolist() for frames in (usual, lower)]
    assert shortfalls[0] == pytest.approx(shortfalls[1])


def test_the_page_shows_what_is_better_the_lower_it_is_as_it_is(
    both: tuple[StudyAnalysis, StudyAnalysis], tmp_path: Path
) -> None:
    (lower,) = both[1].groups
    used = lower.row(lower.recommended or 0)
    value = significant(-used["metric"], 3)
    assert f"test log loss {value} (constant prediction 0.900)" in cards(lower)[0].note
    low, high = (significant(-used[name], 3) for name in ("metric_high", "metric_low"))
    assert lower.measure.span(used["metric_low"], used["metric_high"]) == f"{low} to {high}"
    page = html.unescape(build_report(both[1].results, tmp_path).read_text(encoding="utf-8"))
    assert "the lowest mean validation log loss" in page
    ax = next(c for c in charts(lower) if c.name == "accuracy").draw(Figure().add_subplot())
    ticks = [float(label.get_text()) for label in ax.get_yticklabels()]
    assert ticks == sorted(ticks, reverse=True)
    assert ticks[-1] >= 0
    assert ax.get_ylabel().endswith("(lower is better)")


def test_a_difference_of_what_is_better_the_lower_it_is_has_its_own_sign() -> None:
    (measure,) = (measure_of(replace(TARGET, metric="neg_mae")),)
    assert (measure.name, measure.text(-12.34), measure.signed(1.5)) == ("MAE", "12.3", "-1.50")
    assert measure.signed_span(-0.5, 1.5) == "-1.50 to +0.500"
    assert measure.lost(1.5) == "+1.50"
    assert measure.becomes(-1.5, "test MAE") == "is 1.50 worse in test MAE"


def test_the_margin_of_a_loss_is_two_percent_of_the_reference() -> None:
    results = lowered(make_results(Sketch(description=small())), "neg_log_loss")
    analysis = numbers(results)
    reference = -analysis.row(analysis.best)["metric"]
    assert analysis.answer.margin == pytest.approx(0.02 * reference)
    assert measure_of(DIGITS_GROUP).margin == margin_of("accuracy", 0.9) == 0.01

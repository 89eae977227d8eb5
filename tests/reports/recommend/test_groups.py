"""Several groups: each is analysed as if it were alone, and all are held side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts import groups as module
from reports.charts.base._chart import Chart
from reports.charts.base.style import LOOKS, Marks
from reports.charts.groups import group_charts
from reports.recommend.analysis import analyse, analyse_study, by_group
from reports.recommend.record import GROUP_COLUMNS, StudyAnalysis
from reports.schema.results import CONFIRM, StudyDescription, StudyResults
from reports.text.across import across
from reports.text.method import method
from tests.reports.conftest import (
    Sketch,
    keep,
    make_results,
    nothing_run,
    numbers,
    of_seeds,
    several,
    small,
)

pytestmark = pytest.mark.slow

AXES = {"batch_sizes": (8, 64, 512), "learning_rates": (0.3, 1.0, 3.0), "epochs": 2}


def two(**changes: object) -> StudyDescription:
    """Return a study of two optimizers on the same data."""
    plans = ({"group": "sgd"}, {"group": "adam", "optimizer": "adam"})
    return several(*plans, **AXES | changes)


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """The results of two optimizers."""
    return make_results(Sketch(description=two()))


def named(study: StudyAnalysis, *sizes: int) -> pd.DataFrame:
    """Return the summary with these batch sizes to use, each with learning rate 0.5."""
    recommended = pd.array(sizes, dtype="Int64")
    return study.summary.assign(recommended=recommended, recommended_rate=0.5)


def said(results: StudyResults) -> dict[str, str]:
    return {s.kind: s.text for s in across(analyse_study(results))}


def test_a_group_is_analysed_as_if_it_were_alone(results: StudyResults) -> None:
    for analysis, alone in zip(analyse(results), by_group(results), strict=True):
        expected = numbers(alone)
        pd.testing.assert_frame_equal(analysis.batch_sizes, expected.batch_sizes)
        pd.testing.assert_frame_equal(analysis.mean_curves, expected.mean_curves)
        assert analysis.answer == expected.answer


def test_groups_share_out_all_rows(results: StudyResults) -> None:
    parts = by_group(results)
    for table in ("trials", "curves", "timing"):
        counts = [len(getattr(part, table)) for part in parts]
        assert sum(counts) == len(getattr(results, table))
        assert min(counts) > 0


def test_the_curves_of_a_group_are_those_of_its_trials(results: StudyResults) -> None:
    for part in by_group(results):
        assert set(part.curves["trial"]) <= set(part.trials["trial"])


def test_a_study_of_one_group_has_nothing_to_say_across() -> None:
    assert across(analyse_study(make_results(Sketch(description=small())))) == []


def test_the_summary_has_the_numbers_of_the_groups(results: StudyResults) -> None:
    study = analyse_study(results)
    types = study.summary.dtypes.astype("str").to_dict()
    assert types == {column.name: column.dtype for column in GROUP_COLUMNS}
    for row, analysis in zip(study.summary.to_dict("records"), study.groups, strict=True):
        best = analysis.row(analysis.best)
        assert (row["best"], row["metric"]) == (best["batch_size"], best["metric"])
        assert row["recommended"] == analysis.recommended
        assert row["trials"] == len(analysis.results.trials)


def test_groups_that_need_different_batch_sizes_are_named(results: StudyResults) -> None:
    study = analyse_study(results)
    text = across(replace(study, summary=named(study, 8, 512)))[0].text
    assert "batch size 8 with learning rate 0.5 for “sgd”" in text
    assert "batch size 512 with learning rate 0.5 for “adam”" in text


def test_groups_that_agree_are_reported(results: StudyResults) -> None:
    study = analyse_study(results)
    text = across(replace(study, summary=named(study, 64, 64)))[0].text
    assert "batch size 64 with learning rate 0.5" in text
    assert "both configurations" in text


def test_without_fresh_seeds_nothing_is_recommended_anywhere(results: StudyResults) -> None:
    text = said(keep(results, results.trials["stage"] != CONFIRM))["recommendations"]
    assert "none of the 2 configurations" in text


def test_a_group_that_has_not_run_is_counted(results: StudyResults) -> None:
    text = said(keep(results, results.trials["group"] == "sgd"))["recommendations"]
    assert "For 1 configuration none" in text


def test_many_groups_are_counted_and_not_listed() -> None:
    plans = [{"group": f"group {index}"} for index in range(5)]
    study = analyse_study(make_results(Sketch(description=several(*plans, **AXES))))
    text = across(replace(study, summary=named(study, 8, 8, 8, 8, 64)))[0].text
    for part in ("for 4 configurations", "for “group 4”"):
        assert part in text


def test_groups_on_the_same_data_are_ranked_by_validation(results: StudyResults) -> None:
    study = analyse_study(results)
    means = [analysis.row(analysis.best)["validation_metric"] for analysis in study.groups]
    first = ("sgd", "adam")[int(np.argmax(means))]
    assert f"on digits, “{first}” at batch size" in said(results)["best-0"]


def test_two_groups_are_compared_on_fresh_seeds(results: StudyResults) -> None:
    assert said(results)["best-0"].endswith("is not significant.")
    fresh = results.trials["stage"] == CONFIRM
    ahead = "on digits, “sgd” at" in said(results)["best-0"]
    last = results.trials["group"] == ("adam" if ahead else "sgd")
    lower = results.trials["test_metric"].mask(fresh & last, lambda values: values - 0.2)
    changed = replace(results, trials=results.trials.assign(test_metric=lower))
    text = said(changed)["best-0"]
    for part in ("The difference, +2", "points (95% paired t interval +", "is significant."):
        assert part in text


def test_groups_without_fresh_seeds_and_many_groups_are_not_compared(results: StudyResults) -> None:
    explored = keep(results, results.trials["stage"] != CONFIRM)
    assert "The difference" not in said(explored)["best-0"]
    first = results.trials.loc[results.trials["stage"] == CONFIRM, "seed"].min()
    single = of_seeds(results, *range(first + 1))
    assert "The difference" not in said(single)["best-0"]
    plans = [{"group": f"group {index}"} for index in range(3)]
    many = said(make_results(Sketch(description=several(*plans, **AXES))))["best-0"]
    assert "not tested" in many


def test_groups_on_different_data_are_not_ranked() -> None:
    plans = ({"group": "a"}, {"group": "b", "dataset": "wine", "fingerprint": "77"})
    texts = said(make_results(Sketch(description=several(*plans, **AXES))))
    assert set(texts) == {"recommendations", "effort"}


def test_unequal_tuning_effort_is_named() -> None:
    plans = ({"group": "a"}, {"group": "b", "learning_rates": (0.3, 1.0)})
    texts = said(make_results(Sketch(description=several(*plans, **AXES))))
    assert texts["effort"].count("2 to 3 learning rates") == 1


def scaled(scale: int) -> StudyResults:
    """Return a group whose optimum is 8 scale^0.5, and critical batch size 20 scale^0.8."""

    def accuracy(size: int, rate: float, epochs: float) -> float:
        off = np.log2(size / (8 * scale**0.5)) ** 2 + np.log2(rate) ** 2
        speed = 40 / (1 + np.log2(rate) ** 2)
        arrived = 1 - np.exp(-speed * epochs / (size + 20 * scale**0.8))
        end = (epochs / 20) ** 8  # the target is long reached before it weighs anything
        return 0.95 * (1 - end) * arrived + end * (0.95 - 0.01 * off)

    sizes, rates = tuple(2**power for power in range(2, 9)), (0.25, 0.5, 1.0, 2.0, 4.0)
    plan = {"group": f"scale {scale}", "scale": float(scale)}
    study = several(plan, batch_sizes=sizes, learning_rates=rates)
    study = replace(study, scale_name="examples", target_metric=0.5)
    return make_results(Sketch(study, lambda *_: False, accuracy, noise=0.0, rounds=0))


def test_power_laws_over_a_studys_own_configurations_are_those_it_was_made_with() -> None:
    parts = [scaled(scale) for scale in (1, 2, 4, 8)]
    plans = tuple(part.description.groups[0] for part in parts)
    results = replace(
        parts[0],
        description=replace(parts[0].description, groups=plans),
        trials=pd.concat([part.trials for part in parts], ignore_index=True),
        curves=pd.concat([part.curves for part in parts], ignore_index=True),
    )
    study = analyse_study(results)
    for name, exponent, prefactor in (("optimum", 0.5, 8), ("critical", 0.8, 20)):
        assert study.laws[name].exponent == pytest.approx(exponent, abs=0.02)
        assert study.laws[name].prefactor == pytest.approx(prefactor, rel=0.05)
    assert [chart.name for chart in group_charts(study)[:2]] == ["law-optimum", "law-critical"]
    texts = said(results)
    assert "optimal batch size grows as examples^0." in texts["law-optimum"]
    assert "by 4 configurations with 4 values of examples" in texts["law-critical"]
    assert any("a t interval" in text for text in method(study.groups[0]))
    assert not analyse_study(nothing_run(results)).laws


def test_equal_tuning_effort_is_named(results: StudyResults) -> None:
    assert "3 learning rates" in said(results)["effort"]


def test_a_study_that_has_not_begun_can_be_summarised(results: StudyResults) -> None:
    study = analyse_study(nothing_run(results))
    assert study.summary["best"].isna().all()
    assert study.missing == results.description.planned_trials
    assert group_charts(study) == []


@pytest.fixture
def ax() -> Axes:
    """Empty axes."""
    return Figure().add_subplot()


def test_the_groups_are_lines_with_styles_of_their_own(ax: Axes, results: StudyResults) -> None:
    study = analyse_study(results)
    (chart,) = group_charts(study)
    assert chart.draw(ax) is ax
    curves = [line for line in ax.lines if not isinstance(line, Marks)]
    for line, analysis in zip(curves, study.groups, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), analysis.measured["metric"])
    assert [text.get_text() for text in ax.texts] == [each.plan.group for each in study.groups]
    marks = [line for line in ax.lines if isinstance(line, Marks)]
    assert len({(line.get_color(), line.get_marker()) for line in marks}) == 2
    best = max(study.summary["metric"].max(), *(a.measured["metric"].max() for a in study.groups))
    assert study.groups[0].measure.text(best) in chart.finding


def drawn(ax: Axes, *plans: dict[str, object]) -> tuple[list[Chart], list[list[Line2D]]]:
    """Return the charts over groups with one rate, and the lines of each."""
    plan = several(*plans, batch_sizes=(8, 64), learning_rates=(1.0,), epochs=2)
    made = group_charts(analyse_study(make_results(Sketch(description=plan))))
    lines = []
    for chart in made:
        lines.append([line for line in chart.draw(ax).lines if not isinstance(line, Marks)])
        ax.clear()
    return made, lines


def look(line: Line2D) -> tuple[object, ...]:
    return line.get_color(), str(line._dash_pattern)  # noqa: SLF001


def test_of_more_groups_than_styles_the_best_of_each_optimizer_is_drawn(ax: Axes) -> None:
    names = [f"optimizer {index}" for index in range(len(LOOKS) - 1)]
    plans = [{"group": f"{name} {way}", "optimizer": name} for name in names for way in "ab"]
    (chart,), (lines,) = drawn(ax, *plans)
    assert len(lines) == len(names)
    assert [name[:-2] for name in dict.fromkeys(chart.table["group"])] == names
    assert "; left out: 4 configurations, “" in chart.caption
    assert chart.finding.startswith("The 4 configurations")


def test_of_more_optimizers_than_styles_the_best_are_drawn(ax: Axes) -> None:
    number = len(LOOKS) + 1
    plans = [{"group": f"g{index}", "optimizer": f"o{index}"} for index in range(number)]
    (chart,), (lines,) = drawn(ax, *plans)
    assert len({look(line) for line in lines}) == len(lines) == number - 1
    assert "left out: 1 configuration, “g" in chart.caption


def test_each_dataset_has_a_figure_with_the_same_styles_of_optimizers(ax: Axes) -> None:
    optimizers = ["sgd", "momentum", "adam", "adagrad"]
    plans = [
        {"group": f"{data} {name}", "dataset": data, "fingerprint": data, "optimizer": name}
        for data, names in (("wine", optimizers), ("iris", optimizers[::-1]))
        for name in names
    ]
    made, (wine, iris) = drawn(ax, *plans)
    assert [chart.name for chart in made] == ["groups", "groups-2"]
    assert [chart.heading.split(" on ")[1] for chart in made] == ["wine", "iris"]
    assert [look(line) for line in wine] == [look(line) for line in reversed(iris)]
    assert not any("left out" in chart.caption for chart in made)


def test_figures_beyond_the_most_are_reported(ax: Axes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SETS", 1)
    plans = [
        {"group": f"{data} {name}", "dataset": data, "fingerprint": data}
        for data in ("wine", "iris")
        for name in ("a", "b")
    ]
    (chart,), (lines,) = drawn(ax, *plans)
    assert chart.caption.endswith(" left out.")
    assert len({look(line) for line in lines}) == 2


def test_groups_of_other_data_share_no_axis() -> None:
    plans = ({"group": "a"}, {"group": "b", "fingerprint": "77"})
    study = analyse_study(make_results(Sketch(description=several(*plans, **AXES))))
    assert group_charts(study) == []


def test_a_trial_that_two_groups_share_counts_in_both(results: StudyResults) -> None:
    first = results.trials[results.trials["group"] == "sgd"]
    twice = pd.concat([first, first.assign(group="adam")], ignore_index=True)
    curves = results.curves[results.curves["trial"].isin(first["trial"])].reset_index(drop=True)
    sgd_group, adam_group = analyse(replace(results, trials=twice, curves=curves))
    assert sgd_group.counts == adam_group.counts
    # Each group is timed for itself.
    means, others = (group.mean_curves.drop(columns="seconds") for group in (sgd_group, adam_group))
    pd.testing.assert_frame_equal(means, others)
    for analysis in (sgd_group, adam_group):
        pd.testing.assert_frame_equal(analysis.results.curves, curves)

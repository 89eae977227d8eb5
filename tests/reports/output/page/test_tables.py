"""Tables of the page: what is read, and what it is sorted by."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports.output.csv import COLUMNS
from reports.output.page._tables import MOST_RATES, page_tables
from reports.output.page.cells import LINE, Cell, Table
from reports.recommend.analysis import analyse_study
from reports.recommend.record import Analysis
from reports.schema.formats import MISSING, off_by, percent, rate, significant, times
from reports.schema.results import StudyResults
from tests.helpers.claim_studies import study
from tests.helpers.judged import all_tables
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, main, noisy
from tests.reports.conftest import nothing_run, numbers


def made(results: StudyResults) -> dict[str, Table]:
    return {table.name: table for table in page_tables(numbers(results))}


def column(table: Table, header: str) -> list[Cell]:
    position = table.headers.index(header)
    return [row[position] for row in table.rows]


def test_every_row_has_a_cell_for_each_header(digits: StudyResults) -> None:
    for table in made(digits).values():
        assert {len(row) for row in table.rows} == {len(table.headers)}


def test_batch_sizes_show_the_numbers_of_the_analysis(digits: StudyResults) -> None:
    table, analysis = made(digits)["batch-sizes"], numbers(digits)
    metrics = analysis.batch_sizes["metric"]
    cells = column(table, "Test accuracy")
    assert [cell.text for cell in cells] == [analysis.measure.text(m) for m in metrics]
    assert [cell.key for cell in cells] == [repr(m) for m in metrics.tolist()]
    verdicts = [cell.text for cell in column(table, "Verdict")]
    assert verdicts == analysis.batch_sizes["verdict"].tolist()
    assert {*table.read} < {*table.headers}


def test_the_main_table_has_the_updates_to_the_target(digits: StudyResults) -> None:
    record = numbers(digits).scaling.main
    assert record is not None
    known = record.batch_sizes.dropna(subset="updates")
    keys = [cell.key for cell in column(made(digits)["batch-sizes"], "Updates to target")]
    assert [float(key) for key in keys if key] == known["updates"].tolist()


def test_a_rate_at_the_edge_is_marked(digits: StudyResults) -> None:
    texts = [cell.text for cell in column(made(digits)["batch-sizes"], "Learning rate")]
    assert texts[0] == "3"
    assert texts[-1] == "30 (edge)"


def test_cells_without_a_value_sort_last(digits: StudyResults) -> None:
    assert column(made(digits)["cells"], "Rate 30")[0] == Cell(MISSING, "")


def test_the_selected_rate_of_each_batch_size_stands_out(digits: StudyResults) -> None:
    analysis, cells = numbers(digits), made(digits)["cells"]
    for row, tuned in zip(cells.rows, analysis.batch_sizes["learning_rate"], strict=True):
        strong = [header for header, cell in zip(cells.headers, row, strict=True) if cell.strong]
        assert strong == [f"Rate {rate(tuned)}"]


def test_too_many_learning_rates_are_next_to_the_page_only(digits: StudyResults) -> None:
    analysis = numbers(digits)
    many = pd.concat([analysis.cells.assign(learning_rate=0.1 + n) for n in range(MOST_RATES + 1)])
    shown = page_tables(replace(analysis, cells=many))
    assert "cells" not in [table.name for table in shown]


def test_a_budget_rule_has_a_column_with_what_each_batch_size_attains(
    digits: StudyResults,
) -> None:
    table, budgets = made(digits)["budgets"], numbers(digits).budgets
    common = budgets[budgets["common"]]
    assert len(table.headers) == 1 + common["rule"].nunique()
    for (_, rows), cells in zip(
        common.groupby("rule", sort=False), [*zip(*table.rows, strict=True)][1:], strict=True
    ):
        expected = rows.sort_values("batch_size")
        assert [float(cell.key) for cell in cells] == expected["metric"].tolist()
        assert [cell.strong for cell in cells] == expected["tied"].tolist()


def test_a_contended_measurement_is_marked(digits: StudyResults) -> None:
    analysis = numbers(digits)
    shared = analysis.timing.copy()
    shared.loc[0, ["contended", "unsteady"]] = True
    timing = next(t for t in page_tables(replace(analysis, timing=shared)) if t.name == "timing")
    assert column(timing, "Processor share")[0].text == f"{percent(0.99)} (contended)"
    assert column(timing, "Third quartile")[0].text.endswith(" (unsteady)")


def test_tables_without_rows_are_left_out(digits: StudyResults) -> None:
    assert list(made(nothing_run(digits))) == ["batch-sizes"]


def test_the_cost_of_shards_has_a_table_where_it_was_measured(digits: StudyResults) -> None:
    assert "shards" not in made(digits)
    (plan,) = digits.description.groups
    whole = digits.timing[digits.timing["engine"] == "tensor"]
    results = replace(
        digits,
        description=replace(digits.description, groups=(replace(plan, shards=4),), cluster=None),
        timing=pd.concat(
            [
                digits.timing,
                whole.assign(engine="one-piece", wall_seconds=whole["wall_seconds"] / 2),
            ],
            ignore_index=True,
        ),
    )
    table = made(results)["shards"]
    assert table.heading == "The cost of 4 shards"
    assert len(table.rows) == len(plan.batch_sizes)
    assert {cell.text for cell in column(table, "Cost")} == {times(2.0)}
    assert {cell.text for cell in column(table, "Range of rounds")} == {
        f"{times(2.0)} to {times(2.0)}"
    }


def test_a_column_with_a_long_text_is_prose() -> None:
    cells = [[Cell("x" * length, "") for length in row] for row in ((LINE, 1, 1), (1, LINE + 1, 1))]
    table = Table("t", "", "", ("a", "b", "c"), tuple(map(tuple, cells)))
    assert table.prose == (False, True, False)
    assert replace(table, rows=()).prose == (False, False, False)


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B, with gradient noise."""
    return noisy(study(HYPERBOLIC, {"batch_sizes": SIZES}), 1.0)


@pytest.fixture(scope="module")
def analysis(results: StudyResults) -> Analysis:
    """Its only group's numbers."""
    return numbers(results)


def by_name(analysis: Analysis) -> dict[str, Table]:
    """Return the tables by their names."""
    return {table.name: table for table in page_tables(analysis)}


def cells(table: Table, row: int) -> dict[str, str]:
    """Return the texts of a row by their headers."""
    return dict(zip(table.headers, (cell.text for cell in table.rows[row]), strict=True))


def test_every_batch_size_and_every_target_has_a_row(analysis: Analysis) -> None:
    tables = by_name(analysis)
    assert [*tables][-3:] == ["to-target", "targets", "noise"]
    assert [len(table.rows) for table in [*tables.values()][-3:]] == [len(SIZES), 3, len(SIZES)]


def test_cells_are_the_numbers_of_the_record(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    row = cells(by_name(analysis)["to-target"], 0)
    assert row["Updates"] == f"{record.batch_sizes['updates'].iloc[0]:,.0f}"
    assert (row["Reached"], row["In the fit"]) == ("8 of 8", "yes")
    target = cells(by_name(analysis)["targets"], 2)
    assert float(target["Critical batch size"]) == pytest.approx(
        record.fit.critical_batch_size, rel=0.05
    )
    assert record.fit.max_log_residual is not None
    assert target["Largest miss"] == off_by(record.fit.max_log_residual)
    smallest = min(record.fit.batch_sizes)
    overhead = record.fit.overhead_batch_size(reference=smallest)
    assert overhead is not None
    assert target["20% overhead"] == f"{significant(overhead)} from {smallest:g}"
    assert (target["Share"], target["Why not"]) == (f"{record.target.share:.0%}", "")
    assert cells(by_name(analysis)["noise"], 0)["By the critical batch size"].startswith("2")


def test_what_is_not_known_is_stated(results: StudyResults, analysis: Analysis) -> None:
    unresolved = by_name(numbers(noisy(results, -1.0)))["noise"]
    assert cells(unresolved, 0)["Noise scale"] == "unresolved"
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(
        updates=float("nan"), updates_low=float("nan"), fitted=False, near_all=True
    )
    other = replace(
        analysis,
        scaling=replace(analysis.scaling, targets=(replace(record, batch_sizes=table),)),
    )
    row = cells(by_name(other)["to-target"], 0)
    assert (row["Updates"], row["95% interval"]) == (MISSING, MISSING)
    assert row["In the fit"] == "no: rate at the edge"
    near = replace(record, batch_sizes=record.batch_sizes.assign(near_all=True))
    flagged = replace(analysis, scaling=replace(analysis.scaling, targets=(near,)))
    assert cells(by_name(flagged)["to-target"], 0)["In the fit"] == "yes, but near all examples"


def test_a_study_that_has_not_begun_has_no_table(results: StudyResults) -> None:
    assert [*by_name(numbers(nothing_run(results)))] == ["batch-sizes"]


@pytest.mark.parametrize("rows", [3 * len(SIZES), 0])
def test_files_have_the_columns_they_document(results: StudyResults, rows: int) -> None:
    made = all_tables(analyse_study(results if rows else nothing_run(results)))
    for name in (
        "targets",
        "to-target",
        "crossings",
        "workers",
        "noise",
        "noise-ratio",
        "update-time",
    ):
        expected = {column.name: column.dtype for column in COLUMNS[name]}
        assert made[name].dtypes.astype("str").to_dict() == expected, name
    assert len(made["to-target"]) == rows
    assert len(made["workers"]) == (13 if rows else 0)


def test_without_a_cluster_there_is_no_table_of_workers(results: StudyResults) -> None:
    alone = replace(results, description=replace(results.description, cluster=None))
    made = all_tables(analyse_study(alone))
    assert "workers" not in made
    assert "workers" not in made["columns"]["table"].tolist()

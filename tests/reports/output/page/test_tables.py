"""Tables of the page: what is read, and what it is sorted by."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports.output.page._tables import MOST_RATES, page_tables
from reports.output.page.cells import LINE, Cell, Table
from reports.recommend.analysis import analyse_study
from reports.recommend.record import Analysis
from reports.schema.formats import MISSING, rate, significant, times
from reports.schema.results import StudyResults
from tests.helpers.claim_studies import study
from tests.helpers.judged import all_tables
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, main, noisy
from tests.reports.conftest import nothing_run, numbers


def by_name(analysis: Analysis) -> dict[str, Table]:
    return {table.name: table for table in page_tables(analysis)}


def made(results: StudyResults) -> dict[str, Table]:
    return by_name(numbers(results))


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


def test_tables_without_rows_are_left_out(digits: StudyResults) -> None:
    assert list(made(nothing_run(digits))) == ["batch-sizes"]


def test_the_cost_of_shards_is_shown_where_it_was_measured(digits: StudyResults) -> None:
    shown = "Cost of shards"
    assert shown not in made(digits)["batch-size-details"].headers
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
    costs = column(made(results)["batch-size-details"], shown)
    assert [cell.text for cell in costs] == [times(2.0)] * len(plan.batch_sizes)


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


def cells(table: Table, row: int) -> dict[str, str]:
    """Return the texts of a row by their headers."""
    return dict(zip(table.headers, (cell.text for cell in table.rows[row]), strict=True))


def test_every_batch_size_and_every_target_has_a_row(analysis: Analysis) -> None:
    tables = by_name(analysis)
    assert [*tables][-2:] == ["to-target", "targets"]
    assert [len(table.rows) for table in [*tables.values()][-2:]] == [len(SIZES), 3]


def test_cells_are_the_numbers_of_the_record(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    row = cells(by_name(analysis)["to-target"], 0)
    assert row["Updates"] == f"{record.batch_sizes['updates'].iloc[0]:,.0f}"
    assert row["Reached"] == "8/8"
    assert row["Noise scale"] == significant(record.noise["noise_scale"].iloc[0])
    target = cells(by_name(analysis)["targets"], 2)
    assert target["Critical batch size"] == significant(record.fit.critical_batch_size or 0.0)
    assert (target["Missed, of runs fitted"], target["Why not"]) == (f"0/{record.fit.runs}", "")


def test_what_is_not_known_is_said(results: StudyResults, analysis: Analysis) -> None:
    unresolved = by_name(numbers(noisy(results, -1.0)))["to-target"]
    assert cells(unresolved, 0)["Noise scale"] == "unresolved"
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(updates=float("nan"), updates_low=float("nan"))
    other = replace(
        analysis,
        scaling=replace(analysis.scaling, targets=(replace(record, batch_sizes=table),)),
    )
    row = cells(by_name(other)["to-target"], 0)
    assert (row["Updates"], row["95% interval"]) == (MISSING, MISSING)


def test_files_have_a_row_for_each_size_of_each_target_and_each_number_of_workers(
    results: StudyResults,
) -> None:
    files = all_tables(analyse_study(results))
    assert (len(files["to-target"]), len(files["workers"])) == (3 * len(SIZES), 13)


def test_without_a_cluster_there_is_no_table_of_workers(results: StudyResults) -> None:
    alone = replace(results, description=replace(results.description, cluster=None))
    made = all_tables(analyse_study(alone))
    assert "workers" not in made
    assert "workers" not in made["columns"]["table"].tolist()

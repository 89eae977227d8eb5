"""Tables of the page: what is read, and what it is sorted by."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from reports.output.page.tables import LINE, Cell, Table, page_tables
from reports.schema.formats import percent, times
from reports.schema.results import StudyResults
from tests.reports.conftest import nothing_run, numbers


def made(results: StudyResults) -> dict[str, Table]:
    return {table.name: table for table in page_tables(numbers(results))}


def column(table: Table, header: str) -> list[Cell]:
    place = table.headers.index(header)
    return [row[place] for row in table.rows]


def test_every_row_has_a_cell_for_each_header(digits: StudyResults) -> None:
    for table in made(digits).values():
        assert {len(row) for row in table.rows} == {len(table.headers)}


def test_batch_sizes_show_the_numbers_of_the_analysis(digits: StudyResults) -> None:
    table, analysis = made(digits)["batch-sizes"], numbers(digits)
    metrics = analysis.batch_sizes["metric"]
    assert [cell.text for cell in column(table, "Test")] == [percent(m) for m in metrics]
    assert [cell.key for cell in column(table, "Test")] == [repr(m) for m in metrics.tolist()]
    strong = [cell.strong for cell in column(table, "Batch size")]
    assert strong == analysis.batch_sizes["tied"].tolist()


def test_a_rate_at_the_edge_is_marked(digits: StudyResults) -> None:
    texts = [cell.text for cell in column(made(digits)["batch-sizes"], "Learning rate")]
    assert texts[0] == "3"
    assert texts[-1] == "30 (edge)"


def test_cells_without_a_value_sort_last(digits: StudyResults) -> None:
    cells = column(made(digits)["cells"], "Validation")
    assert Cell("none", "") in cells


def test_the_selected_rate_of_each_batch_size_stands_out(digits: StudyResults) -> None:
    cells = column(made(digits)["cells"], "Learning rate")
    assert sum(cell.strong for cell in cells) == 11


def test_a_contended_measurement_is_marked(digits: StudyResults) -> None:
    analysis = numbers(digits)
    shared = analysis.timing.copy()
    shared.loc[0, ["contended", "unsteady"]] = True
    timing = next(t for t in page_tables(replace(analysis, timing=shared)) if t.name == "timing")
    assert column(timing, "Processor share")[0].text == "99.00% (contended)"
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

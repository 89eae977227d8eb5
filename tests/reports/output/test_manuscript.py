"""Figures for a manuscript: their width, their fonts, their text; tables that LaTeX can read."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from matplotlib.axes import Axes

from reports.charts.base._chart import Chart
from reports.charts.catalogue import charts
from reports.output.manuscript import (
    BROKEN,
    COLUMN,
    DOTS,
    GAP,
    LEAST_POINTS,
    LETTER,
    LONG,
    MOST_ROWS,
    build_paper,
    draw,
    latex,
    latex_table,
    markdown_table,
)
from reports.output.page._tables import page_tables
from reports.output.page.cells import Cell, Table
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, numbers, several, small
from tests.reports.output.test_build import contents

ACTIVE = '\\input{x} $x$ & # _ % ~ ^ < > | " { } `a` *b* [c](d) \u00b2 \u00b5 \u00d7 \u2026'


@pytest.fixture(scope="module")
def drawn(digits: StudyResults) -> dict[str, Chart]:
    """The figures of the study as shipped, by name."""
    return {chart.name: chart for chart in charts(numbers(digits))}


def objects(pdf: bytes) -> str:
    """Return what a PDF says, its compressed streams unpacked."""
    texts = [pdf.decode("latin-1")]
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            texts.append(zlib.decompress(packed).decode("latin-1"))
        except zlib.error:
            continue
    return "\n".join(texts)


@pytest.mark.parametrize("width", [COLUMN, 6.75])
@pytest.mark.parametrize("name", ["accuracy", "rates", "budgets"])
def test_a_pdf_has_its_width_and_carries_its_fonts(
    drawn: dict[str, Chart], name: str, width: float
) -> None:
    text = objects(draw(drawn[name], "pdf", width))
    (box,) = re.findall(r"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", text)
    assert float(box[0]) == pytest.approx(72 * width, abs=0.01)
    assert set(re.findall(r"/Subtype /(Type3|Type1|TrueType|CIDFontType\d)", text)) == {
        "CIDFontType2"
    }
    assert text.count("/FontFile2") == len(re.findall(r"/Subtype /CIDFontType2", text)) >= 1


def test_a_png_has_its_width_in_dots(drawn: dict[str, Chart]) -> None:
    latex_text = draw(drawn["accuracy"], "png", 2.5)
    assert struct.unpack(">I", latex_text[16:20])[0] == 2.5 * DOTS


def test_an_svg_has_its_width_and_outlines_for_text(drawn: dict[str, Chart]) -> None:
    root = ET.fromstring(draw(drawn["accuracy"], "svg"))  # noqa: S314
    assert float(root.get("width", "").removesuffix("pt")) == pytest.approx(72 * COLUMN)
    assert not root.findall(".//{http://www.w3.org/2000/svg}text")


def laid_out(chart: Chart, width: float) -> list[Axes]:
    """Return the axes of a figure as they are when it is written."""
    latex_text: list[Axes] = []

    def remember(ax: Axes, table: pd.DataFrame) -> None:
        chart.figure(ax, table)
        latex_text.append(ax)

    draw(replace(chart, figure=remember), "svg", width)
    latex_text[0].figure.draw_without_rendering()
    return [latex_text[0], *latex_text[0].child_axes]


@pytest.mark.parametrize(
    "width", [2.5, *(pytest.param(width, marks=pytest.mark.slow) for width in (COLUMN, 6.6))]
)
def test_labels_do_not_touch_and_can_be_read(drawn: dict[str, Chart], width: float) -> None:
    for chart in drawn.values():
        for ax in laid_out(chart, width):
            shown = [label for label in ax.get_xticklabels() if label.get_text()]
            boxes = [label.get_window_extent() for label in shown]
            assert all(left.x1 < right.x0 for left, right in pairwise(boxes)), chart.name
            seen = [text for text in ax.texts if text.get_visible()]
            assert all(float(text.get_fontsize()) >= LEAST_POINTS for text in (*seen, *shown))


def test_values_shrink_with_their_cells_and_vanish_at_last(drawn: dict[str, Chart]) -> None:
    (wide, *_), (narrow, *_) = (laid_out(drawn["rates"], width) for width in (6.6, 1.5))
    assert all(text.get_visible() for text in wide.texts)
    assert not any(text.get_visible() for text in narrow.texts if text.get_label())


def test_the_files_are_figures_captions_and_tables(digits: StudyResults, tmp_path: Path) -> None:
    paths = build_paper(digits, tmp_path, names=["accuracy", "rates"])
    tables = [table.name for table in page_tables(numbers(digits))]
    expected = ["accuracy.pdf", "rates.pdf", "figures.tex", "figures.md"]
    expected += [f"{name}.{end}" for name in tables for end in ("tex", "md")]
    assert [path.name for path in paths] == expected
    assert set(contents(tmp_path)) == set(expected)
    captions = (tmp_path / "figures.tex").read_text("utf-8")
    assert "\\includegraphics[width=3.25in]{accuracy}" in captions
    assert "20 epochs. Shaded and filled: shown to lose at most" in captions
    assert "95\\%" in captions
    before = contents(tmp_path)
    build_paper(digits, tmp_path, names=["accuracy", "rates"])
    assert contents(tmp_path) == before


def test_several_groups_have_a_folder_each(tmp_path: Path) -> None:
    plans = ({"group": "sgd"}, {"group": "adam", "optimizer": "adam"})
    plan = several(*plans, batch_sizes=(8, 64), learning_rates=(0.3, 1.0), epochs=2)
    build_paper(make_results(Sketch(plan)), tmp_path, kind="svg", names=["groups", "accuracy"])
    latex_text = set(contents(tmp_path))
    assert {"groups.svg", "groups.tex", "01-sgd/accuracy.svg", "02-adam/accuracy.svg"} <= latex_text
    assert "01-sgd/groups.svg" not in latex_text
    captions = (tmp_path / "02-adam" / "figures.tex").read_text("utf-8")
    assert "\\includegraphics[width=3.25in]{02-adam/accuracy}" in captions
    assert "\\caption{Accuracy against batch size, adam. " in captions
    assert "\\label{fig:02-adam-accuracy}" in captions
    table = (tmp_path / "02-adam" / "batch-sizes.tex").read_text("utf-8")
    assert "\\caption{Batch sizes, adam. " in table
    assert "\\label{tab:02-adam-batch-sizes}" in table


def test_a_figure_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no figure 'acuracy'"):
        build_paper(make_results(Sketch(small())), tmp_path, names=["acuracy"])
    assert not list(tmp_path.iterdir())


def test_nothing_in_a_text_acts_on_latex() -> None:
    latex_text = latex(ACTIVE)
    bare = re.sub(
        r"\\(text[a-z]+(\{\}|\{2\})|ldots\{\}|[{}$&#_%])|\$\\times\$|(?<=%)~", "", latex_text
    )
    assert not set('\\{}$&#_%~^<>|"') & set(bare)


def test_a_table_is_one_of_booktabs_and_of_markdown() -> None:
    cells = ((Cell("a_1", ""), Cell("50%", "", strong=True)), (Cell("b|c", ""), Cell("none", "")))
    table = Table("t", "Heading", "Of 100%.", ("A & B", "C"), cells)
    assert latex_table(table, "t") == (
        "\\begin{table}\n\\centering\n\\caption{Heading. Of 100\\%.}\n\\label{tab:t}\n"
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        "\\begin{tabular}{lr}\n\\toprule\nA \\& B & C \\\\\n\\midrule\n"
        "a\\_1 & \\textbf{50\\%} \\\\\nb\\textbar{}c & none \\\\\n\\bottomrule\n"
        "\\end{tabular}}\n\\end{table}\n"
    )
    assert markdown_table(table) == (
        "Heading. Of 100%.\n\n| A & B | C |\n| :-- | --: |\n| a\\_1 | **50%** |\n| b\\|c | none |\n"
    )


def test_a_wide_table_goes_over_both_columns_and_breaks_long_texts() -> None:
    rows = tuple((Cell(str(n), ""), Cell("word " * 20, ""), Cell("1.5", "")) for n in range(3))
    text = latex_table(Table("t", "Heading", "", ("A", "B", "C" * 40), rows), "t")
    broken = rf">{{\raggedright\arraybackslash}}p{{{BROKEN:g}pt}}"
    assert f"{{l{broken}{broken}}}" in text
    assert text.startswith("\\begin{table}\n")
    wide = Table("t", "Heading", "", ("A",) * 12, ((Cell("1.25 to 1.75", ""),) * 12,))
    text = latex_table(wide, "t")
    assert text.startswith("\\begin{table*}\n")
    assert text.endswith("\\end{table*}\n")


def test_a_long_table_is_several_floats_without_losing_a_row() -> None:
    rows = tuple((Cell(f"row {n}", ""), Cell("1", "")) for n in range(2 * MOST_ROWS + 1))
    text = latex_table(Table("t", "Heading", "Note.", ("A", "B"), rows), "t")
    floats = text.split("\\begin{table}")[1:]
    assert [part.count(" & 1 ") for part in floats] == [MOST_ROWS, MOST_ROWS, 1]
    assert re.findall(r"(row \d+) &", text) == [row[0].text for row in rows]
    assert re.findall(r"\\label\{(.*)\}", text) == ["tab:t", "tab:t-2", "tab:t-3"]
    assert "Note. Part 2 of 3.}" in floats[1]


def test_tables_of_a_report_can_be_read_on_a_page(digits: StudyResults) -> None:
    page, least = 468.0, 0.48
    for table in page_tables(numbers(digits)):
        (spec,) = {*re.findall(r"begin\{tabular\}\{(.*)\}", latex_table(table, table.name))}
        texts = zip(
            table.headers, *([cell.text for cell in row] for row in table.rows), strict=True
        )
        longest = [max(map(len, column)) for column in texts]
        inside = sum(LETTER * length for length in longest if length <= LONG)
        assert spec.count("raggedright") == sum(length > LONG for length in longest)
        width = inside + BROKEN * spec.count("raggedright") + GAP * len(longest)
        assert width * least <= page, table.name

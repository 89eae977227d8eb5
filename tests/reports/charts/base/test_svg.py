"""A figure inside a page takes its colours and a name; a file of its own needs nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from reports.charts.base import svg
from reports.charts.base._chart import Chart, Scale
from reports.charts.base.style import SIZE_ID, STYLE, add_marks, points
from reports.charts.base.svg import marks
from reports.charts.catalogue import charts
from reports.schema.results import StudyResults
from tests.reports.conftest import numbers

HOSTILE = '<script>alert(1)</script> a$x^$b ]]> --> " id="x" url(#y)'


@pytest.fixture(scope="module")
def chart(digits: StudyResults) -> Chart:
    """The first figure of the study as shipped."""
    return charts(numbers(digits))[0]


@pytest.fixture(scope="module")
def element(chart: Chart) -> str:
    """Its drawing."""
    return svg.draw(chart)


def test_drawing_leaves_the_settings_of_matplotlib_alone(chart: Chart) -> None:
    before = dict(mpl.rcParams)
    svg.draw(chart)
    assert dict(mpl.rcParams) == before


def test_the_element_has_no_prolog_style_sheet_comment_or_metadata(element: str) -> None:
    assert element.startswith("<svg ")
    for unwanted in ("<!", "<?xml", "<style", "<metadata", "DejaVu"):
        assert unwanted not in element


def test_a_file_of_its_own_is_xml_with_its_title_on_white(chart: Chart, element: str) -> None:
    root = ET.fromstring(svg.alone(element, chart))  # noqa: S314
    names = {"s": "http://www.w3.org/2000/svg"}
    paper = root.find("s:rect", names)
    assert paper is not None
    assert paper.get("fill") == "#ffffff"
    texts = [text.text or "" for text in root.findall("s:g[1]/s:text", names)]
    assert " ".join(texts) == chart.finding
    assert "var(" not in ET.tostring(root, "unicode")


def test_the_title_of_a_file_does_not_cover_the_drawing(chart: Chart, element: str) -> None:
    long = replace(chart, finding="many words " * 30)
    root = ET.fromstring(svg.alone(element, long))  # noqa: S314
    top = float(root.get("viewBox", "").split()[1])
    lines = root.findall("{http://www.w3.org/2000/svg}g[1]/{http://www.w3.org/2000/svg}text")
    assert len(lines) > 3
    assert all(top < float(line.get("y", "0")) <= 0 for line in lines)


def test_the_title_of_a_file_is_not_wider_than_it_in_a_wide_font(
    chart: Chart, element: str
) -> None:
    finding = (
        "Highest mean validation accuracy: 97.22% at batch size 1; batch sizes 8 and 64 can't be "
        "told from it, and an update takes twice its fixed cost at batch size 34.4"
    )
    long = replace(chart, finding=finding)
    root = ET.fromstring(svg.alone(element, long))  # noqa: S314
    width = float(root.get("viewBox", "").split()[2])
    font = FontProperties(family="DejaVu Sans", weight="bold", size=11)
    lines = root.findall("{http://www.w3.org/2000/svg}g[1]/{http://www.w3.org/2000/svg}text")
    for line in lines:
        extent = TextPath((float(line.get("x", "0")), 0), line.text or "", prop=font).get_extents()
        assert extent.x1 <= width - 8


def test_an_inline_figure_is_named_and_described(chart: Chart, element: str) -> None:
    root = ET.fromstring(svg.inline(element, chart))  # noqa: S314
    title, description = list(root)[:2]
    assert root.get("role") == "img"
    assert (root.get("aria-labelledby"), root.get("aria-describedby")) == (
        title.get("id"),
        description.get("id"),
    )
    assert (title.text, description.text) == (chart.finding, chart.description)


def test_identifiers_start_with_the_name_and_lead_somewhere(chart: Chart, element: str) -> None:
    text = svg.inline(element, chart)
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("accuracy-") for name in ids)
    targets = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', text)
    assert {a or b for a, b in targets} <= set(ids)


def test_ink_and_rules_take_the_colours_of_the_page(chart: Chart, element: str) -> None:
    text = svg.inline(element, chart)
    assert "var(--ink, #1a1a1a)" in text
    assert "var(--rule, #d8d8d8)" in text
    assert not re.search(r"(?<!, )#1a1a1a", text)


def test_hostile_text_stays_text(chart: Chart, element: str) -> None:
    hostile = replace(chart, finding=HOSTILE, description=HOSTILE)
    for text in (svg.inline(element, hostile), svg.alone(element, hostile)):
        assert "<script" not in text
    root = ET.fromstring(svg.inline(element, hostile))  # noqa: S314
    assert root[0].text == HOSTILE


def test_hostile_labels_stay_text(chart: Chart) -> None:
    hostile = replace(chart, figure=lambda ax, _: (ax.set_ylabel(HOSTILE), ax)[1])
    element = svg.draw(hostile)
    assert "<script" not in element
    ET.fromstring(svg.inline(element, hostile))  # noqa: S314


def test_hit_areas_lie_where_their_points_are(chart: Chart) -> None:
    def dot(ax: Axes, _: object) -> Axes:
        ax.set(xlim=(0, 10), ylim=(0, 1))
        ax.plot([5], [0.25], "o")
        return ax

    element, places = svg.draw_with(replace(chart, figure=dot), np.array([[5.0, 0.25]]))
    mark = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', element)[-1]
    np.testing.assert_allclose(places[0], [float(number) for number in mark], atol=0.051)


def test_data_can_stand_in_an_attribute() -> None:
    text = svg.embedded(["it's <b> & c"])
    assert not {*"'<>&"} & {*text}
    assert json.loads(text) == ["it's <b> & c"]


def test_groups_without_a_meaning_are_dropped(element: str) -> None:
    assert "<g>" not in element
    assert element.count("<g ") == element.count("</g>")


def test_numbers_are_no_longer_than_a_screen_can_show(element: str) -> None:
    assert not re.search(r' (?:x|y|d)="[^"]*\.\d{3}', element)


@pytest.fixture
def ax() -> Axes:
    """Axes that fill a figure."""
    with mpl.rc_context(STYLE):
        made = Figure(figsize=(2, 1), dpi=100).add_axes((0, 0, 1, 1))
    made.set(xlim=(0, 10), ylim=(0, 1))
    return made


def rows(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_a_point_has_its_place_from_the_upper_left_its_text_and_its_size(ax: Axes) -> None:
    points(ax, rows(batch_size=[5], y=[0.25], reading=["5: 25%"]), "y")
    ax.text(10, 1, "here", gid=f"{SIZE_ID}8", label="8: 100%")
    assert marks(ax) == {"points": [[72.0, 54.0, "5: 25%", 5], [144.0, 0.0, "8: 100%", 8]]}


def test_a_line_is_read_at_each_of_its_points(ax: Axes) -> None:
    line = rows(batch_size=[64, 64], x=[1, 2], y=[0.5, np.nan], reading=["half", "none"])
    add_marks(ax, line, "x", "y", ls="-")
    ((_, _, text, size),) = marks(ax)["points"]
    assert (text, size) == ("half", 64)


def test_panels_are_read_too(ax: Axes) -> None:
    panel = ax.inset_axes((0, 0, 0.5, 1))
    points(panel, rows(batch_size=[1], y=[0.0], reading=["in a panel"]), "y")
    assert [point[2] for point in marks(ax)["points"]] == ["in a panel"]


def test_scales_place_the_points_of_the_drawing(chart: Chart) -> None:
    table = rows(
        batch_size=[1, 1, 64], epochs=[1.0, 4.0, 4.0], updates=[64.0, 256.0, 4.0], y=[1, 2, 3],
        reading=["a", "b", "c"],
    )  # fmt: skip

    def figure(ax: Axes, table: pd.DataFrame) -> Axes:
        ax.set_xscale("log", base=2)
        add_marks(ax, table, "epochs", "y")
        return ax

    scales = [Scale(name, name, "{:g}".format) for name in ("epochs", "updates")]
    element = svg.draw(replace(chart, figure=figure, table=table, scales=scales, recommended=None))
    data = {name: json.loads(text) for name, text in re.findall(r"data-(\w+)='([^']*)'", element)}
    epochs, updates = data["scales"]
    across = {reading: x for x, _, reading, _ in data["marks"]["points"]}
    assert epochs["x"] == {"1": [across["a"], across["b"]], "64": [across["c"]]}
    (first, last), (least,) = updates["x"]["1"], updates["x"]["64"]
    assert least < first < last == across["b"]
    assert first - least == pytest.approx(2 * (last - first), abs=0.2)
    assert [text for _, text in updates["ticks"]] == ["5", "10", "20", "50", "100", "200"]
    assert "data-scales" not in svg.alone(element, chart)


def test_a_single_point_has_no_scales(chart: Chart) -> None:
    scale = Scale("batch_size", "", str)
    lone = replace(chart, table=chart.table[:1], scales=[scale, scale])
    assert "data-scales" not in svg.draw(lone)


def test_what_belongs_to_no_batch_size_or_has_no_text_is_no_point(ax: Axes) -> None:
    ax.axhline(0.5, label="a line", gid=f"{SIZE_ID}64")
    ax.text(1, 1, "a note", gid=f"{SIZE_ID}64")
    assert marks(ax) == {}


def test_marks_that_are_apart_can_be_found_in_the_drawing(chart: Chart) -> None:
    table = rows(batch_size=[8, 2], y=[0.5, 1.0], reading=["half", "all"])

    def figure(ax: Axes, _: object) -> Axes:
        points(ax, table, "y", apart=True)
        return ax

    element = svg.draw(replace(chart, figure=figure))
    assert {'data-batch-size="8"', 'data-batch-size="2"'} <= {*re.findall(r"data-b[^ >]*", element)}


def test_what_is_of_a_batch_size_can_be_found_in_the_drawing(chart: Chart, element: str) -> None:
    assert f'data-batch-size="{chart.recommended}"' in element
    assert SIZE_ID not in element.replace("data-batch-size", "")

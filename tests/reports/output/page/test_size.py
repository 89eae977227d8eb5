"""A page stays small: what goes first, what is left out, and that it says so."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from reports.charts import charts
from reports.charts.base import svg
from reports.charts.charts import Chart
from reports.output.build import build_report
from reports.output.page import page
from reports.output.page import size as room
from reports.output.page.scaling import scaling_tables
from reports.output.page.sections import Part, sections
from reports.output.page.size import MOST_DRAWN, PAGE_LIMIT, Room, figures_for_each
from reports.output.page.tables import page_tables
from reports.recommend.analysis import analyse
from reports.schema.results import StudyResults
from reports.text.cautions import cautions
from reports.text.verdicts import verdict
from tests.reports.conftest import Sketch, make_results, several, small

pytestmark = pytest.mark.slow

FEW = {"batch_sizes": (8, 64), "learning_rates": (0.3, 1.0), "epochs": 2}


@pytest.fixture(scope="module")
def three() -> StudyResults:
    """The results of three groups."""
    plans = [{"group": name} for name in ("one", "two <b>", "three")]
    return make_results(Sketch(description=several(*plans, **FEW)))


@pytest.fixture(scope="module")
def three_report(three: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their report."""
    return build_report(three, tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module")
def parts(three: StudyResults) -> list[Part]:
    """What their report is made of."""
    return parts_of(three)


def parts_of(results: StudyResults, most: int = 99) -> list[Part]:
    def drawn(group: list[Chart]) -> dict[str, tuple[Chart, str]]:
        return {c.name: (c, "<svg width='1' height='1'>x</svg>") for c in group[:most]}

    made = [(a, charts.charts(a)) for a in analyse(results)]
    return [
        Part(
            a,
            drawn(group),
            [c.heading for c in group[most:]],
            f"figures/{place:02d}",
            verdict(a),
            cautions(a),
        )
        for place, (a, group) in enumerate(made)
    ]


def bytes_for(parts: list[Part]) -> list[int]:
    """Return how much room is left, of a large one, after each group more."""
    found = []
    for number in range(1, len(parts) + 1):
        space = Room(PAGE_LIMIT)
        sections(parts[:number], space)
        found.append(PAGE_LIMIT - space.left)
    return found


def test_room_is_taken_for_all_or_for_none() -> None:
    space = Room(100)
    assert space.admit("a", 40, 40)
    assert not space.admit("b", 10, 11)
    assert not space.admit("", 21)
    assert space.admit("c", 20)
    assert (space.left, space.refused) == (0, ["b"])


def test_with_room_enough_everything_is_in_the_page(parts: list[Part]) -> None:
    made, absent = sections(parts, Room(PAGE_LIMIT))
    assert absent == ""
    assert [section.left_out for section in made] == ["", "", ""]
    for section, part in zip(made, parts, strict=True):
        every = (*page_tables(part.analysis), *scaling_tables(part.analysis))
        assert [one.name for one in section.tables] == [one.name for one in every]


def test_figures_give_way_before_sections_do(parts: list[Part]) -> None:
    least = Room(bytes_for(parts)[-1])
    while len(sections(parts, Room(least.left))[0]) == len(parts):
        least.left = int(least.left * 0.9)
    made, absent = sections(parts, Room(int(least.left / 0.9)))
    assert absent == ""
    for section in made:
        assert [table.name for table in section.tables] == ["batch-sizes"]
        assert "beside the page only, in figures/0" in section.left_out
        assert "Learning curves" in section.left_out
        beside = section.left_out.partition("tables beside the page only, in tables: ")[2]
        assert "Learning rates and batch sizes" in beside


def test_every_group_keeps_the_same_kinds_of_figures(parts: list[Part]) -> None:
    needed = bytes_for(parts)[-1]
    for share in (0.3, 0.5, 0.7, 0.9):
        made, _ = sections(parts, Room(int(needed * share)))
        kinds = {tuple(chart.name for chart, _ in section.figures) for section in made}
        assert len(kinds) <= 1


def test_groups_without_room_are_named(parts: list[Part]) -> None:
    left = bytes_for(parts)[-1]
    while len(sections(parts, Room(left))[0]) == 3:
        left = int(left * 0.9)
    made, absent = sections(parts, Room(left))
    assert 0 < len(made) < 3
    assert re.match(r"[12] groups? of this study", absent)
    assert absent.count("three") == 1


def test_what_was_not_drawn_is_named(three: StudyResults) -> None:
    made, _ = sections(parts_of(three, most=1), Room(PAGE_LIMIT))
    assert "not drawn: Accuracy against training time, " in made[0].left_out


@pytest.mark.parametrize(
    ("available", "each"), [([8], 8), ([8] * 10, 8), ([8] * 20, 4), ([8] * 81, 0), ([], 0)]
)
def test_many_groups_have_fewer_figures_each(available: list[int], each: int) -> None:
    assert figures_for_each(len(available), available) == each
    assert each * len(available) <= MOST_DRAWN


def test_a_page_of_several_groups_has_a_section_for_each(three_report: Path) -> None:
    text = three_report.read_text(encoding="utf-8")
    headings = re.findall(r'<h2 id="g\d-section-heading">(.*?)</h2>', text)
    assert headings == ["one", "two &lt;b&gt;", "three"]
    assert text.index('id="groups"') < text.index('id="g1-section"')
    for place, label in enumerate(headings, start=1):
        assert f'<a href="#g{place}-section">{label}</a>' in text
    numbers = [int(number) for number in re.findall(r'<p class="kind">Figure (\d+)\.', text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "3 groups × 5 seeds on digits" in text  # noqa: RUF001


def test_identifiers_of_several_groups_are_unique(three_report: Path) -> None:
    text = three_report.read_text(encoding="utf-8")
    names = re.findall(r' id="([^"]*)"', text)
    assert len(names) == len(set(names))
    targets = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"|aria-labelledby="([^"]*)"', text)
    assert {a or b or c for a, b, c in targets} <= set(names)


def test_each_group_has_a_folder_of_figures(three_report: Path) -> None:
    text = three_report.read_text(encoding="utf-8")
    figures = three_report.parent / "figures"
    folders = sorted(path.name for path in figures.iterdir() if path.is_dir())
    assert folders == ["01-one", "02-two-b", "03-three"]
    assert all(f"<code>figures/{folder}/</code>" in text for folder in folders)
    assert (figures / "groups.svg").is_file()


@pytest.mark.usefixtures("undrawn")
def test_the_figures_of_a_group_that_is_gone_are_removed(
    three: StudyResults, tmp_path: Path
) -> None:
    build_report(three, tmp_path)
    mine = tmp_path / "figures" / "01-one" / "mine.svg"
    mine.write_text("mine")
    build_report(make_results(Sketch(description=small())), tmp_path)
    assert [str(path.name) for path in (tmp_path / "figures").glob("*/*")] == ["mine.svg"]
    assert not (tmp_path / "figures" / "groups.svg").exists()


def test_a_page_of_too_many_groups_stays_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [{"group": f"group {place}"} for place in range(12)]
    results = make_results(Sketch(description=several(*plans, **FEW)))
    limit = 140_000
    monkeypatch.setattr(page, "PAGE_LIMIT", limit)
    monkeypatch.setattr(room, "MOST_DRAWN", 12)
    monkeypatch.setattr(svg, "draw", lambda _chart: f"<svg width='1'>{'x' * 4_000}</svg>")
    path = build_report(results, tmp_path)
    text = html.unescape(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < limit
    assert "have no section here" in text or "To keep this page small: " in text
    assert text.count('<th scope="row" data-key="group ') == 12


@pytest.mark.usefixtures("undrawn")
def test_the_banner_counts_over_all_groups(three: StudyResults, tmp_path: Path) -> None:
    planned = replace(three.description, planned_trials=len(three.trials) + 7)
    text = build_report(replace(three, description=planned), tmp_path).read_text("utf-8")
    assert f"7 of {len(three.trials) + 7} planned trials have not run" in text

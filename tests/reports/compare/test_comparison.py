"""The page of several studies: of the same kind as that of one, and as closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from reports.compare import comparison
from reports.compare.comparison import build_comparison
from reports.output.page import page as page_module
from reports.output.page.page import EMBED_BELOW
from reports.schema.results import StudyResults
from tests.helpers.browsing import opened, violations
from tests.reports.conftest import Sketch, make_results, nothing_run, small
from tests.reports.output.page.test_browser import HOSTILE
from tests.reports.output.page.test_page import (
    Outline,
    test_identifiers_are_unique_and_links_lead_somewhere,
    test_nothing_is_loaded_from_anywhere,
    test_the_policy_names_the_style_sheet_and_the_script_by_their_hashes,
    test_there_is_one_heading_and_every_landmark,
)
from tests.reports.output.test_build import contents

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def studies() -> dict[str, StudyResults]:
    """Two studies, of which the second has other batch sizes and another machine."""
    plan = small(batch_sizes=(8, 64, 128), provenance={"processor": "another"})
    return {"laptop": make_results(Sketch(small())), "server": make_results(Sketch(plan))}


@pytest.fixture(scope="module")
def path(studies: dict[str, StudyResults], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their page."""
    return build_comparison(studies, tmp_path_factory.mktemp("compared"))


@pytest.fixture(scope="module")
def page(path: Path) -> str:
    """Its text."""
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page in which every foreign text attacks."""
    other = small(**dict.fromkeys(("group", "dataset", "metric", "optimizer"), HOSTILE))
    plan = replace(
        other,
        specification=f'a = """{HOSTILE}"""',
        provenance={HOSTILE: HOSTILE, "processor": HOSTILE},
    )
    results = [make_results(Sketch(each)) for each in (plan, other)]
    folder = tmp_path_factory.mktemp("hostile")
    return build_comparison(dict(zip((HOSTILE, f"b {HOSTILE}"), results, strict=True)), folder)


def test_the_page_is_made_as_that_of_a_study(page: str) -> None:
    test_there_is_one_heading_and_every_landmark(page)
    test_identifiers_are_unique_and_links_lead_somewhere(page)
    test_the_policy_names_the_style_sheet_and_the_script_by_their_hashes(page)
    test_nothing_is_loaded_from_anywhere(page)
    assert page.endswith("</html>\n")


def test_the_folder_has_page_tables_and_figures(path: Path) -> None:
    tables = {"studies", "matched", "unmatched", "columns"}
    assert set(contents(path.parent)) == {
        "report.html",
        *(f"tables/{name}.csv" for name in tables),
        *(f"figures/{name}-1.svg" for name in ("metric", "difference", "update")),
    }


def test_the_same_results_give_the_same_bytes(
    studies: dict[str, StudyResults], path: Path, tmp_path: Path
) -> None:
    build_comparison(studies, tmp_path)
    assert contents(tmp_path) == contents(path.parent)


def test_a_figure_that_is_no_longer_possible_is_removed(
    studies: dict[str, StudyResults], tmp_path: Path
) -> None:
    for name in ("metric-1", "metric-9", "metric", "mine-1", "mine"):
        (tmp_path / "figures").mkdir(exist_ok=True)
        (tmp_path / "figures" / f"{name}.svg").touch()
    empty = {name: nothing_run(each) for name, each in studies.items()}
    page = build_comparison(empty, tmp_path).read_text(encoding="utf-8")
    kept = sorted(each.stem for each in (tmp_path / "figures").iterdir())
    assert kept == ["metric", "mine", "mine-1"]
    assert "so there is nothing to draw" in page


def test_small_tables_are_in_the_page(page: str, path: Path) -> None:
    links = {a["download"] for a in Outline(page).named("a") if "download" in a}
    files = {each.name for each in (path.parent / "tables").iterdir()}
    small_ones = {
        each for each in files if (path.parent / "tables" / each).stat().st_size < EMBED_BELOW
    }
    assert links == small_ones


def test_what_has_no_room_is_named(
    studies: dict[str, StudyResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "PAGE_LIMIT", 30_000)
    page = build_comparison(studies, tmp_path).read_text(encoding="utf-8")
    assert "To keep this page small: only in the page" in page
    assert "Test accuracy in each study" in page


def test_what_is_not_drawn_is_counted(
    studies: dict[str, StudyResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST_DRAWN", 1)
    page = build_comparison(studies, tmp_path).read_text(encoding="utf-8")
    assert "not drawn: 2 figures" in page


def test_one_study_is_no_comparison(studies: dict[str, StudyResults], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^A comparison needs two studies or more, but got \['l"):
        build_comparison({"laptop": studies["laptop"]}, tmp_path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, path: Path, scheme: str) -> None:
    page, log = opened(browser, path, color_scheme=scheme)
    assert violations(page) == []
    assert log.requests == [path.resolve().as_uri()]
    assert log.messages == []


def test_a_phone_does_not_scroll_sideways(browser: Browser, path: Path, hostile: Path) -> None:
    for each in (path, hostile):
        page, _ = opened(browser, each, viewport={"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_hostile_text_does_nothing(browser: Browser, hostile: Path) -> None:
    page, log = opened(browser, hostile)
    page.wait_for_timeout(200)
    assert log.messages == []
    assert page.title().startswith("<script>")
    assert page.locator("img").count() == 0
    assert violations(page) == []

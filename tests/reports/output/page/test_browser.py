"""The page in a real browser: readable, usable and closed, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page

from reports.figures import CHARTS, UNFOLDED
from reports.output.build import build_report
from reports.schema.formats import MISSING
from reports.stats.non_inferiority import NEAR_OPTIMAL
from tests.helpers.browsing import Log, opened, unfold, violations
from tests.reports.conftest import Sketch, make_results, nothing_run, small

pytestmark = pytest.mark.slow

MOST_WORDS = 2_500
"""Words that a page may have unfolded, and as many again folded."""
HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>\u202e' + "w" * 150


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every foreign text attacks."""
    names = ("title", "dataset", "metric", "optimizer", "specification")
    plan = small(**dict.fromkeys(names, HOSTILE), provenance={HOSTILE: HOSTILE})
    results = make_results(Sketch(description=plan, error=HOSTILE))
    return build_report(results, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, digits_report: Path, scheme: str) -> None:
    page, _ = opened(browser, digits_report, color_scheme=scheme)
    assert violations(page) == []
    unfold(page)
    assert violations(page) == []


def test_axe_finds_nothing_in_an_empty_report(browser: Browser, tmp_path: Path) -> None:
    path = build_report(nothing_run(make_results(Sketch(description=small()))), tmp_path)
    page, _ = opened(browser, path)
    assert violations(page) == []


def test_axe_would_find_something(browser: Browser, digits_report: Path, tmp_path: Path) -> None:
    text = digits_report.read_text(encoding="utf-8")
    path = tmp_path / "flawed.html"
    flaws = '<main><h1>Two</h1><img src="data:,"><p style="color: #bbbbbb">pale</p>'
    path.write_text(text.replace("<main>", flaws), encoding="utf-8")
    page, _ = opened(browser, path, color_scheme="light")
    violated = {violation["id"] for violation in violations(page)}
    assert {"image-alt", "color-contrast"} <= violated


def test_the_page_is_all_there_is(browser: Browser, digits_report: Path) -> None:
    page, log = opened(browser, digits_report)
    page.wait_for_timeout(200)
    assert log.requests == [digits_report.resolve().as_uri()]
    assert log.messages == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colour_scheme(
    browser: Browser, digits_report: Path, scheme: str
) -> None:
    page, _ = opened(browser, digits_report, color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
    assert (paper, ink) == {
        "light": ("rgb(255, 255, 255)", "rgb(26, 26, 26)"),
        "dark": ("rgb(18, 18, 18)", "rgb(232, 232, 232)"),
    }[scheme]


@pytest.mark.parametrize(
    "report", [pytest.param("digits_report", marks=pytest.mark.quick), "hostile_report"]
)
def test_a_phone_does_not_scroll_sideways(
    browser: Browser, report: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(report)
    page, _ = opened(browser, path, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_on_a_phone_every_figure_is_seen_whole(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report, viewport={"width": 360, "height": 740})
    unfold(page)
    for figure in page.locator("figure svg").all():
        box = figure.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


def test_the_answer_its_evidence_and_its_figure_are_above_the_fold(
    browser: Browser, digits_report: Path
) -> None:
    page, _ = opened(browser, digits_report, viewport={"width": 1280, "height": 800})
    heading = page.locator("h1")
    assert heading.inner_text().startswith("Use batch size ")
    for part in ("h1", "#verdict .first", "#verdict .confidence", "#verdict .cards"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 800, part
    assert page.locator("#verdict .cards > div").count() == 3
    figure = page.locator("#figure-accuracy svg").bounding_box()
    assert figure is not None
    assert figure["y"] + figure["height"] < 800
    assert page.evaluate("document.documentElement.scrollWidth") == 1280


def test_what_is_unfolded_can_be_read(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    assert words(page) < MOST_WORDS
    assert sum(figure.is_visible() for figure in page.locator("figure").all()) == len(UNFOLDED)
    tables = [table.get_attribute("id") for table in page.locator("table").all()]
    shown = [name for name in tables if page.locator(f"#{name}").is_visible()]
    assert shown == ["batch-sizes"]
    unfold(page)
    assert MOST_WORDS < words(page) < 2 * MOST_WORDS


def words(page: Page) -> int:
    """Return how many words are read, those in figures and numbers in tables too."""
    return int(page.evaluate("document.body.innerText.split(/\\s+/).length"))


@pytest.mark.parametrize("width", [1100, 1600])
def test_the_contents_stay_in_sight_of_a_wide_page(
    browser: Browser, digits_report: Path, width: int
) -> None:
    page, _ = opened(browser, digits_report, viewport={"width": width, "height": 700})
    page.evaluate("scrollTo(0, 2500)")
    box = page.locator("nav").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 100


CONTRASTS = """() => {
  const part = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((each) => part(each / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const rule = getComputedStyle(document.querySelector("footer")).borderTopColor;
  const worst = {};
  for (const figure of document.querySelectorAll("figure")) {
    const seen = [...figure.querySelectorAll("svg text, svg use, svg path")].flatMap((each) => {
      const style = getComputedStyle(each);
      if (each.closest("defs, clipPath")) return [];
      return each.tagName === "text" ? [style.fill] : [style.stroke];
    }).filter((color) => color.startsWith("rgb(") && color !== rule && color !== "rgb(0, 0, 0)");
    const paper = light("18 18 18") + 0.05;
    worst[figure.id] = Math.min(...seen.map((color) => (light(color) + 0.05) / paper));
  }
  return worst;
}"""
"""Lowest contrast of lines and letters in each figure; black stands on light cells."""


def test_figures_on_a_dark_page_have_contrast(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report, color_scheme="dark")
    unfold(page)
    low = {name: ratio for name, ratio in page.evaluate(CONTRASTS).items() if ratio < 4.5}
    assert low == {}


def column(page: Page, index: int) -> list[str]:
    """Return what is read in a column of the table of batch sizes."""
    cells = page.locator(f"#batch-sizes tbody tr > :nth-child({index})")
    return [text.replace(",", "") for text in cells.all_inner_texts()]


def test_a_click_sorts_a_table_by_number_and_says_so(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    header = page.locator("#batch-sizes thead th").nth(6)
    cells = page.locator("#batch-sizes tbody tr > :nth-child(7)")
    keys = "cells => cells.map((cell) => Number(cell.dataset.key))"
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    times = cells.evaluate_all(keys)
    assert times == sorted(times)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert cells.evaluate_all(keys) == sorted(times, reverse=True)
    assert page.locator("#batch-sizes [aria-sort]").count() == 1


def test_the_keyboard_sorts_a_table_too(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    button = page.locator("#batch-sizes thead button").first
    button.focus()
    for key in ("Enter", "Space"):
        page.keyboard.press(key)
    sizes = [int(text) for text in column(page, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert button.evaluate("node => node === document.activeElement")


@pytest.mark.parametrize("clicks", [1, 2])
def test_rows_without_a_value_stay_last(browser: Browser, digits_report: Path, clicks: int) -> None:
    page, _ = opened(browser, digits_report)
    unfold(page)
    for _ in range(clicks):
        page.locator("#cells thead button").last.click()
    texts = page.locator("#cells tbody tr > :last-child").all_inner_texts()
    missing = texts.count(MISSING)
    assert missing > 0
    assert texts[-missing:] == [MISSING] * missing


def test_text_is_sorted_as_text(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    unfold(page)
    page.locator("#batch-sizes thead button", has_text="Verdict").click()
    assert page.locator("#batch-sizes tbody tr").first.inner_text().split("\t")[5] == NEAR_OPTIMAL


def test_without_scripts_everything_is_there(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report, java_script_enabled=False)
    assert page.locator("figure svg[role=img]").count() == len(CHARTS) + 1  # and the timeline
    assert page.locator("#batch-sizes tbody tr").count() == 11
    assert page.locator("th button").count() == 0
    assert page.locator("#verdict p").first.is_visible()


def test_the_skip_link_is_first_and_leads_to_the_answer(
    browser: Browser, digits_report: Path
) -> None:
    page, _ = opened(browser, digits_report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"


def test_a_table_can_be_downloaded_from_the_page(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    unfold(page)
    with page.expect_download() as started:
        page.locator('a[download="batch-sizes.csv"]').click()
    expected = digits_report.parent / "tables" / "batch-sizes.csv"
    assert Path(started.value.path()).read_bytes() == expected.read_bytes()


def test_print_shows_tables_in_full(browser: Browser, digits_report: Path) -> None:
    paper_width = {"width": 700, "height": 1000}  # A4 between its margins, at 96 dots an inch
    page, _ = opened(browser, digits_report, color_scheme="dark", viewport=paper_width)
    page.emulate_media(media="print")
    wide = [
        table.get_attribute("id")
        for table in page.locator("table").all()
        if table.evaluate("node => node.scrollWidth") > paper_width["width"]
    ]
    assert wide == []
    assert not page.locator("nav").is_visible()
    box = page.locator("#tables .scroll").first
    assert box.evaluate("node => node.scrollHeight <= node.clientHeight")
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def test_print_opens_the_method_and_leaves_out_what_else_is_folded(
    browser: Browser, digits_report: Path
) -> None:
    page, _ = opened(browser, digits_report)
    page.emulate_media(media="print")
    assert page.locator("#method .method p").first.is_visible()
    assert page.locator("#batch-sizes tbody tr").first.is_visible()
    assert not page.locator("#cells tbody tr").first.is_visible()
    assert not page.locator("#figure-seeds").is_visible()
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))
    assert 2 <= len(pages) <= 10


def test_hostile_text_does_nothing(browser: Browser, hostile_report: Path) -> None:
    page, log = opened(browser, hostile_report)
    page.wait_for_timeout(200)
    assert log.messages == []
    assert len(log.requests) == 1
    assert "<script>" in page.title()
    assert page.locator("img").count() == 0


@pytest.fixture(scope="module")
def live_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that is written anew while a run is under way."""
    results = nothing_run(make_results(Sketch(description=small())))
    return build_report(results, tmp_path_factory.mktemp("live"), reload_seconds=1)


def test_a_live_page_loads_itself_again_where_it_was_read(
    browser: Browser, live_report: Path
) -> None:
    page, log = opened(browser, live_report)
    page.evaluate("scrollTo(0, 300)")
    with page.expect_navigation():
        pass
    page.wait_for_function("scrollY === 300")
    assert set(log.requests) == {live_report.resolve().as_uri()}
    assert log.messages == []


def test_reloading_can_be_stopped(browser: Browser, live_report: Path) -> None:
    page, log = opened(browser, live_report)
    page.get_by_role("button", name="Stop reloading").click()
    seen = len(log.requests)
    assert page.evaluate("document.activeElement.textContent").startswith("Stopped: ")
    assert violations(page) == []
    page.wait_for_timeout(1500)
    assert len(log.requests) == seen


def test_a_live_page_loads_itself_again_without_scripts(
    browser: Browser, live_report: Path
) -> None:
    page, log = opened(browser, live_report, java_script_enabled=False)
    page.wait_for_timeout(1500)
    assert len(log.requests) > 1
    assert log.messages == []


INJECTED = {
    "inline script": "<script>document.title='owned'</script>",
    "outside script": "<script src='https://example.org/x.js'></script>",
    "handler": "<img src='data:,' onerror=\"document.title='owned'\">",
    "style sheet": "<style>h1 { display: none }</style>",
}


@pytest.mark.parametrize("kind", INJECTED)
def test_what_is_injected_is_blocked(
    browser: Browser, digits_report: Path, tmp_path: Path, kind: str
) -> None:
    text = digits_report.read_text(encoding="utf-8")
    path = tmp_path / "injected.html"
    path.write_text(text.replace("<main>", f"<main>{INJECTED[kind]}"), encoding="utf-8")
    page, log = opened(browser, path)
    page.wait_for_timeout(200)
    assert page.title() != "owned"
    assert page.locator("h1").is_visible()
    assert any(re.search("Content Security Policy", message) for message in log.messages)


@pytest.fixture
def framed(browser: Browser, digits_report: Path, tmp_path: Path) -> tuple[FrameLocator, Log]:
    """The page in a frame that may run scripts, and nothing else."""
    outer = tmp_path / "outer.html"
    address = digits_report.resolve().as_uri()
    frame = f'<iframe sandbox="allow-scripts" src="{address}" width=900 height=900></iframe>'
    outer.write_text(f"<!DOCTYPE html>{frame}", encoding="utf-8")
    page, log = opened(browser, outer)
    return page.frame_locator("iframe"), log


def test_the_page_works_in_a_frame_that_may_run_scripts_only(
    framed: tuple[FrameLocator, Log],
) -> None:
    inner, log = framed
    inner.locator("#batch-sizes thead button").first.click()
    assert inner.locator("#batch-sizes [aria-sort]").count() == 1
    inner.locator("#more summary", has_text="Budget rules").click()
    amount, slider = inner.locator(".budget .amount"), inner.locator(".budget [type=range]")
    amounts = []
    for key in ("Home", "End"):
        slider.press(key)
        amounts.append(amount.inner_text())
    assert len({*amounts}) == 2
    assert log.messages == []


def test_the_slider_shows_hostile_names_as_text(browser: Browser, hostile_report: Path) -> None:
    page, log = opened(browser, hostile_report)
    unfold(page)
    slider = page.locator(".budget")
    for rule in slider.locator("[type=radio]").all():
        rule.check()
        for key in ("Home", "End"):
            slider.locator("[type=range]").press(key)
            assert "<script>" in (slider.text_content() or "")
    assert slider.locator("script, img").count() == 0
    assert page.title().startswith("Batch size for <script>document.title=")
    assert log.messages == []

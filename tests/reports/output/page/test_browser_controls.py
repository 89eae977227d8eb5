"""What a reader can do on the page: by pointer, by keyboard, on paper, and without a script."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, Locator, Page

from reports.output.build import build_report
from reports.schema.results import EXPLORE, REGRESSION, StudyResults
from tests.helpers.browsing import Log, opened, unfold, violations
from tests.reports.conftest import Sketch, keep, make_results, numbers, small

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def shown(browser: Browser, digits_report: Path) -> tuple[Page, Log]:
    """The page of the study as shipped; tests leave its controls as they find them."""
    page, log = opened(browser, digits_report)
    unfold(page)
    return page, log


@pytest.fixture
def page(shown: tuple[Page, Log]) -> Page:
    """The page alone."""
    return shown[0]


@pytest.fixture(scope="module")
def choices(shown: tuple[Page, Log]) -> list[dict[str, Any]]:
    """What was embedded for the slider, rule by rule."""
    data = shown[0].locator(".budget").get_attribute("data-choices")
    return list(json.loads(data or "")["rules"])


def budget(page: Page) -> dict[str, Any]:
    """Return what the part about the budget shows."""
    return dict(
        page.locator(".budget").evaluate(
            """part => ({
              amount: part.querySelector(".amount").textContent,
              spoken: part.querySelector("[type=range]").getAttribute("aria-valuetext"),
              said: part.querySelector(".said").textContent,
              rows: [...part.querySelectorAll("tbody tr")].map(
                (row) => [...row.cells].map((cell) => cell.textContent)),
              marks: [...part.querySelectorAll("circle:not(.ring)")].map(
                (mark) => [+mark.getAttribute("cx"), +mark.getAttribute("cy"),
                           +mark.classList.contains("tied")]),
              ticks: [...part.querySelectorAll(".tick")].map((tick) => tick.textContent),
            })"""
        )
    )


def test_every_rule_and_budget_shows_what_was_computed(
    page: Page, choices: list[dict[str, Any]]
) -> None:
    slider = page.locator(".budget [type=range]")
    for number, rule in enumerate(choices):
        page.locator(".budget [type=radio]").nth(number).check()
        assert slider.input_value() == str(rule["first"])
        slider.focus()
        page.keyboard.press("Home")
        for step in rule["steps"]:
            assert budget(page) == {
                "amount": step["amount"],
                "spoken": step["amount"],
                "said": step["said"],
                "rows": step["rows"],
                "marks": [[mark[0], mark[1], mark[4]] for mark in step["marks"]],
                "ticks": [text for _, text in step["ticks"]],
            }
            page.keyboard.press("ArrowRight")
    page.locator(".budget [type=radio]").first.check()


def test_the_slider_begins_with_the_numbers_of_the_figure(page: Page, digits: StudyResults) -> None:
    analysis = numbers(digits)
    common = analysis.budgets[analysis.budgets["common"]]
    first = common[common["rule"] == common["rule"].iloc[0]].sort_values("batch_size")
    shown = [
        [str(size), analysis.measure.text(m)]
        for size, m in zip(first["batch_size"], first["metric"], strict=True)
    ]
    assert [[row[0], row[4]] for row in budget(page)["rows"]] == shown


def marks(figure: Locator) -> list[list[Any]]:
    """Return the points that a figure can be read at."""
    return list(json.loads(figure.locator("svg").get_attribute("data-marks") or "")["points"])


def position_of(figure: Locator, number: int) -> tuple[float, float]:
    """Return where on the screen a point of a figure is, which is brought into sight."""
    svg, (across, down, _, _) = figure.locator("svg"), marks(figure)[number]
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box is not None
    scale = box["width"] / (72 * 6.6)
    return box["x"] + across * scale, box["y"] + down * scale


def test_the_arrow_keys_read_exact_values(page: Page) -> None:
    figure = page.locator("#figure-accuracy")
    texts, value = [point[2] for point in marks(figure)], figure.locator(".value")
    figure.locator(".plot").focus()
    for key, text in (
        ("ArrowRight", texts[0]),
        ("ArrowRight", texts[1]),
        ("End", texts[-1]),
        ("ArrowLeft", texts[-2]),
        ("Home", texts[0]),
        ("Control+End", texts[0]),
        ("Escape", ""),
    ):
        page.keyboard.press(key)
        assert value.inner_text().split("\n")[0] == text
    assert texts[0].startswith("batch size 1, learning rate ")


def test_the_pointer_reads_the_mark_below_it(page: Page) -> None:
    figure = page.locator("#figure-accuracy")
    at, text, value = position_of(figure, 2), marks(figure)[2][2], figure.locator(".value")
    page.mouse.move(*at)
    assert value.inner_text() == text
    cells = page.locator("#batch-sizes tbody tr").nth(2).locator("td").all_inner_texts()
    for number in (1, 2, 8):  # rate, value, seeds
        assert cells[number - 1] in text
    near = value.bounding_box()
    assert near is not None
    assert abs(near["x"] - at[0]) < 30
    ring = figure.locator(".ring").bounding_box()
    assert ring is not None
    assert ring["x"] + ring["width"] / 2 == pytest.approx(at[0], abs=1)
    figure.locator("svg").hover(position={"x": 1, "y": 1})
    assert value.inner_text() == ""


def test_a_resting_pointer_does_not_disturb_the_keys(page: Page) -> None:
    figure = page.locator("#figure-accuracy")
    figure.locator("svg").hover()
    figure.locator(".plot").focus()
    page.keyboard.press("Home")
    page.evaluate("scrollBy(0, 2000)")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 200)))")
    assert figure.locator(".value").inner_text().split("\n")[0] == marks(figure)[0][2]
    page.keyboard.press("Escape")


def test_the_budget_chosen_can_be_read_too(page: Page, choices: list[dict[str, Any]]) -> None:
    page.locator(".budget .plot").focus()
    page.keyboard.press("ArrowRight")
    rule = choices[0]
    assert (
        page.locator(".budget .value").inner_text().split("\n")[0]
        == rule["steps"][rule["first"]]["marks"][0][5]
    )
    page.locator(".budget [type=range]").press("ArrowLeft")
    assert page.locator(".budget .value").inner_text() == ""
    page.locator(".budget [type=range]").press("ArrowRight")


def highlighted(page: Page) -> set[str]:
    """Return the batch sizes of the rows that stand out."""
    rows = page.locator("tr.chosen")
    return {*rows.evaluate_all("rows => rows.map((row) => row.dataset.size)")}


def test_a_batch_size_that_is_chosen_stands_out_everywhere(page: Page) -> None:
    picker = page.get_by_label("Highlight batch size")
    picker.select_option("64")
    assert highlighted(page) == {"64"}
    for table in ("batch-sizes", "cells", "to-target"):
        assert page.locator(f"#{table} tr.chosen").count() > 0
    for figure in ("accuracy", "rates", "steps-to-target", "seconds-per-update"):
        assert page.locator(f"#figure-{figure} .band").count() == 1, figure
    assert page.locator("#figure-budgets .band").count() == 3
    assert page.locator(".budget tr.chosen").count() == 1
    assert page.locator("#figure-accuracy-time text.named").all_text_contents() == ["64"]
    faded = page.locator("#figure-curves .faded").evaluate_all(
        "marks => marks.map((mark) => mark.dataset.batchSize)"
    )
    assert len(faded) > 0
    assert "64" not in faded
    picker.select_option("")
    assert highlighted(page) == set()
    assert page.locator(".band, .named, .faded").count() == 0


def test_a_click_on_a_mark_or_a_row_chooses_its_batch_size(page: Page) -> None:
    at = position_of(page.locator("#figure-accuracy"), 2)
    page.mouse.click(*at)
    assert highlighted(page) == {"4"}
    page.mouse.click(*at)
    assert highlighted(page) == set()
    page.locator("#to-target tbody tr", has_text="128").first.click()
    assert highlighted(page) == {"128"}
    assert page.get_by_label("Highlight batch size").input_value() == "128"
    page.locator("#batch-sizes tbody tr", has_text="128").first.click()
    assert highlighted(page) == set()


def test_the_keyboard_chooses_the_batch_size_it_reads(page: Page) -> None:
    page.locator("#figure-accuracy .plot").focus()
    for key in ("Home", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert highlighted(page) == {"2"}
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert highlighted(page) == set()


def test_tables_are_filtered_by_words(page: Page) -> None:
    table = page.locator("#batch-sizes")
    field = page.locator("xpath=//table[@id='batch-sizes']/../preceding-sibling::p[1]")
    every = table.locator("tbody tr").count()
    field.get_by_role("searchbox").fill("1024 worse")
    rows = table.locator("tbody tr:visible")
    assert 0 < rows.count() < every
    assert all("1024" in text for text in rows.all_inner_texts())
    assert field.locator("output").inner_text() == f"{rows.count()} of {every} rows"
    table.locator("thead button").first.click()
    assert rows.count() < every
    field.get_by_role("searchbox").fill("")
    assert rows.count() == every
    assert field.locator("output").inner_text() == ""


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_a_figure_can_be_saved(page: Page, kind: str) -> None:
    with page.expect_download() as started:
        page.locator("#figure-curves").get_by_role("button", name=f"as {kind}").click()
    assert started.value.suggested_filename == f"curves.{kind.lower()}"
    content = Path(started.value.path()).read_bytes()
    if kind == "PNG":
        assert content.startswith(PNG)
        assert int.from_bytes(content[16:20], "big") == pytest.approx(4 * 72 * 6.6, abs=1)
        return
    root = ET.fromstring(content)  # noqa: S314 - the page's own
    assert root[0].get("fill") == "#ffffff"
    assert root.get("data-marks") is None
    assert b"var(--ink, #1a1a1a)" in content


def test_after_all_that_the_page_has_said_and_loaded_nothing(
    shown: tuple[Page, Log], digits_report: Path
) -> None:
    _, log = shown
    assert log.messages == []
    loaded = [url for url in log.requests if not url.startswith("blob:")]
    assert loaded == [digits_report.resolve().as_uri()]


def test_everything_is_reached_by_the_keyboard(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    unfold(page)
    reached = set()
    for _ in range(page.locator("a, button, input, select, summary, [tabindex='0']").count()):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.type || document.activeElement.tagName"))
    assert reached >= {"A", "DIV", "SUMMARY", "button", "radio", "range", "search", "select-one"}


def test_identifiers_are_unique_and_images_named(page: Page) -> None:
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    for image in page.locator("svg[role=img]").all():
        for attribute in ("aria-labelledby", "aria-describedby"):
            target = image.get_attribute(attribute)
            assert page.locator(f"[id='{target}']").text_content()


def test_paper_has_the_method_open_and_no_controls(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details[open]").count() == page.locator("details.method").count() == 1
    assert not any(control.is_visible() for control in page.locator(".controls").all())
    assert page.locator("#figure-accuracy svg").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_without_scripts_the_rules_are_a_figure(browser: Browser, digits_report: Path) -> None:
    page, log = opened(browser, digits_report, java_script_enabled=False)
    page.locator("#more summary", has_text="Budget rules").click()
    assert not page.locator(".budget").is_visible()
    assert page.locator("#figure-budgets svg").is_visible()
    assert page.locator("figure button, fieldset:visible, nav select").count() == 0
    assert log.messages == []


def test_readers_who_want_no_motion_see_none(browser: Browser, digits_report: Path) -> None:
    page, _ = opened(browser, digits_report, reduced_motion="reduce")
    unfold(page)
    page.locator(".budget [type=radio]").nth(1).check()
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_script_keeps_nothing_and_goes_nowhere(digits_report: Path) -> None:
    (text,) = re.findall(r"<script>(.*?)</script>", digits_report.read_text("utf-8"), re.DOTALL)
    for word in ("Storage", "history", "fetch", "XMLHttp", "innerHTML", "eval", "import", "cookie"):
        assert word not in text
    assert len(text) < 15_000


def edge(name: str) -> StudyResults:
    """Return a study at the edge of what can be reported."""
    if name == "interrupted":
        results = make_results(Sketch(description=small()))
        explored = results.trials["stage"] == EXPLORE
        return keep(results, explored & (results.trials["batch_size"] > 8))
    sketches = {
        "one batch size": Sketch(description=small(batch_sizes=(8,))),
        "one seed": Sketch(description=small(seeds=(0,), confirmation_seeds=(9,))),
        "all diverged": Sketch(description=small(), diverges=lambda *_: True),
        "no progress": Sketch(description=small(), accuracy=lambda *_: 0.1, noise=0.0),
        "regression": Sketch(
            description=small(task=REGRESSION, metric="R2", outputs=1, target_names=("y",))
        ),
    }
    return make_results(sketches[name])


@pytest.mark.parametrize(
    "name",
    ["one batch size", "one seed", "all diverged", "no progress", "interrupted", "regression"],
)
def test_reports_at_the_edge_are_sound_pages(browser: Browser, name: str, tmp_path: Path) -> None:
    path = build_report(edge(name), tmp_path)
    page, log = opened(browser, path, viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert log.requests == [path.resolve().as_uri()]
    assert log.messages == []
    assert page.locator("#verdict p").first.inner_text()


def curves(page: Page) -> dict[str, Any]:
    """Return what the figure of learning curves shows along its x axis."""
    return dict(
        page.locator("#figure-curves").evaluate(
            """figure => ({
              label: figure.querySelector('[data-axis="labels"] text').textContent,
              ticks: [...figure.querySelectorAll('[data-axis="x"] text')].map((t) => t.textContent),
              lines: [...figure.querySelectorAll("[data-batch-size] path")].map(
                (path) => path.getAttribute("d")),
            })"""
        )
    )


def test_learning_curves_can_be_seen_along_updates_and_time_by_keyboard(page: Page) -> None:
    drawn = curves(page)
    figure = page.locator("#figure-curves")
    radios = figure.locator("input[type=radio]")
    assert radios.count() == 3
    radios.nth(0).focus()
    page.keyboard.press("ArrowRight")
    updates = curves(page)
    assert "Updates" in updates["label"]
    assert "1,000" in updates["ticks"]
    assert len(updates["lines"]) == len(drawn["lines"])
    scales = json.loads(figure.locator("svg").get_attribute("data-scales") or "")
    places = {f"{x:g}" for xs in scales[1]["x"].values() for x in xs}
    used = {x for line in updates["lines"] for x in re.findall(r"[ML] ?([\d.]+)", line)}
    assert places <= used
    page.keyboard.press("ArrowRight")
    assert any(tick.endswith("ms") for tick in curves(page)["ticks"])
    assert "time" in curves(page)["label"]
    page.keyboard.press("ArrowRight")
    assert curves(page) == drawn


def test_a_reading_moves_with_its_curve(page: Page) -> None:
    figure = page.locator("#figure-curves")
    places = []
    for number in (0, 1):
        figure.locator("input[type=radio]").nth(number).check()
        figure.locator(".plot").focus()
        page.keyboard.press("Home")
        places.append(float(figure.locator(".ring").get_attribute("cx") or ""))
        assert " updates" in figure.locator(".plot .value").inner_text()
    assert places[0] != places[1]
    figure.locator("input[type=radio]").nth(0).check()

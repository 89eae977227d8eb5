"""The page: complete without scripts, closed to everything foreign."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from reports.figures import UNFOLDED
from reports.output.build import build_report
from reports.output.page.page import EMBED_BELOW
from reports.schema.formats import rate
from reports.schema.measures import measure_of
from reports.schema.results import EXPLORE, StudyResults
from tests.reports.conftest import (
    DIGITS_GROUP,
    Sketch,
    keep,
    make_results,
    nothing_run,
    small,
    without_timing,
)


class Outline(HTMLParser):
    """What a page is made of: tags with attributes, and identifiers."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag."""
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of the elements of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(digits_report: Path) -> str:
    """The page of the study as shipped."""
    return digits_report.read_text(encoding="utf-8")


def page_of(results: StudyResults, folder: Path) -> str:
    return build_report(results, folder).read_text(encoding="utf-8")


def test_there_is_one_heading_and_every_landmark(page: str) -> None:
    outline = Outline(page)
    assert len(outline.named("h1")) == 1
    assert [len(outline.named(tag)) for tag in ("header", "nav", "main", "footer")] == [1] * 4
    assert outline.named("a")[0]["href"] == "#verdict"


def test_identifiers_are_unique_and_links_lead_somewhere(page: str) -> None:
    outline = Outline(page)
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.tags:
        for key in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(key, ids[0]) in ids
        if (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids


def test_the_policy_names_the_style_sheet_and_the_script_by_their_hashes(page: str) -> None:
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0])
    for tag, rule in (("style", "style-src-elem"), ("script", "script-src")):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(text) == 1
        digest = base64.b64encode(hashlib.sha256(text[0].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("base-uri 'none'; form-action 'none'")


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    outline = Outline(page)
    assert not [a for _, a in outline.tags if "src" in a]
    assert not outline.named("link")
    links = [a["href"] or "" for a in outline.named("a")]
    relative = re.compile(
        r"#|data:text/csv;|report\.json$|tables/[a-z-]+\.csv$|figures/[a-z0-9-]+\.svg$"
    )
    assert all(relative.match(link) for link in links)
    assert "url(http" not in page


def test_the_same_number_stands_in_verdict_table_and_csv(page: str, digits_report: Path) -> None:
    rows = (digits_report.parent / "tables/batch-sizes.csv").read_text().splitlines()
    names = rows[0].split(",")
    records = [dict(zip(names, row.split(","), strict=True)) for row in rows[1:]]
    heading = re.search(r"<h1[^>]*>Use batch size (\d+) with learning rate (\S+)</h1>", page)
    assert heading is not None
    used = next(record for record in records if record["batch_size"] == heading[1])
    assert heading[2] == rate(float(used["learning_rate"]))
    shown = measure_of(DIGITS_GROUP).text(float(used["metric"]))
    assert shown in page[heading.end() : page.index("</p>", heading.end())]
    assert f'data-key="{used["metric"]}">{shown}</td>' in page


def test_every_file_next_to_the_page_is_linked(page: str, digits_report: Path) -> None:
    folder = digits_report.parent
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file()}
    links = {a["href"] for a in Outline(page).named("a")}
    assert files - links == {digits_report.name}


def test_small_tables_are_in_the_page_and_large_ones_next_to_it(
    page: str, digits_report: Path
) -> None:
    links = {a["download"]: a["href"] or "" for a in Outline(page).named("a") if "download" in a}
    for path in sorted((digits_report.parent / "tables").glob("*.csv")):
        assert f'<a href="tables/{path.name}">' in page
        text = path.read_text(encoding="utf-8")
        assert (path.name in links) == (len(text) <= EMBED_BELOW)
        if path.name in links:
            assert unquote(links[path.name].split(",", 1)[1]) == text
    assert "curves.csv" not in links


@pytest.mark.usefixtures("undrawn")
def test_commands_are_set_as_code(digits: StudyResults, tmp_path: Path) -> None:
    timing = digits.timing.assign(cpu_seconds=digits.timing["wall_seconds"] / 2)
    page = build_report(replace(digits, timing=timing), tmp_path).read_text("utf-8")
    assert "<code>bpsweep time</code>" in page
    seen = re.sub(r"<(script|style|pre).*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    assert "`" not in seen


def test_at_most_six_figures_are_unfolded(page: str) -> None:
    unfolded = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    names = re.findall(r'<figure id="figure-([^"]*)"', unfolded)
    assert names == [*UNFOLDED]
    assert page.count("<figure id=") > len(names)


def test_at_most_three_warnings_are_unfolded(digits: StudyResults, tmp_path: Path) -> None:
    timing = digits.timing.assign(cpu_seconds=digits.timing["wall_seconds"] / 2)
    few = replace(
        digits,
        timing=timing,
        trials=digits.trials[digits.trials["learning_rate"] < 4].reset_index(drop=True),
    )
    page = build_report(few, tmp_path).read_text("utf-8")
    warnings = re.search(r'<section id="warnings".*?</section>', page, re.DOTALL)
    assert warnings is not None
    shown, _, folded = warnings[0].partition("<details>")
    assert shown.count("<li>") == 3
    assert folded.count("<li>") > 0


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_sweep_has_a_banner(digits: StudyResults, tmp_path: Path) -> None:
    page = page_of(keep(digits, digits.trials["stage"] == EXPLORE), tmp_path)
    assert "<strong>Partial report.</strong> 55 of 385 planned trials" in page


@pytest.mark.usefixtures("undrawn")
def test_only_a_live_page_reloads(page: str, digits: StudyResults, tmp_path: Path) -> None:
    live = build_report(digits, tmp_path, reload_seconds=10).read_text(encoding="utf-8")
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in live
    assert 'data-reload="10"' in live
    assert "location.reload" in live
    for sign in ("refresh", "data-reload", "location.reload"):
        assert sign not in page
    test_the_policy_names_the_style_sheet_and_the_script_by_their_hashes(live)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (
            nothing_run(make_results(Sketch(description=small()))),
            "No batch size has a result for every seed",
        ),
        (
            make_results(Sketch(description=small(), diverges=lambda *_: True)),
            "No batch size can be recommended yet",
        ),
        pytest.param(
            make_results(Sketch(description=small(batch_sizes=(8,)))),
            "Only batch size 8",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            make_results(Sketch(description=small(seeds=(0,), confirmation_seeds=(9,)))),
            "No batch size can be recommended yet",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            without_timing(make_results(Sketch(description=small(confirmation_seeds=())))),
            "<code>bpsweep time</code>",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["nothing", "diverged", "one batch size", "one seed", "no times, no confirm stage"],
)
def test_edge_reports_are_pages_too(results: StudyResults, said: str, tmp_path: Path) -> None:
    page = page_of(results, tmp_path)
    assert said in html.unescape(page)
    assert page.endswith("</html>\n")
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower().split()


@pytest.mark.slow
def test_an_endless_name_does_not_fill_the_page(tmp_path: Path) -> None:
    plan = small(title="t" * 50_000, dataset="d" * 50_000, metric="m" * 50_000)
    page = page_of(make_results(Sketch(description=plan)), tmp_path)
    assert "t" * 300 not in page
    assert "m" * 300 not in page


@pytest.mark.usefixtures("undrawn")
def test_the_worth_of_an_example_needs_examples(digits: StudyResults, tmp_path: Path) -> None:
    group = replace(digits.description.groups[0], test_items=90)
    results = replace(digits, description=replace(digits.description, groups=(group,)))
    assert "worth 1.1 points" in page_of(results, tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_the_page_has_the_command_that_does_it_again(page: str, tmp_path: Path) -> None:
    assert "<code>bpsweep run digits.toml</code>" in page
    plan = small(name="a study; rm -r x")
    other = page_of(make_results(Sketch(description=plan)), tmp_path)
    assert "<code>bpsweep run &#39;a study; rm -r x.toml&#39;</code>" in other

"""A page stays small: what goes first, what is left out, and that it says so."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import escape

from reports.charts.base import svg
from reports.charts.base._chart import Chart
from reports.charts.catalogue import charts
from reports.claims.evidence import MIXED, NOT_STUDIED, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from reports.claims.judgement import ClaimVerdict, evidence_table
from reports.output import build
from reports.output.build import build_report
from reports.output.page import page as page_module
from reports.output.page._tables import page_tables
from reports.output.page.page import fit
from reports.output.page.sections import (
    Section,
    absent,
    claim_section,
    expendable,
    section,
    without,
)
from reports.recommend.analysis import analyse
from reports.schema.results import StudyResults
from tests.helpers.claim_studies import FAST, Truth, study
from tests.helpers.judged import judge
from tests.reports.conftest import Sketch, make_results, nothing_run, several, small
from tests.reports.output.page import test_page

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
def whole(three: StudyResults) -> list[Section]:
    """The sections of their report."""
    return sections_of(three)


def sections_of(results: StudyResults, most: int = 99) -> list[Section]:
    def drawn(group: list[Chart]) -> dict[str, tuple[Chart, str]]:
        return {c.name: (c, "<svg width='1' height='1'>x</svg>") for c in group[:most]}

    made = [(a, charts(a)) for a in analyse(results)]
    return [
        section(
            a,
            page_tables(a),
            drawn(group),
            [c.heading for c in group[most:]],
            folder=f"figures/{number:02d}",
            prefix=f"g{number}-",
        )
        for number, (a, group) in enumerate(made, start=1)
    ]


def padded(omitted: Collection[str], parts: Sequence[str] = ("a", "b", "c")) -> str:
    return "x" * 100 * sum(part not in omitted for part in parts)


@pytest.mark.parametrize(
    ("limit", "length"), [(300, 300), (299, 200), (100, 100), (99, 0), (-1, 0)]
)
def test_a_page_leaves_out_no_more_than_it_must(
    limit: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "PAGE_LIMIT", limit)
    assert len(fit(padded, ["a", "b", "c"])) == length


def test_everything_is_in_the_page_that_has_room(whole: list[Section]) -> None:
    for part in whole:
        assert without(part, ()).left_out == ""
        every = [table.name for table in page_tables(part.analysis)]
        assert [table.name for table in part.tables] == every


def test_tables_give_way_before_figures_and_figures_before_sections(whole: list[Section]) -> None:
    order = expendable(whole)
    assert order[-2:] == ["g3-", "g2-"]
    kinds = [name.split()[0] for name in order[:-2]]
    assert kinds == sorted(kinds, reverse=True)
    assert len(order) == len({*order})
    for part in whole:
        least = without(part, order)
        assert [table.name for table in least.tables] == ["batch-sizes"]
        assert least.figures == []
        assert "drawn, but only in figures/0" in least.left_out
        in_folder = least.left_out.partition("tables only in the folder tables: ")[2]
        assert "Learning rates and batch sizes" in in_folder


def test_groups_without_a_section_are_named() -> None:
    assert absent([]) == ""
    assert absent(["one", "two"]).startswith("2 configurations of this study have no section")


def test_what_was_not_drawn_is_named(three: StudyResults) -> None:
    part = without(sections_of(three, most=1)[0], ())
    assert "not drawn: Accuracy against training time, " in part.left_out


def test_a_page_of_several_groups_has_a_section_for_each(three_report: Path) -> None:
    text = three_report.read_text(encoding="utf-8")
    headings = re.findall(r'<h3 id="g\d-section-heading">(.*?): ', text)
    assert headings == ["one", "two &lt;b&gt;", "three"]
    assert text.index('id="groups"') < text.index('id="g1-verdict"')
    for number, label in enumerate(headings, start=1):
        assert f'<a href="#g{number}-verdict">{label}</a>' in text
    numbers = [int(number) for number in re.findall(r'<p class="kind">Figure (\d+)\.', text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "3 configurations × 5 seeds on digits" in text  # noqa: RUF001


def test_identifiers_of_several_groups_are_unique(three_report: Path) -> None:
    text = three_report.read_text(encoding="utf-8")
    test_page.test_identifiers_are_unique_and_links_lead_somewhere(text)
    assert {*re.findall(r"url\(#([^)]*)\)", text)} <= {*re.findall(r' id="([^"]*)"', text)}


def test_each_group_has_a_folder_of_figures(three_report: Path) -> None:
    text = three_report.read_text(encoding="utf-8")
    figures = three_report.parent / "figures"
    folders = sorted(path.name for path in figures.iterdir() if path.is_dir())
    assert folders == ["01-one", "02-two-b", "03-three"]
    assert all(f'<a href="figures/{folder}/accuracy.svg">' in text for folder in folders)
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
    plans = [{"group": f"group {number}"} for number in range(12)]
    results = make_results(Sketch(description=several(*plans, **FEW)))
    limit = 140_000
    monkeypatch.setattr(page_module, "PAGE_LIMIT", limit)
    monkeypatch.setattr(build, "MOST_DRAWN", 12)
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


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study of SGD on whole batches and on shards."""
    return study(Truth(seconds=FAST), {}, {"group": "sharded", "shards": 4})


@pytest.fixture(scope="module")
def judged(results: StudyResults) -> tuple[ClaimVerdict, ...]:
    """Its verdicts."""
    return judge(results)


def test_comparisons_are_counted_and_beside_the_page(judged: tuple[ClaimVerdict, ...]) -> None:
    number = len(evidence_table(judged))
    assert f"{number} comparisons are in `tables/claim-evidence.csv`" in claim_section(judged).note


def test_the_summary_names_the_claims_by_verdict(judged: tuple[ClaimVerdict, ...]) -> None:
    given = (SUPPORTED, SUPPORTED, NOT_SUPPORTED, NOT_STUDIED, MIXED, UNDECIDED, NOT_STUDIED)
    changed = [
        replace(claim, verdict=verdict) for claim, verdict in zip(judged, given, strict=True)
    ]
    needs = judged[3].claim.needs
    summary = claim_section(changed).summary
    for words in (
        "supports C1 and C2",
        "doesn't support C3",
        "C5 depends",
        "leaves C6 undecided",
        needs,
    ):
        assert words in summary


def test_a_study_that_concerns_no_claim_shows_what_each_would_need(
    digits: StudyResults, tmp_path: Path
) -> None:
    results = nothing_run(digits)
    shown = claim_section(judge(results))
    assert shown.verdicts == ()
    assert "none of its claims" in shown.summary
    assert "C1 needs measured update times" in shown.summary
    page = build_report(results, tmp_path).read_text(encoding="utf-8")
    assert '<details id="claims"' in page
    assert "Tested:" not in page


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_asks_for_no_claims_has_none(results: StudyResults, tmp_path: Path) -> None:
    build_report(results, tmp_path)
    assert (tmp_path / "tables" / "claims.csv").exists()
    asked = replace(results.description, claims=False)
    page = build_report(replace(results, description=asked), tmp_path).read_text(encoding="utf-8")
    assert "claim" not in page.lower()
    assert "claim" not in (tmp_path / "report.json").read_text(encoding="utf-8")
    assert not [*(tmp_path / "tables").glob("claim*.csv")]
    assert "claim" not in (tmp_path / "tables" / "columns.csv").read_text(encoding="utf-8")


def test_page_and_files_have_the_same_verdicts(results: StudyResults, tmp_path: Path) -> None:
    page = build_report(results, tmp_path).read_text(encoding="utf-8")
    rows = (tmp_path / "tables" / "claims.csv").read_text(encoding="utf-8").splitlines()[1:]
    for claim, row in zip(judge(results), rows, strict=True):
        assert row.startswith(f"{claim.claim.name},")
        assert f",{claim.verdict}," in row
        shown = f"<h3>{claim.claim.name}, {claim.verdict}. {escape(claim.claim.quoted)}</h3>"
        assert (shown in page) is (claim.verdict != NOT_STUDIED)

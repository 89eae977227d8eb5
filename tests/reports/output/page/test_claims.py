"""The claims on the page: the verdicts as they were judged, and the evidence if there is room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.claims.claims import ClaimVerdict, claims_table, evidence_table, judge_claims
from reports.claims.evidence import CONTRADICTED, MIXED, NOT_STUDIED, SUPPORTED, UNDECIDED
from reports.output.build import build_report
from reports.output.page.claims import claim_section
from reports.schema.results import StudyResults
from tests.reports.claim_studies import FAST, Truth, study
from tests.reports.conftest import nothing_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study of plain descent on whole batches and on shards."""
    return study(Truth(seconds=FAST), {}, {"group": "sharded", "shards": 4})


@pytest.fixture(scope="module")
def judged(results: StudyResults) -> tuple[ClaimVerdict, ...]:
    """Its verdicts."""
    return judge_claims(results)


def test_every_claim_that_is_studied_has_a_row_with_its_numbers(
    judged: tuple[ClaimVerdict, ...],
) -> None:
    section = claim_section(judged)
    assert section.table is not None
    table = claims_table(judged)
    studied = table[table["verdict"] != NOT_STUDIED]
    assert [row[0].key for row in section.table.rows] == studied["claim"].tolist()
    assert [row[1].text for row in section.table.rows] == studied["verdict"].tolist()
    for place, column in ((2, "effect"), (3, "low")):
        keys = [float(row[place].key) for row in section.table.rows]
        assert keys == studied[column].tolist()


def test_every_comparison_has_a_row_and_those_that_judge_stand_out(
    judged: tuple[ClaimVerdict, ...],
) -> None:
    section = claim_section(judged)
    assert section.evidence is not None
    table = evidence_table(judged)
    assert [row[1].text for row in section.evidence.rows] == table["comparison"].tolist()
    assert [row[1].strong for row in section.evidence.rows] == table["judges"].tolist()
    assert section.note == ""


def test_comparisons_without_room_are_beside_the_page(judged: tuple[ClaimVerdict, ...]) -> None:
    section = claim_section(judged, evidence=False)
    assert section.evidence is None
    number = len(evidence_table(judged))
    assert section.note == f"The {number} comparisons are in tables/claim-evidence.csv."


def test_the_summary_names_the_claims_by_verdict(judged: tuple[ClaimVerdict, ...]) -> None:
    given = (SUPPORTED, SUPPORTED, CONTRADICTED, NOT_STUDIED, MIXED, UNDECIDED, UNDECIDED)
    changed = [replace(one, verdict=verdict) for one, verdict in zip(judged, given, strict=True)]
    needs = judged[3].claim.needs
    assert claim_section(changed).summary == (
        "Of these claims, this study supports C1 and C2, contradicts C3, finds that C5 "
        f"depends on the data and can't tell about C6 and C7. Not studied: C4 needs {needs}."
    )


def test_a_study_that_bears_on_no_claim_says_what_each_would_need(
    digits: StudyResults, tmp_path: Path
) -> None:
    results = nothing_run(digits)
    section = claim_section(judge_claims(results))
    assert (section.table, section.evidence, section.verdicts) == (None, None, ())
    assert section.summary.startswith(
        "This study bears on none of its claims. Not studied: C1 needs the timing pass, "
    )
    page = build_report(results, tmp_path).read_text(encoding="utf-8")
    assert 'id="claims-heading"' in page
    assert 'id="claims-verdicts"' not in page


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
    for one, row in zip(judge_claims(results), rows, strict=True):
        assert row.startswith(f"{one.claim.name},")
        assert f",{one.verdict}," in row
        shown = f"<h3>{one.claim.name}, {one.verdict}. {one.claim.text}</h3>"
        assert (shown in page) is (one.verdict != NOT_STUDIED)

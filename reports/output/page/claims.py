"""The paper's claims on the page: what of each is told, and the tables of verdicts and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.claims.claims import ClaimVerdict
from reports.claims.evidence import (
    CONTRADICTED,
    MIXED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Finding,
)
from reports.output.page.tables import Cell, Table
from reports.schema.formats import MISSING, listing, visible

_SAYS = {
    SUPPORTED: "supports {}",
    CONTRADICTED: "contradicts {}",
    MIXED: "finds that {} depends on the data",
    UNDECIDED: "can't tell about {}",
}


@dataclass(frozen=True)
class ClaimSection:
    """What the page says of the claims.

    Attributes:
        summary: How many have which verdict, and which can't be judged.
        verdicts: Those that the study bears on.
        table: One row for each of them; None if there is none.
        evidence: One row for each comparison; None if there is none, or they are omitted.
        note: Where the comparisons are if they aren't here; "" if they are, or there are none.
    """

    summary: str
    verdicts: tuple[ClaimVerdict, ...]
    table: Table | None = None
    evidence: Table | None = None
    note: str = ""


def claim_section(verdicts: Sequence[ClaimVerdict], *, evidence: bool = True) -> ClaimSection:
    """Return what the page says of the claims, with or without each comparison behind them."""
    studied = tuple(judged for judged in verdicts if judged.verdict != NOT_STUDIED)
    if not studied:
        return ClaimSection(f"This study bears on none of its claims. {_unstudied(verdicts)}", ())
    comparisons = _evidence(studied)
    return ClaimSection(
        f"{_tally(studied)} {_unstudied(verdicts)}".strip(),
        studied,
        _verdicts(studied),
        comparisons if evidence else None,
        ""
        if evidence
        else f"The {len(comparisons.rows):,} comparisons are in tables/claim-evidence.csv.",
    )


def _tally(studied: Sequence[ClaimVerdict]) -> str:
    names = {v: [judged.claim.name for judged in studied if judged.verdict == v] for v in _SAYS}
    answers = [text.format(listing(names[v])) for v, text in _SAYS.items() if names[v]]
    return f"Of these claims, this study {listing(answers)}."


def _unstudied(verdicts: Sequence[ClaimVerdict]) -> str:
    left = [judged for judged in verdicts if judged.verdict == NOT_STUDIED]
    if not left:
        return ""
    needs = "; ".join(f"{judged.claim.name} needs {judged.claim.needs}" for judged in left)
    return f"Not studied: {needs}."


def _verdicts(studied: Sequence[ClaimVerdict]) -> Table:
    return Table(
        "claims-verdicts",
        "Verdicts",
        "Effect and interval: of the first comparison that the text below names, the mean over all "
        "groups. A change from one batch size to another is taken along the line that fits the "
        "metric best against the logarithm of the batch size: those between speak, too. Each "
        "comparison by itself is listed at the end.",
        ("Claim", "Verdict", "Effect", "95% interval", "Judged under"),
        tuple(_verdict_row(judged) for judged in studied),
    )


def _verdict_row(judged: ClaimVerdict) -> tuple[Cell, ...]:
    return (
        Cell(f"{judged.claim.name}. {judged.claim.text}", judged.claim.name),
        Cell(judged.verdict, judged.verdict, strong=True),
        *_effect(judged.finding, judged.evidence[0]),
        Cell(judged.budget, judged.budget),
    )


def _evidence(studied: Sequence[ClaimVerdict]) -> Table:
    return Table(
        "claims-evidence",
        "Comparisons",
        "In bold: those that judge the claim; the others stand beside. The verdicts of one kind of "
        "comparison are adjusted for their number by Holm's method. Count: seeds, or rounds of the "
        "timing pass.",
        ("Claim", "Comparison", "Groups", "Verdict", "Effect", "95% interval", "Count", "Under"),
        tuple(_evidence_row(judged, each) for judged in studied for each in judged.evidence),
    )


def _evidence_row(judged: ClaimVerdict, evidence: Evidence) -> tuple[Cell, ...]:
    sample, finding = evidence.sample, evidence.finding
    group = visible(sample.group, most=200)
    judges = sample.comparison in judged.claim.judges
    return (
        Cell(judged.claim.name, judged.claim.name),
        Cell(sample.comparison, sample.comparison, strong=judges),
        Cell(group, group),
        Cell(evidence.verdict, evidence.verdict),
        *_effect(finding, evidence),
        Cell(str(finding.count), str(finding.count)),
        Cell(sample.budget, sample.budget),
    )


def _effect(finding: Finding, evidence: Evidence) -> tuple[Cell, Cell]:
    span = evidence.sample.span(finding.low, finding.high)
    low = "" if span == MISSING else repr(finding.low)
    effect = repr(finding.effect) if np.isfinite(finding.effect) else ""
    return Cell(evidence.sample.text(finding.effect), effect), Cell(span, low)

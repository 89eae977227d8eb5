"""The claims of the paper as verdicts: what the data at hand say of each, how much and how sure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.claims import _samples as samples
from reports.claims._paper_claims import CLAIMS, Claim
from reports.claims._values import GroupValues
from reports.claims.evidence import (
    CONTRADICTED,
    EVIDENCE_COLUMNS,
    MIXED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
    UNKNOWN,
    VERDICTS,
    Evidence,
    Finding,
    finite,
    judged,
    overall,
    pooled,
)
from reports.recommend import Analysis
from reports.schema import Column, as_table, capitalised, empty_table, listing, plural, visible

CLAIM_COLUMNS = (
    Column("claim", "str", "", "The claim, C1 to C7."),
    Column("text", "str", "", "What the paper claims, in other words."),
    Column("place", "str", "", "Where it does."),
    Column("verdict", "str", "", f"{', '.join(VERDICTS)}.", volatile=True),
    Column("unit", "str", "", "difference: of the metric; ratio: how many times."),
    Column("effect", "float64", "", "Mean over the comparisons that judge the claim.", True),
    Column("low", "float64", "", "Lower end of its 95% t interval.", volatile=True),
    Column("high", "float64", "", "Upper end, likewise.", volatile=True),
    Column("budget", "str", "", "Budget rule under which it is judged.", volatile=True),
    Column("sentence", "str", "", "What was found.", volatile=True),
    Column("why", "str", "", "Why it isn't as the paper says, or can't be told.", volatile=True),
)


@dataclass(frozen=True)
class ClaimVerdict:
    """What a study says of a claim."""

    claim: Claim
    verdict: str
    finding: Finding = UNKNOWN  # of the first comparison that judges it, over all groups
    budget: str = ""  # rule under which it was judged; "" if it was not studied
    sentence: str = ""  # the effects of all comparisons
    why: str = ""  # it isn't as the paper says, or isn't known; "" if it is as the paper says
    evidence: tuple[Evidence, ...] = ()  # all comparisons, those that judge first


def claims_of(groups: Sequence[Analysis]) -> tuple[ClaimVerdict, ...]:
    """Judge every claim by the numbers of a study's groups."""
    values = [GroupValues(group) for group in groups]
    learned = [group for group in values if group.analysis.learned]
    return tuple(
        _verdict(claim, values)
        if claim.name in {"C1", "C2"} or len(learned) == len(values)
        # Networks that all give one answer to everything lose nothing with any batch size.
        else _verdict(replace(claim, needs=f"{_LEARNED}, {claim.needs}"), learned)
        for claim in CLAIMS
    )


_LEARNED = "networks that have learned something"
_SAMPLES = {
    "C1": samples.tensor,
    "C2": samples.shards,
    "C3": samples.falls,
    "C4": samples.remedies,
    "C5": samples.usual_sizes,
    "C6": samples.splitting,
    "C7": samples.predictions,
}


def _verdict(claim: Claim, groups: Sequence[GroupValues]) -> ClaimVerdict:
    evidence = judged([*_SAMPLES[claim.name](groups)])
    kinds = {
        kind: [each for each in evidence if each.sample.comparison == kind]
        for kind in (*claim.judges, *claim.beside)
    }
    judging = {kind: kinds[kind] for kind in claim.judges}
    if not all(judging.values()):
        return ClaimVerdict(claim, NOT_STUDIED, why=f"It would need {claim.needs}.")
    verdicts = {kind: overall(comparisons) for kind, comparisons in judging.items()}
    # All parts of a claim must hold.
    verdict = min(verdicts.values(), key=(CONTRADICTED, MIXED, UNDECIDED, SUPPORTED).index)
    first = next(iter(judging.values()))
    return ClaimVerdict(
        claim,
        verdict,
        pooled(first),
        first[0].sample.budget,
        _sentence({**claim.judges, **claim.beside}, kinds),
        _why(claim, verdict, verdicts, judging),
        tuple(each for comparisons in kinds.values() for each in comparisons),
    )


def _sentence(texts: Mapping[str, str], kinds: Mapping[str, list[Evidence]]) -> str:
    sentences = (_effect(texts[kind], evidence) for kind, evidence in kinds.items() if evidence)
    return " ".join(f"{capitalised(text)}." for text in sentences)


def _effect(text: str, evidence: Sequence[Evidence]) -> str:
    finding, metrics = pooled(evidence), dict.fromkeys(each.sample.metric for each in evidence)
    known = math.isfinite(finding.effect)
    effect = evidence[0].sample.text(finding.effect) if known else "an unknown amount"
    sentence = text.format(metric=listing([*metrics]), effect=effect, ends=_ends(evidence))
    return f"{sentence} ({_interval(finding, evidence)}{_tally(evidence)})"


def _ends(evidence: Sequence[Evidence]) -> str:
    """Between which batch sizes there is a change; groups may differ in them."""
    ends = {each.sample.ends for each in evidence}
    if len(ends) > 1:
        return "the smallest batch size to the largest"
    (both,) = ends
    return f"batch size {both[0]} to {both[1]}" if both else ""


def _interval(finding: Finding, evidence: Sequence[Evidence]) -> str:
    if math.isnan(finding.low):
        return "no interval"
    sample = evidence[0].sample
    kind = "round" if sample.kind.timed else "seed"
    return f"95% t interval {sample.span(finding.low, finding.high)}, {plural(finding.count, kind)}"


def _tally(evidence: Sequence[Evidence]) -> str:
    if len(evidence) == 1:
        return ""
    verdicts = [each.verdict for each in evidence]
    lost = len(evidence) - len(finite(evidence))
    left_out = f", {lost} of them without a value" if lost else ""
    return (
        f"; mean of {len(evidence)} comparisons{left_out}: {verdicts.count(SUPPORTED)} for the "
        f"claim, {verdicts.count(CONTRADICTED)} against it"
    )


def _why(
    claim: Claim, verdict: str, verdicts: Mapping[str, str], judging: Mapping[str, list[Evidence]]
) -> str:
    if verdict == CONTRADICTED:
        return " ".join(claim.against[kind] for kind, v in verdicts.items() if v == CONTRADICTED)
    texts = {MIXED: _mixed, UNDECIDED: _open}
    return " ".join(texts[v](judging[kind]) for kind, v in verdicts.items() if v in texts)


def _mixed(evidence: Sequence[Evidence]) -> str:
    sides = (
        f"{verdict} on {_datasets(evidence, verdict)}" for verdict in (SUPPORTED, CONTRADICTED)
    )
    return f"It depends: {', '.join(sides)}."


def _datasets(evidence: Sequence[Evidence], answer: str) -> str:
    """Datasets with this answer, and in how many of their comparisons they have it."""
    all_of = Counter(each.sample.dataset for each in evidence)
    alike = Counter(each.sample.dataset for each in evidence if each.verdict == answer)
    return listing([f"{visible(name, 40)} ({n} of {all_of[name]})" for name, n in alike.items()])


def _open(evidence: Sequence[Evidence]) -> str:
    undecided = sum(each.verdict == UNDECIDED for each in evidence)
    where = "The" if len(evidence) == 1 else f"In {undecided} of {len(evidence)} comparisons the"
    return f"{where} interval is too wide for either answer; more seeds would narrow it."


def claims_table(verdicts: Sequence[ClaimVerdict]) -> pd.DataFrame:
    """Return one row for each claim: columns `CLAIM_COLUMNS`."""
    rows = [
        {**vars(judged.claim), **vars(judged), **vars(judged.finding), "claim": judged.claim.name}
        for judged in verdicts
    ]
    return as_table(pd.DataFrame(rows), CLAIM_COLUMNS)


def evidence_table(verdicts: Sequence[ClaimVerdict]) -> pd.DataFrame:
    """Return one row for each comparison studied: columns `EVIDENCE_COLUMNS`."""
    rows = [
        {
            **vars(evidence.sample),
            **vars(evidence.finding),
            "claim": judged.claim.name,
            "judges": evidence.sample.comparison in judged.claim.judges,
            "verdict": evidence.verdict,
        }
        for judged in verdicts
        for evidence in judged.evidence
    ]
    return as_table(pd.DataFrame(rows), EVIDENCE_COLUMNS) if rows else empty_table(EVIDENCE_COLUMNS)

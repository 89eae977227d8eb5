"""The claims of the paper as verdicts: what the data at hand say of each, how much and how sure.

A claim is judged by comparisons of `reports.claims.samples`, each with an interval over seeds or
timing rounds. Others stand beside them: the same under another budget rule, or as the paper had it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from reports.claims import samples as claim_samples
from reports.claims.evidence import (
    CONTRADICTED,
    EVIDENCE_COLUMNS,
    MIXED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
    UNKNOWN,
    Evidence,
    Finding,
    finite,
    judged,
    overall,
    pooled,
)
from reports.claims.text import CLAIMS, Claim
from reports.claims.values import GroupValues
from reports.recommend.analysis import analyse
from reports.recommend.baseline import has_learned
from reports.recommend.record import Analysis
from reports.schema.formats import capitalised, listing, plural, visible
from reports.schema.results import Column, StudyResults, as_table, empty_table

CLAIM_COLUMNS = (
    Column("claim", "str", "", "The claim, C1 to C7."),
    Column("text", "str", "", "What the paper claims, in other words."),
    Column("place", "str", "", "Where it does."),
    Column(
        "verdict",
        "str",
        "",
        "supported, contradicted, depends on the data, can't be told, not studied here.",
        True,
    ),
    Column("unit", "str", "", "difference: of the metric; ratio: how many times."),
    Column(
        "effect", "float64", "", "Mean over the comparisons that judge the claim.", volatile=True
    ),
    Column("low", "float64", "", "Lower end of its 95% t interval.", volatile=True),
    Column("high", "float64", "", "Upper end, likewise.", volatile=True),
    Column("budget", "str", "", "Budget rule under which it is judged.", volatile=True),
    Column("sentence", "str", "", "What was found.", volatile=True),
    Column("why", "str", "", "Why it isn't as the paper says, or can't be told.", volatile=True),
)


@dataclass(frozen=True)
class ClaimVerdict:
    """What a study says of a claim.

    Attributes:
        claim: The claim.
        verdict: `SUPPORTED`, `CONTRADICTED`, `MIXED`, `UNDECIDED` or `NOT_STUDIED`.
        finding: Effect of the first comparison that judges it, over all groups; unknown if the
            groups have different metrics.
        budget: Budget rule under which it was judged; "" if it was not studied.
        sentence: What was found, with the effects of all comparisons.
        why: Why it isn't as the paper says, why it can't be told, or what a study would need; "" if
            it is as the paper says.
        evidence: All comparisons, those that judge first.
    """

    claim: Claim
    verdict: str
    finding: Finding = UNKNOWN
    budget: str = ""
    sentence: str = ""
    why: str = ""
    evidence: tuple[Evidence, ...] = field(default=())


def judge_claims(results: StudyResults) -> tuple[ClaimVerdict, ...]:
    """Judge every claim by a study."""
    return claims_of(analyse(results))


def claims_of(groups: Sequence[Analysis]) -> tuple[ClaimVerdict, ...]:
    """Judge every claim by the numbers of a study's groups."""
    values = [GroupValues(group) for group in groups]
    learned = [group for group in values if has_learned(group.analysis)]
    of_all = {"C1": claim_samples.tensor(values), "C2": claim_samples.shards(values)}
    # Networks that all give one answer to everything lose nothing with any batch size.
    of_learned = {
        "C3": claim_samples.falls(learned),
        "C4": claim_samples.remedies(learned),
        "C5": claim_samples.usual_sizes(learned),
        "C6": claim_samples.splitting(learned),
        "C7": claim_samples.predictions(learned),
    }
    samples = of_all | of_learned
    claims = [
        replace(claim, needs=f"networks that have learned something, {claim.needs}")
        if claim.name in of_learned and len(learned) < len(values)
        else claim
        for claim in CLAIMS
    ]
    return tuple(_verdict(claim, judged([*samples[claim.name]])) for claim in claims)


def _verdict(claim: Claim, evidence: Sequence[Evidence]) -> ClaimVerdict:
    kinds = {
        kind: [each for each in evidence if each.sample.comparison == kind]
        for kind in (*claim.judges, *claim.beside)
    }
    judging = {kind: kinds[kind] for kind in claim.judges}
    if not all(judging.values()):
        return ClaimVerdict(claim, NOT_STUDIED, why=f"It would need {claim.needs}.")
    verdicts = {kind: overall(comparisons) for kind, comparisons in judging.items()}
    verdict = _all_of([*verdicts.values()])
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


def _all_of(verdicts: Sequence[str]) -> str:
    """The verdict of a claim all of whose parts must hold."""
    order = (CONTRADICTED, MIXED, UNDECIDED, SUPPORTED)
    return min(verdicts, key=order.index)


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
    places = (f"{answer} on {_datasets(evidence, answer)}" for answer in (SUPPORTED, CONTRADICTED))
    return f"It depends: {', '.join(places)}."


def _datasets(evidence: Sequence[Evidence], answer: str) -> str:
    """Datasets with this answer, and in how many of their comparisons they have it."""
    all_of = Counter(each.sample.dataset for each in evidence)
    alike = Counter(each.sample.dataset for each in evidence if each.verdict == answer)
    return listing([f"{visible(name, 40)} ({n} of {all_of[name]})" for name, n in alike.items()])


def _open(evidence: Sequence[Evidence]) -> str:
    undecided = sum(each.verdict == UNDECIDED for each in evidence)
    where = "" if len(evidence) == 1 else f"In {undecided} of {len(evidence)} comparisons "
    text = f"{where}the interval is too wide for either answer; more seeds would narrow it."
    return capitalised(text)


def claims_table(verdicts: Sequence[ClaimVerdict]) -> pd.DataFrame:
    """Return one row for each claim: columns `CLAIM_COLUMNS`."""
    rows = [
        {
            "claim": answer.claim.name,
            "text": answer.claim.text,
            "place": answer.claim.place,
            "verdict": answer.verdict,
            **vars(answer.finding),
            "budget": answer.budget,
            "sentence": answer.sentence,
            "why": answer.why,
        }
        for answer in verdicts
    ]
    return as_table(pd.DataFrame(rows), CLAIM_COLUMNS)


def evidence_table(verdicts: Sequence[ClaimVerdict]) -> pd.DataFrame:
    """Return one row for each comparison studied: columns `EVIDENCE_COLUMNS`."""
    rows = [
        {
            "claim": answer.claim.name,
            "comparison": evidence.sample.comparison,
            "group": evidence.sample.group,
            "dataset": evidence.sample.dataset,
            "judges": evidence.sample.comparison in answer.claim.judges,
            "budget": evidence.sample.budget,
            "verdict": evidence.verdict,
            **vars(evidence.finding),
        }
        for answer in verdicts
        for evidence in answer.evidence
    ]
    return as_table(pd.DataFrame(rows), EVIDENCE_COLUMNS) if rows else empty_table(EVIDENCE_COLUMNS)

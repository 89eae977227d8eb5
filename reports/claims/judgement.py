"""The claims of the paper as verdicts: what the data at hand say of each, how much and how sure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.claims import _samples as samples
from reports.claims._paper_claims import CLAIMS, Claim
from reports.claims.evidence import (
    EVIDENCE_COLUMNS,
    MIXED,
    NOT_STUDIED,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    UNKNOWN,
    VERDICTS,
    Finding,
    Sample,
    datasets_of,
    judged,
    overall,
    pooled,
)
from reports.recommend import Analysis
from reports.schema import Column, capitalised, listing, plural, table_of, visible

CLAIM_COLUMNS = (
    Column("claim", "str", "", "The claim, C1 to C7."),
    Column("quote", "str", "", "What the paper claims, verbatim."),
    Column("section", "str", "", "Where it does."),
    Column("tested", "str", "", "What is tested of it."),
    Column("verdict", "str", "", f"{', '.join(VERDICTS)}.", volatile=True),
    Column("unit", "str", "", "difference: of the metric; ratio: how many times."),
    Column("effect", "float64", "", "Mean over the comparisons that judge the claim.", True),
    Column("low", "float64", "", "Lower bound of its 95% t interval.", volatile=True),
    Column("high", "float64", "", "Upper bound.", volatile=True),
    Column("budget", "str", "", "Budget rule under which it is judged.", volatile=True),
    Column("sentence", "str", "", "What was found.", volatile=True),
    Column("why", "str", "", "What the verdict means, or why there is none.", volatile=True),
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
    evidence: tuple[Sample, ...] = ()  # all comparisons, those that judge first


def claims_of(groups: Sequence[Analysis]) -> tuple[ClaimVerdict, ...]:
    """Judge every claim by the numbers of a study's groups."""
    learned = [group for group in groups if group.learned]
    verdicts = []
    for claim, sampled in zip(CLAIMS, _SAMPLES, strict=True):
        # Networks that all give one answer to everything lose nothing with any batch size.
        if claim.name in {"C1", "C2"} or len(learned) == len(groups):
            verdicts.append(_verdict(claim, sampled(groups)))
        else:
            needs = f"networks that learn something, {claim.needs}"
            verdicts.append(_verdict(replace(claim, needs=needs), sampled(learned)))
    return tuple(verdicts)


_SAMPLES = (
    *(samples.vectorized, samples.shards, samples.falls, samples.remedies),
    *(samples.usual_sizes, samples.splitting, samples.predictions),
)
"""What bears on each claim, in their order."""


def _verdict(claim: Claim, compared: Iterable[Sample]) -> ClaimVerdict:
    evidence = judged([*compared])
    kinds = {
        kind: alike
        for kind in claim.comparisons
        if (alike := [each for each in evidence if each.comparison == kind])
    }
    judging = {kind: alike for kind, alike in kinds.items() if alike[0].kind.judges}
    if not judging:
        return ClaimVerdict(claim, NOT_STUDIED, why=f"It would need {claim.needs}.")
    verdicts = {kind: overall(alike) for kind, alike in judging.items()}
    # All parts of a claim must hold.
    verdict = min(verdicts.values(), key=(NOT_SUPPORTED, MIXED, UNDECIDED, SUPPORTED).index)
    first = next(iter(judging.values()))
    return ClaimVerdict(
        claim,
        verdict,
        pooled(first),
        first[0].budget,
        " ".join(f"{capitalised(_effect(alike))}." for alike in kinds.values()),
        _why(claim, verdict, verdicts, judging),
        tuple(each for alike in kinds.values() for each in alike),
    )


def _effect(evidence: Sequence[Sample]) -> str:
    finding, metrics = pooled(evidence), dict.fromkeys(each.metric for each in evidence)
    kind = evidence[0].kind
    known = math.isfinite(finding.effect)
    effect = evidence[0].text(finding.effect) if known else "an unknown amount"
    ends = {each.ends for each in evidence}
    sizes = ends.pop() if len(ends) == 1 else None
    between = f"batch size {sizes[0]} to {sizes[1]}" if sizes else kind.ends
    sentence = kind.text.format(metric=listing([*metrics]), effect=effect, ends=between)
    span = evidence[0].span(finding.low, finding.high)
    interval = f"95% CI {span}, {plural(finding.count, 'round' if kind.timed else 'seed')}"
    if math.isnan(finding.low):
        values = np.concatenate([each.values for each in evidence])
        missed = int(np.isinf(values).sum())
        interval = f"{missed} of {values.size} runs miss the target" if missed else "no interval"
    return f"{sentence} ({interval}{_tally(evidence)})"


def _tally(evidence: Sequence[Sample]) -> str:
    if len(evidence) == 1:
        return ""
    verdicts = [each.verdict for each in evidence]
    lost, datasets = sum(not each.finite for each in evidence), len(datasets_of(evidence))
    left_out = f", {lost} of them without a value" if lost else ""
    between = f" over {datasets} datasets," if datasets > 1 else " of"
    return (
        f"; mean{between} {len(evidence)} comparisons{left_out}: {verdicts.count(SUPPORTED)} for "
        f"the claim, {verdicts.count(NOT_SUPPORTED)} against it"
    )


def _why(
    claim: Claim, verdict: str, verdicts: Mapping[str, str], judging: Mapping[str, list[Sample]]
) -> str:
    if verdict == SUPPORTED:
        return claim.upheld
    if verdict == NOT_SUPPORTED:
        names = [kind for kind, v in verdicts.items() if v == NOT_SUPPORTED]
        return f"What speaks against it: {listing(names)}." if len(verdicts) > 1 else ""
    texts = {MIXED: _mixed, UNDECIDED: _open}
    return " ".join(texts[v](judging[kind]) for kind, v in verdicts.items() if v in texts)


def _mixed(evidence: Sequence[Sample]) -> str:
    """The datasets with either answer, and in how many of their comparisons they have it."""
    number, sides = Counter(each.dataset for each in evidence), []
    for verdict in (SUPPORTED, NOT_SUPPORTED):
        alike = Counter(each.dataset for each in evidence if each.verdict == verdict)
        names = [f"{visible(name, 40)} ({n} of {number[name]})" for name, n in alike.items()]
        sides.append(f"{verdict} on {listing(names)}")
    return f"It depends: {', '.join(sides)}."


def _open(evidence: Sequence[Sample]) -> str:
    undecided = sum(each.verdict == UNDECIDED for each in evidence)
    where = "The" if len(evidence) == 1 else f"In {undecided} of {len(evidence)} comparisons the"
    return f"{where} interval is too wide for either answer; more seeds would narrow it."


def claims_table(verdicts: Sequence[ClaimVerdict]) -> pd.DataFrame:
    """Return one row for each claim: columns `CLAIM_COLUMNS`."""
    rows = [
        {**vars(judged.claim), **vars(judged), **vars(judged.finding), "claim": judged.claim.name}
        for judged in verdicts
    ]
    return table_of(rows, CLAIM_COLUMNS)


def evidence_table(verdicts: Sequence[ClaimVerdict]) -> pd.DataFrame:
    """Return one row for each comparison studied: columns `EVIDENCE_COLUMNS`."""
    rows = [
        vars(sample)
        | vars(sample.finding)
        | {"claim": judged.claim.name, "judges": sample.kind.judges}
        for judged in verdicts
        for sample in judged.evidence
    ]
    return table_of(rows, EVIDENCE_COLUMNS)

"""Sentences about studies held side by side."""

from __future__ import annotations

import pandas as pd

from reports.compare._matches import Matches, machine
from reports.recommend import Analysis
from reports.schema import capitalised, listing, plural, times, visible
from reports.stats import CONFIDENCE
from reports.text import Statement
from reports.text.instruction import size_and_rate

_WORDS = 60  # characters of a foreign name in a sentence


def findings(matches: Matches) -> list[Statement]:
    """Return what studies say together, most important first."""
    texts = [("recommendations", _recommended(matches))]
    for name in matches.others:
        texts += [("differences", _differences(matches, name)), ("times", _times(matches, name))]
    if len(matches.unmatched):
        groups = plural(len(matches.unmatched), "group")
        text = f"Without a counterpart are batch sizes of {groups}, listed below."
        texts.append(("unmatched", text))
    return [Statement(kind, text) for kind, text in texts if text]


def cautions_of(matches: Matches) -> list[Statement]:
    """Return the warnings."""
    settings, parts, partial = [], [], []
    for pair in matches.pairs:
        first, other, study = pair.first, pair.other, _called(pair.study)
        group = f"Group “{visible(first.plan.group, most=_WORDS)}”"
        if pair.changed:
            settings.append(
                f"{group} has other settings in {study}: {listing(pair.changed)}. Differences may "
                "be due to any of them."
            )
        if not pair.comparable:
            parts.append(
                f"{group} can't be compared: the first study shows its {first.metric} on "
                f"{plural(first.items, 'example')}, {study} its {other.metric} on "
                f"{plural(other.items, 'example')}."
            )
    for name, each in matches.studies.items():
        if each.missing:
            left = plural(each.missing, "planned trial")
            partial.append(f"{_called(name)} is not complete: {left} have not run.")
    texts = {"settings": settings, "parts": parts, "partial": partial}
    return [Statement(kind, text) for kind, alike in texts.items() for text in alike]


def method_of(matches: Matches) -> list[str]:
    """Return how studies are compared with each other."""
    matching = (
        f"Every study is compared with the first, {_called(matches.first)}. Groups match if they "
        "have the same data (by fingerprint), architecture, optimizer and metric; of several that "
        "do, those with the same other settings. Cells are their batch sizes, each at the learning "
        "rate that its own study selected."
    )
    tests = (
        "A difference is the other study minus the first: within seeds where two or more are "
        f"common (paired t interval, {CONFIDENCE:.0%}), otherwise of independent samples (Welch's "
        "t interval). It counts as significant if its p value, adjusted by Holm's method over all "
        "matched cells of the two studies, is at most 5%."
    )
    return [matching, tests, "Times are medians of each study's own benchmark, on its own machine."]


def _called(name: str) -> str:
    return f"“{visible(name, most=_WORDS)}”"


def _recommended(matches: Matches) -> str:
    known, texts = matches.groups.dropna(subset="recommended"), []
    for name, study in matches.studies.items():
        uses = [
            size_and_rate(row["recommended"], row["recommended_rate"])
            + (f" for “{visible(row['group'], _WORDS)}”" if study.several else "")
            for row in known[known["study"] == name].to_dict("records")
        ]
        answer = f"use {listing(uses, most=4)}" if uses else "none can be recommended yet"
        texts.append(f"in {_called(name)}, {answer}")
    return f"{capitalised('; '.join(texts))}."


def _differences(matches: Matches, name: str) -> str:
    others = {pair.first.plan.group: pair.other for pair in matches.pairs if pair.study == name}
    tested = matches.cells[matches.cells["study"] == name].dropna(subset="difference")
    by_metric = tested.groupby(tested["group"].map(lambda group: others[group].metric), sort=False)
    texts = [_by_metric(matches, others[cells["group"].iloc[0]], cells) for _, cells in by_metric]
    return " ".join(texts) or (
        f"{_called(name)} and {_called(matches.first)} have no cell in common whose metrics can be "
        "compared."
    )


def _by_metric(matches: Matches, other: Analysis, tested: pd.DataFrame) -> str:
    """How far cells are apart whose metric is the same."""
    measure = other.measure
    start = (
        f"Of {plural(len(tested), 'matched cell')}, the {other.metric} of "
        f"{_called(tested['study'].iloc[0])} differs from that of {_called(matches.first)}"
    )
    established = tested[tested["established"]].sort_values("difference", key=abs, kind="stable")
    if established.empty:
        reach = max(-tested["difference_low"].min(), tested["difference_high"].max(), 0)
        return (
            f"{start} in none by these tests; no 95% interval reaches beyond a "
            f"difference of {measure.gap(reach)}."
        )
    row = established.iloc[-1]
    span = measure.signed_span(row["difference_low"], row["difference_high"])
    return (
        f"{start} in {len(established)}, most at batch size {row['batch_size']}: by "
        f"{measure.change(row['difference'])} ({row['method']} over "
        f"{plural(int(row['seeds']), 'seed')}; 95% interval {span})."
    )


def _times(matches: Matches, name: str) -> str:
    cells = matches.cells[matches.cells["study"] == name]
    ratios = cells["time_ratio"].dropna()
    if ratios.empty:
        return ""
    machines = [machine(matches.studies[study]) for study in (matches.first, name)]
    same = machines[0] == machines[1]
    where = f"both on {machines[0]}" if same else f"on {machines[1]}, against {machines[0]}"
    span = " to ".join(times(ratio) for ratio in sorted({ratios.min(), ratios.max()}))
    return (
        f"An update takes {span} as long in {_called(name)} as in {_called(matches.first)} "
        f"({where})."
    )

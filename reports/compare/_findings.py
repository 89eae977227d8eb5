"""Sentences about studies held side by side."""

from __future__ import annotations

from collections.abc import Sequence

from reports.compare._matches import Matches, Pair, Rerun, machine
from reports.schema import listing, plural, times, visible
from reports.stats import CONFIDENCE
from reports.text import Statement

_WORDS = 60  # characters of a foreign name in a sentence


def findings(matches: Matches) -> list[Statement]:
    """Return what studies say together, most important first."""
    texts = [("recommendations", _recommended(matches))]
    for name in matches.others:
        texts += [
            ("differences", _apart(matches, name)),
            ("times", _times(matches, name)),
        ]
    texts += [("reruns", _rerun(matches, rerun)) for rerun in matches.reruns]
    texts += [("unmatched", _unmatched(matches))]
    return [Statement(kind, text) for kind, text in texts if text]


def cautions_of(matches: Matches) -> list[Statement]:
    """Return the warnings."""
    texts = [("settings", _changed(pair)) for pair in matches.pairs if pair.changed]
    texts += [("parts", _other_part(pair)) for pair in matches.pairs if not pair.comparable]
    for name, study in matches.studies.items():
        if study.missing:
            left = plural(study.missing, "planned trial")
            texts.append(("partial", f"{_called(name)} is not complete: {left} have not run."))
    return [Statement(kind, text) for kind, text in texts]


def method_of(matches: Matches) -> list[str]:
    """Return how studies are compared with each other."""
    matching = (
        "Every study is analysed by itself, as in its own report; then each is compared with the "
        f"first one, {_called(matches.first)}. Groups match if they have the same data (by "
        "fingerprint), architecture, optimizer and metric; of several that do, those whose other "
        "settings are the same, too. Cells are the batch sizes of matching groups, each at the "
        "learning rate that its own study selected."
    )
    tests = (
        "A difference is the other study minus the first. Trials of one seed share split and "
        "initial weights in all studies, so differences are taken within a seed where two or more "
        f"seeds are common (paired t interval, {CONFIDENCE:.0%}); where none is, the seeds are "
        "independent samples (Welch's t interval). An interval is that of one cell by itself; a "
        "difference counts as established if its p value, adjusted by Holm's method over all "
        "matched cells of the two studies, is at most 5%. That none is established doesn't show "
        "that there is none: the intervals show how large it may be."
    )
    times_of = (
        "Times are medians of each study's own benchmark, on its own machine. They have no "
        "interval: rounds of one benchmark show nothing about another machine."
    )
    return [matching, tests, times_of]


def _called(name: str) -> str:
    return f"“{visible(name, most=_WORDS)}”"


def _recommended(matches: Matches) -> str:
    known = matches.groups.dropna(subset="recommended")
    texts = []
    for name, study in matches.studies.items():
        rows = known[known["study"] == name]
        if not study.several:
            recommended = rows["recommended"].tolist()
            texts.append(f"{recommended[0] if recommended else 'not known yet'} in {_called(name)}")
            continue
        each = [
            f"{size} for “{visible(group, _WORDS)}”"
            for size, group in zip(rows["recommended"], rows["group"], strict=True)
        ]
        texts.append(f"{listing(each, most=4) or 'not known yet'} in {_called(name)}")
    return f"The batch size to use is {'; '.join(texts)}."


def _apart(matches: Matches, name: str) -> str:
    pairs = [pair for pair in matches.pairs if pair.study == name and pair.comparable]
    by_metric: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_metric.setdefault(pair.other.metric, []).append(pair)
    texts = [_apart_by(matches, same_metric) for same_metric in by_metric.values()]
    return " ".join(filter(None, texts)) or (
        f"{_called(name)} and {_called(matches.first)} have no cell in common whose metrics can be "
        "compared."
    )


def _apart_by(matches: Matches, pairs: Sequence[Pair]) -> str:
    """How far cells are apart whose metric is the same."""
    study, measure = pairs[0].study, pairs[0].other.measure
    ours = (matches.cells["study"] == study) & matches.cells["group"].isin(
        [pair.first.plan.group for pair in pairs]
    )
    tested = matches.cells[ours].dropna(subset="difference")
    if tested.empty:
        return ""
    start = (
        f"Of {plural(len(tested), 'matched cell')}, the {pairs[0].other.metric} of "
        f"{_called(study)} differs from that of {_called(matches.first)}"
    )
    established = tested[tested["established"]].sort_values("difference", key=abs, kind="stable")
    if established.empty:
        reach = max(-tested["difference_low"].min(), tested["difference_high"].max(), 0)
        return (
            f"{start} in none by these tests; no 95% interval reaches beyond a "
            f"difference of {measure.gap(reach)}."
        )
    row = established.iloc[-1]
    span = f"{measure.signed(row['difference_low'])} to {measure.signed(row['difference_high'])}"
    return (
        f"{start} in {len(established)}, most at batch size {row['batch_size']}: by "
        f"{measure.signed(row['difference'])}{measure.points} ({row['method']} over "
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
    span = times(ratios.min())
    if len(ratios) > 1:
        span = f"{span} to {times(ratios.max())}"
    return (
        f"An update takes {span} as long in {_called(name)} as in {_called(matches.first)} "
        f"({where})."
    )


def _rerun(matches: Matches, rerun: Rerun) -> str:
    if not rerun.trials:
        return ""
    shared = (
        f"{plural(rerun.trials, 'trial')} of {_called(rerun.study)} and {_called(matches.first)} "
        "are the same by content: data, settings and seed."
    )
    if rerun.equal == rerun.trials:
        return f"{shared} All of them have the same metrics, to the last bit."
    return (
        f"{shared} {rerun.equal:,} of them have the same metrics to the last bit; the others "
        f"differ by up to {rerun.largest:.2g}."
    )


def _unmatched(matches: Matches) -> str:
    number = len(matches.unmatched)
    if not number:
        return ""
    return f"Without a counterpart are batch sizes of {plural(number, 'group')}, listed below."


def _changed(pair: Pair) -> str:
    return (
        f"{_group(pair)} has other settings in {_called(pair.study)}: {listing(pair.changed)}. "
        "Differences may be due to any of them."
    )


def _other_part(pair: Pair) -> str:
    return (
        f"{_group(pair)} can't be compared: the first study shows its {pair.first.metric} on "
        f"{plural(pair.first.items, 'example')}, {_called(pair.study)} its {pair.other.metric} on "
        f"{plural(pair.other.items, 'example')}."
    )


def _group(pair: Pair) -> str:
    return f"Group “{visible(pair.first.plan.group, most=_WORDS)}”"

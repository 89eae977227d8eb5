"""No two places of a report disagree: every sentence and row of seven reports is read.

Winners are compared by rule: the answer, the reference, the target, and each budget rule have one
each. No size is near-optimal in one place and worse in another, none is recommended without its
learning rate, and a value that a sentence gives is that of the table. Page and terminal are equally
confident, for the same reason.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.output.build import build_report
from reports.recommend.analysis import analyse_study
from reports.recommend.record import Analysis
from reports.runs.roles import Choice
from reports.runs.tables import read_runs
from reports.schema.formats import rate
from reports.schema.results import StudyDescription, StudyResults
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE, WORSE
from reports.text.budget_rules import RULE_WORDS
from reports.text.instruction import answer_lines, confidence, confidence_line
from tests.reports.conftest import Sketch, make_results, small
from tests.reports.output.test_approved import REPORTS, VisibleText

STUDIES = {
    "digits": Sketch(),
    "two configurations": Sketch(description=REPORTS["configurations"]),
    "small and noisy": Sketch(description=small(), noise=0.03, diverges=lambda *_: False),
    "all tied": Sketch(
        description=small(), accuracy=lambda *_: 0.9, diverges=lambda *_: False, noise=0.002
    ),
    "a time for training": Sketch(
        description=small(epochs=None, budget="2 s of training"), diverges=lambda *_: False
    ),
}
FINISHED = {"finished runs, judged": 10, "finished runs, not judged": 3}
"""Seeds of each cell of finished runs."""
SIZES = r"batch sizes? (\d[\d, ]*(?:(?:to|and) \d+)?)"
USE = re.compile(
    r"\b(?:use|recommend(?:ed|s)?(?: is)?):? batch size (\d+)( with learning rate (\S+))?",
    re.IGNORECASE,
)
RATE = r"(?<!near )batch size (\d+) with learning rate ([\d.e-]+\d)(?![.e-]*\d| instead of)"
INSTEAD = r"batch size (\d+) with learning rate (\S+) instead of ([\d.e-]*\d)"
"""The rate tuned for the target, and the one that was selected."""
BEST_ON_TUNING = (
    r"batch size (\d+)(?: with learning rate \S+)?,? (?:the best|did best|best) on the tuning seeds"
)
RULES = [*RULE_WORDS.values()]
ANSWER, TARGET, TUNING = "answer", "time to target", "best on the tuning seeds"
NEAR = r"near-optimal|lose at most|(?<!not )statistically indistinguishable|not significantly"
INFERIOR = r"\bworse\b|lose more than|significantly lower"

Reports = Callable[[str], tuple[list[str], tuple[Analysis, ...]]]
"""What gives the lines of a report and its numbers."""


def sentences(lines: Sequence[str]) -> Iterator[str]:
    """Yield the sentences of lines, and rows of tables as they are."""
    for line in lines:
        text = line.replace("\xa0", " ")
        yield from [text] if " | " in text else re.split(r"(?<=[.;])\s+(?=[A-Z“])", text)


def rule_of(sentence: str) -> str:
    """Return the rule under which a sentence names a winner."""
    for words in RULES:
        if words in sentence:
            return words
    return TARGET if re.search(r"shortest time|target", sentence) else ANSWER


def winners(lines: Sequence[str]) -> dict[str, set[str]]:
    """Return the sizes that are named as the one to use or the best, by rule."""
    named: dict[str, set[str]] = {}

    def add(rule: str, size: str) -> None:
        named.setdefault(rule, set()).add(size)

    for sentence in sentences(lines):
        for size, _, _ in USE.findall(sentence):
            add(rule_of(sentence), size)
        for words in RULES:
            for size in re.findall(rf"\b(\d+) for {words}", sentence):
                add(words, size)
            if words in sentence:
                for size in re.findall(r"highest mean is \S+ at batch size (\d+)", sentence):
                    add(f"one budget of {words}", size)
        for size in re.findall(BEST_ON_TUNING, sentence, re.IGNORECASE):
            add(TUNING, size)
    return named


def without_rate(lines: Sequence[str]) -> list[str]:
    """Return the places that recommend a batch size without its learning rate."""
    flat = [sentence for sentence in sentences(lines) if " | " not in sentence]
    bare = [s for s in flat if any(not known for _, known, _ in USE.findall(s))]
    cards = [
        value
        for label, value in itertools.pairwise(lines)
        if re.fullmatch(r"use|batch size to use|recommended", label, re.IGNORECASE)
        and re.search(r"\d", value)
        and "learning rate" not in value
    ]
    headers = [
        line
        for line in lines
        if " | " in line and "Batch size to use" in line and "earning rate" not in line
    ]
    return bare + cards + headers


def expand(text: str, tried: Sequence[int]) -> set[int]:
    """Return the batch sizes that a text such as "2, 4 and 8" or "2 to 64" names."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if " to " in text:
        return {size for size in tried if numbers[0] <= size <= numbers[-1]}
    return {*numbers}


def judged(lines: Sequence[str], pattern: str, tried: Sequence[int]) -> set[tuple[str, int]]:
    """Return the sizes of which a sentence says something, each with its rule."""
    said = set()
    for sentence in sentences(lines):
        if " | " in sentence or not re.search(pattern, sentence, re.IGNORECASE):
            continue
        if re.search(r"whether|undecided|no batch size|not shown", sentence, re.IGNORECASE):
            continue
        subject = re.search(SIZES, sentence, re.IGNORECASE)
        after = re.search(rf"(?:{pattern})[^.]*?: {SIZES}", sentence, re.IGNORECASE)
        if match := after or subject:
            said |= {
                (rule_of(sentence), size) for size in expand(match[match.lastindex or 1], tried)
            }
    return said


def values(lines: Sequence[str], metric: str) -> set[tuple[int, str]]:
    """Return what sentences with a single batch size say that it attains."""
    stated = set()
    for sentence in sentences(lines):
        sizes = {*re.findall(r"batch size (\d+)", sentence, re.IGNORECASE)}
        shown = re.findall(rf"{metric} (?:of )?(\d+\.\d+%)", sentence)
        if len(sizes) == len(shown) == 1:
            stated.add((int(sizes.pop()), shown[0]))
    return stated


def contradictions(lines: Sequence[str], groups: Sequence[Analysis]) -> list[str]:
    """Return every disagreement of a report's lines, between themselves and with its numbers."""
    problems = [f"without its learning rate: {line}" for line in without_rate(lines)]
    for rule, named in winners(lines).items():
        expected = known(rule, groups)
        if expected is None and len(named) > len(groups) and not rule.startswith("one budget"):
            problems.append(f"{rule}: {sorted(named)}")
        if expected is not None and not named <= expected:
            problems.append(f"{rule}: {sorted(named)}, computed {sorted(expected)}")
    for size, stated in re.findall(RATE, "\n".join(lines), re.IGNORECASE):
        if not any(stated == rate_text(group, int(size)) for group in groups):
            problems.append(f"learning rate {stated} of batch size {size}")
    for size, other, stated in re.findall(INSTEAD, "\n".join(lines), re.IGNORECASE):
        pairs = [(target_rate(group, int(size)), rate_text(group, int(size))) for group in groups]
        if (other, stated) not in pairs:
            problems.append(f"learning rate {other} instead of {stated} of batch size {size}")
    sure = {line for line in lines if line.startswith("Confidence: ")}
    problems += sure - {confidence_line(group) for group in groups}
    tried = groups[0].tried
    near, worse = judged(lines, NEAR, tried), judged(lines, INFERIOR, tried)
    problems += [f"near-optimal and worse: {both}" for both in sorted(near & worse)]
    problems += [f"near-optimal: {size}" for size in wrong(near, groups, {NEAR_OPTIMAL, REFERENCE})]
    problems += [f"worse: {size}" for size in wrong(worse, groups, {WORSE})]
    for size, value in values(lines, groups[0].metric):
        if all(group.measure.text(group.row(size)["metric"]) != value for group in groups):
            problems.append(f"batch size {size} attains {value}")
    return problems


def known(rule: str, groups: Sequence[Analysis]) -> set[str] | None:
    """Return the winners that were computed; None if a rule is not that of the answer."""
    computed = {
        ANSWER: lambda group: group.answer.batch_size,
        TARGET: lambda group: group.target.batch_size,
        TUNING: lambda group: group.reference,
    }
    return {str(computed[rule](group)) for group in groups} if rule in computed else None


def rate_text(group: Analysis, size: int) -> str:
    return rate(group.row(size)["learning_rate"]) if size in group.tried else ""


def target_rate(group: Analysis, size: int) -> str:
    record = group.scaling.main
    if record is None or size not in group.tried:
        return ""
    return rate(record.batch_sizes.set_index("batch_size").loc[size, "target_rate"])


def wrong(
    said: set[tuple[str, int]], groups: Sequence[Analysis], verdicts: set[str]
) -> list[tuple[str, int]]:
    """Return the sizes of which the answer's rule says something else."""
    return [
        (rule, size)
        for rule, size in sorted(said)
        if rule == ANSWER and not any(group.row(size)["verdict"] in verdicts for group in groups)
    ]


def read(results: StudyResults, folder: Path) -> tuple[list[str], tuple[Analysis, ...]]:
    """Return all lines of a report, page and terminal, and its numbers."""
    groups = analyse_study(results).groups
    page = build_report(results, folder).read_text("utf-8")
    return [
        *VisibleText(page).lines(),
        *(x for group in groups for x in answer_lines(group)),
    ], groups


def finished(seeds: int) -> StudyResults:
    """Return learning curves of runs that others trained, read from a table."""
    random = np.random.default_rng(seeds)
    cells = itertools.product((8, 16, 32, 64), (0.03, 0.1, 0.3), range(seeds), range(1, 9))
    rows = [
        (size, rate, seed, 640 * part // size, 0.9 - 0.5**part - 0.01 * np.log2(size / 16) ** 2)
        for size, rate, seed, part in cells
    ]
    frame = pd.DataFrame(rows, columns=["bs", "lr", "seed", "step", "val_acc"])
    frame["val_acc"] += random.normal(0, 0.002, len(frame)) - np.log10(frame["lr"] / 0.1) ** 2 / 50
    frame = frame.assign(seconds=frame["step"] / 500)
    return read_runs(frame, Choice(), StudyDescription("", ""))[0]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Return what gives the lines and numbers of a report, made once, without its drawings."""

    @cache
    def made(name: str) -> tuple[list[str], tuple[Analysis, ...]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("reports.charts.base.svg.draw", lambda _: "<svg width='1' height='1'/>")
            seeds = FINISHED.get(name)
            results = finished(seeds) if seeds else make_results(STUDIES[name])
            return read(results, tmp_path_factory.mktemp("report"))

    return made


@pytest.mark.parametrize(
    "name",
    ["digits", *(pytest.param(name, marks=pytest.mark.slow) for name in [*STUDIES, *FINISHED][1:])],
)
def test_no_two_places_disagree(reports: Reports, name: str) -> None:
    lines, groups = reports(name)
    assert contradictions(lines, groups) == []
    named = winners(lines)
    uses = {str(group.recommended) for group in groups if group.recommended}
    assert named.get(ANSWER, set()) == uses
    assert named.get(TUNING, set()) <= {str(group.reference) for group in groups}
    for group in groups:  # page and terminal are equally confident
        level, reason = confidence(group)
        expected = 2 * sum(confidence_line(other) == confidence_line(group) for other in groups)
        stated = [x for x in lines if x.startswith(f"Confidence: {level}") and reason in x]
        assert len(stated) == expected * (group.recommended is not None)


DOCTORED = {
    "another winner": "Use batch size 512 with learning rate 30.",
    "another reference": "Batch size 1024 did best on the tuning seeds.",
    "another winner of a budget rule": "It is 1024 for equal epochs and 2 for equal epochs.",
    "no learning rate": "We recommend batch size 8.",
    "another learning rate": "Batch size 8 with learning rate 0.123 is good.",
    "another rate for the target": "Batch size 8 with learning rate 0.123 instead of 1.",
    "near-optimal although worse": "Batch size 1024 is near-optimal.",
    "as good although worse": "Batch sizes 512 and 1024 are statistically indistinguishable.",
    "worse although near-optimal": "Batch size {reference} is worse.",
    "another confidence": "Confidence: low. Nobody knows why.",
    "another value": "Batch size 8 attains test accuracy 12.3%.",
}


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_report_is_caught(reports: Reports, name: str) -> None:
    lines, groups = reports("digits")
    doctored = DOCTORED[name].format(reference=groups[0].reference)
    assert contradictions([*lines, doctored], groups)


def test_a_card_without_its_learning_rate_is_caught(reports: Reports) -> None:
    lines, groups = reports("digits")
    assert contradictions([*lines, "Use", "Batch size 64"], groups)
    assert contradictions([*lines, "Batch size to use | Time to train", "64 | 12 ms"], groups)

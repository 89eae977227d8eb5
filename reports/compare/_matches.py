"""Studies compared with the first of them: what matches, how far apart, what has no counterpart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports.recommend import GROUP_COLUMNS, Analysis, StudyAnalysis
from reports.schema import MISSING, Column, as_table, table_of, visible
from reports.stats import CONFIDENCE, difference, holm
from reports.stats.intervals import Interval

_STUDY = Column("study", "str", "", "What the study is called here: its folder.")
STUDY_COLUMNS = (
    _STUDY,
    *GROUP_COLUMNS,
    Column("machine", "str", "", "Processor that the times are of."),
)
MATCH_COLUMNS = (
    Column("group", "str", "", "Group of the first study."),
    _STUDY,
    Column("other_group", "str", "", "Its group that matches."),
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("part", "str", "", "Part of the data that the metrics are measured on."),
    Column("first_learning_rate", "float64", "", "Rate selected in the first study."),
    Column("learning_rate", "float64", "", "Rate selected in the other one."),
    Column("first_metric", "float64", "", "Mean metric over the seeds of the first study."),
    Column("metric", "float64", "", "Mean metric over the seeds of the other one."),
    Column("difference", "float64", "", "Other minus first; paired: over common seeds alone."),
    Column("difference_low", "float64", "", "Lower bound of its 95% interval."),
    Column("difference_high", "float64", "", "Upper bound, too."),
    Column("method", "str", "", "Of the interval: paired t over common seeds, or Welch's t."),
    Column("seeds", "int64", "seeds", "Pairs behind it or, unpaired, seeds of both together."),
    Column("p_value", "float64", "", "Of no difference; Holm over all matched cells of the study."),
    Column("established", "bool", "", "Whether the adjusted p value is at most 5%."),
    Column("first_seconds_per_update", "float64", "s", "Benchmark of the first study.", True),
    Column("seconds_per_update", "float64", "s", "Benchmark of the other one.", volatile=True),
    Column("first_seconds_to_train", "float64", "s", "The same, for the whole budget.", True),
    Column("seconds_to_train", "float64", "s", "The same, for the whole budget.", volatile=True),
    Column("time_ratio", "float64", "", "Seconds per update, other over first.", volatile=True),
)
UNMATCHED_COLUMNS = (
    _STUDY,
    Column("group", "str", "", "The group without a counterpart, or with a part of one."),
    Column("batch_sizes", "str", "examples", "Batch sizes without a counterpart."),
    Column("against", "str", "", "The study that lacks them."),
)


@dataclass(frozen=True)
class Pair:
    """A group of the first study and its counterpart in another one."""

    first: Analysis
    study: str  # name of the other study
    other: Analysis
    changed: tuple[str, ...]  # settings that differ, such as "activation: relu, not sigmoid"

    @property
    def comparable(self) -> bool:
        """Whether both show the metric of the same part of the data."""
        return self.first.metric == self.other.metric and self.first.items == self.other.items


@dataclass(frozen=True)
class Matches:
    """Several studies, compared with the first."""

    studies: Mapping[str, StudyAnalysis]  # by name, in order
    pairs: tuple[Pair, ...]  # groups that match, in the order of the other studies
    groups: pd.DataFrame  # columns `STUDY_COLUMNS`
    cells: pd.DataFrame  # columns `MATCH_COLUMNS`
    unmatched: pd.DataFrame  # columns `UNMATCHED_COLUMNS`

    @property
    def first(self) -> str:
        """Name of the study that the others are compared with."""
        return next(iter(self.studies))

    @property
    def others(self) -> list[str]:
        """Names of the others."""
        return list(self.studies)[1:]


def match_studies(studies: Mapping[str, StudyAnalysis]) -> Matches:
    """Hold studies against the first of them."""
    first, *others = studies
    groups_of = {name: study.groups for name, study in studies.items()}
    pairs = tuple(p for name in others for p in _pairs(groups_of[first], name, groups_of[name]))
    groups = [s.summary.assign(study=name, machine=machine(s)) for name, s in studies.items()]
    unmatched = [row for name in others for row in _unmatched(studies, first, name, pairs)]
    cells = table_of([row for pair in pairs for row in _rows(pair)], MATCH_COLUMNS)
    # The p values of each other study are adjusted together.
    for _, p_values in cells["p_value"].dropna().groupby(cells["study"]):
        cells.loc[p_values.index, "p_value"] = holm(p_values.tolist())
    return Matches(
        studies=studies,
        pairs=pairs,
        groups=as_table(pd.concat(groups, ignore_index=True), STUDY_COLUMNS),
        cells=cells.assign(established=cells["p_value"] <= 1 - CONFIDENCE),
        unmatched=table_of(unmatched, UNMATCHED_COLUMNS),
    )


def machine(study: StudyAnalysis) -> str:
    """Return the processor that a study ran on, as it was stored."""
    return visible(study.description.provenance.get("processor", MISSING))


def _key(analysis: Analysis) -> tuple[str, ...]:
    plan = analysis.plan
    return (plan.fingerprint, plan.architecture, plan.optimizer, plan.task, plan.metric)


_SETTINGS = (
    *("activation", "output", "loss", "reduction", "schedule", "rate_rule", "memory_reference"),
    "decay_reference",
    *("shards", "local_updates", "budget", "train_items", "validation_items", "test_items"),
    "further",
)


def _settings(analysis: Analysis) -> dict[str, str]:
    plan = analysis.plan
    hyperparameters = ", ".join(f"{name}={value:g}" for name, value in plan.hyperparameters.items())
    values = {"hyperparameters": hyperparameters} | {
        name: getattr(plan, name) for name in _SETTINGS
    }
    return {name.replace("_", " "): str(value or MISSING) for name, value in values.items()}


def _pairs(firsts: Sequence[Analysis], name: str, others: Sequence[Analysis]) -> list[Pair]:
    """Match groups with the same settings first, then those that are the only ones left."""
    left, pairs = list(others), dict[int, Pair]()

    def match(number: int, other: Analysis) -> None:
        settings = _settings(other)
        changed = tuple(
            visible(f"{setting}: {settings[setting]}, not {value}")
            for setting, value in _settings(firsts[number]).items()
            if settings[setting] != value
        )
        pairs[number] = Pair(firsts[number], name, other, changed)
        left[:] = [each for each in left if each is not other]

    for number, first in enumerate(firsts):
        same = [each for each in left if _key(each) == _key(first)]
        same = [each for each in same if _settings(each) == _settings(first)]
        if same:
            match(number, same[0])
    for number, first in enumerate(firsts):
        same = [each for each in left if _key(each) == _key(first)]
        rivals = [p for p, f in enumerate(firsts) if p not in pairs and _key(f) == _key(first)]
        if len(same) == 1 and rivals == [number]:
            match(number, same[0])
    return [pairs[number] for number in sorted(pairs)]


_NO_INTERVAL = Interval(math.nan, math.nan, math.nan, 0, "")


def _rows(pair: Pair) -> Iterator[dict[str, object]]:
    tables = [study.batch_sizes.set_index("batch_size") for study in (pair.first, pair.other)]
    values = [dict(list(study.seeds.groupby("batch_size"))) for study in (pair.first, pair.other)]
    for size in tables[0].index.intersection(tables[1].index):
        first, other = (table.loc[size] for table in tables)
        gap = None
        # Of a batch size with a failed seed there is no mean, and no difference of one.
        if pair.comparable and pd.notna([first["metric"], other["metric"]]).all():
            gap = difference(*(seeds[size].set_index("seed")["metric"] for seeds in values))
        between = gap.interval if gap else _NO_INTERVAL
        copied = ("learning_rate", "metric", "seconds_per_update", "seconds_to_train")
        yield {
            "group": pair.first.plan.group,
            "study": pair.study,
            "other_group": pair.other.plan.group,
            "batch_size": size,
            "part": pair.other.part,
            **{f"first_{name}": first[name] for name in copied},
            **{name: other[name] for name in copied},
            "difference": between.mean,
            "difference_low": between.low,
            "difference_high": between.high,
            "method": between.method,
            "seeds": between.count,
            "p_value": gap.p_value if gap else math.nan,
            "established": False,
            "time_ratio": other["seconds_per_update"] / first["seconds_per_update"],
        }


def _unmatched(
    studies: Mapping[str, StudyAnalysis], first: str, name: str, pairs: Sequence[Pair]
) -> Iterator[tuple[str, ...]]:
    mine = [(pair.first, pair.other) for pair in pairs if pair.study == name]
    partners = {id(x): y for pair in mine for x, y in (pair, pair[::-1])}
    for study, against in ((first, name), (name, first)):
        for analysis in studies[study].groups:
            partner = partners.get(id(analysis))
            met = set(partner.batch_sizes["batch_size"]) if partner else set()
            alone = [size for size in analysis.batch_sizes["batch_size"] if size not in met]
            if alone:
                yield study, analysis.plan.group, ", ".join(map(str, alone)), against

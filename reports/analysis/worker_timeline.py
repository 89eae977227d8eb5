"""When what ran: cohorts of trials and the benchmark on one clock, long pauses left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from reports.schema import BATCH_SIZE, Column, StudyResults, as_table

TIMED = "benchmark"  # stands for a stage in the rows of the benchmark

LEAST_PAUSE = 10.0  # seconds without anything running that are a pause, at least
PAUSE_SHARE = 0.05  # share of the time in which something ran that a pause takes, at least
LATEST = 1e11  # seconds since 1970 that a clock shows at most
SLACK = 1e-3  # seconds by which what follows may begin before the end: clocks drift

TIMELINE_COLUMNS = (
    Column("row", "int64", "", "Cohorts that ran at once are in different rows, from 1.", True),
    Column("stage", "str", "", "Stage of the trials; or benchmark, which has row 0."),
    Column("dataset", "str", "", "Name of the dataset; of trials only, like all that follow."),
    Column("architecture", "str", "", "Layer widths, inputs first, without the bias units."),
    Column("optimizer", "str", "", "Update rule."),
    Column("batch_size", "Int64", "examples", "Examples of one update."),
    Column("trials", "int64", "trials", "Trials trained in lockstep.", volatile=True),
    Column("started", "float64", "s", "Begin, since the sweep's; without pauses.", volatile=True),
    Column("ended", "float64", "s", "End, too.", volatile=True),
)

WORK_COLUMNS = (
    BATCH_SIZE,
    Column("cohorts", "int64", "cohorts", "Cohorts that trained them.", volatile=True),
    Column("trials", "int64", "trials", "Trials of all groups and stages."),
    Column("work_seconds", "float64", "s", "Seconds of all cohorts together.", volatile=True),
    Column("work_share", "float64", "", "Share of the seconds of all batch sizes.", volatile=True),
)

_COHORT = ["started", "ended", "dataset", "architecture", "optimizer", "batch_size"]


@dataclass(frozen=True)
class Timeline:
    """When what ran."""

    spans: pd.DataFrame  # columns `TIMELINE_COLUMNS`, ordered by begin
    work: pd.DataFrame  # columns `WORK_COLUMNS`, a row for each batch size
    pauses: pd.DataFrame  # at, on the clock of `spans`, and seconds: what that clock leaves out
    busy: float  # share of the time, without pauses, that rows spent on trials; NaN if unknown
    unknown: int  # trials that have run, but not known when, such as those that failed

    @property
    def rows(self) -> int:
        """Cohorts that ran at once, at most."""
        return int(self.spans["row"].max()) if len(self.spans) else 0

    @property
    def seconds(self) -> float:
        """Length of the clock."""
        return float(self.spans["ended"].max()) if len(self.spans) else 0.0


def timeline_of(results: StudyResults) -> Timeline:
    """Return when what of a study ran, by the clocks of the machines it ran on."""
    trials = results.trials.drop_duplicates("trial")
    known = _on_clock(trials, trials["ended"])
    timing = results.timing.assign(ended=results.timing["started"] + results.timing["wall_seconds"])
    # Rounds of the benchmark are joined where one follows the other.
    rounds = _on_clock(timing, timing["ended"]).drop_duplicates("started").sort_values("started")
    number = (rounds["started"] - rounds["ended"].shift() > LEAST_PAUSE).cumsum()
    passes = rounds.groupby(number).agg({"started": "min", "ended": "max"})
    passes = passes.assign(stage=TIMED, trials=0, dataset="", architecture="", optimizer="")
    cohorts = known.groupby(_COHORT, sort=False)["stage"].agg(stage="first", trials="size")
    spans = pd.concat([cohorts.reset_index(), passes], ignore_index=True)
    spans = spans.sort_values(["started", "ended", "batch_size"], kind="stable", ignore_index=True)
    on_clock, pauses = _without_pauses(spans)
    # Seconds since 1970 are not known more exactly.
    on_clock = on_clock.assign(row=_rows(on_clock)).round({"started": 6, "ended": 6})
    spans = as_table(on_clock, TIMELINE_COLUMNS)
    timed = spans[spans["stage"] != TIMED].assign(cohorts=1)
    timed["work_seconds"] = timed["ended"] - timed["started"]
    by_size = timed.groupby("batch_size")[["cohorts", "trials", "work_seconds"]]
    work = by_size.sum().reset_index()
    work["work_share"] = work["work_seconds"] / work["work_seconds"].sum()
    unknown = len(trials) - len(known)
    return Timeline(spans, as_table(work, WORK_COLUMNS), pauses, _busy(spans), unknown)


def _on_clock(table: pd.DataFrame, ended: pd.Series[float]) -> pd.DataFrame:
    """The rows whose begin and end a clock can have shown."""
    started = table["started"]
    return table[(started >= 0) & (started <= ended) & (ended <= LATEST)]


def _without_pauses(spans: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Move spans together where nothing ran for long; what was left out, and where."""
    if spans.empty:
        return spans, pd.DataFrame({"at": [], "seconds": []})
    gaps = (spans["started"] - spans["ended"].cummax().shift()).clip(lower=0).fillna(0.0)
    first = spans["started"].iloc[0]
    ran = spans["ended"].max() - first - gaps.sum()
    is_pause = gaps > max(LEAST_PAUSE, PAUSE_SHARE * ran)
    moved = first + gaps.where(is_pause, 0.0).cumsum()
    clock = spans.assign(started=spans["started"] - moved, ended=spans["ended"] - moved)
    at = clock["started"][is_pause]
    return clock, pd.DataFrame({"at": at, "seconds": gaps[is_pause]}).reset_index(drop=True)


def _rows(spans: pd.DataFrame) -> list[int]:
    """Give each cohort the first row that is free when it begins."""
    free: list[float] = []
    rows = []
    for stage, started, ended in zip(spans["stage"], spans["started"], spans["ended"], strict=True):
        if stage == TIMED:
            rows.append(0)
            continue
        row = next((n for n, until in enumerate(free) if until <= started + SLACK), len(free))
        free[row : row + 1] = [ended]
        rows.append(row + 1)
    return rows


def _busy(spans: pd.DataFrame) -> float:
    trials = spans[spans["stage"] != TIMED]
    if trials.empty:
        return math.nan
    first, last = trials["started"].min(), trials["ended"].max()
    passes = spans[spans["stage"] == TIMED]
    within = passes["ended"].clip(upper=last) - passes["started"].clip(lower=first)
    work = (trials["ended"] - trials["started"]).sum()
    length = last - first - within.clip(lower=0).sum()
    return float(work / (trials["row"].max() * length)) if length > 0 else math.nan

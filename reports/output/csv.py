"""The tables next to the page, as CSV that spreadsheets can't be tricked with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import pandas as pd

from reports.analysis import TIMING_SUMMARY_COLUMNS
from reports.analysis.batch_sizes import BATCH_SIZE_COLUMNS
from reports.analysis.branched_losses import BRANCH_LOSS_COLUMNS, CRITICAL_COLUMNS
from reports.analysis.equal_budgets import BUDGET_COLUMNS
from reports.analysis.expected_best import EXPECTED_BEST_COLUMNS
from reports.analysis.optima import OPTIMUM_COLUMNS
from reports.analysis.scaling_record import (
    NOISE_RATIO_COLUMNS,
    TARGET_COLUMNS,
    TO_TARGET_COLUMNS,
    UPDATE_TIME_COLUMNS,
    update_time_table,
)
from reports.analysis.selection import CELL_COLUMNS
from reports.analysis.update_times import SHARD_COST_COLUMNS
from reports.analysis.worker_timeline import TIMELINE_COLUMNS, WORK_COLUMNS
from reports.claims import ClaimVerdict
from reports.claims.evidence import EVIDENCE_COLUMNS
from reports.claims.judgement import CLAIM_COLUMNS, claims_table, evidence_table
from reports.recommend import ANSWER_COLUMNS, GROUP_COLUMNS, Analysis, StudyAnalysis, answer_table
from reports.recommend.record import MEAN_CURVE_COLUMNS
from reports.schema import (
    CURVE_COLUMNS,
    TIMING_COLUMNS,
    TRIAL_COLUMNS,
    Column,
    as_table,
    empty_table,
    visible,
)
from reports.stats.models import CROSSING_COLUMNS, NOISE_CURVE_COLUMNS
from reports.stats.models.first_passage import RATE
from reports.stats.models.simulated_workers import SIMULATION_COLUMNS

MOST_TEXT = 2_000  # characters of a text cell; longer ones are cut
PARTS = ("train", "validation", "test")
_FORMULA_STARTS = ("=", "+", "-", "@")
_GROUP = GROUP_COLUMNS[0]

_Table = tuple[tuple[Column, ...], Callable[[StudyAnalysis], pd.DataFrame]]


def _below(columns: tuple[Column, ...], of: Callable[[Analysis], list[pd.DataFrame]]) -> _Table:
    """Tables of groups, one below the other; every row has the label of its group in front."""
    labelled = (_GROUP, *columns)

    def stacked(study: StudyAnalysis) -> pd.DataFrame:
        parts = [part.assign(group=g.plan.group) for g in study.groups for part in of(g)]
        return as_table(pd.concat(parts), labelled) if parts else empty_table(labelled)

    return labelled, stacked


_joined = partial(pd.concat, ignore_index=True)
_TABLES: dict[str, _Table] = {
    "groups": (GROUP_COLUMNS, lambda study: study.summary),
    "optima": (OPTIMUM_COLUMNS, lambda study: study.optima),
    "trials": (TRIAL_COLUMNS, lambda study: study.results.trials),
    "cells": (CELL_COLUMNS, lambda study: _joined([g.cells for g in study.groups])),
    "expected-best": _below(EXPECTED_BEST_COLUMNS, lambda group: [group.expected_best]),
    "answers": _below(ANSWER_COLUMNS, lambda group: [answer_table(group.answers)]),
    "batch-sizes": _below(BATCH_SIZE_COLUMNS, lambda group: [group.batch_sizes]),
    "curves": (CURVE_COLUMNS, lambda study: study.results.curves),
    "mean-curves": _below(MEAN_CURVE_COLUMNS, lambda group: [group.mean_curves]),
    "budgets": _below(BUDGET_COLUMNS, lambda group: [group.budgets]),
    "targets": _below(TARGET_COLUMNS, lambda group: [group.scaling.table]),
    "to-target": _below(
        TO_TARGET_COLUMNS, lambda group: [record.batch_sizes for record in group.scaling.targets]
    ),
    "crossings": _below(
        (*CROSSING_COLUMNS, RATE),
        lambda group: [record.crossings for record in group.scaling.targets],
    ),
    "workers": _below(SIMULATION_COLUMNS, lambda group: [group.scaling.simulation.table]),
    "branches": _below(BRANCH_LOSS_COLUMNS[1:], lambda group: [group.scaling.branched.losses]),
    "critical": _below(CRITICAL_COLUMNS[1:], lambda group: [group.scaling.branched.critical]),
    "noise": _below(NOISE_CURVE_COLUMNS, lambda group: [group.scaling.noise]),
    "noise-ratio": _below(
        (*CROSSING_COLUMNS[:2], *NOISE_RATIO_COLUMNS),
        lambda group: [
            record.noise.assign(share=record.target.share, target=record.target.level)
            for record in group.scaling.targets
        ],
    ),
    "timing": (TIMING_COLUMNS, lambda study: study.results.timing),
    "timing-summary": (
        TIMING_SUMMARY_COLUMNS,
        lambda study: _joined([g.timing for g in study.groups]),
    ),
    "shard-costs": _below(SHARD_COST_COLUMNS, lambda group: [group.shard_costs]),
    "update-time": _below(
        UPDATE_TIME_COLUMNS, lambda group: [update_time_table(group.scaling.update_time)]
    ),
    "timeline": (TIMELINE_COLUMNS, lambda study: study.timeline.spans),
    "work": (WORK_COLUMNS, lambda study: study.timeline.work),
}
COLUMNS: dict[str, tuple[Column, ...]] = {
    **{name: columns for name, (columns, _) in _TABLES.items()},
    "claims": CLAIM_COLUMNS,
    "claim-evidence": EVIDENCE_COLUMNS,
}


def tables(study: StudyAnalysis, claims: Sequence[ClaimVerdict]) -> dict[str, pd.DataFrame]:
    """Return the tables of a report that a study asks for, by name, and what their columns mean."""
    simulated, optima = study.description.cluster is not None, study.description.has_optima
    negative = any(group.measure.lower_is_better for group in study.groups)
    negated = partial(_negated, target=study.description.target_loss is None)
    frames = {
        name: negated(frame(study)) if negative else frame(study)
        for name, (_, frame) in _TABLES.items()
        if (simulated or name != "workers") and (optima or name != "optima")
    }
    if claims:
        frames |= {"claims": claims_table(claims), "claim-evidence": evidence_table(claims)}
    return frames | {"columns": column_meanings({name: COLUMNS[name] for name in frames})}


_GAINS = ("metric", "metric_median", "gap", "expected_best")
_BOUNDED = ("metric", "gap", "validation")


def _negated(frame: pd.DataFrame, *, target: bool) -> pd.DataFrame:
    """Return a table with a metric as it is, of which the analysis has the negative."""
    # All groups of a study have such a metric, or none.
    names = [*_GAINS, *(f"{part}_metric" for part in PARTS), *(["target"] if target else [])]
    values = {name: 0.0 - frame[name] for name in names if name in frame}
    for name in _BOUNDED:
        if f"{name}_low" in frame:
            values |= {f"{name}_low": 0.0 - frame[f"{name}_high"]}
            values |= {f"{name}_high": 0.0 - frame[f"{name}_low"]}
    return frame.assign(**values)


def column_meanings(tables: Mapping[str, Sequence[Column]] = COLUMNS) -> pd.DataFrame:
    """Return one row for each column of each table: table, column, dtype, unit, meaning."""
    rows = [
        (table, column.name, column.dtype, column.unit, column.meaning)
        for table, columns in tables.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "dtype", "unit", "meaning"])


def to_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV, a line for each row: floats exact, text that can't act as formula."""
    text, once = frame.select_dtypes(["str", "object"]), cache(_harmless)
    # Most texts stand in many rows.
    harmless = {str(c): text[c].map(once, na_action="ignore") for c in text}
    return str(frame.assign(**harmless).to_csv(index=False, lineterminator="\n"))


def _harmless(value: object) -> str:
    text = visible(str(value), MOST_TEXT)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text

"""The tables beside the page, as CSV that spreadsheets can't be tricked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reports.analysis.batch_sizes import BATCH_SIZE_COLUMNS
from reports.analysis.equal_budgets import BUDGET_COLUMNS
from reports.analysis.expected_best import EXPECTED_BEST_COLUMNS
from reports.analysis.scaling_record import (
    NOISE_RATIO_COLUMNS,
    TARGET_COLUMNS,
    TO_TARGET_COLUMNS,
    UPDATE_TIME_COLUMNS,
    ScalingRecord,
    update_time_table,
)
from reports.analysis.selection import CELL_COLUMNS
from reports.analysis.update_times import SHARD_COST_COLUMNS, TIMING_SUMMARY_COLUMNS
from reports.analysis.worker_timeline import TIMELINE_COLUMNS, WORK_COLUMNS
from reports.claims.claims import CLAIM_COLUMNS, ClaimVerdict, claims_table, evidence_table
from reports.claims.evidence import EVIDENCE_COLUMNS
from reports.recommend.groups import GROUP_COLUMNS, StudyAnalysis
from reports.recommend.recommendation import RECOMMENDATION_COLUMNS, recommendation_table
from reports.recommend.record import MEAN_CURVE_COLUMNS
from reports.schema.formats import visible
from reports.schema.results import (
    CURVE_COLUMNS,
    TIMING_COLUMNS,
    TRIAL_COLUMNS,
    Column,
    as_table,
    empty_table,
)
from reports.stats.models.first_passage import CROSSING_COLUMNS
from reports.stats.models.noise_scale import NOISE_CURVE_COLUMNS
from reports.stats.models.simulated_workers import SIMULATION_COLUMNS

_GROUP = GROUP_COLUMNS[0]

COLUMNS: dict[str, tuple[Column, ...]] = {
    "groups": GROUP_COLUMNS,
    "trials": TRIAL_COLUMNS,
    "cells": CELL_COLUMNS,
    "expected-best": (_GROUP, *EXPECTED_BEST_COLUMNS),
    "recommendations": (_GROUP, *RECOMMENDATION_COLUMNS),
    "batch-sizes": (_GROUP, *BATCH_SIZE_COLUMNS),
    "curves": CURVE_COLUMNS,
    "mean-curves": (_GROUP, *MEAN_CURVE_COLUMNS),
    "budgets": (_GROUP, *BUDGET_COLUMNS),
    "targets": (_GROUP, *TARGET_COLUMNS),
    "to-target": (_GROUP, *TO_TARGET_COLUMNS),
    "crossings": (_GROUP, *CROSSING_COLUMNS),
    "workers": (_GROUP, *SIMULATION_COLUMNS),
    "noise": (_GROUP, *NOISE_CURVE_COLUMNS),
    "noise-ratio": (_GROUP, *CROSSING_COLUMNS[:2], *NOISE_RATIO_COLUMNS),
    "timing": TIMING_COLUMNS,
    "timing-summary": TIMING_SUMMARY_COLUMNS,
    "shard-costs": (_GROUP, *SHARD_COST_COLUMNS),
    "update-time": (_GROUP, *UPDATE_TIME_COLUMNS),
    "timeline": TIMELINE_COLUMNS,
    "work": WORK_COLUMNS,
    "claims": CLAIM_COLUMNS,
    "claim-evidence": EVIDENCE_COLUMNS,
}
"""The tables by the name of their file, without the ending; and their columns."""

MOST_TEXT = 2_000
"""Characters of a text cell; longer ones are cut."""

_FORMULA_STARTS = ("=", "+", "-", "@")


def tables(study: StudyAnalysis, claims: Sequence[ClaimVerdict]) -> dict[str, pd.DataFrame]:
    """Return the tables of a report, by the names of `COLUMNS`, and what their columns mean.

    Those of simulated workers and of claims are left out where a study asks for neither.
    """
    results, groups = study.results, study.groups
    frames = {
        "groups": study.summary,
        "trials": results.trials,
        "cells": pd.concat([group.cells for group in groups], ignore_index=True),
        "expected-best": _stacked({g.plan.group: g.expected_best for g in groups}),
        "recommendations": _stacked(
            {g.plan.group: recommendation_table(g.recommendations) for g in groups}
        ),
        "batch-sizes": _stacked({g.plan.group: g.batch_sizes for g in groups}),
        "curves": results.curves,
        "mean-curves": _stacked({g.plan.group: g.mean_curves for g in groups}),
        "budgets": _stacked({g.plan.group: g.budgets for g in groups}),
        **_scaling_tables({group.plan.group: group.scaling for group in groups}),
        "timing": results.timing,
        "timing-summary": pd.concat([group.timing for group in groups], ignore_index=True),
        "shard-costs": _stacked({g.plan.group: g.shard_costs for g in groups}),
        "update-time": _labelled(
            update_time_table([group.scaling.update_time for group in groups]),
            [group.plan.group for group in groups],
        ),
        "timeline": study.timeline.spans,
        "work": study.timeline.work,
    }
    if results.description.cluster is not None:
        frames["workers"] = _stacked({g.plan.group: g.scaling.simulation.table for g in groups})
    if claims:
        frames |= {"claims": claims_table(claims), "claim-evidence": evidence_table(claims)}
    frames = {name: frames[name] for name in COLUMNS if name in frames}
    return frames | {"columns": column_meanings({name: COLUMNS[name] for name in frames})}


def _scaling_tables(records: dict[str, ScalingRecord]) -> dict[str, pd.DataFrame]:
    ways = [(label, way) for label, record in records.items() for way in record.targets]
    ratios = [way.noise.assign(share=way.target.share, target=way.target.level) for _, way in ways]
    labels = [label for label, _ in ways]
    return {
        "targets": _stacked({label: record.table for label, record in records.items()}),
        "to-target": _of_targets("to-target", labels, [way.batch_sizes for _, way in ways]),
        "crossings": _of_targets("crossings", labels, [way.crossings for _, way in ways]),
        "noise": _stacked({label: record.noise for label, record in records.items()}),
        "noise-ratio": _of_targets("noise-ratio", labels, ratios),
    }


def _of_targets(name: str, labels: list[str], frames: list[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return empty_table(COLUMNS[name])
    return as_table(_under(labels, frames), COLUMNS[name])


def _stacked(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return _under([*frames], [*frames.values()])


def _under(labels: list[str], frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Stack frames; every row has the label of its frame in front."""
    groups = np.repeat(np.array(labels, object), [len(frame) for frame in frames])
    return _labelled(pd.concat(frames, ignore_index=True), groups)


def _labelled(table: pd.DataFrame, groups: Sequence[str] | np.ndarray) -> pd.DataFrame:
    table.insert(0, "group", pd.Series(groups, dtype="str"))
    return table


def column_meanings(tables: Mapping[str, Sequence[Column]] = COLUMNS) -> pd.DataFrame:
    """Return one row for each column of each table: table, column, dtype, unit, meaning."""
    rows = [
        (table, column.name, column.dtype, column.unit, column.meaning)
        for table, columns in tables.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "dtype", "unit", "meaning"])


def to_csv(frame: pd.DataFrame) -> str:
    r"""Return a table as CSV: floats read back exactly, text that can't act as a formula.

    A text cell that a spreadsheet would take for a formula gets an apostrophe in front; control
    characters are escaped, so that every row is one line. A missing value is an empty cell.

    Example:
        >>> to_csv(pd.DataFrame({"error": ["=1+1", "a\nb"], "rate": [0.1, -3.0]}))
        "error,rate\n'=1+1,0.1\na\\x0ab,-3.0\n"
    """
    text = frame.select_dtypes(["str", "object"])
    # Most texts stand in many rows.
    harmless = {
        str(c): text[c].map({t: _harmless(t) for t in text[c].dropna().unique()}) for c in text
    }
    return str(frame.assign(**harmless).to_csv(index=False, lineterminator="\n"))


def _harmless(value: object) -> str:
    text = visible(str(value), MOST_TEXT)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text

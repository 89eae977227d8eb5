"""The way to the targets as tables of the page."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from reports.output.page.tables import (
    Cell,
    Maker,
    Row,
    Table,
    interval,
    number,
    number_cell,
    share,
    table_of,
)
from reports.recommend.record import Analysis
from reports.schema.formats import count, off_by, seconds, significant, times
from reports.stats.models.noise_scale import RESOLVED
from reports.text.scaling import level, range_text


def scaling_tables(analysis: Analysis) -> list[Table]:
    """Return the tables of the way to the targets that have rows."""
    made = (_to_target(analysis), _targets(analysis), _noise(analysis))
    return [table for table in made if table is not None and table.rows]


def _to_target(analysis: Analysis) -> Table | None:
    record = analysis.scaling.main
    if record is None:
        return None
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Reached": share("reached", "runs"),
        "Updates": number("updates", count),
        "95% interval": interval("updates_low", "updates_high", _range(count)),
        "Half width": number("half_width", count),
        "By the fit": number("predicted_updates", count),
        "Examples": number("examples", count),
        "Time": number("seconds", seconds),
        "Time by the fits": number("predicted_seconds", seconds),
        "In the fit": _in_fit,
    }
    note = (
        f"Target: {level(analysis, record)}. Medians over runs; missing where half of them or more "
        "did not reach it. Half width: half the updates between the two evaluations around the "
        "crossing. Other targets: to-target.csv; single runs: crossings.csv."
    )
    return table_of("to-target", "The way to the target", note, columns, record.batch_sizes)


def _targets(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Target": number("target", analysis.measure.text),
        "Share of the way": number("share", "{:.0%}".format),
        "Runs": number("runs", count),
        "Missed": number("censored", count),
        "Fewest updates": number("min_updates", count),
        "Fewest examples": number("min_examples", count),
        "Critical batch size": number("critical_batch_size", significant),
        "95% interval": interval("critical_low", "critical_high", _range(significant)),
        "20% overhead": _overhead,
        "Off by up to": number("max_log_residual", off_by),
        "Fastest": number("fastest", count),
        "Predicted": number("predicted_best", significant),
        "Its interval": interval("predicted_low", "predicted_high", _range(significant)),
        "Why not": lambda row: Cell(row["reason"] or row["why_no_prediction"] or "", ""),
    }
    note = (
        "A target is a share of the way from the start to what the median batch size attains on "
        "the tuning seeds. Critical batch size: fewest examples by fewest updates. 20% overhead: "
        "what others call critical (Zhang et al. 2024), the batch size that takes 20% more updates "
        "than in proportion from the one behind it; not to be mixed with the former. Predicted: "
        "the fastest batch size by updates and seconds, fitted apart."
    )
    table = analysis.scaling.table
    return table_of("targets", "Targets", note, columns, table)


def _overhead(row: Row) -> Cell:
    cell = number_cell(row["overhead_batch_size"], significant)
    if pd.isna(row["overhead_batch_size"]):
        return cell
    return Cell(f"{cell.text} from {row['overhead_reference']:g}", cell.key)


def _noise(analysis: Analysis) -> Table | None:
    record = analysis.scaling.main
    if record is None:
        return None
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Seeds": number("seeds", count),
        "Noise scale": _noise_scale,
        "95% interval": interval("low", "high", _range(significant)),
        "By the critical batch size": number("ratio", times),
        "Its interval": interval("ratio_low", "ratio_high", _range(significant)),
    }
    note = (
        "Gradient noise scale in examples, averaged over the evaluations on the way to the target "
        "without the one before the first update: a ratio of means over seeds with Fieller's "
        "interval, beside the critical batch size. "
        "Published ratios of the two run from 0.05 to 8."
    )
    return table_of("noise", "Gradient noise scale", note, columns, record.noise)


def _noise_scale(row: Row) -> Cell:
    if row["status"] == RESOLVED:
        return number_cell(row["noise_scale"], significant)
    return Cell("unresolved", "")


def _in_fit(row: Row) -> Cell:
    if not row["fitted"]:
        return Cell("no: rate at the edge", "0")
    return Cell("yes, but near all items" if row["near_all"] else "yes", "1")


def _range(written: Callable[[float], str]) -> Callable[[float, float], str]:
    return lambda low, high: range_text(low, high, written)

"""What an update costs: the timing pass by itself, told as tables."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports.analysis.update_times import (
    CONTENDED_BELOW,
    ONE_PIECE,
    PER_ITEM,
    TENSOR,
    TIMING_SUMMARY_COLUMNS,
    UNSTEADY_ABOVE,
    summarise_timing,
)
from reports.schema.formats import percent, plural, seconds, significant
from reports.stats.bounds import Ends
from reports.stats.models.update_cost import UpdateTimeFit, fit_update_time
from sweeps.design.stages import Experiment
from sweeps.machine import available_cores
from sweeps.run.timing_pass import measurements_of, run_timing
from sweeps.store.store import Store
from sweeps.store.study_results import save_experiment
from sweeps.worker.measure import Workload

LOADED = 0.5
"""Load average by core before the pass from which on the machine was not quiet."""

_FIELDS = [column.name for column in TIMING_SUMMARY_COLUMNS[1:]]


@dataclass(frozen=True)
class Timed:
    """What an update of one network, optimizer and precision costs.

    Attributes:
        architecture: Layer widths, inputs first.
        optimizer: Update rule.
        dtype: float32 or float64.
        shards: Segments of a batch.
        table: Columns `TIMING_SUMMARY_COLUMNS` but for the group.
        fits: Fixed cost and cost of an example by the number of networks updated at once.
    """

    architecture: str
    optimizer: str
    dtype: str
    shards: int
    table: pd.DataFrame
    fits: dict[int, UpdateTimeFit]


@dataclass(frozen=True)
class UpdateTimes:
    """A timing pass.

    Attributes:
        name: The study's name.
        timed: Everything that was timed.
        load: Load average of the last minute before it; NaN if the system has none.
        cores: Cores of the machine.
    """

    name: str
    timed: tuple[Timed, ...]
    load: float
    cores: int

    @property
    def disturbances(self) -> tuple[str, ...]:
        """Why the machine was not quiet, a sentence each; empty if it was."""
        tables = pd.concat([timed.table for timed in self.timed], ignore_index=True)
        texts = (
            _loaded(self.load, self.cores),
            _contended(tables[tables["contended"]]),
            _unsteady(tables[tables["unsteady"]]),
        )
        return tuple(text for text in texts if text)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON knows it; ends that are infinite are null."""
        return {
            "study": self.name,
            "quiet": not self.disturbances,
            "disturbances": list(self.disturbances),
            "load_before": None if math.isnan(self.load) else self.load,
            "cores": self.cores,
            "timed": [_timed_json(timed) for timed in self.timed],
        }


def time_study(experiment: Experiment, folder: Path) -> UpdateTimes:
    """Measure everything a study's timing pass measures, and keep it in place of what was there."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    with Store.write(folder, experiment.specification.name) as store:
        save_experiment(store, experiment)
        run_timing(store, experiment, anew=True)
        rounds = store.stored_timing()
    timed = tuple(
        _timed(workload, rounds[rounds["workload"] == workload.identity])
        for workload in measurements_of(experiment)
    )
    return UpdateTimes(experiment.specification.name, timed, load, available_cores())


def _timed(workload: Workload, rounds: pd.DataFrame) -> Timed:
    table = summarise_timing(rounds.rename(columns={"workload": "group"})).drop(columns="group")
    tensor = rounds[rounds["engine"] == TENSOR]
    return Timed(
        architecture="-".join(map(str, workload.widths)),
        optimizer=workload.optimizer,
        dtype=workload.dtype,
        shards=workload.shards,
        table=table,
        fits={
            lanes: _fit(tensor[tensor["lanes"] == lanes])
            for lanes in tensor["lanes"].unique().tolist()
        },
    )


def _fit(rounds: pd.DataFrame) -> UpdateTimeFit:
    each = rounds["wall_seconds"] / rounds["updates"] / rounds["lanes"]
    return fit_update_time(rounds["batch_size"].to_numpy(), each.to_numpy())


def _loaded(load: float, cores: int) -> str:
    if not load > LOADED * cores:
        return ""
    return f"The load average was {load:.2f} before, on a machine of {cores} cores."


def _contended(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    return (
        f"{plural(len(rows), 'measurement')} had less than {CONTENDED_BELOW:.0%} of a processor, "
        f"the least {percent(rows['cpu_share'].min())}."
    )


def _unsteady(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    count = plural(len(rows), "measurement")
    return f"The quartiles of {count} are more than {UNSTEADY_ABOVE:.0%} apart."


def _timed_json(timed: Timed) -> dict[str, Any]:
    return {
        "architecture": timed.architecture,
        "optimizer": timed.optimizer,
        "dtype": timed.dtype,
        "shards": timed.shards,
        "measurements": timed.table[_FIELDS].to_dict("records"),
        "fits": [{"lanes": lanes} | _fit_json(fit) for lanes, fit in timed.fits.items()],
    }


def _fit_json(fit: UpdateTimeFit) -> dict[str, Any]:
    return {
        "fixed_seconds": fit.fixed_seconds,
        "fixed_seconds_interval": _ends(fit.fixed_seconds_interval),
        "seconds_per_example": fit.seconds_per_example,
        "seconds_per_example_interval": _ends(fit.seconds_per_example_interval),
        "doubling_batch_size": fit.doubling_batch_size,
        "doubling_batch_size_interval": _ends(fit.doubling_batch_size_interval),
        "poor_fit": fit.poor_fit,
        "reason": fit.reason,
    }


def _ends(ends: Ends | None) -> list[float | None] | None:
    return None if ends is None else [end if math.isfinite(end) else None for end in ends]


def times_lines(times: UpdateTimes) -> list[str]:
    """Return a timing pass as lines for a terminal."""
    lines = [f"{times.name}: seconds per update, one BLAS thread; median (quartiles) of rounds"]
    for timed in times.timed:
        lines += ["", _title(timed), *_table_lines(timed.table)]
        lines += [_fit_text(lanes, fit) for lanes, fit in timed.fits.items()]
    if times.disturbances:
        return [*lines, "", f"Not quiet: {' '.join(times.disturbances)} {_ADVICE}"]
    return [*lines, "", "The machine was quiet."]


_ADVICE = "Times may be too long: measure again when nothing else runs."


def _title(timed: Timed) -> str:
    parts = [timed.architecture, timed.optimizer, timed.dtype]
    return ", ".join(parts + [plural(timed.shards, "shard")] * (timed.shards > 1))


def _table_lines(table: pd.DataFrame) -> list[str]:
    kinds = list(dict.fromkeys(zip(table["engine"], table["lanes"], strict=True)))
    rows = [["batch size", *(_heading(engine, lanes) for engine, lanes in kinds)]]
    for size, of_size in table.groupby("batch_size"):
        cells = of_size.set_index(["engine", "lanes"]).to_dict("index")
        rows.append([str(size), *(_time(cells.get(kind)) for kind in kinds)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _heading(engine: str, lanes: int) -> str:
    if engine == PER_ITEM:
        return "item by item"
    if engine == ONE_PIECE:
        return "in one piece"
    return "one network" if lanes == 1 else f"each of {lanes} at once"


def _time(cell: Mapping[Hashable, Any] | None) -> str:
    if cell is None:
        return "none"
    low, high = seconds(cell["lower_quartile"]), seconds(cell["upper_quartile"])
    mark = "*" if cell["contended"] or cell["unsteady"] else " "
    return f"{seconds(cell['seconds_per_update'])} ({low} to {high}){mark}".replace("\xa0", " ")


def _fit_text(lanes: int, fit: UpdateTimeFit) -> str:
    who = "one network" if lanes == 1 else f"each of {lanes}"
    if fit.curve is None:
        return f"{who}: {fit.reason}"
    parts = [
        _part("fixed cost", fit.fixed_seconds, fit.fixed_seconds_interval, seconds),
        _part("each example", fit.seconds_per_example, fit.seconds_per_example_interval, seconds),
        _part(
            "doubled at batch size",
            fit.doubling_batch_size,
            fit.doubling_batch_size_interval,
            significant,
        ),
    ]
    poor = " A poor fit: some times are more than 10% off." if fit.poor_fit else ""
    reason = f" {fit.reason}" if fit.reason else ""
    return f"{who}: {', '.join(parts)}.{reason}{poor}".replace("\xa0", " ")


def _part(
    name: str, value: float | None, ends: Ends | None, written: Callable[[float], str]
) -> str:
    if value is None or ends is None:
        return f"{name} not told"
    high = written(ends.high) if math.isfinite(ends.high) else "any"
    return f"{name} {written(value)} ({written(ends.low)} to {high})"

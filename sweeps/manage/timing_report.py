"""What an update costs: the benchmark by itself, as tables."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import cpu_count

from reports.analysis import (
    CONTENDED_BELOW,
    TIMING_SUMMARY_COLUMNS,
    UNSTEADY_ABOVE,
    summarise_timing,
)
from reports.schema import ONE_PIECE, PER_ITEM, TENSOR, percent, plural, seconds, significant
from reports.stats.models import UpdateTimeFit, fit_update_time
from sweeps.design.experiment import Experiment
from sweeps.machine import load_average
from sweeps.run import measurements_of
from sweeps.run.timing_pass import run_timing
from sweeps.store import Store, save_experiment
from sweeps.worker.measure import TrainerWorkload, Workload

LOADED = 0.5  # load average by core before the pass from which on the machine was not quiet

_FIELDS = [column.name for column in TIMING_SUMMARY_COLUMNS[1:]]
_FITTED = {
    "fixed_seconds": "fixed cost",
    "seconds_per_example": "each example",
    "doubling_batch_size": "doubled at batch size",
}
"""What is fitted, each with an interval."""


@dataclass(frozen=True)
class Timed:
    """What an update of one network, optimizer and precision costs."""

    workload: Workload | TrainerWorkload
    table: pd.DataFrame  # columns `TIMING_SUMMARY_COLUMNS` but for the group
    fits: dict[int, UpdateTimeFit]  # by the number of networks updated at once

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON knows it; bounds that are infinite are null."""
        return {
            **self.workload.about,
            "measurements": self.table[_FIELDS].to_dict("records"),
            "fits": [{"lanes": lanes} | _fit_json(fit) for lanes, fit in self.fits.items()],
        }


@dataclass(frozen=True)
class UpdateTimes:
    """A benchmark."""

    name: str  # of the study
    timed: tuple[Timed, ...]
    load: float  # average of the last minute before it
    cores: int

    @property
    def disturbances(self) -> tuple[str, ...]:
        """Why the machine was not quiet, a sentence each; empty if it was."""
        table = pd.concat([timed.table for timed in self.timed], ignore_index=True)
        contended, unsteady = (int(table[name].sum()) for name in ("contended", "unsteady"))
        texts = []
        if self.load > LOADED * self.cores:
            load = f"The load average was {self.load:.2f} before"
            texts.append(f"{load}, on a machine of {self.cores} cores.")
        if contended:
            count, least = plural(contended, "measurement"), percent(table["cpu_share"].min())
            few = f"had less than {CONTENDED_BELOW:.0%} of a processor"
            texts.append(f"{count} {few}, the least {least}.")
        if unsteady:
            count = plural(unsteady, "measurement")
            texts.append(f"The quartiles of {count} are more than {UNSTEADY_ABOVE:.0%} apart.")
        return tuple(texts)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON knows it."""
        return {
            "study": self.name,
            "quiet": not self.disturbances,
            "disturbances": list(self.disturbances),
            "load_before": self.load,
            "cores": self.cores,
            "timed": [timed.to_json() for timed in self.timed],
        }


def time_study(experiment: Experiment, folder: Path) -> UpdateTimes:
    """Measure everything a study's benchmark measures, and keep it in place of what was there."""
    load = float(load_average())
    with Store.write(folder, experiment.specification.name) as store:
        save_experiment(store, experiment)
        run_timing(store, experiment, anew=True)
        rounds = store.stored_timing()
    timed = tuple(
        _timed(workload, rounds[rounds["workload"] == workload.identity])
        for workload in measurements_of(experiment)
    )
    return UpdateTimes(experiment.specification.name, timed, load, cpu_count())


def _timed(workload: Workload | TrainerWorkload, rounds: pd.DataFrame) -> Timed:
    table = summarise_timing(rounds.rename(columns={"workload": "group"})).drop(columns="group")
    tensor = rounds[rounds["engine"] == TENSOR]
    each = tensor["wall_seconds"] / tensor["updates"] / tensor["lanes"]
    fits = {
        lanes: fit_update_time(tensor["batch_size"][rows].to_numpy(), each[rows].to_numpy())
        for lanes in tensor["lanes"].unique().tolist()
        for rows in [tensor["lanes"] == lanes]
    }
    return Timed(workload, table, fits)


def _fit_json(fit: UpdateTimeFit) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name in _FITTED:
        content[name] = getattr(fit, name)
        bounds = getattr(fit, f"{name}_interval")
        finite = bounds and [bound if math.isfinite(bound) else None for bound in bounds]
        content[f"{name}_interval"] = finite
    return content | {"poor_fit": fit.poor_fit, "reason": fit.reason}


def times_lines(times: UpdateTimes) -> list[str]:
    """Return a benchmark as lines for a terminal."""
    lines = [f"{times.name}: seconds per update, one BLAS thread; median (quartiles) of rounds"]
    for timed in times.timed:
        lines += ["", timed.workload.title, *_table_lines(timed.table)]
        lines += [_fit_text(lanes, fit) for lanes, fit in timed.fits.items()]
    if not times.disturbances:
        return [*lines, "", "The machine was quiet."]
    advice = "Times may be too long: measure again when nothing else runs."
    return [*lines, "", f"Not quiet: {' '.join(times.disturbances)} {advice}"]


def _table_lines(table: pd.DataFrame) -> list[str]:
    kinds = [_heading(*kind) for kind in zip(table["engine"], table["lanes"], strict=True)]
    named = table.assign(kind=kinds, time=[_time(row) for row in table.to_dict("records")])
    wide = named.pivot_table("time", "batch_size", "kind", "first").fillna("none")
    wide = wide[[*dict.fromkeys(kinds)]].rename_axis(index="batch size", columns=None)
    return wide.reset_index().to_string(index=False).splitlines()


def _heading(engine: str, lanes: int) -> str:
    if engine == PER_ITEM:
        return "example by example"
    if engine == ONE_PIECE:
        return "unsharded"
    return "one network" if lanes == 1 else f"each of {lanes} at once"


def _time(cell: Mapping[Hashable, Any]) -> str:
    low, high = seconds(cell["lower_quartile"]), seconds(cell["upper_quartile"])
    mark = "*" if cell["contended"] or cell["unsteady"] else " "
    return f"{seconds(cell['seconds_per_update'])} ({low} to {high}){mark}".replace("\xa0", " ")


def _fit_text(lanes: int, fit: UpdateTimeFit) -> str:
    who = "one network" if lanes == 1 else f"each of {lanes}"
    if fit.curve is None:
        return f"{who}: {fit.reason}"
    parts = [f"{words} {_estimate(fit, name)}" for name, words in _FITTED.items()]
    poor = " A poor fit: some times are more than 10% off." if fit.poor_fit else ""
    reason = f" {fit.reason}" if fit.reason else ""
    return f"{who}: {', '.join(parts)}.{reason}{poor}".replace("\xa0", " ")


def _estimate(fit: UpdateTimeFit, name: str) -> str:
    value, bounds = getattr(fit, name), getattr(fit, f"{name}_interval")
    if value is None or bounds is None:
        return "unknown"
    written = significant if name == "doubling_batch_size" else seconds
    high = written(bounds.high) if math.isfinite(bounds.high) else "any"
    return f"{written(value)} ({written(bounds.low)} to {high})"

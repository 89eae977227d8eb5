"""A study's tables as files that other programs read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from reports.output.files import whole
from reports.schema import CURVE_COLUMNS, TIMING_COLUMNS, TRIAL_COLUMNS, Column, as_table
from sweeps.errors import EnvironmentFailedError, ResourceError, StoreError, counted
from sweeps.manage._named_metrics import VALUES, as_named, is_negative, turn
from sweeps.manage._trackers import prepare_mlflow, write_mlflow, write_optuna
from sweeps.store import Plan, Store, read_experiment, strict
from sweeps.worker.measure import workload_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

_NAMES_OF_RUNS = {"trial": "ID", "status": "State", "train_seconds": "Runtime"}

_METRIC = r'"metric":"(\w+)"'

EXPORTED_COLUMNS = {
    "trials": (
        *TRIAL_COLUMNS,
        Column("attempts", "int64", "", "How often it has ended.", volatile=True),
        Column(
            "metric",
            "str",
            "",
            "What columns ending in `_metric` hold; mae is in the unit of the target, of several "
            "targets in standard deviations.",
        ),
        Column("configuration", "str", "", "All that determines the result, as JSON."),
    ),
    "curves": CURVE_COLUMNS,
    "timing": (*TIMING_COLUMNS, Column("workload", "str", "", "Hash of what was timed.")),
}
"""The exported tables and their columns."""


def export(folder: Path, out: Path, kind: str = "csv") -> tuple[list[Path], list[str]]:
    """Write all that a store holds, a whole file for each of `EXPORTED_COLUMNS`, or its runs."""
    # What is not part of the study as it is now comes last; a trial has a row in each group.
    _check_packages(kind)
    with Store.read(folder) as store:
        frames, notes = _tables(store)
    files = {out / name: write for name, write in _files(frames, kind).items()}
    for path, write in files.items():
        try:
            with whole(path) as temporary:
                write(temporary)
        except OSError as error:
            raise ResourceError(f"{path} can't be written: {error.strerror or error}.") from None
    return [*files], notes


def _files(frames: dict[str, pd.DataFrame], kind: str) -> dict[str, Callable[[Path], None]]:
    """Return what writes each file, by its name."""
    if kind in STORAGES:
        name, write = STORAGES[kind]
        return {name: partial(write, frames["trials"], frames["curves"])}
    if kind == "wandb-csv":
        frames, kind = {"runs": _table_of_runs(frames["trials"])}, "csv"
    return {f"{name}.{kind}": partial(WRITERS[kind], frame) for name, frame in frames.items()}


def _tables(store: Store) -> tuple[dict[str, pd.DataFrame], list[str]]:
    planned, timed, notes = _plan(store)
    places = pd.DataFrame(planned, columns=["stage", "group", "trial"])
    workloads = pd.DataFrame(timed, columns=["group", "workload"])
    stored = store.stored_trials()
    negative = stored["configuration"].map(is_negative).astype(bool)
    turn(stored, negative)
    stored["configuration"] = stored["configuration"].map(as_named)
    stored["metric"] = stored["configuration"].str.extract(_METRIC).fillna("")
    trials = places.merge(stored, on="trial")
    strangers = stored[~stored["trial"].isin(places["trial"])].assign(group="", stage="")
    if len(strangers):
        trials = pd.concat([trials, strangers])
        count = counted(len(strangers), "trial")
        notes.append(f"{count} not part of the study as it is now: without group and stage.")
    if store.damaged():
        notes.append(f"{counted(store.damaged(), 'damaged row')} left out; a run repeats them.")
    timing = workloads.merge(store.stored_timing(), on="workload", how="right")
    curves = store.curves_table(trials["trial"])
    turn(curves, curves["trial"].isin(stored["trial"][negative]))
    frames = {"trials": trials, "curves": curves, "timing": timing.fillna({"group": ""})}
    return {name: as_table(frames[name], EXPORTED_COLUMNS[name]) for name in frames}, notes


def _plan(store: Store) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]], list[str]]:
    """Return the places of trials and the workloads of groups, as far as they are known."""
    try:
        experiment = read_experiment(store)
    except StoreError as error:
        return [], [], [str(error)]
    stages = Plan(store, experiment).stages().items()
    places = [(stage, group, t.identity) for stage, planned in stages for group, t in planned]
    return places, [(g.label, workload_of(g).identity) for g in experiment.groups], []


def _table_of_runs(trials: pd.DataFrame) -> pd.DataFrame:
    """Return trials as Weights & Biases exports its table of runs."""
    metrics = trials["metric"].unique().tolist()
    metric = metrics[0] if len(metrics) == 1 else "metric"
    names = _NAMES_OF_RUNS | {name: name.replace("metric", metric) for name in VALUES}
    runs = trials.assign(status=trials["status"].replace("ok", "finished"))
    return runs.drop(columns=["metric", "configuration"]).rename(columns=names)


def _csv(frame: pd.DataFrame, path: Path) -> None:
    harmless = {str(name): _harmless(frame[name]) for name in frame if frame[name].dtype == "str"}
    # With these ends of lines, those within a cell are quoted.
    frame.assign(**harmless).to_csv(path, index=False, lineterminator="\r\n")


def _harmless(texts: pd.Series) -> pd.Series:
    # Most texts stand in many rows.
    starts = {True: "'", False: ""}
    return texts.map({t: starts[t.startswith(FORMULA_STARTS)] + t for t in texts.unique()})


def _jsonl(frame: pd.DataFrame, path: Path) -> None:
    columns = [_plain(frame[name]) for name in frame]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for values in zip(*columns, strict=True):
            row = dict(zip(frame.columns, values, strict=True))
            file.write(json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n")


def _plain(column: pd.Series) -> Iterable[object]:
    if column.dtype == "float64":
        values = column.tolist()
        return values if np.isfinite(column).all() else map(strict, values)
    return column.astype(object).where(column.notna(), None).tolist()


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, engine="pyarrow", index=False)


def _check_packages(kind: str) -> None:
    """Refuse to go on without what a format needs, which is in the extra of its name."""
    try:
        if kind == "parquet":
            import pyarrow.parquet  # noqa: F401, PLC0415 - optional, and takes long
        elif kind == "mlflow":
            prepare_mlflow()
    except ImportError as error:
        raise EnvironmentFailedError(
            f"--format {kind} needs {error.name}, which is not installed: "
            f"pip install 'bpsweep[{kind}]', or choose --format csv or jsonl."
        ) from None


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
"""What writes a table, by the ending of the file."""
STORAGES = {"optuna": ("optuna.log", write_optuna), "mlflow": ("mlflow.db", write_mlflow)}
"""Of other libraries: the name of the file, and what writes it."""

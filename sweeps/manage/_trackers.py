"""Trials as Optuna and MLflow store them."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from reports.runs.roles import LOWER
from reports.schema import TRIAL_COLUMNS
from sweeps.manage._named_metrics import VALUES
from sweeps.store.rows import DONE

_PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "batch_size": ("IntDistribution", {"log": True, "step": 1}),
    "learning_rate": ("FloatDistribution", {"log": True, "step": None}),
    "seed": ("IntDistribution", {"log": False, "step": 1}),
}
"""Optuna's parameters and how each is distributed, but for the bounds."""
_NAMES = [column.name for column in TRIAL_COLUMNS]
_SETTINGS = _NAMES[_NAMES.index("group") : _NAMES.index("status")]
"""MLflow's parameters."""
_CURVE = ["updates", "validation_loss", "validation_metric"]
_CREATE_STUDY, _SET_STUDY_ATTRIBUTE, _CREATE_TRIAL = 0, 3, 4
_COMPLETE, _FAIL = 1, 3
_TAGS = ("status", "metric", "error")
_MOST_METRICS = 1000  # that MLflow takes at once
_LONGEST = 5000  # text that every version of it takes


def write_optuna(trials: pd.DataFrame, curves: pd.DataFrame, path: Path) -> None:
    """Write a journal of Optuna's, with a study for each configuration and metric."""
    studies = trials.groupby(["group", "metric"], sort=False)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, (_, members) in enumerate(studies):
            shared = {"worker_id": "bpsweep", "study_id": number}
            for operation in _study(members, curves):
                file.write(json.dumps(shared | operation) + "\n")


def _study(trials: pd.DataFrame, curves: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the operations that make an Optuna study of trials with one configuration."""
    group, metric = trials[["group", "metric"]].iloc[0]
    lower, judged = bool(LOWER.search(metric)), f"validation_{metric}"
    title = f"{group}, {metric}" if group else metric
    yield {"op_code": _CREATE_STUDY, "study_name": title, "directions": [1 if lower else 2]}
    names = {"study:metric_names": [judged]}
    yield {"op_code": _SET_STUDY_ATTRIBUTE, "system_attr": names}
    distributions = {}
    for name, (kind, attributes) in _PARAMETERS.items():
        bounds = {"low": trials[name].min().item(), "high": trials[name].max().item()}
        distributions[name] = json.dumps({"name": kind, "attributes": attributes | bounds})
    for row, curve in _rows(trials, curves):
        # A failure would say that divergence has no result: it has the worst.
        worst = math.inf if lower else -math.inf
        ended = row["status"] in DONE
        yield {
            "op_code": _CREATE_TRIAL,
            "state": _COMPLETE if ended else _FAIL,
            "value": row.pop(judged, worst) if ended else None,
            "datetime_start": _time(row.pop("started", None)),
            "datetime_complete": _time(row.pop("ended", None)),
            "distributions": distributions,
            "params": {name: row.pop(name) for name in _PARAMETERS},
            "intermediate_values": {at["updates"]: at[judged] for at in curve if judged in at},
            "user_attrs": row,
        }


def write_mlflow(trials: pd.DataFrame, curves: pd.DataFrame, path: Path) -> None:
    """Have MLflow write a database of its own, with a run for each trial."""
    from mlflow import MlflowClient  # noqa: PLC0415 - optional, and takes seconds
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    client = MlflowClient(f"sqlite:///{path.absolute()}")
    experiment = client.create_experiment("bpsweep")
    for row, curve in _rows(trials, curves):
        started, ended = (int(1000 * row.pop(name, 0)) for name in ("started", "ended"))
        done = row["status"] in DONE
        if done:
            row.setdefault(f"validation_{row['metric']}", math.nan)
        name, *tags = (row.pop(name, "") for name in ("trial", *_TAGS))
        known = {tag: text[-_LONGEST:] for tag, text in zip(_TAGS, tags, strict=True) if text}
        run = client.create_run(experiment, started, known, run_name=name).info.run_id
        params = [Param(name, str(row.pop(name))) for name in _SETTINGS if name in row]
        client.log_batch(run, params=params)
        # The last step is what a run is judged by.
        step = row.get("judged_at_update", row["updates"])
        steps = [(at, point) for point in curve if (at := point["updates"]) < step]
        metrics = [
            Metric(name, float(value), ended, at)
            for at, values in [*steps, (step, row)]
            for name, value in values.items()
        ]
        for first in range(0, len(metrics), _MOST_METRICS):
            client.log_batch(run, metrics[first : first + _MOST_METRICS])
        client.set_terminated(run, "FINISHED" if done else "FAILED", ended)


def prepare_mlflow() -> None:
    """Load MLflow, and have it report neither its steps nor its use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401, PLC0415

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _rows(
    trials: pd.DataFrame, curves: pd.DataFrame
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield what is known of each trial and of its evaluations, with the names of its metric."""
    points = curves[curves["trial"].isin(trials["trial"])].groupby("trial")
    evaluated = {name: part[_CURVE].to_dict("records") for name, part in points}
    for row in trials.drop(columns="configuration").to_dict("records"):
        metric, curve = row["metric"], evaluated.get(row["trial"], [])
        yield _known(row, metric), [_known(point, metric) for point in curve]


def _known(row: Mapping[Any, Any], metric: str) -> dict[str, Any]:
    return {
        name.replace("metric", metric) if name in VALUES else name: value
        for name, value in row.items()
        if pd.notna(value) and value != ""
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()

"""Finished runs of other programs: their files as one table, and the results it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.runs.names import attributes_of, unfolded
from reports.runs.roles import ROLES, Choice, RunsError
from reports.runs.tables import read_runs
from reports.schema import StudyDescription, StudyResults
from sweeps.data.registry import table_of_file
from sweeps.errors import DataError, UsageError, counted, refuse_missing

_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".feather")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_STATE = "trainer_state.json"
_WHOLE_FILES = (_STATE, "metrics.csv")
"""Names of files with a run each, which are looked for in folders before any others."""
_BESIDE = ("hparams.yaml", "hparams.json", "config.json", "args.json")
"""Names of files that say with which settings the run next to them was made."""
_DELETE_STUDY, _SET_STUDY_ATTRIBUTE, _CREATE_TRIAL = 1, 3, 4
_METRIC_NAMES = "study:metric_names"
_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_ENDED = {1, 2, 3}  # states of trials that Optuna changes no more
_INFINITE = ("1.7976931348623157e+308", "-1.7976931348623157e+308")  # to MLflow


def analyze_runs(
    runs: pd.DataFrame | Sequence[str],
    choice: Choice,
    seconds_per_update: Mapping[int, float] | None = None,
    *,
    target: float | None = None,
    margin: float | None = None,
    unit: str = "examples",
    examples_per_item: float = 1.0,
) -> tuple[StudyResults, list[str]]:
    """Return the results that a table of finished runs, or its files, hold, and notes on it.

    Raises:
        UsageError: They can't be read so; every obstacle has the option that removes it.
    """
    if isinstance(runs, pd.DataFrame):
        name, frame, notes = "runs", runs, list[str]()
    else:
        name = Path(runs[0].partition("::")[0]).stem or "runs"
        frame, notes = read_run_files(runs)
    description = StudyDescription(
        name=name,
        title=f"Finished runs of {name}",
        unit=unit,
        unit_size=examples_per_item,
        target_metric=target,
        margin=margin,
    )
    try:
        results, read = read_runs(unfolded(frame), choice, description, seconds_per_update)
    except RunsError as error:
        raise UsageError(*error.lines) from None
    return results, [*notes, *read]


def read_run_files(paths: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of runs that files hold, each cell as text, and notes on it.

    Of several files each is a run or a part of the table; what its name and the settings next to it
    say becomes columns.

    Raises:
        DataError: A file doesn't exist or is no table.
    """
    files = _last_states([file for path in paths for file in _files(path)])
    if len(files) == 1:
        return _table(files[0]), []
    parts = [_with_settings(_table(file), file) for file in files]
    return pd.concat(parts, ignore_index=True), [f"{counted(len(files), 'file')} read as runs."]


def _files(path: str) -> list[str]:
    """Return a file, or those of a folder that hold runs."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return [path]
    for wanted in (*_WHOLE_FILES, *(f"*{ending}" for ending in _ENDINGS)):
        if files := sorted(folder.rglob(wanted)):
            return [str(each) for each in files]
    raise DataError(
        f"{path} holds no runs: no file called {' or '.join(_WHOLE_FILES)}, and none that ends in "
        f"{', '.join(_ENDINGS)}."
    )


def _last_states(files: Sequence[str]) -> list[str]:
    """Return files; of the states in a run's checkpoints only the last, which has the whole log."""
    by_time = sorted(files, key=lambda file: (Path(file).parent == _run_of(file), len(file), file))
    last = {_run_of(file) if Path(file).name == _STATE else file: file for file in by_time}
    return [file for file in files if file in last.values()]


def _run_of(file: str) -> Path:
    """Return the folder of a run: that of its file, or the one with its checkpoints."""
    folder = Path(file).parent
    return folder.parent if folder.name.startswith("checkpoint-") else folder


def _table(path: str) -> pd.DataFrame:
    file = Path(path).expanduser()
    for endings, read in _READERS:
        if file.suffix in endings and (runs := read(file)) is not None:
            return runs
    refuse_missing(path)
    header, rows = table_of_file(str(file))
    return pd.DataFrame(rows, columns=[*header])


def _records(file: Path) -> pd.DataFrame | None:
    """Return the records of a JSON object that holds a list of them, as trainers log; else None."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    entries = content.values() if isinstance(content, dict) else ()
    lists = [
        value
        for value in entries
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    ]
    if len(lists) != 1:
        return None
    plain = {k: v for k, v in content.items() if isinstance(v, str | int | float | bool)}
    rows = pd.DataFrame(lists[0])
    known = {*rows, *ROLES["updates"]}  # how far a run came is no setting of it
    return rows.assign(**{key: value for key, value in plain.items() if key not in known})


def _optuna_trials(file: Path) -> pd.DataFrame | None:
    """Return the trials in a file of Optuna's storage as its data frames have them; else None."""
    try:
        parts = ("trials", "trial_values", "trial_params")
        trials, values, settings = (_table(f"{file}::{part}") for part in parts)
    except DataError:
        return None
    settings["param_value"] = [*map(_param, settings["distribution_json"], settings["param_value"])]
    names = settings.pivot_table("param_value", "trial_id", "param_name", aggfunc="first")
    values["value"] = values["value"].where(values["value_type"] == "FINITE", "inf")
    results = values[values["objective"] == "0"].set_index("trial_id")["value"]
    return trials.join(names.add_prefix("params_"), on="trial_id").join(results, on="trial_id")


def _journal_trials(file: Path) -> pd.DataFrame | None:
    """Return the trials in a journal of Optuna's as its data frames have them; else None."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return pd.DataFrame(_replayed([*map(json.loads, lines)]))
    except (OSError, ValueError, RecursionError, TypeError, LookupError):
        return None


def _replayed(journal: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the trials after all operations in a journal of Optuna's."""
    names, deleted, trials = dict[int, str](), set[int](), list[dict[str, Any]]()
    for entry in journal:
        code = entry["op_code"]
        if code == _DELETE_STUDY:
            deleted.add(entry["study_id"])
        elif code == _SET_STUDY_ATTRIBUTE and _METRIC_NAMES in entry["system_attr"]:
            names[entry["study_id"]] = f"value_{entry['system_attr'][_METRIC_NAMES][0]}"
        elif code == _CREATE_TRIAL and entry["study_id"] not in deleted:
            trials.append({"state": 0, "params": {}, "distributions": {}, "user_attrs": {}} | entry)
        elif "trial_id" in entry and trials[entry["trial_id"]]["state"] not in _ENDED:
            _change(trials[entry["trial_id"]], entry)
    kept = ((n, trial) for n, trial in enumerate(trials) if trial["study_id"] not in deleted)
    return [
        {"trial_id": number, "state": _STATES[trial["state"]]}
        | {names.get(trial["study_id"], "value"): (trial.get("values") or [trial.get("value")])[0]}
        | {f"params_{k}": _param(trial["distributions"][k], v) for k, v in trial["params"].items()}
        | {f"user_attrs_{name}": value for name, value in trial["user_attrs"].items()}
        for number, trial in kept
    ]


def _change(trial: dict[str, Any], entry: Mapping[str, Any]) -> None:
    """Apply to a trial of Optuna's what an entry of the journal says of it."""
    if "param_name" in entry:
        trial["params"][entry["param_name"]] = entry["param_value_internal"]
        trial["distributions"][entry["param_name"]] = entry["distribution"]
    trial["user_attrs"] |= entry.get("user_attr", {})
    trial |= {name: entry[name] for name in ("state", "values") if entry.get(name) is not None}


def _param(distribution: str, value: Any) -> Any:  # noqa: ANN401 - whatever was chosen
    """Return the value of one of Optuna's parameters, which has choices by their number."""
    choices = json.loads(distribution)["attributes"].get("choices")
    return choices[int(float(value))] if choices else value


def _mlflow_runs(file: Path) -> pd.DataFrame | None:
    """Return the runs in a database of MLflow's as its data frames have them; else None."""
    try:
        parts = ("runs", "latest_metrics", "params", "tags")
        runs, metrics, params, tags = (_table(f"{file}::{part}") for part in parts)
    except DataError:
        return None
    blown = (metrics["is_nan"] == "1") | metrics["value"].isin(_INFINITE)
    metrics["value"] = metrics["value"].mask(blown, "inf")
    runs = runs[runs["lifecycle_stage"] == "active"].rename(columns={"run_uuid": "run_id"})
    for prefix, table in (("metrics.", metrics), ("params.", params), ("tags.", tags)):
        names = table.pivot_table("value", "run_uuid", "key", aggfunc="first")
        runs = runs.join(names.add_prefix(prefix), on="run_id")
    return runs


def _with_settings(table: pd.DataFrame, path: str) -> pd.DataFrame:
    """Return one of several tables with the settings of its run as columns."""
    file = Path(path)
    known: dict[str, Any] = {"run": str(_run_of(path) if file.name in _WHOLE_FILES else file)}
    known |= attributes_of("/".join(file.with_suffix("").parts[-3:]))
    for name in _BESIDE:
        if (beside := file.parent / name).is_file():
            known |= _settings(beside.read_text(encoding="utf-8", errors="replace").splitlines())
    # A log has the rate of the moment; a name and settings have the run's.
    missing = [key for key in known if key not in table or key == "learning_rate"]
    return table.assign(**{key: known[key] for key in missing})


def _settings(lines: Iterable[str]) -> dict[str, str]:
    """Return the plain values of a file of YAML or JSON, a line each."""
    pairs = (line.strip().rstrip(",").partition(":") for line in lines if ":" in line)
    cleaned = ((key.strip(" \"'"), value.strip(" \"'")) for key, _, value in pairs)
    return {key: value for key, value in cleaned if key and value and value[0] not in "{[!"}


_READERS = (
    ((".json",), _records),
    ((".log",), _journal_trials),
    (_DATABASES, _optuna_trials),
    (_DATABASES, _mlflow_runs),
)
"""What reads files that may be more than a table, by their endings."""

"""Finished runs of other programs: their files as one table, and the results it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from reports.runs import ROLES, Choice, RunsError, RunTable, attributes_of, read_runs, unfolded
from reports.schema import StudyDescription
from sweeps.data.registry import table_of_file
from sweeps.errors import DataError, UsageError, counted, refuse_missing

_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".feather")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_STATE = "trainer_state.json"
_WHOLE_FILES = (_STATE, "metrics.csv")
"""Names of files with a run each, which are looked for in folders before any others."""
_BESIDE = ("hparams.yaml", "hparams.json", "config.json", "args.json")
"""Names of files that say with which settings the run next to them was made."""


def analyze_runs(
    runs: pd.DataFrame | Sequence[str],
    choice: Choice,
    description: StudyDescription,
    seconds_per_update: Mapping[int, float] | None = None,
) -> RunTable:
    """Return the results that a table of finished runs, or its files, hold; see `read_runs`.

    Raises:
        UsageError: They can't be read so; every obstacle has the option that removes it.
    """
    frame, notes = (runs, []) if isinstance(runs, pd.DataFrame) else read_run_files(runs)
    try:
        table = read_runs(unfolded(frame), choice, description, seconds_per_update)
    except RunsError as error:
        raise UsageError(*error.lines) from None
    return replace(table, notes=(*notes, *table.notes))


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
    if file.suffix in _DATABASES and (trials := _optuna_trials(path)) is not None:
        return trials
    if file.suffix == ".json" and (records := _records(file)) is not None:
        return records
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


def _optuna_trials(path: str) -> pd.DataFrame | None:
    """Return the trials in a file of Optuna's storage as its data frames have them; else None."""
    try:
        parts = ("trials", "trial_values", "trial_params")
        trials, values, settings = (_table(f"{path}::{part}") for part in parts)
    except DataError:
        return None
    kinds = settings["distribution_json"].map(lambda text: json.loads(text)["attributes"])
    settings["param_value"] = [
        kind["choices"][int(float(value))] if "choices" in kind else value
        for kind, value in zip(kinds, settings["param_value"], strict=True)
    ]
    names = settings.pivot_table("param_value", "trial_id", "param_name", aggfunc="first")
    values["value"] = values["value"].where(values["value_type"] == "FINITE", "inf")
    results = values[values["objective"] == "0"].set_index("trial_id")["value"]
    return trials.join(names.add_prefix("params_"), on="trial_id").join(results, on="trial_id")


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

"""What names say of runs: `bs64_lr0.01_seed3`, and tables with a column for each run."""

from __future__ import annotations

import re

import pandas as pd

from reports.runs.roles import ROLES, plain

_PAIR = re.compile(
    r"(?<![A-Za-z])([A-Za-z][A-Za-z_]*?)[=_\- ]?(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![A-Za-z\d])"
)
_OF_RUN = re.compile(r"^(?P<run>.+) - (?P<metric>[^-]+?)(?P<range>__(?:MIN|MAX))?$")
_NAMED = ("batch_size", "learning_rate", "seed")


def attributes_of(text: str) -> dict[str, str]:
    """Return batch size, learning rate and seed as a name or path has them, by role."""
    known: dict[str, str] = {}
    for name, value in _PAIR.findall(text):
        role = next((role for role in _NAMED if plain(name) in ROLES[role]), "")
        if role:
            known[role] = value
    return known


def unfolded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a column `RUN - METRIC` for each run as one with a row an evaluation.

    That is how W&B exports a panel. What a run's name says of it becomes columns; ranges next to
    the values are left out. Any other table stays as it is.
    """
    parts = {name: _OF_RUN.match(str(name)) for name in frame.columns}
    values = {name: part for name, part in parts.items() if part and not part["range"]}
    runs = {name: part for name, part in values.items() if attributes_of(part["run"])}
    if not runs:
        return frame
    rest = frame[[name for name, part in parts.items() if part is None]]
    tables = [
        rest.assign(run=part["run"], **{part["metric"]: frame[name]}, **attributes_of(part["run"]))
        for name, part in runs.items()
    ]
    metrics = [*dict.fromkeys(part["metric"] for part in runs.values())]
    long = pd.concat(tables, ignore_index=True)
    return long[long[metrics].notna().any(axis=1) & (long[metrics] != "").any(axis=1)]

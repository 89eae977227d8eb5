"""From a table of finished runs to a study's results."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.runs._numbers import Numbers, numbers_of
from reports.runs.roles import LOWER, Choice, Roles, RunsError, plain, roles_of
from reports.schema import (
    CLASSIFICATION,
    EVALUATION_COLUMNS,
    RUN_COLUMNS,
    GroupDescription,
    StudyDescription,
    StudyResults,
    as_table,
    listing,
    plural,
)
from reports.schema.measures import NEGATIVE

_ORDER = ("updates", "examples", "epoch")
"""Roles by which the evaluations of a run follow one another."""
_PERCENT = 1.5  # accuracies above are percent
_MOST = 2**53  # whole numbers up to which each is a number of its own
_MOST_NAMED = 3  # rows that a note names one by one
_FEWEST_LEVELS, _MOST_LEVELS = 2, 20  # values of a column that may distinguish configurations
_SHARES = {"acc", "accuracy", "f1", "auc", "precision", "recall"}
_COMPLETE = {"complete", "completed", "finished", "ok", "success", "succeeded", "done", "diverged"}
"""States of a run that came to its end, in divergence too."""
_YES = {"true", "1", "1.0", "yes", "reached"}  # what says that a run reached the target


def read_runs(
    frame: pd.DataFrame,
    choice: Choice,
    description: StudyDescription,
    seconds_per_update: Mapping[int, float] | None = None,
) -> tuple[StudyResults, tuple[str, ...]]:
    """Return the results of a table with a row a run or, where runs come again, an evaluation.

    And what was made of it, a sentence each.
    The description has name, unit, target and margin, in the unit of the metric's column; groups
    are set here. What can't be read so is a `RunsError` with every obstacle and what to type.
    """
    if frame.empty:
        raise RunsError(["There are no runs in it."])
    if not 0 < description.unit_size < math.inf:
        size = description.unit_size
        raise RunsError([f"--examples-per-item must be a number above 0, but is {size:g}."])
    frame = _flat(frame)
    reading = _Reading(frame, roles_of(frame, choice), choice)
    runs, evaluations = reading.runs()
    metric, level, margin = reading.metric, description.target_metric, description.margin
    groups = tuple(
        GroupDescription(
            group=str(label),
            metric=metric,
            task=CLASSIFICATION if reading.shares and not reading.lower else "",
            batch_sizes=tuple(sorted({*rows["batch_size"].tolist()})),
            learning_rates=tuple(sorted({*rows["learning_rate"].dropna().tolist()})),
            budget="its whole length",
            notes=tuple(reading.notes),
            scale=None if math.isnan(rows["scale"].iloc[0]) else float(rows["scale"].iloc[0]),
        )
        for label, rows in runs.groupby("group", sort=False)
    )
    described = replace(
        description,
        groups=groups,
        finished=True,
        scale_name=reading.roles.scale,
        target_metric=level if level is None else reading.sign * reading.unit * level,
        margin=margin if margin is None else reading.unit * margin,
    )
    timing = None if seconds_per_update is None else _timing(groups, seconds_per_update)
    results = StudyResults.from_runs(described, as_table(runs, RUN_COLUMNS), evaluations, timing)
    return results, (reading.roles_sentence(len(runs)), *reading.notes)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with one level of columns, to which the named levels of its index belong."""
    names = [
        ".".join(str(part) for part in (name if isinstance(name, tuple) else [name]) if part != "")
        for name in frame.columns
    ]
    flat = frame.set_axis(names, axis=1)
    levels = [name for name in flat.index.names if name is not None and name not in names]
    flat = (flat.reset_index(levels) if levels else flat).rename(columns=str)
    again = sorted({*flat.columns[flat.columns.duplicated()]})
    if again:
        raise RunsError([f"Several columns are called {listing(again)}: drop all but one of each."])
    return flat.reset_index(drop=True)


def _timing(groups: Sequence[GroupDescription], seconds: Mapping[int, float]) -> pd.DataFrame:
    rows = [
        (plan.group, n, 1, seconds[n]) for plan in groups for n in plan.batch_sizes if n in seconds
    ]
    return pd.DataFrame(rows, columns=["group", "batch_size", "updates", "seconds"])


class _Reading:
    """A table on its way to runs; notes say what became of rows."""

    def __init__(self, frame: pd.DataFrame, roles: Roles, choice: Choice) -> None:
        self.roles, self.choice, self.notes = roles, choice, list[str]()
        self.shape = "one row a run"
        self.kept = pd.Series(data=True, index=frame.index)
        self.frame = frame
        self.states = self._texts("state")
        self.judged = roles[roles.judged] if roles.judged else ""
        self._obstacles: list[str] = []
        self.values = {
            role: self._numbers(role)
            for role in roles.columns
            if role not in {"run", "state", "reached", "seed"}
        }
        self.lower = self._lower_is_better()
        self.sign = -1.0 if self.lower else 1.0
        if self._obstacles:
            raise RunsError(self._obstacles)

    @property
    def metric(self) -> str:
        """The name of the metric as the analysis has it."""
        return f"{NEGATIVE if self.lower else ''}{self.judged}" if self.judged else ""

    @property
    def unit(self) -> float:
        """What one of the metric's column is: 0.01 of percent."""
        return 0.01 if self.roles.judged and self.values[self.roles.judged].percent else 1.0

    @property
    def shares(self) -> bool:
        """Whether the metric is a share, by its name and its values."""
        values = self._read(self.roles.judged)
        return self._is_share(self.judged) and not (values.abs() > _PERCENT).any()

    def _numbers(self, role: str) -> Numbers:
        column = self.roles[role]
        read = numbers_of(self.frame[column])
        if read.strange.any():
            examples = self.frame.loc[read.strange, column].astype("str").unique().tolist()
            why = f"hold no number in {column!r}: {listing(examples, _MOST_NAMED)}"
            if role in {"batch_size", "learning_rate", self.roles.judged or "steps"}:
                self._leave_out(read.strange, why)
            else:
                self.notes.append(f"{plural(int(read.strange.sum()), 'row')} {why}.")
        if role in {"metric", "loss"}:
            return self._shares(column, read)
        return read

    def _shares(self, column: str, read: Numbers) -> Numbers:
        """Return accuracies in percent as shares."""
        values = read.values.dropna()
        above = values > _PERCENT
        if not self._is_share(column) or not above.any() or values.max() > 100:  # noqa: PLR2004
            return read
        if not above.all() and (values[~above] > 0).any() and values[above].min() > 10:  # noqa: PLR2004
            self._obstacles.append(
                f"{column!r} mixes shares and percent: {values[~above].iloc[0]:g} and "
                f"{values[above].iloc[0]:g}. Write all of them in one way."
            )
        self.notes.append(f"{column!r} is in percent; shares are shown.")
        return replace(read, values=read.values / 100, percent=True)

    def _lower_is_better(self) -> bool:
        if self.choice.maximize is not None:
            return not self.choice.maximize
        if self.roles.judged == "loss" and self._is_share(self.judged):
            self._obstacles.append(
                f"--loss {self.judged!r} is named like what is better the higher it is: type "
                f"--metric {self.judged!r}, or add --minimize."
            )
        return self.roles.judged == "loss" or bool(LOWER.search(plain(self.judged)))

    @staticmethod
    def _is_share(column: str) -> bool:
        name = plain(column)
        return not _SHARES.isdisjoint(name.split("_")) and not LOWER.search(name)

    def _leave_out(self, rows: pd.Series[bool], why: str) -> None:
        """Leave out rows, with a note that says why."""
        left = rows & self.kept
        if left.any():
            count = int(left.sum())
            self.notes.append(f"{plural(count, 'row')} left out, which {why}.")
            self.kept &= ~rows

    def _read(self, role: str) -> pd.Series[float]:
        read = self.values.get(role)
        return pd.Series(math.nan, self.frame.index) if read is None else read.values

    def runs(self) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Return one row a run, and the evaluations of learning curves if there are any."""
        rows = self._rows()
        keys = ["group", "batch_size"]
        rows["key"] = rows.groupby([*keys, "named", "seed", "learning_rate"], dropna=False).ngroup()
        by_run = rows.groupby("named")
        if by_run["key"].nunique().max() > 1 and by_run["batch_size"].nunique().max() == 1:
            # Where a run's rate or seed changes along it, the run's own name counts.
            rows["key"] = rows.groupby([*keys, "named"]).ngroup()
        # Rows without the metric, as of the training loss, are no evaluations.
        rows["known"] = rows["metric"].notna() | rows["blown"]
        known = rows[rows["known"]]
        if rows["key"].duplicated().any() and known["order"].notna().all():
            again = known.duplicated(["key", "order"])
            if again.mean() < 0.5:  # noqa: PLR2004 - otherwise rows are runs
                self.shape = "one row an evaluation"
                return self._curves(rows)
        return self._single(rows), None

    def _rows(self) -> pd.DataFrame:
        frame, roles, sizes = self.frame, self.roles, self._read("batch_size")
        whole = sizes.between(1, _MOST) & (sizes % 1 == 0)
        self._leave_out(~whole, "have no whole batch size")
        rates, run = self._rates(sizes), self._texts("run")
        if roles["learning_rate"]:
            self._leave_out(~(rates > 0), "have no learning rate above 0")
        for role in ("updates", "examples", "steps"):
            values = self._read(role)
            # Updates to a target may be in any unit, but not 0.
            possible = values.between(0, _MOST, "right" if role == "steps" else "both")
            self._leave_out(~possible & values.notna(), f"have impossible {role}")
        self._leave_out(*self._incomplete())
        order = next((self._read(role) for role in _ORDER if roles[role]), None)
        blown = [self.values[role].blown for role in ("metric", "loss") if role in self.values]
        table = pd.DataFrame(
            {
                "group": self._labels(),
                "scale": self._scale(),
                "batch_size": sizes,
                "learning_rate": rates,
                "seed": self._seeds(),
                "named": run,
                "order": math.nan if order is None else order,
                **{role: self._read(role) for role in ("updates", "examples", "seconds", "steps")},
                "loss": self._read("loss"),
                "metric": self.sign * self._read(roles.judged),
                "blown": np.logical_or.reduce([self.states.str.lower() == "diverged", *blown]),
                "reached": self._texts("reached").str.lower().isin(_YES) | (not roles["reached"]),
            },
            index=frame.index,
        )[self.kept]
        if table.empty:
            raise RunsError(["No row is left.", *self.notes])
        return table.astype({"batch_size": "int64"})

    def _rates(self, sizes: pd.Series[float]) -> pd.Series[float]:
        """Return learning rates, in rows without one the largest of their run."""
        # Logs leave it out of evaluations, and a schedule may end at 0.
        rates, name = self._read("learning_rate"), self.roles["run"]
        if not name:
            return rates
        run = self.frame[name]
        is_run = sizes.groupby(run).transform("nunique") == 1  # and not what several share
        return rates.where((rates > 0) | ~is_run, rates.groupby(run).transform("max"))

    def _incomplete(self) -> tuple[pd.Series[bool], str]:
        """Return which runs did not come to their end, where a column says so, and why."""
        complete = self.states.str.lower().isin(_COMPLETE)
        others = ~complete if complete.any() else complete
        return others, f"did not complete: {listing(sorted(self.states[others].unique()))}"

    def _texts(self, role: str) -> pd.Series[str]:
        """Return a column as texts, empty where there is nothing."""
        name = self.roles[role]
        column = self.frame[name] if name else pd.Series("", self.frame.index)
        return column.astype("str").fillna("").str.strip()

    def _seeds(self) -> pd.Series[float]:
        """Return seeds; those that are no whole numbers of their own are numbered."""
        if not self.roles["seed"]:
            return pd.Series(math.nan, self.frame.index)
        texts = self._texts("seed")
        seeds = numbers_of(self.frame[self.roles["seed"]]).values
        if ((seeds % 1 == 0) & (seeds.abs() <= _MOST)).all():
            return seeds
        return pd.Series(pd.factorize(texts, sort=True)[0], self.frame.index, dtype="float64")

    def _labels(self) -> pd.Series[str]:
        by = self.roles.by
        if not by:
            return pd.Series("all runs", self.frame.index)
        parts = [f"{name}=" + self.frame[name].astype("str").fillna("") for name in by]
        return functools.reduce(lambda before, part: before + ", " + part, parts)

    def _scale(self) -> pd.Series[float]:
        name = self.roles.scale
        if not name:
            return pd.Series(math.nan, self.frame.index)
        values = numbers_of(self.frame[name]).values
        many = values.groupby(self._labels()).nunique()
        if (many > 1).any() or name not in self.roles.by:
            by = listing([*self.roles.by, name]).replace(" and ", ", ").replace(", ", ",")
            raise RunsError(
                [f"{name!r} has several values in one configuration: add it with --by {by}."]
            )
        return values

    def _single(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows that are a run each; of those with one seed in one cell the last counts."""
        cell = ["group", "batch_size", "learning_rate"]
        if self.roles["seed"]:
            again = rows.duplicated([*cell, "seed"], keep="last")
            if again.any():
                self.notes.append(
                    f"{plural(int(again.sum()), 'run')} left out, as a later one has the same cell "
                    "and seed."
                )
            rows = rows[~again]
        else:
            rows = rows.assign(seed=rows.groupby(cell, dropna=False).cumcount())
        ended = rows["metric"].notna() | rows["steps"].notna()
        silent = ~ended & ~rows["blown"]
        self._leave_out(silent.reindex(self.kept.index, fill_value=False), "have no value")
        rows = rows.assign(status=np.where(ended, "ok", "diverged"))[~silent]
        if rows.empty:
            raise RunsError(["No run has a value.", *self.notes])
        if (rows["seconds"] > 0).any() and not (rows["updates"] > 0).any():
            self.notes.append(
                "Times are left out, as the number of updates is not known: name it with --updates."
            )
        whole = {"updates": 0, "examples": 0, "seed": 0}
        return rows.fillna(whole).astype(dict.fromkeys(whole, "int64")).reset_index(drop=True)

    def _curves(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Return each run's last evaluation as the run, and all of them."""
        rates = rows.groupby("key")["learning_rate"]
        if (rates.max() > rates.min()).any():
            self.notes.append("Learning rates change along runs; the largest of each counts.")
        rows = rows.assign(learning_rate=rates.transform("max")).sort_values(["key", "order"])
        known = rows[rows["known"]]
        last = known.drop_duplicates("key", keep="last")
        ends = rows.groupby("key")[["updates", "examples", "seconds"]].max()
        silent = rows[~rows["key"].isin(last["key"])].drop_duplicates("key", keep="last")
        runs = pd.concat([last, silent]).drop(columns=[*ends]).join(ends, on="key")
        single = self._single(runs)
        if "updates" not in self.roles.columns:
            self.notes.append(
                "Learning curves are not shown, as updates are not known: name them with --updates."
            )
            return single, None
        number = dict(zip(single["key"], single.index, strict=True))
        points = known[known["key"].isin(number) & ~known["blown"]]
        table = points.assign(run=points["key"].map(number)).fillna({"examples": 0})
        return single, as_table(table, EVALUATION_COLUMNS)

    def roles_sentence(self, runs: int) -> str:
        """Return what the columns were taken for."""
        better = "lower is better" if self.lower else "higher is better"
        words = {role: role.replace("_", " ") for role in self.roles.columns}
        parts = [
            f"{words[role]} {column!r}"
            + (f" ({better})" if role == self.roles.judged else "")
            + (" (guessed)" if role in self.roles.guessed else "")
            for role, column in self.roles.columns.items()
            if role not in {"state", "reached"}
        ]
        by = f"; configurations by {listing(self.roles.by)}" if self.roles.by else ""
        read = f"{plural(runs, 'run')} read, {self.shape}"
        return f"{read}: {listing(parts, 20)}{by}.{self._others()}"

    def _others(self) -> str:
        """Name columns that may distinguish configurations, each of which has several runs."""
        if self.roles.by:
            return ""
        rows, used = len(self.frame), {*self.roles.columns.values()}
        texts = [
            str(name)
            for name in self.frame.select_dtypes(["object", "str", "category"])
            if name not in used
            and _FEWEST_LEVELS
            <= self.frame[name].astype("str").nunique()
            <= min(_MOST_LEVELS, rows / 2)
            and numbers_of(self.frame[name]).strange.any()
        ]
        if not texts:
            return ""
        return f" {listing(texts)} may make configurations: --by {','.join(texts)}."

"""How trials ended: how many of each kind, why some have no result, and which means are whole.

A mean over seeds is one of all seeds that were planned, or it isn't shown: see `count_seeds`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from reports.schema.formats import listing, visible

LARGEST = 1e50
"""Magnitude beyond which a number measures nothing, as an infinite one: its square is near the
largest number there is, or beyond."""
LEAST = 1e-50  # magnitude below which a number is 0: what is divided by it would be as large
SIZE = ["group", "batch_size"]
CELL = [*SIZE, "learning_rate"]
"""Columns that name a cell: a configuration, a batch size and a learning rate, with all seeds."""

STATUS_WORDS = {"error": "ended in an error", "crashed": "crashed", "timeout": "ran out of time"}
"""What became of a trial without a result, by its status; other statuses are shown as they are."""


@dataclass(frozen=True)
class Cause:
    """Trials that have no result for the same reason: the last line of what went wrong."""

    status: str
    reason: str
    trials: int

    @property
    def words(self) -> str:
        """What became of them, to be read after their number."""
        return STATUS_WORDS.get(self.status, visible(self.status, most=40))


@dataclass(frozen=True)
class Counts:
    """How many trials there are of each kind; causes are the commonest first."""

    run: int
    ok: int
    diverged: int
    stopped: int
    causes: tuple[Cause, ...]

    @property
    def failed(self) -> int:
        """Trials without a result that did not diverge."""
        return self.run - self.ok - self.diverged

    @property
    def failures(self) -> str:
        """How the failed ones ended, such as "2 crashed and 1 ran out of time"."""
        totals: Counter[str] = Counter()
        for cause in self.causes:
            totals[cause.words] += cause.trials
        return listing([f"{number:,} {words}" for words, number in totals.most_common()])


def measurements(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose floats measure something, or are missing: see `LARGEST` and `LEAST`."""
    floats = table.select_dtypes("float64")
    sizes = floats.abs()
    # A missing size is not at most the largest one.
    return table.assign(**floats.where(sizes <= LARGEST).mask(sizes < LEAST, 0.0))


def has_value(trials: pd.DataFrame, part: str) -> pd.Series[bool]:
    """Return which trials have a value on a part: they ended, with a metric and a loss."""
    metric, loss = (trials[f"{part}_{name}"].abs() <= LARGEST for name in ("metric", "loss"))
    # Tables of others' runs may have no losses at all.
    unrecorded = trials[[f"{each}_loss" for each in ("validation", "test")]].isna().all(axis=None)
    return (trials["status"] == "ok") & metric & (loss | bool(unrecorded))


def count_seeds(trials: pd.DataFrame, part: str, planned: pd.Series[int]) -> pd.DataFrame:
    """Return how many seeds each cell has, of trials of one kind of stage; indexed by `CELL`."""
    # Columns planned; trials, those that have run; ok, those with a value; diverged; ended, the
    # last two together; and complete: a value for every seed, planned or run.
    ok, diverged = has_value(trials, part), trials["status"] == "diverged"
    counted = trials[CELL].assign(ok=ok, diverged=diverged, trials=1)
    cells = counted.groupby(CELL).sum()
    cells = cells.join(planned.rename("planned"), on=SIZE)
    needed = cells[["planned", "trials"]].max(axis=1)
    cells["ended"] = cells["ok"] + cells["diverged"]
    return cells.assign(planned=needed, complete=cells["ok"] == needed)


def count_outcomes(trials: pd.DataFrame) -> Counts:
    """Count how trials ended."""
    status = trials["status"]
    ok, diverged = status == "ok", status == "diverged"
    failed = trials[~(ok | diverged)]
    # The last line with text is where a traceback names its exception.
    errors = [
        [line.strip() for line in error.splitlines() if line.strip()] for error in failed["error"]
    ]
    reasons = [lines[-1] if lines else "" for lines in errors]
    counted = Counter(zip(failed["status"].tolist(), reasons, strict=True))
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return Counts(
        run=len(trials),
        ok=int(ok.sum()),
        diverged=int(diverged.sum()),
        stopped=int((ok & trials["stopped_at_update"].notna()).sum()),
        causes=tuple(Cause(status, reason, n) for (status, reason), n in ordered),
    )

"""How trials ended: how many of each kind, and why some have no result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from reports.formats import listing, visible

STATUS_WORDS = {
    "error": "ended in an error",
    "crashed": "crashed",
    "timeout": "ran out of time",
}
"""What became of a trial without a result, by its status; other statuses are shown as they are."""


@dataclass(frozen=True)
class Cause:
    """Trials that have no result for the same reason.

    Attributes:
        status: Theirs.
        reason: Last line of what went wrong; "" if nothing is known.
        trials: How many.
    """

    status: str
    reason: str
    trials: int

    @property
    def words(self) -> str:
        """What became of them, to be read after their number."""
        return STATUS_WORDS.get(self.status, visible(self.status, most=40))


@dataclass(frozen=True)
class Counts:
    """How many trials there are of each kind.

    Attributes:
        run: With an outcome.
        ok: With a result.
        diverged: Diverged.
        stopped: With a result, but stopped before the end of their budget.
        causes: Why the others have no result, the commonest first.
    """

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


def count_outcomes(trials: pd.DataFrame) -> Counts:
    """Count how trials ended.

    Args:
        trials: Columns `reports.results.TRIAL_COLUMNS`.
    """
    status = trials["status"]
    ok = status == "ok"
    return Counts(
        run=len(trials),
        ok=int(ok.sum()),
        diverged=int((status == "diverged").sum()),
        stopped=int(trials.loc[ok, "stopped_at_update"].notna().sum()),
        causes=_causes(trials[~status.isin(["ok", "diverged"])]),
    )


def _causes(failed: pd.DataFrame) -> tuple[Cause, ...]:
    reasons = failed["error"].map(_last_line)
    counted = Counter(zip(failed["status"], reasons, strict=True))
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Cause(status, reason, number) for (status, reason), number in ordered)


def _last_line(error: str) -> str:
    """Last line with text: where a traceback names its exception."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1] if lines else ""

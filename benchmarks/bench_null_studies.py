"""Is one cell under two names told apart? Two hundred studies, from their trials to the verdict.

Each is a group of one large study. All accuracies are drawn by one law, whatever the batch size is
called; then the second one is worse by 2 and by 4 standard errors of the difference. Prints in how
many studies the report tells them apart, and what the power of the paired t test says. Exits with 1
if a count has a probability below 1%, or if a sentence says another thing than the test.

    python benchmarks/bench_null_studies.py
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from scipy import stats
from synthetic_study import synthetic_study

from reports.recommend.analysis import analyse
from reports.recommend.record import Analysis
from reports.schema.results import (
    CONFIRM,
    CURVE_COLUMNS,
    TIMING_COLUMNS,
    StudyResults,
    empty_table,
)
from reports.stats.power import power_to_detect
from reports.text.verdicts import verdict

STUDIES, SEEDS = 200, 5
SPREAD = 0.01
LEVEL = 0.05
RARE = 0.01


def main() -> int:
    """Count, print and return the exit code."""
    study = synthetic_study(
        groups=STUDIES, batch_sizes=2, rates=1, seeds=SEEDS, points=2, train_items=1_000
    )
    print(
        "| standard errors apart | told apart | expected of 200 | probability of such a count | |"
    )
    print("|---|---|---|---|---|")
    broken = [_row(study, shift) for shift in (0.0, 2.0, 4.0)]
    return int(any(broken))


def _row(study: StudyResults, shift: float) -> bool:
    """Print a row, and return whether it is not as it should be."""
    groups = analyse(_drawn(study, shift))
    told = [_told_apart(group) for group in groups]
    said = ["which the tests establish" in _said(group) for group in groups]
    power = power_to_detect(shift, SEEDS, LEVEL) if shift else LEVEL
    test = stats.binomtest(sum(told), STUDIES, power, "two-sided" if shift else "greater")
    broken = bool(test.pvalue < RARE or said != told)
    print(
        f"| {shift:g} | {sum(told)} | {STUDIES * power:.1f} | {test.pvalue:.2f} | "
        f"{'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _drawn(study: StudyResults, shift: float) -> StudyResults:
    """Return the study with other accuracies: of a seed, and of a trial of it."""
    trials, rng = study.trials, np.random.default_rng(21)
    pairs = trials.groupby(["group", "seed"]).ngroup().to_numpy()
    values = 0.8 + rng.normal(0, 3 * SPREAD, pairs.max() + 1)[pairs]
    values += rng.normal(0, SPREAD, len(trials))
    values -= shift * SPREAD * np.sqrt(2 / SEEDS) * (trials["batch_size"] == 2).to_numpy()  # noqa: PLR2004
    # Validation chooses the first, so that the test part judges the second.
    chosen = values + (trials["batch_size"] == 1).to_numpy()
    shown = np.where(trials["stage"] == CONFIRM, values, np.nan)
    return replace(
        study,
        trials=trials.assign(validation_metric=chosen, test_metric=shown),
        curves=empty_table(CURVE_COLUMNS),
        timing=empty_table(TIMING_COLUMNS),
    )


def _told_apart(group: Analysis) -> bool:
    return group.comparison is not None and len(group.comparison.tied) == 1


def _said(group: Analysis) -> str:
    return " ".join(statement.text for statement in verdict(group))


if __name__ == "__main__":
    sys.exit(main())

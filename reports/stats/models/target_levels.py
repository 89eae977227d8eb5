"""Targets set by a rule from recorded curves, and the fits of the updates to them.

Targets are set from other runs than those they are applied to: level = start + share (end - start).
start is the median of the first recorded values. end is what the best batch size attains: of each
run its best value, of each batch size the median over its seeds, then the best batch size's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports.stats.models.first_passage import AT_START, NOT_REACHED, RUN, Target
from reports.stats.models.steps_to_target import StepsToTargetFit, fit_steps_to_target

SHARES = (0.8, 0.9, 0.95)  # shares of the progress of the tuning runs that are set as targets
MOST_GUESSED = 0.5
"""Share of runs that may reach a target when hardly evaluated yet. Interpolated from the start, all
of them would seem to take as many examples, which looks like perfect scaling."""


def set_targets(
    curves: pd.DataFrame,
    measure: str,
    *,
    lower_is_better: bool = True,
    shares: Sequence[float] = SHARES,
) -> tuple[Target, ...]:
    """Return one target for each share, set from runs that are not to be measured by them.

    Runs without progress set none. The curves have columns batch_size, seed, updates and the
    measure; they are of the tuning seeds at the selected learning rates.
    """
    levels = targets_by_group(
        curves.assign(group=""), measure, lower_is_better=lower_is_better, shares=shares
    )
    return levels.get("", ())


def targets_by_group(
    curves: pd.DataFrame,
    measure: str,
    *,
    lower_is_better: bool = True,
    shares: Sequence[float] = SHARES,
) -> dict[str, tuple[Target, ...]]:
    """Return what `set_targets` does for each group; the curves have a column group, too."""
    sign = -1 if lower_is_better else 1
    ordered = curves.sort_values("updates", kind="stable").assign(gain=sign * curves[measure])
    runs = ordered.groupby(RUN)["gain"].agg(["first", "max"])
    start = runs["first"].groupby("group").median()
    end = runs["max"].groupby(["group", "batch_size"]).median().groupby("group").max()
    return {
        str(group): tuple(Target(s, float(sign * (low + s * (high - low)))) for s in shares)
        if high > low
        else ()
        for group, low, high in zip(start.index, start, end, strict=True)
    }


def fit_target(runs: pd.DataFrame, *, items: int | None = None) -> StepsToTargetFit:
    """Return the fit of the runs of one target.

    They have the columns `CROSSING_COLUMNS`; `items` flags batch sizes near all examples.
    """
    sizes, updates = (runs[name].to_numpy(np.float64) for name in ("batch_size", "updates"))
    outcomes = runs["outcome"].to_numpy(object)
    # A bound of no updates bounds nothing.
    useful = updates > 0
    fit = fit_steps_to_target(
        sizes[useful], updates[useful], censored=(outcomes == NOT_REACHED)[useful], items=items
    )
    reason = _too_early(updates, outcomes, runs["half_width"].to_numpy(np.float64))
    if not reason:
        return fit
    kept = {name: getattr(fit, name) for name in ("censored", "near_all", "confidence")}
    return StepsToTargetFit(batch_sizes=(), runs=len(runs), reason=reason, **kept)


def _too_early(updates: np.ndarray, outcomes: np.ndarray, half_widths: np.ndarray) -> str:
    """Return why the target is too easy to show anything; empty if it is not."""
    count = updates.size
    early = int((outcomes == AT_START).sum())
    if early:
        return f"Runs that meet the target before their first update: {early} of {count}."
    guessed = int((2 * half_widths > updates).sum())
    if guessed > MOST_GUESSED * count:
        return (
            "Runs that reach the target so early that their evaluations hardly show when: "
            f"{guessed} of {count}."
        )
    return ""

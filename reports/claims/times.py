"""Whether a number can name the batch size that reaches a target first: the last claim.

Two numbers are held against the best batch size measured on fresh seeds, both computed from the
tuning seeds and the timing pass alone: the batch size that was fastest there, and the one that the
closed form of `reports.stats.models.optimal_batch` gives, the nearer end of the range where it lies
outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from reports.claims.evidence import Sample
from reports.claims.samples import Groups, confirmed, sample_of
from reports.stats.differences import by_seed, sizes_of
from reports.stats.models.first_passage import NOT_REACHED


def predictions(groups: Groups) -> Iterator[Sample]:
    """C7: time to target of the batch size that a rule names, by that of the best measured.

    Args:
        groups: The values of each group.
    """
    for group in confirmed(groups):
        record = group.analysis.scaling.main
        if record is None:
            continue
        cost = group.seconds_per_update
        fresh = _seconds(record.crossings, cost)
        named = {
            "measured": _quickest(_seconds(record.tuning, cost)),
            "closed form": record.named,
        }
        for kind, size in named.items():
            if size is not None and len(fresh.columns) > 1:
                budget = f"time to a target: {record.target.share:.0%} of the tuning seeds' way"
                yield from sample_of(kind, [group], _slower(fresh, size), budget)


def _seconds(crossings: pd.DataFrame, cost: Mapping[int, float]) -> pd.DataFrame:
    """Seconds to the target by seed and batch size, infinite where it is missed."""
    missed = (crossings["outcome"] == NOT_REACHED).to_numpy(bool)
    # Whatever the network is at its start, a target takes an update.
    updates = np.where(missed, np.inf, np.maximum(crossings["updates"].to_numpy(np.float64), 1))
    each = crossings["batch_size"].map(cost).to_numpy(np.float64)
    return by_seed(crossings.assign(seconds=updates * each), "seconds").dropna(axis="columns")


def _slower(times: pd.DataFrame, wanted: float) -> pd.Series[float]:
    """Logarithm of the time at the size nearest to a wanted one, by that at the quickest."""
    use = min(sizes_of(times), key=lambda size: abs(math.log(size / wanted)))
    quickest = _quickest(times)
    # Infinite where the size that was named misses the target; unknown where every size does.
    return (times[use] / times[use if quickest is None else quickest]).map(math.log)


def _quickest(times: pd.DataFrame) -> int | None:
    means = dict(zip(sizes_of(times), times.mean().tolist(), strict=True))
    reached = [size for size, mean in means.items() if math.isfinite(mean)]
    return min(reached, key=means.__getitem__, default=None)

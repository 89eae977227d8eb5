"""What answers to every goal are made of: ranges, the noise scale, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from reports.analysis.scaling_record import TargetRecord
from reports.recommend.record import Analysis
from reports.schema.formats import plural
from reports.stats.bounds import Ends
from reports.stats.models.noise_scale import RESOLVED
from reports.stats.power import MAX_SEEDS, Separation

NO_GRADIENTS = "Gradients were not measured (`noise_examples`)."
NO_TIMES = "The timing pass has not run."
UNLEARNED = "No batch size is shown to do better than one answer for everything."
UNTESTED = "With one seed, or one batch size, nothing can be told apart."
"""Why a source can't say."""


def run_around(batch_sizes: Sequence[int], good: Iterable[int], size: int) -> Ends:
    """Return the ends of the batch sizes around one that are good without a gap.

    Args:
        batch_sizes: Those tried, ascending.
        good: Some of them, the one among them.
        size: The one.

    Example:
        >>> run_around([1, 2, 4, 8, 16], {1, 4, 8}, 4)
        Ends(low=4, high=8)
    """
    place, kept = batch_sizes.index(size), set(good)
    first = last = place
    while first > 0 and batch_sizes[first - 1] in kept:
        first -= 1
    while last < len(batch_sizes) - 1 and batch_sizes[last + 1] in kept:
        last += 1
    return Ends(batch_sizes[first], batch_sizes[last])


def tried_sizes(analysis: Analysis) -> list[int]:
    """Return the batch sizes that were tried, ascending.

    Args:
        analysis: The numbers of a group.
    """
    return [int(size) for size in analysis.batch_sizes["batch_size"]]


def noise_near(record: TargetRecord, size: int) -> tuple[float, Ends] | None:
    """Return the noise scale with its interval, of the resolved batch size nearest to one.

    Args:
        record: The way to a target.
        size: The one.

    Returns:
        None if the noise scale is resolved at no batch size.
    """
    known = record.noise[record.noise["status"] == RESOLVED]
    if known.empty:
        return None
    nearest = int(np.abs(np.log(known["batch_size"].to_numpy() / size)).argmin())
    row = known.iloc[nearest]
    return float(row["noise_scale"]), Ends(float(row["low"]), float(row["high"]))


def unresolved(record: TargetRecord) -> str:
    """Return why a noise scale that is resolved nowhere can't say.

    Args:
        record: The way to a target.
    """
    least = record.noise["low"].max()
    return f"Unresolved at every batch size: at least {least:.0f} by these seeds."


def poor(record: TargetRecord) -> str:
    """Return the weakness of a target's curve; empty if it has none.

    Args:
        record: The way to a target.
    """
    return "its curve misses a batch size by more than 10%" if record.fit.poor_fit else ""


def larger(analysis: Analysis) -> list[str]:
    """Return the larger batch size that would tell more, if the data allow one.

    Args:
        analysis: The numbers of a group.
    """
    largest = tried_sizes(analysis)[-1]
    return [f"a batch size beyond {largest}"] if largest < analysis.plan.train_items else []


def seeds_needed(apart: Separation, pair: str) -> str:
    """Return how many more seeds would tell two batch sizes apart.

    Args:
        apart: How far they are apart.
        pair: What the seeds are for.
    """
    if apart.more_seeds is None:
        return f"more than {MAX_SEEDS:,} seeds {pair}"
    return f"about {plural(apart.more_seeds, 'more seed')} {pair}"

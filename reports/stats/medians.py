"""Medians of runs some of which only have a lower bound, with intervals that need no distribution.

The interval of a median ends at two of the sorted values, the k-th from below and from above, k
being the largest number with `2 P(X < k) <= 1 - confidence` for X of a binomial distribution with
as many trials as there are runs and a probability of one half. Six runs are the fewest that have
one at 95%. Source: Conover 1999, Practical nonparametric statistics, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from reports.stats.intervals import CONFIDENCE


def medians(
    runs: pd.DataFrame, by: Sequence[str], value: str, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Return the median of each group of runs, with its interval.

    A value is infinite where a run has none below any bound, and the median where half of them are;
    the ends are missing where there are too few runs for an interval.

    Example:
        >>> runs = pd.DataFrame({"batch_size": 8, "updates": [6.0, 1, 2, 5, 4, np.inf]})
        >>> medians(runs, ["batch_size"], "updates").iloc[0].tolist()
        [4.5, 1.0, inf]
    """
    keys = list(by)
    ordered = runs.sort_values([*keys, value], kind="stable")
    groups = ordered.groupby(keys)[value]
    position, number = groups.cumcount(), groups.transform("size")
    rank = number.map({n: rank_of_end(n, confidence) for n in number.unique().tolist()})
    values = ordered.set_index(keys)[value]
    return pd.DataFrame(
        {
            "median": groups.median(),
            "low": values[(position == rank - 1).to_numpy()],
            "high": values[(position == number - rank).to_numpy() & (rank > 0).to_numpy()],
        }
    )


def rank_of_end(count: int, confidence: float = CONFIDENCE) -> int:
    """Return which of the sorted values ends the interval of their median; 0 for none.

    Example:
        >>> [rank_of_end(count) for count in (5, 6, 10)]
        [0, 1, 2]
    """
    below = special.bdtr(np.arange(count), count, 0.5)
    return int(np.count_nonzero(2 * below <= 1 - confidence))

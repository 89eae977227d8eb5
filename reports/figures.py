"""Names of the figures of a report, in the order of the page. Loads nothing that draws."""

from __future__ import annotations

UNFOLDED = (
    "accuracy",
    "accuracy-time",
    "rates",
    "curves",
    "steps-to-target",
    "seconds-per-update",
)
"""Those of a configuration that are seen at once, the first of them next to the answer."""

CHARTS = (
    *UNFOLDED,
    "budgets",
    "noise-scale",
    "time-to-target",
    "generalization-gap",
    "workers",
)
"""Those of a configuration."""

MOST_SETS = 8  # of comparable configurations that are drawn; a page must stay small
COMPARISONS = ("groups", *(f"groups-{number}" for number in range(2, MOST_SETS + 1)))
LAWS = ("law-optimum", "law-critical")
TIMELINE = "timeline"
NAMES = (*CHARTS, *COMPARISONS, *LAWS, TIMELINE)

"""Insight: tidy tables in; statistics, figures and a page out.

Importing this package is light. What draws or fits is loaded when it is first asked for.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.compare.comparison import build_comparison
    from reports.output.build import build_report
    from reports.output.interactive import Recommendation, Results
    from reports.output.manuscript import build_paper
    from reports.schema.results import GroupDescription, StudyDescription, StudyResults
    from reports.stats.intervals import (
        fieller_interval,
        paired_difference,
        t_interval,
    )
    from reports.stats.models.first_passage import updates_to_target
    from reports.stats.models.optimal_batch import best_batch_for_time
    from reports.stats.models.steps_to_target import fit_steps_to_target
    from reports.stats.models.update_cost import fit_update_time

__all__ = [
    "GroupDescription",
    "Recommendation",
    "Results",
    "StudyDescription",
    "StudyResults",
    "best_batch_for_time",
    "build_comparison",
    "build_paper",
    "build_report",
    "fieller_interval",
    "fit_steps_to_target",
    "fit_update_time",
    "paired_difference",
    "t_interval",
    "updates_to_target",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home: ModuleType
    if name in {"GroupDescription", "StudyDescription", "StudyResults"}:
        from reports.schema import results as home
    elif name == "build_comparison":
        from reports.compare import comparison as home
    elif name in {"Recommendation", "Results"}:
        from reports.output import interactive as home
    elif name == "build_report":
        from reports.output import build as home
    elif name == "build_paper":
        from reports.output import manuscript as home
    elif name == "updates_to_target":
        from reports.stats.models import first_passage as home
    elif name in {"best_batch_for_time", "fit_update_time"}:
        from reports.stats import models as home
    elif name == "fit_steps_to_target":
        from reports.stats.models import steps_to_target as home
    else:
        from reports.stats import intervals as home
    return getattr(home, name)


def __dir__() -> list[str]:
    return __all__

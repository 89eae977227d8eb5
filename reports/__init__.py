"""Insight: tidy tables in; statistics, figures and a page out.

Importing this package is light. What draws or fits is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
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

_MODULES = {
    "Recommendation": "output.interactive",
    "Results": "output.interactive",
    "best_batch_for_time": "stats.models.optimal_batch",
    "build_comparison": "compare.comparison",
    "build_paper": "output.manuscript",
    "build_report": "output.build",
    "fit_steps_to_target": "stats.models.steps_to_target",
    "fit_update_time": "stats.models.update_cost",
    "updates_to_target": "stats.models.first_passage",
    **dict.fromkeys(("GroupDescription", "StudyDescription", "StudyResults"), "schema.results"),
}
"""Where names are defined that are not in `stats.intervals`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES.get(name, 'stats.intervals')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__

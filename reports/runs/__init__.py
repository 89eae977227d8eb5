"""Tables of finished runs, as other programs write them."""

from __future__ import annotations

from reports.runs.names import attributes_of, unfolded
from reports.runs.roles import ROLES, Choice, RunsError
from reports.runs.tables import RunTable, read_runs

__all__ = ["ROLES", "Choice", "RunTable", "RunsError", "attributes_of", "read_runs", "unfolded"]


def __dir__() -> list[str]:
    return __all__

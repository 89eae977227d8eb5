"""Running what is missing of a study."""

from __future__ import annotations

from sweeps.run._executors import jobs_of
from sweeps.run.driver import run_study
from sweeps.run.timing_pass import measurements_of

__all__ = ["jobs_of", "measurements_of", "run_study"]


def __dir__() -> list[str]:
    return __all__

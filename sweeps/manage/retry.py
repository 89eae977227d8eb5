"""Running again what failed, from the store alone."""

from __future__ import annotations

from pathlib import Path

from reports.schema.results import StudyResults
from sweeps.run.backends import jobs_of
from sweeps.run.driver import run_study
from sweeps.store.rows import DONE
from sweeps.store.store import Store
from sweeps.store.study_results import stored_experiment


def failed_trials(folder: Path) -> list[str]:
    """Return the identities of the trials that ended without a result.

    Args:
        folder: The study's folder.

    Raises:
        StoreError: There is no study, or its store can't be used.
    """
    with Store.read(folder) as store:
        return [trial for trial, status in store.statuses().items() if status not in DONE]


def retry(
    folder: Path,
    *,
    n_jobs: int = -1,
    backend: str = "loky",
    scheduler: str | None = None,
    timing: bool = True,
    watch: bool = False,
) -> StudyResults:
    """Run a study on as its store has it: failed trials again, then what they held up.

    A failure is kept until another outcome takes its place.

    Args:
        folder: The study's folder.
        n_jobs: Worker processes; -1 for as many as there are cores.
        backend: Where they run.
        scheduler: Address of a Dask scheduler, for the backend "dask".
        timing: Whether times are measured in the end, if the specification wants them.
        watch: Whether the report is written now and then while trials run.

    Raises:
        UserError: What the user can mend; every trial that had ended is kept.
    """
    experiment = stored_experiment(
        folder,
        f"use `bpsweep run` with the study's file and `--out {folder}`, which runs failed trials "
        "again, too.",
    )
    return run_study(
        experiment,
        folder,
        jobs_of(backend, n_jobs, scheduler),
        backend=backend,
        scheduler=scheduler,
        trial_seconds=experiment.specification.trial_seconds,
        timing=timing,
        watch=watch,
    )

"""Running cohorts on the cores of this machine, through joblib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from sweeps.errors import EnvironmentFailedError
from sweeps.splits import Dataset
from sweeps.trials import Cohort
from sweeps.worker import Outcome, run_cohort


def run_cohorts(
    cohorts: Sequence[Cohort], dataset: Dataset, jobs: int
) -> Iterator[tuple[Cohort, list[Outcome]]]:
    """Run cohorts and give each one's outcomes as soon as it is done.

    Args:
        cohorts: What to run, in the order in which it starts.
        dataset: The data they run on.
        jobs: Worker processes; with 1 the cohorts run in this process.

    Yields:
        A cohort and what its trials gave, in the order in which cohorts end.

    Raises:
        EnvironmentFailedError: A worker died.
    """
    parallel = joblib.Parallel(
        n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs"
    )
    tasks = (joblib.delayed(_run)(cohort, dataset) for cohort in cohorts)
    try:
        yield from parallel(tasks)
    except TerminatedWorkerError:
        raise EnvironmentFailedError(
            "A worker process died, perhaps for want of memory. Every trial that had ended is "
            "kept: run the same command again to go on."
        ) from None
    finally:
        # Idle workers would otherwise live on and spoil the timing pass.
        get_reusable_executor(reuse="auto").shutdown(kill_workers=True)


def _run(cohort: Cohort, dataset: Dataset) -> tuple[Cohort, list[Outcome]]:
    return cohort, run_cohort(cohort, dataset)

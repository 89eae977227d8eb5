"""A store of made-up trials, and what a command does with it before anything runs.

For `bench_rerun.py`.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import scipy.stats  # noqa: F401 - scikit-learn imports it as data are loaded
from bench_store import outcome, study_of

from sweeps.cli import main as command
from sweeps.manage import status  # noqa: F401 - imported by its command
from sweeps.run import driver
from sweeps.run._scheduler import Dispatch
from sweeps.spec.model import to_toml
from sweeps.store import Store, save_experiment

IMPORTS = time.process_time()


def make(folder: Path, trials: int) -> None:
    """Make two stores of the same study: `whole`, and `short` of its last trial."""
    study = study_of(trials, extensions=0, insertions=0, timing=False)
    (folder / "bench.toml").write_text(to_toml(study.specification))
    planned = [trial for _, trial in study.experiment.explored]
    rng = np.random.default_rng(0)
    for name, stored in (("whole", planned), ("short", planned[:-1])):
        with Store.write(folder / name, "bench") as store:
            save_experiment(store, study.experiment)
            for start in range(0, len(stored), 1000):
                part = stored[start : start + 1000]
                store.add(part, [outcome(trial, rng) for trial in part])


def measured() -> None:
    """Print seconds of imports, seconds since, and megabytes."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(IMPORTS, time.process_time() - IMPORTS, memory)


def end(*_arguments: Any, **_options: Any) -> None:
    """End a run here, in order."""
    measured()
    raise KeyboardInterrupt


def main() -> None:
    """Do one step: make, status, start (of a run), or nothing (to do for it)."""
    step, folder, trials = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if step == "make":
        make(folder, trials)
    elif step == "status":
        sys.argv[1:] = ["status", str(folder / "whole")]
        command.main()
        measured()
    else:
        out = folder / ("short" if step == "start" else "whole")
        with patch.object(Dispatch, "run", end), patch.object(driver, "results_of", end):
            sys.argv[1:] = ["run", str(folder / "bench.toml"), "--out", str(out)]
            command.main()


if __name__ == "__main__":
    main()

"""Drivers on demand: a process that has everything imported forks one for every line it reads.

A line is JSON: `folder`, `study` (keys of a specification), `backend`, `jobs`; `checkpoints`, to
write one at every cut and to cut all the time; `largest_file`, in bytes. It answers with the
driver's process id, and with its exit code when it has ended, minus the signal's number if one
ended it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from sweeps import Study
from sweeps.errors import UserError
from sweeps.run.signals import Interrupted
from sweeps.worker import train as worker


def drive(order: dict[str, Any]) -> int:
    """Run a study and return the exit code."""
    if order.get("checkpoints"):
        worker.CUT_SECONDS = worker.EVERY_SECONDS = 0.0
    if "largest_file" in order:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"],) * 2)
    study = Study(**order["study"])
    try:
        study.run(Path(order["folder"]), n_jobs=order["jobs"], backend=order["backend"])
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except Interrupted as interruption:
        return interruption.exit_code
    return 0


def main() -> None:
    """Fork a driver for every line."""
    for line in sys.stdin:
        order = json.loads(line)
        Study(**order["study"])
        driver = os.fork()
        if not driver:
            os.setsid()
            code = 70
            try:
                code = drive(order)
            finally:
                sys.stderr.flush()
                os._exit(code)
        _answer(driver)
        _, status = os.waitpid(driver, 0)
        _answer(os.waitstatus_to_exitcode(status))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

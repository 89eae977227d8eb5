"""A process that writes the report while trials run: it starts with the run and ends with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweeps.errors import tell
from sweeps.run.signals import Interrupted
from sweeps.worker.processes import ONE_THREAD, ending, unreachable_by_ctrl_c

CODE = (
    "import json, pathlib, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from sweeps.manage.watch import watch; watch(pathlib.Path(sys.argv[2]))"
)


@contextmanager
def reported(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a report written meanwhile.

    What stops a run at once doesn't stop the process: it sees that nobody runs the study any more,
    writes the report of what was kept and ends. A report that can't be written is told of and
    changes nothing else.
    """
    process = _start(folder)
    try:
        yield process
    finally:
        if not isinstance(sys.exception(), Interrupted):
            _end(process)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    with unreachable_by_ctrl_c():
        return subprocess.Popen(  # noqa: S603 - this interpreter, with our own code
            [sys.executable, "-c", CODE, json.dumps(sys.path), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # to be told in the end: a bar may be shown meanwhile
            env=os.environ | ONE_THREAD,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    failed = process.poll() is not None
    process.terminate()
    errors = process.communicate()[1].decode(errors="replace").strip()
    if failed and process.returncode:
        why = errors.splitlines()[-1] if errors else ending(process.returncode)
        tell(f"note: no report was written while trials ran: {why}")

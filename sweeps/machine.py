"""What a result was computed with: an allow-list, without names of users, hosts or folders."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

import bpengine
from bpengine import default_numerics
from bpengine.passes.compiled import build_in_use

_NEEDED = ("bpsweep", "numpy", "scipy", "pandas", "scikit-learn", "joblib", "seaborn", "matplotlib")
_BETWEEN = "; "


def provenance() -> dict[str, str]:
    """Return versions, processor, cores, BLAS and the instructions NumPy uses, by name."""
    from joblib import cpu_count  # noqa: PLC0415 - a worker needs none

    # In the order in which they happened to be loaded, two runs on one machine would differ.
    blas = sorted(
        f"{library['internal_api']} {library['version']} ({library.get('architecture', '?')})"
        for library in threads().info()
        if library["user_api"] == "blas"
    )
    build: Any = np.show_config(mode="dicts")
    vectors = build["SIMD Extensions"]  # on which last bits depend
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in _NEEDED},
        "numerics": " for ".join(filter(None, (default_numerics(), build_in_use()))),
        "BLAS": ", ".join(blas),
        "BLAS threads": "1 in every process",
        "NumPy's instructions": ", ".join([*vectors["baseline"], *vectors.get("found", ())]),
        "processor": value_in(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": str(cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
    }


@functools.cache
def versions() -> str:
    """Return what must be the same wherever trials of one study run, the code of files included."""
    code = hashlib.sha256()
    for file in (bpengine.__file__, __file__):
        folder = Path(file).parent
        for path in sorted(path for kind in ("py", "c", "h") for path in folder.rglob(f"*.{kind}")):
            code.update(f"{folder.name} {path.relative_to(folder)}\0".encode())
            code.update(path.read_bytes())
    return (
        f"bpsweep {version('bpsweep')}, {default_numerics()}, numpy {np.__version__}, "
        f"code {code.hexdigest()[:12]}"
    )


def combined(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return what results were computed with that come from several sessions or machines."""
    values: dict[str, dict[str, None]] = {}
    for provenance_of_one in several:
        for name, value in provenance_of_one.items():
            values.setdefault(name, {}).update(dict.fromkeys(value.split(_BETWEEN)))
    return {name: _BETWEEN.join(known) for name, known in values.items()}


def load_average() -> str:
    """Return the load average of the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def value_in(path: Path, name: str) -> str:
    """Return the first value of a name in a file of the system, or nothing."""
    with suppress(OSError):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""


@functools.cache
def threads() -> ThreadpoolController:
    """Return the control over BLAS threads, looked up once per process."""
    return ThreadpoolController()

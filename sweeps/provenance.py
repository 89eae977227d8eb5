"""What a result was computed with: an allow-list, without names of users, hosts or folders."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from sweeps.worker import threads

PACKAGES = (
    "bpsweep",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "joblib",
    "seaborn",
    "matplotlib",
)


def provenance() -> dict[str, str]:
    """Return versions, processor, cores and BLAS, by name."""
    blas = ", ".join(
        f"{library['internal_api']} {library['version']} ({library.get('architecture', '?')})"
        for library in threads().info()
        if library["user_api"] == "blas"
    )
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "BLAS": blas,
        "BLAS threads": "1 in every process",
        "processor": processor(),
        "cores": str(available_cores()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def available_cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> str:
    """Return the load average of the last minute, or nothing where there is none."""
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""


def processor() -> str:
    """Return the processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

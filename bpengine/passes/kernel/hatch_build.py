"""Compiles the kernel when bpsweep is built or installed; a hook of hatchling.

Without a compiler that can do it, bpsweep is installed all the same, and NumPy computes. The
variable `CC` names another compiler than `cc`, `BPSWEEP_TARGET` another target than this machine,
such as `aarch64-linux-gnu`.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = [
    *("-std=gnu11", "-O3", "-fPIC", "-shared", "-fvisibility=default"),
    # Every rounding is written out: the same bits on all machines.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
]

BUILDS: dict[str, dict[str, list[str]]] = {
    "x86_64": {"x86-64-v4": ["-march=x86-64-v4"], "x86-64-v3": ["-march=x86-64-v3"]},
    "aarch64": {"arm64": ["-march=armv8-a"]},
    "arm64": {"arm64": []},
}
"""Compiler flags of each kind of processor, by the machine's name."""


def compiled(folder: Path, machine: str, compiler: list[str]) -> list[Path]:
    """Compile what can be compiled for a machine; return the libraries."""
    libraries = []
    for build, flags in BUILDS.get(machine, {}).items():
        for bits in (32, 64):
            library = folder / f"{build}-float{bits}.so"
            command = [*compiler, *FLAGS, *flags, f"-DPRECISION={bits}"]
            if _succeeds([*command, str(folder / "kernel.c"), "-o", str(library)]):
                libraries.append(library)
    return libraries


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the libraries to a wheel, which then is for one kind of machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile, before the wheel is made."""
        folder = Path(self.root, "bpengine", "passes", "kernel")
        target = os.environ.get("BPSWEEP_TARGET", "")
        machine = target.split("-")[0] or platform.machine()
        compiler = shlex.split(os.environ.get("CC", "cc"))
        libraries = compiled(folder, machine, compiler) if sys.platform != "win32" else []
        if not libraries:
            return
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"
        for library in libraries:
            path = str(library.relative_to(self.root))
            build_data["artifacts"].append(path)

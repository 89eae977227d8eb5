"""Compiles the kernel when bpsweep is built or installed; a hook of hatchling.

Without a compiler that can do it, bpsweep is installed all the same, and NumPy computes. The
variable `CC` names another compiler than `cc`. `BPSWEEP_TARGET` has the wheel be for one of
`TARGETS`, whatever this machine is: zig compiles for all of them.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = [
    *("-std=gnu11", "-O3", "-fPIC", "-shared"),
    # Every rounding is written out: the same bits on all machines.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
]

AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
BUILDS = {
    "x86_64": {"x86-64-v4": AVX512, "x86-64-v3": AVX2},
    "aarch64": {"arm64": list[str]()},
}
"""Of each processor, the builds as compiled.py knows them and what the compiler is asked for.

Instructions are listed: not every compiler knows `-march=x86-64-v3`. `runs_here` looks for these.
"""

TARGETS = {
    "x86_64-linux-gnu": ("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64"),
    "aarch64-linux-gnu": ("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64"),
    "x86_64-macos": ("x86_64-macos.11.0", "macosx_11_0_x86_64"),
    "aarch64-macos": ("aarch64-macos.11.0", "macosx_11_0_arm64"),
}
"""Of each target, zig's name, with the oldest system, and the wheel's platform."""

FOLDER = Path("bpengine", "passes", "kernel")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the libraries to a wheel, which then is for one platform."""

    def dependencies(self) -> list[str]:
        """Return what a build needs besides hatchling."""
        return ["ziglang>=0.15"] if "ziglang" in _compiler() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the wheel is made."""
        self._folder = tempfile.TemporaryDirectory()
        flags, processor, tag = _for_target() if _target() else _for_this_machine()
        command, sources = [*_compiler(), *flags], Path(self.root, FOLDER)
        libraries = _compiled(sources, Path(self._folder.name), processor, command)
        if _target() and len(libraries) < 2 * len(BUILDS[processor]):
            raise SystemExit(f"The kernel can't be compiled for {_target()} by {_compiler()}.")
        if version == "editable":  # which uses the sources where they are
            for library in libraries:
                # A process that has loaded the one before keeps it.
                (sources / library.name).unlink(missing_ok=True)
                shutil.copy(library, sources)
        elif libraries:
            places = {str(library): str(FOLDER / library.name) for library in libraries}
            build_data.update(pure_python=False, tag=f"py3-none-{tag}")
            build_data["force_include"].update(places)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Clear up, after the wheel is made."""
        self._folder.cleanup()


def _target() -> str:
    return os.environ.get("BPSWEEP_TARGET", "")


def _compiler() -> list[str]:
    zig = shlex.join([sys.executable, "-m", "ziglang", "cc"])
    return shlex.split(os.environ.get("CC", "") or (zig if _target() else "cc"))


def _for_target() -> tuple[list[str], str, str]:
    """Return the target's flags, processor and platform."""
    if _target() not in TARGETS:
        raise SystemExit(f"BPSWEEP_TARGET is {_target()}; possible are {', '.join(TARGETS)}.")
    name, tag = TARGETS[_target()]
    return ["-target", name, "-s"], _target().partition("-")[0], tag


def _for_this_machine() -> tuple[list[str], str, str]:
    """Return the same for this machine."""
    machine = platform.machine()
    if sys.platform == "darwin":  # whose Python may be for two processors, as the libraries are not
        flags, processor = ["-mmacosx-version-min=11.0"], machine.replace("arm64", "aarch64")
        return flags, processor, f"macosx_11_0_{machine}"
    return [], machine, sysconfig.get_platform().replace("-", "_").replace(".", "_")


def _compiled(sources: Path, folder: Path, processor: str, compiler: list[str]) -> list[Path]:
    """Compile what can be compiled for a processor; return the libraries."""
    libraries = []
    for build, flags in BUILDS.get(processor, {}).items():
        for bits in (32, 64):
            library = folder / f"{build}-float{bits}.so"
            command = [*compiler, *FLAGS, *flags, f"-DPRECISION={bits}", str(sources / "kernel.c")]
            # From within the folder, whose name some linkers would write into the library.
            if _succeeds([*command, "-o", library.name], folder):
                libraries.append(library)
    return libraries


def _succeeds(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603
    except OSError:
        return False
    return done.returncode == 0

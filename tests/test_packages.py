"""What users import stands at the top of each package, importing is light, and so is installing."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from bpengine.passes.compiled import KERNEL, NUMPY

PACKAGES = ("bpengine", "reports", "sweeps")
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", PACKAGES)
def test_dir_shows_what_can_be_imported(name: str) -> None:
    package = importlib.import_module(name)
    assert dir(package) == sorted(package.__all__)
    for public in package.__all__:
        assert hasattr(package, public)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize(
    ("name", "heavy"),
    [
        ("bpengine", {"pandas", "scipy", "sklearn", "matplotlib"}),
        ("reports", {"scipy", "sklearn", "matplotlib"}),
        ("sweeps", {"pandas", "scipy", "sklearn", "matplotlib", "joblib"}),
    ],
)
def test_what_is_heavy_is_loaded_when_it_is_asked_for(name: str, heavy: set[str]) -> None:
    code = f"import sys, {name}; dir({name}); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert heavy.isdisjoint(loaded.stdout.split())


def install(folder: Path, compiler: str) -> Path:
    """Install bpsweep in a fresh environment, where pip must not alarm; return its packages."""
    venv.create(folder, with_pip=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib"))
    pip = subprocess.run(
        [folder / "bin" / "python", "-m", "pip", "install", "--no-deps", ROOT],
        env=os.environ | {"CC": compiler, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not re.findall("warning|error|fail", pip.stdout + pip.stderr, re.IGNORECASE)
    return packages


def examined(folder: Path) -> dict[str, Any]:
    """Return what the installed doctor says, where there is no compiler."""
    command = [folder / "bin" / "bpsweep", "doctor", "--json"]
    environment = {**os.environ, "PATH": str(folder / "bin")}
    run = subprocess.run(command, env=environment, capture_output=True, check=True, cwd=folder)
    return dict(json.loads(run.stdout))


@pytest.mark.slow
def test_the_kernel_is_compiled_when_bpsweep_is_installed_and_not_later(tmp_path: Path) -> None:
    packages = install(tmp_path, "cc")
    assert examined(tmp_path)["facts"]["numerics"].startswith(f"{KERNEL} for ")
    (wheel,) = packages.glob("bpsweep-*.dist-info/WHEEL")
    assert re.search(r"^Tag: py3-none-(?!any)\w+$", wheel.read_text(), re.MULTILINE)


@pytest.mark.slow
def test_without_a_compiler_bpsweep_is_installed_in_silence_and_numpy_computes(
    tmp_path: Path,
) -> None:
    packages = install(tmp_path, "false")
    assert not [*packages.glob("bpengine/**/*.so")]  # nor those that lie in the sources
    (wheel,) = packages.glob("bpsweep-*.dist-info/WHEEL")
    assert "\nTag: py3-none-any\n" in wheel.read_text()
    examination = examined(tmp_path)
    assert examination["facts"]["numerics"] == NUMPY
    assert any("install a C compiler" in note for note in examination["notes"])
    grid = ["batch_sizes=[8, 32]", "learning_rates=[0.1]", "epochs=1", "hidden_layers=[3]"]
    settings = [part for key in [*grid, "confirmation_seeds=[]"] for part in ("--set", key)]
    command = [tmp_path / "bin" / "bpsweep", "run", "iris", "--no-timing", *settings]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr

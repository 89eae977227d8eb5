"""What users import stands at the top of each package, and importing a package is light."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = ("bpengine", "reports", "sweeps")


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

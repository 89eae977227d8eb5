"""A study small enough to run in a blink."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from faults import made
from ran import SMALL

from reports.output import build
from sweeps.data import registry as datasets
from sweeps.data.registry import load
from sweeps.data.splits import Dataset, Source
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.worker import measure as timing
from sweeps.worker.workspace import Workspace, hand_over


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """Hear Ctrl-C even where a shell has started the tests in its background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figure: reports and their figures are tested elsewhere, and take most of the time."""
    monkeypatch.setattr(build, "MOST_DRAWN", 0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures after all."""
    monkeypatch.setattr(build, "MOST_DRAWN", 99)


@pytest.fixture
def keys() -> dict[str, Any]:
    """Return the keys of a small study on iris, whose training set has 90 examples."""
    return {
        "name": "small",
        "dataset": "iris",
        "hidden_layers": [4],
        "batch_sizes": [5, 40],
        "learning_rates": [0.5, 2.0],
        "seeds": [1, 2],
        "extensions": 0,
        "confirmation_seeds": [11, 12],
        "epochs": 2,
    }


@pytest.fixture
def experiment(keys: dict[str, Any]) -> Experiment:
    """Return the small study, checked."""
    return experiment_of(keys, "small.toml", Path())


@pytest.fixture
def dataset() -> Dataset:
    """Return iris."""
    return load(Source("iris"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with the small dataset of made-up trials."""
    workspace = Workspace(tmp_path)
    workspace.open()
    hand_over(made(), workspace.data)
    return workspace


@pytest.fixture
def loadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let that dataset be loaded by its name too."""
    monkeypatch.setattr(datasets, "load", lambda _source: made())


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a small study, in the working directory."""
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path

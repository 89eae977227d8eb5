"""A small study that has run, made once and copied for each test."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from unittest import mock

from sweeps.study import Study
from sweeps.worker import measure as timing

KEYS = {
    "dataset": "iris",
    "hidden_layers": [3],
    "batch_sizes": [10, 45],
    "learning_rates": [0.5, 2.0],
    "extensions": 0,
    "optimizer": ["sgd", "adam"],
    "seeds": [1, 2],
    "confirmation_seeds": [11],
    "epochs": 1,
}

SMALL = """\
dataset = "iris"
hidden_layers = [4]
batch_sizes = [5, 40]
learning_rates = [0.5, 2.0]
seeds = [1, 2]
extensions = 0
confirmation_seeds = [11, 12]
epochs = 2
"""
"""The file of a smaller one: 8 trials to explore, 4 to confirm."""


def study(**changes: object) -> Study:
    """Return the small study: 2 groups, 16 trials to explore, 4 to confirm."""
    return Study("ran", **KEYS | changes)


@functools.cache
def _ran() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    run(study(), Path(folder.name))
    return folder


def run(study: Study, folder: Path) -> None:
    """Run a study quickly."""
    with mock.patch.object(timing, "LEAST_SECONDS", 1e-6), mock.patch.object(timing, "ROUNDS", 2):
        study.run(folder, n_jobs=1, backend="sequential")


def copy(folder: Path) -> Path:
    """Copy the folder of the small study, all of which has run, and return where to."""
    return Path(shutil.copytree(_ran().name, folder))

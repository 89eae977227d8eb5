"""The study that data alone describe: `bpsweep new` writes it, `bpsweep run DATA` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweeps.advise._grid_choice import network_for
from sweeps.data.facts import share_of_largest
from sweeps.data.registry import load, read_source

LARGEST = 1024  # batch size that is proposed


def keys_for(dataset: object) -> dict[str, Any]:
    """Return the ten keys that matter, for data as a specification of this folder names them."""
    data = load(read_source(dataset, folder=Path()))
    # Six tenths are for training unless the specification says otherwise.
    largest = 2 ** (min(LARGEST, len(data.inputs) * 6 // 10).bit_length() - 1)
    return {
        "dataset": dataset,
        **network_for(data.task, share_of_largest(data)),
        "optimizer": "sgd",
        "batch_sizes": {"powers_of_two": [1, largest]},
        "learning_rates": {"logspace": [0.03, 3.0], "count": 5},
        "epochs": 20,
        "seeds": {"first": 1, "count": 5},
        "confirmation_seeds": {"first": 101, "count": 10},
    }

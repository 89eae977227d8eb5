"""Where do PyTorch's optimizers take four parameters in 50 updates?

Writes the numbers that `tests/bpengine/optim/test_optimizers.py` compares the engine's optimizers
with, so that the tests need no PyTorch. Both sides share nothing but the objective

    f(w) = sum c_i w_i^2 / 2 + cos(sum k_i w_i)

with its gradient `c_i w_i - k_i sin(sum k_i w_i)`; everything is computed in float64.

The file holds one JSON object on each line. The first names what is common: the version of PyTorch,
`start`, `c`, `k`, and the numbers of the updates after which the parameters were recorded. Each
further line is a case: the engine's name of the optimizer, the engine's settings, and the
parameters after those updates.

    python benchmarks/record_torch_trajectories.py tests/bpengine/data/torch_trajectories.jsonl
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

START = [0.9, -1.4, 0.3, 2.1]
CURVATURE = [0.4, 1.1, 0.7, 0.2]
WAVE = [1.3, -0.6, 0.8, 1.7]
RECORDED = [1, 2, 5, 10, 25, 50]

PENALTIES = (0.0, 0.05)
SETTINGS: Mapping[str, list[dict[str, float]]] = {
    "sgd": [{"learning_rate": 0.1}, {"learning_rate": 0.03}],
    "momentum": [
        {"learning_rate": 0.05, "momentum": 0.9},
        {"learning_rate": 0.1, "momentum": 0.5},
    ],
    "nesterov": [
        {"learning_rate": 0.05, "momentum": 0.9},
        {"learning_rate": 0.1, "momentum": 0.5},
    ],
    "adagrad": [
        {"learning_rate": 0.5, "epsilon": 1e-10},
        {"learning_rate": 0.1, "epsilon": 1e-3},
    ],
    "rmsprop": [
        {"learning_rate": 0.01, "alpha": 0.99, "epsilon": 1e-8},
        {"learning_rate": 0.05, "alpha": 0.9, "epsilon": 1e-3},
    ],
    "adam": [
        {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    ],
    "adamw": [
        {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    ],
}
"""Two sets of hyperparameters for each optimizer, by the engine's names."""

TORCH_NAMES = {
    "learning_rate": "lr",
    "momentum": "momentum",
    "alpha": "alpha",
    "epsilon": "eps",
    "l2": "weight_decay",
    "weight_decay": "weight_decay",
}
"""PyTorch's names. It calls both penalties `weight_decay`; only AdamW's is the decoupled one."""

TORCH_CLASSES: Mapping[str, Any] = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "nesterov": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def cases() -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each optimizer with each of its settings, without and with a penalty."""
    for name, variants in SETTINGS.items():
        penalty = "weight_decay" if name == "adamw" else "l2"
        for settings in variants:
            for value in PENALTIES:
                yield name, {**settings, penalty: value}


def gradient(w: list[float]) -> list[float]:
    """Return the gradient of the objective."""
    wave = math.sin(sum(k * x for k, x in zip(WAVE, w, strict=True)))
    return [c * x - k * wave for c, k, x in zip(CURVATURE, WAVE, w, strict=True)]


def trajectory(name: str, settings: Mapping[str, float]) -> list[list[float]]:
    """Return the parameters after each of the recorded updates."""
    options: dict[str, Any] = {
        TORCH_NAMES[key]: value for key, value in settings.items() if key in TORCH_NAMES
    }
    if "beta1" in settings:
        options["betas"] = (settings["beta1"], settings["beta2"])
    if name == "nesterov":
        options["nesterov"] = True
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = TORCH_CLASSES[name]([w], **options)
    recorded = []
    for update in range(1, RECORDED[-1] + 1):
        w.grad = torch.tensor(gradient(w.tolist()), dtype=torch.float64)
        optimizer.step()
        if update in RECORDED:
            recorded.append(w.tolist())
    return recorded


def main() -> None:
    """Record all cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="where the numbers go, as JSON lines")
    file: Path = parser.parse_args().file
    lines: list[dict[str, Any]] = [
        {
            "torch": torch.__version__,
            "start": START,
            "c": CURVATURE,
            "k": WAVE,
            "updates": RECORDED,
        }
    ]
    lines += [
        {"optimizer": name, "settings": settings, "parameters": trajectory(name, settings)}
        for name, settings in cases()
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()

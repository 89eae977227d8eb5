"""Every optimizer keeps the contract of its table and goes where an independent oracle goes.

The oracles: PyTorch's trajectories, recorded by `benchmarks/record_torch_trajectories.py`, and for
LARS and LAMB their papers' algorithms, written here number by number.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refused import refused

from bpengine import Architecture, Budget, Recipe, train
from bpengine.network._arrays import Array
from bpengine.optim._optimizers import OPTIMIZERS, check_settings
from bpengine.optim.stepper import Stepper
from tests.bpengine.problems import make_splits
from tests.bpengine.stepping import (
    ARCHITECTURE,
    GRADIENTS,
    LANES,
    START,
    Settings,
    dtypes,
    norm,
    optimizers,
    stepper_of,
    steps,
    varied,
)

layerwise = pytest.mark.parametrize("name", ["lars", "lamb"])


# Trajectories of PyTorch

RECORDS = (Path(__file__).parents[1] / "data" / "torch_trajectories.jsonl").read_text().splitlines()
COMMON, *CASES = [json.loads(line) for line in RECORDS]


def test_the_records_are_of_the_version_they_name_and_hold_every_optimizer_pytorch_has() -> None:
    assert COMMON["torch"].startswith("2.13.0")
    assert COMMON["updates"][-1] == 50
    assert {case["optimizer"] for case in CASES} == set(OPTIMIZERS) - {"lars", "lamb"}
    assert len(CASES) == 28


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['optimizer']}-{case['settings']}")
def test_fifty_updates_go_where_those_of_pytorch_go(case: dict[str, Any]) -> None:
    architecture = Architecture((3, 1))
    w = np.array(COMMON["start"]).reshape(1, 1, 4)
    c, k = np.array(COMMON["c"]), np.array(COMMON["k"])
    stepper = Stepper(case["optimizer"], [case["settings"]], architecture, w)
    actual = []
    for update in range(1, COMMON["updates"][-1] + 1):
        gradient = c * w - k * math.sin((k * w).sum())
        stepper.step(gradient, factor=1.0, total_weight=1.0)
        if update in COMMON["updates"]:
            actual.append(w.ravel().tolist())
    np.testing.assert_allclose(actual, case["parameters"], rtol=1e-10)


# LARS and LAMB, written number by number


def scalar_lars(layers: list[list[float]], gradients: list[list[list[float]]], s: Settings) -> None:
    """Change the layers as algorithm 1 of You, Gitman and Ginsburg 2017 does."""
    v = [[0.0] * len(w) for w in layers]
    for update in gradients:
        for w, g, layer_v in zip(layers, update, v, strict=True):
            weights, slopes = norm(w), norm(g)
            local = 1.0
            if weights > 0 and slopes > 0:
                local = s["trust"] * weights / (slopes + s["weight_decay"] * weights)
            for i in range(len(w)):
                direction = g[i] + s["weight_decay"] * w[i]
                layer_v[i] = s["momentum"] * layer_v[i] + s["learning_rate"] * local * direction
                w[i] -= layer_v[i]


def scalar_lamb(layers: list[list[float]], gradients: list[list[list[float]]], s: Settings) -> None:
    """Change the layers as algorithm 2 of You et al. 2020 does, phi being the identity."""
    m = [[0.0] * len(w) for w in layers]
    v = [[0.0] * len(w) for w in layers]
    b1, b2 = s["beta1"], s["beta2"]
    for t, update in enumerate(gradients, 1):
        for w, g, layer_m, layer_v in zip(layers, update, m, v, strict=True):
            u = []
            for i in range(len(w)):
                layer_m[i] = b1 * layer_m[i] + (1 - b1) * g[i]
                layer_v[i] = b2 * layer_v[i] + (1 - b2) * g[i] ** 2
                unbiased = layer_m[i] / (1 - b1**t), layer_v[i] / (1 - b2**t)
                ratio = unbiased[0] / (math.sqrt(unbiased[1]) + s["epsilon"])
                u.append(ratio + s["weight_decay"] * w[i])
            weights, directions = norm(w), norm(u)
            factor = weights / directions if weights > 0 and directions > 0 else 1.0
            for i in range(len(w)):
                w[i] -= s["learning_rate"] * factor * u[i]


SCALAR = {"lars": scalar_lars, "lamb": scalar_lamb}


def cut(flat: Array) -> list[list[float]]:
    return [W.ravel().tolist() for W in ARCHITECTURE.layers(flat)]


@layerwise
@pytest.mark.parametrize("without", ["nothing", "weights", "gradients"])
def test_layerwise_optimizers_are_their_papers_algorithms(name: str, without: str) -> None:
    # A layer without weights or without a gradient has no ratio of norms.
    start, gradients = START.copy(), GRADIENTS.copy()
    for array in {"nothing": (), "weights": (start,), "gradients": gradients}[without]:
        ARCHITECTURE.layers(array)[0][...] = 0
    settings = varied(name, [key for key in OPTIMIZERS[name].defaults if key != "l2"])
    settings = [{**setting, "clip_norm": math.inf} for setting in settings]
    _, actual = steps(name, settings, start=start, gradients=gradients)
    for seed, index in np.ndindex(LANES):
        layers = cut(start[seed, index])
        SCALAR[name](layers, [cut(update[seed, index]) for update in gradients], settings[index])
        expected = [number for layer in layers for number in layer]
        trained = [number for layer in cut(actual[seed, index]) for number in layer]
        np.testing.assert_allclose(trained, expected, rtol=1e-12, atol=1e-14)


# The contract of every optimizer


@optimizers
@dtypes
def test_a_step_leaves_its_gradient_alone(name: str, dtype: type[np.floating]) -> None:
    parameters, gradient = START.astype(dtype), GRADIENTS[0].astype(dtype)
    settings = [{**setting, "clip_norm": 0.5} for setting in varied(name)]
    stepper = Stepper(name, settings, ARCHITECTURE, parameters)
    stepper.step(gradient, factor=1.0, total_weight=1.0)
    np.testing.assert_array_equal(gradient, GRADIENTS[0].astype(dtype))
    assert (parameters != START.astype(dtype)).any(axis=-1).all()


@optimizers
@dtypes
def test_the_dtype_is_kept(name: str, dtype: type[np.floating]) -> None:
    parameters = START.astype(dtype)
    stepper, step = stepper_of(name, varied(name, ["l2", "weight_decay"]), parameters)
    assert step(GRADIENTS[0], 0.5).dtype == dtype
    assert parameters.dtype == dtype
    assert [slot.dtype for slot in stepper.slots] == [dtype] * OPTIMIZERS[name].slots
    assert [slot.shape for slot in stepper.slots] == [START.shape] * OPTIMIZERS[name].slots


@optimizers
@dtypes
@pytest.mark.parametrize(
    "keys", [["learning_rate"], ["l2"], ["weight_decay"], ["clip_norm"], []], ids=str
)
def test_a_lane_steps_exactly_as_it_would_alone(
    name: str, dtype: type[np.floating], keys: list[str]
) -> None:
    settings = varied(name, keys)
    start, gradients = START.astype(dtype), GRADIENTS.astype(dtype)
    together, _ = steps(name, settings, start=start, gradients=gradients, factor=0.3)
    for seed, index in np.ndindex(LANES):
        lane = slice(seed, seed + 1), slice(index, index + 1)
        alone, _ = steps(
            name, [settings[index]], start=start[lane], gradients=gradients[:, *lane], factor=0.3
        )
        np.testing.assert_array_equal(together[:, *lane], alone)


@optimizers
@dtypes
@pytest.mark.parametrize("penalty", ["l2", "weight_decay", "clip_norm"])
def test_a_lane_trains_exactly_as_it_would_next_to_no_other_setting(
    name: str, dtype: type[np.floating], penalty: str
) -> None:
    settings = varied(name, [penalty])
    recipe = Recipe(batch_size=5, budget=Budget(epochs=3), optimizer=name, dtype=dtype)
    splits = make_splits(ARCHITECTURE, [1, 2])
    together = train(ARCHITECTURE, splits, settings, recipe)
    assert (together.diverged_at_update < 0).all()
    for index, setting in enumerate(settings):
        alone = train(ARCHITECTURE, splits, [setting], recipe)
        np.testing.assert_array_equal(together.parameters[:, index], alone.parameters[:, 0])


@optimizers
def test_float32_steps_are_those_of_float64_to_rounding(name: str) -> None:
    settings = varied(name, ["learning_rate"])
    start, gradients = START.astype(np.float32), GRADIENTS.astype(np.float32)
    actual, _ = steps(name, settings, start=start, gradients=gradients)
    expected, _ = steps(
        name, settings, start=start.astype(float), gradients=gradients.astype(float)
    )
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=1e-6)


# What is refused


RATE = {"learning_rate": 0.1}
KNOWN = ["clip_norm", "l2", "momentum", "weight_decay"]


@pytest.mark.parametrize(
    ("name", "settings", "parts"),
    [
        ("sgd", [RATE, RATE | {"l2": 0.0}], ("same", [["learning_rate"], ["l2", "learning_rate"]])),
        ("sdg", [RATE], ("`optimizer`", sorted(OPTIMIZERS), "'sdg'")),
        ("sgd", [], ("`settings`", "empty")),
        ("momentum", [RATE, {"momentum": 0.5}], ("'learning_rate'", KNOWN, "['momentum']")),
        ("momentum", [RATE, RATE | {"beta1": 0.5}], (KNOWN, "['beta1', 'learning_rate']")),
    ],
    ids=["different", "unknown optimizer", "none", "missing", "unknown"],
)
def test_settings_of_no_optimizer_are_refused(
    name: str, settings: list[Settings], parts: tuple[object, ...]
) -> None:
    refused(lambda: check_settings(name, settings), *parts)


@pytest.mark.parametrize(
    ("name", "key", "value", "allowed"),
    [
        ("sgd", "learning_rate", 0.0, "finite and above 0"),
        ("sgd", "learning_rate", -0.1, "finite and above 0"),
        ("sgd", "learning_rate", math.inf, "finite and above 0"),
        ("sgd", "learning_rate", math.nan, "finite and above 0"),
        ("sgd", "l2", -0.1, "finite and at least 0"),
        ("sgd", "l2", math.inf, "finite and at least 0"),
        ("sgd", "weight_decay", -0.1, "finite and at least 0"),
        ("sgd", "clip_norm", 0.0, "above 0"),
        ("sgd", "clip_norm", math.nan, "above 0"),
        ("momentum", "momentum", 1.0, "at least 0 and below 1"),
        ("nesterov", "momentum", -0.1, "at least 0 and below 1"),
        ("rmsprop", "alpha", 1.0, "at least 0 and below 1"),
        ("adagrad", "epsilon", 0.0, "finite and above 0"),
        ("adam", "beta1", 1.0, "at least 0 and below 1"),
        ("adamw", "beta2", 1.0, "at least 0 and below 1"),
        ("lars", "trust", 0.0, "finite and above 0"),
        ("lamb", "beta2", -0.1, "at least 0 and below 1"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(
    name: str, key: str, value: float, allowed: str
) -> None:
    settings = [{"learning_rate": 0.1, key: value}]
    refused(lambda: check_settings(name, settings), f"`{key}` must be {allowed}", value)

"""Every optimizer keeps the contract of its table and goes where an independent oracle goes.

The oracles: PyTorch's trajectories, recorded by `benchmarks/record_torch_trajectories.py`, and for
LARS and LAMB their papers' algorithms, written here number by number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpengine import Architecture, Budget, Recipe, Split, Trainer, train
from bpengine.arrays import Array
from bpengine.optimizers import BLOCK, OPTIMIZERS, Stepper, check_settings

Settings = Mapping[str, float]

optimizers = pytest.mark.parametrize("name", OPTIMIZERS)
layerwise = pytest.mark.parametrize("name", ["lars", "lamb"])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

ARCHITECTURE = Architecture((4, 3, 2))
COUNT = ARCHITECTURE.parameter_count
LANES = (2, 3)
UPDATES = 6

RNG = np.random.default_rng(8)
START = RNG.normal(size=(*LANES, COUNT))
GRADIENTS = RNG.normal(size=(UPDATES, *LANES, COUNT))

VARIED: dict[str, tuple[float, float, float]] = {
    "learning_rate": (0.1, 0.02, 0.5),
    "momentum": (0.9, 0.0, 0.5),
    "alpha": (0.99, 0.9, 0.5),
    "beta1": (0.9, 0.5, 0.8),
    "beta2": (0.999, 0.9, 0.99),
    "epsilon": (1e-8, 1e-2, 1e-3),
    "trust": (0.001, 0.1, 0.02),
    "l2": (0.0, 0.3, 0.02),
    "weight_decay": (0.05, 0.0, 0.2),
    "clip_norm": (math.inf, 1.5, 3.0),
}
"""A value of every hyperparameter for each of three settings; some switch something off."""


def varied(name: str, keys: Sequence[str] = ()) -> list[dict[str, float]]:
    """Return three settings in which a rate and some, or all, hyperparameters differ."""
    known = {"learning_rate", *(keys or OPTIMIZERS[name].defaults)}
    return [
        {key: values[place] for key, values in VARIED.items() if key in known} for place in range(3)
    ]


def stepper_of(
    name: str, settings: Sequence[Settings], parameters: Array
) -> tuple[Stepper, Callable[..., Array]]:
    """Return an optimizer and a function that makes a step and returns it."""
    stepper = Stepper(name, settings, ARCHITECTURE, parameters)

    def step(gradient: Array, factor: float = 1.0, total_weight: float = 1.0) -> Array:
        stepper.advance(np.array([factor]))
        work = gradient.astype(parameters.dtype) * stepper.in_gradient[0]
        stepper.step(work, 0, total_weight=total_weight)
        return -work if stepper.folds else work

    return stepper, step


def steps(
    name: str,
    settings: Sequence[Settings],
    *,
    start: Array = START,
    gradients: Array = GRADIENTS,
    **options: float,
) -> tuple[Array, Array]:
    """Return all steps along fixed gradients and the parameters after them."""
    parameters = start.copy()
    _, step = stepper_of(name, settings, parameters)
    taken = np.array([step(gradient, **options) for gradient in gradients])
    return taken, parameters


# Trajectories of PyTorch

RECORDS = (Path(__file__).parent / "data" / "torch_trajectories.jsonl").read_text().splitlines()
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
    found = []
    for update in range(1, COMMON["updates"][-1] + 1):
        gradient = c * w - k * math.sin((k * w).sum())
        stepper.advance(np.ones(1))
        stepper.step(gradient * stepper.in_gradient[0], 0, total_weight=1.0)
        if update in COMMON["updates"]:
            found.append(w.ravel().tolist())
    np.testing.assert_allclose(found, case["parameters"], rtol=1e-10)


# LARS and LAMB, written number by number


def norm(numbers: Sequence[float]) -> float:
    return math.sqrt(math.fsum(number * number for number in numbers))


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
    _, found = steps(name, settings, start=start, gradients=gradients)
    for seed, place in np.ndindex(LANES):
        layers = cut(start[seed, place])
        SCALAR[name](layers, [cut(update[seed, place]) for update in gradients], settings[place])
        expected = [number for layer in layers for number in layer]
        trained = [number for layer in cut(found[seed, place]) for number in layer]
        np.testing.assert_allclose(trained, expected, rtol=1e-12, atol=1e-14)


# The contract of every optimizer


@optimizers
def test_the_key_is_the_name(name: str) -> None:
    assert OPTIMIZERS[name].name == name


@optimizers
@dtypes
def test_the_step_is_written_over_the_gradient_and_taken_off_the_parameters(
    name: str, dtype: type[np.floating]
) -> None:
    parameters = START.astype(dtype)
    _, step = stepper_of(name, varied(name), parameters)
    before = parameters.copy()
    taken = step(GRADIENTS[0])
    assert np.isfinite(taken).all()
    np.testing.assert_array_equal(parameters, before - taken)


@optimizers
@dtypes
def test_the_dtype_is_kept(name: str, dtype: type[np.floating]) -> None:
    parameters = START.astype(dtype)
    stepper, step = stepper_of(name, varied(name, ["l2", "weight_decay"]), parameters)
    assert step(GRADIENTS[0], 0.5).dtype == dtype
    assert parameters.dtype == dtype
    assert stepper.rate.dtype == dtype
    assert [slot.dtype for slot in stepper.slots] == [dtype] * OPTIMIZERS[name].slots
    assert [slot.shape for slot in stepper.slots] == [START.shape] * OPTIMIZERS[name].slots


@optimizers
def test_updates_are_counted(name: str) -> None:
    stepper, step = stepper_of(name, varied(name, ["l2"]), START.copy())
    for gradient in GRADIENTS:
        step(gradient)
    assert stepper.update == UPDATES


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
    for seed, place in np.ndindex(LANES):
        one = slice(seed, seed + 1), slice(place, place + 1)
        alone, _ = steps(
            name, [settings[place]], start=start[one], gradients=gradients[:, *one], factor=0.3
        )
        np.testing.assert_array_equal(together[:, *one], alone)


@optimizers
@dtypes
@pytest.mark.parametrize("penalty", ["l2", "weight_decay", "clip_norm"])
def test_a_lane_trains_exactly_as_it_would_beside_no_other_setting(
    name: str,
    dtype: type[np.floating],
    penalty: str,
    make_splits: Callable[..., list[Split]],
) -> None:
    settings = varied(name, [penalty])
    recipe = Recipe(batch_size=5, budget=Budget(epochs=3), optimizer=name, dtype=dtype)
    splits = make_splits(ARCHITECTURE, [1, 2])
    together = train(ARCHITECTURE, splits, settings, recipe)
    assert not together.diverged_at_update.any()
    for place, setting in enumerate(settings):
        alone = train(ARCHITECTURE, splits, [setting], recipe)
        np.testing.assert_array_equal(together.parameters[:, place], alone.parameters[:, 0])


@optimizers
@dtypes
def test_a_rate_of_zero_leaves_the_weights_untouched(name: str, dtype: type[np.floating]) -> None:
    parameters = START.astype(dtype)
    stepper, step = stepper_of(name, varied(name, ["l2", "weight_decay"]), parameters)
    stepper.rate[0, 1] = 0
    for gradient in GRADIENTS:
        step(gradient)
    np.testing.assert_array_equal(parameters[0, 1], START[0, 1].astype(dtype))
    assert (parameters[0, 0] != START[0, 0].astype(dtype)).all()


@optimizers
@dtypes
def test_a_lane_that_is_halted_stands_still(name: str, dtype: type[np.floating]) -> None:
    # Whatever the optimizer remembers of the updates before.
    parameters = START.astype(dtype)
    stepper, step = stepper_of(name, varied(name, ["weight_decay"]), parameters)
    for gradient in GRADIENTS[:3]:
        step(gradient)
    halted = np.zeros(LANES, np.bool_)
    halted[0] = True
    stepper.halt(halted)
    before = parameters.copy()
    for gradient in GRADIENTS[3:]:
        step(gradient)
    np.testing.assert_array_equal(parameters[0], before[0])
    assert (parameters[1] != before[1]).any(axis=-1).all()


@optimizers
def test_a_lane_that_is_stopped_keeps_its_weights_while_its_neighbours_learn(
    name: str, make_splits: Callable[..., list[Split]]
) -> None:
    recipe = Recipe(
        batch_size=5, budget=Budget(epochs=3), optimizer=name, evaluate_at=tuple(range(5, 70, 5))
    )
    splits = make_splits(ARCHITECTURE, [1, 2])
    trainer = Trainer(ARCHITECTURE, splits, varied(name, ["weight_decay"]), recipe)
    trainer.run(until_examples=10)
    stopped = np.zeros(LANES, np.bool_)
    stopped[0] = True
    trainer.networks.stop(stopped)
    before = trainer.networks.parameters.copy()
    trainer.run()
    assert (trainer.networks.stopped_at_update == [[2] * 3, [-1] * 3]).all()
    np.testing.assert_array_equal(trainer.networks.parameters[0], before[0])
    assert (trainer.networks.parameters[1] != before[1]).any(axis=-1).all()


@optimizers
@dtypes
def test_a_lane_at_rest_or_gone_mad_does_no_harm_to_its_neighbours(
    name: str, dtype: type[np.floating]
) -> None:
    settings = varied(name, ["l2", "weight_decay"])
    start, gradients = START.astype(dtype), GRADIENTS.astype(dtype)
    expected, _ = steps(name, settings, start=start, gradients=gradients)
    parameters, mad = start.copy(), gradients.copy()
    mad[2:, 1, 2] = np.nan
    stepper, step = stepper_of(name, settings, parameters)
    stepper.rate[0, 1] = 0
    with np.errstate(invalid="ignore"):
        found = np.array([step(gradient) for gradient in mad])
    others = np.ones(LANES, np.bool_)
    others[0, 1] = others[1, 2] = False
    np.testing.assert_array_equal(found[:, others], expected[:, others])


@optimizers
def test_the_state_of_weights_without_gradients_becomes_zero_and_never_subnormal(name: str) -> None:
    decaying = {"momentum": 0.9, "beta1": 0.9, "beta2": 0.9, "alpha": 0.9}
    known = {key: decaying[key] for key in decaying.keys() & OPTIMIZERS[name].defaults.keys()}
    parameters = np.ones((1, 1, COUNT), np.float32)
    stepper = Stepper(name, [{"learning_rate": 0.1, **known}], ARCHITECTURE, parameters)
    stepper.advance(np.ones(1))
    stepper.step(np.full_like(parameters, 1e-3), 0, total_weight=1)
    smallest = np.finfo(np.float32).tiny
    for _ in range(30):
        stepper.advance(np.ones(BLOCK))
        for number in range(BLOCK):
            stepper.step(np.zeros_like(parameters), number, total_weight=1)
        assert not any(((slot != 0) & (np.abs(slot) < smallest)).any() for slot in stepper.slots)
    kept = name == "adagrad"
    assert all(slot.all() if kept else not slot.any() for slot in stepper.slots)


@optimizers
def test_a_schedules_factor_multiplies_the_rate(name: str) -> None:
    settings = varied(name, ["l2", "weight_decay"])
    scaled = [{**s, "learning_rate": s["learning_rate"] * 0.25} for s in settings]
    np.testing.assert_array_equal(steps(name, settings, factor=0.25)[0], steps(name, scaled)[0])


@optimizers
def test_float32_steps_are_those_of_float64_to_rounding(name: str) -> None:
    settings = varied(name, ["learning_rate"])
    start, gradients = START.astype(np.float32), GRADIENTS.astype(np.float32)
    found, _ = steps(name, settings, start=start, gradients=gradients)
    expected, _ = steps(
        name, settings, start=start.astype(float), gradients=gradients.astype(float)
    )
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


# Clipping


def clipped(gradient: Array, limits: Sequence[float]) -> Array:
    """Return the gradient with each lane's norm brought down to its limit."""
    result = gradient.copy()
    for seed, place in np.ndindex(LANES):
        length = norm(gradient[seed, place].tolist())
        if length > limits[place]:
            result[seed, place] *= limits[place] / length
    return result


LIMITS = (0.5, 4.5, 1e6)
"""Below, among and above the gradients' norms."""


@optimizers
def test_clipping_is_done_to_each_lanes_gradient_before_anything_else(name: str) -> None:
    plain = varied(name, ["l2", "weight_decay"])
    settings = [{**s, "clip_norm": limit} for s, limit in zip(plain, LIMITS, strict=True)]
    expected, _ = steps(name, plain, gradients=np.array([clipped(g, LIMITS) for g in GRADIENTS]))
    np.testing.assert_allclose(steps(name, settings)[0], expected, rtol=1e-10, atol=1e-15)


def test_the_norms_that_clipping_is_tested_with_lie_on_both_sides_of_a_limit() -> None:
    norms = np.linalg.norm(GRADIENTS, axis=-1)
    assert (norms > LIMITS[0]).all()
    assert (norms[..., 1] > LIMITS[1]).any()
    assert (norms[..., 1] < LIMITS[1]).any()
    assert (norms < LIMITS[2]).all()


@dtypes
def test_a_clipped_gradient_is_never_longer_than_its_limit(dtype: type[np.floating]) -> None:
    settings = [{"learning_rate": 1.0, "clip_norm": limit} for limit in LIMITS]
    start = START.astype(dtype)
    found, _ = steps("sgd", settings, start=start, gradients=GRADIENTS)
    longest = np.array(LIMITS) * (1 + 8 * np.finfo(dtype).eps)
    assert (np.linalg.norm(found.astype(np.float64), axis=-1) <= longest).all()


@optimizers
@dtypes
@pytest.mark.parametrize("limit", [1e6, math.inf])
def test_a_gradient_within_the_limit_is_left_alone(
    name: str, dtype: type[np.floating], limit: float
) -> None:
    # The first lane has a limit that bites, so that all of them are looked at.
    plain = varied(name, ["learning_rate"])
    limits = (0.5, limit, limit)
    settings = [{**s, "clip_norm": length} for s, length in zip(plain, limits, strict=True)]
    start = START.astype(dtype)
    found, _ = steps(name, settings, start=start)
    expected, _ = steps(name, plain, start=start)
    np.testing.assert_array_equal(found[:, :, 1:], expected[:, :, 1:])


def test_a_gradient_of_zeros_can_be_clipped() -> None:
    settings = [{"learning_rate": 1.0, "clip_norm": limit} for limit in LIMITS]
    taken, parameters = steps("sgd", settings, gradients=np.zeros_like(GRADIENTS))
    assert not taken.any()
    np.testing.assert_array_equal(parameters, START)


# Penalties


@optimizers
@pytest.mark.parametrize("total_weight", [1.0, 8.0], ids=["mean", "sum of 8"])
def test_l2_adds_its_share_of_the_weights_to_the_gradient(name: str, total_weight: float) -> None:
    plain = varied(name, ["weight_decay"])
    strengths = np.array([0.0, 0.3, 0.02])
    settings = [{**s, "l2": l2} for s, l2 in zip(plain, strengths, strict=True)]
    found, parameters = START.copy(), START.copy()
    _, step = stepper_of(name, settings, found)
    _, by_hand = stepper_of(name, plain, parameters)
    for gradient in GRADIENTS:
        step(gradient, total_weight=total_weight)
        by_hand(gradient + total_weight * strengths[:, None] * parameters)
    np.testing.assert_allclose(found, parameters, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_l2_minimises_the_same_objective_for_every_batch_size_and_reduction(
    reduction: str, batch_size: int, make_splits: Callable[..., list[Split]]
) -> None:
    # One update from the same weights: what l2 adds to it is rate * l2 * W, times the examples of
    # the batch under "sum", where their losses' gradients are added up as well.
    splits = make_splits(ARCHITECTURE, [1])
    recipe = Recipe(
        batch_size=batch_size, budget=Budget(updates=1), reduction=reduction, dtype=np.float64
    )
    start = train(ARCHITECTURE, splits, [{"learning_rate": 1e-300}], recipe).parameters
    settings = [{"learning_rate": 0.1, "l2": l2} for l2 in (0.0, 0.5)]
    after = train(ARCHITECTURE, splits, settings, recipe).parameters
    items = batch_size if reduction == "sum" else 1
    np.testing.assert_allclose(
        after[0, 0] - after[0, 1], 0.1 * items * 0.5 * start[0, 0], rtol=1e-10, atol=1e-14
    )


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in {"lars", "lamb"}])
def test_weight_decay_is_decoupled_and_divided_by_nothing(name: str) -> None:
    # The gradients don't depend on the weights here, and neither do the optimizer's own steps.
    settings = [{**s, "weight_decay": 0.0} for s in varied(name, ["learning_rate"])]
    decay = np.array([[0.05], [0.0], [0.2]])
    rate = np.array([[setting["learning_rate"]] for setting in settings])
    decayed = [{**s, "weight_decay": w} for s, (w,) in zip(settings, decay, strict=True)]
    own_steps, _ = steps(name, settings, factor=0.5)
    _, found = steps(name, decayed, factor=0.5, total_weight=8)
    expected = START.copy()
    for own_step in own_steps:
        expected -= own_step + 0.5 * rate * decay * expected
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_plain_gradient_step_may_be_folded_into_the_gradient() -> None:
    assert Stepper("sgd", [{"learning_rate": 1.0}], ARCHITECTURE, START[:, :1]).folds


# What is refused


def test_settings_in_range_are_accepted() -> None:
    for name in OPTIMIZERS:
        check_settings(name, [{"learning_rate": 0.1}])
        check_settings(name, varied(name))


def test_settings_of_different_hyperparameters_are_refused() -> None:
    with pytest.raises(ValueError) as refused:
        check_settings("sgd", [{"learning_rate": 0.1}, {"learning_rate": 0.1, "l2": 0.0}])
    assert str(refused.value) == (
        "All `settings` must hold the same hyperparameters, but got "
        "[['learning_rate'], ['l2', 'learning_rate']]."
    )


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError) as refused:
        check_settings("sdg", [{"learning_rate": 0.1}])
    assert str(refused.value) == (
        "`optimizer` must be one of ['adagrad', 'adam', 'adamw', 'lamb', 'lars', 'momentum', "
        "'nesterov', 'rmsprop', 'sgd'], but got 'sdg'."
    )


def test_no_settings_are_refused() -> None:
    with pytest.raises(ValueError) as refused:
        check_settings("sgd", [])
    assert str(refused.value) == "`settings` must not be empty."


@pytest.mark.parametrize(
    ("setting", "got"),
    [
        ({"momentum": 0.5}, "['momentum']"),
        ({"learning_rate": 0.1, "beta1": 0.5}, "['beta1', 'learning_rate']"),
    ],
    ids=["missing", "unknown"],
)
def test_missing_and_unknown_hyperparameters_are_refused(setting: Settings, got: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_settings("momentum", [{"learning_rate": 0.1}, setting])
    assert str(refused.value) == (
        "A setting of momentum must hold 'learning_rate' and may hold "
        f"['clip_norm', 'l2', 'momentum', 'weight_decay'], but got {got}."
    )


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
    with pytest.raises(ValueError) as refused:
        check_settings(name, [{"learning_rate": 0.1, key: value}])
    assert str(refused.value) == f"`{key}` must be {allowed}, but got {value}."

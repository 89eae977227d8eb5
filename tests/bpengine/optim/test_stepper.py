"""What is the same for every optimizer: rates, rest, clipping and penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bpengine import Architecture, Budget, Examples, Recipe, Split, Trainer, train
from bpengine.network._arrays import Array
from bpengine.optim._optimizers import OPTIMIZERS
from bpengine.optim.stepper import CLEARING, Stepper
from tests.bpengine.problems import make_splits
from tests.bpengine.stepping import (
    ARCHITECTURE,
    COUNT,
    GRADIENTS,
    LANES,
    START,
    dtypes,
    norm,
    optimizers,
    stepper_of,
    steps,
    varied,
)


@optimizers
def test_a_lane_that_is_stopped_keeps_its_weights_while_its_neighbours_learn(name: str) -> None:
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
def test_a_lane_gone_mad_does_no_harm_to_its_neighbours(
    name: str, dtype: type[np.floating]
) -> None:
    settings = varied(name, ["l2", "weight_decay"])
    start, gradients = START.astype(dtype), GRADIENTS.astype(dtype)
    expected, _ = steps(name, settings, start=start, gradients=gradients)
    parameters, mad = start.copy(), gradients.copy()
    mad[2:, 1, 2] = np.nan
    _, step = stepper_of(name, settings, parameters)
    with np.errstate(invalid="ignore"):
        actual = np.array([step(gradient) for gradient in mad])
    others = np.ones(LANES, np.bool_)
    others[1, 2] = False
    np.testing.assert_array_equal(actual[:, others], expected[:, others])


@optimizers
def test_the_state_of_weights_without_gradients_becomes_zero_and_never_subnormal(name: str) -> None:
    decaying = {"momentum": 0.9, "beta1": 0.9, "beta2": 0.9, "alpha": 0.9}
    known = {key: decaying[key] for key in decaying.keys() & OPTIMIZERS[name].defaults.keys()}
    parameters = np.ones((1, 1, COUNT), np.float32)
    stepper = Stepper(name, [{"learning_rate": 0.1, **known}], ARCHITECTURE, parameters)
    stepper.step(np.full_like(parameters, 1e-3), factor=1, total_weight=1)
    smallest = np.finfo(np.float32).tiny
    for _ in range(30):
        for _ in range(CLEARING):
            stepper.step(np.zeros_like(parameters), factor=1, total_weight=1)
        assert not any(((slot != 0) & (np.abs(slot) < smallest)).any() for slot in stepper.slots)
    kept = name == "adagrad"
    assert all(slot.all() if kept else not slot.any() for slot in stepper.slots)


@optimizers
def test_a_schedules_factor_multiplies_the_rate(name: str) -> None:
    settings = varied(name, ["l2", "weight_decay"])
    scaled = [{**s, "learning_rate": s["learning_rate"] * 0.25} for s in settings]
    np.testing.assert_array_equal(steps(name, settings, factor=0.25)[0], steps(name, scaled)[0])


@optimizers
def test_the_preconditioner_is_what_a_step_makes_of_a_gradient(name: str) -> None:
    """Without memory a step is `rate P g`, but for the length of a layer in LARS and LAMB."""
    idle = {"momentum": 0.0, "beta1": 0.0, "weight_decay": 0.0, "l2": 0.0, "clip_norm": math.inf}
    settings = [{key: idle.get(key, s[key]) for key in s} for s in varied(name)]
    stepper, step = stepper_of(name, settings, START.copy())
    adaptive, by_layer = "epsilon" in OPTIMIZERS[name].defaults, OPTIMIZERS[name].by_layer
    assert np.isnan(stepper.preconditioner()).all() == adaptive
    taken = [step(gradient) for gradient in GRADIENTS]
    factors = taken[-1] / GRADIENTS[-1] / stepper.preconditioner()
    for part in ARCHITECTURE.slices:
        rates = [[s["learning_rate"]] for s in settings]
        expected = factors[..., part.start, None] if by_layer else rates
        np.testing.assert_allclose(factors[..., part] / expected, 1, rtol=1e-9)
    assert (stepper.preconditioner() == 1).all() != adaptive


# Clipping


def clipped(gradient: Array, limits: Sequence[float]) -> Array:
    """Return the gradient with each lane's norm brought down to its limit."""
    result = gradient.copy()
    for seed, index in np.ndindex(LANES):
        length = norm(gradient[seed, index].tolist())
        if length > limits[index]:
            result[seed, index] *= limits[index] / length
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
    actual, _ = steps("sgd", settings, start=start, gradients=GRADIENTS)
    longest = np.array(LIMITS) * (1 + 8 * np.finfo(dtype).eps)
    assert (np.linalg.norm(actual.astype(np.float64), axis=-1) <= longest).all()


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
    actual, _ = steps(name, settings, start=start)
    expected, _ = steps(name, plain, start=start)
    np.testing.assert_array_equal(actual[:, :, 1:], expected[:, :, 1:])


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
    actual, parameters = START.copy(), START.copy()
    _, step = stepper_of(name, settings, actual)
    _, by_hand = stepper_of(name, plain, parameters)
    for gradient in GRADIENTS:
        step(gradient, total_weight=total_weight)
        by_hand(gradient + total_weight * strengths[:, None] * parameters)
    np.testing.assert_allclose(actual, parameters, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_l2_minimises_the_same_objective_for_every_batch_size_and_reduction(
    reduction: str, batch_size: int
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
    _, actual = steps(name, decayed, factor=0.5, total_weight=8)
    expected = START.copy()
    for own_step in own_steps:
        expected -= own_step + 0.5 * rate * decay * expected
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_what_float32_can_not_hold_diverges_without_a_warning() -> None:
    data = Examples(np.array([[0.0], [1.0], [1e300]]), np.array([[0.0], [1.0], [1.0]]))
    settings = [{"learning_rate": 1e308, "l2": 0.0}, {"learning_rate": 1.0, "l2": 1e308}]
    for inputs in (data.inputs[:2], data.inputs):
        examples = Examples(inputs, data.targets[: len(inputs)])
        recipe = Recipe(batch_size=2, budget=Budget(epochs=2), dtype="float32")
        trained = train(Architecture((1, 1)), [Split(examples, examples, 1)], settings, recipe)
        assert trained.diverged_at_update.all()
    for scale in (1e300, 1e308):
        recipe = Recipe(batch_size=2, budget=Budget(epochs=2), dtype="float32", initial_scale=scale)
        split = Split(examples, examples, 1)
        assert train(Architecture((1, 1)), [split], settings, recipe).diverged_at_update.all()

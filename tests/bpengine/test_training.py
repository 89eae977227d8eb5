"""Training in lockstep: exact, independent of neighbours, honest about divergence."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpengine import (
    Architecture,
    BatchGrowth,
    Budget,
    Curves,
    Examples,
    Recipe,
    Schedule,
    Split,
    Trainer,
    Training,
    evaluate,
    sequential,
    train,
)
from bpengine.arrays import Array
from bpengine.gradient_noise import gradient_statistics
from bpengine.lockstep import Lockstep, lanes_in_cache
from bpengine.minibatches import Segment, epoch_order, shard_bounds
from bpengine.network import initial_parameters
from bpengine.streams import permutation

MakeSplits = Callable[..., list[Split]]
Options = dict[str, Any]

ARCHITECTURE = Architecture((6, 5, 4, 3))
RATES = [0.05, 0.5, 2.0]
LANE_CURVES = ("held_out_loss", "gradient_trace", "gradient_squared_norm")
CURVES = ("examples", "updates", "train_loss", "train_metric", "held_out_loss", "held_out_metric")


def train_small(splits: list[Split], rates: list[float] = RATES, **options: Any) -> Training:
    settings = [{"learning_rate": rate} for rate in rates]
    return train(ARCHITECTURE, splits, settings, recipe(**options))


def recipe(**options: Any) -> Recipe:
    defaults: Options = {
        "batch_size": 5,
        "budget": Budget(epochs=3),
        "evaluate_at": (0, 4, 23, 46, 69),
    }
    return Recipe(**defaults | options)


def same_curves(found: Curves, expected: Curves, seed: int, setting: int) -> None:
    for name in CURVES[:2]:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in CURVES[2:]:
        np.testing.assert_array_equal(
            getattr(found, name)[:, seed, setting], getattr(expected, name)[:, 0, 0]
        )


@pytest.mark.parametrize("batch_size", [1, 5, 23])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_training_is_that_of_the_per_item_reference(
    batch_size: int, reduction: str, make_splits: MakeSplits, flatten: Callable[..., Array]
) -> None:
    split = make_splits(ARCHITECTURE, [4])[0]
    found = train_small(
        [split], [0.3], batch_size=batch_size, reduction=reduction, dtype=np.float64
    )
    batches = []
    for epoch in range(3):
        order = epoch_order(split.seed, epoch, 23)
        for start in range(0, 23, batch_size):
            chosen = order[start : start + batch_size]
            batches.append((split.train.inputs[chosen], split.train.targets[chosen]))
    start_W = ARCHITECTURE.layers(initial_parameters(ARCHITECTURE, split.seed, np.float64))
    expected = sequential.train(start_W, batches, 0.3, reduction=reduction)
    flat = flatten(ARCHITECTURE, expected)
    np.testing.assert_allclose(found.parameters[0, 0], flat, rtol=1e-12, atol=1e-14)
    assert found.curves.updates[-1] == len(batches)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 23, 150])
def test_a_lane_trains_exactly_as_it_would_alone(
    dtype: type[np.floating], batch_size: int, make_splits: MakeSplits
) -> None:
    items = max(23, batch_size + 40)
    splits = make_splits(ARCHITECTURE, [1, 2, 3, 4], items)
    points = (0, items // 3, items, 2 * items)
    options: Options = {
        "batch_size": batch_size,
        "budget": Budget(epochs=2),
        "evaluate_at": points,
        "dtype": dtype,
    }
    together = train_small(splits, **options)
    for seed, setting in np.ndindex(4, 3):
        alone = train_small([splits[seed]], [RATES[setting]], **options)
        np.testing.assert_array_equal(together.parameters[seed, setting], alone.parameters[0, 0])
        same_curves(together.curves, alone.curves, seed, setting)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_the_cadence_of_evaluation_does_not_change_the_weights(
    optimizer: str, batch_size: int, make_splits: MakeSplits
) -> None:
    splits, options = make_splits(ARCHITECTURE, [1, 2]), {"optimizer": optimizer}
    often, never = (
        train_small(splits, batch_size=batch_size, evaluate_at=points, dtype=np.float64, **options)
        for points in (tuple(range(70)), ())
    )
    # Blocks of plain gradient descent end where networks are evaluated, which shows in rounding.
    rtol = 1e-12 if optimizer == "sgd" else 0
    np.testing.assert_allclose(often.parameters, never.parameters, rtol=rtol, atol=rtol)
    assert never.curves.train_loss.shape == (0, 2, 3)


def test_evaluations_come_at_the_first_update_at_or_past_a_point(make_splits: MakeSplits) -> None:
    curves = train_small(make_splits(ARCHITECTURE, [1])).curves
    assert curves.examples.tolist() == [0, 5, 23, 46, 69]
    assert curves.updates.tolist() == [0, 1, 5, 10, 15]


def test_losses_and_accuracies_are_those_of_the_reference(make_splits: MakeSplits) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2], items=300)
    trained = train_small(splits, evaluate_at=(900,), dtype=np.float64)
    for seed, setting in np.ndindex(2, 3):
        W = ARCHITECTURE.layers(trained.parameters[seed, setting])
        part = splits[seed].train
        outputs = np.array([sequential.forward(W, x)[-1] for x in part.inputs])
        errors = ((part.targets - outputs) ** 2).sum(axis=1) / 2
        right = outputs.argmax(axis=1) == part.targets.argmax(axis=1)
        assert trained.curves.train_loss[-1, seed, setting] == pytest.approx(errors.mean())
        assert trained.curves.train_metric[-1, seed, setting] == right.mean()


def test_evaluating_trained_weights_repeats_the_last_evaluation(make_splits: MakeSplits) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    trained = train_small(splits)
    loss, metric = evaluate(ARCHITECTURE, trained.parameters, [s.held_out for s in splits])
    np.testing.assert_array_equal(loss, trained.curves.held_out_loss[-1])
    np.testing.assert_array_equal(metric, trained.curves.held_out_metric[-1])


def test_with_the_whole_set_as_a_batch_the_order_does_not_matter(make_splits: MakeSplits) -> None:
    split = make_splits(ARCHITECTURE, [1])[0]
    shuffled = Split(
        Examples(split.train.inputs[::-1], split.train.targets[::-1]), split.held_out, split.seed
    )
    options: Options = {"batch_size": 23, "budget": Budget(epochs=4), "dtype": np.float64}
    np.testing.assert_allclose(
        train_small([split], **options).parameters,
        train_small([shuffled], **options).parameters,
        rtol=1e-12,
        atol=1e-14,
    )


OVERFLOWING = [0.05, 20.0, 0.5]
"""The second rate's step overflows float32 at the example that `with_a_huge_target` spoils."""


def with_a_huge_target(split: Split) -> Split:
    targets = split.train.targets.copy()
    targets[7] = 3e38
    return Split(Examples(split.train.inputs, targets), split.held_out, split.seed)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_diverging_lane_is_dated_and_harms_no_neighbour(
    batch_size: int, make_splits: MakeSplits
) -> None:
    splits = [with_a_huge_target(split) for split in make_splits(ARCHITECTURE, [1, 2, 3])]
    options: Options = {"batch_size": batch_size, "reduction": "sum"}
    healthy = train_small(splits, [0.05, 0.5], **options)
    mixed = train_small(splits, OVERFLOWING, **options)
    dates = [epoch_order(split.seed, 0, 23).tolist().index(7) // batch_size + 1 for split in splits]
    np.testing.assert_array_equal(mixed.diverged_at_update, [[0, date, 0] for date in dates])
    np.testing.assert_array_equal(mixed.parameters[:, ::2], healthy.parameters)
    assert np.isnan(mixed.parameters[:, 1]).all()


def test_a_diverged_lane_is_not_a_number_in_its_curve_from_then_on(
    make_splits: MakeSplits,
) -> None:
    splits = [with_a_huge_target(split) for split in make_splits(ARCHITECTURE, [1])]
    trained = train_small(splits, OVERFLOWING, reduction="sum", evaluate_at=tuple(range(70)))
    date = trained.diverged_at_update[0, 1]
    assert date > 0
    curves = trained.curves
    finite_until = curves.updates < date
    for values in (curves.held_out_loss, curves.held_out_metric):
        np.testing.assert_array_equal(np.isfinite(values[:, 0, 1]), finite_until)
        assert np.isfinite(values[:, 0, ::2]).all()


def test_evaluating_diverged_weights_gives_no_number(make_splits: MakeSplits) -> None:
    splits = [with_a_huge_target(split) for split in make_splits(ARCHITECTURE, [1])]
    parameters = train_small(splits, OVERFLOWING, reduction="sum").parameters
    loss, metric = evaluate(ARCHITECTURE, parameters, [s.held_out for s in splits])
    assert np.isnan([loss[0, 1], metric[0, 1]]).all()
    assert np.isfinite([loss[:, ::2], metric[:, ::2]]).all()


REFUSALS: dict[str, tuple[Options, list[float], str]] = {
    "batch larger than the data": (
        {"batch_size": 24},
        RATES,
        "A batch must hold at most the 23 training examples, but would hold 24.",
    ),
    "batch larger than the data and the growth": (
        {"batch_size": 24, "growth": BatchGrowth(2, 1, 8)},
        RATES,
        "A batch must hold at most the 23 training examples, but would hold 24.",
    ),
    "growth beyond the data": (
        {"growth": BatchGrowth(2, 1, 40)},
        RATES,
        "A batch must hold at most the 23 training examples, but would hold 40.",
    ),
    "more noise examples than data": (
        {"noise_examples": 24},
        RATES,
        "`noise_examples` must be at most the 23 training examples, but is 24.",
    ),
    "no setting": ({}, [], "`settings` must not be empty."),
    "zero rate": ({}, [0.0], "`learning_rate` must be finite and above 0, but got 0.0."),
    "a loss for another output": (
        {"loss": "cross_entropy"},
        RATES,
        "'cross_entropy' goes with the output 'softmax', not 'sigmoid'.",
    ),
}


@pytest.mark.parametrize(("options", "rates", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_does_not_go_together_is_refused(
    options: Options, rates: list[float], message: str, make_splits: MakeSplits
) -> None:
    with pytest.raises(ValueError) as refused:
        train_small(make_splits(ARCHITECTURE, [1]), rates, **options)
    assert str(refused.value) == message


def test_no_split_is_refused() -> None:
    with pytest.raises(ValueError) as refused:
        train_small([])
    assert str(refused.value) == "`splits` must not be empty."


def test_splits_of_different_shapes_are_refused(make_splits: MakeSplits) -> None:
    splits = [*make_splits(ARCHITECTURE, [1]), *make_splits(ARCHITECTURE, [2], items=24)]
    with pytest.raises(ValueError, match=r"^`splits` must all have the same shapes, but have "):
        train_small(splits)


@pytest.mark.parametrize("part", ["both", "held_out"])
def test_an_architecture_that_does_not_fit_the_data_is_refused(
    part: str, make_splits: MakeSplits
) -> None:
    (wrong,) = splits = make_splits(Architecture((7, 3)), [1])
    if part == "held_out":
        splits = [replace(make_splits(ARCHITECTURE, [1])[0], held_out=wrong.held_out)]
    with pytest.raises(ValueError) as refused:
        train_small(splits)
    assert str(refused.value) == (
        "`architecture` must have 7 inputs and 3 outputs, but is 6-5-4-3."
    )


def test_examples_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError) as refused:
        Examples(np.zeros((3, 2)), np.zeros(3))
    assert str(refused.value) == (
        "`inputs` and `targets` must be matrices with rows, but are ((3, 2), (3,))."
    )
    with pytest.raises(ValueError) as refused:
        Examples(np.zeros((3, 2)), np.zeros((1, 2)))
    assert str(refused.value) == (
        "`inputs` and `targets` must have as many rows, but are ((3, 2), (1, 2))."
    )
    with pytest.raises(ValueError) as refused:
        Examples(np.array([[np.nan]]), np.zeros((1, 2)))
    assert str(refused.value) == "`inputs` and `targets` must be finite."


def cohort_options() -> dict[str, tuple[Options, list[dict[str, float]]]]:
    """Return recipes that exercise every moving part, each with settings that differ in it."""
    rates = [{"learning_rate": 0.05}, {"learning_rate": 0.5}]
    return {
        "momentum": ({"optimizer": "momentum"}, [s | {"momentum": 0.5} for s in rates]),
        "adam": (
            {"optimizer": "adam", "schedule": Schedule("cosine", warmup=3)},
            [
                {"learning_rate": 0.01, "beta1": 0.8, "l2": 0.0},
                {"learning_rate": 0.02, "beta1": 0.9, "l2": 0.1},
            ],
        ),
        "lamb": ({"optimizer": "lamb"}, rates),
        "clipping": ({}, [s | {"clip_norm": 0.1} for s in rates]),
        "growth": ({"growth": BatchGrowth(2, 1, 20)}, rates),
        "shards": ({"shards": 3, "batch_size": 7}, rates),
        "local updates": (
            {"optimizer": "momentum", "shards": 3, "local_updates": 2, "batch_size": 7},
            rates,
        ),
        "patience": ({"patience": 1}, [{"learning_rate": 40.0}, {"learning_rate": 0.5}]),
        "gradient noise": ({"noise_examples": 12}, rates),
        "updates": ({"budget": Budget(updates=13)}, rates),
        "examples": ({"budget": Budget(examples=31)}, rates),
    }


@pytest.mark.parametrize(("options", "settings"), cohort_options().values(), ids=cohort_options())
def test_a_lane_trains_alone_as_in_a_cohort_whatever_the_recipe(
    options: Options, settings: list[dict[str, float]], make_splits: MakeSplits
) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2, 3])
    together = train(ARCHITECTURE, splits, settings, recipe(**options))
    for seed, setting in np.ndindex(3, 2):
        alone = train(ARCHITECTURE, [splits[seed]], [settings[setting]], recipe(**options))
        np.testing.assert_array_equal(together.parameters[seed, setting], alone.parameters[0, 0])
        assert together.stopped_at_update[seed, setting] == alone.stopped_at_update[0, 0]
        points = len(alone.curves.examples)
        for name in LANE_CURVES:
            np.testing.assert_array_equal(
                getattr(together.curves, name)[:points, seed, setting],
                getattr(alone.curves, name)[:, 0, 0],
            )


@pytest.mark.parametrize(("options", "settings"), cohort_options().values(), ids=cohort_options())
@pytest.mark.parametrize("cut", [1, 20, 40])
def test_training_that_was_cut_and_continued_gives_the_same_bits(
    options: Options, settings: list[dict[str, float]], cut: int, make_splits: MakeSplits
) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    whole = train(ARCHITECTURE, splits, settings, recipe(**options))
    first = Trainer(ARCHITECTURE, splits, settings, recipe(**options))
    first.run(until_examples=cut)
    second = Trainer(ARCHITECTURE, splits, settings, recipe(**options))
    second.restore(first.state())
    second.run()
    found = second.result()
    np.testing.assert_array_equal(found.parameters, whole.parameters)
    np.testing.assert_array_equal(found.stopped_at_update, whole.stopped_at_update)
    assert (found.updates, found.examples) == (whole.updates, whole.examples)
    for name in (*CURVES, *LANE_CURVES):
        np.testing.assert_array_equal(getattr(found.curves, name), getattr(whole.curves, name))


def test_a_state_survives_a_file(tmp_path: Path, make_splits: MakeSplits) -> None:
    splits, settings = make_splits(ARCHITECTURE, [1]), [{"learning_rate": 0.01}]
    adam = recipe(optimizer="adam")
    first = Trainer(ARCHITECTURE, splits, settings, adam)
    first.run(until_examples=30)
    np.savez(tmp_path / "state.npz", **first.state())
    second = Trainer(ARCHITECTURE, splits, settings, adam)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        second.restore(state)
    second.run()
    expected = train(ARCHITECTURE, splits, settings, adam)
    np.testing.assert_array_equal(second.result().parameters, expected.parameters)


@pytest.mark.parametrize(
    ("budget", "updates", "examples"),
    [
        (Budget(epochs=2), 10, 46),
        (Budget(updates=7), 7, 33),
        (Budget(examples=24), 6, 28),
        (Budget(examples=23), 5, 23),
        (Budget(epochs=2, updates=3), 3, 15),
        (Budget(epochs=9, seconds=1e-9), 5, 23),
    ],
)
def test_training_ends_at_the_first_limit_of_its_budget(
    budget: Budget, updates: int, examples: int, make_splits: MakeSplits
) -> None:
    trained = train_small(make_splits(ARCHITECTURE, [1]), budget=budget, evaluate_at=())
    assert (trained.updates, trained.examples) == (updates, examples)


def test_a_lane_stops_at_its_target_and_stands_still(make_splits: MakeSplits) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    free = train_small(splits, evaluate_at=tuple(range(0, 70, 5)))
    metric = free.curves.held_out_metric
    target = float(np.median(metric.max(axis=0)))
    stopped = train_small(splits, evaluate_at=tuple(range(0, 70, 5)), target=target)
    for seed, setting in np.ndindex(2, 3):
        reached = np.flatnonzero(metric[:, seed, setting] >= target)
        at = stopped.stopped_at_update[seed, setting]
        found = stopped.curves.held_out_metric[:, seed, setting]
        if reached.size:
            assert at == free.curves.updates[reached[0]]
            assert np.isnan(found[reached[0] + 1 :]).all()
            np.testing.assert_array_equal(
                found[: reached[0] + 1], metric[: reached[0] + 1, seed, setting]
            )
        else:
            assert at == -1
    assert (stopped.stopped_at_update > 0).any()


def test_a_lane_that_diverges_in_local_training_is_dated_where_copies_are_combined(
    make_splits: MakeSplits,
) -> None:
    splits = [with_a_huge_target(split) for split in make_splits(ARCHITECTURE, [1, 2, 3])]
    options: Options = {"batch_size": 6, "shards": 3, "local_updates": 2, "reduction": "sum"}
    trained = train_small(splits, OVERFLOWING, **options)
    met = [epoch_order(split.seed, 0, 23).tolist().index(7) // 12 for split in splits]
    np.testing.assert_array_equal(
        trained.diverged_at_update, [[0, 2 * rounds + 2, 0] for rounds in met]
    )


def test_local_training_is_that_of_copies_that_are_averaged(
    make_splits: MakeSplits, flatten: Callable[..., Array]
) -> None:
    """Three shards, two local updates each, by the per-item reference."""
    split = make_splits(ARCHITECTURE, [1])[0]
    found = train_small(
        [split],
        [0.3],
        batch_size=7,
        shards=3,
        local_updates=2,
        budget=Budget(epochs=1),
        dtype=np.float64,
    )
    order = epoch_order(1, 0, 23)
    inputs, targets = split.train.inputs[order], split.train.targets[order]
    W = ARCHITECTURE.layers(initial_parameters(ARCHITECTURE, 1, np.float64))
    for start, stop in ((0, 14), (14, 23)):
        copies, shares = [], []
        for worker in range(3):
            own = []
            for at in range(start, stop, 7):
                bounds = shard_bounds(min(at + 7, stop) - at, 3)
                if worker < len(bounds):
                    low, high = (at + bound for bound in bounds[worker])
                    own.append((inputs[low:high], targets[low:high]))
            copies.append(sequential.train(W, own, 0.3))
            shares.append(sum(len(x) for x, _ in own) / (stop - start))
        W = [
            sum(share * copy[layer] for share, copy in zip(shares, copies, strict=True))
            for layer in range(len(W))
        ]
    flat = flatten(ARCHITECTURE, W)
    np.testing.assert_allclose(found.parameters[0, 0], flat, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shards", [None, 4])
def test_gradient_statistics_along_training_are_those_of_the_networks_then(
    shards: int | None, make_splits: MakeSplits
) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    chosen = [permutation(split.seed, "gradient noise", 23)[:20] for split in splits]
    drawn = [
        Examples(split.train.inputs[rows], split.train.targets[rows])
        for split, rows in zip(splits, chosen, strict=True)
    ]
    options = {"noise_examples": 20, "noise_shards": shards, "dtype": np.float64}
    curves = train_small(splits, **options).curves
    for point, examples in enumerate(curves.examples):
        trainer = Trainer(
            ARCHITECTURE,
            splits,
            [{"learning_rate": rate} for rate in RATES],
            recipe(dtype=np.float64, evaluate_at=tuple(curves.examples)),
        )
        if examples:
            trainer.run(until_examples=int(examples))
        expected = gradient_statistics(
            ARCHITECTURE,
            trainer.networks.parameters,
            drawn,
            shards=shards,
            population=23,
        )
        np.testing.assert_allclose(curves.gradient_trace[point], expected.trace, rtol=1e-10)
        np.testing.assert_allclose(
            curves.gradient_squared_norm[point], expected.squared_norm, rtol=1e-10
        )
    assert np.isnan(train_small(splits).curves.gradient_trace).all()


def test_growing_batches_are_those_of_the_schedule(make_splits: MakeSplits) -> None:
    trained = train_small(
        make_splits(ARCHITECTURE, [1]), batch_size=5, growth=BatchGrowth(2, 1, 20)
    )
    # 23 examples: 5 batches of 5, then 3 of 10, then 2 of 20.
    assert trained.curves.updates.tolist() == [0, 1, 5, 8, 10]


def test_the_update_loop_allocates_no_array(make_splits: MakeSplits) -> None:
    architecture = Architecture((64, 128, 10))
    splits = make_splits(architecture, [1, 2], items=400)
    settings = [{"learning_rate": rate} for rate in (0.1, 0.2)]
    for optimizer in ("sgd", "adam"):
        networks = Lockstep(
            architecture,
            splits,
            settings,
            Recipe(batch_size=8, budget=Budget(epochs=9), optimizer=optimizer),
        )
        warm, timed = (Segment(0, start, start + 200, 8, evaluate=False) for start in (0, 200))
        networks.run(warm)
        tracemalloc.start()
        networks.run(timed)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        smallest_buffer = networks.parameters.nbytes / 20
        assert peak < smallest_buffer


def test_fewer_lanes_fit_into_the_cache_the_more_an_update_touches() -> None:
    wide, small = Architecture((64, 128, 10)), Architecture((64, 32, 10))
    plain = lanes_in_cache(wide, "sgd", 16, np.float32)
    assert lanes_in_cache(wide, "sgd", 16, np.float64) == plain // 2
    assert lanes_in_cache(wide, "adam", 16, np.float32) < plain
    assert lanes_in_cache(wide, "sgd", 64, np.float32) < plain
    assert lanes_in_cache(small, "sgd", 16, np.float32) > plain
    # The first layer's weights rest between the ends of blocks.
    assert lanes_in_cache(wide, "sgd", 1, np.float32) > 2 * plain
    assert lanes_in_cache(Architecture((5000, 100, 10)), "adam", 1, np.float64) == 1

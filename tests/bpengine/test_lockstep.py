"""Training in lockstep: exact, independent of neighbours, honest about divergence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bpengine import Architecture, Examples, Split, Training, evaluate, sequential, train
from bpengine.lockstep import Curves
from bpengine.minibatches import epoch_order
from bpengine.network import initial_parameters

MakeSplits = Callable[..., list[Split]]
Options = dict[str, Any]

ARCHITECTURE = Architecture((6, 5, 4, 3))
RATES = [0.05, 0.5, 2.0]
CURVES = ("examples", "updates", "train_loss", "train_metric", "held_out_loss", "held_out_metric")


def train_small(splits: list[Split], rates: list[float] = RATES, **options: Any) -> Training:
    defaults: Options = {"batch_size": 5, "epochs": 3, "evaluate_at": (0, 4, 23, 46, 69)}
    return train(ARCHITECTURE, splits, rates, **defaults | options)


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
    batch_size: int, reduction: str, make_splits: MakeSplits
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
    flat = np.concatenate([W.ravel() for W in expected])
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
        "epochs": 2,
        "evaluate_at": points,
        "dtype": dtype,
    }
    together = train_small(splits, **options)
    for seed, setting in np.ndindex(4, 3):
        alone = train_small([splits[seed]], [RATES[setting]], **options)
        np.testing.assert_array_equal(together.parameters[seed, setting], alone.parameters[0, 0])
        same_curves(together.curves, alone.curves, seed, setting)


def test_the_cadence_of_evaluation_does_not_change_the_weights(make_splits: MakeSplits) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    often = train_small(splits, evaluate_at=range(70))
    never = train_small(splits, evaluate_at=())
    np.testing.assert_array_equal(often.parameters, never.parameters)
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
    options: Options = {"batch_size": 23, "epochs": 4, "dtype": np.float64}
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
    trained = train_small(splits, OVERFLOWING, reduction="sum", evaluate_at=range(70))
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


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "batch larger than the data": (
        {"batch_size": 24},
        "`1 <= batch_size <= 23` must hold, but got batch_size=24.",
    ),
    "no batch": ({"batch_size": 0}, "`1 <= batch_size <= 23` must hold, but got batch_size=0."),
    "no epoch": ({"epochs": 0}, "`epochs >= 1` must hold, but got epochs=0."),
    "no rate": ({"rates": []}, "`splits` and `learning_rates` must not be empty."),
    "zero rate": (
        {"rates": [0.0]},
        "`learning_rates` must be finite and above 0, but are [0.0].",
    ),
    "unknown loss": (
        {"loss": "squared"},
        "`loss` must be one of ['squared_error'], but got 'squared'.",
    ),
    "unknown reduction": (
        {"reduction": "average"},
        "`reduction` must be one of ['mean', 'sum'], but got 'average'.",
    ),
}


@pytest.mark.parametrize(("options", "message"), REFUSALS.values(), ids=REFUSALS)
def test_wrong_arguments_are_refused(
    options: dict[str, Any], message: str, make_splits: MakeSplits
) -> None:
    with pytest.raises(ValueError) as refused:
        train_small(make_splits(ARCHITECTURE, [1]), **options)
    assert str(refused.value) == message


def test_splits_of_different_shapes_are_refused(make_splits: MakeSplits) -> None:
    splits = [*make_splits(ARCHITECTURE, [1]), *make_splits(ARCHITECTURE, [2], items=24)]
    with pytest.raises(ValueError, match=r"^`splits` must all have the same shapes, but have "):
        train_small(splits)


def test_an_architecture_that_does_not_fit_the_data_is_refused(make_splits: MakeSplits) -> None:
    splits = make_splits(Architecture((7, 3)), [1])
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

"""Training: independent of neighbours and interruption, honest in its curves, ended in time."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from refused import refused

from bpengine import (
    Architecture,
    BatchGrowth,
    Budget,
    Curves,
    Examples,
    Schedule,
    Split,
    Trainer,
    Training,
    evaluate,
    train,
)
from bpengine.diagnostics.gradient_noise import (
    curvature_statistics,
    gradient_statistics,
    preconditioned_statistics,
)
from bpengine.network._losses import LOSSES
from bpengine.network.streams import permutation
from bpengine.passes import sequential
from bpengine.passes.compiled import NUMPY
from bpengine.training import loop
from tests.bpengine.cohorts import (
    ARCHITECTURE,
    LINEAR,
    OVERFLOWING,
    RATES,
    Options,
    recipe,
    train_small,
)
from tests.bpengine.problems import make_splits

CURVES = [field.name for field in fields(Curves)]
ENDS = ("updates", "examples", "stopped_at_update", "diverged_at_update")


def same_lane(together: Training, alone: Training, lane: tuple[int, int]) -> None:
    """Check that a lane of a cohort is what it is alone, up to the end of its own training."""
    np.testing.assert_array_equal(together.parameters[lane], alone.parameters[0, 0])
    for name in ENDS:
        assert getattr(together, name)[lane] == getattr(alone, name)[0, 0]
    points = len(alone.curves.examples)
    for name in CURVES:
        cohort, single = (getattr(training.curves, name) for training in (together, alone))
        if single.ndim > 1:
            cohort, single = cohort[:, *lane], single[:, 0, 0]
        np.testing.assert_array_equal(cohort[:points], single)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 23, 150])
def test_a_lane_trains_exactly_as_it_would_alone(dtype: type[np.floating], batch_size: int) -> None:
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
        same_lane(together, alone, (seed, setting))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_the_cadence_of_evaluation_does_not_change_the_weights(
    optimizer: str, batch_size: int
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


def test_evaluations_come_at_the_first_update_at_or_past_a_point() -> None:
    curves = train_small(make_splits(ARCHITECTURE, [1])).curves
    assert curves.examples.tolist() == [0, 5, 23, 46, 69]
    assert curves.updates.tolist() == [0, 1, 5, 10, 15]


def test_losses_and_accuracies_are_those_of_the_reference() -> None:
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


def test_evaluating_trained_weights_repeats_the_last_evaluation() -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    trained = train_small(splits)
    loss, metric = evaluate(ARCHITECTURE, trained.parameters, [s.held_out for s in splits])
    np.testing.assert_array_equal(loss, trained.curves.held_out_loss[-1])
    np.testing.assert_array_equal(metric, trained.curves.held_out_metric[-1])


def test_evaluating_a_few_lanes_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    trained = train_small(splits, RATES)
    examples = [split.held_out for split in splits]
    whole = evaluate(ARCHITECTURE, trained.parameters, examples)
    monkeypatch.setattr(loop, "MOST_OUTPUTS", 1)
    np.testing.assert_array_equal(evaluate(ARCHITECTURE, trained.parameters, examples), whole)


def test_a_diverged_lane_is_not_a_number_in_its_curve_from_then_on() -> None:
    splits = make_splits(LINEAR, [1])
    trained = train_small(splits, OVERFLOWING, architecture=LINEAR, evaluate_at=tuple(range(70)))
    date = trained.diverged_at_update[0, 1]
    assert date > 0
    curves = trained.curves
    finite_until = curves.updates < date
    for values in (curves.held_out_loss, curves.held_out_metric):
        np.testing.assert_array_equal(np.isfinite(values[:, 0, 1]), finite_until)
        assert np.isfinite(values[:, 0, ::2]).all()


def test_evaluating_diverged_weights_gives_no_number() -> None:
    splits = make_splits(LINEAR, [1])
    parameters = train_small(splits, OVERFLOWING, architecture=LINEAR).parameters
    loss, metric = evaluate(LINEAR, parameters, [s.held_out for s in splits])
    assert np.isnan([loss[0, 1], metric[0, 1]]).all()
    assert np.isfinite([loss[:, ::2], metric[:, ::2]]).all()


REFUSALS: list[tuple[Options, list[float], str]] = [
    ({"batch_size": 24}, RATES, "at most the 23 training examples, but would hold 24"),
    ({"batch_size": 24, "growth": BatchGrowth(((1, 8),))}, RATES, "at most the 23 training"),
    ({"growth": BatchGrowth(((1, 40),))}, RATES, "the 23 training examples, but would hold 40"),
    ({"noise_examples": 24}, RATES, "`noise_examples` must be at most the 23"),
    ({}, [], "`settings` must not be empty"),
    ({}, [0.0], "`learning_rate` must be finite and above 0, but got 0.0"),
    ({"loss": "cross_entropy"}, RATES, "output 'softmax'"),
]


@pytest.mark.parametrize(("options", "rates", "message"), REFUSALS)
def test_what_does_not_go_together_is_refused(
    options: Options, rates: list[float], message: str
) -> None:
    splits = make_splits(ARCHITECTURE, [1])
    refused(lambda: train_small(splits, rates, **options), message)


def test_no_split_and_splits_of_different_shapes_are_refused() -> None:
    splits = [*make_splits(ARCHITECTURE, [1]), *make_splits(ARCHITECTURE, [2], items=24)]
    refused(lambda: train_small([]), "`splits` must not be empty")
    refused(lambda: train_small(splits), "`splits`", "the same shapes", (24, 6))


@pytest.mark.parametrize("part", ["both", "held_out"])
def test_an_architecture_that_does_not_fit_the_data_is_refused(part: str) -> None:
    (wrong,) = splits = make_splits(Architecture((7, 3)), [1])
    if part == "held_out":
        splits = [replace(make_splits(ARCHITECTURE, [1])[0], held_out=wrong.held_out)]
    refused(lambda: train_small(splits), "7 inputs and 3 outputs, but is 6-5-4-3")


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
        "growth": ({"growth": BatchGrowth(((1, 10), (2, 20)), "sqrt")}, rates),
        "shards": ({"shards": 3, "batch_size": 7}, rates),
        "local updates": (
            {"optimizer": "adam", "shards": 3, "local_updates": 2, "batch_size": 7}
            | {"noise_examples": 12, "noise_geometry": True},
            rates,
        ),
        "patience": ({"patience": 1}, [{"learning_rate": 40.0}, {"learning_rate": 0.5}]),
        "gradient noise": ({"noise_examples": 12, "noise_curvature": True}, rates),
        "updates": ({"budget": Budget(updates=13)}, rates),
        "examples": ({"budget": Budget(examples=31)}, rates),
    }


@pytest.mark.parametrize(("options", "settings"), cohort_options().values(), ids=cohort_options())
def test_a_lane_trains_alone_as_in_a_cohort_whatever_the_recipe(
    options: Options, settings: list[dict[str, float]]
) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2, 3])
    together = train(ARCHITECTURE, splits, settings, recipe(**options))
    for seed, setting in np.ndindex(3, 2):
        alone = train(ARCHITECTURE, [splits[seed]], [settings[setting]], recipe(**options))
        same_lane(together, alone, (seed, setting))


@pytest.mark.parametrize(("options", "settings"), cohort_options().values(), ids=cohort_options())
@pytest.mark.parametrize("cut", [1, 20, 40])
def test_training_that_was_cut_and_continued_gives_the_same_bits(
    options: Options, settings: list[dict[str, float]], cut: int
) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    whole = train(ARCHITECTURE, splits, settings, recipe(**options))
    first = Trainer(ARCHITECTURE, splits, settings, recipe(**options))
    first.run(until_examples=cut)
    second = Trainer(ARCHITECTURE, splits, settings, recipe(**options))
    second.restore(first.state())
    second.run()
    actual = second.result()
    np.testing.assert_array_equal(actual.parameters, whole.parameters)
    for name in ENDS:
        np.testing.assert_array_equal(getattr(actual, name), getattr(whole, name))
    for name in CURVES:
        np.testing.assert_array_equal(getattr(actual.curves, name), getattr(whole.curves, name))


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
    budget: Budget, updates: int, examples: int
) -> None:
    trained = train_small(make_splits(ARCHITECTURE, [1]), budget=budget, evaluate_at=())
    assert (trained.updates == updates).all()
    assert (trained.examples == examples).all()


def test_a_lane_stops_at_its_target_and_stands_still() -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    free = train_small(splits, evaluate_at=tuple(range(0, 70, 5)))
    metric = free.curves.held_out_metric
    target = float(np.median(metric.max(axis=0)))
    stopped = train_small(splits, evaluate_at=tuple(range(0, 70, 5)), target=target)
    for seed, setting in np.ndindex(2, 3):
        reached = np.flatnonzero(metric[:, seed, setting] >= target)
        at = stopped.stopped_at_update[seed, setting]
        actual = stopped.curves.held_out_metric[:, seed, setting]
        if reached.size:
            assert at == free.curves.updates[reached[0]]
            assert np.isnan(actual[reached[0] + 1 :]).all()
            np.testing.assert_array_equal(
                actual[: reached[0] + 1], metric[: reached[0] + 1, seed, setting]
            )
        else:
            assert at == -1
    assert (stopped.stopped_at_update > 0).any()


def test_a_lane_ends_with_its_own_counts_and_weights_whatever_goes_on_next_to_it() -> None:
    """One lane reaches its target, one diverges, one goes on: local updates round every average."""
    splits = make_splits(LINEAR, [1, 2, 3])
    options: Options = {
        "architecture": LINEAR,
        "shards": 3,
        "local_updates": 2,
        "budget": Budget(epochs=30),
        "evaluate_at": tuple(range(0, 690, 5)),
    }
    rates = [0.0001, 0.05, 3e38]
    metrics = train_small(splits, rates, **options).curves.held_out_metric
    options["target"] = np.median(metrics[:, :, :2].max(axis=0)) + 1e-9
    together = train_small(splits, rates, **options)
    assert (together.stopped_at_update > 0).any()
    assert (together.diverged_at_update > 0).any()
    assert (together.examples == 690).any()
    for seed, setting in np.ndindex(together.updates.shape):
        alone = train_small([splits[seed]], [rates[setting]], **options)
        same_lane(together, alone, (seed, setting))
        if alone.stopped_at_update[0, 0] > 0:
            assert alone.examples[0, 0] == alone.curves.examples[-1]


def test_with_patience_the_weights_are_those_of_the_best_evaluation() -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    options: Options = {"evaluate_at": tuple(range(0, 700, 5)), "budget": Budget(epochs=30)}
    for patience in (2, 1000):
        trained = train_small(splits, **options, patience=patience)
        losses = trained.curves.held_out_loss
        best = np.nanargmin(losses, axis=0)
        assert (best < len(losses) - 1).any()
        loss, _ = evaluate(ARCHITECTURE, trained.parameters, [s.held_out for s in splits])
        np.testing.assert_array_equal(loss, np.take_along_axis(losses, best[None], 0)[0])


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "binary_cross_entropy"])
def test_a_lane_has_diverged_when_its_loss_is_too_many_times_the_first(loss: str) -> None:
    output = {"squared_error": "identity", "cross_entropy": "softmax"}.get(loss, "sigmoid")
    architecture = Architecture((6, 5, 3), "tanh", output)
    splits = make_splits(architecture, [1, 2])
    points = tuple(range(0, 70, 5))
    settings = [{"learning_rate": rate} for rate in (0.001, 3.0)]
    options: Options = {"loss": loss, "evaluate_at": points, "reduction": "sum"}
    free = train(architecture, splits, settings, recipe(**options, divergence=np.inf))
    losses = np.maximum(free.curves.train_loss, free.curves.held_out_loss)
    firsts = free.curves.train_loss[0]
    limit = losses[5, 0, 1] / firsts[0, 1] * (1 - 1e-9)
    assert limit > 1
    trained = train(architecture, splits, settings, recipe(**options, divergence=limit))
    for seed, setting in np.ndindex(2, 2):
        targets = splits[seed].train.targets
        constant = float(LOSSES[loss].of_constant(targets))
        most = limit * max(firsts[seed, setting], constant)
        exceeding = np.flatnonzero(~(losses[:, seed, setting] <= most))
        date = trained.diverged_at_update[seed, setting]
        if exceeding.size:
            assert date == free.curves.updates[exceeding[0]] == trained.updates[seed, setting]
            assert trained.examples[seed, setting] == free.curves.examples[exceeding[0]]
            assert np.isnan(trained.parameters[seed, setting]).all()
        else:
            assert date == -1
        ended = trained.curves.train_loss[:, seed, setting]
        assert np.isfinite(ended).sum() == (exceeding[0] if exceeding.size else len(ended))
    assert (trained.diverged_at_update[:, 1] > 0).any()
    assert (trained.diverged_at_update[:, 0] == -1).all()


def test_a_first_loss_that_is_not_finite_is_divergence_before_the_first_update() -> None:
    architecture = Architecture((6, 5, 3), "identity", "identity")
    splits = make_splits(architecture, [1])
    options = recipe(initial_scale=1e15, evaluate_at=(0, 23))
    trained = train(architecture, splits, [{"learning_rate": 0.1}], options)
    assert (trained.diverged_at_update, trained.updates) == (0, 0)


def test_a_budget_in_seconds_ends_with_an_evaluation() -> None:
    splits = make_splits(ARCHITECTURE, [1])
    budget = Budget(epochs=9, seconds=1e-9)
    trained = train_small(splits, budget=budget, evaluate_at=(0, 230))
    assert trained.curves.examples.tolist() == [0, 23]


def drawn(splits: list[Split], purpose: str, count: int, part: int) -> list[Examples]:
    """Return the training examples of each split that an evaluation draws."""
    chosen = [permutation(split.seed, purpose, 23, part=part)[:count] for split in splits]
    return [
        Examples(split.train.inputs[rows], split.train.targets[rows])
        for split, rows in zip(splits, chosen, strict=True)
    ]


def test_gradient_statistics_along_training_are_those_of_the_networks_then() -> None:
    splits = make_splits(ARCHITECTURE, [1, 2])
    shared: Options = {"dtype": np.float64, "optimizer": "adam"}
    options: Options = {"noise_examples": 20, "noise_curvature": True, "noise_geometry": True}
    curves = train_small(splits, **shared, **options).curves
    for point, examples in enumerate(curves.examples):
        # Adam's state in NumPy, whatever has computed the curves.
        until = recipe(**shared, numerics=NUMPY, evaluate_at=tuple(curves.examples))
        settings = [{"learning_rate": rate} for rate in RATES]
        trainer = Trainer(ARCHITECTURE, splits, settings, until)
        if examples:
            trainer.run(until_examples=int(examples))
        first, second = (
            drawn(splits, name, 20, point) for name in ("gradient noise", "noise curvature")
        )
        network = (ARCHITECTURE, trainer.networks.parameters)
        gradient = gradient_statistics(*network, first, population=23)
        curvature = curvature_statistics(*network, first, second, population=23)
        P = trainer.networks.preconditioner()
        assert np.isnan(P).all() == (examples == 0)
        geometry = preconditioned_statistics(*network, first, P, population=23).total()
        for actual, expected in (
            (curves.gradient_trace, gradient.trace),
            (curves.gradient_squared_norm, gradient.squared_norm),
            (curves.curvature_trace, curvature.trace),
            (curves.gradient_curvature, curvature.squared_norm),
            (curves.geometry_trace, geometry.trace),
            (curves.geometry_squared_norm, geometry.squared_norm),
        ):
            np.testing.assert_allclose(actual[point], expected, rtol=1e-9)
    assert np.isnan(train_small(splits).curves.gradient_trace).all()
    less = train_small(splits, noise_examples=20).curves
    assert np.isnan([less.curvature_trace, less.geometry_trace]).all()


def test_averages_over_evaluations_gain_from_fresh_examples() -> None:
    """A network at rest, with the exact value known: 8 fresh draws err by 1/sqrt(8) of one."""
    splits = make_splits(ARCHITECTURE, [*range(40)])
    options: Options = {"evaluate_at": tuple(range(0, 185, 23)), "budget": Budget(epochs=8)}
    still = [{"learning_rate": 1e-30}]
    exact, measured = (
        train(ARCHITECTURE, splits, still, recipe(**options, noise_examples=count)).curves
        for count in (23, 6)
    )
    for name in ("gradient_trace", "gradient_squared_norm"):
        errors = (getattr(measured, name) - getattr(exact, name))[1:, :, 0]
        alone, averaged = (np.sqrt(np.mean(np.square(e))) for e in (errors, errors.mean(axis=0)))
        assert averaged / alone == pytest.approx(8**-0.5, rel=0.3)

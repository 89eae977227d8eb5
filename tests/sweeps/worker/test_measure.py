"""Timing: every engine and batch size in turn, and what a time depends on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from bpengine import default_numerics
from bpengine.optim._optimizers import OPTIMIZERS
from bpengine.passes.compiled import NUMPY
from bpengine.training.lockstep import Lockstep
from reports.schema import ONE_PIECE, PER_ITEM, TENSOR
from sweeps.data.splits import Dataset, prepare
from sweeps.design.experiment import Experiment
from sweeps.design.trials import settings_of
from sweeps.worker import measure as timing
from sweeps.worker.measure import Measurement, Round, Workload, workload_of

PLAIN = Workload(
    widths=(4, 3, 3),
    activation="sigmoid",
    output="sigmoid",
    loss="squared_error",
    reduction="mean",
    optimizer="sgd",
    extras=(),
    shards=1,
    local_updates=1,
    dtype="float32",
    numerics=default_numerics(),
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)


def measurement(workload: Workload, engine: str, size: int, lanes: int = 1) -> Measurement:
    settings = (settings_of(workload.optimizer, 8.0, {}),)
    return Measurement(workload, engine, tuple(range(1, lanes + 1)), settings, size)


Timed = Callable[..., list[Round]]


@pytest.fixture
def timed(experiment: Experiment, dataset: Dataset) -> Timed:
    """Return a function that times measurements on the small study's data."""
    preparation = experiment.groups[0].family.facts.preparation
    splits = {seed: prepare(dataset, preparation, seed)[0] for seed in (1, 2, 3)}

    def rounds(*wanted: Measurement, **options: Any) -> list[Round]:
        return [*timing.time_updates(wanted, splits.__getitem__, **options)]

    return rounds


def test_rounds_take_turns_over_engines_and_batch_sizes(timed: Timed) -> None:
    wanted = [
        measurement(PLAIN, engine, size, lanes)
        for size in (1, 40)
        for engine, lanes in ((TENSOR, 1), (TENSOR, 3), (PER_ITEM, 1))
    ]
    before = time.time()
    rounds = timed(*wanted)
    assert [(r.workload, r.engine, r.lanes, r.batch_size) for r in rounds] == (
        [each.key for each in wanted] * timing.ROUNDS
    )
    assert [r.round for r in rounds[:: len(wanted)]] == [*range(timing.ROUNDS)]
    for measured in rounds:
        assert measured.wall_seconds > 0
        assert measured.cpu_seconds >= 0
        assert before <= measured.started <= time.time()
        # 90 training examples are 90 batches of 1 and 2 whole batches of 40; NumPy's reference
        # makes no more than 64, or a single batch.
        is_short = measured.engine == PER_ITEM and PLAIN.numerics == NUMPY
        whole = {1: 64, 40: 1} if is_short else {1: 90, 40: 2}
        assert measured.updates % whole[measured.batch_size] == 0


def test_the_whole_batch_is_made_unsharded(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def lockstep(*arguments: Any, **options: Any) -> Lockstep:
        made.append(arguments[-1].shards)
        return Lockstep(*arguments, **options)

    monkeypatch.setattr(timing, "Lockstep", lockstep)
    split = replace(PLAIN, shards=4)
    wanted = [measurement(split, engine, 40) for engine in (TENSOR, ONE_PIECE)]
    rounds = timed(*wanted, rounds=1)
    assert made == [4, 1]
    assert [(r.workload, r.engine) for r in rounds] == [
        (split.identity, TENSOR),
        (split.identity, ONE_PIECE),
    ]


def test_no_look_at_the_clock_is_long_delayed_and_no_more_worked_on_than_need_be(
    timed: Timed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(timing, "MOST_UPDATES", 7)
        wanted = [measurement(PLAIN, engine, 1) for engine in (TENSOR, PER_ITEM)]
        rounds = timed(*wanted)
        assert {r.updates % 7 for r in rounds} == {0}
    monkeypatch.setattr(timing, "MOST_EXAMPLES", 12)
    wanted = [measurement(PLAIN, TENSOR, size) for size in (4, 40)]
    rounds = timed(*wanted)
    assert {r.updates % 3 for r in rounds if r.batch_size == 4} == {0}
    assert len(rounds) == 2 * timing.ROUNDS


OTHERS = {
    "widths": (4, 3),
    "activation": "relu",
    "output": "softmax",
    "loss": "cross_entropy",
    "reduction": "sum",
    "optimizer": "adam",
    "extras": ("l2",),
    "shards": 2,
    "local_updates": 2,
    "dtype": "float64",
    "numerics": "another",
}


def test_every_field_of_a_workload_counts() -> None:
    assert [*OTHERS] == [field.name for field in fields(Workload)]
    identities = {replace(PLAIN, **{name: value}).identity for name, value in OTHERS.items()}
    assert len(identities | {PLAIN.identity}) == len(OTHERS) + 1


def test_a_workload_is_what_its_group_does(experiment: Experiment) -> None:
    assert workload_of(experiment.groups[0]) == replace(PLAIN, widths=(4, 4, 3))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_extras_are_what_costs_time(optimizer: str, experiment: Experiment) -> None:
    def extras(hyperparameters: dict[str, float]) -> tuple[str, ...]:
        family = replace(group.family, hyperparameters=tuple(hyperparameters.items()))
        return workload_of(replace(group, family=family)).extras

    group, defaults = experiment.groups[0], {**OPTIMIZERS[optimizer].defaults}
    assert extras(defaults) == ("weight_decay",) * (defaults["weight_decay"] > 0)
    every = ("l2", "weight_decay", "clip_norm")
    assert extras(defaults | dict.fromkeys(every, 0.1)) == every


WITHOUT_REFERENCE = {
    "hidden activation": {"activation": "relu"},
    "output": {"output": "identity"},
    "loss": {"loss": "binary_cross_entropy"},
    "optimizer": {"optimizer": "momentum"},
    "penalty": {"extras": ("l2",)},
    "local updates": {"local_updates": 2, "shards": 2},
}


@pytest.mark.parametrize("change", WITHOUT_REFERENCE.values(), ids=WITHOUT_REFERENCE)
def test_the_reference_is_for_sgd_on_sigmoids(change: dict[str, object]) -> None:
    assert PLAIN.has_reference
    assert replace(PLAIN, widths=(4, 3), activation="relu").has_reference
    assert not replace(PLAIN, **change).has_reference


TIMED = {
    "adam, float64": {"optimizer": "adam", "dtype": "float64"},
    "local updates": {"shards": 2, "local_updates": 3},
    "softmax": {"output": "softmax", "loss": "cross_entropy", "activation": "gelu"},
}


@pytest.mark.parametrize("change", TIMED.values(), ids=TIMED)
def test_every_workload_can_be_timed(change: dict[str, object], timed: Timed) -> None:
    wanted = [measurement(replace(PLAIN, **change), TENSOR, 10, lanes) for lanes in (1, 2)]
    rounds = timed(*wanted)
    assert len(rounds) == 2 * timing.ROUNDS

"""A trial's identity: everything that determines the result, nothing else, always the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from faults import configuration
from hypothesis import given
from hypothesis import strategies as st

from bpengine import BatchGrowth, Budget, Schedule
from bpengine.optim._optimizers import COMMON, OPTIMIZERS
from sweeps.data.splits import Preparation, Source
from sweeps.design.trials import (
    LATER,
    Branching,
    Cohort,
    EngineConfiguration,
    Trial,
    settings_of,
    trials_on,
)

CONFIGURATION = configuration(
    source=Source("iris"),
    fingerprint="f",
    preparation=Preparation(30, 30, "none"),
    train_items=90,
    widths=(4, 3, 3),
    budget=Budget(epochs=2),
    numerics="kernel 1",
)
SETTINGS = settings_of("sgd", 0.1, {})
TRIAL = Trial(CONFIGURATION, SETTINGS, 7)

OTHERS: dict[str, Any] = {
    "evaluate_test": True,
    "fingerprint": "g",
    "task": "regression",
    "preparation": Preparation(30, 30, "none", split_seed=1),
    "widths": (4, 33),
    "activation": "tanh",
    "output": "softmax",
    "initialiser": "he_normal",
    "initial_scale": 2.0,
    "loss": "cross_entropy",
    "reduction": "sum",
    "metric": "r2",
    "optimizer": "adam",
    "schedule": Schedule("cosine"),
    "growth": BatchGrowth(((1, 64),)),
    "batch_size": 9,
    "shards": 2,
    "local_updates": 2,
    "budget": Budget(updates=2),
    "noise_examples": 20,
    "target": 0.5,
    "patience": 5,
    "divergence": 50.0,
    "dtype": "float64",
    "numerics": "numpy 6",
    "noise_curvature": True,
    "noise_geometry": True,
    "sharpness": True,
    "stop_loss": 0.5,
    "branching": Branching((8,), (1, 2), 0.1, "sqrt"),
}
SAME: dict[str, Any] = {
    # The fingerprint says what the data are, wherever they lie and whatever they are called.
    "source": Source("other.csv", (("target", "y"),), path="elsewhere"),
    # Fingerprint and preparation determine it.
    "train_items": 91,
}


def identity(configuration: EngineConfiguration) -> str:
    return Trial(configuration, SETTINGS, 7).identity


def test_the_identity_is_pinned() -> None:
    # A change here makes every stored trial run again.
    assert TRIAL.identity == "2b1f42a4a91480d444f559b89b417d48"


def test_trials_that_are_made_together_are_those_made_alone() -> None:
    together = trials_on([7, 0, 2**63 - 1], CONFIGURATION, SETTINGS)
    alone = [Trial(CONFIGURATION, SETTINGS, seed) for seed in (7, 0, 2**63 - 1)]
    assert together == alone
    assert [trial.identity for trial in together] == [trial.identity for trial in alone]


def test_every_field_of_the_configuration_counts_but_those_that_others_determine() -> None:
    assert {*OTHERS, *SAME} == {field.name for field in fields(EngineConfiguration)}
    changed = {identity(replace(CONFIGURATION, **{name: new})) for name, new in OTHERS.items()}
    assert len(changed | {TRIAL.identity}) == len(OTHERS) + 1
    for name, new in SAME.items():
        assert identity(replace(CONFIGURATION, **{name: new})) == TRIAL.identity


def test_a_setting_that_came_later_leaves_trials_at_its_default_as_they_were() -> None:
    other = replace(CONFIGURATION, noise_curvature=True)
    assert (CONFIGURATION.further, other.further) == ({}, {"noise_curvature": True})
    assert not [name for name in LATER if name in CONFIGURATION.content]
    assert '"noise_curvature":true' in other.content


NESTED = (
    *(Preparation(*parts) for parts in ((31, 30, "none"), (30, 31, "none"), (30, 30, "min-max"))),
    *(Budget(**{name: 2}) for name in ("updates", "examples", "seconds")),
    Budget(epochs=2, seconds=2.0),
    *(Schedule(warmup=1), Schedule(warmup=1, per="epoch"), Schedule("inverse", decay=0.2)),
    *(Schedule("step", every=every) for every in (1, 2)),
    *(BatchGrowth(steps) for steps in (((1, 64),), ((2, 64),), ((1, 65),), ((1, 32), (2, 64)))),
    BatchGrowth(((1, 64),), "sqrt"),
    *(Branching(*parts) for parts in (((8,), (1, 2), 0.1, "sqrt"), ((9,), (1, 2), 0.1, "sqrt"))),
    *(Branching((8,), *parts) for parts in (((1, 3), 0.1, "sqrt"), ((1, 2), 0.2, "sqrt"))),
    Branching((8,), (1, 2), 0.1, "linear"),
)


def test_every_field_within_a_field_counts() -> None:
    names = {Preparation: "preparation", Budget: "budget", Schedule: "schedule"}
    names[Branching] = "branching"
    changed = {
        identity(replace(CONFIGURATION, **{names.get(type(value), "growth"): value}))
        for value in NESTED
    }
    assert len(changed | {TRIAL.identity}) == len(NESTED) + 1


HYPERPARAMETERS = st.dictionaries(
    st.sampled_from(sorted(OPTIMIZERS["adam"].defaults)),
    st.floats(min_value=0, allow_infinity=False),
)


@given(
    st.lists(
        st.tuples(
            st.floats(min_value=0, allow_infinity=False),
            HYPERPARAMETERS.map(lambda pairs: tuple(sorted(pairs.items()))),
            st.integers(0, 2**63 - 1),
            st.sampled_from([1, 2, 90]),
        ),
        unique_by=lambda lane: (settings_of("adam", lane[0], dict(lane[1])), *lane[2:]),
        max_size=20,
    )
)
def test_no_two_trials_are_alike(
    choices: list[tuple[float, tuple[tuple[str, float], ...], int, int]],
) -> None:
    identities = {
        Trial(
            replace(CONFIGURATION, optimizer="adam", batch_size=size),
            settings_of("adam", rate, dict(given)),
            seed,
        ).identity
        for rate, given, seed, size in choices
    }
    assert len(identities) == len(choices)


@given(HYPERPARAMETERS)
def test_the_order_of_hyperparameters_does_not_matter(pairs: dict[str, float]) -> None:
    backwards = dict(reversed(pairs.items()))
    assert settings_of("adam", 0.1, pairs) == settings_of("adam", 0.1, backwards)


def test_minus_zero_is_zero() -> None:
    trials = [Trial(CONFIGURATION, settings_of("sgd", 0.1, {"l2": l2}), 7) for l2 in (0.0, -0.0)]
    assert trials[0].identity == trials[1].identity == TRIAL.identity


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_identity_is_the_same_in_every_process(hash_seed: str) -> None:
    code = (
        "from bpengine import Budget, Schedule\n"
        "from sweeps.data.splits import Preparation, Source\n"
        "from sweeps.design.trials import EngineConfiguration, Trial\n"
        f"print(Trial({CONFIGURATION!r}, {SETTINGS!r}, 7).identity)"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code.replace("inf)", "float('inf'))")],
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.strip() == TRIAL.identity


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_trial_shows_its_own_hyperparameters(optimizer: str) -> None:
    defaults = OPTIMIZERS[optimizer].defaults
    plain = Trial(CONFIGURATION, settings_of(optimizer, 0.1, {}), 7)
    specific = {name for name in defaults if name not in COMMON or defaults[name] != COMMON[name]}
    assert {*plain.hyperparameters} == specific
    penalised = Trial(CONFIGURATION, settings_of(optimizer, 0.1, {"l2": 0.5}), 7)
    assert {*penalised.hyperparameters} == specific | {"l2"}
    assert penalised.hyperparameters["l2"] == 0.5
    assert plain.learning_rate == 0.1


def test_a_cohort_lists_its_trials_seed_by_seed() -> None:
    rates = (settings_of("sgd", 0.1, {}), settings_of("sgd", 0.2, {}))
    cohort = Cohort(CONFIGURATION, (1, 2), rates)
    pairs = [(trial.seed, trial.learning_rate) for trial in cohort.trials]
    assert pairs == [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]

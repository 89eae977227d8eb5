"""A trial's identity: all of what determines its result and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.splits import Preparation
from sweeps.trials import Cohort, Configuration, Trial

CONFIGURATION = Configuration(
    evaluate_test=False,
    dataset="iris",
    fingerprint="f",
    preparation=Preparation(0.2, 0.2, "none"),
    widths=(4, 3, 3),
    activation="sigmoid",
    loss="squared_error",
    reduction="mean",
    optimizer="sgd",
    batch_size=8,
    epochs=2,
)
TRIAL = Trial(CONFIGURATION, 0.1, 7)

OTHERS: dict[str, Any] = {
    "evaluate_test": True,
    "dataset": "wine",
    "fingerprint": "g",
    "preparation": Preparation(0.2, 0.3, "none"),
    "widths": (4, 33),
    "activation": "tanh",
    "loss": "cross_entropy",
    "reduction": "sum",
    "optimizer": "adam",
    "batch_size": 9,
    "epochs": 3,
}


def test_the_identity_is_pinned() -> None:
    # A change here makes every stored trial run again.
    assert TRIAL.identity == "974178bc4974dd5b1494636d2c9315a8"


def test_every_field_of_the_configuration_counts() -> None:
    assert set(OTHERS) == {field.name for field in fields(Configuration)}
    changed = [replace(CONFIGURATION, **{name: value}) for name, value in OTHERS.items()]
    identities = {Trial(configuration, 0.1, 7).identity for configuration in changed}
    assert len(identities | {TRIAL.identity}) == len(OTHERS) + 1


@given(
    st.lists(
        st.tuples(st.floats(min_value=0, allow_infinity=False), st.integers(0, 2**63 - 1)),
        unique=True,
        max_size=20,
    )
)
def test_no_two_trials_are_alike(settings: list[tuple[float, int]]) -> None:
    identities = {Trial(CONFIGURATION, rate, seed).identity for rate, seed in settings}
    assert len(identities) == len(settings)


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_identity_is_the_same_in_every_process(hash_seed: str) -> None:
    code = (
        "from sweeps.splits import Preparation\n"
        "from sweeps.trials import Configuration, Trial\n"
        f"print(Trial({CONFIGURATION!r}, 0.1, 7).identity)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == TRIAL.identity


def test_a_cohort_lists_its_trials_seed_by_seed() -> None:
    cohort = Cohort(CONFIGURATION, (1, 2), (0.1, 0.2))
    pairs = [(trial.seed, trial.learning_rate) for trial in cohort.trials]
    assert pairs == [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]

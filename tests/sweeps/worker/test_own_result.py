"""A trial's result is its own: the same bytes whatever was trained next to it, before it, since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import CutError, configuration, cut_after
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpengine import BatchGrowth, Budget, Schedule
from bpengine.optim._optimizers import OPTIMIZERS
from sweeps.design.trials import Cohort, Trial, settings_of
from sweeps.store.rows import Row, row_of
from sweeps.worker import train as worker
from sweeps.worker.train import CURVE_WIDTH, run_cohort
from sweeps.worker.workspace import Workspace

VOLATILE = {"train_seconds", "started", "ended", "attempts"}

CLASSIFICATION = st.sampled_from(
    [
        {"loss": "squared_error", "output": "sigmoid"},
        {"loss": "squared_error", "output": "identity"},
        {"loss": "cross_entropy", "output": "softmax"},
        {"loss": "binary_cross_entropy", "output": "sigmoid"},
    ]
)
BUDGETS = st.one_of(
    st.builds(Budget, epochs=st.integers(1, 12)),
    st.builds(Budget, updates=st.integers(1, 60)),
    st.builds(Budget, examples=st.integers(1, 400)),
    st.builds(Budget, epochs=st.integers(1, 8), updates=st.integers(1, 60)),
)
CONFIGURATIONS = st.fixed_dictionaries(
    {
        "activation": st.sampled_from(["tanh", "relu", "identity"]),
        "reduction": st.sampled_from(["mean", "sum"]),
        "schedule": st.sampled_from(
            [Schedule(), Schedule("cosine", warmup=2), Schedule("step", decay=0.5, every=3)]
        ),
        "growth": st.sampled_from([None, BatchGrowth(((1, 8), (2, 36)))]),
        "batch_size": st.sampled_from([1, 3, 8, 36]),
        "shards": st.sampled_from([1, 3]),
        "local_updates": st.sampled_from([1, 2]),
        "budget": BUDGETS,
        "noise_examples": st.sampled_from([0, 0, 6]),
        "target": st.sampled_from([None, 0.6, 0.9]),
        "patience": st.sampled_from([None, 1, 3]),
        "divergence": st.sampled_from([1.5, 1e3, np.inf]),
        "dtype": st.sampled_from(["float32", "float64"]),
        "evaluate_test": st.just(True),
    }
)
RATES = st.sampled_from([0.001, 0.05, 1.0, 30.0, 1e12, 1e30])


@st.composite
def cohorts(draw: st.DrawFn) -> Cohort:
    """Draw a cohort of up to three seeds and three settings, some of which stop or diverge."""
    keys = draw(CONFIGURATIONS) | draw(CLASSIFICATION)
    keys["noise_curvature"] = keys["noise_geometry"] = keys["noise_examples"] > 0
    if keys["shards"] == 1:
        keys["local_updates"] = 1
    optimizer = draw(st.sampled_from(sorted(OPTIMIZERS)))
    seeds = draw(st.lists(st.integers(0, 50), min_size=1, max_size=3, unique=True))
    rates = draw(st.lists(RATES, min_size=1, max_size=3, unique=True))
    penalties = [draw(st.sampled_from([{}, {}, {"l2": 0.1}, {"clip_norm": 0.5}])) for _ in rates]
    return Cohort(
        configuration(optimizer=optimizer, **keys),
        tuple(seeds),
        tuple(
            settings_of(optimizer, rate, penalty)
            for rate, penalty in zip(rates, penalties, strict=True)
        ),
    )


def rows(cohort: Cohort, workspace: Workspace | None = None) -> dict[str, Row]:
    """Return what a store holds of each trial of a cohort, but for times."""
    outcomes = run_cohort(cohort, workspace)
    return {
        trial.identity: stable(row_of(trial, outcome))
        for trial, outcome in zip(cohort.trials, outcomes, strict=True)
    }


def lane_of(trial: Trial) -> Cohort:
    return Cohort(trial.configuration, (trial.seed,), (trial.settings,))


def stable(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in VOLATILE}


def parts(cohort: Cohort, at: int, *, by_seed: bool) -> Iterator[Cohort]:
    """Yield the two parts of a cohort that is divided between its seeds or its settings."""
    members: tuple[Any, ...] = cohort.seeds if by_seed else cohort.settings
    for start, stop in pairwise((0, at % len(members), len(members))):
        if start < stop:
            cut = members[start:stop]
            seeds, chosen = (cut, cohort.settings) if by_seed else (cohort.seeds, cut)
            yield Cohort(cohort.configuration, seeds, chosen)


def cut_and_resumed(cohort: Cohort, folder: Path, cuts: int) -> dict[str, Row]:
    """Return what a cohort gives whose worker ends after this many cuts."""
    workspace = Workspace(folder)
    workspace.open()
    with pytest.MonkeyPatch.context() as patch, suppress(CutError):
        cut_after(patch, cuts)
        return rows(cohort, workspace)
    return rows(cohort, workspace)


@pytest.mark.usefixtures("loadable")
@pytest.mark.parametrize("count", [30, pytest.param(150, marks=pytest.mark.slow)])
def test_a_trial_gives_the_same_bytes_alone_in_any_cohort_and_resumed(
    count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(cohort=cohorts(), at=st.integers(1, 2), by_seed=st.booleans(), cuts=st.integers(1, 6))
    def same(cohort: Cohort, at: int, by_seed: bool, cuts: int) -> None:
        together = rows(cohort)
        alone = {name: row for t in cohort.trials for name, row in rows(lane_of(t)).items()}
        assert together == alone
        divided = [rows(part) for part in parts(cohort, at, by_seed=by_seed)]
        assert {identity: row for part in divided for identity, row in part.items()} == alone
        assert cut_and_resumed(cohort, tmp_path_factory.mktemp("work"), cuts) == alone
        for row in alone.values():
            check_is_whole(row)

    same()


def check_is_whole(row: Row) -> None:
    """Check that a row agrees with itself: its curve ends where the trial did."""
    curve = np.frombuffer(row["curve"], "<f8").reshape(-1, CURVE_WIDTH)
    assert np.isfinite(curve[:, :6]).all()
    assert (curve[:, 1] <= row["updates"]).all()
    values = [row[name] for name in worker.FINAL_VALUES]
    if row["status"] == "diverged":
        assert values == [None] * len(values)
        assert row["updates"] == row["diverged_at_update"]
        assert row["stopped_at_update"] is None
    else:
        assert row["status"] == "ok"
        (judged,) = curve[curve[:, 1] == row["judged_at_update"]][-1:]
        assert values[:4] == judged[2:6].tolist()
        assert row["stopped_at_update"] in {None, row["updates"]}
        assert tuple(curve[-1, :2]) == (row["examples"], row["updates"])

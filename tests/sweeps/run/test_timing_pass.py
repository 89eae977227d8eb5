"""The benchmark: what is measured, once for all groups that do the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.run import timing_pass
from sweeps.run.timing_pass import measurements_of, run_timing
from sweeps.store._store import Store
from sweeps.store.study_results import Plan, results_of, save_experiment
from sweeps.worker import measure as timing
from sweeps.worker.measure import ROUNDS


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)


def experiment(keys: dict[str, Any], **change: Any) -> Experiment:
    return experiment_of(keys | change, "study.toml", Path())


def measured(study: Experiment) -> list[list[tuple[str, int, int]]]:
    timed = measurements_of(study).values()
    return [[(work.engine, work.lanes, work.batch_size) for work in works] for _, works in timed]


def test_one_lane_and_a_full_cohort_and_the_reference_are_measured(keys: dict[str, Any]) -> None:
    assert measured(experiment(keys)) == [
        [
            (engine, lanes, size)
            for size in (5, 40)
            for engine, lanes in (("tensor", 1), ("tensor", 4), ("per-item", 1))
        ]
    ]


def test_a_cohort_of_one_is_measured_once(keys: dict[str, Any]) -> None:
    alone = experiment(keys, learning_rates=1.0, seeds=1, optimizer="adam")
    assert measured(alone) == [[("tensor", 1, 5), ("tensor", 1, 40)]]


def test_whole_batches_are_measured_next_to_their_shards(keys: dict[str, Any]) -> None:
    split = experiment(keys, shards=2, learning_rates=1.0, seeds=1, optimizer="adam")
    assert measured(split) == [
        [(engine, 1, size) for size in (5, 40) for engine in ("tensor", "one-piece")]
    ]
    local = {"shards": 2, "local_updates": 2, "learning_rates": 1.0, "seeds": 1}
    assert measured(experiment(keys, optimizer="adam", **local)) == [
        [("tensor", 1, 5), ("tensor", 1, 40)]
    ]


def test_groups_that_do_the_same_are_measured_once(keys: dict[str, Any]) -> None:
    same = experiment(keys, epochs=[1, 2], schedule=["constant", "cosine"], batch_sizes=5)
    assert len(same.groups) == 4
    assert len(measured(same)) == 1
    optimizers = ["sgd", "adam", {"name": "sgd", "l2": 0.1}]
    data = {"dataset": ["iris", "wine"], "dtype": ["float32", "float64"]}
    apart = experiment(keys, optimizer=optimizers, **data)
    assert len(measured(apart)) == len(apart.groups) == 12


def test_groups_of_other_sizes_are_measured_on_the_largest(keys: dict[str, Any]) -> None:
    data = [{"name": "moons", "samples": samples} for samples in (60, 600)]
    excluded = {"dataset": data[0], "batch_sizes": 128}
    study = experiment(keys | {"dataset": data, "batch_sizes": [8, 128], "exclude": excluded})
    ((group, measurements),) = measurements_of(study).values()
    assert group.family.facts.train_items == 360
    assert {measurement.batch_size for measurement in measurements} == {8, 128}


def test_without_exploring_the_confirmation_seeds_are_used(keys: dict[str, Any]) -> None:
    study = experiment(keys, explore=False, learning_rates=1.0, seeds=[])
    assert [lanes for _, lanes, _ in measured(study)[0]] == [1, 2, 1] * 2


def rows_of(store: Store, study: Experiment) -> Any:
    save_experiment(store, study)
    run_timing(store, study)
    return results_of(Plan(store, study)).timing


def test_every_group_gets_the_rows_of_what_it_does(keys: dict[str, Any], tmp_path: Path) -> None:
    study = experiment(keys, epochs=[1, 2], optimizer=["sgd", "adam"])
    with Store.write(tmp_path / "study", "small") as store:
        rows = rows_of(store, study)
        provenance = results_of(Plan(store, study)).description.provenance
    assert "before" in provenance["load average around timing"]
    # Two batch sizes; sgd has the reference next to one lane and a full cohort.
    assert rows.groupby("group", sort=False).size().to_dict() == {
        "sgd, 1 epoch": 6 * ROUNDS,
        "sgd, 2 epochs": 6 * ROUNDS,
        "adam, 1 epoch": 4 * ROUNDS,
        "adam, 2 epochs": 4 * ROUNDS,
    }
    by_group = {group: part["wall_seconds"].tolist() for group, part in rows.groupby("group")}
    assert by_group["sgd, 1 epoch"] == by_group["sgd, 2 epochs"]
    assert by_group["sgd, 1 epoch"] != by_group["adam, 1 epoch"]


def test_what_was_measured_is_not_measured_again(keys: dict[str, Any], tmp_path: Path) -> None:
    with Store.write(tmp_path / "study", "small") as store:
        first = rows_of(store, experiment(keys))
        again = rows_of(store, experiment(keys))
        assert again["wall_seconds"].tolist() == first["wall_seconds"].tolist()
        more = rows_of(store, experiment(keys, batch_sizes=[5, 8, 40]))
        # Batch sizes are to be compared, so they are measured together.
        old = more[more["batch_size"] != 8]
        assert old["wall_seconds"].tolist() != first["wall_seconds"].tolist()
        assert len(more) == 9 * ROUNDS


def test_batch_sizes_that_left_the_study_are_not_shown(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    with Store.write(tmp_path / "study", "small") as store:
        both = rows_of(store, experiment(keys))
        measurement = rows_of(store, experiment(keys, batch_sizes=40))
    wanted = both[both["batch_size"] == 40].reset_index(drop=True)
    pd.testing.assert_frame_equal(measurement, wanted)


def test_no_more_examples_are_held_than_are_worked_on(
    keys: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    measure = timing_pass.time_updates

    def watching(measurements: Any, splits: Any) -> Any:
        held.extend(len(splits(seed).train.inputs) for seed in (1, 2))
        return measure(measurements, splits)

    monkeypatch.setattr(timing_pass, "time_updates", watching)
    monkeypatch.setattr(timing_pass, "MOST_EXAMPLES", 10)
    with Store.write(tmp_path / "study", "small") as store:
        rows_of(store, experiment(keys))
    assert held == [40, 40]

"""Earlier formats: nothing that they held is lost or made up."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stored import GOLDEN

from sweeps.store import FILE, Store

PLAIN = (
    "trial",
    "status",
    "diverged_at_update",
    "updates",
    "examples",
    "test_loss",
    "test_metric",
    "error",
    "train_seconds",
    "configuration",
)


@pytest.fixture(params=["read", "written"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the folder of the golden store, as it was or brought to this format."""
    shutil.copy(GOLDEN, tmp_path / FILE)
    if request.param == "written":
        with Store.write(tmp_path, "old"):
            pass
    return tmp_path


def of_format_1(query: str) -> pd.DataFrame:
    with closing(sqlite3.connect(GOLDEN)) as connection:
        return pd.read_sql_query(query, connection)


def test_trials_of_format_1_are_as_they_were(migrated: Path) -> None:
    expected = of_format_1(f"SELECT {', '.join(PLAIN)} FROM trials ORDER BY rowid")  # noqa: S608
    with Store.read(migrated) as store:
        found = store.stored_trials()
    pd.testing.assert_frame_equal(found[[*PLAIN]], expected, check_dtype=False)
    assert found["status"].value_counts().to_dict() == {"ok": 10, "error": 1, "diverged": 1}
    assert found["stopped_at_update"].isna().all()
    assert set(found["attempts"]) == {1}


def test_trials_of_format_1_are_described_by_their_configuration(migrated: Path) -> None:
    with Store.read(migrated) as store:
        found = store.stored_trials()
    assert found["learning_rate"].value_counts().to_dict() == {0.5: 6, 1e30: 4, 0.25: 2}
    assert found["batch_size"].value_counts().to_dict() == {10: 5, 45: 5, 30: 2}
    for _, row in found.iterrows():
        content = json.loads(row["configuration"])
        assert row["seed"] == content["seed"]
        assert row["learning_rate"] == float.fromhex(content["learning_rate"])
        assert row["batch_size"] == content["configuration"]["batch_size"]
    constant = {
        "dataset": "iris",
        "architecture": "4-3-3",
        "optimizer": "sgd",
        "activation": "sigmoid",
        "loss": "squared_error",
        "reduction": "mean",
        "hyperparameters": "",
        "schedule": "",
        "shards": 1,
        "local_updates": 1,
    }
    for name, value in constant.items():
        assert set(found[name]) == {value}


def test_curves_of_format_1_are_as_they_were_without_gradients(migrated: Path) -> None:
    expected = of_format_1("SELECT * FROM curves")
    with Store.read(migrated) as store:
        found = store.curves_table(expected["trial"])
    assert found[["gradient_trace", "gradient_squared_norm"]].isna().all(axis=None)
    common = found[list(expected)]
    pd.testing.assert_frame_equal(common, expected, check_dtype=False)
    assert np.isinf(found["validation_loss"]).sum() == 1


def test_timing_of_format_1_is_of_one_network_of_unknown_work(migrated: Path) -> None:
    expected = of_format_1("SELECT * FROM timing ORDER BY engine DESC, batch_size, round")
    with Store.read(migrated) as store:
        found = store.stored_timing()
        assert store.timing_table({"old": "anything"}).empty
    assert set(zip(found["workload"], found["lanes"], strict=True)) == {("", 1)}
    pd.testing.assert_frame_equal(found[list(expected)], expected, check_dtype=False)


def test_the_plan_of_format_1_is_kept_under_another_name(migrated: Path) -> None:
    expected = dict(of_format_1("SELECT key, value FROM facts").to_numpy().tolist())
    with Store.read(migrated) as store:
        found = store.facts()
    for key in ("specification", "data"):
        expected[f"{key} of format 1"] = expected.pop(key)
    assert found == expected


def test_a_row_of_format_1_that_is_not_what_it_says_is_recorded(tmp_path: Path) -> None:
    shutil.copy(GOLDEN, tmp_path / FILE)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute(
            "UPDATE trials SET configuration = replace(configuration, '45', '46') WHERE rowid = 5"
        )
        (name,) = connection.execute("SELECT trial FROM trials WHERE rowid = 5").fetchone()
    with Store.read(tmp_path) as store:
        assert len(store.statuses()) == 11
        assert [(row["kind"], row["trial"]) for row in store.incidents()] == [("damaged", name)]

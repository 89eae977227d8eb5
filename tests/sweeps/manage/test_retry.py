"""What failed runs again, from the store alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import ran
from stored import failure

from reports.schema.results import TRIAL_COLUMNS
from sweeps.design.trials import Planned
from sweeps.errors import UsageError
from sweeps.manage.retry import failed_trials, retry
from sweeps.store.store import Store
from sweeps.store.study_results import planned_stages, read_experiment, results
from sweeps.worker import measure as timing

VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]


@pytest.fixture(autouse=True)
def _short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)


def fail(folder: Path, places: list[int]) -> list[str]:
    """Replace results of the small study by failures."""
    planned = [trial for some in results_stages(folder).values() for _, trial in some]
    some = [planned[place] for place in places]
    with Store.write(folder, "ran") as store:
        store.forget(trial.identity for trial in some)
        store.add(some, [failure(trial, "crashed") for trial in some])
    return [trial.identity for trial in some]


def results_stages(folder: Path) -> dict[str, list[Planned]]:
    with Store.read(folder) as store:
        return planned_stages(store, read_experiment(store))


def test_failed_trials_run_again_and_nothing_else(tmp_path: Path) -> None:
    folder = ran.copy(tmp_path / "study")
    whole = results(folder)
    failed = fail(folder, [0, 5, 18])
    assert set(failed_trials(folder)) == set(failed)
    found = retry(folder, n_jobs=1, backend="sequential")
    pd.testing.assert_frame_equal(
        found.trials.drop(columns=VOLATILE), whole.trials.drop(columns=VOLATILE)
    )
    kept = ~whole.trials["trial"].isin(failed)
    pd.testing.assert_series_equal(
        found.trials["train_seconds"][kept], whole.trials["train_seconds"][kept]
    )
    assert failed_trials(folder) == []
    with Store.read(folder) as store:
        attempts = store.stored_trials().set_index("trial")["attempts"]
    assert attempts[attempts == 2].index.sort_values().tolist() == sorted(failed)


def test_data_of_the_users_own_have_to_be_told_again(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    rows = [f"{number % 7},{number % 5},{'ab'[number % 2]}" for number in range(90)]
    path.write_text("\n".join(["x,y,kind", *rows]))
    one = ran.study(dataset={"path": str(path), "target": "kind"}, optimizer="sgd", timing=False)
    ran.run(one, tmp_path / "study")
    with pytest.raises(UsageError) as refused:
        retry(tmp_path / "study", n_jobs=1)
    assert str(refused.value) == (
        f"{tmp_path / 'study'} does not say where my.csv is: use `bpsweep run` with the study's "
        f"file and `--out {tmp_path / 'study'}`, which runs failed trials again, too."
    )

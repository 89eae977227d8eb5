"""A study from specification to results: exact, resumable, with a message when it can't be."""

from __future__ import annotations

import inspect
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import ran
from refused import states
from sklearn.datasets import load_wine

from reports.schema.results import TRIAL_COLUMNS, StudyResults
from sweeps import Study, recommend, results
from sweeps.errors import SpecificationError, UsageError
from sweeps.run import driver as runner
from sweeps.spec.model import KEYS
from sweeps.store._store import Store
from sweeps.worker import measure as timing
from sweeps.worker import train as worker

VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]


@pytest.fixture(autouse=True)
def _short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)


@pytest.fixture
def count_trials(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of trials of every stage that runs."""
    ran: list[int] = []
    plan = runner.plan

    def counting(trials: Any, jobs: int) -> Any:
        ran.append(len(trials))
        return plan(trials, jobs)

    monkeypatch.setattr(runner, "plan", counting)
    return ran


def stable(outcome: StudyResults) -> pd.DataFrame:
    return outcome.trials.drop(columns=VOLATILE)


def bytes_of(outcome: StudyResults) -> str:
    return str(stable(outcome).to_csv()) + str(outcome.curves.to_csv())


def run(folder: Path, keys: dict[str, Any], **change: Any) -> StudyResults:
    return Study(**keys | change).run(folder, n_jobs=1, backend="sequential")


def test_a_study_explores_confirms_and_times(tmp_path: Path, keys: dict[str, Any]) -> None:
    outcome = run(tmp_path / "study", keys)
    counts = outcome.trials.groupby("stage").size().to_dict()
    assert counts == {"explore": 8, "confirm": 4}
    assert outcome.description.planned_trials == 12
    confirm = outcome.trials[outcome.trials["stage"] == "confirm"]
    assert confirm["seed"].tolist() == [11, 12] * 2
    assert confirm["test_metric"].notna().all()
    assert outcome.trials[outcome.trials["stage"] == "explore"]["test_metric"].isna().all()
    assert set(outcome.timing["batch_size"]) == {5, 40}
    pd.testing.assert_frame_equal(results(tmp_path / "study").trials, outcome.trials)


STAGES: dict[str, Any] = {
    "optimizer": ["sgd", {"name": "adam", "learning_rates": [0.001, 0.01]}],
    "extensions": 2,
    "refinement_seeds": 7,
    "noise_examples": 8,
    "noise_curvature": True,
    "noise_geometry": True,
    "updates": 40,
    "patience": 3,
}
"""Keys that make every stage run, and some trials stop early."""


@pytest.mark.slow
def test_neither_jobs_nor_interruptions_change_a_byte_of_any_stage(
    tmp_path: Path, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(**keys | STAGES | {"timing": False})
    whole = study.run(tmp_path / "whole", n_jobs=1, backend="sequential")
    assert {*whole.trials["stage"]} == {"explore", "extend", "confirm", "refine", "target"}
    assert 0 < whole.trials["stopped_at_update"].notna().sum() < len(whole.trials)
    assert bytes_of(study.run(tmp_path / "two", n_jobs=2)) == bytes_of(whole)
    add, calls = Store.add, 0

    def cut(*arguments: Any) -> list[str]:
        nonlocal calls
        others = add(*arguments)
        calls += 1
        if calls % 5 == 0:
            raise KeyboardInterrupt
        return others

    cuts = 0
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", cut)
        patch.setattr(runner, "KEEP_SECONDS", 0.0)
        # A few cohorts a session, to the last.
        while len(_results(tmp_path / "cut", study)) < len(whole.trials):
            with suppress(KeyboardInterrupt):
                study.run(tmp_path / "cut", n_jobs=1, backend="sequential")
            cuts += 1
            assert cuts < 40
    assert _results(tmp_path / "cut", study) == [*whole.trials["trial"]]
    assert cuts >= 4
    assert bytes_of(study.run(tmp_path / "cut", n_jobs=1)) == bytes_of(whole)


def _results(folder: Path, study: Study) -> list[str]:
    if not (folder / "study.db").exists():
        return []
    assert results(folder).description.name == study.specification.name
    return [*results(folder).trials["trial"]]


def test_only_what_is_new_runs_and_changes_no_other_row(
    tmp_path: Path, keys: dict[str, Any], count_trials: list[int]
) -> None:
    def ran(**change: Any) -> tuple[StudyResults, int]:
        count_trials.clear()
        return run(tmp_path / "study", keys, **change), sum(count_trials)

    first, trials = ran()
    assert trials == 12
    again, trials = ran()
    assert (trials, again.description) == (0, first.description)
    pd.testing.assert_frame_equal(again.trials, first.trials)
    pd.testing.assert_frame_equal(again.timing, first.timing)
    groups, trials = ran(optimizer=["sgd", "momentum"])
    assert trials == 12
    old, timed = (table[table["group"] == "sgd"] for table in (groups.trials, groups.timing))
    assert old["trial"].tolist() == first.trials["trial"].tolist()
    assert timed["wall_seconds"].tolist() == first.timing["wall_seconds"].tolist()
    sizes, trials = ran(batch_sizes=[5, 10, 40])
    assert trials == 4 + 2
    old = sizes.trials[sizes.trials["batch_size"] != 10].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, first.trials)
    assert set(sizes.timing["batch_size"]) == {5, 10, 40}
    # What has left the specification is kept, but not shown.
    fewer, trials = ran(batch_sizes=[5])
    assert (trials, set(fewer.trials["batch_size"])) == (0, {5})


def test_trials_that_groups_share_run_once_and_count_in_each(
    tmp_path: Path, keys: dict[str, Any], count_trials: list[int]
) -> None:
    rules = {"rate_rule": ["none", "linear"], "reference_batch_size": 5, "confirmation_seeds": []}
    outcome = run(tmp_path / "study", keys, **rules)
    # 5 examples have the same rates under both rules; 40 have none in common.
    assert sum(count_trials) == 4 + 8
    assert len(outcome.trials) == outcome.description.planned_trials == 16
    assert outcome.trials["trial"].nunique() == 12
    assert outcome.trials.groupby("group").size().to_dict() == {
        "linear rates": 8,
        "one grid of rates": 8,
    }


def test_failed_trials_are_kept_reported_and_tried_again(
    tmp_path: Path, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", keys)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "Trainer", lambda *_a, **_k: 1 / 0)
        failed = run(tmp_path / "failed", keys)
    assert set(failed.trials["status"]) == {"error"}
    assert failed.trials["error"].str.endswith("ZeroDivisionError: division by zero\n").all()
    repaired = run(tmp_path / "failed", keys)
    pd.testing.assert_frame_equal(stable(repaired), stable(whole))


def test_every_stage_can_be_switched_off(tmp_path: Path, keys: dict[str, Any]) -> None:
    explored = run(tmp_path / "explored", keys, confirmation_seeds=[], timing=False)
    assert set(explored.trials["stage"]) == {"explore"}
    assert explored.description.planned_trials == 8
    assert explored.timing.empty
    confirmed = run(tmp_path / "confirmed", keys, explore=False, learning_rates=2.0)
    assert set(confirmed.trials["stage"]) == {"confirm"}
    assert confirmed.trials["learning_rate"].tolist() == [2.0] * 4
    assert confirmed.trials["test_metric"].notna().all()


def test_a_regression_shows_the_scale_of_its_targets(tmp_path: Path, keys: dict[str, Any]) -> None:
    outcome = run(tmp_path / "study", keys, dataset="diabetes")
    (group,) = outcome.description.groups
    assert (group.task, group.metric, group.output) == ("regression", "r2", "identity")
    assert {*group.target_scales} == {1, 2, 11, 12}
    assert all(70 < scale < 85 for (scale,) in group.target_scales.values())


def test_all_mistakes_are_one_error(keys: dict[str, Any]) -> None:
    with pytest.raises(SpecificationError) as refused:
        Study(**keys | {"batch_sizes": [90, 0], "epochs": 0})
    size, epochs = str(refused.value).splitlines()
    states(epochs, "the study: epochs: ", "at least 1", "is 0")
    states(size, "the study: batch_sizes[1]: ", "at least 1", "is 0")
    # Data are read once the keys are right.
    with pytest.raises(SpecificationError) as refused:
        Study(**keys | {"batch_sizes": [90, 91, 5000]})
    sizes = str(refused.value).splitlines()
    for line, row, size in zip(sizes, (1, 2), (91, 5000), strict=True):
        states(line, f"the study: batch_sizes[{row}]: ", "at most 90", "iris", f"is {size}")


def test_a_file_and_a_preset_give_studies(tmp_path: Path) -> None:
    digits = Study.from_target("digits")
    assert digits.specification.name == "digits"
    path = tmp_path / "own.toml"
    path.write_text(
        'dataset = "wine"\nbatch_sizes = [4]\nlearning_rates = [1]\nseeds = [1]\nepochs = 1\n'
    )
    assert Study.from_toml(path).specification.name == "own"
    changed = Study.from_target(str(path), ["epochs=3", 'name="other"'])
    assert (changed.specification.name, changed.specification.epochs) == ("other", (3,))


def test_the_digits_study_is_the_one_that_is_documented() -> None:
    digits = Study.from_target("digits")
    (group,) = digits.experiment.groups
    assert tuple(group.grid) == tuple(2**power for power in range(11))
    assert set(group.grid.values()) == {(0.1, 0.3, 1.0, 2.0, 4.0, 8.0)}
    assert digits.summary() == (
        "digits on digits: 1 group, 66 cells x 5 seeds = 330 trials, then 11 x 10 = 110 to confirm"
    )


def test_a_notebook_shows_what_is_not_at_its_default(keys: dict[str, Any]) -> None:
    shown = Study(**keys | {"title": "<b>"})._repr_html_()
    assert "<p>small on iris: 1 group, 4 cells x 2 seeds = 8 trials, then 2 x 2" in shown
    assert "<td><code>batch_sizes</code></td><td><code>[5, 40]</code></td>" in shown
    assert "&lt;b&gt;" in shown
    assert "shards" not in shown


def test_data_of_the_users_own_have_to_be_given_again(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    rows = [f"{number % 7},{number % 5},{'ab'[number % 2]}" for number in range(90)]
    path.write_text("\n".join(["x,y,kind", *rows]))
    study = ran.study(dataset={"path": str(path), "target": "kind"}, optimizer="sgd", timing=False)
    ran.run(study, tmp_path / "study")
    with pytest.raises(UsageError) as refused:
        Study.from_folder(tmp_path / "study")
    assert "does not say where my.csv is" in str(refused.value)
    assert f"`--out {tmp_path / 'study'}`" in str(refused.value)


def test_data_in_memory_stay_in_the_folder_and_go_on_without_the_program(
    tmp_path: Path, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, targets = np.arange(240.0).reshape(80, 3) % 7, np.arange(80) % 2
    study = Study(**keys | {"dataset": (inputs, targets), "learning_rates": np.array([0.1, 0.3])})
    outcome = study.run(tmp_path / "study", n_jobs=1, backend="sequential")
    monkeypatch.chdir(tmp_path / "study")
    again = Study.from_toml("study.toml")
    assert again.plan(".").done == again.plan(".").trials
    assert bytes_of(again.run(".", n_jobs=1, backend="sequential")) == bytes_of(outcome)


def test_the_signature_names_every_key() -> None:
    assert [*inspect.signature(Study).parameters] == [*KEYS]


def test_a_recommendation_of_a_frame_is_a_study_with_an_answer(tmp_path: Path) -> None:
    frame = load_wine(as_frame=True).frame
    results = recommend(frame, "target", minutes=2, folder=tmp_path / "wine", n_jobs=1)
    assert results.recommendation.sentence in repr(results)
    assert (tmp_path / "wine" / "report.html").is_file()
    assert (tmp_path / "wine" / "data.csv").is_file()

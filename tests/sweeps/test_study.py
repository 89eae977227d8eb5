"""A study from specification to results: exact, resumable, told when it can't be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.results import TRIAL_COLUMNS, StudyResults
from sweeps import Study, executors, results, runner, timing
from sweeps.errors import SpecificationError, UsageError
from sweeps.study import jobs_from

VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]


@pytest.fixture(autouse=True)
def _short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)


@pytest.fixture
def count_trials(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of trials of every cohort that runs."""
    ran: list[int] = []
    run_cohorts = executors.run_cohorts

    def counting(cohorts: Any, *rest: Any) -> Any:
        ran.extend(len(cohort.trials) for cohort in cohorts)
        return run_cohorts(cohorts, *rest)

    monkeypatch.setattr(runner, "run_cohorts", counting)
    return ran


def stable(found: StudyResults) -> pd.DataFrame:
    return found.trials.drop(columns=VOLATILE)


def test_a_study_explores_confirms_and_times(tmp_path: Path, keys: dict[str, Any]) -> None:
    found = Study(**keys).run(tmp_path, n_jobs=1)
    counts = found.trials.groupby("stage").size().to_dict()
    assert counts == {"explore": 8, "confirm": 4}
    assert found.description.planned_trials == 12
    confirm = found.trials[found.trials["stage"] == "confirm"]
    assert confirm["seed"].tolist() == [11, 12] * 2
    assert confirm["test_metric"].notna().all()
    assert found.trials[found.trials["stage"] == "explore"]["test_metric"].isna().all()
    assert set(found.timing["batch_size"]) == {5, 40}
    pd.testing.assert_frame_equal(results(tmp_path).trials, found.trials)


def test_the_number_of_jobs_does_not_change_a_byte(tmp_path: Path, keys: dict[str, Any]) -> None:
    files = []
    for jobs in (1, 2):
        found = Study(**keys).run(tmp_path / str(jobs), n_jobs=jobs)
        files.append(stable(found).to_csv() + found.curves.to_csv())
    assert files[0] == files[1]


def test_running_again_runs_nothing(
    tmp_path: Path, keys: dict[str, Any], count_trials: list[int]
) -> None:
    first = Study(**keys).run(tmp_path, n_jobs=1)
    assert sum(count_trials) == 12
    again = Study(**keys).run(tmp_path, n_jobs=1)
    assert sum(count_trials) == 12
    pd.testing.assert_frame_equal(first.trials, again.trials)
    pd.testing.assert_frame_equal(first.timing, again.timing)
    assert first.description == again.description


def test_a_new_batch_size_runs_alone_and_changes_no_other_row(
    tmp_path: Path, keys: dict[str, Any], count_trials: list[int]
) -> None:
    first = Study(**keys).run(tmp_path, n_jobs=1)
    count_trials.clear()
    more = Study(**keys | {"batch_sizes": [5, 10, 40]}).run(tmp_path, n_jobs=1)
    assert sum(count_trials) == 4 + 2
    old = more.trials[more.trials["batch_size"] != 10].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, first.trials)
    assert set(more.timing["batch_size"]) == {5, 10, 40}


def test_what_left_the_specification_is_kept_but_not_shown(
    tmp_path: Path, keys: dict[str, Any], count_trials: list[int]
) -> None:
    first = Study(**keys).run(tmp_path, n_jobs=1)
    fewer = Study(**keys | {"batch_sizes": [5]}).run(tmp_path, n_jobs=1)
    assert set(fewer.trials["batch_size"]) == {5}
    count_trials.clear()
    pd.testing.assert_frame_equal(Study(**keys).run(tmp_path, n_jobs=1).trials, first.trials)
    assert not count_trials


def test_an_interrupted_study_goes_on_where_it_stopped(
    tmp_path: Path, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Study(**keys).run(tmp_path / "whole", n_jobs=1)
    run_cohorts = executors.run_cohorts

    def interrupted(*arguments: Any) -> Any:
        yield next(iter(run_cohorts(*arguments)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_cohorts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Study(**keys).run(tmp_path / "cut", n_jobs=1)
    partial = results(tmp_path / "cut")
    assert partial.description.sweep_seconds > 0
    assert partial.description.provenance["numpy"]
    assert 0 < len(partial.trials) < partial.description.planned_trials == 12
    resumed = Study(**keys).run(tmp_path / "cut", n_jobs=1)
    pd.testing.assert_frame_equal(stable(resumed), stable(whole))


def test_failed_trials_are_kept_told_and_tried_again(
    tmp_path: Path, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Study(**keys).run(tmp_path / "whole", n_jobs=1)
    with monkeypatch.context() as patch:
        patch.setattr("sweeps.worker.train", lambda *_a, **_k: 1 / 0)
        failed = Study(**keys).run(tmp_path / "failed", n_jobs=1)
    assert set(failed.trials["status"]) == {"error"}
    assert failed.trials["error"].str.endswith("ZeroDivisionError: division by zero\n").all()
    repaired = Study(**keys).run(tmp_path / "failed", n_jobs=1)
    pd.testing.assert_frame_equal(stable(repaired), stable(whole))


def test_without_confirmation_seeds_that_stage_is_off(tmp_path: Path, keys: dict[str, Any]) -> None:
    found = Study(**keys | {"confirmation_seeds": []}).run(tmp_path, n_jobs=1)
    assert set(found.trials["stage"]) == {"explore"}
    assert found.description.planned_trials == 8


def test_a_batch_larger_than_the_training_part_is_an_error(keys: dict[str, Any]) -> None:
    with pytest.raises(SpecificationError) as refused:
        Study(**keys | {"batch_sizes": [90, 91, 5000]})
    assert str(refused.value) == "\n".join(
        f"the study: batch_sizes[{place}]: must be at most 90, the training examples of iris under "
        f"this split, but is {size}."
        for place, size in ((1, 91), (2, 5000))
    )


def test_parts_without_examples_are_an_error(keys: dict[str, Any]) -> None:
    fractions = {"validation_fraction": 0.001, "test_fraction": 0.002}
    with pytest.raises(SpecificationError) as refused:
        Study(**keys | fractions)
    assert [problem.path for problem in refused.value.problems] == list(fractions)


def test_fractions_that_leave_no_training_part_are_told_once(keys: dict[str, Any]) -> None:
    with pytest.raises(SpecificationError) as refused:
        Study(**keys | {"validation_fraction": 0.5, "test_fraction": 0.5})
    assert [problem.path for problem in refused.value.problems] == ["test_fraction"]


def test_mistakes_beside_the_data_do_not_hide_the_datas(keys: dict[str, Any]) -> None:
    with pytest.raises(SpecificationError) as refused:
        Study(**keys | {"epochs": 0, "dataset": "irs"})
    assert [problem.path for problem in refused.value.problems] == ["epochs", "dataset"]
    for broken in ({"dataset": 5}, {"test_fraction": "x"}):
        with pytest.raises(SpecificationError) as refused:
            Study(**keys | broken)
        assert len(refused.value.problems) == 1


def test_a_file_and_a_preset_give_studies(tmp_path: Path) -> None:
    digits = Study.preset("digits")
    assert digits.specification.name == "digits"
    path = tmp_path / "own.toml"
    path.write_text(
        'dataset = "wine"\nbatch_sizes = [4]\nlearning_rates = [1]\nseeds = [1]\nepochs = 1\n'
    )
    assert Study.from_toml(path).specification.name == "own"


def test_jobs_are_a_number_of_workers() -> None:
    assert jobs_from(3) == 3
    assert jobs_from(-1) >= 1
    for wrong in (0, -2):
        with pytest.raises(UsageError) as refused:
            jobs_from(wrong)
        assert str(refused.value) == (
            f"`jobs` must be at least 1, or -1 for all cores, but is {wrong}."
        )

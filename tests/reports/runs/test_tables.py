"""Finished runs become results: shapes, seeds, units, and values that are none."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from reports.recommend import analyse_study
from reports.runs.roles import Choice, RunsError
from reports.runs.tables import read_runs
from reports.schema import StudyDescription, StudyResults


def runs(seeds: int = 1, **changes: object) -> pd.DataFrame:
    """Return a grid of runs whose accuracy is best at batch size 32 and rate 0.1."""
    random = np.random.default_rng(3)
    cells = [
        (size, rate, seed)
        for size in (8, 16, 32, 64, 128)
        for rate in (0.025, 0.05, 0.1, 0.2, 0.4)
        for seed in range(seeds)
    ]
    frame = pd.DataFrame(cells, columns=["bs", "lr", "seed"])
    off = np.log2(frame["bs"] / 32) ** 2 + np.log2(frame["lr"] / 0.1) ** 2
    noise = random.normal(0, 0.002, len(frame))
    return frame.assign(accuracy=0.9 - 0.01 * off + noise, **changes)


class RunTable(NamedTuple):
    """Results of a table, and what was made of it."""

    results: StudyResults
    notes: tuple[str, ...]


def read(frame: pd.DataFrame, by: tuple[str, ...] = (), **columns: Any) -> RunTable:
    """Read runs with columns by role."""
    scale, maximize = columns.pop("scale_with", ""), columns.pop("maximize", None)
    level, margin = columns.pop("target", None), columns.pop("margin", None)
    study = StudyDescription("made", "", target_metric=level, margin=margin)
    return RunTable(*read_runs(frame, Choice(columns, by, scale, maximize), study))


def test_one_seed_gives_the_optimum_unconfirmed() -> None:
    table = read(runs())
    (analysis,) = analyse_study(table.results).groups
    assert analysis.recommended is None
    assert analysis.optimum is not None
    assert analysis.optimum.batch_size == pytest.approx(32, rel=0.1)
    assert analysis.optimum.learning_rate == pytest.approx(0.1, rel=0.1)
    assert analysis.part == "validation"


def test_seeds_that_all_cells_share_choose_and_judge_apart() -> None:
    table = read(runs(seeds=8))
    trials = table.results.trials
    choosing = {*trials.loc[trials["stage"] == "explore", "seed"]}
    judging = {*trials.loc[trials["stage"] == "confirm", "seed"]}
    assert (len(choosing), len(judging)) == (3, 5)
    assert not choosing & judging
    (analysis,) = analyse_study(table.results).groups
    assert analysis.part == "test"
    assert analysis.recommended == 32
    assert analysis.answer.learning_rate == 0.1


def test_seeds_that_a_cell_lacks_do_not_judge() -> None:
    frame = runs(seeds=7).iloc[2:]
    assert {*read(frame).results.trials["stage"]} == {"explore"}
    (analysis,) = analyse_study(read(frame).results).groups
    assert analysis.optimum is not None
    assert analysis.optimum.batch_size is not None


def test_percent_is_read_as_shares_and_mixtures_are_refused() -> None:
    shares = read(runs()).results.trials["validation_metric"]
    percent = read(runs().assign(accuracy=100 * runs()["accuracy"])).results.trials
    np.testing.assert_allclose(percent["validation_metric"], shares)
    signs = runs().assign(accuracy=[f"{100 * a:.8f}%" for a in runs()["accuracy"]])
    np.testing.assert_allclose(read(signs).results.trials["validation_metric"], shares)
    mixed = runs()
    mixed.loc[3, "accuracy"] *= 100
    with pytest.raises(RunsError, match="mixes"):
        read(mixed)


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", np.inf], ids=repr)
def test_runs_that_blew_up_are_diverged(value: object) -> None:
    frame = runs().astype({"accuracy": object})
    frame.loc[0, "accuracy"] = value
    trials = read(frame).results.trials
    assert (trials["status"] == "diverged").sum() == 1
    assert len(trials) == len(frame)


def test_what_is_no_number_is_left_out_and_told() -> None:
    frame = runs().astype({"accuracy": object, "bs": object, "lr": object})
    frame.loc[0, "accuracy"], frame.loc[1, "bs"], frame.loc[2, "lr"] = "crashed", 12.5, -1
    table = read(frame)
    assert len(table.results.trials) == len(frame) - 3
    assert sum("1 row left out" in note for note in table.notes) == 3
    assert any("crashed" in note for note in table.notes)


def test_a_run_that_comes_again_is_told_and_the_last_counts() -> None:
    frame = pd.concat([runs(), runs().iloc[:2].assign(accuracy=0.5)], ignore_index=True)
    table = read(frame)
    assert len(table.results.trials) == len(runs())
    assert (table.results.trials["validation_metric"] == 0.5).sum() == 2
    assert any("2 runs left out" in note for note in table.notes)


def test_runs_without_seeds_are_numbered_within_their_cell() -> None:
    table = read(runs(seeds=3).drop(columns="seed"))
    assert {*table.results.trials["seed"]} == {0, 1, 2}


@pytest.mark.parametrize(
    ("columns", "best"),
    [
        ({"loss": "error"}, "lowest"),
        ({"metric": "error"}, "lowest"),
        ({"metric": "error", "maximize": True}, "highest"),
        ({"metric": "accuracy"}, "highest"),
        ({"metric": "accuracy", "maximize": False}, "lowest"),
    ],
)
def test_direction_follows_the_name_unless_said(columns: dict[str, Any], best: str) -> None:
    table = read(runs().assign(error=1 - runs()["accuracy"]), **columns)
    (analysis,) = analyse_study(table.results).groups
    assert analysis.measure.best == best


def test_accuracy_as_a_loss_is_refused() -> None:
    with pytest.raises(RunsError, match="--metric"):
        read(runs(), loss="accuracy")


def curves(seeds: int = 1) -> pd.DataFrame:
    """Return ten evaluations of each run."""
    parts = [
        runs(seeds).assign(
            step=640 * number // runs(seeds)["bs"],
            accuracy=runs(seeds)["accuracy"] * (1 - 0.6**number),
        )
        for number in range(1, 11)
    ]
    return pd.concat(parts, ignore_index=True)


def test_rows_of_evaluations_become_curves() -> None:
    table = read(curves())
    assert len(table.results.trials) == len(runs())
    assert len(table.results.curves) == len(curves())
    last = runs()["accuracy"] * (1 - 0.6**10)
    np.testing.assert_allclose(table.results.trials["validation_metric"], last)
    (analysis,) = analyse_study(table.results).groups
    assert analysis.scaling.targets


def test_a_rate_that_changes_along_a_run_is_its_largest() -> None:
    frame = curves().assign(run=lambda f: f["bs"].astype(str) + "/" + f["lr"].astype(str))
    frame["lr"] *= 1 - frame.groupby("run").cumcount() / 10
    table = read(frame)
    assert {*table.results.trials["learning_rate"]} == {*runs()["lr"]}
    assert len(table.results.trials) == len(runs())


def test_curves_over_epochs_alone_are_not_drawn() -> None:
    frame = curves().assign(epoch=lambda f: f.groupby(["bs", "lr"]).cumcount())
    table = read(frame.drop(columns="step"))
    assert table.results.curves.empty
    assert any("--updates" in note for note in table.notes)


def test_configurations_and_scale() -> None:
    parts = [
        runs().assign(bs=(runs()["bs"] * 2**power).astype(int), tokens_b=4**power)
        for power in range(4)
    ]
    frame = pd.concat(parts, ignore_index=True)
    study = analyse_study(read(frame, ("tokens_b",), scale_with="tokens_b").results)
    assert len(study.groups) == 4
    law = study.laws["optimum"]
    assert law.exponent == pytest.approx(0.5, abs=0.01)
    with pytest.raises(RunsError, match="--by tokens_b"):
        read(frame, scale_with="tokens_b")


def test_seconds_without_updates_say_nothing() -> None:
    table = read(runs(seconds=3.0))
    assert table.results.timing.empty
    assert any("--updates" in note for note in table.notes)
    timed = read(runs(seconds=3.0, step=100)).results.timing
    assert (timed["wall_seconds"] / timed["updates"]).unique() == pytest.approx([0.03])


def test_updates_to_a_target_with_those_that_missed_it() -> None:
    sizes = np.array([8, 16, 32, 64, 128, 256, 512, 1024])
    frame = pd.DataFrame({"batch_size": sizes, "steps": (100 * (1 + 100 / sizes))})
    frame["reached"] = sizes < 1024
    study = analyse_study(read(frame, steps="steps", reached="reached").results)
    fit = study.groups[0].scaling.main
    assert fit is not None
    assert fit.fit.critical_batch_size == pytest.approx(100, rel=0.05)
    assert fit.fit.censored == 1
    assert study.groups[0].batch_sizes["learning_rate"].isna().all()


def test_a_target_is_in_the_metric_as_it_is_named() -> None:
    frame = curves().assign(val_loss=lambda f: 1 - f["accuracy"])
    study = analyse_study(read(frame, loss="val_loss", target=0.2).results)
    main = study.groups[0].scaling.main
    assert main is not None
    assert main.target.level == -0.2


def test_nothing_to_read_is_an_error() -> None:
    with pytest.raises(RunsError):
        read(runs().iloc[:0])
    with pytest.raises(RunsError):
        read(runs(bs=0.5))


def test_runs_that_did_not_complete_are_left_out() -> None:
    frame = runs().assign(state="COMPLETE")
    frame.loc[:2, "state"], frame.loc[3, "state"] = "PRUNED", "FAIL"
    table = read(frame)
    assert len(table.results.trials) == len(frame) - 4
    assert any("FAIL and PRUNED" in note for note in table.notes)
    # What a column calls so may be something else.
    assert len(read(frame.assign(state="high")).results.trials) == len(frame)


def test_a_state_may_be_that_a_run_diverged() -> None:
    frame = runs().assign(state="ok")
    frame.loc[:1, "state"], frame.loc[:1, "accuracy"] = "diverged", np.nan
    trials = read(frame).results.trials
    assert len(trials) == len(frame)
    assert (trials["status"] == "diverged").sum() == 2


def test_runs_without_a_value_take_no_cell_from_those_with_one() -> None:
    frame = runs(seeds=2)
    frame.loc[[0, 7, 30], "accuracy"] = np.nan
    table = read(frame)
    assert len(table.results.trials) == len(frame) - 3
    assert any("3 rows" in note for note in table.notes)
    (analysis,) = analyse_study(table.results).groups
    assert len(analysis.measured) == 5
    with pytest.raises(RunsError):
        read(frame.assign(accuracy=np.nan), metric="accuracy")


def test_a_rate_is_that_of_the_run_and_never_that_of_another() -> None:
    log = pd.DataFrame({"run": "a", "bs": 8, "step": [1, 2, 3], "lr": [0.1, np.nan, 0.0]})
    log = log.assign(val_loss=[3.0, 2.0, 1.0])
    table = read(pd.concat([log, log.assign(run="b", bs=16)]))
    assert table.results.trials["learning_rate"].tolist() == [0.1, 0.1]
    assert len(table.results.curves) == 6
    shared = runs().assign(run="all of them")
    shared.loc[0, "lr"] = np.nan
    assert len(read(shared).results.trials) == len(shared) - 1


def test_a_metric_of_any_size_is_written_as_it_is() -> None:
    frame = runs(seeds=10).assign(reward=lambda f: 250 + 100 * f["accuracy"])
    (analysis,) = analyse_study(read(frame, metric="reward").results).groups
    assert analysis.recommended is not None
    best = analysis.row(analysis.best)
    assert best["metric_low"] < best["metric"] < best["metric_high"]
    assert analysis.measure.text(best["metric"]).startswith("340.")
    assert analysis.margin == pytest.approx(0.02 * best["metric"])


def test_columns_of_several_levels_and_named_indices_are_columns() -> None:
    frame = runs()
    levels = [("params", "bs"), ("params", "lr"), ("seed", ""), ("metrics", "accuracy")]
    nested = frame.set_axis(pd.MultiIndex.from_tuples(levels), axis=1)
    for odd in (nested, frame.set_index(["bs", "lr"])):
        trials = read(odd).results.trials
        pd.testing.assert_frame_equal(trials, read(frame).results.trials)


def test_columns_with_one_name_are_refused() -> None:
    frame = runs()
    with pytest.raises(RunsError, match="accuracy"):
        read(pd.concat([frame, frame[["accuracy"]]], axis=1))
    with pytest.raises(RunsError, match="1"):
        read(frame.assign(x=0, y=0).rename(columns={"x": 1, "y": "1"}))


@pytest.mark.parametrize("dtype", ["category", "string", "object"])
def test_types_of_columns_do_not_matter(dtype: str) -> None:
    frame = runs().assign(config=[{"depth": 2}] * len(runs()), when=pd.Timestamp(2024, 1, 1))
    columns = ["bs", "lr", "seed", "accuracy"]
    trials = read(frame.astype(dict.fromkeys(columns, dtype))).results.trials
    pd.testing.assert_frame_equal(trials, read(runs()).results.trials)


@pytest.mark.parametrize("size", [1e19, 1e300, 0, -8, 2.5])
def test_impossible_batch_sizes_are_left_out(size: float) -> None:
    frame = runs().astype({"bs": "float64"})
    frame.loc[0, "bs"] = size
    assert len(read(frame).results.trials) == len(frame) - 1


def test_numbers_that_are_not_needed_may_be_none() -> None:
    table = read(runs(duration="n/a", step=100, epoch="last"))
    assert len(table.results.trials) == len(runs())
    assert sum("hold no number" in note for note in table.notes) == 2


def test_impossible_updates_are_left_out() -> None:
    frame = runs().assign(steps_to_target=100.0, step=50.0)
    frame.loc[0, "steps_to_target"], frame.loc[1, "step"] = 0, 1e30
    table = read(frame, metric="accuracy", steps="steps_to_target")
    assert len(table.results.trials) == len(frame) - 2


@pytest.mark.parametrize(
    "seeds", [["a", "b", "c"], [0.1, 0.2, 0.3], [2**60, 2**60 + 1, 2**60 + 2]], ids=repr
)
def test_seeds_that_are_no_small_whole_numbers_are_numbered(seeds: list[object]) -> None:
    frame = runs(seeds=3)
    named = frame.assign(seed=[seeds[seed] for seed in frame["seed"]])
    pd.testing.assert_frame_equal(read(named).results.trials, read(frame).results.trials)


@pytest.mark.parametrize("number", [0.5 + 1j, "0,824", "n/a"], ids=repr)
def test_what_may_be_another_number_is_none(number: object) -> None:
    with pytest.raises(RunsError, match="accuracy"):
        read(runs().assign(accuracy=number))


def test_commas_between_thousands_are_left_out() -> None:
    grouped = read(runs().assign(step="1,234")).results.trials
    assert {*grouped["updates"]} == {1234}


def test_columns_of_configurations_are_named_loosely_and_may_lack_values() -> None:
    frame = pd.concat([runs().assign(**{"config.n": n}) for n in (None, 1.0, 2.0)])
    table = read(frame, ("n", "config.n"), scale_with="n")
    assert table.results.description.scale_name == "config.n"
    assert [plan.scale for plan in table.results.description.groups] == [None, 1.0, 2.0]


def test_target_and_margin_are_in_percent_if_the_metric_is() -> None:
    frame = runs().assign(accuracy=100 * runs()["accuracy"])
    description = read(frame, target=85.0, margin=1.0).results.description
    assert description.target_metric == pytest.approx(0.85)
    assert description.margin == pytest.approx(0.01)


def test_a_metric_called_accuracy_that_is_no_share_is_a_number() -> None:
    table = read(runs().assign(accuracy=1000 * runs()["accuracy"]))
    assert table.results.description.groups[0].task == ""
    assert read(runs().assign(f1_loss=0.5), loss="f1_loss").results.trials["status"].eq("ok").all()


def test_states_may_be_missing() -> None:
    frame = runs().assign(state="COMPLETE")
    frame.loc[0, "state"], frame.loc[1, "state"] = None, "FAIL"
    assert len(read(frame).results.trials) == len(frame) - 2


def test_a_name_that_all_runs_share_is_no_run() -> None:
    frame = runs().assign(experiment_name="sweep", step=range(len(runs())))
    table = read(frame)
    assert len(table.results.trials) == len(frame)
    assert "one row a run" in table.notes[0]


def test_a_rate_that_a_run_logs_in_other_rows_is_its_rate() -> None:
    frame = curves().assign(run=lambda f: f["bs"].astype(str) + "/" + f["lr"].astype(str))
    rates = frame.assign(accuracy=None)
    values = frame.assign(lr=None, step=frame["step"] + 1)
    table = read(pd.concat([rates, values], ignore_index=True))
    assert {*table.results.trials["learning_rate"]} == {*runs()["lr"]}
    np.testing.assert_allclose(
        table.results.trials["validation_metric"], runs()["accuracy"] * (1 - 0.6**10)
    )

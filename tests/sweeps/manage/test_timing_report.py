"""The benchmark by itself: what it keeps, what it shows, and whether the machine was quiet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ran
from refused import states

from bpengine import default_numerics
from reports.stats.models.update_cost import fit_update_time
from sweeps.cli import main as cli
from sweeps.manage.timing_report import Timed, UpdateTimes, time_study, times_lines
from sweeps.store.study_results import results
from sweeps.study import Study
from sweeps.worker import measure as timing
from sweeps.worker.measure import Workload

BLOCK = """\
dataset = "iris"
batch_sizes = [5, 10, 40]
learning_rates = [0.5, 2.0]
seeds = [1, 2]
epochs = 1
timing = false
"""
KIND = ("sigmoid", "sigmoid", "squared_error", "mean", "sgd")
WORKLOAD = Workload(
    *((4, 3, 2), *KIND),
    extras=(),
    shards=1,
    local_updates=1,
    dtype="float32",
    numerics=default_numerics(),
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)
    monkeypatch.setattr(timing, "ROUNDS", 2)
    monkeypatch.chdir(tmp_path)


def made(
    *, load: float = 0.1, contended: bool = False, unsteady: bool = False, cohort: bool = True
) -> UpdateTimes:
    """Return times of 10 us and 1 us an example; a fifth of both for each of 30 at once."""
    rows = [
        {
            "engine": engine,
            "lanes": lanes,
            "batch_size": size,
            "rounds": 7,
            "seconds_per_update": factor * (10 + size) * 1e-6,
            "lower_quartile": 0.9 * factor * (10 + size) * 1e-6,
            "upper_quartile": 1.1 * factor * (10 + size) * 1e-6,
            "cpu_share": 0.99,
            "contended": False,
            "unsteady": False,
        }
        for engine, lanes, factor in (("tensor", 1, 1.0), ("tensor", 30, 0.2), ("per-item", 1, 9.0))
        for size in (1, 10, 100)
        if lanes == 1 or cohort
    ]
    table = pd.DataFrame(rows)
    table.loc[0, ["contended", "cpu_share"]] = [contended, 0.5 if contended else 0.99]
    table.loc[1, "unsteady"] = unsteady
    fits = {
        lanes: fit_update_time([1, 10, 100], [factor * (10 + s) * 1e-6 for s in (1, 10, 100)])
        for lanes, factor in ((1, 1.0), (30, 0.2))
    }
    return UpdateTimes("made", (Timed(WORKLOAD, table, fits),), load, 2)


def test_the_table_has_a_row_for_each_batch_size_and_a_column_for_each_engine() -> None:
    lines = times_lines(made())
    assert lines[2] == "4-3-2, sgd, float32"
    assert lines[3].split("  ")[0].strip() == "batch size"
    assert [
        word in lines[3] for word in ("one network", "each of 30 at once", "example by example")
    ]
    shown = "10 20 µs (18 µs to 22 µs) 4.0 µs (3.6 µs to 4.4 µs) 180 µs (162 µs to 198 µs)"
    assert " ".join(lines[5].split()) == shown
    assert len(set(map(len, lines[4:6]))) == 1


def test_fixed_cost_and_cost_of_an_example_have_intervals() -> None:
    lines = times_lines(made())
    assert lines[7].startswith("one network: fixed cost 10 µs (")
    assert "each example 1.0 µs (" in lines[7]
    assert "doubled at batch size 10 (" in lines[7]
    assert lines[8].startswith("each of 30: fixed cost 2.0 µs (")


def test_a_cost_that_the_times_do_not_show_is_unknown() -> None:
    (block,) = made().timed
    flat = fit_update_time([1, 10, 100], [1e-5, 1e-5, 1e-5])
    few = fit_update_time([1, 10], [1e-5, 1e-5])
    bent = fit_update_time([1, 4, 16, 64], [1e-5, 4e-5, 2e-5, 9e-5])
    times = replace(made(), timed=(replace(block, fits={1: flat, 2: few, 3: bent}),))
    lines = times_lines(times)
    assert "each example unknown" in lines[7]
    assert "no cost of an example" in lines[7]
    states(lines[8], "each of 2: ", "three batch sizes are timed: 2")
    states(lines[9], "poor fit", "10%")


def test_a_quiet_machine_is_called_so() -> None:
    assert made().disturbances == ()
    assert times_lines(made())[-1] == "The machine was quiet."


def test_every_disturbance_is_named() -> None:
    loud = made(load=1.5, contended=True, unsteady=True)
    load, contended, unsteady = loud.disturbances
    states(load, "1.50", "2 cores")
    states(contended, "1 measurement", "90%", "50%")
    states(unsteady, "quartiles of 1 measurement", "20%")
    lines = times_lines(loud)
    assert lines[-1].startswith("Not quiet: The load average was 1.50 before")
    assert "".join(lines).count("*") == 2


def test_json_has_everything_and_no_infinite_number() -> None:
    content = json.loads(json.dumps(made().to_json(), allow_nan=False))
    (timed,) = content["timed"]
    assert (content["quiet"], content["load_before"], content["cores"]) == (True, 0.1, 2)
    assert len(timed["measurements"]) == 9
    assert timed["fits"][0]["lanes"] == 1
    assert timed["fits"][0]["doubling_batch_size"] == pytest.approx(10)
    (block,) = made().timed
    fits = {1: fit_update_time([1, 10], [1e-5, 1e-5]), 2: fit_update_time([1, 2, 3], [1, 1, 1])}
    content = replace(made(), timed=(replace(block, fits=fits),)).to_json()
    few, flat = content["timed"][0]["fits"]
    assert few["fixed_seconds_interval"] is None
    assert flat["doubling_batch_size_interval"][1] is None


def test_what_groups_do_is_timed_once_and_kept(tmp_path: Path) -> None:
    times = time_study(ran.study().experiment, tmp_path / "new")
    assert [block.workload.optimizer for block in times.timed] == ["sgd", "adam"]
    timed = {(block.workload.widths, block.workload.dtype) for block in times.timed}
    assert timed == {((4, 3, 3), "float32")}
    # Batch sizes, engines and lanes; the sequential reference is of SGD only.
    assert [len(block.table) for block in times.timed] == [6, 4]
    assert [*times.timed[1].fits] == [1, 4]
    kept = results(tmp_path / "new")
    assert kept.trials.empty
    assert len(kept.timing) == 2 * 10


def timed_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    code = cli.main(["time", *arguments, "--json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if code == 0 else shown.err


def test_a_file_is_timed_even_if_it_switches_timing_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "block.toml").write_text(BLOCK)
    code, times = timed_json(["block.toml", "--set", "optimizer='adam'"], capsys)
    assert code == 0
    assert times["timed"][0]["optimizer"] == "adam"
    assert (tmp_path / "block" / "study.db").is_file()


def test_a_folder_is_timed_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ran.copy(tmp_path / "ran")
    before = results(folder)
    code, times = timed_json([str(folder)], capsys)
    assert code == 0
    assert len(times["timed"]) == 2
    after = results(folder)
    assert after.timing["wall_seconds"].tolist() != before.timing["wall_seconds"].tolist()
    assert after.trials.equals(before.trials)
    assert cli.main(["time", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("ran: seconds per update")


def test_a_folder_is_timed_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ran.copy(tmp_path / "ran")
    code, message = timed_json([str(folder), "--set", "epochs=1"], capsys)
    assert code == 2
    assert "without --set, --out" in message


def test_a_folder_does_not_say_where_a_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(60))
    (tmp_path / "mine.csv").write_text(f"x,z,y\n{rows}")
    keys = {"batch_sizes": [5], "learning_rates": [0.5], "seeds": [1], "epochs": 1}
    study = Study("mine", dataset={"path": "mine.csv", "target": "y"}, **keys)
    study.run(tmp_path / "mine", n_jobs=1, backend="sequential")
    capsys.readouterr()
    code, message = timed_json(["mine"], capsys)
    assert code == 2
    assert "where mine.csv is" in message
    assert "`--out mine`" in message

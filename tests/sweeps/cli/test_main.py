"""The command: exit codes, messages without traceback, results on standard output."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import ran
from ran import SMALL
from refused import states
from stored import failure, forget

from reports.schema.results import TRIAL_COLUMNS
from sweeps import results
from sweeps.cli import main as cli
from sweeps.data.registry import NAMES
from sweeps.run._executors import BACKENDS
from sweeps.store._store import Store
from sweeps.worker.tasks import Task, train
from sweeps.worker.train import Outcome

VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]


@pytest.mark.usefixtures("drawn")
def test_run_writes_the_report_where_it_prints(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(small), "--out", "out", "--jobs", "1"]) == 0
    shown = capsys.readouterr()
    *_, last = shown.out.splitlines()
    assert last == "out/report.html"
    assert len(shown.out.splitlines()) <= 6 + 4  # three warnings and how many more there are
    first, *progress = shown.err.splitlines()
    assert first.startswith("iris: 90 examples")
    for step, count in (("1/3", "8/8"), ("2/3", "4/4"), ("3/3", "42/42")):
        assert any(line.startswith(step) and f": {count} in" in line for line in progress)
    assert (small.parent / "out" / "report.html").read_text().endswith("</html>\n")
    assert (small.parent / "out" / "tables" / "trials.csv").is_file()
    assert (small.parent / "out" / "figures" / "accuracy.svg").is_file()
    # The same store gives the same report.
    page = (small.parent / "out" / "report.html").read_bytes()
    assert cli.main(["report", "out"]) == 0
    assert (small.parent / "out" / "report.html").read_bytes() == page


def test_a_second_run_leaves_the_report_alone(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = small.parent / "small" / "report.html"  # the study's name is the default folder
    numbers, outputs = [], []
    for _ in range(2):
        assert cli.main(["run", str(small), "--jobs", "1"]) == 0
        outputs.append(capsys.readouterr())
        numbers.append(page.stat().st_ino)
    assert numbers[0] == numbers[1]
    assert outputs[0].out == outputs[1].out
    assert ["nothing to run" in output.err for output in outputs] == [False, True]
    page.write_text("mine")
    cli.main(["run", str(small), "--jobs", "1"])
    assert page.read_text() != "mine"


def test_retry_failed_runs_what_failed_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ran.copy(tmp_path / "study")
    whole = results(folder).trials.drop(columns=VOLATILE)
    command = ["run", str(folder), "--retry-failed", "--backend", "sequential", "--no-timing"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == f"{folder}: no trial failed, there is nothing to run again\n"
    assert not (folder / "report.html").exists()
    planned = ran.study().experiment.explored
    failed = [planned[number][1] for number in (0, 5)]
    forget(folder, *(trial.identity for trial in failed))
    with Store.write(folder, "ran") as store:
        store.add(failed, [failure(trial, "crashed") for trial in failed])
    assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "report.html")
    pd.testing.assert_frame_equal(results(folder).trials.drop(columns=VOLATILE), whole)
    with Store.read(folder) as store:
        attempts = store.stored_trials().set_index("trial")["attempts"]
    assert set(attempts[attempts == 2].index) == {trial.identity for trial in failed}


@pytest.mark.parametrize(
    ("more", "code"), [([], 4), (["--out", "x"], 2), (["--set", "epochs=2"], 2)]
)
def test_retry_failed_takes_the_folder_of_a_study(
    tmp_path: Path, more: list[str], code: int
) -> None:
    assert cli.main(["run", str(tmp_path), "--retry-failed", *more]) == code


def test_validate_counts_without_running(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", str(small)]) == 0
    assert capsys.readouterr().out == (
        "small on iris: 1 group, 4 cells x 2 seeds = 8 trials, then 2 x 2 = 4 to confirm\n"
        "  iris: 90 examples to train on, 30 for validation, 30 for the test; 4 features, "
        "3 classes\n"
    )
    assert [path.name for path in small.parent.iterdir()] == ["small.toml"]


def test_validate_shows_what_was_found_in_the_data(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{number / 8},{'xyz'[number % 3]},{number / 2 + 0.25}" for number in range(30)]
    (small.parent / "my.csv").write_text("\n".join(["a,town,price", *rows]))
    data = 'dataset={path="my.csv", target="price"}'
    assert cli.main(["validate", str(small), "--set", data, "--set", "batch_sizes=[2]"]) == 0
    counts, _form, _task, numbers, categories = capsys.readouterr().out.splitlines()[1:6]
    states(counts, "my.csv: 18 examples", "6 for validation", "6 for the test", "4 features")
    states(numbers, "1 column of numbers: a")
    states(categories, "1 column of categories", "town (3)")


MISTAKES: dict[str, tuple[str, int, list[tuple[str, ...]]]] = {
    "misspelt key": (
        SMALL.replace("batch_sizes", "batch_size"),
        2,
        [("batch_size: ", "Did you mean 'batch_sizes'?"), ("batch_sizes: ", "required")],
    ),
    "unknown dataset": (
        SMALL.replace("iris", "irsi"),
        3,
        [("dataset: 'irsi'", ", ".join(NAMES), "Did you mean 'iris'?")],
    ),
    "batch larger than the data": (
        SMALL.replace("40", "91"),
        2,
        [("batch_sizes[1]: ", "at most 90", "is 91")],
    ),
}


@pytest.mark.parametrize(("text", "code", "lines"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_users_mistake_is_reported_and_nothing_is_written(
    command: str,
    text: str,
    code: int,
    lines: list[tuple[str, ...]],
    small: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small.write_text(text)
    assert cli.main([command, "small.toml"]) == code
    shown = capsys.readouterr()
    for line, (key, *words) in zip(shown.err.splitlines(), lines, strict=True):
        states(line, f"error: small.toml: {key}", *words)
    assert not shown.out
    assert [path.name for path in small.parent.iterdir()] == ["small.toml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run"],
        ["run", "digits", "--jobs", "many"],
        ["merge", "study", "--out", "y"],
        ["merge", "study", "study"],
        ["export", "study", "--format", "xls"],
    ],
)
@pytest.mark.usefixtures("small")
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    Path("study").mkdir()
    Path("study", "study.db").touch()
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2


def test_failed_trials_exit_with_1(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sweeps.worker.train.Trainer", lambda *_a, **_k: 1 / 0)
    assert cli.main(["run", str(small), "--out", "out", "--backend", "sequential"]) == 1
    assert "8 trials failed; run again" in capsys.readouterr().err


def test_an_interruption_exits_with_130(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sweeps.run.driver.plan", interrupt)
    assert cli.main(["run", str(small), "--out", "out", "--jobs", "1"]) == 130
    states(capsys.readouterr().err, "interrupted: ", "run again")


def test_a_bug_is_one_line_and_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sweeps.study.read_target", lambda _target: 1 / 0)
    assert cli.main(["validate", "digits"]) == 70
    log = next(tmp_path.iterdir())
    assert capsys.readouterr().err == (
        "internal error, a bug of bpsweep: ZeroDivisionError: division by zero "
        f"(details in {log})\n"
    )
    assert log.read_text().startswith("Traceback")


def test_what_the_system_refuses_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_target: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("sweeps.study.read_target", refuse)
    assert cli.main(["validate", "digits"]) == 6
    assert capsys.readouterr().err.startswith("error: Too many open files. Raise the limit")


def test_keys_are_set_on_the_command_line(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "epochs=3", "--set", 'name="other"', "--set", "learning_rates=1"]
    assert cli.main(["validate", str(small), *settings]) == 0
    assert capsys.readouterr().out.startswith(
        "other on iris: 1 group, 2 cells x 2 seeds = 4 trials, then 2 x 2 = 4 to confirm\n"
    )
    assert cli.main(["validate", str(small), "--set", "epochs=0", "--set", "epoch=1"]) == 2
    low, unknown = capsys.readouterr().err.splitlines()
    states(low, f"error: {small}: epochs: ", "at least 1", "is 0")
    states(unknown, f"error: {small}: epoch: ", "Did you mean 'epochs'?")


def test_a_plan_shows_what_a_run_will_do(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", str(small), "--jobs", "2"]) == 0
    assert capsys.readouterr().out.startswith("small: 12 trials in 1 group\n")
    cli.main(["run", str(small), "--out", "out", "--jobs", "1", "--no-timing"])
    capsys.readouterr()
    assert cli.main(["plan", str(small), "--out", "out", "--set", "epochs=3", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["trials"], content["done"]) == (12, 0)
    assert cli.main(["plan", str(small), "--out", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 12


def test_a_run_reports_trials_that_a_change_leaves_aside(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(small), "--out", "out", "--jobs", "1", "--no-timing"]
    assert cli.main(command) == 0
    capsys.readouterr()
    assert cli.main([*command, "--set", "seeds=[1, 2, 3]"]) == 0
    assert "12 trials" not in capsys.readouterr().err
    assert cli.main([*command, "--set", "epochs=3"]) == 0
    messages = capsys.readouterr().err
    first, *_ = messages.splitlines()
    assert "out holds 1" in first
    assert "--out out-2" in first
    assert "out also keeps 1" in messages


def test_a_new_specification_is_one_that_runs(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["new", "wine"]) == 0
    text = capsys.readouterr().out
    assert cli.main(["new", "wine", "--out", "mine.toml"]) == 0
    assert capsys.readouterr().out == "mine.toml\n"
    assert (small.parent / "mine.toml").read_text() == text
    assert cli.main(["validate", "mine.toml"]) == 0
    assert capsys.readouterr().out.startswith("mine on wine: 1 group, ")
    assert cli.main(["new", "--out", "mine.toml"]) == 2
    states(capsys.readouterr().err, "error: mine.toml exists already", "--out")
    assert cli.main(["new", "wein"]) == 3


def test_a_new_specification_names_a_file_from_where_it_is(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(50))
    (small.parent / "mine.csv").write_text(f"id,x,y\n{rows}")
    (small.parent / "deep").mkdir()
    assert cli.main(["new", "mine.csv", "--set", 'keep="id"', "--target", "yy"]) == 3
    *_, last = capsys.readouterr().err.splitlines()
    command = shlex.split(last.removeprefix("Go on with: bpsweep "))
    assert command == ["new", "mine.csv", "--target=y", '--set=keep="id"']
    assert cli.main([*command, "--out", "deep/mine.toml"]) == 0
    assert cli.main(["validate", "deep/mine.toml"]) == 0
    assert cli.main([*command, "--out", "none/mine.toml"]) == 6
    assert "none/mine.toml can't be written" in capsys.readouterr().err


def test_data_are_run_as_the_study_that_new_writes(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{i % 7},{i % 3},{'ab'[i % 2]}\n" for i in range(60))
    (small.parent / "mine.csv").write_text(f"x,noise,y\n{rows}")
    options = ["--target", "y", "--ignore", "noise"]
    fewer = ["batch_sizes=[8, 16]", "epochs=2", "seeds=2", "confirmation_seeds=3"]
    settings = [word for setting in fewer for word in ("--set", setting)]
    run = ["run", "mine.csv", *options, *settings, "--no-timing", "--jobs", "1"]
    assert cli.main(run) in {0, 1}
    assert "1 feature" in capsys.readouterr().err
    assert set(results("mine").trials["batch_size"]) == {8, 16}
    assert cli.main(["run", "small.toml", *options]) == 2
    assert "--target y --ignore noise" in capsys.readouterr().err


def test_no_command_shows_help_and_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    groups = ["Start:", "Look:", "Prepare:", "More:"]
    assert sorted(groups, key=shown.index) == groups
    assert shown.index("recommend") < shown.index("doctor")
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"bpsweep {version('bpsweep')}\n"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["recomend", "iris"], "recommend"),
        (["run", "smal.toml"], "small.toml"),
        (["run", "digit"], "digits"),
        (["recommend", "mime.csv", "--target", "y"], "mine.csv"),
        (["status", "studi"], "study"),
        (["report", "study", "--format", "svg", "--figures", "acuracy"], "accuracy"),
    ],
)
def test_what_was_meant_is_proposed(
    small: Path, words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (small.parent / "mine.csv").write_text("x,y\n1,2\n")
    ran.copy(small.parent / "study")
    try:
        code = cli.main(words)
    except SystemExit as left:
        code = int(left.code or 0)
    assert code
    assert f"Did you mean {meant!r}?" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["studies", "datasets", "figures"])
def test_what_can_be_named_is_listed(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", what]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "name"
    assert cli.main(["list", what, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)[what]
    for entry, line in zip(entries, lines, strict=False):
        assert line.split()[0] == entry["name"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--completion", shell]) == 0
    assert "bpsweep" in capsys.readouterr().out
    out = tmp_path / "completions"
    for line, expected in (("bpsweep rec", "recommend"), ("bpsweep run --ret", "--retry-failed")):
        asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(out), "_ARGCOMPLETE_SHELL": shell}
        subprocess.run([sys.executable, "-m", "sweeps"], env=os.environ | asked, check=False)
        assert expected in out.read_text()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sweeps.cli.main import main\n"
        "try:\n    main(['--help'])\nfinally:\n    print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert modules.stdout.startswith("usage: bpsweep")
    heavy = {"numpy", "pandas", "pydantic", "rich", "matplotlib", "sklearn", "joblib"}
    assert not heavy & set(modules.stdout.split())


def test_every_backend_can_be_chosen_and_gives_the_same_tables(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for backend in ("sequential", "threading"):
        arguments = ["run", "small.toml", "--out", backend, "--backend", backend, "--no-timing"]
        assert cli.main(arguments) == 0
        assert "Measuring" not in capsys.readouterr().err
    curves = [small.parent / name / "tables" / "curves.csv" for name in ("sequential", "threading")]
    assert curves[0].read_bytes() == curves[1].read_bytes()
    with pytest.raises(SystemExit):
        cli.main(["run", "small.toml", "--backend", "ray"])
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    assert f"--backend {{{','.join(BACKENDS)}}}" in " ".join(capsys.readouterr().out.split())


def test_an_asked_for_end_still_gives_a_report(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(task: Task) -> list[Outcome]:
        os.kill(os.getpid(), signal.SIGINT)
        return train(task)

    monkeypatch.setattr("sweeps.run._scheduler.train", interrupted)
    assert cli.main(["run", str(small), "--out", "out", "--backend", "sequential"]) == 130
    shown = capsys.readouterr()
    assert shown.out == "out/report.html\n"
    assert shown.err.endswith("run again to go on.\n")


@pytest.mark.slow
def test_a_run_can_be_watched(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, seen = small.parent / "out" / "report.html", []

    def watched(task: Task) -> list[Outcome]:
        while not page.exists():
            time.sleep(0.01)
        seen.append(page.read_text())
        return train(task)

    monkeypatch.setattr("sweeps.run._scheduler.train", watched)
    arguments = ["run", str(small), "--out", "out", "--backend", "sequential", "--no-timing"]
    assert cli.main([*arguments, "--watch"]) == 0
    assert capsys.readouterr().out.endswith("out/report.html\n")
    assert "data-reload" in seen[0]
    assert "12 of 12 planned trials have not run" in seen[0]
    assert all(text.endswith("</html>\n") for text in seen)
    final = page.read_bytes()
    assert b"data-reload" not in final
    assert cli.main(["report", "out"]) == 0
    assert page.read_bytes() == final

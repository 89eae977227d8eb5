"""Studies of a trainer from the command line; its code is executed where trials run, only."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from refused import states

from sweeps import results
from sweeps.cli.main import main
from tests.sweeps.worker import trained

STUDY = """\
trainer = "train.py:right"
training_examples = 64
batch_sizes = [8, 16]
learning_rates = [0.1, 0.3]
seeds = [1, 2, 3]
confirmation_seeds = {first = 11, count = 5}
extensions = 0
epochs = 2
"""
MARK = '\n\nPath(__file__).with_name("executed").touch()\n'


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a trainer that leaves a mark where it is executed, and its study."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(Path(trained.__file__).read_text() + MARK)
    Path("study.toml").write_text(STUDY)
    return tmp_path


def executed() -> bool:
    """Return whether the trainer's code was, and forget it."""
    mark = Path("executed")
    was = mark.exists()
    mark.unlink(missing_ok=True)
    return was


def test_code_is_executed_where_trials_run_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in ("validate", "plan"):
        assert main([command, "study.toml"]) == 0
    assert not executed()
    assert main(["run", "study.toml", "--no-timing", "--backend", "sequential"]) == 0
    assert executed()
    shutil.copytree("study", "other")
    commands = (
        ["status", "study"],
        ["show", "study"],
        ["report", "study"],
        ["export", "study"],
        ["merge", "study", "other", "--out", "merged"],
        ["report", "study", "merged", "--out", "both"],
        ["analyze", "study/export/trials.csv", "--loss", "validation_loss"],
        ["validate", "study.toml"],
        ["plan", "study.toml", "--out", "study"],
        ["run", "study.toml", "--no-timing"],
    )
    for command in commands:
        assert main(command) == 0, command
        assert not executed(), command
    # A folder, which may come from anywhere, is not enough to execute anything.
    capsys.readouterr()
    for command in (["run", "study", "--retry-failed"], ["time", "study"]):
        Path("study/study.toml").unlink(missing_ok=True)
        assert main(command) in {0, 2}
        assert not executed()
    states(capsys.readouterr().err, "code is run only when it is named", "--out study")


def test_mistakes_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("study.toml").write_text(
        STUDY.replace("train.py:right", "train.py:rihgt")
        .replace("training_examples = 64\n", "hidden_layers = [3]\nnoise_examples = 4\n")
        .replace("epochs = 2", 'epochs = 2\nmetric = {name = "neg_x", goal = "up"}')
    )
    assert main(["validate", "study.toml"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 6, errors
    states("\n".join(errors), "trainer: names 'rihgt'", "Did you mean 'right'?")
    states("\n".join(errors), "hidden_layers: is about bpsweep's own network")
    states("\n".join(errors), "noise_examples: is about", "training_examples: is required by")
    states("\n".join(errors), "metric.name: must be", "metric.goal: must be one of 'maximize'")
    assert not executed()


def test_a_batch_is_no_larger_than_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "study.toml", "--set", "batch_sizes=[8, 65]"]) == 2
    states(capsys.readouterr().err, "batch_sizes[1]: must be at most 64", "but is 65")


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        ("none.py:right", ["is 'none.py:right', but is not there"]),
        ("trian.py:right", ["Did you mean 'train.py'?"]),
        ("no_such_package.module:train", ["Is its package installed?"]),
        ("broken.py:train", ["can't be read", "line 1"]),
        ("leads.py:train", ["can't be read", "line 1"]),
        ("train.py", ["must be 'FILE.py:FUNCTION' or 'PACKAGE.MODULE:FUNCTION'"]),
    ],
)
def test_what_is_no_trainer_is_refused(
    capsys: pytest.CaptureFixture[str], trainer: str, words: list[str]
) -> None:
    Path("broken.py").write_text("def train(:\n")
    Path("leads.py").write_text("import broken\n\n\ndef train(trial):\n    yield\n")
    assert main(["validate", "study.toml", "--set", f'trainer="{trainer}"']) == 2
    states(capsys.readouterr().err, "trainer: ", *words)


def test_changed_code_is_said_and_may_be_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = ["run", "study.toml", "--no-timing", "--backend", "sequential"]
    assert main(run) == 0
    with Path("train.py").open("a") as file:
        file.write("# a thought\n")
    capsys.readouterr()
    assert main([*run, "--accept-code"]) == 0
    assert "nothing to run" in capsys.readouterr().err
    with Path("train.py").open("a") as file:
        file.write("# another\n")
    assert main(run) == 0
    error = capsys.readouterr().err
    states(error, "changed since 22 trials of study ran: they no longer count", "--accept-code")


def test_a_module_next_to_the_trainer_is_part_of_its_code() -> None:
    Path("net.py").write_text("SCALE = 1.0\n")
    with Path("train.py").open("a") as file:
        file.write("import net\n")
    digests = []
    for scale in ("1.0", "2.0"):
        Path("net.py").write_text(f"SCALE = {scale}\n")
        assert main(["run", "study.toml", "--no-timing", "--out", f"out-{scale}"]) == 0
        digests.append(results(f"out-{scale}").description.groups[0].fingerprint)
    assert len({*digests}) == 2


@pytest.mark.slow
def test_a_batch_size_is_recommended_for_a_trainer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # One that says how many examples an epoch has.
    command = ["recommend", "--trainer", "train.py:ticking", "--minutes", "1", "--jobs", "2"]
    assert main([*command, "--out", "deep/er"]) == 0
    captured = capsys.readouterr()
    assert "batch size" in captured.out
    assert Path("deep/er/report.html").exists()
    assert 'trainer = "../../train.py:ticking"' in Path("deep/er/study.toml").read_text()


def test_recommend_needs_one_of_data_and_trainer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recommend"]) == 2
    assert main(["recommend", "iris", "--trainer", "train.py:right"]) == 2
    assert main(["recommend", "--trainer", "train.py:right", "--target", "y"]) == 2
    assert capsys.readouterr().err.count("needs either data, or --trainer") == 3
    # Who does not say how many examples an epoch has is asked.
    assert main(["recommend", "--trainer", "train.py:right", "--minutes", "1"]) == 2
    states(capsys.readouterr().err, "trial.training_examples", "--set training_examples=N")
    assert not any(name.endswith("recommendation") for name in map(str, Path().iterdir()))

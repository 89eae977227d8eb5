"""Reading specifications: every file that can't be read is reported, keys are set singly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from refused import refusal, states

from sweeps.errors import Problem, ResourceError, SpecificationError, UsageError
from sweeps.spec.load import (
    folder_of,
    named_data,
    preset_names,
    read_target,
    with_settings,
    write_new,
)
from sweeps.spec.model import parse


@pytest.mark.parametrize("name", preset_names())
def test_studies_that_ship_are_right(name: str) -> None:
    source, keys = read_target(name)
    assert source == f"preset {name}"
    specification, problems, _ = parse(keys)
    assert not problems
    assert specification.name == name
    assert folder_of(name) == Path()


def test_a_files_name_is_the_studys_and_its_folder_the_datas(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbfepochs = 3\r\n")
    assert read_target(str(path)) == (str(path), {"name": "mine", "epochs": 3})
    assert folder_of(str(path)) == tmp_path


DEEP = "more than 32 tables and lists within each other"
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"# nothing\n", "is empty."),
    "not TOML": (b"a = [1,", "not TOML: Invalid value (at end of document)."),
    "duplicate key": (b"a = 1\na = 2\n", "Cannot overwrite a value (at line 2, column 6)."),
    "thousands of digits": (b"epochs = " + b"1" * 5_000, "not TOML: Exceeds the limit (4300"),
    "not UTF-8": (b'a = "\xe4"', "not UTF-8: byte 5 is 0xe4."),
    "lists": (b"a = " + b"[" * 3_000 + b"]" * 3_000, DEEP),
    "tables": (b"a = " + b"{b = " * 3_000 + b"1" + b"}" * 3_000, DEEP),
    "a dotted key": (b".".join([b"a"] * 3_000) + b" = 1", DEEP),
    "a table's name": (b"[" + b".".join([b"a"] * 3_000) + b"]", DEEP),
    "a quoted key": (b"x = {" + b".".join([b'"a"'] * 3_000) + b" = 1}", DEEP),
    "a little too deep": (b"a = " + b"[" * 34 + b"]" * 34, DEEP),
}


@pytest.mark.parametrize(("content", "text"), FILES.values(), ids=FILES)
def test_unreadable_content_is_reported(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    states(refusal(read_target, str(path), error=SpecificationError), f"{path}: file: ", text)


UNREADABLE: dict[str, tuple[str, Callable[[Path], object], tuple[str, ...]]] = {
    "missing": ("missing.toml", lambda _path: None, ("does not exist.",)),
    "a folder": ("folder.toml", Path.mkdir, ("is a folder",)),
    "a pipe": ("pipe.toml", os.mkfifo, ("not a regular file",)),
    "a device": ("device.toml", lambda p: p.symlink_to("/dev/zero"), ("not a regular file",)),
    "too large": (
        "large.toml",
        lambda path: path.write_bytes(bytes(1_000_001)),
        ("1,000,001 bytes", "limit of 1,000,000;"),
    ),
    "a name too long": (f"{'x' * 300}.toml", lambda _path: None, ("File name too long.",)),
}


@pytest.mark.parametrize(("name", "make", "texts"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_specifications_file_is_not_read(
    name: str, make: Callable[[Path], object], texts: tuple[str, ...], tmp_path: Path
) -> None:
    make(tmp_path / name)
    states(refusal(read_target, str(tmp_path / name), error=UsageError), tmp_path / name, *texts)


def test_a_setting_may_not_lead_too_deep() -> None:
    assert with_settings({}, [".".join("a" * 33) + "=" + "[" * 32 + "]" * 32])
    with pytest.raises(SpecificationError, match="must be a path of at most 32 keys"):
        with_settings({}, [".".join("a" * 3_000) + "=1"])
    with pytest.raises(SpecificationError, match="must be KEY=VALUE, VALUE in TOML"):
        with_settings({}, ["a=" + "[" * 3_000 + "]" * 3_000])


def test_an_unknown_study_gets_a_suggestion() -> None:
    text = refusal(read_target, "digts", error=UsageError)
    states(text, "'digts'", ", ".join(preset_names()), "Did you mean 'digits'?")


SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "number": ("epochs=5", {"epochs": 5}),
    "spaces": (" epochs = 5 ", {"epochs": 5}),
    "text": ('loss="cross_entropy"', {"loss": "cross_entropy"}),
    "list": ("seeds=[1, 2]", {"seeds": [1, 2]}),
    "table": ('dataset={path="a.npz", target="y"}', {"dataset": {"path": "a.npz", "target": "y"}}),
    "new path": ("schedule.warmup=3", {"schedule": {"warmup": 3}}),
    "old path": ("growth.every=7", {"growth": {"factor": 2, "every": 7}}),
    "whole table": ("growth={limit=9}", {"growth": {"limit": 9}}),
    "equals sign": ('title="a=b"', {"title": "a=b"}),
}


@pytest.mark.parametrize(("setting", "wanted"), SETTINGS.values(), ids=SETTINGS)
def test_a_key_is_replaced(setting: str, wanted: dict[str, Any]) -> None:
    keys = {"epochs": 1, "growth": {"factor": 2, "every": 3}}
    assert with_settings(keys, [setting]) == keys | wanted
    assert keys == {"epochs": 1, "growth": {"factor": 2, "every": 3}}


def test_the_last_setting_of_a_key_counts() -> None:
    assert with_settings({}, ["a.b=1", "a.b=2", "a.c=3"]) == {"a": {"b": 2, "c": 3}}


def test_settings_that_are_none_are_reported_at_once() -> None:
    wrong = ["epochs", "loss=cross_entropy", "=3", "a=", "a=1\nb=2", f"a={'1' * 5_000}"]
    with pytest.raises(SpecificationError) as refused:
        with_settings({"optimizer": "adam"}, [*wrong, "optimizer.beta1=0.5"])
    *faults, nowhere = refused.value.problems
    assert [problem.path for problem in faults[:-1]] == [*map(repr, wrong[:-1])]
    assert {problem.text[:33] for problem in faults} == {"must be KEY=VALUE, VALUE in TOML."}
    assert "'loss=\"cross_entropy\"'" in faults[1].text
    assert nowhere.path == "optimizer.beta1"
    assert "'adam', which is no table" in nowhere.text


def test_a_new_file_replaces_no_other_and_needs_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    write_new(path, "a = 1\n")
    assert path.read_text() == "a = 1\n"
    text = refusal(write_new, path, "b = 2\n", error=UsageError)
    states(text, path, "exists already", "--out")
    assert path.read_text() == "a = 1\n"
    path = tmp_path / "missing" / "new.toml"
    states(refusal(write_new, path, "", error=ResourceError), path, "No such file or directory.")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my data.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(50)))
    return path


def test_a_file_is_written_from_the_folder_with_what_is_known_of_it(table: Path) -> None:
    named = named_data("new", table.name, ["y"], ['ignore=["x"]', 'missing="mean"'])
    faults = {"ignore": ["x"], "missing": "mean", "target": "y"}
    assert named.written(Path()) == {**faults, "path": "my data.csv"}
    assert named.written(Path("deep/out")) == {**faults, "path": "../../my data.csv"}


def test_a_dataset_is_written_with_its_parameters_if_it_has_any() -> None:
    assert named_data("new", "iris", [], []).written(Path("out")) == "iris"
    moons = named_data("new", "moons", [], ["samples=50"])
    assert moons.written(Path("out")) == {"name": "moons", "samples": 50}


def test_every_mistake_is_reported_by_its_name_on_the_command_line(table: Path) -> None:
    data = ("new", table.name, [], ['missing="men"'], [Problem("--minutes", "is odd.")])
    first, *others = refusal(named_data, *data, error=SpecificationError).splitlines()
    assert first == "new: --minutes: is odd."
    assert {line.split(": ")[1] for line in others} == {"--missing"}
    unquoted = ("new", table.name, ["y"], ["missing=mean"])
    text = refusal(named_data, *unquoted, error=SpecificationError)
    assert text.startswith("--set: 'missing=mean': must be KEY=VALUE")

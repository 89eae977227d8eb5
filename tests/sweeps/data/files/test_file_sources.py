"""Files: regular ones within the limit, known by content, refused before reading on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from refused import refusal, states

from sweeps.data.files.file_sources import is_file, read_bytes
from sweeps.data.registry import SourceError, load, read_source


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    load.cache_clear()


GOOD = "x,y\n" + "1,a\n2,b\n3,a\n" * 4


def problems(value: Any, folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(SourceError) as refused:
        read_source(value, folder=folder)
    return [(problem.path, problem.text) for problem in refused.value.problems]


def test_a_relative_path_starts_at_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "my.csv").write_text(GOOD)
    source = read_source({"path": "data/my.csv", "target": "y"}, folder=tmp_path)
    assert source.name == "my.csv"
    assert source.path == str(tmp_path / "data" / "my.csv")
    assert load(source).name == "my.csv"


def test_a_file_is_its_content_not_its_path(tmp_path: Path) -> None:
    sources = []
    for name, content in (("a", GOOD), ("b", GOOD), ("c", GOOD + "9,b\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "my.csv").write_text(content)
        given = {"path": f"{name}/my.csv", "target": "y"}
        sources.append(read_source(given, folder=tmp_path))
    assert sources[0] == sources[1]
    assert hash(sources[0]) == hash(sources[1])
    assert sources[0] != sources[2]
    assert load(sources[0]).fingerprint != load(sources[2]).fingerprint


def test_parameters_are_part_of_what_a_source_is(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(GOOD)
    given = {"path": "my.csv", "target": "y"}
    first = read_source(given, folder=tmp_path)
    assert first == read_source(given | {"missing": "median"}, folder=tmp_path)
    assert first != read_source(given | {"missing": "drop"}, folder=tmp_path)
    assert dict(first.parameters)["target"] == ("y",)


def test_a_file_that_changes_between_plan_and_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text(GOOD)
    source = read_source({"path": "my.csv", "target": "y"}, folder=tmp_path)
    path.write_text(GOOD + "9,a\n")
    states(refusal(load, source), path, "has changed")


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    given = {"path": "my.csv", "seperator": ";", "missing": "men"}
    messages = dict(problems(given, tmp_path))
    assert messages.keys() == {".missing", ".seperator", ""}
    states(messages[".missing"], "'mean', 'median'", "'drop'", "is 'men'", "Did you mean 'mean'?")
    states(messages[".seperator"], "a .csv file", "Did you mean 'separator'?")
    states(messages[""], tmp_path / "my.csv", "does not exist")


def test_a_wrong_limit_is_reported_with_a_missing_file(tmp_path: Path) -> None:
    messages = dict(problems({"path": "my.npz", "limit_gb": 0}, tmp_path))
    assert messages.keys() == {".limit_gb", ""}
    states(messages[".limit_gb"], "above 0.0", "is 0.")


@pytest.mark.parametrize("path", ["", 3, "a\0.csv"])
def test_a_path_is_text(path: Any, tmp_path: Path) -> None:
    ((name, text),) = problems({"path": path}, tmp_path)
    assert name == ".path"
    states(text, "must be text", repr(path))


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "my.weights").write_text(GOOD)
    assert load(read_source({"path": "my.weights", "target": "y"}, folder=tmp_path)).classes


def test_what_has_a_folder_or_an_end_is_a_file() -> None:
    assert [is_file(text) for text in ("my.csv", "MY.NPZ", "a/b", "a.db::t", "moons")] == [
        *[True] * 4,
        False,
    ]


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty").touch()
    messages = {
        tmp_path: "is a folder",
        tmp_path / "pipe": "is not a regular file",
        Path("/dev/zero"): "is not a regular file",
        tmp_path / "none": "does not exist",
        tmp_path / "empty": "is empty",
        tmp_path / "loop": os.strerror(40),
    }
    for path, part in messages.items():
        states(refusal(read_bytes, path, 100), path, part)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"")
    os.truncate(path, 3 * 10**9)
    text = refusal(read_bytes, path, 2 * 10**9)
    states(text, path, "3,000,000,000 bytes", "2,000,000,000", "`limit_gb`")

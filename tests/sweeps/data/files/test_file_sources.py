"""Files: regular ones within the limit, known by content, told what is wrong before reading on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sweeps.data.files.file_sources import is_file, read_bytes
from sweeps.data.registry import SourceError, load, read_source
from sweeps.errors import DataError


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
    assert first == read_source(given | {"missing": "refuse"}, folder=tmp_path)
    assert first != read_source(given | {"missing": "drop"}, folder=tmp_path)
    assert dict(first.parameters)["target"] == ("y",)


def test_a_file_that_changes_between_plan_and_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text(GOOD)
    source = read_source({"path": "my.csv", "target": "y"}, folder=tmp_path)
    path.write_text(GOOD + "9,a\n")
    with pytest.raises(DataError) as refused:
        load(source)
    assert str(refused.value) == f"{path} has changed since it was first read."


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    given = {"path": "my.csv", "seperator": ";", "missing": "men"}
    assert problems(given, tmp_path) == [
        (".target", "is required, but missing."),
        (
            ".missing",
            (
                "must be one of 'refuse', 'drop', 'mean', 'median' or 'most_frequent', but is "
                "'men'. Did you mean 'mean'?"
            ),
        ),
        (".seperator", "is no parameter of a .csv file. Did you mean 'separator'?"),
        ("", f"{tmp_path / 'my.csv'} does not exist."),
    ]
    assert [path for path, _ in problems({"path": "my.csv", "target": []}, tmp_path)] == [
        ".target",
        "",
    ]


def test_a_wrong_limit_is_told_without_reading(tmp_path: Path) -> None:
    given = {"path": "my.npz", "limit_gb": 0}
    assert problems(given, tmp_path) == [(".limit_gb", "must be above 0.0, but is 0.")]


@pytest.mark.parametrize("path", ["", 3, "a\0.csv"])
def test_a_path_is_text(path: Any, tmp_path: Path) -> None:
    assert problems({"path": path}, tmp_path) == [(".path", f"must be text, but is {path!r}.")]


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    assert problems("my.csv.gz", tmp_path) == [
        (
            ".path",
            (
                "'my.csv.gz' is no file of a known format: its name must end in .csv, .parquet, "
                ".npz."
            ),
        )
    ]


def test_what_has_a_folder_or_an_end_is_a_file() -> None:
    assert [is_file(text) for text in ("my.csv", "MY.NPZ", "a/b", "a.tsv", "moons")] == [
        *[True] * 4,
        False,
    ]


def refusal(path: Path, limit: int = 100) -> str:
    with pytest.raises(DataError) as refused:
        read_bytes(path, limit)
    return str(refused.value)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty").touch()
    assert refusal(tmp_path) == f"{tmp_path} is a folder, not a file."
    assert refusal(tmp_path / "pipe") == f"{tmp_path / 'pipe'} is not a regular file."
    assert refusal(Path("/dev/zero")) == "/dev/zero is not a regular file."
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'} does not exist."
    assert refusal(tmp_path / "empty") == f"{tmp_path / 'empty'} is empty."
    loop = tmp_path / "loop"
    assert refusal(loop) == f"{loop} can't be read: {os.strerror(40)}."


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"")
    os.truncate(path, 3 * 10**9)
    assert refusal(path, 2 * 10**9) == (
        f"{path} has 3 GB, more than the limit of 2 GB; raise `limit_gb` to read it."
    )

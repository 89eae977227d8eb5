"""Data are what a command names, with its parameters, from wherever the specification is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import Problem, SpecificationError
from sweeps.spec.named_data import named_data


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my data.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(50)))
    return path


def test_a_file_is_written_from_the_folder_with_what_is_told_of_it(table: Path) -> None:
    found = named_data("new", table.name, ["y"], ['ignore=["x"]', 'missing="mean"'])
    told = {"ignore": ["x"], "missing": "mean", "target": "y"}
    assert found.written(Path()) == {**told, "path": "my data.csv"}
    assert found.written(Path("deep/out")) == {**told, "path": "../../my data.csv"}


def test_a_dataset_is_written_with_its_parameters_if_it_has_any() -> None:
    assert named_data("new", "iris", [], []).written(Path("out")) == "iris"
    some = named_data("new", "moons", [], ["samples=50"])
    assert some.written(Path("out")) == {"name": "moons", "samples": 50}


def test_every_mistake_is_told_by_its_name_on_the_command_line(table: Path) -> None:
    with pytest.raises(SpecificationError) as refused:
        named_data("new", table.name, [], ['missing="men"'], [Problem("--minutes", "is odd.")])
    first, *others = str(refused.value).splitlines()
    assert first == "new: --minutes: is odd."
    assert {line.split(": ")[1] for line in others} == {"--target", "--set missing"}
    with pytest.raises(SpecificationError) as unquoted:
        named_data("new", table.name, ["y"], ["missing=mean"])
    assert str(unquoted.value).startswith("--set: 'missing=mean': must be KEY=VALUE")

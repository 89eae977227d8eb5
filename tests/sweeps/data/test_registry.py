"""Every dataset has a name that is read, loads read-only, and is documented."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refused import states

from sweeps.data._downloads import FETCHED
from sweeps.data.files.file_sources import FORMATS
from sweeps.data.registry import NAMES, SourceError, catalogue, load, parameters_of, read_source
from sweeps.data.splits import Source

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")

PAGE = Path(__file__).parents[3] / "docs" / "data.md"


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_dataset_is_complete_and_read_only(name: str) -> None:
    dataset = load(read_source(name, folder=Path()))
    assert dataset.name == name
    assert len(dataset.inputs) == len(dataset.targets)
    assert len(dataset.feature_names) == dataset.inputs.shape[1]
    if dataset.labels is None:
        assert len(dataset.target_names) == dataset.targets.shape[1]
    else:
        assert set(dataset.labels) == set(range(len(dataset.classes)))
    with pytest.raises(ValueError, match="read-only"):
        dataset.inputs[0, 0] = 1


def test_digits_is_the_dataset_it_was() -> None:
    # Recorded with scikit-learn 1.9.1. Other data would be another study.
    assert load(Source("digits")).fingerprint == "75b38cad5030a3012f068d64561883ea"


def test_a_dataset_is_loaded_once() -> None:
    first = load(read_source("iris", folder=Path()))
    assert load(read_source({"name": "iris"}, folder=Path("elsewhere"))) is first


def test_a_source_is_small_and_travels() -> None:
    source = read_source({"name": "moons", "noise": 0.1}, folder=Path())
    sent = pickle.dumps(source)
    assert len(sent) < 500
    assert pickle.loads(sent) == source  # noqa: S301 - our own


def test_a_source_has_its_defaults_written_out() -> None:
    full = {"name": "moons", "seed": 0, "noise": 0, "samples": 1000}
    assert read_source("moons", folder=Path()) == read_source(full, folder=Path())


def test_an_unknown_name_gets_the_list_and_a_suggestion() -> None:
    with pytest.raises(SourceError) as refused:
        read_source("irs", folder=Path())
    assert refused.value.exit_code == 3
    states(str(refused.value), "'irs'", ", ".join(NAMES), "Did you mean 'iris'?")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, ("a name, a file or a table", "is 5")),
        ({}, ("either `name` or `path`",)),
        ({"name": "iris", "path": "a.csv"}, ("either `name` or `path`",)),
        ({"name": "iris", "noise": 1}, ("noise is no parameter of iris",)),
        (
            {"name": "moons", "sample": 1, "noise": -1},
            ("noise must be at least 0.0", "is -1", "sample is no", "Did you mean 'samples'?"),
        ),
    ],
)
def test_what_names_no_data_is_a_mistake_of_the_specification(
    value: Any, expected: tuple[str, ...]
) -> None:
    with pytest.raises(SourceError) as refused:
        read_source(value, folder=Path())
    states(str(refused.value), *expected)
    assert refused.value.exit_code == 2


def test_the_path_of_a_wrong_name_is_where_it_is_written() -> None:
    for value, path in (("irs", ""), ({"name": "irs"}, ""), ({"name": ["iris"], "a": 1}, ".name")):
        with pytest.raises(SourceError) as refused:
            read_source(value, folder=Path())
        assert refused.value.problems[0].path == path


def test_what_workers_import_is_light() -> None:
    heavy = ("pandas", "pyarrow", "scipy", "sklearn")
    code = f"import sys, sweeps.data.registry; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("name", [*NAMES, "openml:NAME@VERSION", *FORMATS])
def test_every_dataset_and_format_is_documented(name: str) -> None:
    # Tables of parameters are generated: tests/test_documentation.py holds them against the code.
    page = PAGE.read_text("utf-8")
    model = FORMATS.get(name) or parameters_of(name)
    if model.model_fields:
        assert re.search(rf"^### `{re.escape(name)}`\n[^#]*\n\| parameter ", page, re.MULTILINE)
        assert all(field.description for field in model.model_fields.values())
    else:
        assert f"| `{name}` |" in page


def test_documented_examples_are_read(tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text("rooms,town,price\n" + "1,a,1.5\n2,b,2.5\n3,a,3\n" * 4)
    np.savez(tmp_path / "digits.npz", X=np.eye(12), y=np.arange(12) % 2)
    blocks = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    values = [value for block in blocks for value in tomllib.loads(block)["dataset"]]
    assert len(values) >= 5
    for value in values:
        read_source(value, folder=tmp_path)


def test_what_is_listed_of_a_dataset_is_so() -> None:
    entries = {entry["name"]: entry for entry in catalogue()}
    assert sorted(entries) == sorted(NAMES)
    assert {name for name, entry in entries.items() if entry["network"]} == {*FETCHED}
    for name in entries.keys() - FETCHED.keys():
        dataset = load(read_source(name, folder=Path()))
        listed = [entries[name][fact] for fact in ("task", "examples", "features")]
        assert listed == [dataset.task, *dataset.inputs.shape], name

"""The datasets a study can use: read what names one, load it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.data._dataset import classification, regression
from sweeps.data._downloads import FETCHED, OPENML, OpenMLParameters, fetch
from sweeps.data._generators import GENERATORS, Parameters, generate, generator_problems
from sweeps.data.files import _npz_files, _record_files, _text_files
from sweeps.data.files._columns import dataset_of
from sweeps.data.files._rows import Rows
from sweeps.data.files.file_sources import (
    Contents,
    FileParameters,
    Kind,
    NpzParameters,
    contents_of,
    file_of,
    is_file,
    parameters_of_file,
    read_bytes,
    read_file_source,
    unchanged,
)
from sweeps.data.parameters import Strict, pairs_of, read_parameters
from sweeps.data.splits import Dataset, Source
from sweeps.data.table._features import Room
from sweeps.errors import DataError, Problem, UserError, did_you_mean, shown

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
"""What is installed with scikit-learn."""

NAMES = (*BUNDLED, *GENERATORS, *FETCHED)
"""Names of all datasets; those of OpenML, `openml:NAME@VERSION`, and files come on top."""

OPENML_START = "openml:"


class SourceError(DataError):
    """What is said to name data does not.

    Unless all problems are about data, the specification is at fault.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{p.path[1:]} {p.text}".strip() for p in self.problems))
        if not all(problem.about_data for problem in self.problems):
            self.exit_code = UserError.exit_code  # type: ignore[misc]


def read_source(value: object, *, folder: Path) -> Source:
    """Read what a specification says about data.

    A value is a name, a file's path, or a table with either and parameters:
    `"digits"`, `{"name": "moons", "samples": 500}`, `{"path": "my.csv", "target": "y"}`.

    Nothing is loaded, but a file is read to its end: its content, not its path, is what it is.
    """
    given = _table(value)
    if "path" in given:
        source, problems = read_file_source(given, folder)
    else:
        source, problems = _named(given)
    if problems:
        raise SourceError(problems)
    return source


def parameters_of(name: str) -> type[Strict]:
    """Return what can be chosen for one of `NAMES`, or a dataset of OpenML."""
    if described := GENERATORS.get(name) or FETCHED.get(name):
        return described.parameters
    return Strict if name in BUNDLED else OpenMLParameters


@functools.lru_cache(maxsize=4)
def load(source: Source) -> Dataset:
    """Load a dataset; the ones used last are kept in memory."""
    if source.content:
        return _file(source)
    if source.name in BUNDLED:
        return _bundled(source.name)
    if source.name in GENERATORS:
        return generate(source)
    return fetch(source)


def _table(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        is_path = value not in NAMES and not value.startswith(OPENML_START) and is_file(value)
        return {"path" if is_path else "name": value}
    if isinstance(value, Mapping) and ("name" in value) != ("path" in value):
        return dict(value)
    text = "must hold either `name` or `path`, and parameters."
    if not isinstance(value, Mapping):
        text = f"must be a name, a file or a table with one of them, but is {shown(value)}."
    raise SourceError([Problem("", text)])


def _named(given: dict[str, Any]) -> tuple[Source, list[Problem]]:
    name = given.pop("name")
    if problem := _name_problem(name):
        return Source(""), [Problem(".name" if given else "", problem, about_data=True)]
    parameters, problems = read_parameters(given, parameters_of(name), name)
    if isinstance(parameters, Parameters):
        problems = generator_problems(name, parameters)
    return Source(name, pairs_of(parameters)), problems


def _name_problem(name: object) -> str:
    if isinstance(name, str) and (name in NAMES or OPENML.fullmatch(name)):
        return ""
    if isinstance(name, str) and name.startswith(OPENML_START):
        return f"{shown(name)} must be 'openml:NAME@VERSION', such as 'openml:mnist_784@1'."
    return f"{shown(name)} is not a dataset. Known: {', '.join(NAMES)}.{did_you_mean(name, NAMES)}"


_READERS: Mapping[Kind, Callable[[Contents, FileParameters], Rows]] = {
    "text": _text_files.read,
    "arff": _text_files.read_arff,
    "json": _record_files.read_json,
    "excel": _record_files.read_excel,
    "sqlite": _record_files.read_sqlite,
    "parquet": _record_files.read_arrow,
    "arrow": _record_files.read_arrow,
}


def _file(source: Source) -> Dataset:
    """Return the dataset in a file, which must be what it was when its source was read."""
    given: dict[str, Any] = dict(source.parameters)
    parameters = parameters_of_file(source.name).model_construct(**given)
    limit = Room.of(parameters).limit
    with unchanged(source) as (path, inside):
        if isinstance(parameters, NpzParameters):
            return _npz_files.read(source.name, read_bytes(path, limit), parameters)
        assert isinstance(parameters, FileParameters)  # noqa: S101 - there is no third kind
        with contents_of(source.name, path, limit, inside) as contents:
            rows = _READERS[contents.kind](contents, parameters)
            return dataset_of(source.name, rows, parameters)


def table_of_file(path: str) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return the names of a file's columns and its rows, each cell as text."""
    file, inside = file_of(path)
    parameters = FileParameters.model_construct()
    with contents_of(file.name, file, Room.of(parameters).limit, inside) as contents:
        rows = _READERS[contents.kind](contents, parameters)
        return rows.header, [cells for cells, _ in rows.read()]


def _bundled(name: str) -> Dataset:
    # What is read most often needs none of scikit-learn's code.
    package = getattr(find_spec("sklearn"), "origin", None) or ""
    file = Path(package).parent / "datasets" / "data" / "digits.csv.gz"
    if name == "digits" and file.is_file():
        rows = np.loadtxt(file, delimiter=",")
        pixels = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
        labels = rows[:, -1].astype(np.int64)
        return classification(name, rows[:, :-1], labels, map(str, range(10)), feature_names=pixels)
    from sklearn import datasets  # noqa: PLC0415 - takes seconds

    bunch: Any = getattr(datasets, f"load_{name}")()
    features = tuple(map(str, bunch.feature_names))
    if name in {"diabetes", "linnerud"}:
        names = bunch.get("target_names", ["disease progression"])
        targets = bunch.target.reshape(len(bunch.data), -1)
        return regression(name, bunch.data, targets, names, feature_names=features)
    classes = map(str, bunch.target_names)
    return classification(name, bunch.data, bunch.target, classes, feature_names=features)


def catalogue() -> list[dict[str, Any]]:
    """Return what there is to know of each dataset with a name of its own before it is chosen."""
    # Sizes with the parameters at their defaults, before categories become features.
    rows: list[tuple[Any, ...]] = []
    for name in BUNDLED:
        data = load(Source(name))
        rows.append((name, "bundled", data.task, *data.inputs.shape))
    for name, made in GENERATORS.items():
        defaults = made.parameters()
        rows.append((name, "generated", made.task, defaults.samples, made.features(defaults)))
    rows += [(name, "downloaded", *described[:3]) for name, described in FETCHED.items()]
    facts = ("name", "kind", "task", "examples", "features")
    return [dict(zip(facts, row, strict=True)) | {"network": row[0] in FETCHED} for row in rows]

"""Datasets that scikit-learn downloads once and keeps in its own cache."""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import urllib.error
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sweeps.data.dataset import classification, regression
from sweeps.data.parameters import Limited, Number, OneOf, Texts, Whole
from sweeps.data.splits import CLASSIFICATION, Dataset, Source
from sweeps.data.table.assembly import DROP, Choices, Rare, TableParameters, from_frame
from sweeps.data.table.features import Room
from sweeps.data.table.target import number_name
from sweeps.errors import DataError

NETWORK_SECONDS = 30.0
"""A server that is silent for so long is given up."""

CACHE_VARIABLE = "SCIKIT_LEARN_DATA"
"""The environment variable that says where scikit-learn's cache is."""

NO_CACHE = (
    "can't be chosen by a specification, which may be somebody else's: scikit-learn loads pickles "
    f"from there. Set the environment variable {CACHE_VARIABLE} to a folder that you trust."
)
"""Why `data_home` is refused."""

OPENML = re.compile(r"openml:(?P<name>[^@\s/\\]+)@(?P<version>[1-9][0-9]*)")
"""How data of OpenML are named: a version may not change, so it must be said.

The name becomes part of a path in scikit-learn's cache, so it leads to no other folder.
"""


class OpenMLParameters(TableParameters):
    """A table of OpenML."""

    target: Texts = Field(default=(), description="column to learn; OpenML's own choice without it")


class Newsgroups(Limited):
    """`fetch_20newsgroups_vectorized`."""

    subset: Annotated[str, OneOf(("train", "test", "all"))] = Field(
        default="all", description="documents by date"
    )
    terms: Whole = Field(default=0, ge=0, description="terms that most documents hold; 0 for all")


class KddCup99(Limited):
    """`fetch_kddcup99`."""

    subset: Annotated[str, OneOf(("all", "SA", "SF", "http", "smtp"))] = Field(
        default="all", description="connections"
    )
    percent10: bool = Field(default=True, description="a tenth of the data only")
    rare: Rare = DROP


class LabeledFaces(Limited):
    """`fetch_lfw_people`."""

    min_faces: Whole = Field(
        default=70, ge=3, description="only people with at least so many pictures"
    )
    resize: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.5, description="factor of the pictures' width and height"
    )
    colour: bool = Field(default=False, description="colour rather than grey")


_NEWSGROUPS = {"train": 11314, "test": 7532, "all": 18846, "groups": 20}
_NEWSGROUPS_TERMS = 130107

_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)

_HARD = (
    "0.3066101993807095471566981359501369297504425048828125",
    "7.0420557077594588669468784357561207962098443483187940792729600000e59",
)
"""Decimals that a reader who multiplies powers of ten gets wrong."""

_Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Fetched:
    """A dataset that is downloaded."""

    read: Callable[[str, _Arguments], Dataset]
    parameters: type[Limited] = Limited


def fetch(source: Source) -> Dataset:
    """Return downloaded data, from the cache if they are there."""
    read = FETCHED[source.name].read if source.name in FETCHED else _openml
    return read(source.name, dict(source.parameters))


def refusal(name: str, parameters: _Arguments) -> str:
    """Return why data are refused before anything is downloaded; nothing if they are not."""
    if name == "20newsgroups_vectorized":
        features = parameters["terms"] or _NEWSGROUPS_TERMS
        examples, outputs = _NEWSGROUPS[parameters["subset"]], _NEWSGROUPS["groups"]
        problem = Room.of(parameters).problem(name, examples, features, outputs)
        return problem and f"{problem} Take fewer `terms`, or raise `limit_gb`."
    return ""


def _covtype(name: str, parameters: _Arguments) -> Dataset:
    bunch, _ = _fetched(name, "fetch_covtype")
    return _classes(name, bunch, parameters)


def _california_housing(name: str, parameters: _Arguments) -> Dataset:
    bunch, _ = _fetched(name, "fetch_california_housing")
    _check(name, bunch, parameters)
    names = tuple(map(str, bunch.target_names))
    features = tuple(map(str, bunch.feature_names))
    return regression(name, bunch.data, bunch.target[:, None], names, feature_names=features)


def _olivetti_faces(name: str, parameters: _Arguments) -> Dataset:
    bunch, _ = _fetched(name, "fetch_olivetti_faces")
    return _classes(name, bunch, parameters)


def _lfw(name: str, parameters: _Arguments) -> Dataset:
    bunch, _ = _fetched(
        name,
        "fetch_lfw_people",
        min_faces_per_person=parameters["min_faces"],
        resize=parameters["resize"],
        color=parameters["colour"],
    )
    return _classes(name, bunch, parameters, [str(person) for person in bunch.target_names])


def _newsgroups(name: str, parameters: _Arguments) -> Dataset:
    bunch, _ = _fetched(name, "fetch_20newsgroups_vectorized", subset=parameters["subset"])
    terms, features = parameters["terms"], np.asarray(bunch.feature_names, dtype=str)
    if terms:
        # The ones that most documents hold, in their old order.
        chosen = np.sort(np.argsort(-bunch.data.getnnz(axis=0), kind="stable")[:terms])
        bunch.data, features = bunch.data[:, chosen], features[chosen]
    _check(name, bunch, parameters, _NEWSGROUPS["groups"])
    bunch.data = bunch.data.toarray()
    return _classes(name, bunch, parameters, [str(group) for group in bunch.target_names], features)


def _kddcup99(name: str, parameters: _Arguments) -> Dataset:
    import pandas as pd  # noqa: PLC0415 - takes a second

    subset = None if parameters["subset"] == "all" else parameters["subset"]
    bunch, _ = _fetched(
        name,
        "fetch_kddcup99",
        subset=subset,
        percent10=parameters["percent10"],
        random_state=0,
    )
    columns = dict(zip(bunch.feature_names, bunch.data.T, strict=True)) | {"label": bunch.target}
    frame = pd.DataFrame({column: _plain(cells) for column, cells in columns.items()})
    choices = Choices.of(parameters, target=("label",), task=CLASSIFICATION)
    return from_frame(name, frame, choices, _place)


def _openml(name: str, parameters: _Arguments) -> Dataset:
    import pandas as pd  # noqa: PLC0415 - takes a second

    named = OPENML.fullmatch(name)
    assert named  # noqa: S101 - read_source sees to it
    target = parameters["target"]
    bunch, notes = _fetched(
        name,
        "fetch_openml",
        name=named["name"],
        version=int(named["version"]),
        target_column=[*target] if target else "default-target",
        read_csv_kwargs={} if _reads_exactly() else {"float_precision": "round_trip"},
    )
    if not bunch.target_names:
        raise DataError(f"{name} has no target of its own: name a column in `target`.")
    data = bunch.data
    if not isinstance(data, pd.DataFrame):
        _check(name, bunch, parameters)
        data = pd.DataFrame(data.toarray(), columns=bunch.feature_names)
    wanted = pd.DataFrame(bunch.target)
    wanted.columns = bunch.target_names
    frame = pd.concat([data, wanted], axis=1)
    choices = Choices.of(parameters, target=tuple(bunch.target_names))
    dataset = from_frame(name, frame, choices, _place)
    return replace(dataset, notes=(*dataset.notes, *(f"OpenML: {note}" for note in notes)))


def _reads_exactly() -> bool:
    """Return whether pandas reads a number as the nearest float64, which it does from 3.1 on."""
    import pandas as pd  # noqa: PLC0415 - takes a second

    return bool(
        (pd.read_csv(io.StringIO("\n".join(("x", *_HARD))))["x"] == [*map(float, _HARD)]).all()
    )


FETCHED: dict[str, Fetched] = {
    "20newsgroups_vectorized": Fetched(_newsgroups, Newsgroups),
    "california_housing": Fetched(_california_housing),
    "covtype": Fetched(_covtype),
    "kddcup99": Fetched(_kddcup99, KddCup99),
    "lfw": Fetched(_lfw, LabeledFaces),
    "olivetti_faces": Fetched(_olivetti_faces),
}
"""Every dataset that is downloaded, those of OpenML apart."""


def _place(row: int) -> str:
    return f"row {row + 1}"


def _plain(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if isinstance(cells[0], bytes):
        return np.array([cell.decode("ascii", "replace") for cell in cells], dtype=object)
    return cells.astype(np.float64)


def _classes(
    name: str,
    bunch: Any,  # noqa: ANN401 - scikit-learn's own
    parameters: _Arguments,
    classes: list[str] | None = None,
    feature_names: npt.NDArray[Any] | None = None,
) -> Dataset:
    values, labels = np.unique(bunch.target, return_inverse=True)
    _check(name, bunch, parameters, len(values))
    names = classes or [number_name(value) for value in values]
    features = None if feature_names is None else feature_names.tolist()
    return classification(name, bunch.data, labels, names, feature_names=features)


def _check(name: str, bunch: Any, parameters: _Arguments, outputs: int = 1) -> None:  # noqa: ANN401
    items, features = bunch.data.shape
    Room.of(parameters).check(name, items, features, outputs)


def _fetched(
    dataset: str,
    function: str,
    **arguments: Any,  # noqa: ANN401
) -> tuple[Any, list[str]]:
    """Return what a loader gives, and what it warns of."""
    from sklearn import datasets  # noqa: PLC0415 - takes seconds

    try:
        with warnings.catch_warnings(record=True) as warned, _patience():
            warnings.simplefilter("always")
            # The cache holds pickles. Which folder it is nothing but the environment says: a
            # specification or a store may be somebody else's.
            bunch = getattr(datasets, function)(data_home=None, **arguments)
    except _NETWORK_ERRORS as error:
        raise DataError(_unreachable(dataset, error)) from None
    except ImportError as error:
        raise DataError(f"{dataset} needs a package that is not installed: {error}.") from None
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a cache or an answer
        raise DataError(
            f"{dataset} can't be loaded by scikit-learn from {_cache()}: "
            f"{type(error).__name__}: {error}"
        ) from None
    texts = dict.fromkeys(str(warning.message) for warning in warned)
    return bunch, [text for text in texts if "etry" not in text]


@contextmanager
def _patience() -> Iterator[None]:
    # Without a limit a silent server is waited for without end.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(before or NETWORK_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _unreachable(name: str, error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        f"{name} is not in {_cache()} and can't be downloaded: {reason}. Connect to the "
        "network once, or load it elsewhere, copy that folder, and set the environment variable "
        f"{CACHE_VARIABLE} to it."
    )


def _cache() -> str:
    from sklearn.datasets import get_data_home  # noqa: PLC0415 - takes seconds

    try:
        return f"scikit-learn's cache ({get_data_home()})"
    except OSError:
        return f"scikit-learn's cache ({os.environ.get(CACHE_VARIABLE)})"

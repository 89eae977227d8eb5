"""Datasets that scikit-learn downloads once and keeps in its own cache."""

from __future__ import annotations

import os
import re
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sweeps.data._dataset import classification, regression
from sweeps.data.parameters import Limited, Number, OneOf, Whole
from sweeps.data.splits import CLASSIFICATION, REGRESSION, Dataset, Source
from sweeps.data.table._assembly import from_frame
from sweeps.data.table._cells import number_name
from sweeps.data.table._choices import DROP, Columns, Rare, TableParameters
from sweeps.data.table._features import Room, dense
from sweeps.errors import DataError

NETWORK_SECONDS = 30.0  # a server that is silent for so long is given up
CACHE_VARIABLE = "SCIKIT_LEARN_DATA"

OPENML = re.compile(r"openml:(?P<name>[^@\s/\\]+)@(?P<version>[1-9][0-9]*)")
"""How data of OpenML are named. The name becomes part of a path, so it leads to no folder."""

_TERMS = 2000  # of newsgroups, whose 130,107 would take 80 GB


class OpenMLParameters(TableParameters):
    """A table of OpenML."""

    target: Columns = Field((), description="column to learn; OpenML's own choice without it")


class Newsgroups(Limited):
    """`fetch_20newsgroups_vectorized`."""

    subset: Annotated[str, OneOf(("train", "test", "all"))] = Field(
        "all", description="documents by date"
    )
    terms: Whole = Field(_TERMS, ge=0, description="terms that most documents hold; 0 for all")


class KddCup99(Limited):
    """`fetch_kddcup99`."""

    subset: Annotated[str, OneOf(("all", "SA", "SF", "http", "smtp"))] = Field(
        "all", description="connections"
    )
    percent10: bool = Field(True, description="a tenth of the data only")
    rare: Rare = DROP


class LabeledFaces(Limited):
    """`fetch_lfw_people`."""

    min_faces: Whole = Field(70, ge=3, description="only people with at least that many pictures")
    resize: Annotated[Number, Field(ge=0, le=1)] = Field(
        0.5, description="factor of the pictures' width and height"
    )
    colour: bool = Field(False, description="colour rather than grey")


class Fetched(NamedTuple):
    """A dataset that is downloaded, as scikit-learn describes it: looking would download it."""

    task: str
    examples: int
    features: int
    parameters: type[Limited] = Limited


FETCHED = {
    "20newsgroups_vectorized": Fetched(CLASSIFICATION, 18_846, _TERMS, Newsgroups),
    "california_housing": Fetched(REGRESSION, 20_640, 8),
    "covtype": Fetched(CLASSIFICATION, 581_012, 54),
    "kddcup99": Fetched(CLASSIFICATION, 494_021, 41, KddCup99),
    "lfw": Fetched(CLASSIFICATION, 1_288, 2_914, LabeledFaces),
    "olivetti_faces": Fetched(CLASSIFICATION, 400, 4_096),
}
"""Every dataset that is downloaded, those of OpenML apart."""

_NAMES = {"min_faces": "min_faces_per_person", "colour": "color"}
"""What scikit-learn calls parameters that have another name here."""


def fetch(source: Source) -> Dataset:
    """Return downloaded data, from the cache if they are there."""
    # They were checked when the source was read.
    given: dict[str, Any] = dict(source.parameters)
    if source.name not in FETCHED:
        return _openml(source.name, OpenMLParameters.model_construct(**given))
    parameters = FETCHED[source.name].parameters.model_construct(**given)
    if isinstance(parameters, KddCup99):
        return _kddcup99(source.name, parameters)
    return _arrays(source.name, parameters)


def _arrays(name: str, parameters: Limited) -> Dataset:
    """Return a dataset that scikit-learn gives as arrays."""
    given = {key: value for key, value in parameters if key not in {"limit_gb", "terms"}}
    function = "fetch_lfw_people" if name == "lfw" else f"fetch_{name}"
    bunch, _ = _fetched(name, function, **{_NAMES.get(key, key): given[key] for key in given})
    data, features = bunch.data, bunch.get("feature_names")
    if isinstance(parameters, Newsgroups) and parameters.terms:
        # The ones that most documents hold, in their old order.
        most = np.sort(np.argsort(-data.getnnz(axis=0), kind="stable")[: parameters.terms])
        data, features = data[:, most], np.asarray(features)[most]
    is_regression = FETCHED[name].task == REGRESSION
    values, labels = np.unique(bunch.target, return_inverse=True)
    outputs = 1 if is_regression else len(values)
    Room.of(parameters).check(*dense(name, data.shape[0], data.shape[1], outputs))
    data = data.toarray() if isinstance(parameters, Newsgroups) else data
    features = None if features is None else [*map(str, features)]
    named = [*map(str, bunch.get("target_names", ()))]
    if is_regression:
        return regression(name, data, bunch.target[:, None], named, feature_names=features)
    classes = named if len(named) == len(values) else map(number_name, values)
    return classification(name, data, labels, classes, feature_names=features)


def _kddcup99(name: str, parameters: KddCup99) -> Dataset:
    import pandas as pd  # noqa: PLC0415 - takes a second

    subset = None if parameters.subset == "all" else parameters.subset
    percent10 = parameters.percent10
    bunch, _ = _fetched(name, f"fetch_{name}", subset=subset, percent10=percent10, random_state=0)
    columns = dict(zip(bunch.feature_names, bunch.data.T, strict=True)) | {"label": bunch.target}
    frame = pd.DataFrame({column: _plain(cells) for column, cells in columns.items()})
    chosen = dict(parameters) | {"target": ("label",), "task": CLASSIFICATION}
    return from_frame(name, frame, TableParameters.model_construct(**chosen))


def _openml(name: str, parameters: OpenMLParameters) -> Dataset:
    import pandas as pd  # noqa: PLC0415 - takes a second

    named = OPENML.fullmatch(name)
    assert named  # noqa: S101 - read_source sees to it
    # From 3.1 on pandas reads a number as the nearest float64 anyway.
    is_older = [*map(int, pd.__version__.split(".")[:2])] < [3, 1]
    exactly = {"float_precision": "round_trip"} if is_older else {}
    bunch, notes = _fetched(
        name,
        "fetch_openml",
        name=named["name"],
        version=int(named["version"]),
        target_column=[*parameters.target] or "default-target",
        read_csv_kwargs=exactly,
    )
    if not bunch.target_names:
        raise DataError(f"{name} has no target of its own: name a column in `target`.")
    data = bunch.data
    if not isinstance(data, pd.DataFrame):
        Room.of(parameters).check(*dense(name, data.shape[0], data.shape[1], 1))
        data = pd.DataFrame(data.toarray(), columns=bunch.feature_names)
    wanted = pd.DataFrame(bunch.target)
    wanted.columns = bunch.target_names
    frame = pd.concat([data, wanted], axis=1)
    chosen = parameters.model_copy(update={"target": tuple(bunch.target_names)})
    dataset = from_frame(name, frame, chosen)
    return replace(dataset, notes=(*dataset.notes, *(f"OpenML: {note}" for note in notes)))


def _plain(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if isinstance(cells[0], bytes):
        return np.array([cell.decode("ascii", "replace") for cell in cells], dtype=object)
    return cells.astype(np.float64)


def _fetched(dataset: str, function: str, **arguments: Any) -> tuple[Any, list[str]]:  # noqa: ANN401
    """Return what a loader gives, and what it warns of."""
    from http.client import HTTPException  # noqa: PLC0415 - loads what speaks TLS
    from urllib.error import URLError  # noqa: PLC0415

    from sklearn import datasets  # noqa: PLC0415 - takes seconds

    try:
        with warnings.catch_warnings(record=True) as warned, _patience():
            warnings.simplefilter("always")
            # The cache holds pickles. Which folder it is nothing but the environment says: a
            # specification or a store may be somebody else's.
            bunch = getattr(datasets, function)(data_home=None, **arguments)
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise DataError(
            f"{dataset} is not in {_cache()} and can't be downloaded: "
            f"{getattr(error, 'reason', None) or error}. Connect to the network once, or load it "
            "elsewhere, copy that folder, and set the environment variable "
            f"{CACHE_VARIABLE} to it."
        ) from None
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


def _cache() -> str:
    from sklearn.datasets import get_data_home  # noqa: PLC0415 - takes seconds

    folder = os.environ.get(CACHE_VARIABLE)
    with suppress(OSError):
        folder = get_data_home()
    return f"scikit-learn's cache ({folder})"

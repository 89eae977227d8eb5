"""Fetched data: scikit-learn's loaders and cache, sizes checked, no network said clearly."""

from __future__ import annotations

import http.client
import io
import socket
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from refused import refusal as refused_by
from refused import states
from scipy import sparse
from sklearn import datasets as sklearn_datasets
from sklearn.utils import Bunch

from sweeps.data.registry import SourceError, load, read_source
from sweeps.data.splits import Dataset

RNG = np.random.default_rng(0)

Stub = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load.cache_clear()
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "home"))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Return what puts data in place of a loader's, and gives the arguments it is called with."""

    def put(name: str, *, warned: str = "", **content: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {}

        def loader(**given: Any) -> Bunch:
            arguments.update(given)
            if warned:
                warnings.warn(warned, stacklevel=1)
            about = {
                "target_names": ["class"],
                "feature_names": [*getattr(content["data"], "columns", "xyz")],
            }
            return Bunch(**about | content)

        monkeypatch.setattr(sklearn_datasets, f"fetch_{name}", loader)
        return arguments

    return put


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


def loaded(value: Any, folder: Path) -> Dataset:
    return load(read_source(value, folder=folder))


def refusal(value: Any, folder: Path) -> str:
    return refused_by(loaded, value, folder)


@pytest.mark.parametrize("name", ["covtype", "olivetti_faces"])
def test_classes_are_named_by_their_numbers(name: str, stub: Stub, tmp_path: Path) -> None:
    inputs = RNG.normal(size=(12, 54))
    arguments = stub(name, data=inputs, target=np.arange(12) % 3 + 1)
    dataset = loaded(name, tmp_path)
    assert arguments == {"data_home": None}
    assert dataset.classes == ("1", "2", "3")
    np.testing.assert_array_equal(dataset.inputs, inputs)


def test_california_housing_is_a_regression(stub: Stub, tmp_path: Path) -> None:
    arguments = stub(
        "california_housing",
        data=RNG.normal(size=(12, 2)),
        target=np.arange(12.0),
        feature_names=["MedInc", "HouseAge"],
        target_names=["MedHouseVal"],
    )
    dataset = loaded("california_housing", tmp_path)
    assert arguments == {"data_home": None}
    assert dataset.task == "regression"
    assert dataset.target_names == ("MedHouseVal",)
    assert dataset.feature_names == ("MedInc", "HouseAge")


def test_lfw_are_people_by_name(stub: Stub, tmp_path: Path) -> None:
    arguments = stub(
        "lfw_people",
        data=RNG.random((6, 4), np.float32),
        target=np.arange(6) // 3,
        target_names=np.array(["Ann A", "Bob B"]),
    )
    dataset = loaded({"name": "lfw", "min_faces": 3, "resize": 0.25, "colour": True}, tmp_path)
    assert dataset.classes == ("Ann A", "Bob B")
    asked = {"min_faces_per_person": 3, "resize": 0.25, "color": True}
    assert arguments == {"data_home": None, **asked}


def test_newsgroups_take_the_terms_that_most_documents_hold(stub: Stub, tmp_path: Path) -> None:
    counts = np.zeros((12, 4))
    counts[:3, 0] = counts[:, 1] = counts[:6, 3] = 1
    counts[0, 2] = 9
    arguments = stub(
        "20newsgroups_vectorized",
        data=sparse.csr_matrix(counts),
        target=np.arange(12) % 2,
        target_names=["sci.med", "sci.space"],
        feature_names=np.array(["a", "b", "c", "d"]),
    )
    value = {"name": "20newsgroups_vectorized", "subset": "test", "terms": 2}
    dataset = loaded(value, tmp_path)
    assert arguments["subset"] == "test"
    assert dataset.feature_names == ("b", "d")
    np.testing.assert_array_equal(dataset.inputs, counts[:, [1, 3]])
    assert dataset.classes == ("sci.med", "sci.space")
    everything = loaded(value | {"terms": 0, "limit_gb": 80}, tmp_path)
    assert everything.feature_names == ("a", "b", "c", "d")


def test_newsgroups_are_refused_if_all_terms_are_too_many(stub: Stub, tmp_path: Path) -> None:
    counts = sparse.csr_matrix((12, 10_000))
    stub("20newsgroups_vectorized", data=counts, target=np.arange(12) % 2, target_names=["a", "b"])
    value = {"name": "20newsgroups_vectorized", "limit_gb": 0.001}
    states(refusal(value | {"terms": 0}, tmp_path), "10000 features", "limit_gb", "0.001 GB")


def test_kddcup99_has_numbers_and_categories(stub: Stub, tmp_path: Path) -> None:
    rows = [[n, [b"tcp", b"udp"][n % 2], n / 7] for n in range(12)]
    arguments = stub(
        "kddcup99",
        data=np.array(rows, dtype=object),
        target=np.array([b"normal."] * 5 + [b"smurf."] * 5 + [b"spy."] * 2, dtype=object),
        feature_names=["duration", "protocol_type", "rate"],
    )
    dataset = loaded({"name": "kddcup99", "subset": "SA"}, tmp_path)
    assert arguments == {"data_home": None, "subset": "SA", "percent10": True, "random_state": 0}
    names = ("duration", "protocol_type=tcp", "protocol_type=udp", "rate")
    assert dataset.feature_names == names
    assert dataset.classes == ("normal.", "smurf.")
    assert "Dropped 2 of 12 examples of classes that are too rare: 'spy.' (2)." in dataset.notes
    text = refusal({"name": "kddcup99", "rare": "refuse"}, tmp_path)
    assert "'spy.' (2)" in text
    assert arguments["subset"] is None


def test_openml_gives_a_table(stub: Stub, tmp_path: Path) -> None:
    arguments = stub(
        "openml",
        warned="Version 1 of credit is inactive.",
        data=pd.DataFrame(
            {"age": np.arange(12.0), "purpose": pd.Categorical(["car", "tv", "pc"] * 4)}
        ),
        target=pd.Series(pd.Categorical(["good", "bad"] * 6), name="class"),
    )
    dataset = loaded("openml:credit-g@1", tmp_path)
    reading = arguments.pop("read_csv_kwargs")
    asked = {"name": "credit-g", "version": 1, "target_column": "default-target"}
    assert arguments == {"data_home": None, **asked}
    # How pandas reads numbers makes of a decimal the float64 that is nearest to it.
    decimals = np.random.default_rng(0).normal(size=1000).astype(str)
    read = pd.read_csv(io.StringIO("\n".join(("x", *decimals))), **reading)
    assert read["x"].tolist() == [float(decimal) for decimal in decimals]
    assert dataset.name == "openml:credit-g@1"
    assert dataset.classes == ("bad", "good")
    assert dataset.feature_names == ("age", "purpose=car", "purpose=pc", "purpose=tv")
    assert "credit is inactive" in dataset.notes[-1]


def test_openml_takes_other_targets(stub: Stub, tmp_path: Path) -> None:
    arguments = stub(
        "openml",
        warned="A network error occurred. Retrying...",
        data=pd.DataFrame({"x": np.arange(12.0)}),
        target=pd.DataFrame({"a": np.arange(12.0), "b": np.arange(12) / 7}),
        target_names=["a", "b"],
    )
    dataset = loaded({"name": "openml:two@3", "target": ["a", "b"]}, tmp_path)
    assert arguments["target_column"] == ["a", "b"]
    assert dataset.target_names == ("a", "b")
    assert not any("OpenML" in note for note in dataset.notes)


def test_openml_in_sparse_form_is_made_dense_if_it_fits(stub: Stub, tmp_path: Path) -> None:
    rows = np.eye(3)[np.arange(12) % 3]
    stub(
        "openml",
        data=sparse.csr_matrix(rows),
        target=np.array(["a", "b"] * 6, dtype=object),
    )
    np.testing.assert_array_equal(loaded("openml:sparse@1", tmp_path).inputs, rows)
    text = refusal({"name": "openml:sparse@1", "limit_gb": 1e-7}, tmp_path)
    states(text, "openml:sparse@1", "12 examples of 3 features and 1 output")


def test_missing_values_of_openml_are_a_choice(stub: Stub, tmp_path: Path) -> None:
    stub(
        "openml",
        data=pd.DataFrame({"x": [1.0, 2.0, np.nan] * 4}),
        target=pd.Series(["a", "b"] * 6),
    )
    refused = refusal({"name": "openml:gaps@1", "missing": "refuse"}, tmp_path)
    assert "'x' (4, first in row 3)" in refused
    assert loaded("openml:gaps@1", tmp_path).missing == "median"


def test_openml_without_a_target_asks_for_one(stub: Stub, tmp_path: Path) -> None:
    stub("openml", data=pd.DataFrame(), target=None, target_names=[], feature_names=[])
    states(refusal("openml:no@1", tmp_path), "openml:no@1 has no target", "`target`")


def test_data_that_turn_out_too_large_are_refused(stub: Stub, tmp_path: Path) -> None:
    stub("covtype", data=np.zeros((12, 2)), target=np.arange(12) % 2)
    text = refusal({"name": "covtype", "limit_gb": 1e-7}, tmp_path)
    states(text, "2 features and 2 outputs", "3.84e-07 GB")


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(
    "name",
    [
        "20newsgroups_vectorized",
        "california_housing",
        "covtype",
        "kddcup99",
        "lfw",
        "olivetti_faces",
        "openml:mnist_784@1",
    ],
)
def test_without_a_network_it_shows_what_failed_and_what_to_do(name: str, tmp_path: Path) -> None:
    text = refusal({"name": name, "limit_gb": 80}, Path())
    assert text.startswith(name)
    states(text, tmp_path / "home", "Name or service not known", "network", "SCIKIT_LEARN_DATA")


@pytest.mark.parametrize("name", ["lfw", "openml:mnist_784@1"])
def test_a_specification_does_not_say_where_the_cache_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        read_source({"name": name, "data_home": str(tmp_path)}, folder=tmp_path)
    states(str(refused.value), "data_home is no parameter of", name)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (http.client.RemoteDisconnected("gone"), "can't be downloaded: gone"),
        (TimeoutError("timed out"), "can't be downloaded: timed out"),
        (ImportError("No module named 'PIL'"), "not installed: No module named 'PIL'"),
        (ValueError("bad answer"), "ValueError: bad answer"),
        (OSError("checksum differs"), "OSError: checksum differs"),
    ],
)
def test_whatever_a_loader_raises_is_reported(
    error: Exception, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**_options: Any) -> Any:
        raise error

    monkeypatch.setattr(sklearn_datasets, "fetch_lfw_people", fail)
    assert expected in refusal("lfw", tmp_path)


def test_a_cache_that_can_not_be_made_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "cache"
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(cache))
    text = refusal("covtype", tmp_path)
    states(text, "covtype can't be loaded", f"({cache})")


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    def look(**_options: Any) -> Any:
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError

    monkeypatch.setattr(sklearn_datasets, "fetch_covtype", look)
    refusal("covtype", tmp_path)
    assert seen == [30]
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", ["mnist_784", "@1", "a@0", "a b@1", "../a@1", "a@\u0661"])
def test_a_name_of_openml_has_a_version(name: str, tmp_path: Path) -> None:
    name = f"openml:{name}"
    states(refused_by(read_source, name, folder=tmp_path), repr(name), "'openml:NAME@VERSION'")

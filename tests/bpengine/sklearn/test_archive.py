"""Estimators are saved without pickle, and nothing is lost by it."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from refused import refused
from sklearn.exceptions import NotFittedError

from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor
from tests.bpengine.fitted import (
    IRIS_X,
    IRIS_Y,
    NAMES,
    Estimator,
    classifier,
    fitted,
    regressor,
    same_training,
)


def probabilities(estimator: Estimator) -> np.ndarray:
    if isinstance(estimator, BackpropClassifier):
        return estimator.predict_proba(IRIS_X)
    return estimator.predict(IRIS_X[:, :3])


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_nothing_is_lost_by_pickle_or_by_saving(kind: str, tmp_path: Path) -> None:
    estimator = fitted(kind, learning_rate=np.float32(0.01), hidden_layer_sizes=(np.int64(7), 5))
    path = tmp_path / "saved"
    estimator.save(path)
    for copy in (type(estimator).load(path), pickle.loads(pickle.dumps(estimator))):  # noqa: S301
        assert vars(copy).keys() == vars(estimator).keys()
        assert copy.get_params() == {**estimator.get_params(), "learning_rate": np.float32(0.01)}
        same_training(copy, estimator)
        np.testing.assert_array_equal(probabilities(copy), probabilities(estimator))


@pytest.mark.parametrize("dtype", [str, object, "str"], ids=["numpy", "object", "pandas"])
def test_labels_and_names_are_saved_as_text_and_training_goes_on(
    dtype: Any, tmp_path: Path
) -> None:
    frame = pd.DataFrame(IRIS_X, columns=list("abcd"))
    labels = (
        pd.Series(NAMES[IRIS_Y], dtype=dtype) if dtype == "str" else NAMES[IRIS_Y].astype(dtype)
    )
    estimator = classifier(patience=2).fit(frame, labels)
    estimator.save(str(tmp_path / "net.npz"))
    loaded = BackpropClassifier.load(str(tmp_path / "net.npz"))
    for name in ("classes_", "feature_names_in_"):
        assert getattr(loaded, name).dtype == getattr(estimator, name).dtype
        np.testing.assert_array_equal(getattr(loaded, name), getattr(estimator, name))
    assert loaded.validation_loss_curve_ == estimator.validation_loss_curve_
    np.testing.assert_array_equal(loaded.predict(frame), estimator.predict(frame))
    same_training(loaded.partial_fit(frame, labels), estimator.partial_fit(frame, labels))


def test_loading_refuses_what_save_did_not_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    foreign = io.BytesIO()
    np.savez(foreign, weights=np.zeros(3))
    for content in (b"", b"text", foreign.getvalue()):
        path.write_bytes(content)
        refused(lambda: BackpropClassifier.load(path), path, "is not a file", "damaged")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("state.parameters", None, "KeyError('state.parameters')"),
        ("state.slot_0_1", None, "missing or of the wrong shape: slot_0_1"),
        ("classes_", NAMES[:2], "missing or of the wrong shape: classes_"),
        ("classes_", None, "missing or of the wrong shape: classes_"),
        ("feature_names_in_", np.array(["a"]), "of the wrong shape: feature_names_in_"),
        ("state.parameters", np.zeros((1, 1, 7)), "array of size 7 into shape (1,1,5,32)"),
        ("curves", None, "KeyError('curves')"),
        ("parameters", {"l2": -1}, "must be a number, finite and at least 0. Got -1"),
    ],
)
def test_loading_refuses_what_makes_no_estimator(
    name: str, content: Any, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    classifier().fit(pd.DataFrame(IRIS_X, columns=list("abcd")), NAMES[IRIS_Y]).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["bpengine_estimator"]))
    holder = header if name in header else arrays
    if content is None:
        del holder[name]
    else:
        holder[name] = {**header["parameters"], **content} if name == "parameters" else content
    with path.open("wb") as file:
        np.savez(file, **{**arrays, "bpengine_estimator": np.array(json.dumps(header))})
    refused(lambda: BackpropClassifier.load(path), f"{path} is damaged", reason)


def test_loading_refuses_every_file_that_was_cut_or_lost_its_header(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fitted("classifier", hidden_layer_sizes=()).save(path)
    whole = path.read_bytes()
    broken = bytearray(whole)
    broken[whole.index(b"bpengine_estimator")] ^= 1
    for content in [bytes(broken), *(whole[:stop] for stop in range(0, len(whole), 101))]:
        path.write_bytes(content)
        refused(lambda: BackpropClassifier.load(path), path, "is not a file", "damaged")


def test_loading_refuses_newer_formats_and_the_other_estimator(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fitted("regressor").save(path)
    refused(lambda: BackpropClassifier.load(path), path, "BackpropRegressor, not a BackpropClass")
    with path.open("wb") as file:
        header = {"version": 2, "estimator": "BackpropRegressor"}
        np.savez(file, bpengine_estimator=np.array(json.dumps(header)))
    refused(lambda: BackpropRegressor.load(path), path, "version 2", "up to 1")


def test_saving_refuses_the_unfitted_generators_and_what_no_parameter_may_be(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    refused(lambda: regressor().save(path), "not fitted", kind=NotFittedError)
    generator = np.random.RandomState(0)
    estimator = fitted("regressor", random_state=generator)
    parts = (repr(generator), "'random_state' as an int")
    refused(lambda: estimator.save(path), *parts, kind=TypeError)
    estimator = fitted("regressor").set_params(hidden_layer_sizes=3)
    refused(lambda: estimator.save(path), "'hidden_layer_sizes'", "list of ints", "Got 3")
    assert not path.exists()

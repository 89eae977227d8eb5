"""Files of fitted estimators: `.npz` archives that hold no pickles."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FORMAT_VERSION = 1
"""Version of the files that `write` makes. `read` takes all up to this one."""

_HEADER = "bpengine_estimator"
_DAMAGES = (EOFError, KeyError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)


def write(
    path: str | os.PathLike[str], header: Mapping[str, object], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write an estimator's file: a header for JSON, which names its class, and arrays."""
    text = json.dumps({"version": FORMAT_VERSION, **header}, default=_plain)
    with Path(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEADER: np.array(text), **arrays})


def read(
    path: str | os.PathLike[str], estimator: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and arrays of the file of an estimator of this class."""
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as members:
            arrays = dict(members)
        header = json.loads(str(arrays.pop(_HEADER)))
        version, kind = header["version"], header["estimator"]
    except _DAMAGES as error:
        raise ValueError(
            f"{name} is not a file that an estimator of bpengine saved, or it is damaged."
        ) from error
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{name} has format version {version}, but this bpengine reads only up to "
            f"{FORMAT_VERSION}: it takes a newer one."
        )
    if kind != estimator:
        raise ValueError(f"{name} holds a {kind}, not a {estimator}.")
    return header, arrays


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"Parameters must be numbers, texts or None to be saved, but one is {value!r}: give "
        "'random_state' as an int."
    )

"""NumPy's archives of arrays. Headers are read first; Python objects are never unpickled."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.data.files.file_sources import NpzParameters, read_safely
from sweeps.data.splits import REGRESSION, Dataset
from sweeps.data.table._assembly import from_columns
from sweeps.data.table._cells import Cells, of_array
from sweeps.data.table._features import FLOAT_BYTES, Room
from sweeps.errors import DataError, did_you_mean, shown

NUMBERS, LABELS = "biuf", "biufU"  # kinds of NumPy's dtypes that features and targets may have
_MATRIX = 2
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy packs arrays. Others would ask for memory before a header can be looked at."""


def read(name: str, content: bytes, parameters: NpzParameters) -> Dataset:
    """Return the dataset in an NPZ file."""
    room = Room.of(parameters, len(content))
    arrays, notes = _arrays(name, content, parameters, room)
    columns = _columns(name, arrays, parameters, notes)
    numbered = enumerate(arrays[0].astype(np.float64, copy=False).T, 1)
    features = {f"feature {number}": Cells(values) for number, values in numbered}
    targets = {column: of_array(values) for column, values in columns.items()}
    locate = "row {}, counted from 0".format
    return from_columns(name, features, targets, parameters, locate, notes=notes, read=len(content))


def _arrays(
    name: str, content: bytes, parameters: NpzParameters, room: Room
) -> tuple[list[npt.NDArray[Any]], list[str]]:
    wanted = {parameters.inputs: NUMBERS, parameters.target: LABELS}
    # NumPy warns of headers that Python 2 has written.
    with read_safely(name, "NPZ file"), warnings.catch_warnings(action="ignore"):
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = [info.filename for info in archive.infolist()]
        twice = sorted({member for member in members if members.count(member) > 1})
        if twice:
            raise DataError(f"{name} holds {shown(twice[0])} more than once.")
        known = [member.removesuffix(".npy") for member in members if member.endswith(".npy")]
        for absent in (key for key in wanted if key not in known):
            parameter = "inputs" if absent == parameters.inputs else "target"
            raise DataError(
                f"{name} has no array {shown(absent)}. Its arrays: "
                f"{', '.join(map(shown, known)) or 'none'}; name the right one in "
                f"`{parameter}`.{did_you_mean(absent, known)}"
            )
        arrays = [_array(name, archive, key, kinds, room) for key, kinds in wanted.items()]
    others = ", ".join(shown(key) for key in known if key not in wanted)
    return arrays, [f"Arrays that are left aside: {others}."] if others else []


def _array(
    name: str, archive: zipfile.ZipFile, key: str, kinds: str, room: Room
) -> npt.NDArray[Any]:
    member = archive.getinfo(f"{key}.npy")
    if member.compress_type not in _PACKINGS:
        raise DataError(
            f"{name}: the array {shown(key)} is packed in a way that NumPy doesn't use; write it "
            "with numpy.savez or numpy.savez_compressed."
        )
    with archive.open(member) as stream:
        shape, dtype = _header(stream)
    if dtype.kind not in kinds:
        what = "Python objects" if dtype.hasobject else f"dtype {dtype}"
        raise DataError(
            f"{name}: the array {shown(key)} has {what}; only numbers"
            f"{', text' if 'U' in kinds else ''} and flags can be used."
        )
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise DataError(f"{name} is damaged: the array {shown(key)} has the shape {shape}.")
    cells = math.prod(shape)
    size, as_floats = cells * dtype.itemsize, cells * FLOAT_BYTES
    room.check(f"{name}: the {cells} cells of {shown(key)}", max(size, as_floats))
    if size > member.file_size:
        raise DataError(
            f"{name} is damaged: the array {shown(key)} of shape {shape} would take {size} bytes, "
            f"but {member.file_size} are there."
        )
    with archive.open(member) as stream:
        array: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:  # noqa: ANN401
    version, form = np.lib.format.read_magic(stream), np.lib.format
    readers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of an array's header is not known")
    shape, _, dtype = readers[version](stream)
    return shape, dtype


def _columns(
    name: str, arrays: list[npt.NDArray[Any]], parameters: NpzParameters, notes: list[str]
) -> dict[str, npt.NDArray[Any]]:
    """Return the target's columns."""
    (inputs, wanted), of_inputs, of_target = arrays, parameters.inputs, parameters.target
    shapes = f"{of_inputs} is {inputs.shape} and {of_target} is {wanted.shape}"
    if inputs.ndim != _MATRIX or wanted.ndim not in {1, _MATRIX} or len(inputs) != len(wanted):
        raise DataError(
            f"{name}: {shapes}, but features must be example by feature, and the target must have "
            "as many examples, in one or several columns."
        )
    if not (inputs.size and wanted.size):
        raise DataError(f"{name} has no features or no examples: {shapes}.")
    if wanted.ndim == 1:
        return {of_target: wanted}
    if wanted.shape[1] == 1:
        notes.append(f"{of_target} has one column and is taken for a list.")
        return {of_target: wanted[:, 0]}
    are_flags = wanted.dtype.kind != "U" and np.isin(wanted, (0, 1)).all()
    if parameters.task != REGRESSION and are_flags and (wanted.sum(axis=1) == 1).all():
        raise DataError(
            f"{name}: the target {shown(of_target)} is one-hot. Give the number of each example's "
            'class, as with argmax(axis=1), or say `task = "regression"`.'
        )
    return {f"{of_target} {number}": column for number, column in enumerate(wanted.T, 1)}

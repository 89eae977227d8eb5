"""NumPy's archives of arrays. Python objects are never unpickled."""

from __future__ import annotations

import io
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
        members = archive.namelist()
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
    member, array = archive.getinfo(f"{key}.npy"), f"{name}: the array {shown(key)}"
    # Whatever a header says, no more is read than is there.
    room.check(f"{array}, whose bytes", member.file_size)
    allowed = f"only numbers{', text' if 'U' in kinds else ''} and flags can be used."
    try:
        with archive.open(member) as stream:
            values: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except MemoryError:
        raise DataError(f"{array} takes more memory than there is.") from None
    except ValueError as error:
        # NumPy's advice would be to unpickle them.
        if "pickle" not in str(error):
            raise
        raise DataError(f"{array} has Python objects; {allowed}") from None
    if values.dtype.kind not in kinds:
        raise DataError(f"{array} has dtype {values.dtype}; {allowed}")
    room.check(f"{name}: the {values.size} cells of {shown(key)}", values.size * FLOAT_BYTES)
    return values


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

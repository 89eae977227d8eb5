"""The compiled kernel: whole segments of updates, evaluation and gradient statistics in C.

Its sources are in `kernel/`. `kernel/hatch_build.py` compiles them when bpsweep is installed, once
for each kind of processor. Where that failed, or the processor is of no such kind, NumPy does the
same; numbers then differ by rounding. The kernel's own are the same on every machine.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from bpengine.network import Architecture, Array, BoolArray, IntArray, Parameters, Stack
from bpengine.network.architecture import NARROW

NUMPY, KERNEL = "numpy 6", "kernel 1"
"""Numerics: what computes, and a version that is raised whenever it may give other numbers."""

SWITCH = "BPSWEEP_KERNEL"
"""Environment variable: `numpy`, or one of `BUILDS`, the only one then to be tried."""

BUILDS = ("x86-64-v4", "x86-64-v3", "arm64")
"""Kinds of processors, the fastest first."""

FOLDER = Path(__file__).parent / "kernel"

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "gelu", "identity", "softmax")
_LOSSES = ("squared_error", "cross_entropy", "binary_cross_entropy")
_OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "lars", "lamb")
_SETTINGS = ("l2", "weight_decay", "clip_norm", "memory", "beta2", "epsilon", "trust")
_MEMORY = ("momentum", "alpha", "beta1")  # what an optimizer's `memory` is called

_INT, _POINTER = ctypes.c_int64, ctypes.c_void_p


class _Network(ctypes.Structure):
    _fields_ = [
        ("layers", _INT),
        ("loss", _INT),
        ("widths", _POINTER),
        ("activations", _POINTER),
        ("narrow", _POINTER),
        ("parameters", _INT),
    ]


class _Lanes(ctypes.Structure):
    _fields_ = [
        ("seeds", _INT),
        ("settings", _INT),
        ("active", _POINTER),
        ("parameters", _POINTER),
    ]


class _Data(ctypes.Structure):
    _fields_ = [("inputs", _POINTER), ("targets", _POINTER), ("examples", _INT)]


class _Updates(ctypes.Structure):
    _fields_ = [
        ("optimizer", _INT),
        ("slots", _INT),
        ("state", _POINTER * 2),
        ("batch", _INT),
        ("mean", _INT),
        ("at_once", _INT),
        ("before", _INT),
        ("settings", _POINTER),
        ("rates", _POINTER),
        ("lengths", _POINTER),
        ("floors", _POINTER),
    ]


class Rates(NamedTuple):
    """Numbers of each update and setting; `length` and `floor` are of Adam's direction."""

    rates: Annotated[Array, "update setting"]
    lengths: Annotated[Array, "update setting"] | None
    floors: Annotated[Array, "update setting"] | None


class Kernel:
    """Passes of a cohort's networks in C; lanes are worked on one after the other."""

    def __init__(self, architecture: Architecture, loss: str, dtype: npt.DTypeLike) -> None:
        self._library = _loaded(build_in_use(), np.dtype(dtype).name)
        self._dtype = np.dtype(dtype)
        widths = np.array(architecture.widths)
        self._outputs = architecture.widths[-1]
        self._held = (
            widths,
            np.array([ACTIVATIONS.index(name) for name in architecture.activations]),
            (widths[1:] < NARROW).astype(np.int64),
        )
        self._network = _Network(
            len(widths) - 1,
            _LOSSES.index(loss),
            *(array.ctypes.data for array in self._held),
            architecture.parameter_count,
        )

    def train(
        self,
        parameters: Parameters,
        state: Sequence[Parameters],
        active: BoolArray,
        data: Stack,
        *,
        optimizer: str,
        settings: Annotated[Array, "setting number"],
        batch_size: int,
        reduction: str,
        before: int,
        rates: Rates,
        at_once: int = 0,
    ) -> IntArray:
        """Make an update for each batch of the examples; return after which, from 1, lanes diverge.

        0 is for lanes whose weights stay finite. `before` is the number of updates made so far,
        `at_once` how many examples pass through the network together, 0 for as many as is best.
        """
        pointers = [None if array is None else array.ctypes.data for array in rates]
        updates = _Updates(
            _OPTIMIZERS.index("adam" if optimizer == "adamw" else optimizer),
            len(state),
            (_POINTER * 2)(*(slot.ctypes.data for slot in state)),
            batch_size,
            reduction == "mean",
            at_once,
            before,
            settings.ctypes.data,
            *pointers,
        )
        diverged = np.zeros(active.shape, np.int64)
        lanes = self._lanes(parameters, active)
        self._call("train", lanes, data, ctypes.byref(updates), _pointer(diverged))
        return diverged

    def losses(
        self, parameters: Parameters, data: Stack
    ) -> tuple[Annotated[Array, "seed setting example"], Annotated[Array, "*lane example fan_out"]]:
        """Return the loss of every example, in float64, and the outputs."""
        shape = (*parameters.shape[:2], data.examples)
        losses, psi = np.empty(shape), np.empty((*shape, self._outputs), self._dtype)
        self._call("evaluate", self._lanes(parameters), data, _pointer(losses), _pointer(psi))
        return losses, psi

    def gradient_norms(
        self, parameters: Parameters, data: Stack
    ) -> tuple[Annotated[Array, "seed setting example"], Parameters]:
        """Return the squared norm of every example's gradient, and the sum of the gradients."""
        norms = np.empty((*parameters.shape[:2], data.examples))
        totals = np.empty_like(parameters)
        self._call("statistics", self._lanes(parameters), data, _pointer(norms), _pointer(totals))
        return norms, totals

    def _lanes(self, parameters: Parameters, active: BoolArray | None = None) -> _Lanes:
        assert parameters.flags.c_contiguous  # noqa: S101 - they are ours
        pointer = None if active is None else active.ctypes.data
        return _Lanes(*parameters.shape[:2], pointer, parameters.ctypes.data)

    def _call(self, name: str, lanes: _Lanes, data: Stack, *rest: object) -> None:
        handed = _Data(data.inputs.ctypes.data, data.targets.ctypes.data, data.examples)
        structures = map(ctypes.byref, (self._network, lanes, handed))
        if not getattr(self._library, name)(*structures, *rest):
            raise MemoryError


def settings_of(columns: Mapping[str, Array]) -> Annotated[Array, "setting number"]:
    """Return hyperparameters as the kernel takes them, from columns of one number a setting."""
    memory = next((columns[name] for name in _MEMORY if name in columns), None)
    named = {**columns, **({} if memory is None else {"memory": memory})}
    zero = np.zeros_like(columns["l2"])
    return np.ascontiguousarray(np.concatenate([named.get(name, zero) for name in _SETTINGS], -1))


def default_numerics() -> str:
    """Return what computes here unless something else is asked for."""
    return KERNEL if build_in_use() else NUMPY


def build_in_use() -> str:
    """Return which of `BUILDS` runs here; empty for none."""
    return choice(os.environ.get(SWITCH, ""))[0]


def why_not() -> str:
    """Return why the kernel doesn't run here; empty if it does."""
    return choice(os.environ.get(SWITCH, ""))[1]


@functools.cache
def choice(switch: str) -> tuple[str, str]:
    """Return the build that runs here and, if there is none, why."""
    if switch == "numpy":
        return "", f"{SWITCH} is numpy"
    builds = [build for build in BUILDS if _path(build, "float32").exists()]
    if not builds:
        remedy = "install a C compiler, then bpsweep again"
        return "", f"it was not compiled when bpsweep was installed: {remedy}"
    for build in builds:
        if switch in {"", build} and _runs_here(build):
            return build, ""
    wanted = f" {switch}," if switch else ""
    return "", f"this processor runs none of its builds:{wanted} {', '.join(builds)}"


def _runs_here(build: str) -> bool:
    try:
        return bool(_loaded(build, "float32").runs_here())
    except OSError:  # it is another kind of machine's, in a folder that both see
        return False


@functools.cache
def _loaded(build: str, dtype: str) -> ctypes.CDLL:
    return ctypes.CDLL(str(_path(build, dtype)))


def _path(build: str, dtype: str) -> Path:
    return FOLDER / f"{build}-{dtype}.so"


def _pointer(array: Array | IntArray) -> ctypes.c_void_p:
    return _POINTER(array.ctypes.data)

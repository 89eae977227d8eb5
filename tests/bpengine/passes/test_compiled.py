"""The compiled kernel against NumPy, finite differences, and itself on other processors."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from refused import states

from bpengine import Architecture, Budget, Recipe, Split, Training, train
from bpengine.network import Array, stack
from bpengine.network.activations import ACTIVATIONS
from bpengine.optim import OPTIMIZERS
from bpengine.passes import Backprop, compiled
from bpengine.passes.compiled import BUILDS, FOLDER, KERNEL, NUMPY, SWITCH, Kernel
from bpengine.training.lockstep import Lockstep
from bpengine.training.minibatches import Segment
from tests.bpengine.problems import make_examples, make_parameters, make_splits

DIGEST = "0a66536b65a772fb727963b3cf7f4f94cab076bcb974763a89c932bb96494d82"
"""Of what `trained_by_everything` gives, the same on every processor."""

COMPILED = [build for build in BUILDS if (FOLDER / f"{build}-float32.so").exists()]
RUNNABLE = [
    build for build in COMPILED if ctypes.CDLL(str(FOLDER / f"{build}-float32.so")).runs_here()
]


@pytest.fixture(params=RUNNABLE)
def build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the kernel be one of those that run here."""
    monkeypatch.setenv(SWITCH, request.param)
    return str(request.param)


def test_the_kernel_was_compiled_for_this_processor() -> None:
    assert RUNNABLE


# Functions

FUNCTIONS: dict[str, tuple[int, Callable[[Array], Array]]] = {
    "exp": (-1, np.exp),
    "log": (-2, np.log),
    "tanh": (1, np.tanh),
}


def applied(build: str, function: int, x: Array) -> Array:
    library = ctypes.CDLL(str(FOLDER / f"{build}-{x.dtype.name}.so"))
    y = np.empty_like(x)
    library.apply(
        ctypes.c_int64(function), *(ctypes.c_void_p(a.ctypes.data) for a in (x, y)), x.size
    )
    return y


def numbers(dtype: str) -> Array:
    """Return numbers of every size in whole blocks, subnormal and not finite ones, too."""
    if dtype == "float32":
        return (
            np.arange(0, 2**32, 9973, dtype=np.uint64).astype(np.uint32)[:430_656].view(np.float32)
        )
    rng = np.random.default_rng(0)
    special = np.resize([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1.0, -1.0], 64)
    sizes = 10.0 ** rng.uniform(-320, 308, 2**16) * rng.choice([-1, 1], 2**16)
    return np.concatenate([special, sizes, rng.normal(0, 1, 2**16), rng.uniform(-800, 800, 2**16)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_within_two_units_of_the_last_place(
    build: str, name: str, dtype: str
) -> None:
    function, exact = FUNCTIONS[name]
    x = numbers(dtype)
    with np.errstate(all="ignore"):
        wanted = exact(x.astype(np.longdouble))
        rounded = wanted.astype(x.dtype)
        actual = applied(build, function, x)
        known = np.isfinite(rounded)
        off = np.abs(actual[known] - wanted[known]) / np.abs(np.spacing(rounded[known]))
    assert off.max() <= 2
    np.testing.assert_array_equal(actual[~known], rounded[~known])


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_activations_are_those_of_numpy(build: str, name: str) -> None:
    x = np.concatenate([np.linspace(-30, 30, 2048), np.resize([0.0, -0.0, 800.0, -800.0], 64)])
    wanted = ACTIVATIONS[name].apply(x)
    actual = applied(build, compiled.ACTIVATIONS.index(name), x)
    np.testing.assert_allclose(actual, wanted, rtol=1e-14, atol=1e-15)


# Gradients, losses


ROWS = [1, 2, 3, 7, 12, 95, 200]


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("rows", ROWS)
def test_a_step_is_that_of_numpys_gradient(
    every_network: tuple[Architecture, str], rows: int
) -> None:
    architecture, loss = every_network
    split = Split(make_examples(architecture, rows), make_examples(architecture, 9), 1)
    recipe = Recipe(batch_size=rows, budget=Budget(updates=1), loss=loss, dtype=np.float64)
    settings = [{"learning_rate": 1.0, "l2": more} for more in (0.0, 0.3)]  # plain, and not
    by_kernel, by_numpy = (
        train(architecture, [split], settings, replaced(recipe, numerics)).parameters
        for numerics in (KERNEL, NUMPY)
    )
    np.testing.assert_allclose(by_kernel, by_numpy, rtol=1e-12, atol=1e-14)


def replaced(recipe: Recipe, numerics: str) -> Recipe:
    return Recipe(**{**vars(recipe), "numerics": numerics})


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("rows", [1, 2, 97])
def test_a_step_is_the_difference_of_the_kernels_own_losses(
    every_network: tuple[Architecture, str], rows: int
) -> None:
    """Central differences in float64."""
    architecture, loss = every_network
    data = stack([make_examples(architecture, rows)], np.float64)
    kernel, W = Kernel(architecture, loss, np.float64), make_parameters(architecture)
    _, total = kernel.gradient_norms(W, data)
    step = 1e-5
    moved = W + step * np.eye(W.shape[-1])[:, None]  # each parameter, as a seed of its own
    seeds = stack([make_examples(architecture, rows)] * W.shape[-1], np.float64)
    above, below = (
        kernel.losses(np.ascontiguousarray(around), seeds)[0].sum(axis=-1)[:, 0]
        for around in (moved, 2 * W - moved)
    )
    np.testing.assert_allclose(total[0, 0], (above - below) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("rows", [1, 5, 130])
def test_losses_outputs_and_gradient_norms_are_numpys(
    every_network: tuple[Architecture, str], rows: int
) -> None:
    architecture, loss = every_network
    data = stack([make_examples(architecture, rows, seed) for seed in (1, 2)], np.float64)
    W = make_parameters(architecture, (2, 3))
    passes = Backprop(architecture, loss, np.float64)
    kernel = Kernel(architecture, loss, np.float64)
    losses, psi = kernel.losses(W, data)
    norms, total = kernel.gradient_norms(W, data)
    for row in range(rows):
        alone = slice(row, row + 1)
        phi, t = data.inputs[:, :, alone], data.targets[:, :, alone]
        loss_of_row, psi_of_row = passes.loss(architecture.layers(W), phi, t)
        np.testing.assert_allclose(losses[..., alone], loss_of_row, rtol=1e-12)
        np.testing.assert_allclose(psi[..., alone, :], psi_of_row, rtol=1e-12, atol=1e-15)
        gradient = passes.gradient(architecture.layers(W), phi, t, weight=1.0)
        np.testing.assert_allclose(
            norms[..., row], (gradient**2).sum(axis=-1), rtol=1e-9, atol=1e-9
        )
    whole = passes.gradient(architecture.layers(W), data.inputs, data.targets, weight=1.0)
    np.testing.assert_allclose(total, whole, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("build")
def test_examples_may_pass_one_at_a_time() -> None:
    architecture = Architecture((5, 20, 3))
    recipe = Recipe(batch_size=7, budget=Budget(epochs=1), dtype=np.float64)
    parameters = []
    for count in (0, 1, 3):
        splits = make_splits(architecture, [1])
        networks = Lockstep(architecture, splits, [SETTING], recipe, at_once=count)
        networks.run(Segment(0, 0, 23, 7, evaluate=False))
        parameters.append(networks.parameters.copy())
    np.testing.assert_allclose(parameters[1], parameters[0], rtol=1e-12)
    np.testing.assert_allclose(parameters[2], parameters[0], rtol=1e-12)
    assert not np.array_equal(parameters[1], parameters[0])


# Optimizers

SETTING = {"learning_rate": 0.5}
WIDE = Architecture((5, 40, 17, 3), "tanh")
EXTRAS = {
    "plain": {},
    "clipped": {"clip_norm": 0.05, "l2": 0.01},
    "decayed": {"weight_decay": 0.1},
}


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("extras", EXTRAS.values(), ids=EXTRAS)
@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_go_where_those_of_numpy_go(
    name: str, reduction: str, batch_size: int, extras: dict[str, float]
) -> None:
    recipe = Recipe(
        batch_size=batch_size,
        budget=Budget(epochs=2),
        optimizer=name,
        reduction=reduction,
        dtype=np.float64,
    )
    settings = [{"learning_rate": rate, **extras} for rate in (0.001, 0.01)]
    by_kernel, by_numpy = (
        train(WIDE, make_splits(WIDE, [1, 2], 50), settings, replaced(recipe, numerics)).parameters
        for numerics in (KERNEL, NUMPY)
    )
    np.testing.assert_allclose(by_kernel, by_numpy, rtol=1e-8, atol=1e-10)


# Bits


def trained_by_everything() -> Iterator[Training]:
    """Train each optimizer, activation, loss and kind of batch, in both precisions."""
    networks = [
        (Architecture((64, 32, 10)), "squared_error"),
        (Architecture((9, 40, 9, 10), "relu", "softmax"), "cross_entropy"),
        (Architecture((9, 7, 10), "gelu", "sigmoid"), "binary_cross_entropy"),
        (Architecture((9, 50, 10), "tanh", "identity"), "squared_error"),
        (Architecture((9, 100, 3), "leaky_relu", "softmax"), "cross_entropy"),
    ]
    for dtype in (np.float32, np.float64):
        for number, name in enumerate(OPTIMIZERS):
            for batch_size, (architecture, loss) in zip((1, 2, 3, 20, 110), networks, strict=True):
                extras = {"clip_norm": 1.0, "l2": 1e-4} if number % 2 else {}
                recipe = Recipe(
                    batch_size=batch_size,
                    budget=Budget(epochs=1),
                    loss=loss,
                    optimizer=name,
                    evaluate_at=(150,),
                    noise_examples=50,
                    dtype=dtype,
                )
                splits = make_splits(architecture, [1], 150)
                yield train(architecture, splits, [{"learning_rate": 0.01, **extras}], recipe)


@pytest.mark.usefixtures("build")
def test_every_processor_gives_the_same_bits() -> None:
    digest = hashlib.sha256()
    for trained in trained_by_everything():
        curves = trained.curves
        for array in (trained.parameters, curves.held_out_loss, curves.gradient_trace):
            digest.update(array.tobytes())
    assert digest.hexdigest() == DIGEST


def test_too_little_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture((5, 20, 3))
    kernel = Kernel(architecture, "squared_error", np.float64)
    refusing = SimpleNamespace(evaluate=lambda *_: 0)
    monkeypatch.setattr(kernel, "_library", refusing)
    with pytest.raises(MemoryError):
        kernel.losses(
            make_parameters(architecture), stack([make_examples(architecture, 4)], np.float64)
        )


# Where there is none


def test_numpy_computes_where_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "numpy")
    assert compiled.default_numerics() == NUMPY
    states(compiled.why_not(), SWITCH, "numpy")
    with pytest.raises(ValueError) as refused:
        Recipe(batch_size=1, budget=Budget(epochs=1), numerics=KERNEL)
    states(str(refused.value), "kernel", SWITCH)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder in which the kernel is looked for."""
    monkeypatch.setattr(compiled, "FOLDER", tmp_path)
    monkeypatch.setenv(SWITCH, "")
    compiled.choice.cache_clear()
    yield tmp_path
    compiled.choice.cache_clear()


@pytest.mark.usefixtures("elsewhere")
def test_numpy_computes_where_nothing_was_compiled() -> None:
    assert compiled.default_numerics() == NUMPY
    states(compiled.why_not(), "compiler")


def test_another_machines_library_is_passed_over(elsewhere: Path) -> None:
    (elsewhere / "arm64-float32.so").write_bytes(b"not in this machine's format")
    assert compiled.default_numerics() == NUMPY
    states(compiled.why_not(), "none of its builds", "arm64")


def test_a_build_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "x86-64-v9")
    assert compiled.default_numerics() == NUMPY
    states(compiled.why_not(), "x86-64-v9", COMPILED[0])

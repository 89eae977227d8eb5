"""Is the compiled kernel ahead on every shape, is its cost linear, are its functions exact?

Nets of several shapes are trained at three batch sizes by the engine, alone and in a cohort of
six, and by PyTorch's usual loop, in turn on one core: microseconds of processor time
for each network and update, medians. `--linear` prints nanoseconds for each weight and example over
numbers of lanes, examples and hidden units, none of which may be a cliff. `--functions` applies
exp, log and tanh to all 2^32 numbers of float32 and prints the largest errors in units of the last
place.

    taskset -c 1 python benchmarks/bench_kernel.py
    taskset -c 1 python benchmarks/bench_kernel.py --linear
    python benchmarks/bench_kernel.py --functions
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Sequence

import numpy as np

from bpengine import Architecture, Budget, Examples, Recipe, Split
from bpengine.passes.compiled import FOLDER, build_in_use
from bpengine.training.lockstep import Lockstep
from bpengine.training.minibatches import segments

SHAPES = [
    (784, 512, 256, 10),
    (5000, 64, 10),
    (20, 64, 32, 2),
    (20, 1024, 1024, 2),
    (64, 64, 64, 64, 64, 64, 10),
]
SIZES = (32, 256, 1024)
COHORT = 6  # lanes of one seed, as six learning rates make
SECONDS = 0.2  # of a measurement
FUNCTIONS = {"exp": (-1, np.exp), "log": (-2, np.log), "tanh": (1, np.tanh)}
CHUNK = 2**24


def examples(count: int, features: int, outputs: int) -> Examples:
    """Return random examples."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(count, features)).astype(np.float32)
    return Examples(inputs, np.eye(outputs, dtype=np.float32)[rng.integers(outputs, size=count)])


class Training:
    """A cohort on random examples, whose rates are too small to matter."""

    def __init__(
        self, widths: Sequence[int], optimizer: str, b: int, lanes: int, rows: int
    ) -> None:
        data = examples(rows, widths[0], widths[-1])
        recipe = Recipe(batch_size=b, budget=Budget(epochs=1), optimizer=optimizer)
        rates = [{"learning_rate": 1e-4 * (1 + lane)} for lane in range(lanes)]
        split = Split(data, Examples(data.inputs[:1], data.targets[:1]), 1)
        self._networks = Lockstep(Architecture(tuple(widths)), [split], rates, recipe)
        self._parts = list(segments(rows - rows % b, recipe.batch_size_of, recipe.budget, ()))
        self._lanes = lanes
        self.microseconds()

    def microseconds(self) -> float:
        """Return the processor time of a network's update."""
        first, started, spent = self._networks.updates, time.process_time(), 0.0
        while spent < SECONDS:
            for part in self._parts:
                self._networks.run(part)
            spent = time.process_time() - started
        return 1e6 * spent / (self._networks.updates - first) / self._lanes


def shapes(rounds: int) -> None:
    """Print the engine next to PyTorch."""
    import peers  # noqa: PLC0415 - only this table needs PyTorch

    print(peers.versions(), build_in_use())
    print(f"{'net':>24} {'':>5} {'b':>5}   alone  cohort PyTorch | PyTorch / alone, / cohort")
    for widths in SHAPES:
        for optimizer in ("sgd", "adam"):
            for b in SIZES:
                ours = [Training(widths, optimizer, b, lanes, 2048) for lanes in (1, COHORT)]
                data = examples(2048, widths[0], widths[-1])
                labels = data.targets.argmax(axis=1)
                updates = max(3, 4096 // b // (1 + sum(widths) // 500))
                task = peers.make_task(data.inputs, labels, widths, optimizer, b, updates)
                times: list[list[float]] = [
                    [*(each.microseconds() for each in ours), peers.torch_eager(task).microseconds]
                    for _ in range(rounds)
                ]
                alone, cohort, theirs = map(statistics.median, zip(*times, strict=True))
                print(
                    f"{'-'.join(map(str, widths)):>24} {optimizer:>5} {b:5d} {alone:7.0f} "
                    f"{cohort:7.0f} {theirs:7.0f} | {theirs / alone:5.2f} {theirs / cohort:5.2f}",
                    flush=True,
                )


def linear(rounds: int) -> None:
    """Print nanoseconds for each weight and example along three axes."""
    axes = {
        "lanes": [((64, 32, 10), lanes, 2048) for lanes in (1, 3, 10, 30, 100, 300, 1000)],
        "examples": [((64, 32, 10), 3, rows) for rows in (1000, 10_000, 100_000, 1_000_000)],
        "hidden units": [((64, h, 10), 3, 2048) for h in (8, 16, 32, 64, 128, 256, 512, 1024)],
    }
    for axis, points in axes.items():
        for b in (8, 64):
            cells = []
            for widths, lanes, rows in points:
                training = Training(widths, "sgd", b, lanes, rows)
                spent = statistics.median(training.microseconds() for _ in range(rounds))
                weights = Architecture(widths).parameter_count
                cells.append(1e3 * spent / b / weights)
            print(f"{axis:>13}, b = {b:2d}: " + " ".join(f"{cell:.4f}" for cell in cells))


def functions() -> None:
    """Print the largest errors over all numbers of float32."""
    library = ctypes.CDLL(str(FOLDER / f"{build_in_use()}-float32.so"))
    worst = dict.fromkeys(FUNCTIONS, (0.0, 0.0))
    for start in range(0, 2**32, CHUNK):
        x = np.arange(start, start + CHUNK, dtype=np.uint64).astype(np.uint32).view(np.float32)
        y = np.empty_like(x)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, y)]
        for name, (number, exact) in FUNCTIONS.items():
            library.apply(ctypes.c_int64(number), *pointers, ctypes.c_int64(CHUNK))
            with np.errstate(all="ignore"):
                wanted = exact(x.astype(np.float64))
                rounded = wanted.astype(np.float32)
                known = np.isfinite(rounded)
                off = np.abs(y[known] - wanted[known]) / np.abs(np.spacing(rounded[known]))
            if not np.array_equal(y[~known], rounded[~known], equal_nan=True):
                print(f"{name} is wrong where it is not finite, from {x[~known][0]}")
            if off.size and off.max() > worst[name][0]:
                worst[name] = (float(off.max()), float(x[known][off.argmax()]))
    for name, (units, where) in worst.items():
        print(f"{name}: at most {units:.2f} units of the last place, at {where!r}")


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--linear", action="store_true")
    parser.add_argument("--functions", action="store_true")
    options = parser.parse_args()
    if options.functions:
        functions()
    elif options.linear:
        linear(options.rounds)
    else:
        shapes(options.rounds)


if __name__ == "__main__":
    main()

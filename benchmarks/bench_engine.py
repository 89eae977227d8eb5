"""Is the cohort engine faster than scikit-learn, PyTorch and JAX on many small networks?

Every cell (net, optimizer, batch size) trains the same 30 networks, 5 seeds x 6 learning rates,
with every library, the libraries taking turns, `--rounds` times, on one core. It prints
microseconds of processor time per network and update (medians), which on an idle machine are those
of the clock and on a shared one move less, the engine's share of the machine's sgemm peak
measured in the same run, and the peers' times as multiples of the engine's. JAX is `jit(vmap)` with
`lax.scan` over updates in the fastest of three layouts, its compilation apart; a line below each
net adds it, for a sweep of 10 epochs over all batch sizes.

    taskset -c 1 python benchmarks/bench_engine.py [--mnist mnist10k.npz] [--rounds 3] [--quick]

With AVX2 alone, on both sides: BPSWEEP_KERNEL=x86-64-v3 XLA_FLAGS=--xla_cpu_max_isa=AVX2 before it.

`--mnist` names an NPZ file with `X` (items, 784) of bytes and `y`; without it that net is left out.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import peers
from sklearn.datasets import load_digits

from bpengine import Architecture, Budget, Examples, Recipe, Split
from bpengine.training.lockstep import Lockstep
from bpengine.training.minibatches import segments

Array = peers.Array
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
QUICK = (1, 8, 64, 1024)
SECONDS = 0.15
"""What a run of the engine, and about what one of JAX, takes."""


def lockstep(task: peers.Task) -> Callable[[], float]:
    """Return a function that trains whole batches and returns seconds per update of all lanes."""
    rows = len(task.X) - len(task.X) % task.b
    data = Examples(task.X[:rows], task.T[:rows])
    split = functools.partial(Split, data, Examples(task.X[:1], task.T[:1]))
    architecture, budget = Architecture(tuple(task.widths)), Budget(epochs=1)
    recipe = Recipe(batch_size=task.b, budget=budget, optimizer=task.optimizer)
    settings = [{"learning_rate": float(rate)} for rate in task.rates]
    splits = [split(seed) for seed in range(len(task.orders))]
    networks = Lockstep(architecture, splits, settings, recipe)
    parts = list(segments(rows, recipe.batch_size_of, budget, ()))

    def epochs() -> float:
        first, started = networks.updates, time.process_time()
        while time.process_time() - started < SECONDS:
            for part in parts:
                networks.run(part)
        return (time.process_time() - started) / (networks.updates - first)

    return epochs


def sgemm_peak() -> float:
    """Return the machine's float32 matmul rate in FLOP per second, best of several."""
    a, b = np.ones((1024, 1024), np.float32), np.ones((1024, 1024), np.float32)
    best = math.inf
    for _ in range(10):
        started = time.process_time()
        a @ b
        best = min(best, time.process_time() - started)
    return 2 * 1024**3 / best


def flops(widths: Sequence[int], b: int) -> float:
    """Return the floating point operations of the products of one update of one network."""
    shapes = [(i + 1, o) for i, o in itertools.pairwise(widths)]
    forward_and_dw = sum(2 * i * o for i, o in shapes) * 2
    backward = sum(2 * i * o for i, o in shapes[1:])
    return b * (forward_and_dw + backward)


def cell(task: peers.Task, rounds: int) -> dict[str, float]:
    """Return microseconds per network and update of every library, and JAX's compile seconds."""
    lanes = len(task.lane_rates)
    variants = peers.JAX_VARIANTS
    trial = replace(task, updates=max(2, (task.updates or 0) // 8))
    best = min(variants, key=lambda v: peers.jax_vmap(trial, variant=v)().seconds)
    theirs = peers.jax_vmap(task, variant=best)
    ours = lockstep(task)
    ours()
    rates: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        rates.setdefault(name, []).append(value)

    for _ in range(rounds):
        add("bpengine", 1e6 * ours() / lanes)
        run = theirs()
        add("jax", run.microseconds)
        add("compile", run.seconds_compile)
        add("bpengine", 1e6 * ours() / lanes)
        add("bmm", peers.torch_bmm(task).microseconds)
        few = replace(task, updates=max(3, (task.updates or 0) // 20))
        add("eager", peers.torch_eager(few).microseconds)
        add("sklearn", peers.sklearn_mlp(few).microseconds)
    return {name: statistics.median(values) for name, values in rates.items()}


def updates_for(widths: Sequence[int], b: int) -> int:
    """Return how many updates make a run of JAX last about `SECONDS`."""
    microseconds = 2 + flops(widths, b) / 30e3
    return max(4, min(20_000, round(SECONDS * 1e6 / 30 / microseconds)))


def print_net(
    X: Array, labels: Array, widths: Sequence[int], sizes: Sequence[int], rounds: int
) -> list[float]:
    """Print the table of a net and return JAX's times as multiples of the engine's."""
    ratios = []
    ours_total, jax_total = 0.0, 0.0
    for optimizer in ("sgd", "adam"):
        print(f"\n{'-'.join(map(str, widths))}, {optimizer}: us per network and update")
        print(
            "    b  bpengine  of peak       jax     bmm   eager sklearn |"
            "   jax/   bmm/ eager/ sklearn/"
        )
        for b in sizes:
            task = peers.make_task(X, labels, widths, optimizer, b, updates_for(widths, b))
            us = cell(task, rounds)
            share = flops(widths, b) / us["bpengine"] * 1e6 / sgemm_peak()
            multiples = [us[name] / us["bpengine"] for name in ("jax", "bmm", "eager", "sklearn")]
            ratios.append(multiples[0])
            updates = 10 * (len(X) // b) * 30 * 1e-6
            ours_total += us["bpengine"] * updates
            jax_total += us["jax"] * updates + us["compile"]
            print(
                f"{b:5d} {us['bpengine']:9.2f} {share:8.0%} {us['jax']:9.2f} {us['bmm']:7.1f} "
                f"{us['eager']:7.0f} {us['sklearn']:7.0f} |"
                + "".join(f"{multiple:7.1f}" for multiple in multiples),
                flush=True,
            )
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(f"JAX / bpengine: geometric mean {mean:.2f}, smallest {min(ratios):.2f}")
    print(
        f"10 epochs over all these batch sizes, both optimizers: bpengine {ours_total:.1f} s, "
        f"JAX with compilation {jax_total:.1f} s, ratio {jax_total / ours_total:.1f}"
    )
    return ratios


def digits() -> tuple[Array, Array]:
    """Return 1078 standardised digits."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:1078], y[:1078]
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1), y


def main() -> None:
    """Check the peers, then print every table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="four batch sizes only")
    options = parser.parse_args()
    sizes = QUICK if options.quick else BATCH_SIZES
    X, y = digits()
    peers.check(X, y)
    print(peers.versions())
    print(f"sgemm peak {sgemm_peak() / 1e9:.0f} GFLOP/s; {options.rounds} rounds, medians")
    ratios = []
    for hidden in (32, 128):
        ratios += print_net(X, y, (64, hidden, 10), sizes, options.rounds)
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(
        f"\ndigits, all cells: JAX / bpengine geometric mean {mean:.2f}, smallest {min(ratios):.2f}"
    )
    if options.mnist:
        with np.load(options.mnist, allow_pickle=False) as file:
            X, y = file["X"] / 255.0, file["y"]
        print_net(X, y, (784, 128, 10), sizes, options.rounds)


if __name__ == "__main__":
    main()

"""How much faster is the digits sweep here than with scikit-learn's MLPClassifier?

Both sides train the same grid of the `digits` study (batch sizes x learning rates x seeds, one
hidden layer of 32 sigmoid units, the same splits, the same epochs) in as many processes.
scikit-learn trains one network at a time through joblib: solver sgd, momentum 0, alpha 0, no early
stopping. It minimises cross-entropy (its only loss for classes), so its learning rates are its own:
the same six values; the best of them is taken for the comparison of accuracy.

The two sides take turns, round by round. scikit-learn trains the stated fraction of the seeds and
its time is scaled up by the number of seeds; with `--seeds 5` nothing is scaled.

    python benchmarks/bench_sweep_vs_sklearn.py --seeds 1 --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from bpengine import Examples, Split
from sweeps.data.registry import load
from sweeps.data.splits import prepare
from sweeps.run._executors import jobs_of
from sweeps.study import Study
from sweeps.worker.train import one_blas_thread

Cell = tuple[int, float]


def bpsweep_seconds(study: Study, jobs: int) -> tuple[float, dict[Cell, float]]:
    """Train every trial, keep it in a store, and return seconds and each cell's mean accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        table = study.run(Path(folder) / "study", n_jobs=jobs).trials
        seconds = time.perf_counter() - started
    cells = table.groupby(["batch_size", "learning_rate"], as_index=False)[
        "validation_metric"
    ].mean()
    return seconds, {(size, rate): value for size, rate, value in cells.itertuples(index=False)}


def train_with_sklearn(split: Split, epochs: int, cell: Cell) -> tuple[Cell, float]:
    """Train one network and return its validation accuracy."""
    batch_size, rate = cell
    labels = split.train.targets.argmax(axis=1)
    network = MLPClassifier(
        hidden_layer_sizes=(32,),
        activation="logistic",
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=rate,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=split.seed,
    )
    with warnings.catch_warnings(), one_blas_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(split.train.inputs.astype(np.float32), labels)
    return cell, _accuracy(network, split.held_out)


def _accuracy(network: MLPClassifier, part: Examples) -> float:
    predicted = network.predict(part.inputs.astype(np.float32))
    return float((predicted == part.targets.argmax(axis=1)).mean())


def sklearn_seconds(study: Study, seeds: int, jobs: int) -> tuple[float, dict[Cell, float]]:
    """Train the grid on some of the seeds and return seconds and each cell's mean accuracy."""
    (group,), specification = study.experiment.groups, study.specification
    facts, (epochs,) = group.family.facts, specification.epochs
    dataset = load(facts.source)
    splits = [prepare(dataset, facts.preparation, seed)[0] for seed in specification.seeds[:seeds]]
    cells = [(size, rate) for size, rates in group.grid.items() for rate in rates]
    started = time.perf_counter()
    scores = joblib.Parallel(n_jobs=jobs, batch_size=1)(
        joblib.delayed(train_with_sklearn)(split, epochs, cell)
        for cell in cells
        for split in splits
    )
    seconds = time.perf_counter() - started
    return seconds, {
        cell: statistics.mean(value for other, value in scores if other == cell) for cell in cells
    }


def best_by_batch_size(accuracies: dict[Cell, float]) -> dict[int, float]:
    """Return the accuracy of the best learning rate of each batch size."""
    sizes = sorted({size for size, _ in accuracies})
    return {size: max(v for (s, _), v in accuracies.items() if s == size) for size in sizes}


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1, help="seeds scikit-learn trains, of 5")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    changes = ["confirmation_seeds=[]", "extensions=0", "timing=false"]
    study = Study.from_target("digits", changes)
    jobs = jobs_of("loky", options.jobs, None)
    scale = len(study.specification.seeds) / options.seeds
    ours, theirs = [], []
    for number in range(options.rounds):
        seconds, our_accuracy = bpsweep_seconds(study, jobs)
        ours.append(seconds)
        seconds, their_accuracy = sklearn_seconds(study, options.seeds, jobs)
        theirs.append(seconds * scale)
        print(
            f"round {number}: bpsweep {ours[-1]:.2f} s, scikit-learn {theirs[-1]:.1f} s", flush=True
        )
    networks = study.plan(n_jobs=jobs).trials
    print(f"\n{networks} networks, {jobs} processes; medians of {options.rounds} rounds")
    print(f"scikit-learn trained {options.seeds} of 5 seeds; its time is scaled by {scale:g}")
    print(f"bpsweep      {statistics.median(ours):8.2f} s, worker start and store included")
    print(f"scikit-learn {statistics.median(theirs):8.2f} s")
    ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
    print(f"ratio        {ratio:8.1f}")
    print("\nvalidation accuracy of the best learning rate of each batch size")
    print("batch size     bpsweep  scikit-learn")
    theirs_best = best_by_batch_size(their_accuracy)
    for size, value in best_by_batch_size(our_accuracy).items():
        print(f"{size:10d}  {value:10.4f}  {theirs_best[size]:12.4f}")


if __name__ == "__main__":
    main()

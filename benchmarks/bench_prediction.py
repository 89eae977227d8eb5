"""Does the closed form name the batch size that is fastest on seeds it has not seen?

On each dataset and optimizer, every batch size with every learning rate on 30 seeds. Ten of them
set two targets (90 and 95% of their progress in validation loss), choose for each batch size the
rate that reaches a target in the fewest updates, and give `B* = sqrt(B_crit alpha / beta)`. The
other twenty then tell how long the tested batch size nearest to B* takes to the target, at its
rate, by the time of the batch size that is quickest on them: a ratio of 1.15 or less passes. The
time of a batch size is the mean over seeds of its updates by the median seconds of an update, and
infinite if a seed misses the target. Lower targets are reached before the first evaluation, so that
their updates are hardly more than guessed. The times need a machine on which nothing else runs.
Exits with 1 if a row fails.

    python benchmarks/bench_prediction.py
    python benchmarks/bench_prediction.py --data mnist10k.npz --target y
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reports.analysis.update_times import one_network, summarise_timing
from reports.schema.results import StudyResults
from reports.stats.models.first_passage import NOT_REACHED, REACHED, updates_to_target
from reports.stats.models.optimal_batch import BestBatch, best_batch_for_time
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.models.target_levels import fit_targets, set_targets
from reports.stats.models.update_cost import fit_update_time
from sweeps.study import Study

TUNING, FRESH = tuple(range(1, 11)), tuple(range(101, 121))
SHARES = (0.9, 0.95)
"""Targets, as shares of the progress of the tuning seeds."""
WITHIN = 1.15
"""A time of up to this multiple of the shortest passes."""
MEASURE = "validation_loss"
OPTIMIZERS: Mapping[str, tuple[float, float]] = {"sgd": (0.1, 30.0), "adam": (0.0003, 0.1)}
"""Smallest and largest learning rate."""
RATES = 19
CELL = ["batch_size", "learning_rate"]


@dataclass(frozen=True)
class Case:
    """Data, and the networks that are trained on them.

    Attributes:
        dataset: Name or table, as in a specification.
        hidden: Units of the hidden layer.
        epochs: Budget of a trial.
        smallest: Smallest batch size.
    """

    dataset: object
    hidden: int = 32
    epochs: int = 20
    smallest: int = 1


CASES = {name: Case(name) for name in ("digits", "breast_cancer", "wine")}


@dataclass(frozen=True)
class Prediction:
    """What was predicted for a target, and what was measured.

    Attributes:
        level: The target.
        fit: Updates to it, from the tuning seeds.
        best: What follows for wall time.
        named: The tested batch size that is nearest to it; None if nothing follows.
        seconds: Time to target on fresh seeds, by batch size; infinite where one missed it.
    """

    level: float
    fit: StepsToTargetFit
    best: BestBatch
    named: int | None
    seconds: pd.Series[float]

    @property
    def quickest(self) -> int:
        """The batch size with the shortest time."""
        return int(self.seconds.index[int(self.seconds.argmin())])

    @property
    def ratio(self) -> float:
        """Time of the batch size that was named by the shortest; infinite if there is neither."""
        if self.named is None or math.isinf(self.seconds.min()):
            return math.inf
        return float(self.seconds[self.named] / self.seconds.min())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", help="a file of examples, in place of the three datasets")
    parser.add_argument("--target", default="y", help="its column or array of targets")
    parser.add_argument("--keep", type=Path, help="where studies are kept, to be gone on with")
    options = parser.parse_args(arguments)
    cases = CASES
    if options.data:
        data = {"path": str(Path(options.data).resolve()), "target": options.target}
        cases = {Path(options.data).stem: Case(data, epochs=5, smallest=8)}
    print("| dataset | optimizer | target | predicted B* | tested | measured best | ratio |  |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        failed = [
            _rows(name, optimizer, _run(case, optimizer, folder / f"{name}-{optimizer}"))
            for name, case in cases.items()
            for optimizer in OPTIMIZERS
        ]
    return int(sum(failed) > 0)


def _rows(name: str, optimizer: str, results: StudyResults) -> int:
    """Print the rows of one dataset and optimizer, and return how many failed."""
    failed = 0
    for prediction in predictions(results):
        passed = prediction.ratio <= WITHIN
        failed += not passed
        print(
            f"| {name} | {optimizer} | {prediction.level:.4f} | {_size(prediction.best)} | "
            f"{prediction.named} | {prediction.quickest} | {prediction.ratio:.2f} | "
            f"{'pass' if passed else _why(prediction)} |",
            flush=True,
        )
    return failed


def _size(best: BestBatch) -> str:
    return "none" if best.batch_size is None else f"{best.batch_size:.1f}"


def _why(prediction: Prediction) -> str:
    if prediction.named is None:
        return f"fail: {prediction.best.reason}"
    if math.isinf(prediction.seconds.min()):
        return "fail: every batch size misses the target on a seed"
    residual = prediction.fit.max_log_residual or 0.0
    return f"fail: the fit misses a batch size by {math.exp(residual) - 1:.0%}"


def _run(case: Case, optimizer: str, folder: Path) -> StudyResults:
    low, high = OPTIMIZERS[optimizer]
    study = Study(
        "prediction",
        dataset=case.dataset,
        hidden_layers=[case.hidden],
        optimizer=optimizer,
        batch_sizes={"powers_of_two": [case.smallest, "full"]},
        learning_rates={"logspace": [low, high], "count": RATES},
        epochs=case.epochs,
        seeds=[*TUNING, *FRESH],
        extensions=0,
    )
    return study.run(folder)


def predictions(results: StudyResults) -> list[Prediction]:
    """Return what the tuning seeds predict, held against the fresh ones.

    Args:
        results: A study of one group whose explore stage has both kinds of seeds.
    """
    curves = results.curves.merge(results.trials[["trial", *CELL, "seed"]], on="trial")
    tuning = curves[curves["seed"].isin(TUNING)]
    final = _at_rates(tuning, _best_at_the_end(results))
    levels = set_targets(final, MEASURE, shares=SHARES)
    seconds = one_network(summarise_timing(results.timing)).set_index("batch_size")
    cost = seconds["seconds_per_update"]
    timing = fit_update_time(cost.index.to_numpy(), cost.to_numpy())
    found = []
    for level in levels:
        crossings = pd.concat(
            updates_to_target(of_rate, MEASURE, [level]).assign(learning_rate=rate)
            for rate, of_rate in curves.groupby("learning_rate")
        )
        rates = _quickest_rates(crossings[crossings["seed"].isin(TUNING)])
        chosen = crossings.merge(rates, on=CELL)
        first = chosen["seed"].isin(TUNING)
        (fit,) = fit_targets(chosen[first]).values()
        best = best_batch_for_time(fit, timing)
        fresh = _seconds(chosen[~first], cost)
        found.append(Prediction(level.level, fit, best, _nearest(best, fresh), fresh))
    return found


def _best_at_the_end(results: StudyResults) -> pd.DataFrame:
    """The rate of each batch size with the lowest mean loss at the end, of the tuning seeds."""
    ok = results.trials[results.trials["seed"].isin(TUNING) & (results.trials["status"] == "ok")]
    means = ok.groupby(CELL)[MEASURE].mean()
    return pd.DataFrame(means.groupby("batch_size").idxmin().tolist(), columns=CELL)


def _at_rates(rows: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    return rows.merge(rates, on=CELL)


def _quickest_rates(crossings: pd.DataFrame) -> pd.DataFrame:
    """The rate of each batch size that takes the fewest updates, missing none if possible."""
    missed = crossings["outcome"] == NOT_REACHED
    table = crossings.assign(missed=missed).groupby(CELL)[["missed", "updates"]].mean()
    ordered = table.reset_index().sort_values(["batch_size", "missed", "updates"], kind="stable")
    return ordered.drop_duplicates("batch_size")[CELL]


def _seconds(crossings: pd.DataFrame, cost: pd.Series[float]) -> pd.Series[float]:
    updates = crossings["updates"].where(crossings["outcome"] == REACHED, np.inf)
    return updates.groupby(crossings["batch_size"]).mean() * cost


def _nearest(best: BestBatch, seconds: pd.Series[float]) -> int | None:
    wanted = best.batch_size
    if wanted is None:
        return None
    return min(map(int, seconds.index), key=lambda size: abs(math.log(size / wanted)))


if __name__ == "__main__":
    sys.exit(main())

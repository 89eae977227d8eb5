"""Do the fits name the batch size that is fastest on seeds that they have not seen?

On each dataset and optimizer a study as users run it: ten seeds set the targets. Each of them is
then the target of a study that goes on in the same folder: the ten seeds tune the learning rates
for it and give the fitted best batch size. On the next twenty, at these rates, the tested batch
size nearest to it is compared with the one that is quickest: a ratio of their times of 1.15 or less
passes. All numbers are those of the report. A batch size that
misses the target on a fresh seed has no time. The times need a machine on which nothing else runs.
Exits with 1 if a row fails.

    python benchmarks/bench_prediction.py
    python benchmarks/bench_prediction.py digits
    python benchmarks/bench_prediction.py --data mnist10k.npz --target y
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.analysis.scaling_record import TargetRecord
from reports.recommend.analysis import analyse
from sweeps.study import Study

TUNING, FRESH = tuple(range(1, 11)), tuple(range(101, 121))
WITHIN = 1.15
"""A time of up to this multiple of the shortest passes."""
OPTIMIZERS: Mapping[str, tuple[float, float]] = {"sgd": (0.1, 30.0), "adam": (0.0003, 0.1)}
"""Smallest and largest learning rate."""
RATES = 19


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("datasets", nargs="*", default=[*CASES], help=", ".join(CASES))
    parser.add_argument("--data", help="a file of examples, in place of the datasets")
    parser.add_argument("--target", default="y", help="its column or array of targets")
    parser.add_argument("--keep", type=Path, help="where studies are kept, to be continued")
    options = parser.parse_args(arguments)
    cases = {name: CASES[name] for name in options.datasets}
    if options.data:
        data = {"path": str(Path(options.data).resolve()), "target": options.target}
        cases = {Path(options.data).stem: Case(data, epochs=5, smallest=8)}
    print("| dataset | optimizer | target | B_crit | fitted best | tested | quickest | ratio |  |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        failed = sum(
            _row(name, optimizer, share, record)
            for name, case in cases.items()
            for optimizer in OPTIMIZERS
            for share, record in _targets(case, optimizer, folder / f"{name}-{optimizer}")
        )
    return int(failed > 0)


def _targets(case: Case, optimizer: str, folder: Path) -> Iterator[tuple[float, TargetRecord]]:
    """Run a study for each target, and yield what its report says of it, and its share."""
    for target in [record.target for record in _records(case, optimizer, folder)]:
        (record,) = _records(case, optimizer, folder, target_metric=target.level)
        yield target.share, record


def _records(case: Case, optimizer: str, folder: Path, **keys: float) -> Sequence[TargetRecord]:
    """Run what a study lacks, and return what its report says of its targets."""
    low, high = OPTIMIZERS[optimizer]
    study = Study(
        "prediction",
        dataset=case.dataset,
        hidden_layers=[case.hidden],
        optimizer=optimizer,
        batch_sizes={"powers_of_two": [case.smallest, "full"]},
        learning_rates={"logspace": [low, high], "count": RATES},
        epochs=case.epochs,
        seeds=[*TUNING],
        confirmation_seeds=[*FRESH],
        **keys,
    )
    (group,) = analyse(study.run(folder))
    return group.scaling.targets


def _row(name: str, optimizer: str, share: float, record: TargetRecord) -> bool:
    """Print the row of one target, and return whether it fails."""
    table = record.batch_sizes.set_index("batch_size")
    seconds = table["seconds"].where(table["reached"] == table["runs"]).dropna()
    tested = _nearest(record.named, table.index)
    ratio = math.inf
    if tested is not None and tested in seconds.index:
        ratio = float(seconds[tested] / seconds.min())
    failed = ratio > WITHIN
    quickest = int(seconds.index[int(seconds.argmin())]) if len(seconds) else None
    print(
        f"| {name} | {optimizer} | {share:.0%}: {record.target.level:.4f} "
        f"| {_number(record.fit.critical_batch_size)} | {_number(record.named)} | {tested} "
        f"| {quickest} | {ratio:.2f} | {_why(record) if failed else 'pass'} |",
        flush=True,
    )
    return failed


def _number(size: float | None) -> str:
    return "none" if size is None else f"{size:.1f}"


def _nearest(wanted: float | None, sizes: pd.Index[int]) -> int | None:
    if wanted is None:
        return None
    return min(map(int, sizes), key=lambda size: abs(math.log(size / wanted)))


def _why(record: TargetRecord) -> str:
    if record.named is None:
        return f"fail: {record.best.reason or 'nothing follows from the tuning seeds'}"
    others = len(record.other_rates)
    return f"fail: {others} of {len(record.batch_sizes)} batch sizes have another rate confirmed"


if __name__ == "__main__":
    sys.exit(main())

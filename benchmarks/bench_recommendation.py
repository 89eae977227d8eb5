"""Is a recommended batch size near-optimal? Simulated studies, and repetitions on real data.

Prints, for eight truths and two limiting cases, how often the size named is truly worse than the
margin, how often it is the fastest acceptable one, how many seeds that took, and how often upper
limits cover. "And more" are two stages; `recommend` lets the spread over the first decide on more
seeds; `recommend` again looks at what is undecided and adds seeds for it, another test with an
error of its own. To what is worse and what covers two standard errors of the simulation are
allowed. With `--data` one study
trains a pool of fresh seeds; disjoint parts of it are analysed as studies of their own, and the
rest of the pool judges what they name. Exits with 1 if a bar is broken.

    python benchmarks/bench_recommendation.py [--studies 1000]
    python benchmarks/bench_recommendation.py --data mnist10k.npz [--repetitions 20]
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from reports.analysis import select_rates, summarise_cells
from reports.recommend.analysis import analyse
from reports.recommend.choice import MOST_SEEDS
from reports.schema import CONFIRM, EXPLORE, REFINE, StudyResults
from reports.stats import CONFIDENCE
from reports.stats.non_inferiority import (
    NEAR_OPTIMAL,
    REFERENCE,
    WORSE,
    Shortfall,
    compare_in_order,
    seeds_by_spread,
    seeds_to_show,
    shortfall,
)
from sweeps.advise.adaptive import FURTHER_POWER
from sweeps.design.experiment import Experiment
from sweeps.design.stages import contenders
from sweeps.spec import StudySpecification, toml_value
from sweeps.study import Study

MARGIN, TUNING, FURTHER = 1.0, 5, 40  # points; seeds that tune; fresh seeds of the second stage
MOST_WORSE, LEAST_COVERED, MOST_COVERED, LEAST_GOOD = 0.05, 0.94, 0.98, 0.95
_POWER = StudySpecification.model_fields["refinement_power"].default
ONE_STAGE, TWO_STAGES, RECOMMEND, AGAIN = "", " and more", ", recommend", ", recommend again"

Truth = tuple[np.ndarray, np.ndarray]  # of each size: what it loses, and its spread over seeds


@dataclass(frozen=True)
class Row:
    """A truth, and what the fastest acceptable size must be named in at least.

    `hits` are of 4 sizes with 10 seeds, and of 11 sizes with 10 seeds and with two stages.
    """

    name: str
    truth: Callable[[int], Truth]
    hits: tuple[float, float, float] | None = None
    examples: int = 400  # of the test set


def _last(loss: float, spread: float) -> Callable[[int], Truth]:
    return lambda n: (np.r_[np.zeros(n - 1), loss], np.r_[np.ones(n - 1), spread])


def _plateau(sizes: int) -> Truth:
    flat = np.zeros(sizes - 3)
    return np.r_[flat, 1.5, 3, 6], np.r_[flat + 0.4, 0.8, 1.2, 2.0]


ROWS = (
    Row("all equal, sd 1", _last(0, 1), (0.64, 0.39, 0.61)),
    Row("all equal, sd 0.3", lambda n: (np.zeros(n), np.full(n, 0.3)), (1.0, 1.0, 1.0)),
    Row("largest 1.5 worse, sd 1", _last(1.5, 1), (0.73, 0.39, 0.61)),
    Row("largest 1.01 worse, sd 0.5", lambda n: (np.r_[np.zeros(n - 1), 1.01], np.full(n, 0.5))),
    Row("largest 2 worse, its sd 2", _last(2, 2), (0.74, 0.40, 0.61)),
    Row("largest 5 worse, its sd 5", _last(5, 5), (0.74, 0.40, 0.64)),
    Row("plateau, then -1.5, -3, -6", _plateau, (1.0, 1.0, 1.0)),
    Row(
        "1 point a step, sd 1", lambda n: (np.arange(n, dtype=float), np.ones(n)), (0.12, 0.1, 0.1)
    ),
    Row("exact ties", lambda n: (np.zeros(n), np.zeros(n))),
    Row("shares of 40 test examples", _last(1.5, 1), examples=40),
)


def main() -> int:
    """Print the tables and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000)
    parser.add_argument("--data", help="a dataset's name, or a file")
    parser.add_argument("--target", help="column of a CSV file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--further", type=int, default=FURTHER)
    options = parser.parse_args()
    return int(_repeated(options) if options.data else _simulated(options.studies))


# ---- simulation ------------------------------------------------------------------------------


def _simulated(studies: int) -> bool:
    """Print the table, and return whether a bar is broken."""
    print(
        "| truth | sizes | seeds | worse than the margin | fastest acceptable | mean seeds | ",
        end="",
    )
    print("limits that cover | |\n|---|---|---|---|---|---|---|---|")
    broken = [_print_row(row, *case, studies) for row in ROWS for case in _cases()]
    return any(broken)


def _cases() -> Iterator[tuple[int, int, str]]:
    for sizes in (4, 7, 11):
        yield from ((sizes, 5, ONE_STAGE), (sizes, 10, ONE_STAGE), (sizes, 10, TWO_STAGES))
        yield from ((sizes, 5, RECOMMEND), (sizes, 10, RECOMMEND), (sizes, 5, AGAIN))


def _print_row(row: Row, sizes: int, seeds: int, stages: str, studies: int) -> bool:
    rng, (losses, spreads) = np.random.default_rng(7), row.truth(sizes)
    step = 100 / row.examples
    best = losses.min()
    fastest = max(n for n in range(sizes) if losses[n] - best <= MARGIN)
    worse = hits = used = covered = limits = 0
    for _ in range(studies):
        compared, count = _study(rng, losses, spreads, seeds, step, stages)
        named = _named(compared)
        worse += bool(losses[named] - best > MARGIN)
        hits, used = hits + (named == fastest), used + count
        reference = losses[compared[0].batch_size]
        free = [each for each in compared[1:] if each.spread > step / 2]
        limits += len(free)
        covered += sum(each.upper >= losses[each.batch_size] - reference for each in free)
    coverage, wanted = covered / max(limits, 1), _wanted(row, sizes, seeds, stages)
    error = 2 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / max(limits, 1))
    further = MOST_WORSE * (stages == AGAIN)
    most, least = MOST_WORSE + further, LEAST_COVERED - further
    broken = (
        worse / studies > most + 2 * math.sqrt(most * (1 - most) / studies)
        or hits / studies < wanted - 0.06
        or (limits > 0 and not least - error <= coverage <= MOST_COVERED + error)
    )
    print(
        f"| {row.name} | {sizes} | {seeds}{stages} | "
        f"{worse / studies:.3f} | {hits / studies:.2f} | {used / studies:.0f} | "
        f"{f'{coverage:.3f}' if limits else 'floor'} | {'broken' if broken else 'kept'} |",
        flush=True,
    )
    return broken


def _wanted(row: Row, sizes: int, seeds: int, stages: str) -> float:
    cases = [(4, 10, ONE_STAGE), (11, 10, ONE_STAGE), (11, 10, TWO_STAGES)]
    case = (sizes, seeds, stages)
    return row.hits[cases.index(case)] if row.hits and case in cases else 0.0


def _named(compared: Sequence[Shortfall]) -> int:
    return [each for each in compared if each.verdict in {REFERENCE, NEAR_OPTIMAL}][-1].batch_size


def _study(
    rng: np.random.Generator,
    losses: np.ndarray,
    spreads: np.ndarray,
    seeds: int,
    step: float,
    stages: str,
) -> tuple[tuple[Shortfall, ...], int]:
    """Return what a study finds of the sizes from its reference on, and its fresh seeds."""

    def drawn(count: int) -> np.ndarray:
        values = 90 - losses + rng.normal(size=(count, losses.size)) * spreads
        return np.round(values / step) * step

    reference = int(drawn(TUNING).mean(axis=0).argmax())
    order, values = [*range(reference, losses.size)], pd.DataFrame(drawn(seeds))
    if stages != ONE_STAGE:
        first = [shortfall(values, reference, size, MARGIN, step) for size in order]
        power = _POWER if stages == TWO_STAGES else FURTHER_POWER
        needed = seeds_by_spread(first, MARGIN, seeds + FURTHER, power) - seeds
        if needed > 0:
            further = pd.DataFrame(drawn(needed))
            further[[each.batch_size for each in first if each.verdict == WORSE]] = np.nan
            values = pd.concat([values, further], ignore_index=True)
    compared = compare_in_order(values, order, MARGIN, step, pilot=range(seeds))
    more = _more_seeds(compared) if stages == AGAIN else 0
    if more:
        values = pd.concat([values, pd.DataFrame(drawn(more))], ignore_index=True)
        # They are confirmation seeds as those before are.
        compared = compare_in_order(values, order, MARGIN, step)
    return compared, len(values)


def _more_seeds(compared: Sequence[Shortfall]) -> int:
    """Return how many seeds a further call adds for the first size that is undecided."""
    following = next((each for each in compared if not each.shown), None)
    if following is None or following.verdict == WORSE:
        return 0
    distance = abs(MARGIN - following.mean)
    needed = seeds_to_show(following.spread, distance, MOST_SEEDS) - following.seeds
    return min(max(needed, 0), FURTHER)


# ---- real data -------------------------------------------------------------------------------


def _repeated(options: argparse.Namespace) -> bool:
    """Print what each part of a pool of seeds names, and return whether the bar is broken."""
    part = TUNING + options.seeds + options.further
    pool = [*range(1_001, 1_001 + options.repetitions * part)]
    experiment, results = _trained(options, pool)
    trials = results.trials[results.trials["stage"] == CONFIRM]
    print("| seeds | reference | named | shown near-optimal | loss by the rest of the pool | |")
    print("|---|---|---|---|---|---|")
    bad = 0
    for start in range(0, len(pool), part):
        mine = pool[start : start + part]
        bad += _print_repetition(experiment, results, trials, mine, options.seeds)
    good = 1 - bad / options.repetitions
    print(f"within the margin: {good:.0%} of {options.repetitions}, wanted {LEAST_GOOD:.0%}")
    return good < LEAST_GOOD


def _trained(options: argparse.Namespace, pool: list[int]) -> tuple[Experiment, StudyResults]:
    dataset = {"path": options.data, "target": options.target} if options.target else options.data
    if "." in options.data and not options.target:
        dataset = {"path": options.data}
    keys = {
        "name": "repetitions",
        "dataset": dataset,
        "hidden_layers": [16],
        "activation": "tanh",
        "batch_sizes": [16, 32, 64, 128, 256],
        "learning_rates": [0.03, 0.1, 0.3, 1.0],
        "epochs": 5,
        "seeds": [1, 2, 3],
        "confirmation_seeds": pool,
        "refinement_seeds": options.further,
    }
    with tempfile.TemporaryDirectory() as folder:
        specification = Path(folder) / "study.toml"
        study = _study_of(keys, options.set, specification)
        results = study.run(Path(folder) / "study")
    return study.experiment, results


def _study_of(keys: dict[str, object], settings: list[str], path: Path) -> Study:
    absolute = keys["dataset"]
    if isinstance(absolute, dict):
        absolute["path"] = str(Path(absolute["path"]).resolve())
    path.write_text("".join(f"{key} = {toml_value(value)}\n" for key, value in keys.items()))
    return Study.from_target(str(path), settings)


def _print_repetition(
    experiment: Experiment,
    results: StudyResults,
    trials: pd.DataFrame,
    seeds: list[int],
    fresh: int,
) -> bool:
    (analysis,) = analyse(_part(experiment, results, trials, seeds, fresh))
    rest = trials[~trials["seed"].isin(seeds)].groupby("batch_size")["test_metric"].mean()
    named = analysis.recommended
    loss = float(rest.max() - rest[named]) if named else float("nan")
    bad = named is None or loss > analysis.margin
    print(
        f"| {analysis.judged['seed'].nunique()} | {analysis.reference} | {named} | "
        f"{', '.join(map(str, analysis.answer.near_optimal))} | {loss:.4f} | "
        f"{'worse' if bad else 'within'} |",
        flush=True,
    )
    return bad


def _part(
    experiment: Experiment,
    results: StudyResults,
    trials: pd.DataFrame,
    seeds: list[int],
    fresh: int,
) -> StudyResults:
    """Return some seeds of the pool as a study: for the reference, to judge, and to refine."""
    tuning, confirming = seeds[:TUNING], seeds[TUNING : TUNING + fresh]
    (plan,), (group,) = results.description.groups, experiment.groups
    explored = trials[trials["seed"].isin(tuning)].assign(
        stage=EXPLORE, test_metric=np.nan, test_loss=np.nan
    )
    confirmed = trials[trials["seed"].isin(confirming)]
    description = replace(
        results.description, seeds=tuple(tuning), confirmation_seeds=tuple(confirming)
    )
    ranking = select_rates(summarise_cells(explored, description.tuning_seeds))
    values = confirmed.assign(metric=confirmed["test_metric"])
    values = values[["group", "batch_size", "seed", "metric"]].assign(loss=confirmed["test_loss"])
    sizes, count = contenders(experiment.specification, group, ranking, values)
    further = seeds[TUNING + fresh :][:count]
    more = trials[trials["seed"].isin(further) & trials["batch_size"].isin(sizes)]
    kept = pd.concat([explored, confirmed, more.assign(stage=REFINE)], ignore_index=True)
    refined = {size: tuple(further) for size in sizes}
    curves = results.curves[results.curves["trial"].isin(kept["trial"])].reset_index(drop=True)
    groups = (replace(plan, refinement_seeds=refined),)
    return StudyResults(replace(description, groups=groups), kept, curves, results.timing)


if __name__ == "__main__":
    sys.exit(main())

"""Sixteen ways to compare batch sizes wrongly: each is triggered, and the report says so.

The pitfalls are those of published comparisons. Every case has a study that falls into one, a study
like it that doesn't, and what the report of the first must say and that of the second must not.
"""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import ran

from reports.claims.judgement import claims_of
from reports.output.page._tables import page_tables
from reports.recommend.analysis import analyse_study
from reports.schema.results import EXPLORE, StudyResults
from reports.text.cautions import cautions
from reports.text.method import limits, method
from reports.text.verdicts import verdict
from sweeps import results as results_of
from sweeps.store import FILE
from tests.helpers import claim_studies
from tests.reports.conftest import Sketch, keep, make_results, numbers, of_seeds, small

pytestmark = [
    pytest.mark.no_cover,  # that lines run in a whole study proves little of them
    pytest.mark.slow,
]


@functools.cache
def said(make: Callable[[], StudyResults]) -> str:
    """Return everything that a report says, or why there can be none."""
    try:
        results = make()
    except ValueError as error:
        return str(error)
    study = analyse_study(results)
    statements = []
    texts = [f"{study.missing} of {study.planned} planned trials have not run."]
    for group in study.groups:
        statements += [*verdict(group), *cautions(group)]
        texts += [*method(group), *limits(group)]
        texts += [
            ", ".join(f"{h} {c.text}" for h, c in zip(table.headers, row, strict=True))
            for table in page_tables(group)
            for row in table.rows
        ]
    texts += [statement.text for statement in statements]
    texts += [
        f"{judged.claim.name} {judged.verdict}: {judged.sentence}"
        for judged in claims_of(study.groups)
    ]
    return "\n".join(texts).replace("\xa0", " ")


def bent(
    best: Callable[[int], float] = lambda _: 1.0,
    epochs_needed: Callable[[int], float] | None = None,
) -> Callable[[int, float, float], float]:
    """Return accuracies with this best rate at each batch size, reached in this many epochs."""
    needed = epochs_needed or (lambda batch: 2 * (1 + batch / 64))
    return lambda batch, rate, epochs: (
        0.5
        + 0.42 * min(1, epochs / needed(batch))
        - 0.02 * np.log(rate / best(batch)) ** 2
        - 0.00002 * batch
    )


RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
TUNED = Sketch(
    description=small(batch_sizes=(8, 64, 256), learning_rates=RATES),
    accuracy=bent(),
    diverges=lambda *_: False,
)
"""A study in no pitfall."""


@functools.cache
def careful() -> StudyResults:
    """Return its results."""
    return make_results(TUNED)


@dataclass(frozen=True)
class Pitfall:
    """A pitfall and what is said of it.

    Attributes:
        fallen: A study that falls into it.
        finding: What its report says, and that of the careful study doesn't.
        careful: A study like it that doesn't.
    """

    fallen: Callable[[], StudyResults]
    finding: str
    careful: Callable[[], StudyResults] = careful


def planned(**plan: object) -> Callable[[], StudyResults]:
    """Return what makes the careful study with another description."""
    description = small(**{"batch_sizes": (8, 64, 256), "learning_rates": RATES} | plan)
    return lambda: make_results(replace(TUNED, description=description))


def with_accuracy(accuracy: Callable[[int, float, float], float]) -> Callable[[], StudyResults]:
    """Return what makes the careful study with other accuracies."""
    return lambda: make_results(replace(TUNED, accuracy=accuracy))


def with_seeds(*seeds: int) -> Callable[[], StudyResults]:
    """Return what makes the careful study with these seeds alone."""
    return lambda: of_seeds(careful(), *seeds)


def without_confirmation() -> StudyResults:
    whole = careful()
    return keep(whole, whole.trials["stage"] == EXPLORE)


def diverging() -> StudyResults:
    return make_results(replace(TUNED, diverges=lambda _, rate, __: rate > 1))


def with_gradients(noise: float) -> StudyResults:
    """Gradient statistics are measured; the squared length is 1, and noise apart between seeds."""
    whole = careful()
    seeds = whole.trials.set_index("trial")["seed"] % 5 - 2
    lengths = 1 + noise * whole.curves["trial"].map(seeds)
    curves = whole.curves.assign(gradient_trace=100.0, gradient_squared_norm=lengths)
    return replace(whole, curves=curves)


def seldom_evaluated() -> StudyResults:
    """Evaluations lie five epochs apart."""
    whole = careful()
    kept = whole.curves["examples"] % (5 * 1_077) == 0
    return replace(whole, curves=whole.curves[kept].reset_index(drop=True))


def slower(batch: int, rate: float, epochs: float) -> float:
    """Accuracies that large batches reach in as many epochs at first, and in more later."""
    quick = bent(epochs_needed=lambda _: 4)(batch, rate, min(epochs, 2))
    return max(quick, bent(epochs_needed=lambda size: 4 * (1 + size / 64))(batch, rate, epochs))


def leaking() -> StudyResults:
    """The test set is looked at while rates are chosen."""
    whole = careful()
    metric = whole.trials["test_metric"].fillna(whole.trials["validation_metric"])
    return replace(whole, trials=whole.trials.assign(test_metric=metric))


def timed_under_load() -> StudyResults:
    whole = careful()
    busy = whole.timing["batch_size"] == 64
    processor = whole.timing["cpu_seconds"].where(~busy, 0.5 * whole.timing["wall_seconds"])
    return replace(whole, timing=whole.timing.assign(cpu_seconds=processor))


_EDIT = """\
UPDATE trials SET test_metric = 0.999
WHERE trial = (SELECT min(trial) FROM trials WHERE test_metric IS NOT NULL)
"""


def stored(*, edited: bool) -> StudyResults:
    """A study that has run; a stored result is improved by hand."""
    with tempfile.TemporaryDirectory() as parent:
        folder = ran.copy(Path(parent) / "study")
        if edited:
            with closing(sqlite3.connect(folder / FILE)) as connection, connection:
                connection.execute(_EDIT)
        return results_of(folder)


def falling(drop: float) -> Callable[[], StudyResults]:
    """Return what makes a study in which the largest batch loses so much accuracy."""
    truth = claim_studies.Truth(accuracy=lambda _, size, __: 0.9 - (drop if size > 32 else 0))
    return lambda: claim_studies.study(truth)


PITFALLS = {
    "1 the budget rule decides the winner": Pitfall(
        with_accuracy(lambda batch, rate, epochs: bent(lambda _: 1.0)(batch, rate, 2 * epochs)),
        "The winner depends on what you hold fixed",
        with_accuracy(lambda batch, rate, _: 0.9 - 0.02 * np.log(rate) ** 2 - 0.0005 * batch),
    ),
    "2 one learning rate for all batch sizes": Pitfall(
        with_accuracy(bent(lambda batch: {8: 0.3, 64: 1.0, 256: 3.0}[batch])),
        "and batch size 64, not 8, would look best",
    ),
    "2 a single rate was tried": Pitfall(
        planned(learning_rates=(1.0,)), "only one learning rate was tried"
    ),
    "3 the best rate is at the edge of the grid": Pitfall(
        with_accuracy(bent(lambda batch: 10.0 if batch == 256 else 1.0)),
        "Learning rate 10 is the largest tried at batch size 256",
    ),
    "3 the grid is too coarse": Pitfall(
        planned(learning_rates=(0.03, 0.7, 20.0)), "neighbours differ by up to a factor of 28.57"
    ),
    "4 runs that diverge": Pitfall(diverging, "33% of the trials diverged"),
    "4 a target that is not reached": Pitfall(
        with_accuracy(bent(epochs_needed=lambda batch: 30 if batch == 256 else 4)),
        "never reached the target: 5 of 5 at batch size 256",
    ),
    "5 the best of many noisy runs": Pitfall(
        without_confirmation, "validation set on the tuning seeds, and hence optimistic"
    ),
    "6 one seed": Pitfall(
        with_seeds(0, 100), "It takes 5 fresh seeds to show that a size is near-optimal; 1 have run"
    ),
    "6 few seeds": Pitfall(with_seeds(0, 1, 100, 101), "results of as few as 2 seeds"),
    "7 the test set chooses": Pitfall(leaking, "no result on the test set, but 75 have"),
    "8 a small test set": Pitfall(
        planned(test_items=90),
        "One example of the test set is worth 1.1 points",
        planned(test_items=9_000),
    ),
    "8 one split for all seeds": Pitfall(
        planned(split_seed=7), "All seeds share one split of the data"
    ),
    "9 few evaluations": Pitfall(
        seldom_evaluated, "Updates 653, 95% interval \N{EN DASH}, Half width 337,"
    ),
    "10 another target, another critical batch size": Pitfall(
        with_accuracy(slower),
        "Missed, of runs fitted 0/15, Fewest updates 56, Critical batch size 62,",
    ),
    "11 momentum counts updates": Pitfall(
        planned(optimizer="momentum", hyperparameters={"momentum": 0.9}),
        "6.6 updates, 53 examples at batch size 8 and 1,700 examples at batch size 256",
    ),
    "11 momentum held in examples counts updates no more": Pitfall(
        planned(optimizer="momentum", hyperparameters={"momentum": 0.9}),
        "The optimizer's memory is fixed in updates:",
        planned(optimizer="momentum", hyperparameters={"momentum": 0.9}, memory_reference=8),
    ),
    "11 a ragged last batch": Pitfall(
        careful,
        "At batch sizes 8, 64 and 256 the last batch of an epoch is smaller",
        planned(train_items=1_024),
    ),
    "12 timed under load": Pitfall(
        timed_under_load, "it had as little as 50% of a processor (batch size 64)"
    ),
    "13 a noise scale that is not resolved": Pitfall(
        functools.partial(with_gradients, 50.0),
        "Noise scale unresolved",
        functools.partial(with_gradients, 0.1),
    ),
    "14 a batch near all items": Pitfall(
        planned(batch_sizes=(8, 64, 512)),
        "Batch size 512: more than a quarter of the 1,077 training examples",
    ),
    "15 an edited result": Pitfall(
        lambda: stored(edited=True),
        "1 of 20 planned trials have not run.",
        lambda: stored(edited=False),
    ),
    "16 larger batches lower accuracy": Pitfall(
        falling(0.03),
        "C3 supported: With tuned learning rates test accuracy changes by -3.0 points",
        falling(0.0),
    ),
}


@pytest.mark.parametrize("name", PITFALLS)
def test_who_falls_into_a_pitfall_is_warned(name: str) -> None:
    pitfall = PITFALLS[name]
    assert pitfall.finding in said(pitfall.fallen)
    assert pitfall.finding not in said(pitfall.careful)


def test_a_study_in_no_pitfall_is_only_warned_that_its_largest_batch_is_best() -> None:
    kinds = {caution.kind for caution in cautions(numbers(careful()))}
    assert kinds == {"answer-edge", "no-plateau"}

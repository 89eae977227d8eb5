"""Trainers for tests: one that is right, and one that does what its parameter `how` says."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sweeps import Study
from sweeps.design import Cohort
from sweeps.worker.train import run_cohort

EXAMPLES = 64  # of an epoch


def losses(trial: Any) -> Iterator[tuple[int, float]]:
    """Yield examples and loss after every update of descent in a noisy bowl."""
    rng = np.random.default_rng(trial.seed)
    weights = rng.normal(size=3)
    for update in range(1, 10**6):
        noise = rng.normal(size=3) / np.sqrt(trial.batch_size)
        weights -= trial.learning_rate * (weights + 0.3 * noise)
        yield update * trial.batch_size, float(weights @ weights)


def right(trial: Any) -> Iterator[Any]:
    """Do what the protocol says."""
    for examples, loss in losses(trial):
        if trial.due(examples=examples):
            test = {"test_loss": loss + 0.1} if trial.evaluate_test else {}
            yield trial.evaluation(examples=examples, validation_loss=loss, **test)


def quadratic(trial: Any) -> Iterator[Any]:
    """Descend in a bowl, from a state that was saved where there is one, and save it at the end."""
    examples, weight = json.loads(trial.load_from.read_text()) if trial.load_from else (0, 1.0)
    while True:
        weight *= 1 - trial.learning_rate
        examples += trial.batch_size
        if trial.save_to and examples >= trial.examples:
            trial.save_to.write_text(json.dumps([examples, weight]))
        if trial.due(examples=examples):
            test = {"test_loss": weight**2} if trial.evaluate_test else {}
            yield trial.evaluation(examples=examples, validation_loss=weight**2, **test)


def cut(trial: Any) -> Iterator[Any]:
    """Do the same as `right`, but be cut off once after three evaluations.

    With the parameter `saves` it goes on from a checkpoint, without it from the beginning.
    """
    state, marker = trial.folder / "state", trial.folder / "cut"
    before = int(state.read_text()) if state.exists() else 0
    for number, (examples, loss) in enumerate(losses(trial)):
        # What was done before the checkpoint isn't seen again.
        if examples <= before or not trial.due(examples=examples):
            continue
        yield trial.evaluation(examples=examples, validation_loss=loss)
        if trial.parameters["saves"]:
            state.write_text(str(examples))
        if number >= 3 and not marker.exists():
            marker.write_text("")
            raise KeyboardInterrupt


def swaying(trial: Any) -> Iterator[Any]:
    """Do what the parameter `how` says, and what the protocol says otherwise."""
    how = trial.parameters["how"]
    if how in _AT_ONCE:
        _AT_ONCE[how](trial)
    for examples, loss in losses(trial):
        if not trial.due(examples=examples):
            continue
        chance = np.random.default_rng().random() if how == "careless" else 0.0
        values = {"examples": examples, "validation_loss": loss + chance}
        if trial.evaluate_test or how == "leaks":
            values["test_loss"] = loss
        values |= _VALUES.get(how, {})
        yield "nothing of ours" if how == "strange" else trial.evaluation(**values)
        if how == "early":
            return


def engine(trial: Any) -> Iterator[Any]:
    """Train bpsweep's own network, as a study of iris does, and yield its curve."""
    keys = {"dataset": "iris", "seeds": 1, "batch_sizes": 1, "learning_rates": 1.0, "epochs": 3}
    (group,) = Study("iris", **keys).experiment.groups
    (network,) = group.family.trials(
        trial.batch_size, trial.learning_rate, [trial.seed], evaluate_test=trial.evaluate_test
    )
    (outcome,) = run_cohort(Cohort(network.configuration, (network.seed,), (network.settings,)))
    for examples, updates, *values in outcome.curve[1:, :6].tolist():
        last = {"test_loss": outcome.test_loss, "test_metric": outcome.test_metric}
        names = ("train_loss", "train_metric", "validation_loss", "validation_metric")
        yield trial.evaluation(
            examples=int(examples),
            updates=int(updates),
            **dict(zip(names, values, strict=True)),
            **(last if trial.evaluate_test else {}),
        )


def ticking(trial: Any) -> Iterator[Any]:
    """Take a millisecond for an update and a tenth of one for each example."""
    trial.training_examples = EXAMPLES
    for examples, loss in losses(trial):
        time.sleep(1e-3 + 1e-4 * trial.batch_size)
        if trial.due(examples=examples):
            test = {"test_loss": loss} if trial.evaluate_test else {}
            yield trial.evaluation(examples=examples, validation_loss=loss, **test)


def returning(trial: Any) -> float:
    """Train, and yield nothing."""
    return max(loss for (_, loss), _ in zip(losses(trial), range(3), strict=False))


def _raise(_trial: Any) -> None:
    raise ValueError("no such layer")


def _fork(_trial: Any) -> None:
    if os.fork() == 0:
        raise RuntimeError("the copy goes on")


def _globals(trial: Any) -> None:
    assert (random.random(), float(np.random.rand())) == _first(trial.seed)  # noqa: NPY002, S311
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002


def _first(seed: int) -> tuple[float, float]:
    return random.Random(seed).random(), float(np.random.RandomState(seed).rand())  # noqa: S311


def _print(_trial: Any) -> None:
    print("a result of bpsweep, surely")  # noqa: T201


def _move(_trial: Any) -> None:
    assert Path.cwd() != Path("/")
    os.chdir("/")


def _count(trial: Any) -> None:
    """End the process in the middle of the first call, and go on in the second."""
    marker = trial.folder / "begun"
    if not marker.exists():
        marker.write_text("")
        os._exit(3)


_AT_ONCE = {
    "raises": _raise,
    "forks": _fork,
    "globals": _globals,
    "prints": _print,
    "moves": _move,
    "leaves": lambda _trial: sys.exit(3),
    "dies": lambda _trial: os._exit(3),
    "dies once": _count,
    "hangs": lambda _trial: time.sleep(600),
}
_VALUES: dict[str, dict[str, Any]] = {
    "backwards": {"examples": 8},
    "beyond": {"examples": 10**6},
    "not a number": {"validation_loss": float("nan")},
    "diverges": {"diverged": True},
    "no loss": {"validation_loss": None},
    "text": {"validation_loss": "small"},
    "blind": {"test_loss": None},
}

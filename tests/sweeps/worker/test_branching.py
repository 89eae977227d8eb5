"""Branches against exact recursions for linear regression, and a trainer's branches."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from faults import configuration

from bpengine import Budget
from reports.analysis.branched_losses import branch_losses, critical_batch_sizes
from reports.schema import BRANCH, StudyResults
from sweeps import Study
from sweeps.data import prepare
from sweeps.data.registry import load
from sweeps.design.trials import Branching
from sweeps.worker.branching import Branch, branches_at
from tests.sweeps.worker import trained

FEATURES, BASE, RATE = 16, 4, 0.02
FACTORS = (2, 4, 8, 16, 32)


def study(folder: Path, **keys: Any) -> Study:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(6000, FEATURES)) * np.geomspace(1, 0.3, FEATURES)
    targets = inputs @ rng.normal(size=FEATURES) + rng.normal(size=6000)
    np.savez(folder / "linear.npz", X=inputs, y=targets)
    options = {
        "dataset": {"path": str(folder / "linear.npz"), "inputs": "X", "target": "y"},
        "batch_sizes": [BASE],
        "learning_rates": [RATE],
        "explore": False,
        "confirmation_seeds": {"first": 1, "count": 40},
        "epochs": 1,
        "validation": 1000,
        "test": 904,
        "split_seed": 0,
        "scaling": "none",
        "initial_scale": 1e-6,
        "divergence": math.inf,
        "dtype": "float64",
        "timing": False,
    }
    return Study("linear", **options | keys)


class Recursion:
    """Second moments of the weights of linear regression under SGD, by update.

    With `z = (x, -t)` and `a = (w, 1)` the gradient of an example is `x z'a`, and the loss
    `|z'a|^2 / 2`. Batches are drawn without replacement from the training set, which changes
    `E[aa']` by its mean gradient and, with the finite-population factor, its covariance.
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        ones, zeros = np.ones((len(inputs), 1)), np.zeros((len(inputs), 1))
        self.z = np.hstack([ones, inputs, -targets])
        self.x = np.hstack([ones, inputs, zeros])
        start = np.zeros(self.z.shape[1])
        start[-1] = 1
        self.moments = np.outer(start, start)

    def losses(self, rate: float, batch_size: int, updates: int) -> list[float]:
        """Return the loss after each of some updates, which are not kept."""
        count, moments, losses = len(self.z), self.moments, []
        of_gradient, of_loss = self.x.T @ self.z / count, self.z.T @ self.z / count
        factor = (count - batch_size) / (count - 1) / batch_size
        for _ in range(updates):
            squares = np.einsum("ij,jk,ik->i", self.z, moments, self.z)
            change = of_gradient @ moments
            of_mean = change @ of_gradient.T
            spread = (self.x * squares[:, None]).T @ self.x / count - of_mean
            moments = moments - rate * (change + change.T)
            moments = moments + rate**2 * (of_mean + factor * spread)
            losses.append(float((of_loss * moments).sum() / 2))
        self.last = moments
        return losses

    def go_on(self, updates: int) -> None:
        """Keep some updates of the run."""
        self.losses(RATE, BASE, updates)
        self.moments = self.last

    def branch_loss(self, at: int, branch: Branch) -> float:
        """Return the mean loss of a branch at its evaluations."""
        updates = [-(-(point - at) // branch.batch_size) for point in branch.points]
        losses = self.losses(RATE * branch.rate_factor, branch.batch_size, updates[-1])
        return float(np.mean([losses[update - 1] for update in updates]))


@pytest.fixture(scope="module", params=["linear", "sqrt"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study with branches, run, and the branches with the loss that the recursion gives."""
    folder = tmp_path_factory.mktemp("linear")
    branch = {"at": [0.1, 0.5], "factors": [*FACTORS], "window": 0.5, "rate_rule": request.param}
    branched = study(folder, branch=branch)
    results = branched.run(folder / "study", n_jobs=1, backend="sequential")
    facts = branched.experiment.groups[0].family.facts
    split, _ = prepare(load(facts.source), facts.preparation, 1)
    recursion, before, expected = Recursion(split.train.inputs, split.train.targets), 0, {}
    for at in (412, 2048):
        recursion.go_on((at - before) // BASE)
        before = at
        planned = configuration(
            batch_size=BASE,
            budget=Budget(examples=at),
            branching=Branching((at,), (1, *FACTORS), 0.5, request.param),
        )
        branches = branches_at(planned, at, len(split.train.inputs))
        losses = [recursion.branch_loss(at, branch) for branch in branches]
        expected[at] = np.log(losses) - math.log(losses[0])
    return results, expected


def test_branches_lose_what_the_recursion_says(
    finished: tuple[StudyResults, dict[int, np.ndarray]],
) -> None:
    results, expected = finished
    table = branch_losses(results.trials, results.curves)
    assert {*table["examples"]} == {*expected}
    for at, rows in table.groupby("examples"):
        half_width = (rows["excess_high"] - rows["excess_low"]) / 2
        assert (rows["seeds"] == 40).all()
        np.testing.assert_array_less(abs(rows["excess"] - expected[at]), 2 * half_width + 1e-4)


@pytest.mark.parametrize("tolerance", [0.01, 0.05, 0.1, 0.15])
def test_the_critical_batch_size_is_that_of_the_recursion(
    finished: tuple[StudyResults, dict[int, np.ndarray]], tolerance: float
) -> None:
    results, expected = finished
    losses = branch_losses(results.trials, results.curves)
    table = critical_batch_sizes(losses, tolerance)
    for (at, excess), row in zip(expected.items(), table.to_dict("records"), strict=True):
        sizes = BASE * np.array([1, *FACTORS])[: len(excess)]
        passes = (excess > math.log1p(tolerance)).any()
        truth = np.interp(math.log1p(tolerance), excess, sizes) if passes else math.inf
        assert (row["examples"], row["largest"]) == (at, sizes[-1])
        assert row["critical_batch_size"] == pytest.approx(truth, rel=0.15)
        assert row["critical_low"] <= row["critical_batch_size"] <= row["critical_high"]


def test_a_branch_is_evaluated_where_its_run_is_and_holds_what_the_window_allows() -> None:
    branching = Branching((100,), (1, 2, 4, 8, 64), 0.5, "sqrt")
    planned = configuration(batch_size=5, branching=branching)
    branches = branches_at(planned, 100, 30)
    assert [branch.batch_size for branch in branches] == [5, 10, 20]
    assert [branch.rate_factor for branch in branches] == [1, math.sqrt(2), 2]
    assert {branch.points for branch in branches} == {(140,)}
    assert len(branches_at(replace(planned, batch_size=1), 100, 2)[0].points) == 4


def losses_of(rows: dict[int, list[list[float]]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return trials and curves of branches, whose losses are given by size and seed."""
    names = {"trial": ["a", "b", "c"], "seed": [1, 2, 3]}
    trials = pd.DataFrame({**names, "stage": BRANCH, "group": "g", "batch_size": 8})
    points = [
        {"trial": "abc"[seed], "examples": 120 + look, "train_loss": loss, "branch_at": 100.0}
        | {"branch_batch_size": float(size), "validation_loss": np.nan}
        for size, seeds in rows.items()
        for seed, losses in enumerate(seeds)
        for look, loss in enumerate(losses)
    ]
    return trials, pd.DataFrame(points)


def test_the_noisy_quadratic_s_critical_batch_size_is_measured() -> None:
    # NQM (Zhang et al. 2019): E[x^2] after an update is ((1 - eta h)^2) E[x^2] + eta^2 h c / B.
    h, noise, rate, start, updates = 0.5, 4.0, 0.05, 1.0, 64

    def loss(size: int) -> float:
        eta, second = rate * math.sqrt(size / 8), start
        for _ in range(updates * 8 // size):
            second = (1 - eta * h) ** 2 * second + eta**2 * h * noise / size
        return h * second / 2

    rng = np.random.default_rng(1)
    sizes = [8, 16, 32, 64, 128]
    rows = {s: [[loss(s) * math.exp(rng.normal(0, 0.001))] * 4 for _ in range(3)] for s in sizes}
    table = branch_losses(*losses_of(rows))
    exact = next(size for size in range(8, 128) if loss_between(loss, size) > 1.05 * loss(8))
    (row,) = critical_batch_sizes(table, 0.05).to_dict("records")
    assert row["critical_batch_size"] == pytest.approx(exact, rel=0.15)
    assert row["critical_low"] < row["critical_batch_size"] < row["critical_high"]


def loss_between(loss: Any, size: int) -> float:
    """Return the loss at a size that the window may not hold a whole number of times."""
    below = 8 * 2 ** int(math.log2(size / 8))
    share = (size - below) / below
    return math.exp((1 - share) * math.log(loss(below)) + share * math.log(loss(2 * below)))


@pytest.mark.parametrize(
    ("losses", "critical"),
    [
        ({8: [[1.0]] * 3, 16: [[1.0]] * 3, 32: [[1.0]] * 3}, math.inf),
        ({8: [[1.0]] * 3, 16: [[1.0]] * 3, 32: [[1.0], [1.0], [math.inf]]}, 16.0),
        ({8: [[1.0]] * 3, 16: [[1.0]] * 3, 32: [[1.0], [1.0], [math.nan]]}, 16.0),
        ({8: [[1.0]] * 3, 16: [[math.e]] * 3}, 8 + 8 * math.log1p(0.01)),
        ({8: [[math.inf]] * 2 + [[1.0]], 16: [[1.0]] * 3}, math.inf),
    ],
    ids=["none is worse", "one diverged", "one has no loss", "all are worse", "runs that diverged"],
)
def test_what_branches_show_at_their_ends(
    losses: dict[int, list[list[float]]], critical: float
) -> None:
    table = branch_losses(*losses_of(losses))
    (row,) = critical_batch_sizes(table, 0.01).to_dict("records")
    assert row["critical_batch_size"] == pytest.approx(critical)
    if critical == 16:
        assert (row["critical_low"], row["critical_high"]) == (16, 32)


def test_a_point_after_which_every_run_diverged_says_nothing() -> None:
    table = branch_losses(*losses_of({8: [[math.inf]] * 3, 16: [[1.0]] * 3}))
    assert table.empty
    assert critical_batch_sizes(table, 0.01).empty


def test_a_trainer_goes_on_from_what_it_saved(tmp_path: Path) -> None:
    branch = {"at": [0.5, 1.0], "factors": [2, 4], "window": 1.0, "rate_rule": "linear"}
    keys: dict[str, Any] = {"trainer": trained.quadratic, "training_examples": 256}
    keys |= {"batch_sizes": 8, "learning_rates": 0.1, "epochs": 1, "explore": False}
    keys |= {"confirmation_seeds": [1, 2], "timing": False, "branch": branch}
    results = Study("saves", **keys).run(tmp_path / "saves", n_jobs=1, backend="sequential")
    assert {*results.trials["status"]} == {"ok"}
    table = branch_losses(results.trials, results.curves)
    # x := (1 - rate) x at every update: what a branch loses is known.
    for at, looks in {128: (3, 4), 256: (5, 6, 7, 8)}.items():
        rows = table[table["examples"] == at]
        expected = [
            np.log(np.mean([(1 - 0.1 * factor) ** (2 * 4 / factor * look) for look in looks]))
            for factor in (1, 2, 4)
        ]
        np.testing.assert_allclose(rows["excess"], np.subtract(expected, expected[0]), atol=1e-9)


def test_a_trainer_that_does_not_save_is_told_so(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"trainer": trained.right, "training_examples": 256}
    keys |= {"batch_sizes": 8, "learning_rates": 0.1, "epochs": 1, "explore": False}
    keys |= {"confirmation_seeds": [1], "timing": False, "branch": {"at": [0.5]}}
    results = Study("forgets", **keys).run(tmp_path / "forgets", n_jobs=1, backend="sequential")
    branched = results.trials[results.trials["stage"] == BRANCH]
    assert "did not write its state to `trial.save_to`" in branched["error"].iloc[0]

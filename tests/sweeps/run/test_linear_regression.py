"""Linear regression through a whole study: rates and updates to a target are those in closed form.

Setup:
    One linear layer and targets `t = w . x` without noise. SGD with the mean of B fresh gradients
    of d features has, within a part 1/d that the bias unit adds,

        best rate = B/(B + d + 1)
        updates that reduce the loss to rho times its start: ln(1/rho) / ln(1 + B/(d + 1))

    `tests/bpengine/test_linear_regression.py` derives them.

What a study adds:
    Its examples are finitely many. They are whitened, so that their second moment is that of the
    normal distribution exactly, and a quarter of the training set is seen, each example once, so
    that batches are as good as fresh. Rates are selected on the validation set, the target is set
    from the tuning seeds, and updates are read from the curves of fresh seeds. Evaluations lie a
    factor of two apart; between them the logarithm of the loss is a straight line, as in the closed
    form.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.selection import select_rates, summarise_cells
from reports.schema.results import EXPLORE, FRESH_STAGES, TUNING_STAGES, StudyResults
from reports.stats.models.first_passage import REACHED, Target, targets_by_group, updates_to_target
from reports.stats.models.steps_to_target import NOT_IN_RANGE, fit_steps_to_target
from sweeps import Study

FEATURES, ITEMS, SEEN = 64, 1280, 128
BATCH_SIZES = (1, 8, 32)
TUNING = 16
STEP = 1.2
"""Ratio of neighbouring rates."""
RATES = tuple(0.5 / STEP**power for power in range(22))


def best_rate(batch_size: int) -> float:
    return batch_size / (batch_size + FEATURES + 1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """The study, run."""
    folder = tmp_path_factory.mktemp("linear")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(ITEMS, FEATURES))
    white, _ = np.linalg.qr(x - x.mean(axis=0))
    inputs = math.sqrt(ITEMS) * white
    np.savez(folder / "linear.npz", X=inputs, y=inputs @ rng.normal(size=FEATURES))
    study = Study(
        "linear",
        dataset={"path": str(folder / "linear.npz"), "inputs": "X", "target": "y"},
        batch_sizes=[*BATCH_SIZES],
        learning_rates=[*RATES],
        extensions=0,
        seeds={"first": 1, "count": TUNING},
        confirmation_seeds={"first": 101, "count": 250},
        examples=SEEN,
        validation=640,
        test=128,
        scaling="none",
        initial_scale=1e-3,
        divergence=math.inf,
        dtype="float64",
        timing=False,
    )
    return study.run(folder / "study", n_jobs=1, backend="sequential")


def curves(finished: StudyResults, stages: tuple[str, ...]) -> pd.DataFrame:
    """Return the curves at the selected rates."""
    trials = finished.trials[finished.trials["stage"].isin(stages)]
    selection = select_rates(summarise_cells(finished.trials, finished.description.tuning_seeds))
    shown = trials.merge(selection[["batch_size", "learning_rate"]])
    return finished.curves.merge(shown[["trial", "batch_size", "seed"]], on="trial")


@pytest.fixture(scope="module")
def target(finished: StudyResults) -> Target:
    """Half of the tuning seeds' progress."""
    tuning = curves(finished, TUNING_STAGES).assign(group="")
    (half,) = targets_by_group(tuning, "validation_loss", shares=[0.5])[""]
    return half


@pytest.fixture(scope="module")
def crossings(finished: StudyResults, target: Target) -> pd.DataFrame:
    """Updates of the fresh seeds to that target."""
    return updates_to_target(curves(finished, FRESH_STAGES), "validation_loss", [target])


def test_every_rate_of_every_batch_size_was_tried(finished: StudyResults) -> None:
    explored = finished.trials[finished.trials["stage"] == EXPLORE]
    assert len(explored) == len(BATCH_SIZES) * len(RATES) * TUNING
    assert (finished.trials["status"] == "ok").all()


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_the_selected_rate_is_within_a_step_of_the_closed_form(
    finished: StudyResults, batch_size: int
) -> None:
    selection = select_rates(summarise_cells(finished.trials, finished.description.tuning_seeds))
    selected = selection.set_index("batch_size")["learning_rate"]
    assert abs(math.log(selected[batch_size] / best_rate(batch_size))) <= math.log(STEP)


def mean_updates(crossings: pd.DataFrame) -> list[float]:
    """Return the geometric mean over seeds for each batch size, as a fit takes it."""
    logs = np.log(crossings["updates"]).groupby(crossings["batch_size"]).mean()
    return [float(value) for value in np.exp(logs)]


def test_updates_to_the_target_are_within_2_percent_of_the_closed_form(
    finished: StudyResults, target: Target, crossings: pd.DataFrame
) -> None:
    fresh = curves(finished, FRESH_STAGES)
    rho = target.level / fresh.loc[fresh["updates"] == 0, "validation_loss"].mean()
    expected = [math.log(1 / rho) / math.log1p(size / (FEATURES + 1)) for size in BATCH_SIZES]
    assert (crossings["outcome"] == REACHED).all()
    assert mean_updates(crossings) == pytest.approx(expected, rel=0.02)
    # Updates in proportion to 1/B would not do.
    assert expected[-1] > 1.2 * expected[0] / BATCH_SIZES[-1]


def test_no_plateau_is_found_where_there_is_none(crossings: pd.DataFrame) -> None:
    # The closed form falls to 0 as B grows.
    fit = fit_steps_to_target(BATCH_SIZES, mean_updates(crossings))
    assert (fit.plateau, fit.critical_batch_size) == (NOT_IN_RANGE, None)

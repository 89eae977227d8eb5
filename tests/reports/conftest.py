"""Synthetic studies: deterministic, shaped like the real ones, and as odd as a test needs them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser

from reports.analysis.selection import select_rates, summarise_cells
from reports.charts.base import svg
from reports.output.build import build_report
from reports.recommend.analysis import analyse
from reports.recommend.record import Analysis
from reports.schema.results import (
    CONFIRM,
    CURVE_COLUMNS,
    EXPLORE,
    TIMING_COLUMNS,
    TRIAL_COLUMNS,
    Cluster,
    Column,
    GroupDescription,
    StudyDescription,
    StudyResults,
    empty_table,
)
from tests.helpers.browsing import chromium

BEGIN = 1_700_000_000.0
"""When the first trials began, in seconds since 1970."""
EPOCHS = 20
"""Passes that trials make of groups whose budget isn't in epochs."""
DIGITS_GROUP = GroupDescription(
    group="digits",
    dataset="digits",
    fingerprint="5f3c0d6a",
    task="classification",
    train_items=1077,
    validation_items=360,
    test_items=360,
    features=64,
    outputs=10,
    target_names=tuple("0123456789"),
    notes=(),
    hidden_layers=(32,),
    activation="sigmoid",
    output="sigmoid",
    loss="squared_error",
    reduction="mean",
    optimizer="sgd",
    hyperparameters={},
    memories=("momentum", "beta1", "beta2"),
    schedule="",
    rate_rule="none",
    shards=1,
    local_updates=1,
    metric="accuracy",
    budget="20 epochs",
    epochs=20,
    batch_sizes=tuple(2**power for power in range(11)),
    learning_rates=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    gradient_bytes=9_640,
)
DIGITS = StudyDescription(
    name="digits",
    title="Batch size on the digits dataset",
    groups=(DIGITS_GROUP,),
    seeds=(0, 1, 2, 3, 4),
    confirmation_seeds=(100, 101, 102, 103, 104),
    planned_trials=385,
    sweep_seconds=21.4,
    jobs=2,
    specification='name = "digits"\nbatch_sizes = [1, 2, 4]\n',
    provenance={"python": "3.13.1", "numpy": "2.4.6", "processor": "a processor"},
    claims=True,
    cluster=Cluster(5e-5, 1.25e9, "halving", tuple(2**power for power in range(13))),
)


_ANALYSED: dict[bytes, Analysis] = {}
"""Numbers of studies, by what the studies hold: tests make the same few again and again."""


@dataclass(frozen=True)
class Sketch:
    """What a synthetic study is to look like.

    Attributes:
        description: Its description; `planned_trials` is filled in.
        diverges: Whether a trial of (batch size, learning rate, seed) diverges.
        accuracy: Expected accuracy of (batch size, learning rate) after an epoch count.
        noise: Standard deviation of a trial's accuracy.
        rounds: Rounds of the benchmark; 0 leaves it out.
        error: Status and error text of the last explore trial; empty for none.
    """

    description: StudyDescription = DIGITS
    diverges: Callable[[int, float, int], bool] = lambda batch, rate, _seed: rate > 3 * batch**0.6
    accuracy: Callable[[int, float, float], float] = lambda batch, rate, epochs: (
        0.1 + 0.875 * (1 - np.exp(-((rate * 1077 * epochs / batch / 60) ** 0.5)))
    )
    noise: float = 0.004
    rounds: int = 5
    error: str = ""


def small(**changes: object) -> StudyDescription:
    """Return the digits study with three batch sizes and three rates, further changed.

    Args:
        changes: Fields of the study, or of its group.
    """
    return several({}, **{"batch_sizes": (8, 64, 512), "learning_rates": (0.3, 1.0, 3.0)} | changes)


def several(*groups: dict[str, object], **changes: object) -> StudyDescription:
    """Return a study of these groups, each the digits group with changes.

    Args:
        groups: What differs in each group.
        changes: Fields of the study, or of all its groups.
    """
    described = {field.name for field in fields(StudyDescription)}
    shared = {name: value for name, value in changes.items() if name not in described}
    plans = tuple(
        replace(DIGITS_GROUP, **shared | group)  # type: ignore[arg-type]
        for group in groups
    )
    rest = {name: value for name, value in changes.items() if name in described}
    return replace(DIGITS, **{"groups": plans} | rest)  # type: ignore[arg-type]


def make_results(sketch: Sketch | None = None) -> StudyResults:
    """Return the tables that a study of this sketch would leave behind."""
    sketch = sketch or Sketch()
    rows: list[dict[str, object]] = []
    curves: list[dict[str, object]] = []
    for group in sketch.description.groups:
        alone = replace(sketch, description=replace(sketch.description, groups=(group,)))
        cells = [(b, r) for b in group.batch_sizes for r in group.learning_rates]
        explored, points = _stage(alone, EXPLORE, cells)
        selection = select_rates(
            summarise_cells(table(explored, TRIAL_COLUMNS), alone.description.tuning_seeds)
        )
        chosen = list(zip(selection["batch_size"], selection["learning_rate"], strict=True))
        confirmed, more = _stage(alone, CONFIRM, chosen)
        rows += explored + confirmed
        curves += points + more
    if sketch.error:
        rows[0] |= {"status": "error", "error": sketch.error}
    return StudyResults(
        replace(sketch.description, planned_trials=len(rows)),
        _clocked(table(rows, TRIAL_COLUMNS)),
        table(curves, CURVE_COLUMNS),
        table(_timing(sketch), TIMING_COLUMNS),
    )


def _clocked(trials: pd.DataFrame) -> pd.DataFrame:
    """Let each batch size of a stage have been a cohort, two of them at a time."""
    cohort = trials.groupby(["group", "stage", "batch_size"], sort=False).ngroup()
    started = BEGIN + 0.4 * (cohort // 2)
    return trials.assign(started=started, ended=started + 0.4 / (1 + 0.1 * (cohort % 11)))


def table(rows: Sequence[dict[str, object]], columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return rows as a table of these columns."""
    dtypes = {column.name: column.dtype for column in columns}
    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dtypes)


def numbers(results: StudyResults) -> Analysis:
    """Return the numbers of a study's only group, worked out once for each study."""
    key = hashlib.sha256(pickle.dumps(results)).digest()
    if key not in _ANALYSED:
        (_ANALYSED[key],) = analyse(results)
    return _ANALYSED[key]


def keep(results: StudyResults, trials: pd.Series) -> StudyResults:
    """Return the results with these trials only: what an interrupted sweep leaves behind."""
    kept = results.trials[trials].reset_index(drop=True)
    curves = results.curves[results.curves["trial"].isin(kept["trial"])].reset_index(drop=True)
    return replace(results, trials=kept, curves=curves)


def of_seeds(results: StudyResults, *seeds: int) -> StudyResults:
    """Return the results of a study that planned these seeds only, of those it has."""
    plan = results.description
    fewer = replace(
        plan,
        seeds=tuple(seed for seed in plan.seeds if seed in seeds),
        confirmation_seeds=tuple(seed for seed in plan.confirmation_seeds if seed in seeds),
    )
    return replace(keep(results, results.trials["seed"].isin(seeds)), description=fewer)


def without_timing(results: StudyResults) -> StudyResults:
    """Return the results of a study whose benchmark has not run."""
    return replace(results, timing=empty_table(TIMING_COLUMNS))


def nothing_run(results: StudyResults) -> StudyResults:
    """Return a study whose sweep has not begun."""
    return replace(
        without_timing(results),
        trials=empty_table(TRIAL_COLUMNS),
        curves=empty_table(CURVE_COLUMNS),
    )


@pytest.fixture(scope="session")
def digits() -> StudyResults:
    """The study as shipped: 11 batch sizes, 6 rates, 5 and 5 seeds."""
    return make_results()


@pytest.fixture(scope="session")
def analysis(digits: StudyResults) -> Analysis:
    """Its numbers."""
    return numbers(digits)


@pytest.fixture(scope="session")
def digits_report(digits: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the study as shipped."""
    return build_report(digits, tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of the page."""
    with chromium() as started:
        yield started


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figure, where the rest of a report is the point: that takes most of its time."""
    monkeypatch.setattr(svg, "draw", lambda _chart: "<svg width='1' height='1'>x</svg>")


@pytest.fixture(autouse=True)
def _closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the pages that a test has opened: one that loads itself again would never stop."""
    if "browser" not in request.fixturenames:
        yield
        return
    started: Browser = request.getfixturevalue("browser")
    before = started.contexts
    yield
    for context in started.contexts:
        if context not in before:
            context.close()


def _stage(
    sketch: Sketch, stage: str, cells: Sequence[tuple[int, float]]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    plan = sketch.description
    seeds = plan.seeds if stage == EXPLORE else plan.confirmation_seeds
    trials = [_trial(sketch, stage, b, rate, seed) for b, rate in cells for seed in seeds]
    return [row for row, _ in trials], [point for _, curve in trials for point in curve]


def _trial(
    sketch: Sketch, stage: str, batch: int, rate: float, seed: int
) -> tuple[dict[str, object], list[dict[str, object]]]:
    plan = sketch.description.groups[0]
    label = "" if plan.group == "digits" else f"{plan.group} "
    name = hashlib.sha256(f"{label}{stage} {batch} {rate} {seed}".encode()).hexdigest()
    rng = np.random.default_rng([int(name[:8], 16)])
    per_epoch = -(-plan.train_items // batch)
    diverged = sketch.diverges(batch, rate, seed)
    last_epoch = int(plan.epochs or EPOCHS)
    epochs = [0.0, 0.25, 0.5, *range(1, last_epoch + 1)]
    seen = [] if diverged else epochs
    curve = [_point(sketch, name, rng, batch=batch, rate=rate, epochs=e) for e in seen]
    last = curve[-1] if curve else {}
    confirmed = stage == CONFIRM and not diverged
    return {
        "trial": name,
        "group": plan.group,
        "stage": stage,
        "dataset": plan.dataset,
        "architecture": plan.architecture,
        "optimizer": plan.optimizer,
        "activation": plan.activation,
        "loss": plan.loss,
        "reduction": plan.reduction,
        "hyperparameters": ", ".join(f"{k}={v:g}" for k, v in plan.hyperparameters.items()),
        "schedule": plan.schedule,
        "shards": plan.shards,
        "local_updates": plan.local_updates,
        "batch_size": batch,
        "learning_rate": rate,
        "seed": seed,
        "status": "diverged" if diverged else "ok",
        "diverged_at_update": 7 if diverged else None,
        "updates": 7 if diverged else last_epoch * per_epoch,
        "examples": 7 * batch if diverged else last_epoch * plan.train_items,
        **{column: last.get(column) for column in ("train_loss", "train_metric")},
        **{column: last.get(column) for column in ("validation_loss", "validation_metric")},
        "test_loss": last.get("validation_loss") if confirmed else None,
        "test_metric": _measured(last["validation_metric"], 0.002, rng) if confirmed else None,
        "error": "",
        "train_seconds": 0.05 + 1 / batch,
    }, curve


def _point(
    sketch: Sketch, trial: str, rng: np.random.Generator, *, batch: int, rate: float, epochs: float
) -> dict[str, object]:
    plan = sketch.description.groups[0]
    accuracy = _measured(sketch.accuracy(batch, rate, epochs), sketch.noise, rng)
    examples = round(epochs * plan.train_items)
    return {
        "trial": trial,
        "examples": examples,
        "updates": -(-examples // batch),
        "train_loss": 1 - accuracy,
        "train_metric": accuracy,
        "validation_loss": 1.02 - accuracy,
        "validation_metric": accuracy,
        "gradient_trace": 60.0 * (1 + int(trial[:4], 16) / 2**20),
        "gradient_squared_norm": 1.0 + int(trial[4:8], 16) / 2**20,
    }


def _measured(expected: object, noise: float, rng: np.random.Generator) -> float:
    measured = float(str(expected)) + noise * rng.normal()
    return round(min(max(measured, 0.0), 1.0) * 360) / 360


def _timing(sketch: Sketch) -> list[dict[str, object]]:
    rng = np.random.default_rng(1)
    return [
        {
            "group": group.group,
            "engine": engine,
            "lanes": 1,
            "batch_size": batch,
            "round": number,
            "updates": 50,
            "wall_seconds": (seconds := 50 * (fixed + item * batch) * rng.uniform(1, 1.1)),
            "cpu_seconds": 0.99 * seconds,
            "started": BEGIN + 8 + 0.02 * number + 1e-6 * batch + 1e-9 * fixed,
        }
        for group in sketch.description.groups
        for engine, fixed, item in (("tensor", 4e-5, 6e-7), ("per-item", 6e-6, 4e-5))
        for batch in group.batch_sizes
        for number in range(sketch.rounds)
    ]

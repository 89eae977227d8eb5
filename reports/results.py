"""The tables a report is made from: their columns, units and meanings, checked.

Everything in this package starts from a `StudyResults`; nothing else crosses the border from the
sweep to the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

EXPLORE = "explore"
"""Stage that tries every learning rate; its test metrics are never computed."""
CONFIRM = "confirm"
"""Stage that repeats the selected learning rates on fresh seeds and computes test metrics."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: The column's name, in every table and file.
        dtype: The pandas dtype it must have.
        unit: What one unit of it is; empty for names and identifiers.
        meaning: One sentence for the reader of the table.
        volatile: Whether two runs of the same study may differ in it (times do).
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    volatile: bool = False


TRIAL_COLUMNS = (
    Column("trial", "str", "", "Content hash of everything that determines the trial's result."),
    Column("stage", "str", "", "explore: all rates; confirm: the selected rates on fresh seeds."),
    Column("dataset", "str", "", "Name of the dataset."),
    Column("architecture", "str", "", "Layer widths, inputs first, without the bias units."),
    Column("optimizer", "str", "", "Update rule."),
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("learning_rate", "float64", "", "Factor of the gradient in an update."),
    Column("seed", "int64", "", "Seed of split, initial weights and order."),
    Column("status", "str", "", "ok, diverged, or why there is no result."),
    Column(
        "diverged_at_update", "Int64", "updates", "First update that left a non-finite network."
    ),
    Column("updates", "int64", "updates", "Updates made."),
    Column("examples", "int64", "examples", "Examples processed."),
    Column("train_loss", "float64", "per example", "Mean loss over the training part, at the end."),
    Column("train_metric", "float64", "", "Metric over the training part, at the end."),
    Column("validation_loss", "float64", "per example", "Mean loss over the validation part."),
    Column("validation_metric", "float64", "", "Metric over the validation part, at the end."),
    Column("test_loss", "float64", "per example", "Mean loss over the test part; confirm only."),
    Column("test_metric", "float64", "", "Metric over the test part, at the end; confirm only."),
    Column("error", "str", "", "What went wrong, for trials without a result."),
    Column("train_seconds", "float64", "s", "The trial's share of its cohort's time.", True),
)

CURVE_COLUMNS = (
    Column("trial", "str", "", "The trial's content hash."),
    Column("examples", "int64", "examples", "Examples processed before the evaluation."),
    Column("updates", "int64", "updates", "Updates made before the evaluation."),
    Column("train_loss", "float64", "per example", "Mean loss over the training part."),
    Column("train_metric", "float64", "", "Metric over the training part."),
    Column("validation_loss", "float64", "per example", "Mean loss over the validation part."),
    Column("validation_metric", "float64", "", "Metric over the validation part."),
)

TIMING_COLUMNS = (
    Column("engine", "str", "", "tensor: the cohort engine with one lane; per-item: one by one."),
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("round", "int64", "", "Number of the measurement round, from 0."),
    Column("updates", "int64", "updates", "Updates timed in the round.", volatile=True),
    Column("wall_seconds", "float64", "s", "Wall time of the round.", volatile=True),
    Column("cpu_seconds", "float64", "s", "Processor time of the round.", volatile=True),
)


@dataclass(frozen=True)
class StudyDescription:
    """What was planned, on which data, and where it ran.

    Attributes:
        name: The study's name, as in its specification.
        title: One line for the head of the page.
        dataset: The dataset's name.
        fingerprint: Content hash of the data.
        train_items: Examples of the training part.
        validation_items: Examples of the validation part.
        test_items: Examples of the test part.
        features: Inputs of the network, without the bias.
        outputs: Outputs of the network.
        hidden_layers: Units of each hidden layer, without the bias units.
        activation: Activation of every layer.
        loss: Loss of one example.
        reduction: How a batch's losses become its error: "sum" or "mean".
        optimizer: Update rule.
        metric: What the columns ending in `_metric` hold, such as "accuracy".
        epochs: Passes over the training part that each trial makes.
        batch_sizes: Batch sizes tried.
        learning_rates: Learning rates tried.
        seeds: Seeds of the explore stage.
        confirmation_seeds: Seeds of the confirm stage; empty if it is switched off.
        planned_trials: Trials of the explore and the confirm stage together.
        sweep_seconds: Wall time spent on trials, over all sessions; volatile.
        jobs: Worker processes of the last session that ran trials; volatile.
        specification: The specification in full, as TOML.
        provenance: Versions, processor, BLAS and threads, by name; volatile.
    """

    name: str
    title: str
    dataset: str
    fingerprint: str
    train_items: int
    validation_items: int
    test_items: int
    features: int
    outputs: int
    hidden_layers: tuple[int, ...]
    activation: str
    loss: str
    reduction: str
    optimizer: str
    metric: str
    epochs: int
    batch_sizes: tuple[int, ...]
    learning_rates: tuple[float, ...]
    seeds: tuple[int, ...]
    confirmation_seeds: tuple[int, ...]
    planned_trials: int
    sweep_seconds: float
    jobs: int
    specification: str
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class StudyResults:
    """A study's description and its tables, sorted, one row per trial, evaluation or round.

    Attributes:
        description: What was planned, on which data, and where it ran.
        trials: Columns `TRIAL_COLUMNS`. Trials that have not run yet are absent.
        curves: Columns `CURVE_COLUMNS`, ordered by examples within a trial.
        timing: Columns `TIMING_COLUMNS`; empty if the timing pass has not run.

    Raises:
        ValueError: A table lacks a column, has one too many or one of another dtype.
    """

    description: StudyDescription
    trials: pd.DataFrame
    curves: pd.DataFrame
    timing: pd.DataFrame

    def __post_init__(self) -> None:
        """Check every table against its columns."""
        _check("trials", self.trials, TRIAL_COLUMNS)
        _check("curves", self.curves, CURVE_COLUMNS)
        _check("timing", self.timing, TIMING_COLUMNS)


def empty_table(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return a table of these columns without rows.

    Args:
        columns: Names and dtypes, in order.
    """
    return pd.DataFrame({c.name: pd.Series(dtype=c.dtype) for c in columns})


def as_table(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return these columns of a frame, in order, with their dtypes and a fresh index.

    Args:
        frame: Has at least these columns.
        columns: Names and dtypes, in order.
    """
    dtypes = {column.name: column.dtype for column in columns}
    return frame[list(dtypes)].astype(dtypes).reset_index(drop=True)


def _check(table: str, frame: pd.DataFrame, columns: tuple[Column, ...]) -> None:
    expected = {column.name: column.dtype for column in columns}
    found = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    if found != expected:
        raise ValueError(f"Table {table!r} must have the columns {expected}, but has {found}.")

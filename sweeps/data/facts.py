"""What a study needs to know of its data once the examples are out of sight."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, Field

from sweeps.data.splits import REGRESSION, Dataset, Preparation, Source, part_sizes, target_scaling
from sweeps.errors import counted

IMBALANCED = 0.8
"""Share of the most frequent class above which accuracy says little of the others."""


@dataclass(frozen=True)
class DataFacts:
    """Facts of a dataset split in a given way."""

    source: Source
    fingerprint: str
    task: str
    preparation: Preparation  # its sets as counts
    train_items: int
    features: int = 0
    outputs: int = 0
    target_names: tuple[str, ...] = ()  # of classes, or of the targets of a regression
    notes: tuple[str, ...] = ()
    target_scales: tuple[tuple[int, tuple[float, ...]], ...] = ()  # of a regression, by seed
    most_frequent: float | None = None  # share of the most frequent class, if it has classes
    constant_loss: float | None = None  # log loss, or MAE, of the best constant prediction
    sampled_rows: int = 0  # of the file that the examples are a sample of

    def summary(self) -> str:
        """Return what the data are, in a line."""
        if not self.features:
            epoch = f", {counted(self.train_items, 'example')} an epoch" if self.train_items else ""
            return f"{self.source.name}: a trainer{epoch}"
        outputs = ("target", "") if self.task == REGRESSION else ("class", "classes")
        parts = self.preparation
        examples = int(self.train_items + parts.validation + parts.test)
        sample = f"{examples:,} of {self.sampled_rows:,} rows, sampled; "
        return (
            f"{self.source.name}: {sample if self.sampled_rows else ''}"
            f"{counted(self.train_items, 'example')} to train on, "
            f"{parts.validation} for validation, {parts.test} for the test; "
            f"{counted(self.features, 'feature')}, {counted(self.outputs, *outputs)}"
        )


MOST_LINES = 6


def notes_of(facts: DataFacts, metric: object) -> tuple[str, ...]:
    """Return what there is to know of data that a metric judges; of none, the default."""
    largest = facts.most_frequent or 0.0
    if largest <= IMBALANCED:
        return facts.notes
    advice = f"the metric is {metric}"
    if metric in {None, "accuracy"}:
        advice = "`--set 'metric=\"balanced_accuracy\"'` weighs all classes alike"
    note = f"{100 * largest:.1f}% of the examples are of one class: {advice}."
    return (note, *facts.notes)


def summary_lines(data: Iterable[DataFacts], metric: object = None) -> list[str]:
    """Return what was read of the data, in as few lines as one reads before a study runs."""
    lines = [line for facts in data for line in (facts.summary(), *notes_of(facts, metric))]
    if len(lines) <= MOST_LINES:
        return lines
    more = counted(len(lines) - MOST_LINES + 1, "more note")
    return [*lines[: MOST_LINES - 1], f"{more}: `bpsweep validate` lists all"]


def facts_of(
    dataset: Dataset, source: Source, preparation: Preparation, seeds: Iterable[int] = ()
) -> DataFacts:
    """Return the facts of a dataset."""
    train, validation, test = part_sizes(len(dataset.inputs), preparation)
    # A share and the count it makes are the same split, and so the same trials.
    counted = replace(preparation, validation=validation, test=test)
    is_regression = dataset.task == REGRESSION
    return DataFacts(
        source=source,
        fingerprint=dataset.fingerprint,
        task=dataset.task,
        preparation=counted,
        train_items=train,
        features=dataset.inputs.shape[1],
        outputs=dataset.targets.shape[1],
        target_names=dataset.target_names if is_regression else dataset.classes,
        notes=dataset.notes,
        target_scales=tuple(
            (seed, tuple(target_scaling(dataset, counted, seed)[1].tolist()))
            for seed in seeds
            if is_regression
        ),
        sampled_rows=dataset.sampled_rows,
        most_frequent=share_of_largest(dataset),
        constant_loss=_constant_loss(dataset),
    )


def facts_of_trainer(source: Source, train_items: int, task: str) -> DataFacts:
    """Return the facts of a trainer, which has data of its own: most are unknown."""
    return DataFacts(source, source.content, task, Preparation(0, 0, "none"), train_items)


def share_of_largest(dataset: Dataset) -> float | None:
    """Return the share of the most frequent class; None of a regression."""
    return None if dataset.task == REGRESSION else float(dataset.targets.mean(axis=0).max())


def _constant_loss(dataset: Dataset) -> float:
    """Return the entropy of the classes, or the mean distance of targets from their median."""
    targets = dataset.targets
    if dataset.task == REGRESSION:
        distances = np.abs(targets - np.median(targets, axis=0)).mean(axis=0)
        several = targets.shape[1] > 1  # which are standardised
        return float((distances / targets.std(axis=0)).mean() if several else distances.mean())
    shares = targets.mean(axis=0)
    return float(-(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares))).sum())


class Sessions(BaseModel):
    """What a store knows of the sessions that filled it."""

    # The last session's worker processes; 0 if unknown. Seconds are those of all sessions.
    jobs: int = Field(0, ge=0, le=1_000_000)
    sweep_seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    provenance: dict[str, str] = {}


def sessions_of(stored: Mapping[str, str]) -> Sessions:
    """Return what a store knows of its sessions; what can't be so counts as unknown."""
    known = Sessions()
    for key in Sessions.model_fields.keys() & stored.keys():
        # ValidationError is a ValueError, too.
        with suppress(ValueError, RecursionError):
            read = Sessions.model_validate({key: json.loads(stored[key])}, strict=True)
            known = known.model_copy(update={key: getattr(read, key)})
    return known


Facts = dict[str, DataFacts]
"""Facts of the data by `key_of` what the specification writes for them."""


def key_of(written: object) -> str:
    """Return a key for what a specification writes for a dataset: a name or a table."""
    return json.dumps(written, sort_keys=True, default=str)

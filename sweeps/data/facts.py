"""What a study needs to know of its data once the examples are out of sight."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from pydantic import BaseModel, Field

from sweeps.data.splits import (
    REGRESSION,
    Dataset,
    Preparation,
    Source,
    part_sizes,
    target_scaling,
)
from sweeps.errors import counted


@dataclass(frozen=True)
class DataFacts:
    """Facts of a dataset split in a given way.

    Attributes:
        source: What names the data.
        fingerprint: Content hash of the data.
        task: classification or regression.
        preparation: How the data are split and scaled, its parts as counts.
        train_items: Examples of the training part.
        features: Inputs of a network.
        outputs: Outputs of a network.
        target_names: Names of the classes, or of the targets of a regression.
        notes: What was found in or done to the data, a sentence each.
        target_scales: Of a regression, what each target is divided by, for each seed.
        most_frequent: Share of the most frequent class; None in regression, or if not known.
    """

    source: Source
    fingerprint: str
    task: str
    preparation: Preparation
    train_items: int
    features: int
    outputs: int
    target_names: tuple[str, ...]
    notes: tuple[str, ...]
    target_scales: tuple[tuple[int, tuple[float, ...]], ...] = ()
    most_frequent: float | None = None

    def summary(self) -> str:
        """Return what the data are, in a line."""
        outputs = ("target", "") if self.task == REGRESSION else ("class", "classes")
        parts = self.preparation
        return (
            f"{self.source.name}: {counted(self.train_items, 'example')} to train on, "
            f"{parts.validation} for validation, {parts.test} for the test; "
            f"{counted(self.features, 'feature')}, {counted(self.outputs, *outputs)}"
        )


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
        most_frequent=None if is_regression else float(dataset.targets.mean(axis=0).max()),
    )


class Sessions(BaseModel):
    """What a store knows of the sessions that filled it.

    Attributes:
        jobs: Worker processes of the last one; 0 if unknown.
        sweep_seconds: Wall time spent on trials in all of them.
        provenance: What results were computed with, as from `sweeps.machine.provenance`.
    """

    jobs: int = Field(default=0, ge=0, le=1_000_000)
    sweep_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
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

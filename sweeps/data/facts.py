"""What a study needs to know of its data once the examples are out of sight."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter

from sweeps.data.files.formats import FORMATS
from sweeps.data.parameters import read_parameters
from sweeps.data.registry import SourceError, read_source
from sweeps.data.splits import (
    CLASSIFICATION,
    REGRESSION,
    SCALINGS,
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
    """Return the facts of a dataset.

    Args:
        dataset: The examples.
        source: What names them.
        preparation: How they are split and scaled.
        seeds: Seeds whose target scales are wanted.
    """
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
    """Return what a store knows of its sessions; what can't be so counts as unknown.

    Args:
        stored: The store's facts.
    """
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


def to_json(data: Facts) -> str:
    """Return facts as JSON; where a file lies is left out."""
    shown = {
        key: replace(facts, source=replace(facts.source, path="")) for key, facts in data.items()
    }
    return json.dumps({key: asdict(facts) for key, facts in shown.items()})


def from_json(text: str) -> Facts:
    """Return facts from what `to_json` wrote, or somebody else: a store may come from anywhere.

    Args:
        text: JSON.

    Raises:
        ValueError: It says something that no specification can say.
        KeyError: It names a file of a format that bpsweep doesn't read.
    """
    data = TypeAdapter(Facts).validate_json(text, strict=True)
    return {key: _checked(facts) for key, facts in data.items()}


_MOST = 10**9


def _checked(facts: DataFacts) -> DataFacts:
    validation, test = int(facts.preparation.validation), int(facts.preparation.test)
    counts = (validation, test, facts.train_items, facts.features, facts.outputs)
    scales = [scale for _, of_seed in facts.target_scales for scale in of_seed]
    if not (
        facts.task in {CLASSIFICATION, REGRESSION}
        and facts.preparation.scaling in SCALINGS
        and all(0 < count <= _MOST for count in counts)
        and all(0 < scale < math.inf for scale in scales)
        and 0 <= (facts.most_frequent or 0.0) <= 1
    ):
        raise ValueError(f"{facts.source.name} can't be split so.")
    return replace(
        facts,
        source=_checked_source(facts.source),
        preparation=replace(facts.preparation, validation=validation, test=test),
    )


def _checked_source(source: Source) -> Source:
    """Return what names data, read as a specification is: a store never says where data are."""
    # What is empty was not written.
    given = {name: value for name, value in source.parameters if value not in ("", [])}
    if not source.content:
        try:
            return read_source(given | {"name": source.name}, folder=Path())
        except SourceError as error:
            raise ValueError(str(error)) from None
    # A file's parameters alone: nothing is read because a store names it.
    known = FORMATS[Path(source.name).suffix.lower()].parameters
    values, problems = read_parameters(given, known, source.name)
    if problems:
        raise ValueError(problems[0].text)
    return Source(source.name, tuple(sorted(values.items())), source.content)

"""Facts of data as a store keeps them: JSON, which may come from anywhere."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import TypeAdapter

from sweeps.data.facts import DataFacts, Facts
from sweeps.data.files.file_sources import FORMATS
from sweeps.data.parameters import pairs_of, read_parameters
from sweeps.data.registry import SourceError, read_source
from sweeps.data.splits import CLASSIFICATION, REGRESSION, SCALINGS, Source


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
    model = FORMATS[Path(source.name).suffix.lower()]
    parameters, problems = read_parameters(given, model, source.name)
    if problems:
        raise ValueError(problems[0].text)
    return Source(source.name, pairs_of(parameters), source.content)

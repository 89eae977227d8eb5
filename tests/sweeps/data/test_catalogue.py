"""The catalogue: every dataset with a name, and what is told of it is so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.data.catalogue import Entry, catalogue, catalogue_lines
from sweeps.data.downloads import FETCHED
from sweeps.data.registry import NAMES, load, read_source


def test_every_name_is_listed_once() -> None:
    assert sorted(entry.name for entry in catalogue()) == sorted(NAMES)


@pytest.mark.parametrize("entry", [one for one in catalogue() if not one.network])
def test_what_is_told_of_a_dataset_is_so(entry: Entry) -> None:
    dataset = load(read_source(entry.name, folder=Path()))
    found = (dataset.task, *dataset.inputs.shape)
    assert (entry.task, entry.examples, entry.features) == found


def test_only_what_is_downloaded_needs_a_network() -> None:
    assert {entry.name for entry in catalogue() if entry.network} == {*FETCHED}


def test_the_text_has_a_line_for_each() -> None:
    wine = next(one for one in catalogue() if one.name == "wine")
    lines = catalogue_lines([wine, replace(wine, name="larger", examples=12_345, network=True)])
    assert lines[:3] == [
        "name    kind     task            examples  features  network",
        "wine    bundled  classification       178        13  no",
        "larger  bundled  classification    12,345        13  yes",
    ]

"""The reference: complete, and what it says is what the model does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sweeps import Study
from sweeps.advise.request import keys_for
from sweeps.spec.axes import AXES, TABLES
from sweeps.spec.model import KEYS, StudySpecification, parse
from sweeps.spec.reference import allowed, new_specification, schemas_of, sections

PAGE = Path(__file__).parents[3] / "docs" / "specification.md"


def test_every_key_is_in_one_section() -> None:
    keys = [key for section in sections().values() for key in section]
    assert sorted(keys) == sorted(KEYS)


def test_the_pages_examples_are_right() -> None:
    first, *others = re.findall(
        r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    study = tomllib.loads(first)
    assert Study(**study).experiment.groups
    for other in others:
        assert Study(**study | tomllib.loads(other)).experiment.groups


def test_every_key_and_field_is_described() -> None:
    for model in (StudySpecification, *TABLES.values()):
        for name, field in model.model_fields.items():
            assert field.description, name


@pytest.mark.parametrize("dataset", ["digits", "iris", "diabetes"])
def test_a_new_specification_is_right_and_otherwise_at_its_defaults(
    dataset: str, tmp_path: Path
) -> None:
    keys = keys_for(dataset)
    path = tmp_path / "new.toml"
    path.write_text(new_specification(keys, every_key=True))
    loaded = Study.from_toml(path).specification
    assert (loaded.name, loaded.dataset) == ("new", (dataset,))
    for key in {*KEYS} - keys.keys() - {"name"}:
        assert getattr(loaded, key) == StudySpecification.model_fields[key].default, key
    path.write_text(new_specification(keys))
    assert Study.from_toml(path).specification == loaded
    assert tomllib.loads(path.read_text()) == keys


def test_a_new_specification_explains_every_key_that_it_has() -> None:
    keys = keys_for("digits")
    assert len(keys) == 10
    for text, written in (
        (new_specification(keys), keys),
        (new_specification(keys, every_key=True), KEYS),
    ):
        for key in written:
            (entry,) = re.findall(rf"((?:^# .*\n)+)(?:# )?{key} = ", text, re.MULTILINE)
            meaning = (StudySpecification.model_fields[key].description or "").replace("`", "")
            flowing = " ".join(line.removeprefix("# ") for line in entry.splitlines())
            assert meaning[1:] in flowing, key
            assert ("* " in flowing[:2]) == (key in AXES)


def test_keys_that_are_off_show_how_to_switch_them_on() -> None:
    text = new_specification(keys_for("digits"), every_key=True)
    hidden = dict(re.findall(r"^# (\w+) = (.*)$", text, re.MULTILINE))
    assert {"updates", "split_seed", "zip", "include", "exclude", "target"} <= hidden.keys()
    for key, value in hidden.items():
        keys: dict[str, Any] = tomllib.loads(f"{key} = {value}")
        assert not parse(keys)[1], key
        assert parse(keys)[0] != parse({})[0], key


ALLOWED = {
    "name": "text",
    "dataset": "name or table",
    "validation": "whole number, at least 1 or number, above 0 and below 1",
    "split_seed": "whole number, at least 0",
    "hidden_layers": "list of: whole number, at least 1",
    "reduction": "`mean`, `sum`",
    "schedule": "`constant`, `step`, `exponential`, `cosine`, `inverse`, table",
    "batch_sizes": "whole number, at least 1 or `full` or table",
    "growth": "`none`, `measured`, `seesaw` or table",
    "learning_rates": "number, at least 1e-30 and at most 1e+30",
    "timing": "`true`, `false`",
    "target": "number",
    "exclude": "table",
}


@pytest.mark.parametrize(("key", "text"), ALLOWED.items())
def test_what_is_allowed_is_reported_in_words(key: str, text: str) -> None:
    assert allowed(schemas_of(StudySpecification)[key]) == text

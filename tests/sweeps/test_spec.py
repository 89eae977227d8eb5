"""Specifications: every mistake at once, each with path, value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import Problem, SpecificationError, UsageError
from sweeps.spec import (
    KEYS,
    StudySpecification,
    check,
    from_toml,
    preset_names,
    read_target,
    to_toml,
)


def no_problems(_keys: Mapping[str, Any]) -> list[Problem]:
    return []


def problems_of(keys: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SpecificationError) as refused:
        check(keys, "study.toml", no_problems)
    return {problem.path: problem.text for problem in refused.value.problems}


MISTAKES: dict[str, tuple[Any, str, str]] = {
    "batch size of 0": ([4, 0], "batch_sizes[1]", "must be at least 1, but is 0."),
    "half a batch": ([1.5], "batch_sizes[0]", "must be a whole number, but is 1.5."),
    "batch size as text": (["8"], "batch_sizes[0]", "must be a whole number, but is '8'."),
    "batch size as flag": ([True], "batch_sizes[0]", "must be a whole number, but is True."),
    "scalar axis": (8, "batch_sizes", "must be a list, but is 8."),
    "empty axis": ([], "batch_sizes", "must hold at least one value."),
    "repetition": ([8, 4, 8], "batch_sizes", "holds [8] more than once."),
    "negative rate": ([-1.0], "learning_rates[0]", "must be above 0.0, but is -1.0."),
    "infinite rate": ([float("inf")], "learning_rates[0]", "must be finite, but is inf."),
    "negative seed": ([-1], "seeds[0]", "must be at least 0, but is -1."),
    "huge seed": ([2**63], "seeds[0]", f"must be at most {2**63 - 1}, but is {2**63}."),
    "no epoch": (0, "epochs", "must be at least 1, but is 0."),
    "no fraction": (1, "test_fraction", "must be below 1.0, but is 1."),
    "number as text": ("a", "test_fraction", "must be a number, but is 'a'."),
    "unit of 0": ([0], "hidden_layers[0]", "must be at least 1, but is 0."),
    "name of a folder": (
        "a/b",
        "name",
        "must be letters, digits, '.', '_' and '-', at most 64 of them, but is 'a/b'.",
    ),
    "unknown choice": (
        "means",
        "reduction",
        "must be one of 'mean' or 'sum', but is 'means'. Did you mean 'mean'?",
    ),
    "text expected": (7, "dataset", "must be text, but is 7."),
}


@pytest.mark.parametrize(("value", "path", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_place_value_and_remedy(
    value: object, path: str, text: str, keys: dict[str, Any]
) -> None:
    assert problems_of(keys | {path.partition("[")[0]: value}) == {path: text}


def test_a_misspelt_key_gets_a_suggestion(keys: dict[str, Any]) -> None:
    keys["batchsizes"] = keys.pop("batch_sizes")
    assert problems_of(keys) == {
        "batch_sizes": "is required, but missing.",
        "batchsizes": "is not a key of a study. Did you mean 'batch_sizes'?",
    }


def test_a_strange_key_gets_the_list_of_keys(keys: dict[str, Any]) -> None:
    found = problems_of(keys | {"zzz": 1})
    assert found == {"zzz": f"is not a key of a study. Known keys: {', '.join(KEYS)}."}


def test_all_mistakes_are_told_at_once(keys: dict[str, Any]) -> None:
    keys |= {"epochs": 0, "seeds": [1], "confirmation_seeds": [1], "reduction": "x"}
    keys |= {"validation_fraction": 0.7, "test_fraction": 0.7}
    with pytest.raises(SpecificationError) as refused:
        check(keys, "study.toml", lambda passed: [Problem("data", str(sorted(passed)))])
    found = {problem.path: problem.text for problem in refused.value.problems}
    assert list(found) == ["reduction", "epochs", "confirmation_seeds", "test_fraction", "data"]
    assert found["confirmation_seeds"] == "must be fresh seeds, but [1] are in `seeds` too."
    assert found["test_fraction"] == (
        "`validation_fraction + test_fraction < 1` must hold, but they add up to 1.4."
    )
    assert "epochs" not in found["data"]
    assert "batch_sizes" in found["data"]


def test_axes_are_sorted_so_that_their_order_does_not_matter(keys: dict[str, Any]) -> None:
    backwards = keys | {"batch_sizes": keys["batch_sizes"][::-1], "seeds": [2, 1]}
    assert check(backwards, "x", no_problems) == check(keys, "x", no_problems)


def test_toml_gives_the_same_specification_back(specification: StudySpecification) -> None:
    hostile = specification.model_copy(update={"title": 'a "quoted"\n\\ \x7f \u202e title'})
    assert from_toml(to_toml(hostile)) == hostile


@pytest.mark.parametrize("name", preset_names())
def test_studies_that_ship_are_right(name: str) -> None:
    source, keys = read_target(name)
    assert source == f"preset {name}"
    assert check(keys, source, no_problems).name == name


def test_the_digits_study_is_the_one_that_is_documented() -> None:
    digits = check(read_target("digits")[1], "digits", no_problems)
    assert digits.batch_sizes == tuple(2**power for power in range(11))
    assert (len(digits.learning_rates), len(digits.seeds), digits.epochs) == (6, 5, 20)
    assert digits.hidden_layers == (32,)


def test_a_files_name_is_the_studys(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbfepochs = 3\r\n")
    assert read_target(str(path)) == (str(path), {"name": "mine", "epochs": 3})


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"# nothing\n", "file: is empty."),
    "not TOML": (
        b"a = [1,",
        "file: is not TOML: Invalid value (at end of document).",
    ),
    "duplicate key": (
        b"a = 1\na = 2\n",
        "file: is not TOML: Cannot overwrite a value (at line 2, column 6).",
    ),
    "not UTF-8": (b'a = "\xe4"', "file: is not UTF-8: byte 5 is 0xe4."),
}


@pytest.mark.parametrize(("content", "text"), FILES.values(), ids=FILES)
def test_unreadable_content_is_told(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(SpecificationError) as refused:
        read_target(str(path))
    assert str(refused.value) == f"{path}: {text}"


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    missing, folder = tmp_path / "missing.toml", tmp_path / "folder.toml"
    folder.mkdir()
    for path, text in ((missing, "does not exist."), (folder, "is a folder, not a TOML file.")):
        with pytest.raises(UsageError) as refused:
            read_target(str(path))
        assert str(refused.value) == f"{path} {text}"


def test_a_file_name_too_long_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't be read: File name too long\.$"):
        read_target(str(tmp_path / f"{'x' * 300}.toml"))


def test_an_unknown_study_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as refused:
        read_target("digts")
    assert str(refused.value) == (
        f"'digts' is neither a study that ships ({', '.join(preset_names())}) nor a TOML file. "
        "Did you mean 'digits'?"
    )

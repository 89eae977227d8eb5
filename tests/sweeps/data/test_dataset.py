"""From arrays to a dataset: complete, read-only, refused where unusable, identified by content."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from peaks import peak_of
from refused import refusal as refused
from refused import states

from sweeps.data._dataset import classification, fingerprint, regression

INPUTS = np.arange(24.0).reshape(12, 2)
LABELS = np.arange(12) % 2


def refusal(make: Any, *arguments: Any, **about: Any) -> str:
    return refused(make, "made", *arguments, **about)


def test_classes_become_one_hot_targets_in_read_only_arrays() -> None:
    inputs = INPUTS.copy()
    dataset = classification("made", inputs, LABELS, ["no", "yes"], target_name="answer")
    inputs[:] = 0
    np.testing.assert_array_equal(dataset.inputs, INPUTS)
    np.testing.assert_array_equal(dataset.targets, np.eye(2)[LABELS])
    assert dataset.task == "classification"
    assert dataset.classes == ("no", "yes")
    assert dataset.target_names == ("answer",)
    assert dataset.feature_names == ("feature 1", "feature 2")
    assert dataset.groups.tolist() == [-1, -1]
    for array in (dataset.inputs, dataset.targets, dataset.labels, dataset.groups):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_values_keep_their_unit() -> None:
    dataset = regression("made", INPUTS, INPUTS * 1000, ["a", "b"])
    assert dataset.targets[3].tolist() == [6000, 7000]
    assert dataset.labels is None
    assert dataset.classes == ()


def test_the_fingerprint_follows_content_not_memory_layout() -> None:
    inputs, labels = np.arange(6.0).reshape(2, 3), np.array([0, 1])
    known = fingerprint(inputs, labels)
    assert len(known) == 32
    assert fingerprint(np.asfortranarray(inputs), labels.astype(">i8")) == known
    assert fingerprint(inputs.astype(">f4"), labels) == known
    assert fingerprint(inputs.reshape(3, 2), labels) != known
    assert fingerprint(inputs, labels[::-1]) != known
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_all_that_determines_training_is_in_the_fingerprint() -> None:
    inputs = INPUTS.copy()
    inputs[0, 0] = np.nan
    made = [
        classification("made", INPUTS, LABELS, "ab"),
        classification("made", INPUTS + 1, LABELS, "ab"),
        classification("made", INPUTS, LABELS[::-1], "ab"),
        classification("made", INPUTS, LABELS, "ac"),
        classification("made", INPUTS, LABELS, "ab", groups=[0, 0]),
        classification("made", inputs, LABELS, "ab", missing="mean"),
        classification("made", inputs, LABELS, "ab", missing="median"),
        regression("made", INPUTS, np.eye(2)[LABELS], "ab"),
    ]
    assert len({dataset.fingerprint for dataset in made}) == len(made)


def test_names_and_notes_are_not_in_the_fingerprint() -> None:
    first = classification("made", INPUTS, LABELS, "ab")
    second = classification("other", INPUTS, LABELS, "ab", feature_names="xy", notes=["Seen."])
    assert first.fingerprint == second.fingerprint
    assert second.notes == ("Seen.",)


def test_missing_values_are_the_same_whatever_their_bits() -> None:
    inputs = INPUTS.copy()
    inputs[0, 0] = np.nan
    other = inputs.copy()
    other[0, 0] = -np.nan
    assert inputs.tobytes() != other.tobytes()
    known = classification("made", inputs, LABELS, "ab", missing="mean").fingerprint
    assert classification("made", other, LABELS, "ab", missing="mean").fingerprint == known


def test_unbalanced_classes_are_noted() -> None:
    labels = [0] * 9 + [1] * 3
    dataset = classification("made", INPUTS, labels, ["no", "yes"])
    (note,) = dataset.notes
    states(note, "unbalanced", "9 examples of 'no'", "3 of 'yes'", "75.0%")
    assert classification("made", INPUTS, [0] * 8 + [1] * 4, "ab").notes == ()


def test_constant_features_are_noted() -> None:
    inputs = np.column_stack([INPUTS, np.full(12, 3)])
    (note,) = classification("made", inputs, LABELS, "ab").notes
    states(note, "the same in every example", "1 of 3")


def test_a_single_class_is_refused() -> None:
    states(refusal(classification, INPUTS, LABELS * 0, ["no"]), "made", "'no'", "at least two")
    states(refusal(classification, INPUTS[:0], [], []), "no class")


def test_classes_of_fewer_than_three_examples_are_refused() -> None:
    labels = [0] * 8 + [1] * 2 + [2, 2]
    text = refusal(classification, INPUTS, labels, "abc")
    states(text, "made", "2 classes of fewer than 3 examples", "'b' (2), 'c' (2)")
    many = refusal(classification, INPUTS, np.arange(12) // 2, "abcdef")
    assert many.endswith("'d' (2), 'e' (2), ....")


def test_no_features_are_refused() -> None:
    states(refusal(classification, INPUTS[:, :0], LABELS, "ab"), "no features", "(12, 0)")


@pytest.mark.parametrize(
    ("value", "expected"), [(np.nan, "nan"), (np.inf, "inf"), (-1e101, "-1e+101")]
)
def test_features_that_are_not_finite_or_too_large_are_refused(value: float, expected: str) -> None:
    inputs = INPUTS.copy()
    inputs[4:6, 1] = value
    text = refusal(classification, inputs, LABELS, "ab", feature_names=["x", "y"])
    states(text, f"'y' is {expected} in example 5", "1e+100", "2 in all")


def test_missing_values_pass_where_they_are_to_be_filled() -> None:
    inputs = INPUTS.copy()
    inputs[4, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert classification("made", inputs, LABELS, "ab", missing="mean").missing == "mean"


@pytest.mark.parametrize(("value", "expected"), [(np.nan, "nan"), (1e200, "1e+200")])
def test_targets_that_are_not_finite_or_too_large_are_refused(value: float, expected: str) -> None:
    targets = INPUTS.copy()
    targets[2, 0] = value
    states(refusal(regression, INPUTS, targets, "ab"), f"'a' is {expected} in example 3", "1e+100")


def test_a_constant_target_is_refused() -> None:
    states(refusal(regression, INPUTS, INPUTS * [1, 0], "ab"), "target 'b'", "the same in every")


@pytest.mark.parametrize("size", [1e-101, 1e-200, 1e-300, 1e-310, 5e-324])
def test_what_varies_too_little_to_be_scaled_is_refused_with_the_remedy(size: float) -> None:
    tiny = INPUTS * [1, 0] + [0, 1] * (LABELS * size)[:, None]
    power = "1e324" if size == 5e-324 else f"1e{round(-np.log10(size))}"
    text = refusal(classification, tiny, LABELS, ["a", "b"])
    states(text, f"'feature 2' varies by {size:g}", "1e-100", f"multiplied by {power}.")
    states(refusal(regression, INPUTS, tiny, ["a", "b"]), f"target 'b' varies by {size:g}", power)


def test_tiny_numbers_among_others_are_no_harm() -> None:
    mixed = np.where(LABELS[:, None] == 1, INPUTS, 1e-310)
    assert classification("made", mixed, LABELS, ["a", "b"]).inputs[0, 0] == 1e-310
    assert regression("made", mixed, mixed[:, :1] + 1e-320, ["a"]).task == "regression"


def test_many_classes_are_made_one_hot_without_a_square() -> None:
    labels = np.arange(6000) % 2000
    names = map(str, range(2000))
    dataset, peak = peak_of(classification, "made", labels[:, None], labels, names)
    assert dataset.targets.sum(axis=0).tolist() == [3] * 2000
    # A square of the classes would take 32 MB more.
    assert peak < 2 * dataset.targets.nbytes + 16e6

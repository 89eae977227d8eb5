"""What counts updates is given in examples, too."""

from __future__ import annotations

import pytest

from reports.text.method import last_batch, memory
from tests.reports.conftest import small


def said(**changes: object) -> tuple[str, str]:
    (plan,) = small(**changes).groups
    return memory(plan), last_batch(plan)


@pytest.mark.parametrize("hyperparameters", [{}, {"momentum": 0.0}, {"epsilon": 1e-8}])
def test_an_optimizer_without_memory_has_none(hyperparameters: dict[str, float]) -> None:
    assert said(hyperparameters=hyperparameters)[0] == ""


def test_every_memory_is_given_in_updates_and_examples() -> None:
    text, _ = said(hyperparameters={"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8})
    for share, updates, small_batch, large in (
        ("beta1 0.9", "6.6", "53", "3,400"),
        ("beta2 0.999", "693", "5,500", "350,000"),
    ):
        for part in (share, f"{updates} updates", f"{small_batch} examples", f"{large} examples"):
            assert part in text


def test_a_memory_in_examples_is_given_with_what_is_kept_at_both_ends() -> None:
    text, _ = said(hyperparameters={"momentum": 0.9}, memory_reference=64)
    for part in ("fixed in examples", "momentum 0.9 at batch size 64", "421 examples"):
        assert part in text
    for part in ("0.987 at batch size 8", "0.430 at batch size 512"):
        assert part in text


def test_one_batch_size_is_named_once() -> None:
    text, _ = said(hyperparameters={"momentum": 0.5}, batch_sizes=(8,))
    assert text.count("batch size 8") == 1
    assert "halves in 1.0 updates, 8.0 examples" in text


@pytest.mark.parametrize(
    ("items", "where"), [(1024, None), (1040, "sizes 64 and 512"), (1088, "size 512")]
)
def test_smaller_last_batches_are_named(items: int, where: str | None) -> None:
    _, text = said(train_items=items)
    expected = "" if where is None else f"At batch {where} the last batch of an epoch is smaller"
    assert text.startswith(expected)
    assert bool(text) is (where is not None)

"""What fits into a time: the rules, without any clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.advise._grid_choice import Grid, choose, keys_of, largest_size
from sweeps.design.checks.checking import experiment_of


def test_batch_sizes_are_powers_of_two_up_to_a_quarter_of_the_examples() -> None:
    assert Grid(2, largest_size(1077), 5).batch_sizes == [2, 4, 8, 16, 32, 64, 128, 256]


LIMITS = {
    "everything": (lambda _grid: True, Grid(1, 256, 100, 10)),
    "no small batches": (lambda grid: grid.smallest >= 4, Grid(4, 256, 100, 10)),
    "few epochs": (lambda grid: grid.epochs <= 30, Grid(1, 256, 30, 10)),
    "few seeds": (lambda grid: grid.fresh <= 5, Grid(1, 256, 20, 5)),
    "fewer epochs": (lambda grid: grid.epochs <= 7, Grid(16, 256, 5)),
    "no small batches at all": (lambda grid: grid.smallest > 16, Grid(64, 256, 20)),
    "nothing": (lambda _grid: False, None),
}


@pytest.mark.parametrize(("fits", "expected"), LIMITS.values(), ids=LIMITS)
def test_small_batches_come_before_more_epochs(fits: object, expected: Grid | None) -> None:
    assert choose(1077, fits) == expected  # type: ignore[arg-type]


def test_tiny_data_have_two_batch_sizes_at_least() -> None:
    assert choose(5, lambda grid: grid.epochs < 20) == Grid(1, 2, 10)
    assert choose(5, lambda _grid: True) == Grid(1, 2, 100, 10)


@pytest.mark.parametrize(
    ("dataset", "loss", "output"),
    [("iris", "cross_entropy", "softmax"), ("diabetes", "squared_error", "identity")],
)
def test_the_specification_is_one(dataset: str, loss: str, output: str) -> None:
    least = {"batch_sizes": 1, "learning_rates": 1.0, "seeds": 1, "epochs": 1}
    (facts,) = experiment_of({"dataset": dataset, **least}, "draft", Path()).data.values()
    keys = keys_of(dataset, dataset, facts, Grid(2, 8, 10))
    (group,) = experiment_of(keys, "made", Path()).groups
    assert [*group.grid] == [2, 4, 8]
    assert (group.family.shared.loss, group.family.shared.output) == (loss, output)
    assert group.family.shared.widths[1:-1] == (64,)

"""The study that data alone describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps import Study
from sweeps.advise.request import LARGEST, keys_for


@pytest.mark.parametrize(("dataset", "largest"), [("digits", LARGEST), ("iris", 64)])
def test_the_largest_batch_size_proposed_fits_the_training_set(dataset: str, largest: int) -> None:
    assert keys_for(dataset)["batch_sizes"] == {"powers_of_two": [1, largest]}
    assert max(size for _, size in Study.from_data(dataset).experiment.grid) == largest


@pytest.mark.parametrize(("rare", "metric"), [(19, "balanced_accuracy"), (20, None)])
def test_where_one_class_has_most_examples_balanced_accuracy_judges(
    rare: int, metric: str | None, tmp_path: Path
) -> None:
    rows = [f"{number % 7},{'rare' if number < rare else 'common'}" for number in range(100)]
    (tmp_path / "data.csv").write_text("\n".join(["x,y", *rows]))
    path = str(tmp_path / "data.csv")
    assert keys_for({"path": path, "target": "y"}).get("metric") == metric
    study = Study.from_data(path, ["y"])
    assert study.specification.metric == metric
    assert study.experiment.groups[0].family.shared.metric == (metric or "accuracy")

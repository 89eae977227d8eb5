"""The public face of a study: state it, run it, look at its results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from reports.results import StudyResults
from sweeps import datasets
from sweeps.errors import DataError, Problem, UsageError
from sweeps.provenance import available_cores
from sweeps.runner import results_of, run_study
from sweeps.spec import StudySpecification, check, read_target
from sweeps.splits import Preparation, part_sizes
from sweeps.store import Store


class Study:
    """One specification, checked.

    Args:
        name: The study's name.
        **keys: The other keys of a specification, as in TOML; see `StudySpecification`.

    Raises:
        SpecificationError: With every mistake there is.

    Example:
        >>> study = Study("quick", dataset="iris", batch_sizes=[5, 50], learning_rates=[0.5, 2.0],
        ...               seeds=[1, 2], epochs=5)
        >>> study.specification.reduction
        'mean'
    """

    def __init__(self, name: str, **keys: Any) -> None:  # noqa: ANN401
        self.specification = _checked({"name": name, **keys}, "the study")

    @classmethod
    def preset(cls, name: str) -> Self:
        """Return a study that ships.

        Args:
            name: Such as "digits".

        Raises:
            UsageError: There is no such study.
        """
        return cls.from_target(name)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Return the study that a TOML file specifies.

        Args:
            path: The file; its name is the default of the study's.

        Raises:
            UsageError: The file can't be read.
            SpecificationError: With every mistake there is.
        """
        return cls.from_target(os.fspath(path))

    @classmethod
    def from_target(cls, target: str) -> Self:
        """Return a study by what a user calls it: the name of one that ships, or a TOML file.

        Args:
            target: Name or path.

        Raises:
            UsageError: There is no such study or file.
            SpecificationError: With every mistake there is.
        """
        source, keys = read_target(target)
        study = cls.__new__(cls)
        study.specification = _checked(keys, source)
        return study

    def run(self, folder: str | os.PathLike[str], *, n_jobs: int = -1) -> StudyResults:
        """Run what is missing of the study and return everything.

        Args:
            folder: The study's folder, new or holding this study already.
            n_jobs: Worker processes; -1 for as many as there are cores.

        Raises:
            UserError: What the user can mend; every trial that had ended is kept.
        """
        return run_study(self.specification, Path(folder), jobs_from(n_jobs))


def results(folder: str | os.PathLike[str]) -> StudyResults:
    """Return the results that a study's folder holds, complete or not.

    Args:
        folder: The study's folder; a run may be writing to it meanwhile.

    Raises:
        StoreError: There is no study in it.
    """
    with Store.read(Path(folder)) as store:
        return results_of(store)


def jobs_from(n_jobs: int) -> int:
    """Return the number of worker processes that a user asked for.

    Args:
        n_jobs: At least 1, or -1 for as many as there are cores.

    Raises:
        UsageError: It is neither.
    """
    if n_jobs == -1:
        return available_cores()
    if n_jobs < 1:
        raise UsageError(f"`jobs` must be at least 1, or -1 for all cores, but is {n_jobs}.")
    return n_jobs


def _checked(keys: Mapping[str, Any], source: str) -> StudySpecification:
    return check(keys, source, _problems_with_data)


def _problems_with_data(keys: Mapping[str, Any]) -> list[Problem]:
    """Return what only the data can show; keys that failed other checks are absent."""
    if "dataset" not in keys:
        return []
    try:
        dataset = datasets.load(keys["dataset"])
    except DataError as error:
        return [Problem("dataset", str(error), about_data=True)]
    if not {"validation_fraction", "test_fraction"} <= keys.keys():
        return []
    preparation = Preparation(keys["validation_fraction"], keys["test_fraction"], "none")
    sizes = part_sizes(len(dataset.labels), preparation)
    return [
        *_empty_parts(sizes, dataset.name),
        *_too_large(keys.get("batch_sizes", ()), sizes[0], dataset.name),
    ]


def _empty_parts(sizes: tuple[int, int, int], dataset: str) -> list[Problem]:
    names = ("validation_fraction", "test_fraction")
    return [
        Problem(name, f"is so small that no example of {dataset} is in that part.")
        for name, size in zip(names, sizes[1:], strict=True)
        if size == 0
    ]


def _too_large(batch_sizes: list[int], train_items: int, dataset: str) -> list[Problem]:
    if train_items < 1:
        return []
    return [
        Problem(
            f"batch_sizes[{place}]",
            f"must be at most {train_items}, the training examples of {dataset} under this split, "
            f"but is {batch_size}.",
        )
        for place, batch_size in enumerate(batch_sizes)
        if batch_size > train_items
    ]

"""Families of cells: all that a group of cells has in common, and its trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bpengine import BatchGrowth
from reports.text.clocks import MEMORIES, share_at
from sweeps.data.facts import DataFacts
from sweeps.design.trials import Configuration, Trial, settings_of

DECIMALS = 12
"""Decimals of a share that is computed: no machine's last bit decides which trial it is."""


@dataclass(frozen=True)
class Family:
    """What the cells of a group share: all but batch size, learning rate and seed.

    Attributes:
        facts: The data.
        shared: What their configurations share. Its batch size is 1, and its growth is that of the
            specification, whether or not it has an effect at a batch size.
        hyperparameters: Of the optimizer, all with their values, by name, sorted.
        rate_rule: How learning rates follow the batch size: none, linear or sqrt.
        memory_reference: Batch size at which the optimizer keeps the shares that
            `hyperparameters` say, in examples; None if it keeps them at every update.
    """

    facts: DataFacts
    shared: Configuration
    hyperparameters: tuple[tuple[str, float], ...]
    rate_rule: str
    memory_reference: int | None = None

    def configuration(self, batch_size: int, *, evaluate_test: bool = False) -> Configuration:
        """Return what the trials of a batch size share.

        Args:
            batch_size: Examples of an update.
            evaluate_test: Whether the test metric is computed.
        """
        return replace(
            self.shared,
            evaluate_test=evaluate_test,
            batch_size=batch_size,
            growth=self._growth(batch_size),
        )

    def _growth(self, batch_size: int) -> BatchGrowth | None:
        # Growth that never happens is none: the trials are the same.
        growth, epochs = self.shared.growth, self.shared.budget.epochs
        if growth is None or batch_size * growth.factor > growth.limit:
            return None
        return None if epochs is not None and epochs <= growth.every else growth

    def hyperparameters_at(self, batch_size: int) -> dict[str, float]:
        """Return the optimizer's hyperparameters as they are used at a batch size, by name.

        Args:
            batch_size: Examples of an update.
        """
        if self.memory_reference is None:
            return dict(self.hyperparameters)
        return {
            name: round(share_at(batch_size, value, self.memory_reference), DECIMALS)
            if name in MEMORIES
            else value
            for name, value in self.hyperparameters
        }

    def trials(
        self, batch_size: int, rate: float, seeds: Iterable[int], *, evaluate_test: bool = False
    ) -> list[Trial]:
        """Return the trials of a cell.

        Args:
            batch_size: Examples of an update.
            rate: The learning rate, as it is used.
            seeds: One trial for each.
            evaluate_test: Whether the test metric is computed.
        """
        configuration = self.configuration(batch_size, evaluate_test=evaluate_test)
        settings = settings_of(configuration.optimizer, rate, self.hyperparameters_at(batch_size))
        return [Trial(configuration, settings, seed) for seed in seeds]


@dataclass(frozen=True)
class Group:
    """A family with a name of its own and the cells that are tried.

    Attributes:
        label: Unique in the study.
        family: What its cells share.
        grid: Learning rates, ascending, by batch size, ascending.
    """

    label: str
    family: Family
    grid: Mapping[int, tuple[float, ...]]

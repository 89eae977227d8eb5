"""What a study tries that must end within a time, by the rules of docs/recommend.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from sweeps.data import REGRESSION
from sweeps.data.facts import IMBALANCED, DataFacts

SGD: dict[str, Any] = {"name": "sgd", "learning_rates": [0.03, 0.1, 0.3, 1.0]}
ADAM: dict[str, Any] = {"name": "adam", "learning_rates": [0.001, 0.003, 0.01, 0.03]}
TRAINER_RATES = [0.001, 0.01, 0.1, 1.0]  # whatever its optimizer; `INSERTIONS` go between them
EXTENSIONS, INSERTIONS = 3, 2  # on either side, at most; between them
SEEDS = 3  # that choose rates
FRESH, MORE_FRESH = 5, 10  # fresh seeds that judge them: the fewest that show a size near-optimal
EPOCHS = 20  # for which the smallest batch size is chosen
MORE_EPOCHS, FEWER_EPOCHS = (30, 50, 70, 100), (10, 5, 3, 2, 1)  # then, with time left, without
CORE = 4  # times the smallest batch size: from here on runs first, for an answer early
SMALLEST, LARGER = 16, 64  # batch size or, if there is time, less; if there is none, more
PART = 4  # of the training examples that the largest batch size may be
UNITS = 64  # of the hidden layer: with fewer, tables of many columns are learned worse
NOISE_EXAMPLES = 64


@dataclass(frozen=True)
class Grid:
    """Batch sizes, epochs and fresh seeds."""

    smallest: int  # a power of two, as is the largest
    largest: int
    epochs: int
    fresh: int = FRESH

    @property
    def core(self) -> Grid:
        """The part that runs first, at a quarter of the cost."""
        smallest = max(self.smallest, min(CORE * self.smallest, self.largest // 2))
        return replace(self, smallest=smallest, fresh=FRESH)

    @property
    def batch_sizes(self) -> list[int]:
        """Every power of two from the smallest to the largest."""
        powers = range(self.smallest.bit_length() - 1, self.largest.bit_length())
        return [2**power for power in powers]


def largest_size(train_items: int, part: int = PART) -> int:
    """Return the largest power of two up to a part of the training examples, at least 2."""
    return max(2, 2 ** ((train_items // part).bit_length() - 1))


def network_for(task: str, most_frequent: float | None) -> dict[str, Any]:
    """Return the keys of a network that learns such data well without being tuned.

    And of the metric that judges it, where accuracy would be that of one class.
    """
    imbalanced = (most_frequent or 0.0) > IMBALANCED
    return {
        "hidden_layers": [UNITS],
        "activation": "tanh",
        "loss": "squared_error" if task == REGRESSION else "cross_entropy",
        **({"metric": "balanced_accuracy"} if imbalanced else {}),
    }


def choose(train_items: int, fits: Callable[[Grid], bool]) -> Grid | None:
    """Return the grid that a time allows; None if not even one epoch fits."""
    largest = largest_size(train_items)
    sizes = (2**power for power in range(SMALLEST.bit_length()) if 2**power < largest)
    for smallest in sizes:
        if fits(Grid(smallest, largest, EPOCHS)):
            longer = (
                Grid(smallest, largest, epochs, MORE_FRESH) for epochs in (EPOCHS, *MORE_EPOCHS)
            )
            return [Grid(smallest, largest, EPOCHS), *takewhile(fits, longer)][-1]
    shorter = (
        Grid(min(smallest, largest // 2), largest, epochs)
        for epochs in (EPOCHS, *FEWER_EPOCHS)
        for smallest in (SMALLEST, LARGER)
    )
    return next(filter(fits, shorter), None)


def fresh_seeds(count: int = FRESH) -> dict[str, int]:
    """Return the seeds that judge."""
    return {"first": 101, "count": count}


def trainer_keys(name: str, trainer: str, train_items: int, grid: Grid) -> dict[str, Any]:
    """Return the specification of a trainer's study."""
    return _common_keys(name, grid) | {
        "trainer": trainer,
        "training_examples": train_items,
        "learning_rates": TRAINER_RATES,
    }


def keys_of(name: str, dataset: object, facts: DataFacts, grid: Grid) -> dict[str, Any]:
    """Return the specification of a study."""
    return _common_keys(name, grid) | {
        "dataset": dataset,
        **network_for(facts.task, facts.most_frequent),
        "optimizer": SGD,
        "noise_examples": min(NOISE_EXAMPLES, facts.train_items),
    }


def _common_keys(name: str, grid: Grid) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"Which batch size for {name}?",
        "batch_sizes": grid.batch_sizes,
        "extensions": EXTENSIONS,
        "insertions": INSERTIONS,
        "epochs": grid.epochs,
        "seeds": {"first": 1, "count": SEEDS},
        "confirmation_seeds": fresh_seeds(grid.fresh),
        "target_rates": False,
    }

"""The training that all exports log: a small network on scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

BATCH_SIZES = (4, 8, 16, 32, 64)
LEARNING_RATES = (0.03, 0.1, 0.3, 1.0)
EPOCHS = 3
RESULTS = Path(__file__).parent / "results"


class Epoch(NamedTuple):
    """What is known of a network after an epoch."""

    epoch: int
    updates: int
    train_loss: float
    val_loss: float
    val_accuracy: float


def images() -> tuple[Any, Any, Any, Any]:
    """Return images and digits of the training set, and those of the validation set."""
    pixels, digits = load_digits(return_X_y=True)
    split = train_test_split(pixels / 16, digits, test_size=0.3, random_state=0, stratify=digits)
    train, validation, train_digits, validation_digits = split
    return train, train_digits, validation, validation_digits


def train(batch_size: int, lr: float, seed: int = 0) -> Iterator[Epoch]:
    """Train a network with 32 hidden units by SGD, and yield each epoch."""
    train, labels, validation, expected = images()
    network = MLPClassifier(
        (32,),
        solver="sgd",
        momentum=0.0,
        batch_size=batch_size,
        learning_rate_init=lr,
        random_state=seed,
    )
    for epoch in range(EPOCHS):
        network.partial_fit(train, labels, classes=range(10))
        yield Epoch(
            epoch,
            (epoch + 1) * -(-len(train) // batch_size),
            float(network.loss_),
            float(log_loss(expected, network.predict_proba(validation))),
            float(network.score(validation, expected)),
        )

"""An estimator of scikit-learn: every call of `partial_fit` with a batch is an update.

`[parameters]` of the study are arguments of the estimator. The batch size means something only for
one that updates its weights once a call, such as MLPClassifier and MLPRegressor: SGDClassifier and
Perceptron update them after every example, however many there are in a call.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def train(trial):
    """Train on random batches and yield an evaluation wherever one is due."""
    sets = split(trial.seed)
    if not trial.evaluate_test:
        del sets["test"]
    images, labels = sets["train"]
    trial.training_examples = len(labels)

    estimator = MLPClassifier(
        learning_rate_init=trial.learning_rate, random_state=trial.seed, **trial.parameters
    )
    examples = 0
    for updates, batch in enumerate(batches(len(labels), trial.batch_size, trial.seed), start=1):
        estimator.batch_size = len(batch)  # or one of more than 200 would be several updates
        estimator.partial_fit(images[batch], labels[batch], classes=range(10))
        examples += len(batch)
        if trial.due(examples=examples, updates=updates):
            yield trial.evaluation(examples=examples, updates=updates, **scores(estimator, sets))


def split(seed):
    """Return images and labels of training, validation and test set, with classes as frequent."""
    images, labels = load_digits(return_X_y=True)
    options = {"test_size": 360, "random_state": seed}
    rest, test, rest_labels, test_labels = train_test_split(
        images / 16, labels, stratify=labels, **options
    )
    train, validation, train_labels, validation_labels = train_test_split(
        rest, rest_labels, stratify=rest_labels, **options
    )
    return {
        "train": (train, train_labels),
        "validation": (validation, validation_labels),
        "test": (test, test_labels),
    }


def batches(count, size, seed):
    """Yield the indices of random batches, epoch after epoch."""
    rng = np.random.default_rng(seed)
    while True:
        yield from np.split(rng.permutation(count), list(range(size, count, size)))


def scores(estimator, sets):
    """Return loss and accuracy of each set, as an evaluation names them."""
    values = {}
    for name, (images, labels) in sets.items():
        predicted = estimator.predict_proba(images)
        values[f"{name}_loss"] = log_loss(labels, predicted, labels=range(10))
        values[f"{name}_metric"] = (predicted.argmax(axis=1) == labels).mean()
    return values

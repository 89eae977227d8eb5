"""Softmax regression in plain NumPy: a trainer is a function that yields evaluations."""

import numpy as np
from sklearn.datasets import load_digits


def train(trial):
    """Train on random batches and yield an evaluation wherever one is due."""
    rng = np.random.default_rng(trial.seed)
    sets = split(rng)
    if not trial.evaluate_test:
        del sets["test"]
    images, labels = sets["train"]
    trial.training_examples = len(labels)

    weights = np.zeros((images.shape[1], 10))
    examples = 0
    for updates, batch in enumerate(batches(len(labels), trial.batch_size, rng), start=1):
        weights -= trial.learning_rate * gradient(weights, images[batch], labels[batch])
        examples += len(batch)
        if trial.due(examples=examples, updates=updates):
            yield trial.evaluation(examples=examples, updates=updates, **scores(weights, sets))


def split(rng):
    """Return images and labels of training, validation and test set."""
    digits = load_digits()
    images = np.c_[digits.data / 16, np.ones(len(digits.data))]  # the last weight is a bias
    train, validation, test = np.split(rng.permutation(len(images)), [1077, 1437])
    indices = {"train": train, "validation": validation, "test": test}
    return {name: (images[index], digits.target[index]) for name, index in indices.items()}


def batches(count, size, rng):
    """Yield the indices of random batches, epoch after epoch."""
    while True:
        yield from np.split(rng.permutation(count), list(range(size, count, size)))


def probabilities(weights, images):
    """Return the probability of each class."""
    scores = images @ weights
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def gradient(weights, images, labels):
    """Return the gradient of the mean cross-entropy of a batch."""
    errors = probabilities(weights, images)
    errors[np.arange(len(labels)), labels] -= 1
    return images.T @ errors / len(labels)


def scores(weights, sets):
    """Return loss and accuracy of each set, as an evaluation names them."""
    values = {}
    for name, (images, labels) in sets.items():
        predicted = probabilities(weights, images)
        likelihoods = predicted[np.arange(len(labels)), labels]
        values[f"{name}_loss"] = -np.log(likelihoods + 1e-12).mean()
        values[f"{name}_metric"] = (predicted.argmax(axis=1) == labels).mean()
    return values

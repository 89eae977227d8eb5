"""A Keras model, trained batch by batch: `fit` would keep the loop to itself."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from sklearn.datasets import load_digits


def train(trial):
    """Train on random batches and yield an evaluation wherever one is due."""
    keras.utils.set_random_seed(trial.seed)
    rng = np.random.default_rng(trial.seed)
    sets = split(rng)
    if not trial.evaluate_test:
        del sets["test"]
    images, labels = sets["train"]
    trial.training_examples = len(labels)

    layers = keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)
    model = keras.Sequential([keras.Input([64]), *layers])
    model.compile(
        optimizer=keras.optimizers.Adam(trial.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    examples = 0
    for updates, batch in enumerate(batches(len(labels), trial.batch_size, rng), start=1):
        model.train_on_batch(images[batch], labels[batch])
        examples += len(batch)
        if trial.due(examples=examples, updates=updates):
            yield trial.evaluation(examples=examples, updates=updates, **scores(model, sets))


def split(rng):
    """Return images and labels of training, validation and test set."""
    images, labels = load_digits(return_X_y=True)
    train, validation, test = np.split(rng.permutation(len(labels)), [1077, 1437])
    indices = {"train": train, "validation": validation, "test": test}
    return {name: (images[index] / 16, labels[index]) for name, index in indices.items()}


def batches(count, size, rng):
    """Yield the indices of random batches, epoch after epoch."""
    while True:
        yield from np.split(rng.permutation(count), list(range(size, count, size)))


def scores(model, sets):
    """Return loss and accuracy of each set, as an evaluation names them."""
    values = {}
    for name, (images, labels) in sets.items():
        result = model.evaluate(images, labels, batch_size=len(labels), verbose=0, return_dict=True)
        values[f"{name}_loss"], values[f"{name}_metric"] = result["loss"], result["accuracy"]
    return values

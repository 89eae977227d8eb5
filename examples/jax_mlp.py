"""A network with one hidden layer in JAX; its update is compiled once for each size of a batch."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

from sweeps import gradient_norms


def train(trial):
    """Train on random batches and yield an evaluation wherever one is due."""
    rng = np.random.default_rng(trial.seed)
    sets = split(rng)
    if not trial.evaluate_test:
        del sets["test"]
    images, labels = sets["train"]
    trial.training_examples = len(labels)

    weights = {"hidden": rng.normal(size=(64, 32)) / 8, "output": rng.normal(size=(32, 10)) / 6}
    examples = 0
    for updates, batch in enumerate(batches(len(labels), trial.batch_size, rng), start=1):
        weights = update(weights, images[batch], labels[batch], trial.learning_rate)
        jax.block_until_ready(weights)  # or the clock would stop before the update ends
        examples += len(batch)
        if trial.due(examples=examples, updates=updates):
            yield trial.evaluation(examples=examples, updates=updates, **scores(weights, sets))


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


@jax.jit
def loss(weights, images, labels):
    """Return the mean cross-entropy."""
    likelihoods = jax.nn.log_softmax(outputs(weights, images))
    return -jnp.take_along_axis(likelihoods, labels[:, None], axis=1).mean()


def outputs(weights, images):
    """Return the outputs of the network, a column for each class."""
    return jnp.tanh(images @ weights["hidden"]) @ weights["output"]


gradient = jax.jit(jax.grad(loss))


@jax.jit
def update(weights, images, labels, learning_rate):
    """Return the weights after a step of SGD."""
    gradients = gradient(weights, images, labels)
    return jax.tree.map(lambda w, g: w - learning_rate * g, weights, gradients)


def noise(weights, images, labels):
    """Return squared norms of gradients of micro-batches of 32 and of 16 of them together."""
    slices = [slice(start, start + 32) for start in range(0, 512, 32)]
    gradients = (jax.tree.leaves(gradient(weights, images[i], labels[i])) for i in slices)
    return gradient_norms(gradients, batch_size=32)


def scores(weights, sets):
    """Return gradient norms, and loss and accuracy of each set, as an evaluation names them."""
    values = {"gradient_norms": noise(weights, *sets["train"])}
    for name, (images, labels) in sets.items():
        values[f"{name}_loss"] = loss(weights, images, labels)
        values[f"{name}_metric"] = (outputs(weights, images).argmax(axis=1) == labels).mean()
    return values

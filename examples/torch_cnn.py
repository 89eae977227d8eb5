"""A small convolutional network in PyTorch, on scikit-learn's digits as images of 8x8 pixels."""

import torch
from sklearn.datasets import load_digits
from torch import nn

from sweeps import gradient_norms

MICRO_BATCH, MICRO_BATCHES = 32, 16  # of which the gradient noise is measured


def train(trial):
    """Train on random batches and yield an evaluation wherever one is due."""
    torch.manual_seed(trial.seed)
    sets = split()
    if not trial.evaluate_test:
        del sets["test"]
    images, labels = sets["train"]
    trial.training_examples = len(labels)

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.learning_rate, momentum=0.9)
    examples = 0
    for updates, batch in enumerate(batches(len(labels), trial.batch_size), start=1):
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        examples += len(batch)
        if trial.due(examples=examples, updates=updates):
            yield trial.evaluation(
                examples=examples,
                updates=updates,
                gradient_norms=noise(model, images, labels),
                **scores(model, sets),
            )


def split():
    """Return images and labels of training, validation and test set."""
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    indices = torch.randperm(len(labels)).tensor_split([1077, 1437])
    names = ("train", "validation", "test")
    return {name: (images[i], labels[i]) for name, i in zip(names, indices, strict=True)}


def network():
    """Return two convolutions, the second of which halves the image, and a linear layer."""
    first = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()]
    second = [nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(256, 10))


def batches(count, size):
    """Yield the indices of random batches, epoch after epoch."""
    while True:
        yield from torch.randperm(count).split(size)


def noise(model, images, labels):
    """Return squared norms of gradients of micro-batches and of all of them together."""
    indices = torch.arange(MICRO_BATCH * MICRO_BATCHES).split(MICRO_BATCH)
    losses = (nn.functional.cross_entropy(model(images[i]), labels[i]) for i in indices)
    gradients = (torch.autograd.grad(loss, [*model.parameters()]) for loss in losses)
    return gradient_norms(gradients, batch_size=MICRO_BATCH)


@torch.no_grad()
def scores(model, sets):
    """Return loss and accuracy of each set, as an evaluation names them."""
    values = {}
    for name, (images, labels) in sets.items():
        outputs = model(images)
        values[f"{name}_loss"] = nn.functional.cross_entropy(outputs, labels).item()
        values[f"{name}_metric"] = (outputs.argmax(dim=1) == labels).double().mean().item()
    return values

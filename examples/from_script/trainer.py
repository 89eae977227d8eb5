"""The trainer that `script.py` becomes: `bpsweep run study.toml`."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def train(trial):
    torch.manual_seed(trial.seed)
    images, labels = load_digits(return_X_y=True)
    dataset = TensorDataset(torch.tensor(images / 16).float(), torch.tensor(labels))
    training, val, test = random_split(dataset, [1077, 360, 360])
    loader = DataLoader(training, trial.batch_size, shuffle=True, drop_last=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=trial.learning_rate)
    seen = 0
    while True:
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(labels)
            if trial.due(examples=seen):
                tested = score(model, test) if trial.evaluate_test else None
                known = score(model, val)
                yield trial.evaluation(examples=seen, validation_metric=known, test_metric=tested)


@torch.no_grad()
def score(model, dataset):
    images, labels = dataset[:]
    model.eval()
    right = model(images).argmax(dim=1) == labels
    model.train()
    return right.double().mean().item()

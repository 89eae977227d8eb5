"""A training script of the usual kind: `python script.py --batch-size 32`."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def train(args):
    torch.manual_seed(args.seed)
    images, labels = load_digits(return_X_y=True)
    dataset = TensorDataset(torch.tensor(images / 16).float(), torch.tensor(labels))
    training, val, test = random_split(dataset, [1077, 360, 360])
    loader = DataLoader(training, args.batch_size, shuffle=True, drop_last=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate)
    seen = 0
    for _ in range(args.epochs):
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(labels)
        print(f"{seen} examples: validation accuracy {score(model, val):.3f}")
    print(f"test accuracy {score(model, test):.3f}")


@torch.no_grad()
def score(model, dataset):
    images, labels = dataset[:]
    model.eval()
    right = model(images).argmax(dim=1) == labels
    model.train()
    return right.double().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())

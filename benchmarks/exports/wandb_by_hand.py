"""Tables as pages of Weights & Biases export them: really trained, with headers written by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import product

from digits import BATCH_SIZES, LEARNING_RATES, RESULTS, train

SEEDS = (1, 2)
RUNS_HEADER = (
    *("Name", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep"),
    *("batch_size", "lr", "seed", "epoch", "train_loss", "val_accuracy", "val_loss"),
)


def write(name: str, rows: Iterable[Iterable[object]]) -> None:
    """Write a table in which every cell is quoted, the header first."""
    with (RESULTS / name).open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


def main() -> None:
    """Train the grid, and write its table of runs and a panel of the first seed's losses."""
    table: list[Iterable[object]] = [RUNS_HEADER]
    panel: dict[str, dict[int, float]] = {}
    for size, lr, seed in product(BATCH_SIZES, LEARNING_RATES, SEEDS):
        name = f"bs{size}-lr{lr:g}-seed{seed}"
        epochs = [*train(size, lr, seed)]
        end = epochs[-1]
        known = [name, "finished", "-", "user", "", "2026-11-30T12:00:00.000Z", 1, ""]
        row = [*known, size, lr, seed, end.epoch, end.train_loss, end.val_accuracy, end.val_loss]
        table.append(row)
        if seed == SEEDS[0]:
            panel[name] = {epoch.updates: epoch.val_loss for epoch in epochs}
    write("wandb_runs.csv", table)
    ranges = ("", "__MIN", "__MAX")
    header = ["Step", *(f"{name} - val_loss{end}" for name in panel for end in ranges)]
    steps = sorted({step for losses in panel.values() for step in losses})
    rows = [[n, *(run.get(n, "") for run in panel.values() for _ in ranges)] for n in steps]
    write("wandb_history.csv", [header, *rows])


if __name__ == "__main__":
    main()

"""A grid trained by the Trainer of Transformers 5.24.0 (PyTorch 2.13.0): the states it leaves."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from digits import BATCH_SIZES, EPOCHS, RESULTS, images
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

RATES = (0.001, 0.003, 0.01, 0.03)


def network() -> ViTForImageClassification:
    """Return a tiny transformer of random weights, which reads an image as 16 patches."""
    torch.manual_seed(0)
    shape = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=10,
    )
    return ViTForImageClassification(shape)


def main() -> None:
    """Train the grid, each rate with the linear decay that is usual."""
    train, labels, validation, expected = images()
    sets = [
        [
            {"pixel_values": torch.tensor(image).float().reshape(1, 8, 8), "labels": n}
            for image, n in pairs
        ]
        for pairs in (zip(train, labels, strict=True), zip(validation, expected, strict=True))
    ]
    for batch_size, lr in product(BATCH_SIZES[1:4], RATES):
        name = f"bs{batch_size}_lr{lr:g}"
        with TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder,
                per_device_train_batch_size=batch_size,
                learning_rate=lr,
                num_train_epochs=EPOCHS,
                eval_strategy="epoch",
                save_steps=150,
                save_total_limit=1,
                logging_steps=100,
                report_to="none",
                use_cpu=True,
                disable_tqdm=True,
            )
            trainer = Trainer(network(), arguments, train_dataset=sets[0], eval_dataset=sets[1])
            trainer.train()
            trainer.save_state()  # a checkpoint may be older than the last evaluation
            for state in Path(folder).rglob("trainer_state.json"):
                kept = RESULTS / "hugging_face" / name / state.parent.relative_to(folder)
                kept.mkdir(parents=True, exist_ok=True)
                shutil.copy(state, kept)


if __name__ == "__main__":
    main()

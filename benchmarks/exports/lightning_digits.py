"""A grid trained by Lightning 2.6.6 (PyTorch 2.13.0), logged by its CSVLogger: a folder a run."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from digits import BATCH_SIZES, EPOCHS, LEARNING_RATES, RESULTS, images
from lightning import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset


class Network(LightningModule):  # type: ignore[misc] # not installed where this is checked
    """A network with 32 hidden units."""

    def __init__(self, batch_size: int, lr: float) -> None:  # noqa: ARG002 - Lightning logs them
        super().__init__()
        self.save_hyperparameters()
        hidden, output = torch.nn.Linear(64, 32), torch.nn.Linear(32, 10)
        self.layers = torch.nn.Sequential(hidden, torch.nn.ReLU(), output)

    def training_step(self, batch: Any) -> Any:
        """Return the loss of a batch."""
        loss = torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Log loss and accuracy of a batch of the validation set."""
        outputs = self.layers(batch[0])
        self.log("val_loss", torch.nn.functional.cross_entropy(outputs, batch[1]))
        self.log("val_acc", (outputs.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        """Return SGD."""
        return torch.optim.SGD(self.parameters(), self.hparams.lr)


def main() -> None:
    """Train the grid."""
    train, labels, validation, expected = map(torch.tensor, images())
    sets = [TensorDataset(train.float(), labels), TensorDataset(validation.float(), expected)]
    for batch_size, lr in product(BATCH_SIZES[1:], LEARNING_RATES):
        torch.manual_seed(0)
        trainer = Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            logger=CSVLogger(RESULTS, name="lightning"),
            log_every_n_steps=100,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        loader = DataLoader(sets[0], batch_size, shuffle=True)
        trainer.fit(Network(batch_size, lr), loader, DataLoader(sets[1], len(sets[1])))


if __name__ == "__main__":
    main()

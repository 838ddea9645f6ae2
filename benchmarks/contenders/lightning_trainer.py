"""Lightning's Trainer with its defaults; logger, checkpoints, progress bar and summary are off."""

import logging
import warnings
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders import torch_network
from benchmarks.contenders.case import LEARNING_RATE, Case
from benchmarks.contenders.rounds import Rounds


class Classifier(lightning.LightningModule):  # type: ignore[misc]
    """A network with its loss and optimizer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """The loss of a batch."""
        inputs, targets = batch
        loss: Tensor = self.criterion(self.network(inputs), targets)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """As in every contender."""
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)


class Pauses(lightning.Callback):  # type: ignore[misc]
    """Hands every step to the rounds."""

    def __init__(self, rounds: Rounds, versions: dict[str, str], settings: str) -> None:
        self.rounds, self.versions, self.settings = rounds, versions, settings

    def on_train_start(self, *_: Any) -> None:
        """Everything is built."""
        self.rounds.ready(self.versions, self.settings)

    def on_train_batch_end(self, _trainer: Any, _module: Any, outputs: dict[str, Tensor], *_: Any) -> None:
        """A step is done."""
        self.rounds.step(outputs["loss"].item())


def main() -> None:
    """Train as told."""
    case, rounds = Case.given(), Rounds()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(case.threads)
    dataset = TensorDataset(*torch_network.tensors(case))
    loader = DataLoader(dataset, case.batch, sampler=torch.arange(len(dataset)).tolist())
    versions = {"lightning": str(lightning.__version__), "torch": str(torch.__version__)}
    settings = f"Trainer(accelerator='cpu'), DataLoader without worker processes, optim.Adam, {case.threads} threads"
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Pauses(rounds, versions, settings)],
    )
    trainer.fit(Classifier(torch_network.build(case)), loader)


if __name__ == "__main__":
    main()

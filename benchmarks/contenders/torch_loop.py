"""A plain PyTorch loop, as PyTorch's quickstart writes it: DataLoader, cross-entropy, Adam."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders import torch_network
from benchmarks.contenders.case import LEARNING_RATE, Case
from benchmarks.contenders.rounds import Rounds


def main() -> None:
    """Train as told."""
    case, rounds = Case.given(), Rounds()
    torch.set_num_threads(case.threads)
    network = torch_network.build(case).train()
    dataset = TensorDataset(*torch_network.tensors(case))
    # the order is every contender's; a sampler of its own costs what shuffle=True costs
    loader = DataLoader(dataset, case.batch, sampler=torch.arange(len(dataset)).tolist())
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    settings = f"DataLoader on tensors in memory, no worker processes, optim.Adam, {case.threads} threads"
    rounds.ready({"torch": str(torch.__version__)}, settings)
    for inputs, targets in loader:
        loss = criterion(network(inputs), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        rounds.step(loss.item())


if __name__ == "__main__":
    main()

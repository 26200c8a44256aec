"""A plain PyTorch loop, one network after the other: what the published notebooks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import torch


def module(weights: list) -> torch.nn.Sequential:
    """A network of these weights."""
    import torch

    layers: list[torch.nn.Module] = []
    for kernel, bias in weights:
        linear = torch.nn.Linear(*kernel.shape)
        linear.load_state_dict({"weight": torch.tensor(kernel.T), "bias": torch.tensor(bias)})
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def trainer(networks: peer.Networks, threads: int, fused: int = 0) -> peer.Work:
    """PyTorch's Adam as it comes, or its fused form."""
    import torch

    torch.set_num_threads(threads)
    x, y = torch.tensor(networks.inputs), torch.tensor(networks.targets)
    members = [module(weights) for weights in networks.weights]
    optimizers = [
        torch.optim.Adam(m.parameters(), peer.LEARNING_RATE, eps=peer.EPSILON, fused=bool(fused))
        for m in members
    ]

    def loss_of(member: torch.nn.Module) -> torch.Tensor:
        return torch.nn.functional.mse_loss(member(x), y)

    def run(number: int) -> None:
        for member, optimizer in zip(members, optimizers, strict=True):
            for _ in range(number):
                optimizer.zero_grad()
                loss_of(member).backward()
                optimizer.step()

    return peer.Work(run, lambda: [loss_of(member).item() for member in members])


if __name__ == "__main__":
    peer.train_networks(trainer, "torch", fused=0)

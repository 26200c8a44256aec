"""The small convolutional network in a PyTorch loop, channels last, or its bare forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import torch


def convnet(kernels: list, side: int, num_classes: int) -> torch.nn.Module:
    """Three convolutions with normalisation and ReLU, and logits that start at zero.

    Images are [b, 3, side, side]. PyTorch pads a stride before the first pixel, TensorFlow behind
    the last: with kernels and images turned by half a circle both compute the same.
    """
    import torch

    layers: list[torch.nn.Module] = []
    for stage, kernel in enumerate(kernels):
        convolution = torch.nn.Conv2d(
            *kernel.shape[2:], 3, stride=2 if stage else 1, padding=1, bias=False
        )
        turned = torch.tensor(kernel[::-1, ::-1].transpose(3, 2, 0, 1).copy())
        convolution.load_state_dict({"weight": turned})
        layers += [convolution, torch.nn.BatchNorm2d(kernel.shape[3]), torch.nn.ReLU()]
    places = (-(-side // 4)) ** 2
    logits = torch.nn.Linear(places * kernels[-1].shape[3], num_classes)
    torch.nn.init.zeros_(logits.weight)
    torch.nn.init.zeros_(logits.bias)
    network = torch.nn.Sequential(*layers, torch.nn.Flatten(), logits)
    return network.to(memory_format=torch.channels_last)


def trainer(batches: peer.Batches, threads: int, compiled: int = 0, forward: int = 0) -> peer.Work:
    """SGD with Nesterov momentum, eager or compiled; or outputs alone, in inference mode."""
    import torch

    torch.set_num_threads(threads)
    network = convnet(batches.kernels, batches.images.shape[2], batches.num_classes)
    run_network = torch.compile(network) if compiled else network
    data = [
        (
            torch.tensor(images[:, ::-1, ::-1].copy()).permute(0, 3, 1, 2),  # Channels last.
            torch.tensor(labels, dtype=torch.int64),
        )
        for images, labels in zip(batches.images, batches.labels, strict=True)
    ]
    following = peer.endless(data)
    if forward:
        network.eval()

        @torch.inference_mode()
        def answer(number: int) -> None:
            for images, _ in following(number):
                run_network(images)

        return peer.Work(answer)

    optimizer = torch.optim.SGD(
        network.parameters(), peer.SGD_RATE, momentum=peer.MOMENTUM, nesterov=True, fused=True
    )

    def train(number: int) -> None:
        for images, labels in following(number):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(run_network(images), labels).backward()
            optimizer.step()

    @torch.no_grad()
    def losses() -> list[float]:
        [(images, labels)] = following(1)
        return [torch.nn.functional.cross_entropy(network(images), labels).item()]

    return peer.Work(train, losses)


if __name__ == "__main__":
    peer.train_classifier(trainer, "torch", compiled=0, forward=0)

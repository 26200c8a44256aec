"""The bare forward pass of the small convolutional network in PyTorch, at its best on a processor.

Inference mode, channels last, compiled; `--freezing=1` lets the compiler fold normalisations into
convolutions and order their weights once. `--data=FILE.npz` holds `images`, [k, b, s, s, c] float32
as the network sees them, and the weights of `models.small.convnet` in Keras' order: `weight_00` ...
A benchmark is told the logits of the first batch, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import numpy as np
    import torch

EPSILON = 1e-5


def answerer(
    images: np.ndarray, weights: list[np.ndarray], threads: int, freezing: int = 0
) -> peer.Work:
    """Outputs of one batch after the other."""
    os.environ["TORCHINDUCTOR_FREEZING"] = str(freezing)  # It is read at the import.
    import torch

    torch.set_num_threads(threads)
    batches = [as_torch(batch) for batch in images]
    following = peer.endless(batches)
    network = torch.compile(convnet(weights, images.shape[2]))

    @torch.inference_mode()
    def answer(number: int) -> None:
        for batch in following(number):
            network(batch)

    with torch.inference_mode():
        logits = network(batches[0]).tolist()
    return peer.Work(answer, told={"logits": logits})


def as_torch(images: np.ndarray) -> torch.Tensor:
    """Images [b, s, s, c] turned by half a circle, as [b, c, s, s] with the channels last.

    TensorFlow pads a stride behind the last pixel, PyTorch before the first: with images, kernels
    and the places that the logits weigh turned, both compute the same.
    """
    import torch

    return torch.tensor(images[:, ::-1, ::-1].copy()).permute(0, 3, 1, 2)


def convnet(weights: list[np.ndarray], side: int) -> torch.nn.Module:
    """The network of these weights, in evaluation mode."""
    import torch

    class Places(torch.nn.Module):
        """[b, c, h, w] -> [b, h w c], in the order in which they are in memory."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.permute(0, 2, 3, 1).flatten(1)

    layers: list[torch.nn.Module] = []
    *stages, head, bias = weights
    for stage in range(len(stages) // 5):
        kernel, gamma, beta, mean, variance = stages[5 * stage : 5 * stage + 5]
        convolution = torch.nn.Conv2d(
            *kernel.shape[2:], 3, stride=2 if stage else 1, padding=1, bias=False
        )
        turned = torch.tensor(kernel[::-1, ::-1].transpose(3, 2, 0, 1).copy())
        convolution.load_state_dict({"weight": turned})
        normalisation = torch.nn.BatchNorm2d(kernel.shape[3], EPSILON)
        given = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
        values = {name: torch.tensor(value) for name, value in given.items()}
        normalisation.load_state_dict(values, strict=False)
        layers += [convolution, normalisation, torch.nn.ReLU()]
        side = -(-side // 2) if stage else side
    logits = torch.nn.Linear(*head.shape)
    places = head.reshape(side, side, -1, head.shape[1])[::-1, ::-1].reshape(head.shape)
    logits.load_state_dict({"weight": torch.tensor(places.T.copy()), "bias": torch.tensor(bias)})
    network = torch.nn.Sequential(*layers, Places(), logits).eval()
    return network.to(memory_format=torch.channels_last)


if __name__ == "__main__":
    peer.ask_classifier(answerer, "torch", freezing=0)

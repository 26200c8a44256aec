"""The bare forward pass of the small convolutional network in PyTorch, at its best on a processor.

Inference mode, channels last, compiled; `--freezing=1` lets the compiler fold normalisations into
convolutions and order their weights once. A program of its own, asked by `benchmark_paths.py`:

    python launchers/peers/torch_forward.py --data=FILE.npz --threads=1

The file holds `images`, [k, b, s, s, c] float32 as the network sees them, and the weights of
`models.small.convnet` in Keras' order: `weight_00` ... It answers "ready {...}", with its logits of
the first batch, once everything is compiled, then to every line with a number of batches "done
SECONDS". Until it is asked it sleeps.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

EPSILON = 1e-5


def main() -> None:
    """Compiles, tells its logits, and answers."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--data", required=True, help=".npz of images and weights")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--serve", action="store_true", help="as it does in any case")
    parser.add_argument("--seed", type=int, default=0, help="of nothing: nothing is drawn")
    parser.add_argument("--freezing", type=int, default=0, help="1: weights are constants")
    asked = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # They are read at the import.
        os.environ[name] = str(asked.threads)
    os.environ["TORCHINDUCTOR_FREEZING"] = str(asked.freezing)
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    import numpy as np
    import torch

    torch.set_num_threads(asked.threads)
    with np.load(asked.data) as file:
        images = file["images"]
        weights = [file[name] for name in sorted(file.files) if name != "images"]
    batches = [as_torch(batch) for batch in images]
    with torch.inference_mode():
        network = torch.compile(convnet(weights, images.shape[2]))
        logits = network(batches[0]).numpy()
        facts = {"each": len(images[0]), "versions": f"torch {torch.__version__}"}
        print("ready", json.dumps({**facts, "logits": logits.tolist()}), file=answers)
        for line in sys.stdin:
            start = time.perf_counter()
            for number in range(int(line)):
                network(batches[number % len(batches)])
            print("done", time.perf_counter() - start, file=answers)


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
    main()

"""Augmented batches of torchvision's transforms, version 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import numpy as np
    import torch


def batches(
    pixels: np.ndarray, batch_size: int, policy: int, threads: int, pil: int = 0, batched: int = 0
) -> Iterator[torch.Tensor]:
    """One image after the other, as tensors or (`--pil=1`) as PIL's; then normalised together.

    `--batched=1` gives the whole batch to each transform at once, all of whose images then get the
    same draws: less than the others do, but what the library allows.
    """
    import torch
    from torchvision.transforms import v2

    torch.set_num_threads(threads)
    unit = pixels.reshape(-1, 3) / 255.0
    height, width = pixels.shape[1:3]
    draws = [
        *([v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)] if policy else []),
        v2.RandomHorizontalFlip(),
        v2.RandomCrop((height, width), padding=4),
    ]
    each = v2.Compose([*draws, v2.ToImage()] if pil else draws)
    normalise = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(unit.mean(axis=0).tolist(), unit.std(axis=0).tolist(), inplace=True),
        ]
    )
    # A square of half the side, of zeros.
    cutout = v2.RandomErasing(p=1, scale=(0.25, 0.25), ratio=(1, 1), inplace=True)
    if pil:
        images = [v2.functional.to_pil_image(image) for image in pixels]
    else:
        images = torch.tensor(pixels).permute(0, 3, 1, 2).contiguous()

    while True:
        chosen = torch.randint(len(pixels), (batch_size,))
        if batched:
            yield cutout(normalise(each(images[chosen])))
        else:
            made = normalise(torch.stack([each(images[i]) for i in chosen.tolist()]))
            yield torch.stack([cutout(image) for image in made])


if __name__ == "__main__":
    peer.augment_images(batches, "torchvision", "torch", pil=0, batched=0)

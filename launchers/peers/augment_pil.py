"""Augmented batches by PIL and NumPy, one image after the other: the published way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import peer

if TYPE_CHECKING:
    import numpy as np

PADDING, CUTOUT = 4, 16


def batches(pixels: np.ndarray, batch_size: int, policy: int, threads: int) -> Iterator[np.ndarray]:
    """What does not need PIL (all but AutoAugment) is NumPy's."""
    import numpy as np

    unit = pixels.reshape(-1, 3) / 255.0
    mean, deviation = (x.astype(np.float32) for x in (unit.mean(axis=0), unit.std(axis=0)))
    height, width = pixels.shape[1:3]
    rng = np.random.default_rng(0)
    operations = policies() if policy else []

    def changed(image: np.ndarray) -> np.ndarray:
        if operations:
            for operate, probability in operations[rng.integers(len(operations))]:
                if rng.random() < probability:
                    image = operate(image)
        image = (image / np.float32(255) - mean) / deviation
        if rng.integers(2):
            image = image[:, ::-1]
        padded = np.zeros((height + 2 * PADDING, width + 2 * PADDING, 3), np.float32)
        padded[PADDING:-PADDING, PADDING:-PADDING] = image
        y, x = rng.integers(2 * PADDING + 1, size=2)
        cropped = padded[y : y + height, x : x + width]
        y, x = rng.integers((height, width)) - CUTOUT // 2
        cropped[max(y, 0) : max(y + CUTOUT, 0), max(x, 0) : max(x + CUTOUT, 0)] = 0
        return cropped

    while True:
        yield np.stack([changed(pixels[i]) for i in rng.integers(len(pixels), size=batch_size)])


def policies() -> list[list[tuple[Callable[[np.ndarray], np.ndarray], float]]]:
    """The pairs of operations of AutoAugment on CIFAR-10, each with its probability."""
    from spectral_tf.data import policies as published

    def operation(word: str) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
        return by_pil(word[:2], int(word[3])), int(word[2]) / 10

    return [[operation(word) for word in pair.split()] for pair in published.CIFAR_PAIRS.split(",")]


def by_pil(short: str, magnitude: int) -> Callable[[np.ndarray], np.ndarray]:
    """An operation of AutoAugment on one image, as the published code does it."""
    import numpy as np
    from PIL import Image, ImageEnhance, ImageOps

    six = {
        "SX": (1, 0.03 * magnitude, 0, 0, 1, 0),
        "SY": (1, 0, 0, 0.03 * magnitude, 1, 0),
        "TX": (1, 0, magnitude, 0, 1, 0),
        "TY": (1, 0, 0, 0, 1, magnitude),
    }
    enhancers = {"Cl": "Color", "Co": "Contrast", "Br": "Brightness", "Sh": "Sharpness"}
    others: dict[str, Callable] = {
        "AC": ImageOps.autocontrast,
        "Eq": ImageOps.equalize,
        "In": ImageOps.invert,
        "Ro": lambda x: x.rotate(3 * magnitude),
        "So": lambda x: ImageOps.solarize(x, int(256 - 25.6 * magnitude)),
        "Po": lambda x: ImageOps.posterize(x, 4 - int(0.4 * magnitude)),
        "Cu": lambda x: x,
    }
    if short in six:
        changed = lambda x: x.transform(x.size, Image.Transform.AFFINE, six[short])  # noqa: E731
    elif short in enhancers:
        enhance = getattr(ImageEnhance, enhancers[short])
        changed = lambda x: enhance(x).enhance(0.1 + 0.18 * magnitude)  # noqa: E731
    else:
        changed = others[short]
    return lambda pixels: np.asarray(changed(Image.fromarray(pixels)))


if __name__ == "__main__":
    peer.augment_images(batches, "numpy", "PIL")

"""Real images that come with the package's dependencies, as TFDS builders: no network is needed.

Importing this module registers `digits` and `photo_patches` with TFDS.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

PATCH, BLOCK = 32, 64  # Pixels: a crop, and the squares of a photograph it may not leave.
CROPS = {"train": 1_000, "test": 200}  # Of each photograph.


class Digits(tfds.core.GeneratorBasedBuilder):
    """The 1,797 handwritten digits of scikit-learn: 8 x 8 grey pixels, ten classes.

    They are the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and
    Kaynak, 1998), 32 x 32 bitmaps counted in squares of 4 x 4: other digits than MNIST's.
    The 17 grey levels 0 ... 16 are scaled to 0 ... 255. The last 360 are the test split, as in
    scikit-learn's own order.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "The first."}

    def _info(self) -> tfds.core.DatasetInfo:
        return _info(self, (8, 8, 1), [str(digit) for digit in range(10)])

    def _split_generators(self, manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = np.round(digits.images[..., np.newaxis] * (255 / 16)).astype(np.uint8)
        return {
            "train": _examples(pixels[:1_437], digits.target[:1_437]),
            "test": _examples(pixels[1_437:], digits.target[1_437:]),
        }

    def _generate_examples(self, *args: Any, **kwargs: Any) -> Iterator[tuple[int, dict]]:
        raise NotImplementedError("The splits bring their examples.")


class PhotoPatches(tfds.core.GeneratorBasedBuilder):
    """32 x 32 colour crops of ten photographs; the label is the photograph.

    The photographs ship with scikit-image, scikit-learn and matplotlib under free licences (CC0,
    CC BY 2.0 or public domain). Each is cut into squares of 64 x 64 pixels; every fifth square, on
    a lattice that spreads over the picture, belongs to the test split, and no crop leaves its
    square: training and test crops share no pixel. Of the retina it is the square inside the
    round picture, two by two pixels averaged. 1,000 and 200 crops of each photograph at
    positions drawn with a fixed seed; crops of one split overlap.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "The first."}

    def _info(self) -> tfds.core.DatasetInfo:
        return _info(self, (PATCH, PATCH, 3), sorted(PHOTOGRAPHS))

    def _split_generators(self, manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        photographs = [PHOTOGRAPHS[name]() for name in sorted(PHOTOGRAPHS)]
        return {
            split: _examples(
                np.concatenate([crops(p, split, i) for i, p in enumerate(photographs)]),
                np.repeat(np.arange(len(photographs)), number),
            )
            for split, number in CROPS.items()
        }

    def _generate_examples(self, *args: Any, **kwargs: Any) -> Iterator[tuple[int, dict]]:
        raise NotImplementedError("The splits bring their examples.")


def corners(height: int, width: int, split: str, seed: int) -> np.ndarray:
    """Where the crops of a photograph begin: rows and columns, int, shape [crops, 2].

    Args:
      height, width: of the photograph, at least 5 squares of 64 pixels in all.
      split: `train` or `test`.
      seed: of the draws.
    """
    rows, columns = np.mgrid[: height // BLOCK, : width // BLOCK].reshape(2, -1)
    held_out = (2 * rows + columns) % 5 == 0
    mine = held_out if split == "test" else ~held_out
    squares = np.stack([rows, columns], axis=-1)[mine] * BLOCK
    rng = np.random.default_rng([seed, split == "test"])
    chosen = squares[rng.integers(len(squares), size=CROPS[split])]
    return chosen + rng.integers(BLOCK - PATCH + 1, size=chosen.shape)


def crops(photograph: np.ndarray, split: str, seed: int) -> np.ndarray:
    """The crops of one photograph [height, width, 3]: uint8, shape [crops, 32, 32, 3]."""
    height, width, _ = photograph.shape
    places = corners(height, width, split, seed)
    return np.stack([photograph[y : y + PATCH, x : x + PATCH] for y, x in places])


def _info(builder: Any, shape: tuple[int, ...], names: list[str]) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=builder,
        description=type(builder).__doc__,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=shape),
                "label": tfds.features.ClassLabel(names=names),
            }
        ),
        supervised_keys=("image", "label"),
    )


def _examples(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict]]:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield i, {"image": image, "label": int(label)}


def _skimage(name: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        import skimage.data

        return getattr(skimage.data, name)()

    return load


def _sklearn(name: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        from sklearn.datasets import load_sample_image

        return load_sample_image(name)

    return load


def _grace_hopper() -> np.ndarray:
    import matplotlib.cbook
    from PIL import Image

    return np.asarray(Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", False)))


def _retina() -> np.ndarray:
    """The square inside the round picture, 2 x 2 pixels averaged (the scan is finer than sharp)."""
    square = _skimage("retina")()[210:1_202, 210:1_202]
    halves = square.reshape(496, 2, 496, 2, 3).mean(axis=(1, 3))
    return np.round(halves).astype(np.uint8)


# {label: how to get the photograph, uint8 [height, width, 3]}.
PHOTOGRAPHS: dict[str, Callable[[], np.ndarray]] = {
    "astronaut": _skimage("astronaut"),  # NASA, public domain.
    "cat": _skimage("chelsea"),  # CC0, Stefan van der Walt.
    "coffee": _skimage("coffee"),  # CC0, Rachel Michetti.
    "deep_field": _skimage("hubble_deep_field"),  # NASA, public domain.
    "flower": _sklearn("flower.jpg"),  # CC BY 2.0, flickr.com/photos/vultilion.
    "officer": _grace_hopper,  # US Navy, public domain.
    "retina": _retina,  # CC0, Mikael Haeggstroem.
    "rocket": _skimage("rocket"),  # SpaceX, public domain.
    "temple": _sklearn("china.jpg"),  # CC BY 2.0, flickr.com/photos/danielbuechele.
    "tissue": _skimage("immunohistochemistry"),  # CMMI, no known restrictions.
}

"""Real images that come with the package's dependencies, as TFDS builders: no network is needed.

Importing this module registers `digits` and `photo_patches` with TFDS.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from numpy.typing import NDArray

PATCH, BLOCK = 32, 40  # Pixels: a crop, and the squares of a photograph it may not leave.
CROPS = {"train": 1_000, "test": 200}  # Of each photograph.
HELD_OUT = (0, 2)  # Places (2 row + column) mod 5 of the squares of the test split.
_NUMBERS = 1_000  # Square numbers of a class; the largest photograph has 525.


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
    CC BY 2.0 or public domain). Each is cut into squares of 40 x 40 pixels; two of five squares, on
    a lattice that spreads over the picture, belong to the test split, and no crop leaves its
    square: crops of different squares share no pixel, nor do training and test crops. Of the retina
    it is the square inside the round picture, two by two pixels averaged.

    A photograph has 32 to 210 test squares (median 62) and 45 to 315 training squares (median 93).
    1,000 and 200 crops of each photograph at places drawn with a fixed seed, no place twice; every
    square has as many as any other, or one more. So every square is used, except that the 200 test
    crops of the deep field lie in 200 of its 210.

    `square` is 1000 label + row * columns + column of the square in the lattice of its photograph:
    crops of one number overlap and are not independent draws. (Those of neighbouring squares may
    still look alike.)
    """

    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "2.0.0": "Squares of 40 x 40 pixels instead of 64 x 64, evenly used and named by `square`; "
        "two of five instead of one of five are held out.",
        "1.0.0": "The first.",
    }

    def _info(self) -> tfds.core.DatasetInfo:
        square = tfds.features.Scalar(np.int64)
        return _info(self, (PATCH, PATCH, 3), sorted(PHOTOGRAPHS), square=square)

    def _split_generators(self, manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        photographs = [PHOTOGRAPHS[name]() for name in sorted(PHOTOGRAPHS)]

        def examples(split: str) -> Iterator[tuple[int, dict]]:
            drawn = [crops(photograph, split, i) for i, photograph in enumerate(photographs)]
            labels = np.repeat(np.arange(len(drawn)), CROPS[split])
            pixels, _, squares = map(np.concatenate, zip(*drawn, strict=True))
            return _examples(pixels, labels, square=_NUMBERS * labels + squares)

        return {split: examples(split) for split in CROPS}

    def _generate_examples(self, *args: Any, **kwargs: Any) -> Iterator[tuple[int, dict]]:
        raise NotImplementedError("The splits bring their examples.")


class Crops(NamedTuple):
    """Crops of one photograph, and where they lie.

    Attributes:
      pixels: uint8, shape [n, 32, 32, 3].
      corners: rows and columns where they begin, int64, shape [n, 2].
      squares: number row * columns + column of the square that holds each, int64, shape [n].
    """

    pixels: NDArray[np.uint8]
    corners: NDArray[np.int64]
    squares: NDArray[np.int64]


def crops(photograph: NDArray[np.uint8], split: str, seed: int) -> Crops:
    """The crops of one photograph, each at another place, evenly over the squares of a split.

    Args:
      photograph: shape [height, width, 3], at least 5 squares of 40 pixels wide.
      split: `train` or `test`.
      seed: of the draws.
    """
    num_rows, num_columns = (side // BLOCK for side in photograph.shape[:2])
    rows, columns = np.mgrid[:num_rows, :num_columns].reshape(2, -1)
    held_out = np.isin((2 * rows + columns) % 5, HELD_OUT)
    rng = np.random.default_rng([seed, split == "test"])
    own = rng.permutation(np.flatnonzero(held_out == (split == "test")))
    # Crop i is in square i mod n. Row s of the table holds the places within square s, shuffled.
    visits, side = -(-CROPS[split] // len(own)), BLOCK - PATCH + 1
    positions = rng.permuted(np.tile(np.arange(side**2), (len(own), 1)), axis=1)[:, :visits]
    squares = np.tile(own, visits)[: CROPS[split]]
    within = np.stack(np.divmod(positions.T.ravel()[: CROPS[split]], side), axis=-1)
    corners = BLOCK * np.stack([rows[squares], columns[squares]], axis=-1) + within
    pixels = np.stack([photograph[y : y + PATCH, x : x + PATCH] for y, x in corners])
    return Crops(pixels, corners, squares)


def _info(
    builder: Any, shape: tuple[int, ...], names: list[str], **more: Any
) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=builder,
        description=type(builder).__doc__,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=shape),
                "label": tfds.features.ClassLabel(names=names),
                **more,
            }
        ),
        supervised_keys=("image", "label"),
    )


def _examples(
    images: np.ndarray, labels: np.ndarray, **more: np.ndarray
) -> Iterator[tuple[int, dict]]:
    columns = {"image": images, "label": labels, **more}
    for i, values in enumerate(zip(*columns.values(), strict=True)):
        yield i, dict(zip(columns, values, strict=True))


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

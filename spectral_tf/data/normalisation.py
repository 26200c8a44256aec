"""Pixels to network inputs: (pixel / 255 - mean) / deviation, for each channel."""

from typing import NamedTuple

import numpy as np

from spectral_tf.data.images import Images
from spectral_tf.errors import UserError

_MEASURED_ON = 10_000


class Normalisation(NamedTuple):
    """Mean and standard deviation of each channel, of pixels in [0, 1].

    Norms and frequencies of images live in the space (pixel / 255 - mean) / deviation.

    Attributes:
      mean, deviation: one number for each channel.
      source: where they come from, for the record.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    source: str


# The constants of CIFAR-10 are those of Fridovich-Keil et al. (2022); CIFAR-10.1 is shifted test
# data of it. Those of ImageNet are the usual ones.
_CIFAR10 = Normalisation(
    (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784), "CIFAR-10"
)
_IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "ImageNet")
_KNOWN = {
    "cifar10": _CIFAR10,
    "cifar10_1": _CIFAR10,
    "cifar10_corrupted": _CIFAR10,
    "imagenet2012": _IMAGENET,
    "imagenet2012_subset": _IMAGENET,
    "imagenette": _IMAGENET,
}


def unit(images: Images) -> Normalisation:
    """Pixels in [0, 1] as they are: what Rahaman et al. (2019) train on."""
    channels = _channels(images)
    return Normalisation((0.0,) * channels, (1.0,) * channels, "none: pixels in [0, 1]")


def standard(training: Images) -> Normalisation:
    """The published constants of a data set, or else those of its training images.

    Measured ones are the mean and the standard deviation of each channel over all pixels of the
    first 10,000 images.

    Args:
      training: the training split, whatever split is to be normalised.

    Raises:
      UserError: a set without known constants whose images differ in size, or with a channel that
        is constant.
    """
    known = _KNOWN.get(training.version.split("/")[0])
    if known:
        return known
    images = to_unit(training.arrays()[0][:_MEASURED_ON]).astype(np.float64)
    pixels = images.reshape(-1, _channels(training))
    mean, deviation = pixels.mean(axis=0), pixels.std(axis=0)
    if not deviation.min() > 0:
        raise UserError(
            f"data set {training.name}",
            expected="channels that vary",
            got=f"standard deviations {deviation.tolist()}",
            hint="leave the constant channel out",
        )
    source = f"measured on the first {len(images):,} images of {training.split}"
    return Normalisation(tuple(mean.tolist()), tuple(deviation.tolist()), source)


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8 of 0 ... 255 to float32 in [0, 1]; floats stay as they are."""
    return images / np.float32(255) if images.dtype == np.uint8 else images


def _channels(images: Images) -> int:
    if len(images.shape) == 1:
        return 1
    return int(images.shape[-1] or 1)

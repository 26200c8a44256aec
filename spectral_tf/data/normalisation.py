"""Pixels to network inputs: (pixel / 255 - mean) / deviation, for each channel."""

import math
from typing import Any, NamedTuple

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

    def apply(self, unit: Any) -> Any:
        """Pixels in [0, 1], an array or a tensor [..., c] of float32 -> inputs."""
        mean, deviation = (np.asarray(part, np.float32) for part in self[:2])
        row = tuple(unit.shape[-2:])
        if len(row) == 2 and None not in row:
            # A row of pixels at a time: TensorFlow is slow with the few channels of one.
            mean, deviation = (np.broadcast_to(part, row) for part in (mean, deviation))
        return (unit - mean) / deviation

    def undo(self, inputs: Any) -> Any:
        """Inputs -> pixels in [0, 1]."""
        mean, deviation = (np.asarray(part, np.float32) for part in self[:2])
        return inputs * deviation + mean


# The constants of CIFAR-10 are those of Fridovich-Keil et al. (2022); CIFAR-10.1 is shifted test
# data of it. Those of ImageNet are the usual ones.
_CIFAR10 = Normalisation(
    (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784), "CIFAR-10"
)
_IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "ImageNet")
# What pixels in [0, 1] may be brought to, beside the standard of a data set: mean and deviation.
_RANGES = {"unit": [(0.0, 1.0)], "bytes": [(0.0, 1 / 255)], "signed": [(0.5, 0.5)]}
_SOURCES = {
    "unit": "none: pixels in [0, 1]",
    "bytes": "pixels in 0 to 255",
    "signed": "pixels in -1 to 1",
}
RANGES = ("standard", *_RANGES, "imagenet")
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
    return named("unit", channels_of(images))


def named(range_: str, channels: int, subject: str = "normalisation") -> Normalisation:
    """What brings pixels in [0, 1] to a range that a network wants.

    Args:
      range_: `unit` (they stay), `bytes` (0 to 255, also of a network that rescales itself),
        `signed` (-1 to 1), `imagenet` (the usual constants of its three colours), or
        `mean:deviation` of pixels in [0, 1], once or for every channel, separated by commas.
      channels: of the images.
      subject: how an error calls it.

    Raises:
      UserError: another word, other numbers, or as many as there are no channels.

    >>> named("bytes", 1).deviation == (1 / 255,), named("0.5:0.25", 2).mean
    (True, (0.5, 0.5))
    """
    if range_ == "imagenet" and channels == len(_IMAGENET.mean):
        return _IMAGENET
    affine = {**_RANGES, **_numbers(range_)}.get(range_, [])
    if len(affine) == 1:
        affine = affine * channels
    if len(affine) != channels:
        raise UserError(
            subject,
            expected=f"{', '.join(RANGES)}, MEAN:DEVIATION of pixels in [0, 1], once or for each "
            f"of {channels} channels, or MODULE:FUNCTION",
            got=range_ or "nothing",
            hint=f"{subject}=bytes is for a network that rescales pixels of 0 to 255 itself",
        )
    mean, deviation = zip(*affine, strict=True)
    return Normalisation(mean, deviation, _SOURCES.get(range_, "given"))


def _numbers(text: str) -> dict[str, list[tuple[float, float]]]:
    """{the text: its pairs}, if it is `mean:deviation` once or several times."""
    try:
        pairs = [[float(word) for word in part.split(":")] for part in text.split(",")]
    except ValueError:
        return {}
    good = all(len(p) == 2 and math.isfinite(p[0]) and 0 < p[1] < math.inf for p in pairs)
    return {text: [(mean, deviation) for mean, deviation in pairs]} if good else {}


def is_numbers(text: str) -> bool:
    """Whether a text is `mean:deviation`, once or for several channels.

    >>> is_numbers("0.5:0.25,0.4:0.2"), is_numbers("mine:prepare"), is_numbers("0.5:0")
    (True, False, False)
    """
    return bool(_numbers(text))


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
    pixels = images.reshape(-1, channels_of(training))
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


def channels_of(images: Images) -> int:
    """The number of channels of images; vectors have one."""
    if len(images.shape) == 1:
        return 1
    return int(images.shape[-1] or 1)

"""AutoAugment and RandAugment: random operations on pixels, for whole batches.

The operations are PIL's (with its rounding up to one grey level), written for batches: the images
of a batch are sorted by the operation that was drawn for them, and every operation runs once on all
of its images. Pixels are in [0, 1].
"""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from spectral_tf.data.augment import Augmentation, Part, integers, square, uniform, without

# images [n, h, w, c] in [0, 1], magnitude [n] from 0 to 10 -> images. A magnitude below zero (drawn
# for operations that have a direction) turns the direction round.
_Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def randaugment(
    mean: Sequence[float] = (0.0,), *, num_operations: int = 3, magnitude: float = 4.0
) -> Augmentation:
    """Operations drawn evenly from 14 (the identity among them), one after the other.

    Args:
      mean: of each channel: what is drawn in from beyond the border.
      num_operations, magnitude: the paper's are 3, and 4 of 10.

    Source: Cubuk et al. (2020); numbers of Fridovich-Keil et al. (2022), by their code.
    """

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        for i in range(num_operations):
            own = tf.random.experimental.stateless_fold_in(seed, i)
            chosen = integers(images, own, part, len(_RANDAUGMENT))
            operations = tf.gather([_NAMES.index(name) for name in _RANDAUGMENT], chosen)
            level = tf.fill(tf.shape(chosen), magnitude)
            images = _operate(images, operations, level, own, part, mean)
        return images

    return apply


def autoaugment(mean: Sequence[float] = (0.0,)) -> Augmentation:
    """One of 95 pairs of operations, each with its probability, found on CIFAR-10.

    Args:
      mean: of each channel: what is drawn in from beyond the border.

    Source: Cubuk et al. (2019), the policies of their released code.
    """
    table = np.array(
        [
            [(_SHORT.index(word[:2]), int(word[2]) / 10, int(word[3])) for word in pair.split()]
            for pair in CIFAR_PAIRS.split(",")
        ]
    )

    def apply(images: tf.Tensor, seed: tf.Tensor, part: Part) -> tf.Tensor:
        pair = tf.gather(tf.constant(table, tf.float32), integers(images, seed, part, len(table)))
        for i in range(2):
            own = tf.random.experimental.stateless_fold_in(seed, i + 1)
            operation, probability, magnitude = tf.unstack(pair[:, i], axis=1)
            happens = uniform(images, own, part) < probability
            operation = tf.where(happens, tf.cast(operation, tf.int32), _NAMES.index("identity"))
            images = _operate(images, operation, magnitude, own, part, mean)
        return images

    return apply


def _operate(
    images: tf.Tensor,
    operation: tf.Tensor,
    magnitude: tf.Tensor,
    seed: tf.Tensor,
    part: Part,
    mean: Sequence[float],
) -> tf.Tensor:
    """Applies to each image the operation of its number at its magnitude, with a random sign."""
    turned = integers(images, tf.random.experimental.stateless_fold_in(seed, 7), part, 2) == 1
    signed = tf.where(turned, -magnitude, magnitude)
    shape = images.shape
    *rows, cut = tf.dynamic_partition(tf.range(tf.shape(images)[0]), operation, len(_NAMES))
    # Shifted by the mean, what comes in as zero from beyond the border is the mean.
    shift = tf.constant(mean, images.dtype)
    done = []
    for (name, operate), chosen in zip(_OPERATIONS.items(), rows, strict=True):
        moves = name in _GEOMETRIC
        some = tf.gather(images, chosen)
        if moves:
            some -= shift
        level = tf.gather(signed if moves else magnitude, chosen)
        # Some kernels fail on no images at all, one ends the process.
        changed = tf.cond(
            tf.size(chosen) > 0, functools.partial(operate, some, level), lambda x=some: x
        )
        done.append(changed + shift if moves else changed)
    # 2 of 32 pixels for each unit.
    sides = [tf.cast(tf.round(magnitude * n / 16), tf.int32)[:, tf.newaxis] for n in shape[1:3]]
    covered = tf.gather(square(images, sides, seed, part), cut)
    done.append(without(tf.gather(images, cut) - shift, covered) + shift)
    return tf.ensure_shape(tf.dynamic_stitch([*rows, cut], done), shape)


def _each(values: tf.Tensor) -> tf.Tensor:
    """[n] -> [n, 1, 1, 1]."""
    return values[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _affine(rows: Callable[[tf.Tensor, float, float], Sequence[tf.Tensor]]) -> _Operation:
    """X' -> x = a x' + b y' + c, y = d x' + e y' + f by nearest pixels; `rows` gives a ... f."""

    def apply(images: tf.Tensor, magnitude: tf.Tensor) -> tf.Tensor:
        height, width = images.shape[1:3]
        zero = tf.zeros_like(magnitude)
        six = [zero + value for value in rows(magnitude, float(height), float(width))]
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=tf.stack([*six, zero, zero], axis=1),
            output_shape=[height, width],
            fill_value=0.0,
            interpolation="NEAREST",
            fill_mode="CONSTANT",
        )

    return apply


def _rotation(magnitude: tf.Tensor, height: float, width: float) -> Sequence[tf.Tensor]:
    """By 3 degrees for each unit, about the centre."""
    angle = magnitude * (math.radians(30) / 10)
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    return cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y


def _blended(degenerate: Callable[[tf.Tensor], tf.Tensor]) -> _Operation:
    """From a poorer image (factor 0) over the image (1) beyond it: factor 0.1 + 0.18 magnitude."""

    def apply(images: tf.Tensor, magnitude: tf.Tensor) -> tf.Tensor:
        poor = degenerate(images)
        factor = _each(0.1 + 0.18 * magnitude)
        return tf.clip_by_value(poor + factor * (images - poor), 0.0, 1.0)

    return apply


def _grey(images: tf.Tensor) -> tf.Tensor:
    if images.shape[-1] != 3:
        return images
    luma = tf.reduce_sum(images * [0.299, 0.587, 0.114], axis=-1, keepdims=True)
    return tf.repeat(luma, 3, axis=-1)


def _smooth(images: tf.Tensor) -> tf.Tensor:
    """The mean of 3 x 3 pixels with weight 5 in the middle, but on the border the image."""
    kernel = np.ones((3, 3)) + 4 * np.outer([0, 1, 0], [0, 1, 0])
    weights = np.tile(kernel[:, :, np.newaxis, np.newaxis] / 13, (1, 1, images.shape[-1], 1))
    inner = tf.nn.depthwise_conv2d(
        images, tf.constant(weights, images.dtype), strides=[1] * 4, padding="VALID"
    )
    middle = np.zeros((1, *images.shape[1:3], 1), bool)
    middle[:, 1:-1, 1:-1] = True
    return tf.where(middle, tf.pad(inner, [[0, 0], [1, 1], [1, 1], [0, 0]]), images)


def _solarize(images: tf.Tensor, magnitude: tf.Tensor) -> tf.Tensor:
    """Inverts what is brighter than 256 - 25.6 magnitude."""
    threshold = tf.floor(256 - 25.6 * magnitude) / 255
    return tf.where(images < _each(threshold), images, 1 - images)


def _posterize(images: tf.Tensor, magnitude: tf.Tensor) -> tf.Tensor:
    """Keeps the first 4 - floor(0.4 magnitude) bits of each pixel."""
    size = _each(2.0 ** (4 + tf.floor(0.4 * magnitude)))
    return tf.floor(tf.round(images * 255) / size) * size / 255


def _autocontrast(images: tf.Tensor, magnitude: tf.Tensor) -> tf.Tensor:
    """Stretches every channel to the full range."""

    def over_pixels(reduce: Callable[..., tf.Tensor]) -> tf.Tensor:
        # Rows first, all of whose numbers lie side by side: twice as fast as both axes at once.
        return reduce(reduce(images, axis=1, keepdims=True), axis=2, keepdims=True)

    low = over_pixels(tf.reduce_min)
    span = over_pixels(tf.reduce_max) - low
    varies = span > 0
    return (images - tf.where(varies, low, 0.0)) / tf.where(varies, span, 1.0)


def _equalize(images: tf.Tensor, magnitude: tf.Tensor) -> tf.Tensor:
    """Spreads the grey levels of every channel as evenly as PIL does."""
    channels, shape = images.shape[-1], tf.shape(images)
    pixels = math.prod(images.shape[1:3])
    levels = tf.cast(tf.round(tf.transpose(images, [0, 3, 1, 2]) * 255), tf.int32)
    levels = tf.reshape(levels, [-1, pixels])  # One row for each channel of each image.
    count = shape[0] * channels
    positions = levels + 256 * tf.range(count)[:, tf.newaxis]
    histogram = tf.math.bincount(tf.reshape(positions, [-1]), minlength=256 * count)
    histogram = tf.reshape(histogram[: 256 * count], [count, 256])
    last = tf.reduce_max(levels, axis=1)
    step = (pixels - tf.gather(histogram, last, batch_dims=1)) // 255
    table = tf.cumsum(histogram, axis=1, exclusive=True) + (step // 2)[:, tf.newaxis]
    table = tf.minimum(table // tf.maximum(step, 1)[:, tf.newaxis], 255)
    table = tf.where(step[:, tf.newaxis] > 0, table, tf.range(256))
    equal = tf.cast(tf.gather(table, levels, batch_dims=1), images.dtype) / 255
    equal = tf.reshape(equal, [shape[0], channels, *images.shape[1:3]])
    return tf.transpose(equal, [0, 2, 3, 1])


_OPERATIONS: dict[str, _Operation] = {
    "identity": lambda images, magnitude: images,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "invert": lambda images, magnitude: 1 - images,
    "rotate": _affine(_rotation),
    "solarize": _solarize,
    "posterize": _posterize,
    "color": _blended(_grey),
    "contrast": _blended(
        lambda x: tf.ones_like(x) * tf.reduce_mean(_grey(x), axis=(1, 2, 3), keepdims=True)
    ),
    "brightness": _blended(tf.zeros_like),
    "sharpness": _blended(_smooth),
    # About the outer corner of the first pixel, half a pixel from its centre.
    "shear_x": _affine(lambda m, h, w: (1.0, 0.03 * m, 0.015 * m, 0.0, 1.0, 0.0)),
    "shear_y": _affine(lambda m, h, w: (1.0, 0.0, 0.0, 0.03 * m, 1.0, 0.015 * m)),
    # One pixel of 32 for each unit.
    "translate_x": _affine(lambda m, h, w: (1.0, 0.0, tf.round(m * w / 32), 0.0, 1.0, 0.0)),
    "translate_y": _affine(lambda m, h, w: (1.0, 0.0, 0.0, 0.0, 1.0, tf.round(m * h / 32))),
}
_NAMES = (*_OPERATIONS, "cutout")  # Which needs a place beside a magnitude.
_GEOMETRIC = {"rotate", "shear_x", "shear_y", "translate_x", "translate_y"}
_RANDAUGMENT = tuple(name for name in _OPERATIONS if name != "invert")
_SHORT = (
    "Id",
    "AC",
    "Eq",
    "In",
    "Ro",
    "So",
    "Po",
    "Cl",
    "Co",
    "Br",
    "Sh",
    "SX",
    "SY",
    "TX",
    "TY",
    "Cu",
)
# Pairs of operation, probability in tenths, magnitude.
CIFAR_PAIRS = """
In17 Co26,Ro72 TX39,Sh81 Sh93,SY58 TY79,AC58 Eq92,So45 AC93,TY99 TY79,AC92 So83,Eq88 In13,TY79 AC91,
So45 AC02,TY79 TY79,AC90 So43,Eq75 In13,TY79 TY79,So45 AC91,TY89 TY99,AC80 TY79,TY27 Cl96,Eq76 Cl49,
SY27 Po37,Cl43 Br67,Sh39 Br79,Eq65 Eq51,Co67 Sh65,Br37 AC58,AC94 AC56,So35 Eq65,TY24 Sh33,Br08 Cl88,
So26 Cl86,So26 AC81,So41 Eq65,Br00 So52,AC95 Br53,Co75 Br02,So28 So15,Co51 TY29,AC65 TY09,AC94 Eq84,
Br07 Eq47,So25 Eq75,Eq68 Cl62,Cl37 Cl24,AC52 So72,AC20 Eq10,SY65 Eq65,Br93 AC41,Eq88 Eq77,Eq77 So50,
Eq84 TY89,TY89 TY69,TY90 TY59,AC53 So34,So53 Eq44,Cl77 TX58,Eq37 AC48,TY43 Sh26,Br96 Cl28,So52 In03,
AC15 Br00,Cu24 Eq11,Eq77 AC64,Cl18 SY23,SY42 Ro70,SY13 AC95,TY36 Cu33,Eq50 So66,AC35 Ro27,Eq82 In40,
Eq95 Cl70,Eq11 SY13,AC73 Eq70,Br51 Co17,Co14 So65,So23 SX00,TX30 TX60,Eq59 TY67,SX10 Sh51,Eq86 In36,
AC39 Cu53,SX44 AC92,SX03 Po03,So43 Cl24,Eq14 Eq76,Eq38 AC43,So64 AC76,AC29 Br48,Eq10 Eq06,Eq84 Eq04,
Eq55 AC12,So55 AC95,AC61 AC78,Eq20 AC12,Eq69 Eq44
""".replace("\n", "")

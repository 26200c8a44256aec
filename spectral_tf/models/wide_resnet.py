"""Wide residual networks."""

from collections.abc import Collection

import keras

from spectral_tf.errors import UserError
from spectral_tf.models.blocks import Layers, check_image_network

SHORTCUTS = {"3x3": 3, "1x1": 1}


def wide_resnet(
    *,
    depth: int = 28,
    width: int = 32,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    shortcut: str = "3x3",
    seed: int = 0,
    options: Collection[str] = (),
) -> keras.Model:
    """A pre-activation wide residual network with stages of width, 2 and 4 x width channels.

    After a convolution to 16 channels (or width, if that is less) each of the three stages has
    (depth - 4) / 6 blocks of two 3x3 convolutions; the second and third halve the
    sides. Where a block changes the number of channels or the sides, its shortcut is a convolution
    of the activated input: 3x3 in the code of Fridovich-Keil et al. (2022), whose `wrn_32` and
    `wrn_160` have width 32 and 160 (1,553,626 and 38,547,674 parameters), 1x1 in Zagoruyko and
    Komodakis (2016), where they are called WRN-28-2 and WRN-28-10 (1,467,610 and 36,479,194).

    With the option `fixup` kernels are drawn with variance 1 / fan_in (the first), 2 / (fan_in B)
    (the first of a block, of B blocks) and 0 (the second), so that every block starts as its
    shortcut: the variances of Zhang et al. (2019), without the biases and multipliers of theirs, as
    the code has it. With `gamma_swish` both activations of a block share their two numbers.

    Args:
      depth: 6 n + 4, at least 10.
      width: channels of the first stage, at least 1.
      num_classes: at least 2.
      input_shape: (height, width, channels).
      shortcut: `3x3` or `1x1`.
      seed: of the weights, at least 0.
      options: some of `models.NETWORK_OPTIONS`, as for `Layers`.

    Returns:
      an uncompiled functional model, images -> logits, float32.

    Raises:
      UserError: a size out of range, a depth that is not 6 n + 4, an unknown shortcut or option.
    """
    check_image_network(input_shape, num_classes, width=width)
    if depth < 10 or (depth - 4) % 6:
        raise UserError(
            "depth", expected="10, 16, 22, 28, ... (6 n + 4)", got=depth, hint="28 is usual"
        )
    if shortcut not in SHORTCUTS:
        raise UserError(
            "shortcut", expected=" or ".join(SHORTCUTS), got=shortcut, hint="3x3 is the paper's"
        )
    layers = Layers(seed, "wide_resnet", options)
    inputs = keras.Input(input_shape)
    x = layers.convolution(inputs, min(16, width), fixup=1.0)
    blocks = (depth - 4) // 6
    for stage in range(3):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            residual = 2.0 / (3 * blocks)
            x = _block(layers, x, width * 2**stage, strides, SHORTCUTS[shortcut], residual)
    outputs = layers.head(layers.activated(x), num_classes)
    return keras.Model(inputs, outputs, name=f"wide_resnet_{depth}_{width}")


def _block(
    layers: Layers,
    x: keras.KerasTensor,
    filters: int,
    strides: int,
    shortcut: int,
    residual: float,
) -> keras.KerasTensor:
    activation = layers.activation()
    activated = layers.activated(x, activation)
    if strides > 1 or x.shape[-1] != filters:
        x = layers.convolution(activated, filters, shortcut, strides)
    inner = layers.convolution(activated, filters, strides=strides, fixup=residual)
    inner = layers.activated(inner, activation)
    return keras.layers.Add()([x, layers.convolution(inner, filters, fixup=0.0)])

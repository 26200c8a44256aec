"""Residual networks for small images, as first published."""

from collections.abc import Collection

import keras

from spectral_tf.errors import UserError
from spectral_tf.models.blocks import Layers, check_image_network, with_zero_channels


def resnet(
    *,
    depth: int = 20,
    width: int = 16,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    seed: int = 0,
    options: Collection[str] = (),
) -> keras.Model:
    """A residual network with stages of width, 2 and 4 x width channels, activated after the sum.

    After a convolution each of the three stages has (depth - 2) / 6 blocks of two 3x3 convolutions;
    the second and third halve the sides. Shortcuts have no weights: where the sides halve they take
    every other position, and new channels are zero (option A). Depth 20 and width 16 are the
    published ResNet-20 (269,722 parameters).

    Args:
      depth: 6 n + 2, at least 8.
      width: channels of the first stage, at least 1.
      num_classes: at least 2.
      input_shape: (height, width, channels).
      seed: of the weights, at least 0.
      options: some of `models.NETWORK_OPTIONS` that this network offers, which are none.

    Returns:
      an uncompiled functional model, images -> logits, float32.

    Raises:
      UserError: a size out of range, a depth that is not 6 n + 2, an option.

    Source: He et al. (2016), section 4.2; the head starts at zero, as in all networks here.
    """
    check_image_network(input_shape, num_classes, width=width)
    if depth < 8 or (depth - 2) % 6:
        raise UserError(
            "depth", expected="8, 14, 20, 26, ... (6 n + 2)", got=depth, hint="20 is usual"
        )
    layers = Layers(seed, "resnet", options)
    inputs = keras.Input(input_shape)
    x = layers.activated(layers.convolution(inputs, width))
    for stage in range(3):
        for block in range((depth - 2) // 6):
            filters, strides = width * 2**stage, 2 if stage and not block else 1
            inner = layers.activated(layers.convolution(x, filters, strides=strides))
            inner = layers.normalisation(layers.convolution(inner, filters))
            if strides > 1:
                # Every other position; one that is left alone at the border stays.
                x = keras.layers.AveragePooling2D(1, strides, padding="same")(x)
            x = keras.layers.Add()([inner, with_zero_channels(x, filters)])
            x = keras.layers.ReLU()(x)
    outputs = layers.head(x, num_classes)
    return keras.Model(inputs, outputs, name=f"resnet_{depth}_{width}")

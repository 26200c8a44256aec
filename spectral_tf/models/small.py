"""A small convolutional network, for classifiers that train on a CPU in minutes."""

from collections.abc import Collection

import keras

from spectral_tf.models.blocks import Layers, check_image_network


def convnet(
    *,
    width: int = 16,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    seed: int = 0,
    options: Collection[str] = (),
) -> keras.Model:
    """Three 3x3 convolutions with normalisation and ReLU, of width, 2 and 4 x width channels.

    The second and third halve the sides; then a fully connected layer of logits on all positions
    (not on their mean, so that the network can tell positions apart) that starts at zero.

    Args:
      width: channels of the first convolution, at least 1.
      num_classes: at least 2.
      input_shape: (height, width, channels).
      seed: of the weights, at least 0.
      options: `unnormalised` or `gamma_swish`, as for `Layers`.

    Returns:
      an uncompiled functional model, images -> logits, float32.

    Raises:
      UserError: a size out of range, another option.
    """
    check_image_network(input_shape, num_classes, width=width)
    layers = Layers(seed, "convnet", options)
    inputs = x = keras.Input(input_shape)
    for stage in range(3):
        strides = 2 if stage else 1
        x = layers.activated(layers.convolution(x, width * 2**stage, strides=strides))
    outputs = layers.logits(keras.layers.Flatten()(x), num_classes)
    return keras.Model(inputs, outputs, name=f"convnet_{width}")

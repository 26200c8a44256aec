"""Residual networks with randomly mixed branches: Shake-Shake, and PyramidNet with ShakeDrop."""

from collections.abc import Collection

import keras

from spectral_tf.errors import UserError
from spectral_tf.models.blocks import Layers, check_image_network, with_zero_channels


@keras.saving.register_keras_serializable("spectral_tf")
class ShakeShake(keras.layers.Layer):
    """a x + (1 - a) y of two branches, with a gradient of another mixture.

    In training a ~ U(0, 1) forward and b ~ U(0, 1) backward, drawn for each image; at inference
    both are the mean, 1/2.

    Args:
      seed: of the draws.

    Source: Gastaldi (2017), "Shake-Image".
    """

    def __init__(self, seed: int = 0, **settings: object) -> None:
        super().__init__(**settings)
        self.seed = seed
        self._draws = keras.random.SeedGenerator(seed)

    def call(
        self, branches: tuple[keras.KerasTensor, keras.KerasTensor], training: bool = False
    ) -> keras.KerasTensor:
        """The mixture of two tensors [b, h, w, c]."""
        x, y = branches
        if not training:
            return (x + y) / 2
        forward, backward = (self._mixed(x, y) for _ in range(2))
        # The value of one mixture with the gradient of the other.
        return backward + keras.ops.stop_gradient(forward - backward)

    def _mixed(self, x: keras.KerasTensor, y: keras.KerasTensor) -> keras.KerasTensor:
        shape = (keras.ops.shape(x)[0], 1, 1, 1)
        share = keras.random.uniform(shape, dtype=x.dtype, seed=self._draws)
        return share * x + (1 - share) * y

    def get_config(self) -> dict[str, object]:
        """The arguments, for saving."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("spectral_tf")
class ShakeDrop(keras.layers.Layer):
    """(b + a - b a) x, with the gradient of (b + c - b c) x.

    In training, for each image, b is 1 with probability `keep` and else 0, a ~ U(-1, 1) forward and
    c ~ U(0, 1) backward; at inference the mean of the forward factor, `keep`.

    Args:
      keep: in [0, 1].
      seed: of the draws.

    Source: Yamada et al. (2019).
    """

    def __init__(self, keep: float, seed: int = 0, **settings: object) -> None:
        super().__init__(**settings)
        self.keep, self.seed = keep, seed
        self._draws = keras.random.SeedGenerator(seed)

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """The scaled tensor [b, h, w, c]."""
        if not training:
            return self.keep * x
        shape = (keras.ops.shape(x)[0], 1, 1, 1)

        def uniform(low: float, high: float) -> keras.KerasTensor:
            return keras.random.uniform(shape, low, high, dtype=x.dtype, seed=self._draws)

        kept = keras.ops.cast(uniform(0, 1) < self.keep, x.dtype)
        forward = (kept + (1 - kept) * uniform(-1, 1)) * x
        backward = (kept + (1 - kept) * uniform(0, 1)) * x
        return backward + keras.ops.stop_gradient(forward - backward)

    def get_config(self) -> dict[str, object]:
        """The arguments, for saving."""
        return {**super().get_config(), "keep": self.keep, "seed": self.seed}


def shake_shake(
    *,
    width: int = 32,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    seed: int = 0,
    options: Collection[str] = (),
) -> keras.Model:
    """Shake-Shake 26 2 x `width` d: 3 stages of 4 blocks with two branches each.

    Stages have width, 2 and 4 x width channels. Widths 32, 96 and 112 are the published ones
    (2,923,162, 26,192,922 and 35,640,442 parameters).

    Args:
      width: channels of the first stage, even.
      num_classes: at least 2.
      input_shape: (height, width, channels), with sides that 4 divides.
      seed: of weights and mixtures, at least 0.
      options: `unnormalised`, as for `Layers`.

    Returns:
      an uncompiled functional model, images -> logits, float32.

    Raises:
      UserError: a size out of range, another option.

    Source: Gastaldi (2017); Cubuk et al. (2019) for the details.
    """
    check_image_network(input_shape, num_classes, width=width)
    if width % 2 or input_shape[0] % 4 or input_shape[1] % 4:
        raise UserError(
            "width",
            expected="even, on images whose sides 4 divides",
            got=f"{width} on {input_shape}",
            hint="32 is the smallest published",
        )
    layers = Layers(seed, "shake_shake", options)
    inputs = keras.Input(input_shape)
    x = layers.normalisation(layers.convolution(inputs, 16))
    for stage in range(3):
        for block in range(4):
            filters, strides = width * 2**stage, 2 if stage and not block else 1
            branches = []
            for _ in range(2):
                inner = layers.convolution(keras.layers.ReLU()(x), filters, strides=strides)
                inner = layers.convolution(layers.activated(inner), filters)
                branches.append(layers.normalisation(inner))
            mixed = ShakeShake(layers.seed())(branches)
            x = keras.layers.Add()([_shortcut(layers, x, filters, strides), mixed])
    outputs = layers.head(keras.layers.ReLU()(x), num_classes)
    return keras.Model(inputs, outputs, name=f"shake_shake_{width}")


def _shortcut(
    layers: Layers, x: keras.KerasTensor, filters: int, strides: int
) -> keras.KerasTensor:
    """Two halves of the channels, of the even and of the odd positions; or x itself."""
    if x.shape[-1] == filters:
        return x
    x = keras.layers.ReLU()(x)
    # The second half starts one place further down and to the right, with zeros at the end.
    shifted = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    shifted = keras.layers.Cropping2D(((1, 0), (1, 0)))(shifted)
    halves = [layers.convolution(part, filters // 2, 1, strides) for part in (x, shifted)]
    return layers.normalisation(keras.layers.Concatenate()(halves))


def pyramid_net(
    *,
    blocks: int = 30,
    alpha: int = 200,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    seed: int = 0,
    options: Collection[str] = (),
) -> keras.Model:
    """PyramidNet with bottlenecks and ShakeDrop: 9 `blocks` + 2 layers deep.

    The channels of the bottlenecks grow evenly from 16 to 16 + alpha over the 3 x `blocks` blocks,
    and their outputs have four times as many; shortcuts are averaged over 2 x 2 positions where the
    sides halve, and filled up with zero channels. Block l of L is kept with probability
    1 - l / (2 L). 30 blocks and alpha 200 are the published PyramidNet-272 (26,210,842 parameters).

    Args:
      blocks: of each of the three stages, at least 1.
      alpha: channels added, at least 1.
      num_classes: at least 2.
      input_shape: (height, width, channels), with sides that 4 divides.
      seed: of weights and draws, at least 0.
      options: `unnormalised`, as for `Layers`.

    Returns:
      an uncompiled functional model, images -> logits, float32.

    Raises:
      UserError: a size out of range, another option.

    Source: Han et al. (2017), Yamada et al. (2019).
    """
    check_image_network(input_shape, num_classes, blocks=blocks, alpha=alpha)
    if input_shape[0] % 4 or input_shape[1] % 4:
        raise UserError(
            "input_shape", expected="sides that 4 divides", got=input_shape, hint="(32, 32, 3)"
        )
    layers = Layers(seed, "pyramid_net", options)
    inputs = keras.Input(input_shape)
    x = layers.normalisation(layers.convolution(inputs, 16))
    count = 3 * blocks
    for stage in range(3):
        # Each stage is a model of its own: Keras follows a graph recursively, and 272 layers in
        # one are too deep for Python.
        entry = y = keras.Input(x.shape[1:])
        for block in range(stage * blocks + 1, (stage + 1) * blocks + 1):
            filters = round(16 + alpha * block / count)
            strides = 2 if stage and block == stage * blocks + 1 else 1
            inner = layers.convolution(layers.normalisation(y), filters, 1)
            inner = layers.convolution(layers.activated(inner), filters, 3, strides)
            inner = layers.convolution(layers.activated(inner), 4 * filters, 1)
            inner = ShakeDrop(1 - block / (2 * count), layers.seed())(layers.normalisation(inner))
            if strides > 1:
                y = keras.layers.AveragePooling2D(2)(y)
            y = keras.layers.Add()([inner, with_zero_channels(y, 4 * filters)])
        x = keras.Model(entry, y, name=f"stage_{stage + 1}")(x)
    outputs = layers.head(layers.activated(x), num_classes)
    return keras.Model(inputs, outputs, name=f"pyramid_net_{9 * blocks + 2}")

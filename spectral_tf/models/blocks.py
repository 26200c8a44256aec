"""What the image classifiers are built from: He-initialised convolutions, normalisation, a head."""

import keras
import numpy as np

from spectral_tf.batch_normalisation import BatchNormalization
from spectral_tf.errors import UserError


class Layers:
    """Makes the layers of one network, each with weights drawn from a seed of its own.

    Convolutions have no bias and are drawn from N(0, 2 / fan_in); batch normalisation has momentum
    0.9 and epsilon 1e-5, over all replicas; the head starts at zero, so that the first loss is
    ln(classes).

    Args:
      seed: of the network, at least 0.

    Raises:
      UserError: a negative seed.

    Source: Fridovich-Keil et al. (2022), by their code.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise UserError("seed", expected="0 or more", got=seed, hint="take another seed")
        self._seeds = np.random.SeedSequence(seed)

    def seed(self) -> int:
        """The next seed."""
        return int(self._seeds.spawn(1)[0].generate_state(1)[0])

    def convolution(
        self, x: keras.KerasTensor, filters: int, size: int = 3, strides: int = 1
    ) -> keras.KerasTensor:
        """A convolution with zero padding that keeps (or divides by the stride) the sides."""
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            # Keras' own HeNormal is truncated and rescaled.
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_in", "untruncated_normal", seed=self.seed()
            ),
        )(x)

    def normalisation(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Batch normalisation with scale and offset."""
        return BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True)(x)

    def activated(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Batch normalisation, then ReLU."""
        return keras.layers.ReLU()(self.normalisation(x))

    def head(self, x: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
        """Mean over all positions, then logits that start at zero."""
        return self.logits(keras.layers.GlobalAveragePooling2D()(x), num_classes)

    def logits(self, x: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
        """Logits of features [b, d] that start at zero; of float32, whatever computes the rest."""
        return keras.layers.Dense(
            num_classes, kernel_initializer="zeros", dtype="float32", name="logits"
        )(x)


def with_zero_channels(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """So many channels, at least as many as there are: new ones are zero."""
    missing = filters - x.shape[-1]
    if not missing:
        return x
    last_first = keras.layers.Permute((3, 1, 2))(x)
    padded = keras.layers.ZeroPadding2D(((0, missing), (0, 0)), data_format="channels_last")
    return keras.layers.Permute((2, 3, 1))(padded(last_first))


def check_image_network(input_shape: tuple[int, int, int], num_classes: int, **sizes: int) -> None:
    """Raises a UserError for shapes, classes or other sizes below 1 (classes: below 2)."""
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise UserError(
            "input_shape", expected="(height, width, channels)", got=input_shape, hint="(32, 32, 3)"
        )
    if num_classes < 2:
        raise UserError(
            "num_classes", expected="at least 2", got=num_classes, hint="10 for CIFAR-10"
        )
    for name, size in sizes.items():
        if size < 1:
            raise UserError(name, expected="at least 1", got=size, hint="give a positive size")

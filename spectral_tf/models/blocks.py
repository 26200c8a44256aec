"""What the image classifiers are built from: He-initialised convolutions, normalisation, a head."""

from collections.abc import Callable, Collection

import keras
import numpy as np

from spectral_tf.batch_normalisation import BatchNormalization
from spectral_tf.errors import UserError
from spectral_tf.models import refuse_options

# A layer, or several, of one input.
Activation = Callable[[keras.KerasTensor], keras.KerasTensor]


@keras.saving.register_keras_serializable("spectral_tf")
class Scale(keras.layers.Layer):
    """s x, with one learned number s that starts at 1, where a normalisation is left out.

    Source: Fridovich-Keil et al. (2022), by their code.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes s."""
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The scaled tensor, of any shape."""
        return self.scale * x


@keras.saving.register_keras_serializable("spectral_tf")
class GammaSwish(keras.layers.Layer):
    """gamma x sigmoid(beta x), with two learned numbers.

    They start at beta = 0 and gamma = 2, where it is the identity; beta = 1 and gamma = 1 are
    swish, and large beta with gamma = 1 comes close to ReLU. Both are marked as `undecayed`: weight
    decay leaves them out.

    Source: Fridovich-Keil et al. (2022), by their code; Ramachandran et al. (2017) for swish.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes beta and gamma."""
        self.beta = self.add_weight(name="beta", shape=(), initializer="zeros")
        self.gamma = self.add_weight(
            name="gamma", shape=(), initializer=keras.initializers.Constant(2.0)
        )
        self.beta.undecayed = self.gamma.undecayed = True

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The activated tensor, of any shape."""
        return self.gamma * x * keras.ops.sigmoid(self.beta * x)


class Layers:
    """Makes the layers of one network, each with weights drawn from a seed of its own.

    Convolutions have no bias and are drawn from N(0, 2 / fan_in); batch normalisation has momentum
    0.9 and epsilon 1e-5, over all replicas; the head starts at zero, so that the first loss is
    ln(classes). The options change that, as the same code offers: `unnormalised` has a `Scale`
    for every normalisation, `gamma_swish` a `GammaSwish` for every ReLU, and `fixup` other
    variances of residual branches (`wide_resnet`), from the same draws.

    Args:
      seed: of the network, at least 0.
      network: the builder that uses it, a value of `models.FAMILIES`.
      options: some of `models.NETWORK_OPTIONS`.

    Raises:
      UserError: a negative seed; an option that this network does not offer.

    Source: Fridovich-Keil et al. (2022), by their code.
    """

    def __init__(self, seed: int, network: str, options: Collection[str] = ()) -> None:
        if seed < 0:
            raise UserError("seed", expected="0 or more", got=seed, hint="take another seed")
        refuse_options(network, options)
        self._seeds, self._options = np.random.SeedSequence(seed), options

    def seed(self) -> int:
        """The next seed."""
        return int(self._seeds.spawn(1)[0].generate_state(1)[0])

    def convolution(
        self,
        x: keras.KerasTensor,
        filters: int,
        size: int = 3,
        strides: int = 1,
        *,
        fixup: float = 2.0,
    ) -> keras.KerasTensor:
        """A convolution with zero padding that keeps (or divides by the stride) the sides.

        Args:
          x: [b, h, w, c].
          filters, size, strides: of the convolution.
          fixup: the variance of the kernel times fan_in under that option, 0 or more.
        """
        variance, seed = fixup if "fixup" in self._options else 2.0, self.seed()
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            # Keras' own HeNormal is truncated and rescaled.
            kernel_initializer=keras.initializers.VarianceScaling(
                variance, "fan_in", "untruncated_normal", seed=seed
            )
            if variance
            else "zeros",
        )(x)

    def normalisation(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Batch normalisation with scale and offset; unnormalised a learned number."""
        if "unnormalised" in self._options:
            return Scale()(x)
        return BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True)(x)

    def activation(self) -> Activation:
        """A ReLU for each call; of gamma-swish one layer, whose calls share their two numbers."""
        if "gamma_swish" in self._options:
            return GammaSwish()
        return lambda x: keras.layers.ReLU()(x)

    def activated(
        self, x: keras.KerasTensor, activation: Activation | None = None
    ) -> keras.KerasTensor:
        """Batch normalisation, then an activation of its own, or one that others share."""
        return (activation or self.activation())(self.normalisation(x))

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

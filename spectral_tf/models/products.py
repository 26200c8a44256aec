"""Dense layers whose products have factors of bfloat16 and sums of float32."""

import keras
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.models import PRECISIONS


@tf.function(jit_compile=True, autograph=False)
def _compiled(x: tf.Tensor, y: tf.Tensor, transposed: tuple[bool, bool]) -> tf.Tensor:
    """bfloat16 in, float32 out, which only XLA has on every device."""
    return tf.matmul(x, y, *transposed, output_type=tf.float32)


def _product(x: tf.Tensor, y: tf.Tensor, transposed: tuple[bool, bool]) -> tf.Tensor:
    """The same; eagerly by a product of float32, whose factors of 8 bits it multiplies exactly.

    So nothing is compiled for a call by hand, which on a device of another host could not be.
    """
    if tf.executing_eagerly():
        return tf.matmul(tf.cast(x, tf.float32), tf.cast(y, tf.float32), *transposed)
    return _compiled(x, y, transposed)


def product(
    x: tf.Tensor,
    y: tf.Tensor,
    precision: str,
    transposed: tuple[bool, bool] = (False, False),
) -> tf.Tensor:
    """The matrix product of float32 factors that are rounded to bfloat16, summed in float32.

    * bfloat16: r(x) r(y), r rounding to 8 bits. Each term is off by 2^-8 of itself at most.
    * bfloat16_3x: with x = r(x) + r(x - r(x)) + ..., three of the four products of two such parts,
      r(x) r(y) + (r(x) r(y') + r(x') r(y)): off by 2^-15 or so, where float32 rounds to 2^-24.

    Gradients are products of the same kind, second ones, too.

    Args:
      x: [m, n].
      y: [n, o].
      precision: one of those two.
      transposed: whether x is given as [n, m], and y as [o, n].

    Returns:
      [m, o], float32.

    Source: the split is that of Henry, Tang and Heinecke (2019), "Leveraging the bfloat16
    artificial intelligence datatype for higher-precision computations", arXiv 1904.06376.
    """

    @tf.custom_gradient
    def of(x: tf.Tensor, y: tf.Tensor) -> tuple:
        def gradients(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_x, of_y = transposed
            by_x = (y, g, (of_y, True)) if of_x else (g, y, (False, not of_y))
            by_y = (g, x, (True, of_x)) if of_y else (x, g, (not of_x, False))
            return tuple(product(a, b, precision, which) for a, b, which in (by_x, by_y))

        # No tape may look into `_product`: TensorFlow has no gradient of its mixed types.
        high_x, low_x = _parts(tf.stop_gradient(x))
        high_y, low_y = _parts(tf.stop_gradient(y))
        result = _product(high_x, high_y, transposed)
        if precision == "bfloat16_3x":
            result += _product(high_x, low_y, transposed) + _product(low_x, high_y, transposed)
        return result, gradients

    return of(x, y)


def _parts(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """X rounded to bfloat16, and so what that has left of it."""
    high = tf.cast(x, tf.bfloat16)
    return high, tf.cast(x - tf.cast(high, x.dtype), tf.bfloat16)


@keras.saving.register_keras_serializable("spectral_tf")
class Dense(keras.layers.Dense):
    """Keras' layer with `product`s of one precision: weights, biases and sums stay float32.

    Args:
      units, activation, kernel_initializer, bias_initializer, name: as Keras'.
      precision: bfloat16 or bfloat16_3x, as for `product`.

    Raises:
      UserError: another precision.
    """

    def __init__(self, units: int, *, precision: str, **keywords: object) -> None:
        if precision not in PRECISIONS[1:]:
            raise UserError(
                "precision",
                expected=" or ".join(PRECISIONS[1:]),
                got=precision,
                hint="keras.layers.Dense computes in float32",
            )
        super().__init__(units, **keywords)
        self.precision = precision

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[..., inputs] -> [..., units]."""
        rows = tf.reshape(tf.cast(inputs, tf.float32), [-1, inputs.shape[-1]])
        outputs = product(rows, tf.convert_to_tensor(self.kernel), self.precision)
        outputs = tf.reshape(outputs, tf.concat([tf.shape(inputs)[:-1], [self.units]], 0))
        if self.bias is not None:
            outputs += tf.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_spec(
        self, inputs: keras.KerasTensor, training: bool | None = None
    ) -> keras.KerasTensor:
        """What `call` gives, for a functional model."""
        return keras.KerasTensor((*inputs.shape[:-1], self.units), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, object]:
        """What builds the layer again."""
        return {**super().get_config(), "precision": self.precision}

"""SIREN: networks of sines with an initialisation of their own."""

import math

import keras
import numpy as np

from spectral_tf.errors import UserError
from spectral_tf.models.mlp import uniform_fan_in


def siren(
    *,
    width: int = 256,
    depth: int = 6,
    omega_0: float = 30.0,
    input_dim: int = 1,
    output_dim: int = 1,
    seed: int = 0,
) -> keras.Model:
    """`depth` affine layers; after each hidden one sin(omega_0 z), the last one linear.

    Inputs in [0, 1) are brought to [-1, 1) first, as the paper has them. Kernels are uniform: of
    the first layer on +-1/fan_in, so that its waves reach omega_0 / pi cycles per unit of [0, 1);
    of the others on +-sqrt(6 / fan_in) / omega_0, which keeps the distribution of what goes through
    the sines from layer to layer. Biases are uniform on +-1/sqrt(fan_in), as in the paper's code
    (PyTorch's default; the text leaves them open).

    Args:
      width, depth, input_dim, output_dim: at least 1.
      omega_0: above 0, in radians; the paper's 30 suits pictures and sound.
      seed: at least 0; every layer draws its own.

    Raises:
      UserError: a size below 1, a negative seed, an omega_0 that is not above 0.

    Source: Sitzmann, Martel, Bergman, Lindell and Wetzstein (2020), section 3.2.
    """
    if min(width, depth, input_dim, output_dim) < 1 or seed < 0 or not 0 < omega_0 < math.inf:
        raise UserError(
            "siren",
            expected="sizes of at least 1, a seed of 0 or more, omega_0 above 0",
            got=f"{width} x {depth}, {input_dim} to {output_dim}, seed {seed}, omega_0 {omega_0}",
            hint="30 is the paper's omega_0",
        )
    seeds = np.random.SeedSequence(seed).generate_state(2 * depth).tolist()
    inputs = keras.Input((input_dim,))
    hidden = keras.layers.Rescaling(2.0, -1.0, name="to_minus_1_and_1")(inputs)
    for layer in range(depth):
        fan_in, last = hidden.shape[-1], layer == depth - 1
        bound = 1 / fan_in if layer == 0 else math.sqrt(6 / fan_in) / omega_0
        hidden = keras.layers.Dense(
            output_dim if last else width,
            kernel_initializer=keras.initializers.RandomUniform(-bound, bound, seeds[2 * layer]),
            bias_initializer=uniform_fan_in(fan_in, seeds[2 * layer + 1]),
            name=f"layer_{layer + 1}",
        )(hidden)
        if not last:
            hidden = keras.ops.sin(omega_0 * hidden)
    return keras.Model(inputs, hidden, name=f"siren_{depth}x{width}")

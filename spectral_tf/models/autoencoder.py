"""A denoising autoencoder: points of a curved manifold of few dimensions."""

import keras
import numpy as np

from spectral_tf.errors import UserError
from spectral_tf.models.mlp import uniform_fan_in


def denoising_autoencoder(
    *, input_dim: int, latent_dim: int, width: int = 512, noise_std: float = 0.3, seed: int = 0
) -> keras.Model:
    """Gaussian noise (in training only), then layers width - code - width - input, ReLU between.

    The code and the output are linear. Weights are drawn as in `mlp`. Without noise, at inference,
    every output lies on the image of R^latent_dim under the decoder: a piecewise linear manifold of
    at most that dimension.

    Args:
      input_dim, latent_dim, width: at least 1.
      noise_std: standard deviation, 0 to 1 (Keras' bound).
      seed: at least 0, of weights and noise.

    Returns:
      an uncompiled functional model, [batch, input_dim] -> [batch, input_dim], float32.

    Raises:
      UserError: a size below 1, a noise out of range, a negative seed.
    """
    if min(input_dim, latent_dim, width) < 1 or not 0 <= noise_std <= 1 or seed < 0:
        raise UserError(
            "autoencoder",
            expected="sizes of at least 1, noise from 0 to 1, a seed of at least 0",
            got=f"{input_dim}, {latent_dim}, {width}; {noise_std}, {seed}",
            hint="64 is the paper's latent dimension",
        )
    sizes = (width, latent_dim, width, input_dim)
    *seeds, noise_seed = np.random.SeedSequence(seed).generate_state(2 * len(sizes) + 1).tolist()
    inputs = keras.Input((input_dim,))
    hidden = keras.layers.GaussianNoise(noise_std, seed=noise_seed)(inputs)
    for layer, (size, activation) in enumerate(zip(sizes, ("relu", None) * 2, strict=True)):
        fan_in = hidden.shape[-1]
        hidden = keras.layers.Dense(
            size,
            activation=activation,
            kernel_initializer=uniform_fan_in(fan_in, seeds[2 * layer]),
            bias_initializer=uniform_fan_in(fan_in, seeds[2 * layer + 1]),
            name=f"layer_{layer + 1}",
        )(hidden)
    return keras.Model(inputs, hidden, name=f"autoencoder_{latent_dim}")

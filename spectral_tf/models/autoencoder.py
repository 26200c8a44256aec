"""Autoencoders: points of a curved manifold of few dimensions."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        own = seeds[2 * layer : 2 * layer + 2]
        hidden = _dense(hidden, size, activation, own, f"layer_{layer + 1}")
    return keras.Model(inputs, hidden, name=f"autoencoder_{latent_dim}")


def variational_autoencoder(
    *,
    input_dim: int,
    latent_dim: int,
    width: int = 512,
    output_std: float = 0.1,
    activation: str = "relu",
    seed: int = 0,
) -> keras.Model:
    """A normal posterior q(z|x), layers width - code - width - input, and p(x|z) = N(f(z), s^2).

    Mean and log-variance of the code are two linear layers on one hidden layer. In training the
    code is drawn from q, at inference it is its mean: then every output lies on the image of
    R^latent_dim under the decoder f, as that of `denoising_autoencoder`. Weights are drawn as in
    `mlp`.

    Trained by the mean squared error it maximises the evidence lower bound: the model adds a loss
    of its own, (2 s^2 / d) mean KL(q(z|x), N(0, 1)), and -bound / n is (d / 2 s^2) times the sum,
    up to the constant (d / 2) log(2 pi s^2). `evidence_lower_bound` measures it.

    Args:
      input_dim, latent_dim, width: at least 1.
      output_std: s, above 0, in units of the inputs.
      activation: of the hidden layers, as Keras has it; `linear` makes it probabilistic principal
        component analysis, whose largest bound is known.
      seed: at least 0, of weights and draws.

    Returns:
      an uncompiled functional model of an `encoder` (to mean and log-variance of the code), a draw
      and a `decoder`, [batch, input_dim] -> [batch, input_dim], float32.

    Raises:
      UserError: a size below 1, a deviation that is not above 0, a negative seed.

    Source: Kingma and Welling (2014), "Auto-encoding variational Bayes", arXiv 1312.6114.
    """
    if min(input_dim, latent_dim, width) < 1 or not 0 < output_std < math.inf or seed < 0:
        raise UserError(
            "autoencoder",
            expected="sizes of at least 1, an output_std above 0, a seed of at least 0",
            got=f"{input_dim}, {latent_dim}, {width}; {output_std}, {seed}",
            hint="0.1 suits pixels in [0, 1]",
        )
    *seeds, draw_seed = np.random.SeedSequence(seed).generate_state(11).tolist()
    inputs, code = keras.Input((input_dim,)), keras.Input((latent_dim,))
    hidden = _dense(inputs, width, activation, seeds[:2], "layer_1")
    posterior = [
        _dense(hidden, latent_dim, None, seeds[2:4], "mean"),
        _dense(hidden, latent_dim, None, seeds[4:6], "log_variance"),
    ]
    encoder = keras.Model(inputs, posterior, name="encoder")
    hidden = _dense(code, width, activation, seeds[6:8], "layer_3")
    decoder = keras.Model(
        code, _dense(hidden, input_dim, None, seeds[8:], "layer_4"), name="decoder"
    )
    drawn = NormalCode(2 * output_std**2 / input_dim, draw_seed, name="code")(encoder(inputs))
    return keras.Model(inputs, decoder(drawn), name=f"variational_autoencoder_{latent_dim}")


def _dense(
    inputs: keras.KerasTensor,
    size: int,
    activation: str | None,
    seeds: Sequence[int],
    name: str,
) -> keras.KerasTensor:
    """A linear layer with weights and biases of two seeds, and what follows it."""
    fan_in = inputs.shape[-1]
    return keras.layers.Dense(
        size,
        activation=activation,
        kernel_initializer=uniform_fan_in(fan_in, seeds[0]),
        bias_initializer=uniform_fan_in(fan_in, seeds[1]),
        name=name,
    )(inputs)


@keras.saving.register_keras_serializable("spectral_tf")
class NormalCode(keras.layers.Layer):
    """Draws z = mean + exp(log_variance / 2) e, e normal, in training; gives the mean at inference.

    Adds the loss factor * KL(q(z|x), N(0, 1)), the mean over the batch (`normal_divergence`).

    Args:
      factor: of that loss, 0 or more.
      seed: of the draws.
    """

    def __init__(self, factor: float, seed: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.factor, self.seed = factor, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(
        self, posterior: Sequence[keras.KerasTensor], training: bool = False
    ) -> keras.KerasTensor:
        """Mean and log-variance [..., latent_dim] -> code [..., latent_dim]."""
        mean, log_variance = posterior
        divergence = keras.ops.sum(normal_divergence(mean, log_variance), axis=-1)
        self.add_loss(self.factor * keras.ops.mean(divergence))
        if not training:
            return mean
        drawn = keras.random.normal(keras.ops.shape(mean), dtype=mean.dtype, seed=self.generator)
        return mean + keras.ops.exp(log_variance / 2) * drawn

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """That of the mean."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "factor": self.factor, "seed": self.seed}


def normal_divergence(mean: Any, log_variance: Any) -> Any:
    """KL(N(m, exp l), N(0, 1)) = (m^2 + exp(l) - l - 1) / 2 of each dimension, in nats.

    Args:
      mean, log_variance: m and l, tensors [..., k].

    Returns:
      Shape [..., k], 0 or more; 0 where both are 0. Those of independent dimensions add up.

    Source: Kingma and Welling (2014), appendix B.
    """
    return (keras.ops.square(mean) + keras.ops.exp(log_variance) - log_variance - 1) / 2


class Bound(NamedTuple):
    """The evidence lower bound of each input x, in nats.

    Attributes:
      reconstruction: E_q log p(x|z), by draws, float64 [n].
      divergence: KL(q(z|x), N(0, 1)) of each dimension of the code, 0 or more, float64 [n, k].
    """

    reconstruction: NDArray[np.float64]
    divergence: NDArray[np.float64]

    @property
    def bound(self) -> NDArray[np.float64]:
        """At most log p(x), in the mean over draws, [n]."""
        return self.reconstruction - self.divergence.sum(axis=1)


def evidence_lower_bound(
    model: keras.Model,
    inputs: ArrayLike,
    output_std: float,
    generator: np.random.Generator,
    num_draws: int = 10,
) -> Bound:
    """The bound of a `variational_autoencoder` at inputs [n, d].

    Args:
      model: with the layers `encoder` and `decoder`.
      inputs: shape [n, d].
      output_std: s of p(x|z), as the model was built.
      generator: of the draws from q.
      num_draws: for each input, 1 or more.
    """
    x = np.asarray(inputs, np.float32)
    posterior = model.get_layer("encoder")(x)
    mean, log_variance = (keras.ops.convert_to_numpy(a).astype(np.float64) for a in posterior)
    decoder, squares = model.get_layer("decoder"), np.zeros(len(x))
    for _ in range(num_draws):
        code = mean + np.exp(log_variance / 2) * generator.normal(size=mean.shape)
        outputs = keras.ops.convert_to_numpy(decoder(code.astype(np.float32)))
        squares += ((x.astype(np.float64) - outputs) ** 2).sum(axis=1) / num_draws
    constant = x.shape[1] / 2 * math.log(2 * math.pi * output_std**2)
    divergence = keras.ops.convert_to_numpy(normal_divergence(mean, log_variance))
    return Bound(-squares / (2 * output_std**2) - constant, divergence)

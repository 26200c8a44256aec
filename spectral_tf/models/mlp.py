"""Fully connected networks as the papers build them."""

import functools

import keras
import numpy as np

from spectral_tf.errors import UserError, nearest
from spectral_tf.models import ACTIVATIONS, PRECISIONS
from spectral_tf.models.fourier import RandomFourierFeatures
from spectral_tf.models.products import Dense

_FEW_INPUTS = 64  # Below it a layer stays float32.


def mlp(
    *,
    width: int = 256,
    depth: int = 6,
    input_dim: int = 1,
    output_dim: int = 1,
    activation: str = "relu",
    fourier_features: int = 0,
    fourier_scale: float = 1.0,
    precision: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """A network of `depth` affine layers: hidden ones of `width` units, a linear one at the end.

    "6 layers, 256 units" of Rahaman et al. (2019) is depth=6, width=256: 263,937 parameters for one
    input. Kernels and biases are drawn uniformly from +-1/sqrt(fan_in), PyTorch's default for a
    linear layer. Keras' default (Glorot, zero biases) is another one: with zero biases every kink
    of the first layer sits at x = 0.

    Args:
      width, depth, input_dim, output_dim: at least 1.
      activation: one of `models.ACTIVATIONS`, after every hidden layer.
      fourier_features: random Fourier features in front of the first layer, 0 for none; their
        number counts sines and cosines as one.
      fourier_scale: their standard deviation, above 0, in cycles per unit of each input.
      precision: of the products, one of `models.PRECISIONS`; see `models.products`. The output
        layer stays float32, and so does a first layer on fewer than 64 inputs: coordinates need
        more than 8 bits, and these layers have next to none of the arithmetic.
      seed: at least 0; the same seed gives the same weights, every layer draws its own.

    Returns:
      an uncompiled functional model, [batch, input_dim] -> [batch, output_dim], float32.

    Raises:
      UserError: a size below 1, a negative seed or number of features, a scale of 0 or below, or
        an unknown activation or precision.
    """
    sizes = {"width": width, "depth": depth, "input_dim": input_dim, "output_dim": output_dim}
    for name, size in sizes.items():
        if size < 1:
            raise UserError(name, expected="at least 1", got=size, hint="give a positive size")
    if seed < 0:
        raise UserError("seed", expected="0 or more", got=seed, hint="take another seed")
    if activation not in ACTIVATIONS:
        raise UserError(
            "activation",
            expected=", ".join(ACTIVATIONS),
            got=activation,
            hint=nearest(activation, ACTIVATIONS, "choose one"),
        )
    if fourier_features < 0 or not fourier_scale > 0:
        raise UserError(
            "fourier_features",
            expected="0 (none) or more, at a scale above 0",
            got=f"{fourier_features} at scale {fourier_scale}",
            hint="a scale near the highest frequency of the target is usual",
        )
    if precision not in PRECISIONS:
        raise UserError(
            "precision", expected=", ".join(PRECISIONS), got=precision, hint="choose one"
        )
    function = keras.ops.sin if activation == "sine" else activation
    *seeds, features_seed = np.random.SeedSequence(seed).generate_state(2 * depth + 1).tolist()
    inputs = hidden = keras.Input((input_dim,))
    if fourier_features:
        hidden = RandomFourierFeatures(
            fourier_features, fourier_scale, features_seed, name="fourier_features"
        )(hidden)
    for layer in range(depth):
        last = layer == depth - 1
        fan_in = hidden.shape[-1]
        reduced = precision != "float32" and not last and fan_in >= _FEW_INPUTS
        dense = functools.partial(Dense, precision=precision) if reduced else keras.layers.Dense
        hidden = dense(
            output_dim if last else width,
            activation=None if last else function,
            kernel_initializer=uniform_fan_in(fan_in, seeds[2 * layer]),
            bias_initializer=uniform_fan_in(fan_in, seeds[2 * layer + 1]),
            name=f"layer_{layer + 1}",
        )(hidden)
    return keras.Model(inputs, hidden, name=f"mlp_{depth}x{width}")


def uniform_fan_in(fan_in: int, seed: int) -> keras.initializers.Initializer:
    """Uniform on +-1/sqrt(fan_in), for kernels and biases alike (variance 1 / (3 fan_in)).

    Source: the default of `torch.nn.Linear`, which the published notebooks use.
    """
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound, seed=seed)

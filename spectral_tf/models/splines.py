"""Kolmogorov-Arnold networks: layers whose edges are splines that are learned."""

from typing import Any

import keras
import numpy as np

from spectral_tf.errors import UserError


@keras.saving.register_keras_serializable("spectral_tf")
class KolmogorovArnold(keras.layers.Layer):
    """y_j = sum_i [w_ij silu(x_i) + sum_g c_ijg B_g(x_i)], B_g the B-splines on a uniform grid.

    Inputs beyond the grid have no splines, only silu. The grid is not moved in training. The start
    is near silu alone: c are normal of deviation 0.1 / num_intervals, w uniform on +-1/sqrt(fan_in)
    (the paper's own code takes Xavier's and refits the grid).

    Args:
      units: outputs, at least 1.
      num_intervals: G of the grid, at least 1.
      order: k of the splines, at least 1; 3 is cubic, and there are G + k of them.
      low, high: ends of the grid.
      seed: at least 0.

    Raises:
      UserError: sizes below 1, a grid without length.

    Source: Liu, Wang, Vaidya, Ruehle, Halverson, Soljacic, Hou and Tegmark (2024), "KAN:
    Kolmogorov-Arnold Networks", equations 2.10 to 2.12; splines by the recursion of de Boor (1978).
    """

    def __init__(
        self,
        units: int,
        *,
        num_intervals: int = 5,
        order: int = 3,
        low: float = -1.0,
        high: float = 1.0,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if min(units, num_intervals, order) < 1 or seed < 0 or not high > low:
            raise UserError(
                "KolmogorovArnold",
                expected="sizes of at least 1, a seed of 0 or more, low below high",
                got=f"units {units}, intervals {num_intervals}, order {order}, {low} to {high}",
                hint="the paper has 5 intervals and order 3 on [-1, 1]",
            )
        self.units, self.num_intervals, self.order = units, num_intervals, order
        self.low, self.high, self.seed = low, high, seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes w and c for these inputs."""
        fan_in = int(input_shape[-1] or 0)
        seeds = np.random.SeedSequence(self.seed).generate_state(2).tolist()
        bound = fan_in**-0.5
        self.base = self.add_weight(
            shape=(fan_in, self.units),
            initializer=keras.initializers.RandomUniform(-bound, bound, seeds[0]),
            name="base",
        )
        # As a matrix, so that optimisers of matrices take it for one.
        self.splines = self.add_weight(
            shape=(fan_in * (self.num_intervals + self.order), self.units),
            initializer=keras.initializers.RandomNormal(0.0, 0.1 / self.num_intervals, seeds[1]),
            name="splines",
        )

    def basis(self, inputs: Any) -> Any:
        """B_g(x), [..., fan_in, G + k]: at least 0, sum 1 on the grid."""
        step = (self.high - self.low) / self.num_intervals
        count = self.num_intervals + 2 * self.order + 1
        knots = self.low + step * (np.arange(count, dtype=np.float32) - self.order)
        x = inputs[..., None]
        b = keras.ops.cast((x >= knots[:-1]) & (x < knots[1:]), inputs.dtype)
        for k in range(1, self.order + 1):
            left = (x - knots[: -k - 1]) / (k * step)
            right = (knots[k + 1 :] - x) / (k * step)
            b = left * b[..., :-1] + right * b[..., 1:]
        return b

    def call(self, inputs: Any) -> Any:
        """Outputs [..., units]."""
        basis = self.basis(inputs)
        flat = keras.ops.reshape(basis, (-1, basis.shape[-2] * basis.shape[-1]))
        waves = keras.ops.matmul(flat, self.splines)
        return keras.ops.matmul(keras.ops.silu(inputs), self.base) + waves

    def get_config(self) -> dict[str, Any]:
        """As `__init__` takes it."""
        names = ("units", "num_intervals", "order", "low", "high", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def kan(
    *,
    width: int = 32,
    depth: int = 3,
    num_intervals: int = 5,
    order: int = 3,
    input_dim: int = 1,
    output_dim: int = 1,
    seed: int = 0,
) -> keras.Model:
    """`depth` layers of `KolmogorovArnold`, of `width` units but the last.

    Inputs in [0, 1) are brought to [-1, 1) first, where the splines are.

    Args:
      width, depth, input_dim, output_dim: at least 1.
      num_intervals, order: of the splines.
      seed: at least 0; every layer draws its own.

    Raises:
      UserError: as `KolmogorovArnold`.
    """
    seeds = np.random.SeedSequence(abs(seed)).generate_state(max(depth, 1)).tolist()
    inputs = keras.Input((input_dim,))
    hidden = keras.layers.Rescaling(2.0, -1.0, name="to_minus_1_and_1")(inputs)
    for layer in range(depth):
        hidden = KolmogorovArnold(
            output_dim if layer == depth - 1 else width,
            num_intervals=num_intervals,
            order=order,
            seed=seeds[layer],
            name=f"layer_{layer + 1}",
        )(hidden)
    return keras.Model(inputs, hidden, name=f"kan_{depth}x{width}")

"""Random Fourier features: sines and cosines of the inputs in front of a network."""

import keras
import numpy as np


@keras.saving.register_keras_serializable("spectral_tf")
class RandomFourierFeatures(keras.layers.Layer):
    """x -> [cos(2 pi B x), sin(2 pi B x)], the rows of B drawn from N(0, scale^2), never trained.

    Args:
      num_features: m, the rows of B; the layer has 2 m outputs.
      scale: standard deviation of the entries of B, in cycles per unit of each input.
      seed: of the draw.

    Source: Tancik et al. (2020), "Fourier features let networks learn high frequency functions in
    low dimensional domains", arXiv 2006.10739, section 5.
    """

    def __init__(self, num_features: int, scale: float, seed: int, **keywords: object) -> None:
        super().__init__(**keywords)
        self.num_features, self.scale, self.seed = num_features, scale, seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Draws B, shape [inputs, m]."""
        self.frequencies = self.add_weight(
            shape=(input_shape[-1], self.num_features),
            initializer=keras.initializers.RandomNormal(0.0, self.scale, seed=self.seed),
            trainable=False,
            name="frequencies",
        )

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """[..., inputs] -> [..., 2 m]."""
        angles = 2 * np.pi * keras.ops.matmul(inputs, self.frequencies)
        return keras.ops.concatenate([keras.ops.cos(angles), keras.ops.sin(angles)], axis=-1)

    def get_config(self) -> dict[str, object]:
        """What builds the layer again."""
        own = {"num_features": self.num_features, "scale": self.scale, "seed": self.seed}
        return {**super().get_config(), **own}

"""What a model wants of pixels in [0, 1], said in words."""

from __future__ import annotations

import dataclasses
from typing import Any

from spectral_tf.data.inputs import Inputs
from spectral_tf.data.normalisation import named
from spectral_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Pixels:
    """Pixels in [0, 1], arrays or tensors [b, h, w, c] -> inputs, as `data.inputs.Inputs` says.

    Attributes:
      inputs: range, order of channels and layout.
    """

    inputs: Inputs

    @classmethod
    def parse(cls, words: str) -> Pixels:
        """The words of `Inputs.parse`; a range that a data set would have to tell is refused.

        Raises:
          UserError: other words.
        """
        inputs = Inputs.parse(words, "to_inputs")
        if inputs.range == "standard" or inputs.function:
            raise UserError(
                "to_inputs",
                expected="unit, bytes, signed, imagenet or MEAN:DEVIATION",
                got=words,
                hint="give the numbers of your training data, or a function"
                if inputs.range == "standard"
                else "give the function itself",
            )
        return cls(inputs)

    def __call__(self, pixels: Any) -> Any:
        """Inputs of pixels."""
        normalisation = named(self.inputs.range, int(pixels.shape[-1]), "to_inputs")
        return self.inputs.arrange(normalisation.apply(pixels))

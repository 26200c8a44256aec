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
        refused = UserError(
            "to_inputs",
            expected="unit, bytes, signed, imagenet or MEAN:DEVIATION (once or for each channel), "
            "then perhaps bgr and channels_first, joined by commas",
            got=words or "nothing",
            hint="give a function for anything else, or the numbers of your training data",
        )
        try:
            inputs = Inputs.parse(words, "to_inputs")
        except UserError as error:
            raise refused from error
        if inputs.range == "standard" or inputs.function:
            raise refused
        return cls(inputs)

    def __call__(self, pixels: Any) -> Any:
        """Inputs of pixels.

        Raises:
          UserError: channels first; numbers for another number of channels.
        """
        channels = int(pixels.shape[-1])
        if len(pixels.shape) == 4 and channels > 4 and int(pixels.shape[1]) <= 4:
            raise UserError(
                "to_inputs",
                expected="examples with channels last, [n, h, w, c]",
                got=f"shape {tuple(pixels.shape)}",
                hint="transpose the examples; channels_first is for a model that wants it so",
            )
        normalisation = named(self.inputs.range, channels, "to_inputs")
        return self.inputs.arrange(normalisation.apply(pixels))

"""What a network wants to see of pixels in [0, 1]: the contract that travels with a saved one."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from spectral_tf.data.images import Images
from spectral_tf.data.normalisation import (
    RANGES,
    Normalisation,
    channels_of,
    is_numbers,
    named,
    standard,
)
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

ORDERS = ("rgb", "bgr")
LAYOUTS = ("channels_last", "channels_first")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a network wants of pixels: first their range, then the order of channels, then a layout.

    Attributes:
      range: one of `RANGES`; `mean:deviation` of pixels in [0, 1], once or for each of their
        channels as they are stored (red, green, blue), separated by commas; or `MODULE:FUNCTION`,
        a function of tensors: pixels in [0, 1], float32 [b, h, w, c] -> inputs.
      channel_order: `rgb`, as stored, or `bgr`.
      layout: `channels_last`, [b, h, w, c], or `channels_first`, [b, c, h, w].
    """

    range: str = "standard"
    channel_order: str = "rgb"
    layout: str = "channels_last"

    @classmethod
    def parse(cls, text: str, flag: str = "normalisation") -> Inputs:
        """A range and, if need be, an order and a layout, joined by commas in any order.

        Args:
          text: such as `bytes` or `imagenet,bgr`.
          flag: how an error calls it.

        Raises:
          UserError: another word, or an order or a layout twice.

        >>> Inputs.parse("bytes,bgr")
        Inputs(range='bytes', channel_order='bgr', layout='channels_last')
        """
        words = text.split(",")
        orders, layouts = ([w for w in words if w in known] for known in (ORDERS, LAYOUTS))
        rest = ",".join(w for w in words if w not in (*ORDERS, *LAYOUTS)) or "standard"
        module, _, function = rest.rpartition(":")
        parts = [pathlib.Path(module).stem] if module.endswith(".py") else module.split(".")
        a_function = all(part.isidentifier() for part in (*parts, function))
        known = rest in RANGES or is_numbers(rest) or a_function
        if not text or not known or len(orders) > 1 or len(layouts) > 1:
            raise UserError(
                flag,
                expected=f"one of {', '.join(RANGES)}, MEAN:DEVIATION of pixels in [0, 1] (once or "
                "for each channel) or MODULE:FUNCTION; then, if need be, bgr and channels_first",
                got=text or "nothing",
                hint=f"for example --{flag}=bytes, for a network that rescales by itself",
            )
        return cls(rest, *orders or ["rgb"], *layouts or ["channels_last"])

    @property
    def function(self) -> str:
        """`MODULE:FUNCTION`; "" if pixels are normalised by numbers."""
        return "" if self.range in RANGES or is_numbers(self.range) else self.range

    @property
    def arranged(self) -> bool:
        """Whether channels are put in another order or place."""
        return (self.channel_order, self.layout) != (ORDERS[0], LAYOUTS[0])

    def normalisation(self, training: Images, flag: str = "normalisation") -> Normalisation:
        """The affine map of pixels; no `function`.

        Raises:
          UserError: as `standard` and `named`.
        """
        if self.range == "standard":
            return standard(training)
        return named(self.range, channels_of(training), flag)

    def arrange(self, images: Any) -> Any:
        """Images [b, h, w, c], a tensor or an array, in the network's order and layout.

        Raises:
          UserError: `bgr` for other than three channels.
        """
        if self.channel_order == "bgr":
            if images.shape[-1] != 3:
                raise UserError(
                    "normalisation",
                    expected="images of three channels for bgr",
                    got=f"{images.shape[-1]}",
                    hint="leave bgr out",
                )
            images = images[..., ::-1]
        if self.layout == LAYOUTS[0]:
            return images
        if isinstance(images, np.ndarray):
            return images.transpose(0, 3, 1, 2)
        import tensorflow as tf

        return tf.transpose(images, (0, 3, 1, 2))

    def of_pixels(
        self, normalisation: Normalisation | None, function: Callable[..., Any] | None = None
    ) -> Callable[[tf.Tensor], tf.Tensor]:
        """Pixels in [0, 1], float32 [b, h, w, c] -> inputs, in TensorFlow.

        Args:
          normalisation: that of `normalisation`; None with a function.
          function: that `function` names.
        """
        import tensorflow as tf

        def apply(pixels: tf.Tensor) -> tf.Tensor:
            if function is not None:
                return self.arrange(tf.cast(function(pixels), tf.float32))
            assert normalisation
            return self.arrange(normalisation.apply(pixels))

        return apply

    def record(self) -> dict[str, str]:
        """What the record of a run says of it."""
        return dataclasses.asdict(self)

    def shape_of(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The [h, w, c] of pixels that inputs of one image have, whatever their layout.

        >>> Inputs(layout="channels_first").shape_of((3, 32, 32))
        (32, 32, 3)
        """
        if self.layout == LAYOUTS[1] and len(shape) == 3:
            return (*shape[1:], shape[0])
        return shape

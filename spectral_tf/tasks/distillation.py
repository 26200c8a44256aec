"""What a student learns: the teacher's predictions, the true labels, and the wave on both."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from spectral_tf.errors import UserError
from spectral_tf.tasks.label_waves import SmoothingWave

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class SoftLabels:
    """Labels that go through distillation first and the wave second.

    z = alpha y + (1 - alpha) softmax(teacher(x)), then (1 - s) z + s / C with the smoothing s(x) of
    the wave. So the amplitude of the wave is its own whatever alpha is. (The published code mixes
    the teacher into labels that are smoothed already: alpha scales the wave, and 0, its default,
    removes it.) What mixup has done to images and labels comes before both.

    Args:
      wave: on the labels; None: none.
      teacher: images [b, h, w, c] -> logits [b, C], in evaluation mode; None: z = y.
      alpha: weight of the true labels, in [0, 1].

    Raises:
      UserError: alpha outside [0, 1].
    """

    wave: SmoothingWave | None
    teacher: "Callable[[tf.Tensor], tf.Tensor] | None" = None
    alpha: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise UserError(
                "distillation_alpha",
                expected="0 (teacher only) to 1 (true labels only)",
                got=self.alpha,
                hint="0 is the published default",
            )

    def __call__(self, images: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
        """Labels to learn, [b, C], of images as the network sees them and labels [b, C]."""
        import tensorflow as tf

        if self.teacher is not None:
            predicted = tf.nn.softmax(tf.cast(self.teacher(images), tf.float32))
            labels = self.alpha * labels + (1 - self.alpha) * predicted
        return labels if self.wave is None else self.wave.smooth(images, labels)

"""Two classes of images as a regression to -1 and +1."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.tasks.pairs import pairs

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class TwoClasses:
    """Vectors x and the sign tau_0(x) of their class, in stored order.

    Attributes:
      inputs: float32, shape [n, d].
      signs: -1 for the first class, +1 for the second, float64, shape [n].

    Source: Rahaman et al. (2019), experiments 3 and 4 (digits 3 and 8 of MNIST).
    """

    inputs: NDArray[np.float32]
    signs: NDArray[np.float64]

    @classmethod
    def of_images(
        cls, images: NDArray, labels: ArrayLike, classes: tuple[int, int] = (3, 8)
    ) -> "TwoClasses":
        """Takes the images of two classes, flattened.

        Args:
          images: in [0, 1], float32, shape [n, ...].
          labels: whole numbers, shape [n].
          classes: the labels that become -1 and +1.

        Raises:
          UserError: a class has no examples, or both are the same.
        """
        numbers = np.asarray(labels)
        for label in classes:
            if not np.any(numbers == label) or classes[0] == classes[1]:
                raise UserError(
                    "classes",
                    expected="two different labels that occur",
                    got=f"{classes[0]},{classes[1]} ({np.sum(numbers == label)} of {label})",
                    hint=f"there are {', '.join(map(str, np.unique(numbers)[:20]))}",
                )
        chosen = np.isin(numbers, classes)
        inputs = np.asarray(images, np.float32)[chosen].reshape(int(chosen.sum()), -1)
        return cls(inputs, np.where(numbers[chosen] == classes[1], 1.0, -1.0))

    def __len__(self) -> int:
        return len(self.signs)

    def first(self, number: int) -> "TwoClasses":
        """The first examples.

        Raises:
          UserError: there are fewer, or none of one class is among them.
        """
        part = TwoClasses(self.inputs[:number], self.signs[:number])
        if not 2 <= number <= len(self) or np.ptp(part.signs) == 0:
            raise UserError(
                "num_samples",
                expected=f"2 to {len(self)} examples of both classes",
                got=number,
                hint="ask for fewer, or take larger classes",
            )
        return part

    def split(self, share: float) -> tuple["TwoClasses", "TwoClasses"]:
        """The first floor(share n) examples for training and the others for validation.

        Raises:
          UserError: a part lacks one of the classes.
        """
        cut = int(share * len(self))
        parts = (
            TwoClasses(self.inputs[:cut], self.signs[:cut]),
            TwoClasses(self.inputs[cut:], self.signs[cut:]),
        )
        for part in parts:
            if len(part) < 2 or np.ptp(part.signs) == 0:
                raise UserError(
                    "train_share",
                    expected="examples of both classes for training and for validation",
                    got=f"{cut} and {len(self) - cut} in stored order",
                    hint="change the share, or take more examples",
                )
        return parts

    def dataset(self, noise: ArrayLike = 0.0) -> "tf.data.Dataset":
        """Pairs (x [d], tau_0 + noise [1]) in float32, in stored order, unbatched.

        Args:
          noise: one number for each example, shape [n], or one for all.
        """
        return pairs(self.inputs, self.signs + np.asarray(noise))

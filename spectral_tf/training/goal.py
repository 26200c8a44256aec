"""When a classifier's training ends before its last step: at an accuracy, or at a loss."""

from __future__ import annotations

import math
from typing import NamedTuple

from spectral_tf.errors import UserError


class Goal(NamedTuple):
    """Ends a training at the first look that finds an accuracy or a loss.

    Networks that are compared at equal epochs differ in how far they have come; at equal training
    loss they do not. Every `every` steps the training is looked at, and at its last step; it ends
    there if one of both is reached. The schedule of the learning rate stays that of all steps.

    Attributes:
      accuracy: of the held-out images, at least; 0: none. They are no unseen images then.
      loss: mean cross-entropy in nats of the batches since the last look, as they were trained on
        (augmented, with what is learned of them), at most; 0: none.
      every: steps between two looks, at least 1; an epoch in the published code.

    Source: Fridovich-Keil et al. (2022), by their code (`max_accuracy`, `min_loss`).

    >>> goal = Goal(loss=0.5, every=10)
    >>> goal.reached(accuracy=0.9, loss=0.6), goal.reached(accuracy=0.1, loss=0.5)
    (False, True)
    >>> goal.next_look(9), goal.next_look(10)
    (10, 20)
    """

    accuracy: float = 0.0
    loss: float = 0.0
    every: int = 1

    def check(self) -> None:
        """Raises a UserError for a number out of range, or without anything to reach."""
        good = 0 <= self.accuracy <= 1 and 0 <= self.loss < math.inf and self.every >= 1
        if not (good and (self.accuracy or self.loss)):
            raise UserError(
                "goal",
                expected="an accuracy up to 1 or a loss above 0, and at least a step between looks",
                got=f"{self}",
                hint="leave the goal out to train to the last step",
            )

    def __str__(self) -> str:
        """In words.

        >>> str(Goal(accuracy=0.9, loss=0.25))
        'an accuracy of 0.9 or a training loss of 0.25'
        """
        told = [f"an accuracy of {self.accuracy:g}"] if self.accuracy else []
        told += [f"a training loss of {self.loss:g}"] if self.loss else []
        return " or ".join(told)

    def next_look(self, step: int) -> int:
        """The first look after a step."""
        return (step // self.every + 1) * self.every

    def reached(self, accuracy: float, loss: float) -> bool:
        """Whether one of both is; NaN reaches nothing."""
        return 0 < self.accuracy <= accuracy or loss <= self.loss != 0

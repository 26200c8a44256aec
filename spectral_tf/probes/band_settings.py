"""How elastic bands are relaxed; a plan holds it, without TensorFlow."""

import dataclasses
import math

from spectral_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class BandSettings:
    """How bands are relaxed.

    Attributes:
      pivots: of a band at first, evenly spaced on the straight line, both ends included, 3 or more.
      inserted: pivots more in each relaxation after the first, at most one in a segment.
      relaxations: how often the band is relaxed, at least 1.
      steps: of gradient descent in each relaxation, at least 1.
      rate: learning rate, above 0, in units of the points' space.
      momentum: of the descent, from 0 to below 1: v <- momentum v + force, R <- R + rate v.
      spring: constant k of the springs, in energy per squared distance; 0: none.
      low, high: of every coordinate; pivots are brought back between them.

    Raises:
      UserError: a number out of range.
    """

    pivots: int = 9
    inserted: int = 2
    relaxations: int = 4
    steps: int = 10
    rate: float = 1e-3
    momentum: float = 0.9
    spring: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        bounds = {
            "pivots": (self.pivots >= 3, "3 or more"),
            "inserted": (
                0 <= self.inserted < self.pivots,
                f"0 to {self.pivots - 1}, one in each segment of the first band",
            ),
            "relaxations": (self.relaxations >= 1, "1 or more"),
            "steps": (self.steps >= 1, "1 or more"),
            "rate": (0 < self.rate < math.inf, "a number above 0"),
            "momentum": (0 <= self.momentum < 1, "0 or more, and below 1"),
            "spring": (0 <= self.spring < math.inf, "0 (none) or more"),
        }
        for name, (good, expected) in bounds.items():
            if not good:
                got = getattr(self, name)
                raise UserError(name, expected=expected, got=got, hint="choose another")

    @property
    def count(self) -> int:
        """Pivots of a band in the end."""
        return self.pivots + self.inserted * (self.relaxations - 1)

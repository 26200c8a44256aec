"""What the positions of samples are: a grid with or without its right end, or none."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spectral_tf.errors import UserError

# Of the spacing: what positions on a grid may be off it, as rounded numbers in a file are. At the
# highest frequency it turns a wave by a thousandth of half a turn.
_OFF = 1e-3
_ROUNDING = 2.0**-23  # Of 32-bit numbers.


class Sampling(NamedTuple):
    """What `sampling` finds.

    Attributes:
      kind: `open`: a uniform grid on [start, start + period) without the right end; `closed`: one
        with it, which is the first position again, a period later, so that a DFT of the samples is
        wrong (of `coefficients_at` the quadrature is right); `uniform`: a uniform grid of unknown
        period, taken for n times its spacing; `irregular`: no uniform grid (take `quadrature` or
        `fit_coefficients`).
      start: the first position, in units.
      period: in units; of irregular positions their length, from the first to the last.
      spacing: between neighbours, in units; of irregular positions the largest gap.
      highest_frequency: in cycles per unit: 1 / (2 spacing), half of the samples per unit; below it
        frequencies are told apart, of irregular positions too (a sufficient condition).
      num_positions: n.
    """

    kind: Literal["open", "closed", "uniform", "irregular"]
    start: float
    period: float
    spacing: float
    highest_frequency: float
    num_positions: int

    @property
    def text(self) -> str:
        """It in one sentence.

        >>> sampling(np.linspace(0, 1, 101)).text
        '101 uniform positions on [0, 1] with the right end, which is the first position again'
        """
        end = self.start + self.period
        on = f"{self.num_positions:,} uniform positions"
        if self.kind == "open":
            return f"{on} on [{self.start:g}, {end:g}), without the right end"
        if self.kind == "closed":
            return (
                f"{on} on [{self.start:g}, {end:g}] with the right end, which is the first "
                "position again"
            )
        if self.kind == "uniform":
            return (
                f"{on} from {self.start:g}, {self.spacing:g} apart; the period is not known and "
                f"taken for {self.period:g}, {self.num_positions:,} times that"
            )
        return (
            f"{self.num_positions:,} positions from {self.start:g} to {end:g} that are not "
            f"uniform; the largest gap is {self.spacing:g}"
        )


def sampling(positions: ArrayLike, period: float | None = None) -> Sampling:
    """Looks at positions and says what they are; rounding to 32 bits is tolerated.

    A uniform grid x_0 + j h is `open` if n h is the period and `closed` if (n - 1) h is. Where no
    period is given, a whole number and a whole multiple of pi count as one; if both lengths are
    such numbers, or neither is, the grid is `uniform`, and nothing is claimed about its end.

    Args:
      positions: increasing, shape [n], n at least 3, in units.
      period: of the function, in units, if it is known.

    Raises:
      UserError: fewer than 3 positions, or ones that do not increase.

    Source: for irregular positions Groechenig (1992): a band-limited function is determined by, and
    stably found from, samples whose largest gap is below the spacing of Nyquist's grid.

    >>> sampling(np.arange(200) / 200).kind, sampling(np.linspace(0, 2 * np.pi, 50)).kind
    ('open', 'closed')
    >>> sampling(np.array([0.0, 0.1, 0.2, 0.5])).highest_frequency
    1.6666666666666667
    """
    x = np.asarray(positions, dtype=np.float64)
    if x.ndim != 1 or x.size < 3 or not np.all(np.diff(x) > 0) or not np.all(np.isfinite(x)):
        raise UserError(
            "positions",
            expected="at least 3 finite numbers that increase",
            got=f"shape {x.shape}" if x.ndim != 1 or x.size < 3 else "others",
            hint="sort them with their samples, and keep one of those that share a place",
        )
    n, length = x.size, float(x[-1] - x[0])
    spacing = length / (n - 1)
    rounding = min(_ROUNDING * float(np.abs(x).max()), 0.05 * spacing)
    off = max(_OFF * spacing, rounding)
    if np.abs(x - (x[0] + spacing * np.arange(n))).max() > off:
        gap = float(np.diff(x).max())
        return Sampling("irregular", float(x[0]), period or length, gap, 0.5 / gap, n)

    def is_period(some: float) -> bool:
        if period is not None:
            return abs(some - period) <= 2 * off
        return any(
            round(some / unit) >= 1 and abs(some - unit * round(some / unit)) <= 2 * off
            for unit in (1.0, np.pi)
        )

    without, with_end = is_period(n * spacing), is_period(length)
    kind: Literal["open", "closed", "uniform"] = "uniform"
    if without != with_end:
        kind = "open" if without else "closed"
    whole = length if kind == "closed" else n * spacing
    return Sampling(
        kind,
        float(x[0]),
        period or _rounded(whole, 2 * off),
        spacing,
        0.5 / spacing,
        n,
    )


def _rounded(length: float, off: float) -> float:
    """A whole number that a length is meant to be, or else the length."""
    return float(round(length)) if 0 < abs(length - round(length)) <= off else length

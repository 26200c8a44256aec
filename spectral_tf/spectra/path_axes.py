"""Spectra of paths of different lengths on one axis, with the number of paths behind each point."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def nyquist(spacing: ArrayLike) -> NDArray[np.float64]:
    """The highest frequency that samples d apart can tell, 1 / (2 d), in cycles per unit of d.

    Args:
      spacing: d, above 0, any shape.

    Raises:
      UserError: a spacing that is not above 0.

    >>> float(nyquist(0.25))
    2.0
    """
    return 1 / (2 * _checked(spacing))


def dft_frequencies(num_samples: int, spacing: float) -> NDArray[np.float64]:
    """The frequencies k / (N d) of the bins of `dft_magnitudes`, k = 0 ... N//2.

    In cycles per unit; with spacing 1 / (N-1), the path being the unit, in cycles per path.
    """
    return np.arange(num_samples // 2 + 1) / (num_samples * spacing)


def dct_frequencies(num_samples: int, spacing: float) -> NDArray[np.float64]:
    """The frequencies k / (2 N d) of the bins of `dct_magnitudes`, k = 0 ... N-1.

    In cycles per unit; with spacing 1 / (N-1), the path being the unit, in cycles per path.
    """
    return np.arange(num_samples) / (2 * num_samples * spacing)


def spectrum_axis(
    counts: ArrayLike, spacing: ArrayLike, *, at_most: int = 401
) -> NDArray[np.float64]:
    """Frequencies from 0 to the highest that any of the paths can tell, evenly spaced.

    They are as close as the bins 1 / (N d) of the median path, or as `at_most` of them allow.

    Args:
      counts: samples N of each path, at least 4, shape [p].
      spacing: d of each path, above 0, shape [p]. For a fixed number of samples give 1 / (N-1), the
        path being the unit: then the axis is in cycles per path.
      at_most: frequencies, at least 2.

    Returns:
      float64, shape [f], in cycles per unit, from 0 to max 1 / (2 d) included. The upper ones are
      told by few paths where spacings differ (see `mean_spectrum`).

    Raises:
      UserError: no paths, or spacings that are not above 0.

    >>> spectrum_axis([8, 8], [1.0, 1.0])
    array([0.   , 0.125, 0.25 , 0.375, 0.5  ])
    """
    n, d = np.asarray(counts), _checked(spacing)
    if not d.size:
        raise UserError("paths", expected="at least 1", got="none", hint="draw pairs of images")
    highest = nyquist(d).max()
    finest = 1 / np.median(n * d)
    return np.linspace(0, highest, min(at_most, int(np.ceil(highest / finest - 1e-9)) + 1))


def axis_support(
    frequencies: ArrayLike, counts: ArrayLike, spacing: ArrayLike, *, transform: str
) -> NDArray[np.bool_]:
    """Which frequencies each path can tell: 0, and from its first bin to its last one.

    Args:
      frequencies: in cycles per unit, shape [f].
      counts, spacing: N and d of each path, shape [p].
      transform: `dft` for the bins of `dft_magnitudes`, `dct` for those of `dct_magnitudes`.

    Returns:
      bool, shape [p, f]: where `interpolate_spectrum` has a magnitude.
    """
    n = np.asarray(counts)[:, None]
    width = 1 / (n * np.asarray(spacing, np.float64)[:, None] * (2 if transform == "dct" else 1))
    return _supported(
        np.asarray(frequencies, np.float64), width, n - 1 if transform == "dct" else n // 2
    )


def interpolate_spectrum(
    magnitudes: ArrayLike, bin_width: float, frequencies: ArrayLike
) -> NDArray[np.float64]:
    """One path's magnitudes at given frequencies, so that paths of different length average.

    Linear between the path's own bins from the first one on; the zero bin, the mean, which is no
    wave, stands for the frequency 0 alone. (The jump of a change of class falls as 1 / N, so longer
    paths have smaller magnitudes; shares know nothing of that.)

    Args:
      magnitudes: of one path, shape [K].
      bin_width: between neighbouring bins: 1 / (N d) of the DFT, 1 / (2 N d) of the DCT,
        in cycles per unit of distance.
      frequencies: in cycles per unit of distance, shape [f].

    Returns:
      float64, shape [f]; a number where `axis_support` is true, NaN elsewhere: between 0 and the
      first bin, and beyond the last.
    """
    m = np.asarray(magnitudes, np.float64)
    axis = np.asarray(frequencies, np.float64)
    found = np.interp(axis, bin_width * np.arange(1, m.size), m[1:])
    there = _supported(axis, bin_width, m.size - 1)
    return np.where(there, np.where(axis == 0, m[0], found), np.nan)


class MeanSpectrum(NamedTuple):
    """A spectrum averaged over paths, at the frequencies that enough of them can tell.

    Attributes:
      frequencies: in the unit of the given ones, rising, [g].
      magnitudes: means over paths, [g].
      num_paths: behind each mean, int64 [g].
      kept: which of the given frequencies these are, bool [f].
    """

    frequencies: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    num_paths: NDArray[np.int64]
    kept: NDArray[np.bool_]


def mean_spectrum(
    frequencies: ArrayLike, magnitudes: ArrayLike, *, where: ArrayLike, at_least: float = 0.5
) -> MeanSpectrum:
    """The mean over paths at each frequency that enough paths can tell; the others are left out.

    Args:
      frequencies: shape [f].
      magnitudes: of each path, shape [p, f]; whatever stands where `where` is false.
      where: bool, shape [p, f] (`axis_support`, and any choice of paths).
      at_least: paths behind a mean: their number if 1 or more, or below 1 their share of the paths
        that count at any frequency.

    Raises:
      UserError: no frequency with so many paths, shapes that do not fit, or magnitudes that count
        and are not finite.

    >>> there = np.array([[True, True, True], [True, True, False]])
    >>> mean_spectrum([0.0, 0.1, 0.2], [[5, 4, 3], [3, 2, 0]], where=there, at_least=2)[:3]
    (array([0. , 0.1]), array([4., 3.]), array([2, 2]))
    """
    axis, m = np.asarray(frequencies, np.float64), np.asarray(magnitudes, np.float64)
    there = np.asarray(where)
    if there.dtype != bool or there.shape != m.shape or m.shape[1:] != axis.shape:
        raise UserError(
            "where",
            expected="true or false for every magnitude, [paths, frequencies]",
            got=f"{there.dtype} {there.shape}, magnitudes {m.shape}, frequencies {axis.shape}",
            hint="take the mask of axis_support",
        )
    used = np.where(there, m, 0.0)
    if not np.isfinite(used).all():
        raise UserError(
            "magnitudes",
            expected="finite ones where they count",
            got=f"{np.sum(~np.isfinite(used))} that are not",
            hint="leave those paths out by where",
        )
    num_paths = there.sum(axis=0)
    needed = max(1.0, at_least if at_least >= 1 else at_least * there.any(axis=1).sum())
    kept = num_paths >= needed
    if not kept.any():
        raise UserError(
            "paths behind a spectrum",
            expected=f"at least {np.ceil(needed):.0f} at one frequency",
            got=f"{num_paths.max(initial=0)}",
            hint="take more paths, or ask for fewer",
        )
    return MeanSpectrum(axis[kept], used.sum(axis=0)[kept] / num_paths[kept], num_paths[kept], kept)


def _supported(
    frequencies: NDArray[np.float64], bin_width: ArrayLike, last: ArrayLike
) -> NDArray[np.bool_]:
    """Whether frequencies are 0 or lie between bin 1 and the last one, but for rounding."""
    bins = frequencies / np.asarray(bin_width)
    tolerance = 1e-9 * np.maximum(bins, 1)
    return (bins == 0) | ((bins >= 1 - tolerance) & (bins <= last + tolerance))


def _checked(spacing: ArrayLike) -> NDArray[np.float64]:
    d = np.asarray(spacing, np.float64)
    if not np.all(d > 0):
        raise UserError(
            "spacing",
            expected="distances above 0",
            got=f"{d.min(initial=0.0):g}",
            hint="the images at the ends of a path must differ",
        )
    return d

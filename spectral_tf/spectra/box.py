"""The spectrum of a function on a box of one, two or three dimensions, by radius and direction."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

WINDOWS = ("none", "hann")
_ANGLES = 12


class BoxSpectrum(NamedTuple):
    """Where the power of functions on a box lies; all powers of one function sum to mean f^2.

    Attributes:
      frequencies: of the rings, r d for r = 0, 1, ... up to the smallest Nyquist frequency, with d
        the finest of the bins' widths (of the longest side), cycles per unit of the coordinates,
        [r]. Ring 0 holds the mean alone; where sides differ, rings without a wave vector are
        empty.
      power: of ring r, the sum of |F[q]|^2 over wave vectors with |q| within d / 2 of it, both
        signs, [..., r].
      beyond: of what lies outside of the last ring (in the corners), [...].
      along: for each dimension the frequencies [k] and the power [..., k] by the component of the
        wave vector along it, whatever the others are, both signs: power with and without a sign
        are one.
      angles: in degrees, of wave vectors in two dimensions from the first axis to the second, the
        middle of sectors of 15, [12]; empty in others.
      by_angle: power by it, [..., 12], q and -q together; the mean is in none.
      centroid: sum |q| |F|^2 / sum |F|^2 over q other than 0, cycles per unit, [...]; NaN of a
        function that does not vary.
      varying: sum of |F[q]|^2 over q other than 0, [...].
    """

    frequencies: NDArray[np.float64]
    power: NDArray[np.float64]
    beyond: NDArray[np.float64]
    along: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    angles: NDArray[np.float64]
    by_angle: NDArray[np.float64]
    centroid: NDArray[np.float64]
    varying: NDArray[np.float64]


def box_spectrum(
    samples: ArrayLike, extents: Sequence[float] = (1.0,), window: str = "none"
) -> BoxSpectrum:
    """The power of functions on a uniform grid of a box, the far faces not included.

    F[q] = (1/N) sum_j f_j exp(-2 pi i q x_j), x_j = (j_1 L_1/n_1, ..., j_d L_d/n_d), N = n_1 ...
    n_d; the power of a set of wave vectors is the sum of |F[q]|^2 over it, so that a wave of
    amplitude A has A^2/2 and all together the mean of f^2.

    Args:
      samples: real, shape [..., n_1, ..., n_d], at least 4 along each.
      extents: lengths L of the box, d of them (1, 2 or 3), above 0.
      window: `none` takes the function for periodic: a jump between opposite faces has power at all
        frequencies, falling as 1/k^2. `hann` takes the mean off and multiplies by (1 - cos 2 pi
        t) sqrt(2/3) along each axis (mean square 1), which has no jump and blurs a line over the
        bins beside it.

    Raises:
      UserError: other dimensions, too few samples, an extent of 0 or below, an unknown window.

    >>> x = np.arange(16) / 16
    >>> found = box_spectrum(np.cos(2 * np.pi * 3 * x) + 2)
    >>> found.power.round(9).tolist()[:5]
    [4.0, 0.0, 0.0, 0.5, 0.0]
    """
    lengths = np.asarray(extents, np.float64)
    f = np.asarray(samples, np.float64)
    d = lengths.size
    if not 1 <= d <= 3 or f.ndim < d or min(f.shape[f.ndim - d :]) < 4 or not np.all(lengths > 0):
        raise UserError(
            "samples",
            expected="at least 4 along each of 1, 2 or 3 axes, and a length above 0 for each",
            got=f"shape {f.shape} and lengths {lengths.tolist()}",
            hint="put the grid on the last axes",
        )
    if window not in WINDOWS:
        raise UserError("window", expected=" or ".join(WINDOWS), got=window, hint="choose one")
    sides = f.shape[f.ndim - d :]
    axes = tuple(range(-d, 0))
    if window == "hann":
        f = f - f.mean(axis=axes, keepdims=True)
        for i, n in enumerate(sides):
            taper = (1 - np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)) * np.sqrt(2 / 3)
            f = f * taper.reshape(-1, *(1,) * (d - 1 - i))
    power = np.abs(np.fft.fftn(f, axes=axes, norm="forward")) ** 2
    q = np.meshgrid(
        *(np.fft.fftfreq(n, length / n) for n, length in zip(sides, lengths, strict=True)),
        indexing="ij",
    )
    radius = np.sqrt(sum(component**2 for component in q))
    flat = power.reshape(*f.shape[: f.ndim - d], -1)

    width = float(np.min(1 / lengths))
    last = int(np.min(np.asarray(sides) / (2 * lengths)) / width + 1e-9)
    ring = np.floor(radius / width + 0.5).astype(int).ravel()
    rings = _summed(flat, np.minimum(ring, last + 1), last + 2)

    along = []
    for i, (n, length) in enumerate(zip(sides, lengths, strict=True)):
        others = tuple(axis for axis in axes if axis != i - d)
        two_sided = power.sum(axis=others) if others else power
        k = np.abs(np.rint(np.fft.fftfreq(n, 1 / n))).astype(int)
        along.append((np.arange(n // 2 + 1) / length, _summed(two_sided, k, n // 2 + 1)))

    angles = np.zeros(0, np.float64)
    by_angle = np.zeros((*flat.shape[:-1], 0), np.float64)
    if d == 2:
        sector = 180 / _ANGLES
        turned = np.degrees(np.arctan2(q[1], q[0])) % 180
        number = np.floor(turned / sector + 0.5).astype(int) % _ANGLES
        angles = np.asarray(np.arange(_ANGLES) * sector, np.float64)
        by_angle = _summed(flat, np.where(radius > 0, number, _ANGLES).ravel(), _ANGLES + 1)
        by_angle = by_angle[..., :_ANGLES]
    varying = flat[..., 1:]  # Bin 0 of all axes is the mean.
    total = varying.sum(axis=-1)
    varies = total > (2.0**-22) ** 2 * np.max(f**2, axis=axes)
    weighted = varying @ radius.ravel()[1:]
    centroid = np.where(varies, weighted / np.where(varies, total, 1.0), np.nan)
    frequencies = np.asarray(np.arange(last + 1) * width, np.float64)
    return BoxSpectrum(
        frequencies,
        rings[..., : last + 1],
        rings[..., last + 1],
        along,
        angles,
        by_angle,
        centroid,
        total,
    )


def border_jumps(samples: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    """By how much opposite faces of a box differ, over the largest step between neighbours, [d].

    Root mean square over the faces, and over all slices between neighbours the largest. A periodic
    function has about 1 or less, a line 1 over one step; 0 where nothing varies along the axis.

    Args:
      samples: shape [..., n_1, ..., n_d].
      dimensions: d.

    >>> border_jumps(np.arange(8.0), 1).tolist()
    [7.0]
    """
    f = np.asarray(samples, np.float64)
    found = []
    for axis in range(f.ndim - dimensions, f.ndim):
        moved = np.moveaxis(f, axis, 0)
        steps = np.sqrt(np.mean((np.diff(moved, axis=0) ** 2).reshape(len(moved) - 1, -1), axis=1))
        jump = float(np.sqrt(np.mean((moved[0] - moved[-1]) ** 2)))
        found.append(jump / steps.max() if steps.max() > 0 else 0.0)
    return np.array(found)


def _summed(values: NDArray, group: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Sums along the last axis by group, [..., count]."""
    found = np.zeros((*values.shape[:-1], count))
    rows = found.reshape(-1, count)
    for row, own in zip(rows, values.reshape(-1, values.shape[-1]), strict=True):
        row[:] = np.bincount(group, weights=own, minlength=count)
    return found

"""Paths of straight pieces through a space of any dimension: length, even samples, random bends."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def polyline_length(points: ArrayLike) -> NDArray[np.float64]:
    """sum_i |R_{i+1} - R_i|_2.

    Args:
      points: shape [..., n, d], n at least 2.

    Raises:
      UserError: fewer than 2 points.

    >>> float(polyline_length([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]))
    7.0
    """
    return _pieces(points).sum(axis=-1)


def along_polyline(points: ArrayLike, count: int) -> NDArray[np.float32]:
    """So many points on a path of straight pieces, evenly spaced by its length, ends included.

    Args:
      points: shape [..., n, d], n at least 2.
      count: at least 2.

    Returns:
      float32, shape [..., count, d].

    Raises:
      UserError: fewer than 2 points or samples.

    >>> along_polyline([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], 5)[:, 1].tolist()
    [0.0, 0.0, 0.0, 0.5, 1.0]
    """
    if count < 2:
        raise UserError("count", expected="2 samples or more", got=count, hint="129 are usual")
    pieces = _pieces(points)
    given = np.asarray(points, np.float32)
    ends = np.cumsum(pieces, axis=-1)
    wanted = np.linspace(0, 1, count) * ends[..., -1:]
    piece = (ends[..., None, :-1] <= wanted[..., None]).sum(axis=-1)
    start = np.take_along_axis(ends - pieces, piece, axis=-1)
    length = np.take_along_axis(pieces, piece, axis=-1)
    share = np.divide(wanted - start, length, out=np.zeros_like(wanted), where=length > 0)
    share = np.clip(share, 0, 1)[..., None].astype(np.float32)
    left, right = (np.take_along_axis(given, (piece + i)[..., None], axis=-2) for i in (0, 1))
    found = (1 - share) * left + share * right
    found[..., [0, -1], :] = given[..., [0, -1], :]
    return np.asarray(found, np.float32)


def turned_at_random(points: ArrayLike, rng: np.random.Generator) -> NDArray[np.float32]:
    """A path of the same shape and length, whose bends go into random directions.

    With D_i what pivot R_i is away from its foot on the straight line between the ends, D_i becomes
    Q D_i: Q maps the space that all D_i span into a random one of equal dimension across that line,
    and keeps lengths and angles. Feet, ends, all distances between pivots and the length stay what
    they are. It is the null of a path that was bent on purpose: bent as far, but anywhere. Its
    coordinates know no range: clip them where there is one.

    Args:
      points: shape [n, d], n at least 2, the ends of which differ.
      rng: draws the directions.

    Returns:
      float32, shape [n, d].

    Raises:
      UserError: fewer than 2 points, equal ends, or fewer dimensions than the bends take.
    """
    given = np.asarray(points, np.float64)
    chord = given[-1] - given[0] if len(given) > 1 else np.zeros(1)
    inner = max(len(given) - 2, 0)
    if not chord.any() or given.shape[-1] < inner + 1:
        raise UserError(
            "points",
            expected="ends that differ, and more dimensions than pivots between them",
            got=f"shape {given.shape}",
            hint="take fewer pivots",
        )
    if not inner:
        return given.astype(np.float32)
    unit = chord / np.linalg.norm(chord)
    away = given - given[0]
    foot = np.outer(away @ unit, unit)
    bends = (away - foot)[1:-1]
    # bends = factors.T @ basis.T, rows of basis.T of norm 1 and across each other.
    _, factors = np.linalg.qr(bends.T)
    drawn, signs = np.linalg.qr(np.column_stack([unit, rng.normal(size=(unit.size, inner))]))
    drawn = (drawn * np.sign(np.diag(signs)))[:, 1:]  # Without the signs that QR prefers.
    turned = given.copy()
    turned[1:-1] = given[0] + foot[1:-1] + factors.T @ drawn.T
    return turned.astype(np.float32)


def departure(points: ArrayLike) -> NDArray[np.float64]:
    """The largest distance of a pivot from the straight line between the ends, over its length.

    Args:
      points: shape [..., n, d], n at least 2, the ends of which differ.

    Returns:
      float64, shape [...], 0 for a straight path.

    >>> float(departure([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]))
    0.5
    """
    given = np.asarray(points, np.float64)
    away = given - given[..., :1, :]
    chord = away[..., -1, :]
    length = np.linalg.norm(chord, axis=-1)[..., None]
    unit = (chord / length)[..., None, :]
    across = away - (away * unit).sum(axis=-1, keepdims=True) * unit
    return (np.linalg.norm(across, axis=-1) / length).max(axis=-1)


def _pieces(points: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(points, np.float64)
    if given.ndim < 2 or given.shape[-2] < 2:
        raise UserError(
            "points",
            expected="2 or more of each path, shape [..., n, d]",
            got=f"shape {given.shape}",
            hint="give both ends",
        )
    return np.linalg.norm(np.diff(given, axis=-2), axis=-1)

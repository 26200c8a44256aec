"""Nudged elastic bands: paths of low energy between two points, many of them at once.

A band is a row of pivots between two fixed ends. Each inner pivot goes down the gradient of the
energy across the band, not along it, so that it does not slide into the valleys at the ends. What
keeps the pivots apart is a spring, or no force at all: then they are put back to their shares of
the band's length after every step.

With more than one relaxation it is AutoNEB: after each pivots are inserted where the energy is
highest above that of the segment's ends, and the band is relaxed again.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.band_settings import BandSettings
from spectral_tf.probes.stream import over_rows, program

# Points [m, ...] and the number that each one's band was given [m] -> energies [m].
Energy = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# Lengths below it are none.
_TINY = 1e-12


def band_program(
    energy: Energy, settings: BandSettings, strategy: tf.distribute.Strategy | None = None
) -> Callable[..., list[tf.Tensor]]:
    """What `elastic_bands` runs, for who asks often: tracing takes seconds.

    Args:
      energy, settings, strategy: as for `elastic_bands`.
    """

    def relaxed(first: tf.Tensor, last: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return _relaxed(energy, first, last, labels, settings)

    return program(relaxed, strategy)


def elastic_bands(
    energy: Energy,
    first: ArrayLike,
    last: ArrayLike,
    labels: ArrayLike,
    settings: BandSettings,
    *,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
    traced: Callable[..., list[tf.Tensor]] | None = None,
) -> NDArray[np.float32]:
    """Paths of low energy between so many pairs of points, each relaxed for itself.

    The force on an inner pivot R_i with energy E_i is

        F_i = -(g_i - (g_i . t_i) t_i) + k (|R_{i+1} - R_i| - |R_i - R_{i-1}|) t_i,

    g_i the gradient of the energy, t_i the unit tangent: towards the neighbour of higher energy
    where the energy rises or falls along the band, between both, weighed by the differences of
    energy, at an extremum (Henkelman and Jonsson, 2000). Without springs (k = 0) pivots are put
    back to their shares of the band's length after each step, by linear interpolation (Draxler et
    al., 2018). A relaxation begins at rest. Inserted pivots are the midpoints of the segments whose
    energy there is highest above the mean of their ends; their number is given, where the published
    algorithm has a threshold, so that all bands have one shape.

    Args:
      energy: points [m, ...] and their band's label [m] -> energies [m], differentiable.
      first, last: ends of p bands, shape [p, ...], p at least 1, no pair of them equal.
      labels: a whole number for each band, which `energy` is given, [p].
      settings: of the relaxation.
      batch_size: pivots at once, over all replicas, about.
      strategy: default: the current one.
      traced: the `band_program` of these; default: made here.

    Returns:
      the pivots, shape [p, settings.count, ...]; the ends are those that were given.

    Raises:
      UserError: ends that are equal or of other shapes; a band that is not finite in the end.

    Source: Jonsson et al. (1998); Kolsbjerg et al. (2016) for AutoNEB.
    """
    x, y = np.asarray(first, np.float32), np.asarray(last, np.float32)
    same = x.shape == y.shape and np.flatnonzero(np.all((x == y).reshape(len(x), -1), axis=1))
    if x.shape != y.shape or np.size(same):
        raise UserError(
            "ends of elastic bands",
            expected="two points that differ, of one shape",
            got=f"shapes {x.shape} and {y.shape}" + f", {np.size(same)} pairs of equal ones",
            hint="take duplicates out of the data, or draw others with --seed",
        )
    strategy = strategy or tf.distribute.get_strategy()
    traced = traced or band_program(energy, settings, strategy)
    at_once = max(strategy.num_replicas_in_sync, batch_size // settings.count)
    (points,) = over_rows(traced, [x, y, np.asarray(labels, np.int32)], at_once, strategy)
    lost = int(np.sum(~np.isfinite(points.reshape(len(x), -1)).all(axis=1)))
    if lost:
        raise UserError(
            "elastic bands",
            expected="finite ones",
            got=f"{lost:,} of {len(x):,} that are not",
            hint="lower their learning rate",
        )
    return points


def _relaxed(
    energy: Energy, first: tf.Tensor, last: tf.Tensor, labels: tf.Tensor, settings: BandSettings
) -> tf.Tensor:
    """The pivots [b, n, ...] between ends [b, ...]; in between a point is flat, [b, n, d]."""
    shape = first.shape[1:]
    ends = [tf.reshape(end, (len(end), 1, shape.num_elements())) for end in (first, last)]
    shares = tf.tile(tf.linspace(0.0, 1.0, settings.pivots)[None], (len(first), 1))
    points = (1 - shares[..., None]) * ends[0] + shares[..., None] * ends[1]

    def of_points(flat: tf.Tensor) -> tf.Tensor:
        """Energies [b, n]."""
        owners = tf.repeat(labels, flat.shape[1])
        found = energy(tf.reshape(flat, (-1, *shape)), owners)
        return tf.reshape(found, flat.shape[:2])

    for relaxation in range(settings.relaxations):
        if relaxation and settings.inserted:
            points, shares = with_more(of_points, points, shares, settings.inserted)
        points = _descended(of_points, points, shares, settings)
    return tf.reshape(points, (*points.shape[:2], *shape))


def _descended(
    energies_of: Callable[[tf.Tensor], tf.Tensor],
    points: tf.Tensor,
    shares: tf.Tensor,
    settings: BandSettings,
) -> tf.Tensor:
    """One relaxation."""

    def step(number: tf.Tensor, points: tf.Tensor, speed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch(points)
            energies = energies_of(points)
        force = band_force(points, energies, tape.gradient(energies, points), settings.spring)
        speed = settings.momentum * speed + force
        inner = points[:, 1:-1] + settings.rate * speed
        inner = tf.clip_by_value(inner, settings.low, settings.high)
        points = tf.concat([points[:, :1], inner, points[:, -1:]], axis=1)
        return number + 1, points if settings.spring else spread(points, shares), speed

    _, points, _ = tf.while_loop(
        lambda number, *_: number < settings.steps,
        step,
        (tf.constant(0), points, tf.zeros_like(points[:, 1:-1])),
    )
    return points


def band_force(
    points: tf.Tensor, energies: tf.Tensor, gradients: tf.Tensor, spring: float
) -> tf.Tensor:
    """The force on the inner pivots, as for `elastic_bands`.

    Args:
      points, gradients: shape [b, n, d].
      energies: shape [b, n].
      spring: its constant, 0 or more.

    Returns:
      shape [b, n - 2, d].
    """
    steps = points[:, 1:] - points[:, :-1]
    after, before = steps[:, 1:], steps[:, :-1]
    rise = energies[:, 1:] - energies[:, :-1]
    up, down = rise[:, 1:, None], rise[:, :-1, None]  # To the next pivot, from the one before.
    most, least = (pick(tf.abs(up), tf.abs(down)) for pick in (tf.maximum, tf.minimum))
    higher_after = up + down > 0
    weights = tf.where(higher_after, most, least), tf.where(higher_after, least, most)
    tangent = weights[0] * after + weights[1] * before
    tangent = tf.where((up > 0) & (down > 0), after, tangent)
    tangent = tf.where((up < 0) & (down < 0), before, tangent)
    tangent = tf.where(most > 0, tangent, after + before)  # Where the energy is flat.
    tangent /= tf.maximum(_norm(tangent), _TINY)
    across = gradients[:, 1:-1]
    across -= tf.reduce_sum(across * tangent, axis=-1, keepdims=True) * tangent
    return spring * (_norm(after) - _norm(before)) * tangent - across


def spread(points: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Pivots at these shares of their band's length, on the straight pieces between the old ones.

    Args:
      points: shape [b, n, d].
      shares: rising from 0 to 1, shape [b, n].
    """
    pieces = _norm(points[:, 1:] - points[:, :-1])[..., 0]
    ends = tf.cumsum(pieces, axis=1)
    wanted = shares[:, 1:-1] * ends[:, -1:]
    piece = tf.reduce_sum(tf.cast(ends[:, None, :-1] <= wanted[..., None], tf.int32), axis=-1)
    starts = tf.gather(ends - pieces, piece, batch_dims=1)
    lengths = tf.maximum(tf.gather(pieces, piece, batch_dims=1), _TINY)
    along = tf.clip_by_value((wanted - starts) / lengths, 0.0, 1.0)[..., None]
    left, right = (tf.gather(points, piece + i, batch_dims=1) for i in (0, 1))
    inner = (1 - along) * left + along * right
    return tf.concat([points[:, :1], inner, points[:, -1:]], axis=1)


def with_more(
    energies_of: Callable[[tf.Tensor], tf.Tensor], points: tf.Tensor, shares: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """So many midpoints more, where the energy is highest above that of the segment's ends.

    Args:
      energies_of: points [b, n, d] -> energies [b, n].
      points: shape [b, n, d].
      shares: their places along the band, rising from 0 to 1, [b, n].
      count: of new pivots, fewer than n.

    Returns:
      points and shares, [b, n + count, ...].
    """
    middles = (points[:, 1:] + points[:, :-1]) / 2
    energies = energies_of(points)
    above = energies_of(middles) - (energies[:, 1:] + energies[:, :-1]) / 2
    chosen = tf.math.top_k(above, count).indices
    every = tf.concat([points, tf.gather(middles, chosen, batch_dims=1)], axis=1)
    between = (shares[:, 1:] + shares[:, :-1]) / 2
    shares = tf.concat([shares, tf.gather(between, chosen, batch_dims=1)], axis=1)
    order = tf.argsort(shares, axis=1, stable=True)
    return tf.gather(every, order, batch_dims=1), tf.gather(shares, order, batch_dims=1)


def _norm(vectors: tf.Tensor) -> tf.Tensor:
    return tf.norm(vectors, axis=-1, keepdims=True)

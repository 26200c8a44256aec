"""How much a classifier's outputs move with its input, in all directions: norms of Jacobians.

The logits z of an image x have the Jacobian J = dz/dx, [C, d]; its Frobenius norm is
|J|_F = sqrt(sum_c,i (dz_c / dx_i)^2), and |J|_F^2 / d the mean of |J u|^2 over all directions u of
norm 1: what paths from x do at their first step, on average. The probabilities p = softmax(z / T)
at a temperature T have the rows dp_c/dx = (p_c / T) (J_c - sum_k p_k J_k).

RobustNets' measure is the root of the mean of |J|_F^2 over 400 test images, of logits, by the
pixels as the model sees them, so it grows with the confidence of a model and depends on its
normalisation; the norms of probabilities at a common confidence, by pixels of [0, 1], do not.

All C rows are computed, each by one pass back through the model; nothing is drawn.

Sources: Hoffman et al. (2019), "Robust learning with Jacobian regularization", for the norm;
sarafridov/RobustNets ("Models Out of Line", arXiv 2207.04075) for its use on classifiers.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.output_kinds import class_logits
from spectral_tf.probes.path_outputs import refuse_temperatures
from spectral_tf.probes.paths import Paths, path_logits
from spectral_tf.probes.stream import Prepare, as_they_are, at_inference, outputs

# Numbers of the Jacobians that are held at once, at most, but for those of a single image.
_NUMBERS_AT_ONCE = 2**25
# RobustNets measures at so many images.
IMAGES = 400


class JacobianNorms(NamedTuple):
    """Frobenius norms of Jacobians at n images, or at m points of each of n paths.

    Attributes:
      logits: |dz/dx|_F, x as the model sees it, at least 0, float64 [n] or [n, m].
      probabilities: |dp/dx|_F, x in pixels of [0, 1], at each temperature, [t, n] or [t, n, m]: in
        1 / unit of distance. 0 where the predictions are certain.
    """

    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def jacobian_norms(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    prepare: Prepare = as_they_are,
    *,
    temperatures: Sequence[float] = (1.0,),
    deviation: ArrayLike = 1.0,
    kind: str = "logits",
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> JacobianNorms:
    """The norms at images.

    Args:
      model: images -> outputs [b, C], differentiable, taken at inference.
      images: shape [n, h, w, c], n at least 1.
      prepare: pixels -> images as the model sees them.
      temperatures: by which logits are divided, above 0, [t].
      deviation: by which `prepare` divides each channel of pixels of [0, 1], [c]; 1: what the model
        sees is the space of the norms of probabilities, too.
      kind: what the model gives, logits or probabilities (whose logits are their logarithms).
      batch_size, strategy: as for `path_logits`; fewer at once where Jacobians are large.

    Returns:
      [n] and [t, n].

    Raises:
      UserError: a temperature that is not above 0; independent sigmoids, which are no distribution;
        as `path_logits`.
    """
    pixels = np.asarray(images)
    norms, size = _program(model, pixels, prepare, temperatures, deviation, kind, batch_size)
    found = outputs(norms, pixels, prepare, batch_size=size, strategy=strategy)
    return _told(found.astype(np.float64))


def path_jacobians(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    paths: Paths,
    prepare: Prepare = as_they_are,
    *,
    points: int = 5,
    temperatures: Sequence[float] = (1.0,),
    deviation: ArrayLike = 1.0,
    kind: str = "logits",
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> JacobianNorms:
    """The norms at evenly spaced points of paths, both ends among them, streamed.

    Args:
      model, temperatures, deviation, kind, batch_size, strategy: as for `jacobian_norms`.
      images, paths, prepare: as for `path_logits`; how densely paths are sampled is of no account.
      points: of each path, at least 2.

    Returns:
      [n, points] and [t, n, points].

    Raises:
      UserError: fewer points; as `jacobian_norms`.
    """
    if points < 2:
        raise UserError(
            "jacobian_points",
            expected="2 or more of each path, its ends among them",
            got=points,
            hint="5 are usual",
        )
    pixels = np.asarray(images)
    norms, size = _program(model, pixels, prepare, temperatures, deviation, kind, batch_size)
    few = paths._replace(counts=np.full(len(paths.counts), points))
    streamed = path_logits(norms, pixels, few, prepare, batch_size=size, strategy=strategy)
    return _told(np.array([of_path.astype(np.float64) for of_path in streamed]))


def _told(found: NDArray[np.float64]) -> JacobianNorms:
    return JacobianNorms(found[..., 0], np.moveaxis(found[..., 1:], -1, 0))


def _program(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    pixels: NDArray,
    prepare: Prepare,
    temperatures: Sequence[float],
    deviation: ArrayLike,
    kind: str,
    batch_size: int,
) -> tuple[Callable[[tf.Tensor], tf.Tensor], int]:
    """Images as the model sees them -> norms [b, 1 + t]; and how many at once."""
    refuse_temperatures(temperatures)
    infer = at_inference(model)
    per_pixel = tf.constant(1 / np.asarray(deviation), tf.float32)

    def logits_of(x: tf.Tensor) -> tf.Tensor:
        return class_logits(tf.cast(infer(x), tf.float32), kind)

    def norms(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = logits_of(x)
        # One row after the other: no layer is without a gradient that way.
        rows = tape.batch_jacobian(logits, x, experimental_use_pfor=False)
        flat = tf.concat([tf.shape(logits), [-1]], axis=0)
        found = [tf.sqrt(tf.reduce_sum(tf.reshape(rows, flat) ** 2, axis=(1, 2)))]
        rows = tf.reshape(rows * per_pixel, flat)
        # The same taken from all rows changes nothing but rounding: predictions that are nearly
        # certain would be differences of equal rows.
        rows -= tf.gather(rows, tf.argmax(logits, axis=1)[:, tf.newaxis], batch_dims=1)
        for temperature in temperatures:
            p = tf.nn.softmax(logits / temperature)[..., tf.newaxis]
            away = p * (rows - tf.reduce_sum(p * rows, axis=1, keepdims=True)) / temperature
            found.append(tf.sqrt(tf.reduce_sum(away**2, axis=(1, 2))))
        return tf.stack(found, axis=1)

    one = tf.convert_to_tensor(prepare(tf.constant(pixels[:1])))
    numbers = int(logits_of(tf.cast(one, tf.float32)).shape[-1]) * int(np.prod(one.shape))
    return norms, max(1, min(batch_size, _NUMBERS_AT_ONCE // numbers))

"""Images that a network takes for another class: a targeted attack, stated and counted."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.stream import over_rows

# All steps together are so many times as long as the way that an image may go.
_REACH = 2.5


def adversarial_images(
    logits: Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    targets: ArrayLike,
    *,
    norm: float,
    steps: int = 40,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> NDArray[np.float32]:
    """Projected gradient descent towards a class, in the L2 ball around each image.

    x <- P(x - a g / |g|), g the gradient of -log p_target, a = 2.5 norm / steps, P first to the
    ball of radius norm around the image, then to [0, 1]; from the image itself, all steps. (The
    projection to [0, 1] does not lead out of the ball, since the image lies in both.) Whether an
    attack succeeds is for the caller to look at; none stops early.

    Args:
      logits: images -> logits [b, C], at inference, differentiable.
      images: pixels in [0, 1], shape [n, ...], n at least 1.
      targets: numbers of outputs, [n].
      norm: L2 radius of the ball, above 0.
      steps: at least 1.
      batch_size: images at once, over all replicas.
      strategy: default: the current one.

    Returns:
      shape [n, ...]; an image whose gradient vanishes stays where it is.

    Raises:
      UserError: a norm or a number of steps out of range, pixels outside of [0, 1].

    Source: Madry et al. (2018), towards a target and by L2.
    """
    x = np.asarray(images, np.float32)
    if not (norm > 0 and steps >= 1):
        raise UserError(
            "norm and steps of the attack",
            expected="a norm above 0, and 1 step or more",
            got=f"{norm:g} and {steps}",
            hint="40 steps are usual",
        )
    if x.min(initial=0.0) < 0 or x.max(initial=1.0) > 1:
        raise UserError(
            "images to attack",
            expected="pixels in [0, 1]",
            got=f"{x.min():g} to {x.max():g}",
            hint="bring them there first",
        )

    def attacked(start: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        def norms(change: tf.Tensor) -> tf.Tensor:
            flat = tf.reshape(change, (len(change), -1))
            return tf.reshape(tf.norm(flat, axis=1), (-1, *[1] * (change.shape.rank - 1)))

        def step(number: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(at)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits(at))
            gradient = tape.gradient(loss, at)
            way = tf.math.divide_no_nan(gradient, norms(gradient))
            change = at - (_REACH * norm / steps) * way - start
            change *= tf.minimum(1.0, tf.math.divide_no_nan(norm, norms(change)))
            # A change of 0 is not divided by, and stays 0.
            return number + 1, tf.clip_by_value(start + change, 0.0, 1.0)

        return tf.while_loop(lambda number, _: number < steps, step, (tf.constant(0), start))[1]

    (found,) = over_rows(attacked, [x, np.asarray(targets, np.int32)], batch_size, strategy)
    return found

"""Ways from one image to another: straight, or by their Fourier amplitudes or phases alone.

With F_k = A_k exp(i P_k) the discrete Fourier transform of an image as the model sees it (each
channel for itself), the ways from image 0 to image 1 at t = 0 ... 1 are

* `straight`: x(t) = (1 - t) x_0 + t x_1;
* `amplitude`: A_k(t) = (1 - t) A_k0 + t A_k1 at the phases of image 0. The inverse transform is
  linear, so this way is straight, too, but it ends elsewhere;
* `phase`: P_k(t) = (1 - t) P_k0 + t P_k1 at the amplitudes of image 0, as RobustNets has it: phases
  are the principal values in (-pi, pi], so a phase may take the long way round;
* `shortest_phase`: P_k(t) = P_k0 + t ((P_k1 - P_k0) brought to (-pi, pi]): each phase turns the
  short way. This commutes with shifts of both images, and a circular shift by s < n / (2 |k|)
  pixels is passed through as the shifts by t s; the published way does neither.

The three in Fourier space change the `window` of low frequencies alone and keep all others of image
0. All begin at image 0 to the last bit. A mean whose sign differs has phases 0 and pi: it goes as
the real part of the turn, cos(pi t).

Source: sarafridov/RobustNets ("Models Out of Line", arXiv 2207.04075), without `shortest_phase`,
which is ours.
"""

from collections.abc import Callable

import numpy as np
import scipy
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

CURVES = ("straight", "amplitude", "phase", "shortest_phase")
# The window reaches to this share of the shorter side, in cycles per image.
_WINDOW = 0.2

# Images at the ends [2 w, h, w, c], first ones before last ones, the path and the t of each sample.
Sampler = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def window(height: int, width: int) -> NDArray[np.bool_]:
    """The frequencies that are changed: |k| <= floor(0.2 min(h, w)) down and to the right.

    Args:
      height, width: of the image.

    Returns:
      bool, shape [h, w], in the order of an FFT, zero first: 13 x 13 frequencies of 32 x 32 pixels.

    Source: sarafridov/RobustNets.
    """
    reach = int(_WINDOW * min(height, width))
    down, right = (np.abs(np.fft.fftfreq(n, 1 / n)) <= reach for n in (height, width))
    return down[:, None] & right


def curve_lengths(
    first: ArrayLike, last: ArrayLike, curve: str, scale: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """The length of the way from each image to another, the integral of |dx/dt|_2.

    Of a straight one |x_1 - x_0|, of amplitudes sqrt(sum_k (A_k1 - A_k0)^2 / (h w)) (Parseval). Of
    phases the speed is sqrt(a^2 + b^2 sin^2(pi t)), a^2 = sum_k A_k0^2 (dP_k)^2 / (h w) over what
    turns, b^2 = pi^2 A_00^2 / (h w) of a mean whose sign differs; the integral is
    (2 / pi) sqrt(a^2 + b^2) E(b^2 / (a^2 + b^2)), E the complete elliptic integral of the second
    kind. Without such a mean it is a, and samples that are even in t are even in distance.

    Args:
      first, last: images as the model sees them, [n, h, w, c].
      curve: one of `CURVES`.
      scale: factors of the channels by which the way is measured, [c]: 1 for the model's space.

    Returns:
      float64, shape [n], at least 0; 0 where nothing in the window differs.

    Raises:
      UserError: another curve.

    >>> images = np.random.default_rng(0).normal(size=(2, 1, 8, 8, 1))
    >>> straight = curve_lengths(*images, "straight")
    >>> bool(np.allclose(straight, np.linalg.norm(images[1] - images[0])))
    True
    """
    refuse_other_curves(curve)
    x, y = (np.asarray(end, np.float64) * np.asarray(scale, float) for end in (first, last))
    if curve == "straight":
        return np.sqrt(np.sum((y - x).reshape(len(x), -1) ** 2, axis=1))
    height, width = x.shape[1:3]
    inside = window(height, width)[..., None]
    f, g = (np.fft.fft2(end, axes=(1, 2)) for end in (x, y))
    squared = inside / (height * width)
    if curve == "amplitude":
        return np.sqrt(np.sum(squared * (np.abs(g) - np.abs(f)) ** 2, axis=(1, 2, 3)))
    turned = np.angle(g) - np.angle(f) if curve == "phase" else np.angle(g * np.conj(f))
    speed = squared * (np.abs(f) * turned) ** 2
    flips = speed[:, 0, 0].sum(axis=-1)  # Of the mean, which is real: it turns by 0 or by pi.
    total = speed.sum(axis=(1, 2, 3))
    share = np.divide(flips, total, out=np.zeros_like(total), where=total > 0)
    return np.sqrt(total) * scipy.special.ellipe(np.minimum(share, 1)) * (2 / np.pi)


def sampler(curve: str) -> Sampler:
    """The function that makes samples on ways between images, on the device.

    It is compiled by XLA, so that it passes through memory once, and is no product of matrices,
    which GPUs and TPUs round to fewer bits than a spectrum wants.

    Args:
      curve: one of `CURVES`.

    Returns:
      a `tf.function` of images at the ends of w paths [2 w, h, w, c], first ones before last ones;
      of each sample's path, [s]; and of its t in [0, 1], [s] -> samples [s, h, w, c].

    Raises:
      UserError: another curve.
    """
    refuse_other_curves(curve)
    return _SAMPLERS[curve]


def refuse_other_curves(curve: str) -> None:
    """Raises a UserError for what is none of `CURVES`."""
    if curve not in CURVES:
        raise UserError("curve", expected=" or ".join(CURVES), got=curve, hint="choose one")


def _along(t: tf.Tensor, rank: int) -> tf.Tensor:
    return tf.reshape(t, (-1, *[1] * (rank - 1)))


def _transformed(ends: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """First and last images [w, c, h, w] in Fourier space, and the window."""
    f = tf.signal.fft2d(tf.cast(tf.transpose(ends, (0, 3, 1, 2)), tf.complex64))
    first, last = tf.split(f, 2)
    return first, last, tf.constant(window(*ends.shape[1:3]), tf.float32)


def _images(f: tf.Tensor) -> tf.Tensor:
    return tf.transpose(tf.math.real(tf.signal.ifft2d(f)), (0, 2, 3, 1))


@tf.function(jit_compile=True, autograph=False)
def _straight(ends: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
    first, last = (tf.gather(half, owner) for half in tf.split(ends, 2))
    t = _along(along, len(ends.shape))
    return (1 - t) * first + t * last


@tf.function(jit_compile=True, autograph=False)
def _amplitude(ends: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
    f, g, inside = _transformed(ends)
    more = tf.complex(inside * (tf.abs(g) - tf.abs(f)), 0.0)
    away = _images(more * tf.exp(tf.complex(0.0, tf.math.angle(f))))
    first = tf.split(ends, 2)[0]
    return tf.gather(first, owner) + _along(along, 4) * tf.gather(away, owner)


def _turned(
    ends: tf.Tensor, owner: tf.Tensor, along: tf.Tensor, f: tf.Tensor, angle: tf.Tensor
) -> tf.Tensor:
    """The first images with all their phases turned by t times an angle."""
    angles = _along(along, 4) * tf.gather(angle, owner)
    turn = tf.complex(tf.cos(angles) - 1, tf.sin(angles))
    return tf.gather(tf.split(ends, 2)[0], owner) + _images(tf.gather(f, owner) * turn)


@tf.function(jit_compile=True, autograph=False)
def _phase(ends: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
    f, g, inside = _transformed(ends)
    angle = inside * (tf.math.angle(g) - tf.math.angle(f))
    return _turned(ends, owner, along, f, angle)


@tf.function(jit_compile=True, autograph=False)
def _shortest_phase(ends: tf.Tensor, owner: tf.Tensor, along: tf.Tensor) -> tf.Tensor:
    f, g, inside = _transformed(ends)
    return _turned(ends, owner, along, f, inside * tf.math.angle(g * tf.math.conj(f)))


_SAMPLERS: dict[str, Sampler] = {
    "straight": _straight,
    "amplitude": _amplitude,
    "phase": _phase,
    "shortest_phase": _shortest_phase,
}

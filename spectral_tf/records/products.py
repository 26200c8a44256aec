"""In which precision a device really computes products of float32 numbers.

Settings say what may be done; drivers, variables of the environment and compilers decide, and not
alike for all operations: oneDNN on CPUs can be told to round the factors of convolutions and
leaves matrix products alone. So one product is computed by each, and held against float64.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging
from numpy.typing import NDArray

# Explicit bits of the significand to which the factors are rounded, the most exact first; sums are
# of float32.
SIGNIFICAND_BITS = {"float32": 23, "tf32": 10, "bfloat16": 7}
_EDGE = 128
# Beyond what rounding to bfloat16 does, by a factor of the same size as between two precisions.
_NO_ROUNDING = 0.02

# What networks consist of, on the same two matrices.
OPERATIONS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "matrix product": tf.matmul,
    "batched matrix product": lambda a, b: tf.matmul(a[None], b[None])[0],
    "convolution": lambda a, b: tf.nn.conv2d(a[None, None], b[None, None], 1, "VALID")[0, 0],
}


class Products(NamedTuple):
    """What was measured of a device.

    Attributes:
      precision: a key of `SIGNIFICAND_BITS`, or `none of these`.
      relative_error: |C - AB| / |AB| of a product C, in the Frobenius norm.
      operation: that was measured, in words.
    """

    precision: str
    relative_error: float
    operation: str = ""


def factors() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two matrices [128, 128] of N(0, 1), the same every time."""
    first, second = np.random.default_rng(0).standard_normal((2, _EDGE, _EDGE), np.float32)
    return first, second


def expected_error(precision: str) -> float:
    """The relative error of a product whose factors are rounded to a precision.

    2^-m sqrt(ln 2) / 3 for m explicit bits of the significand s in [1, 2): an error of rounding is
    uniform in 2^-m, so 2^-2m / 12 of a mean square of 3 / (2 ln 2) (of the density 1 / s), twice
    for two factors. Errors of sums in float32, which are not in it, are about 1e-7 here.

    >>> round(expected_error("bfloat16"), 4)
    0.0022
    """
    return 2.0 ** -SIGNIFICAND_BITS[precision] * math.sqrt(math.log(2)) / 3


def classify(product: NDArray) -> Products:
    """Which precision a product of `factors` has: that of the nearest error, by its logarithm.

    Args:
      product: as a device computed it, [128, 128].
    """
    exact = _exact()
    error = float(np.linalg.norm(product.astype(np.float64) - exact) / np.linalg.norm(exact))
    if not error < _NO_ROUNDING:  # NaN, too.
        return Products("none of these", error)
    distances = {
        name: abs(math.log(max(error, 1e-300) / expected_error(name))) for name in SIGNIFICAND_BITS
    }
    return Products(min(distances, key=distances.__getitem__), error)


@functools.cache
def _exact() -> NDArray[np.float64]:
    first, second = factors()
    return first.astype(np.float64) @ second.astype(np.float64)


def measure_products(strategy: tf.distribute.Strategy) -> Products:
    """The least exact product of all replicas of this host; hosts do not wait for each other."""
    operations = dict(OPERATIONS)
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    if not on_tpu:  # There all of them are; here it is what ensembles are trained by.
        by_xla = tf.function(tf.matmul, jit_compile=True, autograph=False)
        operations["matrix product by XLA"] = by_xla

    def every(a: tf.Tensor, b: tf.Tensor) -> list[tf.Tensor]:
        return [operation(a, b) for operation in operations.values()]

    def run(a: tf.Tensor, b: tf.Tensor) -> list[Any]:
        return strategy.run(every, (a, b))

    # Several replicas, and TPUs, want a graph; elsewhere tracing it takes most of the time.
    if on_tpu or strategy.num_replicas_in_sync > 1:
        run = tf.function(run, autograph=False)
    measured = [
        classify(product.numpy())._replace(operation=name)
        for name, of in zip(operations, run(*map(tf.constant, factors())), strict=True)
        for product in strategy.experimental_local_results(of)
    ]
    return max(measured, key=lambda found: (math.isnan(found.relative_error), found.relative_error))


def record(strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """What was asked for and what is computed, for `environment.json`; says so if they differ."""
    asked = "tf32" if tf.config.experimental.tensor_float_32_execution_enabled() else "float32"
    found = measure_products(strategy)
    order = [*SIGNIFICAND_BITS, found.precision]
    if order.index(found.precision) < order.index(asked):
        logging.info("--precision=%s: not on this device, it computes in %s", asked, *found[:1])
    elif found.precision != asked:
        logging.warning(
            "float32 numbers are multiplied in %s here (relative error %.1e, %s), not in %s as "
            "asked: unset NVIDIA_TF32_OVERRIDE and TF_SET_ONEDNN_FPMATH_MODE, or take another "
            "device; what is trained and measured has this precision",
            *found,
            asked,
        )
    return {"asked": asked, **found._asdict()}

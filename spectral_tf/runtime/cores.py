"""Processor cores: how many there are for this process, how many it computes on, and by what."""

import contextlib
import os
import platform

from absl import logging

from spectral_tf.errors import UserError


def available_cores() -> int:
    """Cores that this process may use, at least 1.

    Affinity and the quotas of containers count: of one and a half cores that is 2. Nobody's load
    does.
    """
    import joblib

    return int(joblib.cpu_count())


def chosen_cores(count: int = 0) -> int:
    """So many cores, or all that there are for 0.

    Raises:
      UserError: more than there are.
    """
    most = available_cores()
    if not 0 <= count <= most:
        raise UserError(
            "--cores",
            expected=f"0 (all) to {most}, what this process may use",
            got=count,
            hint="leave it out",
        )
    return count or most


def cores() -> int:
    """Cores that TensorFlow computes on here: what `use_cores` has said, or all there are."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or available_cores()


def use_cores(count: int = 0) -> None:
    """Lets TensorFlow and the linear algebra of NumPy compute on so many cores from now on.

    Call it before anything is computed: TensorFlow makes its threads once.

    Args:
      count: 0 for all that there are. TensorFlow's own default knows no quotas of containers: it
        makes a thread for every core of the machine, and all of them wait when the quota is used.

    Raises:
      UserError: more than there are.
    """
    count = chosen_cores(count)
    import tensorflow as tf
    import threadpoolctl

    threadpoolctl.threadpool_limits(count)
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
    if cores() != count:
        logging.warning("TensorFlow computes on %d cores, not %d: it has begun", cores(), count)


def use_onednn() -> None:
    """Lets TensorFlow convolve by oneDNN on every x86 processor; what a user has set stays.

    By itself TensorFlow does so on those with AVX512_VNNI, AVX512_BF16 or AMX alone; elsewhere,
    with its other kernels, a small convolutional network trains at less than half the speed. What
    is computed differs by rounding. Call it before TensorFlow is imported.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

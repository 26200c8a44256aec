"""tf.distribute strategies by name."""

import os

import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.runtime.cluster import is_chief, workers


def make_strategy(name: str = "auto", tpu: str = "") -> tf.distribute.Strategy:
    """The strategy that a `--strategy` flag names; call it before anything else uses TensorFlow.

    * auto: tpu if `tpu` or the variable TPU_NAME is set, multi_worker if TF_CONFIG lists several
      workers, mirrored if there are two or more GPUs, else default;
    * default: one device;
    * mirrored: all GPUs of this host, or all logical CPUs if there are none;
    * multi_worker: the workers of TF_CONFIG, one process each;
    * tpu: the TPU of that name; `local` for the TPU of this machine.

    float32 products are computed as such: TensorFloat-32 on GPUs and bfloat16 passes on TPUs, both
    TensorFlow's defaults, are switched off.

    Raises:
      UserError: an unknown name, no TF_CONFIG for multi_worker, no TPU for tpu.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tpu = tpu or os.environ.get("TPU_NAME", "")
    if name == "auto":
        several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
        name = (
            "tpu"
            if tpu
            else "multi_worker"
            if len(workers()) > 1
            else "mirrored"
            if several_gpus
            else "default"
        )
    if name == "default":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy(
            [device.name for device in tf.config.list_logical_devices(kind)]
        )
    if name == "multi_worker":
        is_chief(name)  # Refuses a missing TF_CONFIG.
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        return _tpu_strategy(tpu)
    raise UserError(
        "--strategy",
        expected="auto, default, mirrored, multi_worker or tpu",
        got=name,
        hint="choose one",
    )


def _tpu_strategy(tpu: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu or "local")
        if tpu not in ("", "local"):
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            "--strategy=tpu",
            expected=f"a TPU named {tpu or 'local'} and the wheel tensorflow-tpu",
            got=f"{type(error).__name__}: {str(error).splitlines()[0][:160]}",
            hint="pip install 'spectral-tf[tpu]' on the TPU VM and give its name with --tpu",
        ) from error
    return tf.distribute.TPUStrategy(resolver)
